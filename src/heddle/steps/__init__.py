"""The seam for step types: what `$type` names. A step type turns an input into jobs.

One file per type and one row in `registry.py`, or an entry point in the group `heddle.steps`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from heddle.domain import JSON

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An input blob: where the request names it, and which media it may hold (`image`, `video`, `audio`)."""

    blob_id: str
    path: str
    media: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A model named by its AIR: where the request names it, and whether it is the base or something added to one."""

    air: str
    path: str
    added: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a step asks for: one payload per job, and what must be at hand to run them."""

    #: The model family asked for; None: whatever this server uses by itself.
    family: str | None
    operation: str
    payloads: Sequence[dict[str, Any]]
    sources: Sequence[Source] = ()
    #: Models that the jobs load.
    resources: Sequence[Resource] = ()
    #: Ecosystems whose models the family can load; empty: the one of its own name.
    ecosystems: Sequence[str] = ()


#: Width and height of a source blob, None when it has none or is not there yet.
SizeOf = Callable[[str], tuple[int, int] | None]


class StepType(Protocol):
    """Pure: no database, no engine, no torch."""

    #: The model of the input; the docs and the JSON Schema are made from it.
    model: type[BaseModel]

    #: The families that exist in the world, whether or not this server can run them.
    families: Sequence[str]

    def plan(self, raw: JSON, size_of: SizeOf) -> Plan:
        """Check an input and split it into jobs. Raises InvalidRequest with paths relative to the input."""
        ...
