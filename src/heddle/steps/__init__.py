"""The seam for step types: what `$type` names. A step type turns an input into jobs.

One file per type and one row in `registry.py`, or an entry point in the group `heddle.steps`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from heddle.domain import JSON
from heddle.errors import InvalidRequest

#: What the seed schema names; those without a plug-in are refused with a reason.
NAMES = (
    "imageGen",
    "videoGen",
    "audioGen",
    "textGen",
    "transcribe",
    "tts",
    "music",
    "upscale",
    "interpolate",
    "training",
    "comfy",
    "moderation",
)


#: The characters that Unicode keeps out of all text: tokens begin with one.
_KEPT_OUT = frozenset(map(chr, range(0xFDD0, 0xFDF0)))


def awaits(value: str) -> bool:
    """Whether a text has a token in it that stands for what another step will give, so that it cannot be read yet."""
    return not _KEPT_OUT.isdisjoint(value)


def takes(media: Sequence[str], mime: str) -> bool:
    """Whether a type is one of these media: first halves of types (`image`), or whole ones (`application/zip`)."""
    return mime in media or mime.partition("/")[0] in media


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An input blob: where the request names it, and which media it may hold."""

    blob_id: str
    path: str
    media: tuple[str, ...]

    def takes(self, mime: str) -> bool:
        """Whether a blob of this type may be used."""
        return takes(self.media, mime)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A model named by its AIR: where the request names it, and whether it is the base or something added to one."""

    air: str
    path: str
    added: bool = False
    #: Types of models, as AIRs name them, that fit here; empty: any base, or anything that is added to one.
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a step asks for: one payload per job, and what must be at hand to run them.

    A payload says `width`, `height`, `durationMs` and `fps` of what it will make where that is known: steps that use
    the result plan with them.
    """

    #: The model family asked for; None: whatever this server uses by itself.
    family: str | None
    operation: str
    payloads: Sequence[dict[str, Any]]
    sources: Sequence[Source] = ()
    #: Models that the jobs load.
    resources: Sequence[Resource] = ()
    #: Ecosystems whose models the family can load; empty: the one of its own name. A `*` stands for any letters.
    ecosystems: Sequence[str] = ()
    #: Types of models, as AIRs name them, among which one is looked for where the step names none.
    bases: Sequence[str] = ("checkpoint",)
    #: How long an attempt may take where the caller does not say and the server's own limit is shorter, in seconds.
    timeout_s: float = 0.0
    #: The field that asks for the family and what stands there, where that is not `engine`.
    asked: tuple[str, str] | None = None
    #: What is wrong with the input for every engine of this server but those of the family; it is said where none of
    #: them can run here, and nothing stands in.
    refusal: InvalidRequest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a source at submit; all None while its bytes are not there, or another step is to make it."""

    mime: str | None = None
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    fps: float | None = None

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height."""
        return (self.width, self.height) if self.width and self.height else None

    def otherwise(self, most: Facts) -> Facts:
        """With what is assumed in the place of what is not known; a size is known whole or not at all."""
        sized = self if self.size else most
        return Facts(
            mime=self.mime or most.mime,
            width=sized.width,
            height=sized.height,
            duration_ms=most.duration_ms if self.duration_ms is None else self.duration_ms,
            fps=self.fps or most.fps,
        )


#: What is known of a source blob.
FactsOf = Callable[[str], Facts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One thing that a step made, as its `output` shows it."""

    job: int
    #: Empty for the thing asked for; else what it is beside it (`midi`, `srt`, ...).
    role: str
    #: The blob as the API shows it: `id`, `url`, `type`, `available`, `width`, `height`, `duration`, `previewUrl`, ...
    blob: dict[str, Any]
    #: Values that the engine gave with it.
    output: JSON


class StepType(Protocol):
    """Pure: no database, no engine, no torch."""

    #: The model of the input; the docs and the JSON Schema are made from it.
    model: type[BaseModel]

    #: The families that exist in the world, whether or not this server can run them.
    families: Sequence[str]

    #: Which input fields name source media, and which media each takes: `{"images[*]": ("image",)}`. A value there
    #: may be a blob id, a link to one, a URL, a data: URL or base64; `plan` sees blob ids only. `*` is any one member.
    media: Mapping[str, tuple[str, ...]]

    #: What `output` has, and the kind of each member: `image`, `video`, `audio`, `blob`, `text` or `data`.
    #: References from other steps are checked against it at submit.
    gives: Mapping[str, str]

    def plan(self, raw: JSON, facts_of: FactsOf) -> Plan:
        """Check an input and split it into jobs. Raises InvalidRequest with paths relative to the input."""
        ...

    def output(self, results: Sequence[Result]) -> dict[str, Any]:
        """What the step gives, as the API shows it; `results` are those of its succeeded jobs, in order."""
        ...


@runtime_checkable
class Learner(Protocol):
    """A step type whose jobs cost more or less depending on what their sources are."""

    def learn(self, payload: JSON, facts_of: FactsOf) -> Sequence[dict[str, Any]]:
        """A payload of this type with what is known of its sources, for its price: the dearest is what it costs.

        One, when all that matters is known; else with the largest sources that there may be.
        """
        ...
