"""The step type `audioGen`: sounds from a prompt. One job per sound. Speech is `tts`, and songs are `music`."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import AliasChoices, Field, field_validator

from heddle import air
from heddle.contract.base import Said, Wire, validate
from heddle.domain import JSON
from heddle.errors import CallerError, InvalidRequest
from heddle.steps import FactsOf, Plan, Resource, Result

_SEEDS = 2**32
_STABLE = "stable-audio"
#: What models of Stable Audio are for, as AIRs name it; all are other names of the family.
_ECOSYSTEMS: tuple[str, ...] = (_STABLE, "stableaudio", "stable-audio-open", "stableaudioopen", "stableaudioopen10")
_FAMILIES: Mapping[str, str] = dict.fromkeys(_ECOSYSTEMS, _STABLE)


class AudioGenInput(Wire):
    """Every input of `audioGen`."""

    engine: str | None = Field(
        None, max_length=64, description="A model family such as `stable-audio`, or an engine such as `soundscape`."
    )
    model: str | None = Field(None, max_length=500, description="A model by its AIR.")
    prompt: Said = Field(
        min_length=1,
        max_length=10_000,
        validation_alias=AliasChoices("prompt", "text", "musicDescription"),
        description="What is heard: `heavy rain on a tin roof, distant thunder`.",
    )
    negative_prompt: str | None = Field(
        None, max_length=10_000, description="What must not be heard, for families that sample."
    )
    duration: float = Field(10.0, ge=1, le=190, description="Seconds.")
    seed: int | None = Field(None, ge=-1, lt=2**63, description="The same seed gives the same sound; -1: random.")
    quantity: int = Field(1, ge=1, le=10, description="How many sounds.")
    steps: int | None = Field(None, ge=1, le=500, description="Sampling steps, for families that sample.")
    cfg_scale: float | None = Field(None, ge=0, le=30, description="Guidance, for families that sample.")
    loop: bool = Field(False, description="Whether its end leads back into its beginning without a seam.")
    output_format: Literal["mp3", "wav", "ogg", "flac"] = Field("mp3", description="The file format of the sounds.")

    @field_validator("output_format", mode="before")
    @classmethod
    def _format(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value


class AudioGen:
    """Plans sounds."""

    model = AudioGenInput
    families = ("soundscape", _STABLE)
    media: Mapping[str, tuple[str, ...]] = {}
    gives: Mapping[str, str] = {"blob": "audio", "blobs": "audio"}

    def plan(self, raw: JSON, facts_of: FactsOf) -> Plan:
        _refuse_others(raw)
        given = validate(AudioGenInput, raw)
        first_seed = secrets.randbelow(_SEEDS) if given.seed in {None, -1} else given.seed
        assert first_seed is not None
        family = _family(given)
        shared: dict[str, Any] = {
            "family": family,
            "model": given.model,
            "operation": "create",
            "prompt": given.prompt,
            "negativePrompt": given.negative_prompt,
            "durationMs": round(given.duration * 1000),
            "steps": given.steps,
            "cfgScale": given.cfg_scale,
            "loop": given.loop,
            "outputFormat": given.output_format,
        }
        known = {name: value for name, value in shared.items() if value is not None}
        return Plan(
            family=family,
            operation="create",
            payloads=[{**known, "seed": (first_seed + i) % 2**63} for i in range(given.quantity)],
            resources=[Resource(air=given.model, path="model")] if given.model else (),
            ecosystems=_ECOSYSTEMS if family == _STABLE else (),
        )

    def output(self, results: Sequence[Result]) -> dict[str, Any]:
        blobs = [r.blob for r in results if not r.role]
        return {"blob": blobs[0], "blobs": blobs} if blobs else {}


def _refuse_others(raw: JSON) -> None:
    """What names a speaker wants speech, and what has lyrics wants a song: other step types make those."""
    for name in ("speaker", "refAudioUrl"):
        if name in raw:
            raise InvalidRequest.of(name, "is for speech, which the step type `tts` makes; audioGen makes sounds")
    if "lyrics" in raw:
        raise InvalidRequest.of("lyrics", "are for a song, which the step type `music` makes; audioGen makes sounds")
    if "elements" in raw:
        raise InvalidRequest.of("elements", "would be joined from media; audioGen makes sounds from a `prompt`")


def _family(given: AudioGenInput) -> str | None:
    """The family by its own name; without `engine`, the one that the model is for."""
    if given.engine is None and given.model is not None:
        try:
            named = air.parse(given.model).ecosystem
        except CallerError as error:
            raise InvalidRequest.of("model", error.message) from error
    else:
        named = given.engine
    return _FAMILIES.get(named or "", named)
