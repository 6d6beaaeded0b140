"""The step type `music`: pieces of music from a description. One job per piece; each gives sound, and its notes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field, field_validator

from heddle import air
from heddle.contract.base import Said, Wire, validate
from heddle.domain import JSON
from heddle.errors import CallerError, InvalidRequest
from heddle.steps import FactsOf, Plan, Resource, Result

_SEEDS = 2**32
_ACE = "ace-step"
_FAMILIES = {"ace": _ACE, "acestep": _ACE, "ace_step": _ACE, "ace_step_15": _ACE, "acestep15": _ACE}
#: What models of ACE-Step are for, as AIRs name it.
_ECOSYSTEMS = (_ACE, *_FAMILIES)

_TONICS = "C C# Db D D# Eb E F F# Gb G G# Ab A A# Bb B"
#: The keys of the public API.
KEYS = tuple(f"{tonic} {mode}" for mode in ("major", "minor") for tonic in _TONICS.split())

_Air = Annotated[str | None, Field(max_length=500)]


def _signature(value: object) -> object:
    """`3`, `"3/4"` and `"3"` are the same."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.partition("/")[0].strip() if isinstance(value, str) else value


class MusicInput(Wire):
    """Every input of `music`."""

    engine: str | None = Field(
        None, max_length=64, description="A model family such as `ace-step`, or an engine such as `composer`."
    )
    model: str | None = Field(None, max_length=500, description="A model by its AIR.")
    music_description: Said = Field(
        min_length=1,
        max_length=10_000,
        validation_alias=AliasChoices("musicDescription", "prompt", "description"),
        description="Style, mood, instruments, parts: `calm lo-fi with piano and soft drums`.",
    )
    lyrics: str | None = Field(None, max_length=20_000, description="Words to sing, for families that sing.")
    duration: float = Field(60.0, ge=1, le=190, description="Seconds.")
    bpm: int | None = Field(
        None, ge=40, le=200, description="Quarter notes per minute; default: the description's, the style's, or 120."
    )
    time_signature: Annotated[Literal["2", "3", "4", "6"] | None, BeforeValidator(_signature)] = Field(
        None, description="2/4, 3/4, 4/4 or 6/8; default: the description's, or 4."
    )
    key: str | None = Field(
        None, max_length=12, description="For example `A minor`; default: the description's, or C, major or minor."
    )
    seed: int | None = Field(None, ge=-1, lt=2**63, description="The same seed gives the same piece; -1: random.")
    quantity: int = Field(1, ge=1, le=10, description="How many pieces.")
    output_format: Literal["mp3", "wav", "ogg", "flac"] = Field("mp3", description="The file format of the pieces.")
    language: str | None = Field(None, max_length=16, description="Of the lyrics.")
    instrumental_weight: float | None = Field(None, ge=0, le=10, description="For families that sing.")
    vocal_weight: float | None = Field(None, ge=0, le=10, description="For families that sing.")
    steps: int | None = Field(None, ge=1, le=200, description="Sampling steps, for families that sample.")
    cfg: float | None = Field(None, ge=0, le=30, description="Guidance, for families that sample.")
    diffusion_model: _Air = Field(None, description="A part of ACE-Step, by AIR.")
    clip_model: _Air = Field(None, description="A part of ACE-Step, by AIR.")
    vae_model: _Air = Field(None, description="A part of ACE-Step, by AIR.")
    language_model: _Air = Field(None, description="A part of ACE-Step, by AIR.")
    loras: dict[str, float] = Field(
        default_factory=dict[str, float], max_length=10, description="LoRAs of ACE-Step by AIR, with their strengths."
    )

    @field_validator("key")
    @classmethod
    def _key(cls, value: str | None) -> str | None:
        if value is None:
            return None
        known = {key.lower(): key for key in KEYS}
        named = " ".join(value.split()).lower()
        if named not in known:
            raise ValueError("a key is a tonic of C C# Db D D# Eb E F F# Gb G G# Ab A A# Bb B, and major or minor")
        return known[named]

    @field_validator("output_format", mode="before")
    @classmethod
    def _format(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value


class Music:
    """Plans music."""

    model = MusicInput
    families = ("composer", _ACE)
    media: Mapping[str, tuple[str, ...]] = {}
    gives: Mapping[str, str] = {"blob": "audio", "blobs": "audio", "midi": "blob"}

    def plan(self, raw: JSON, facts_of: FactsOf) -> Plan:
        if "cover" in raw:
            raise InvalidRequest.of("cover", "would make a film of the piece; leave it out, music gives sound")
        given = validate(MusicInput, raw)
        first_seed = secrets.randbelow(_SEEDS) if given.seed in {None, -1} else given.seed
        assert first_seed is not None
        family = _family(given)
        shared: dict[str, Any] = {
            "family": family,
            "operation": "create",
            "durationMs": round(given.duration * 1000),
            **given.model_dump(by_alias=True, exclude_none=True, exclude={"engine", "duration", "seed", "quantity"}),
        }
        known = {name: value for name, value in shared.items() if value not in (None, {})}
        return Plan(
            family=family,
            operation="create",
            payloads=[{**known, "seed": (first_seed + i) % 2**63} for i in range(given.quantity)],
            resources=_resources(given),
            ecosystems=_ECOSYSTEMS if family == _ACE else (),
        )

    def output(self, results: Sequence[Result]) -> dict[str, Any]:
        blobs = [r.blob for r in results if not r.role]
        scores = [r.blob for r in results if r.role == "midi"]
        made: dict[str, Any] = {"blob": blobs[0], "blobs": blobs} if blobs else {}
        return made | ({"midi": scores[0]} if scores else {})


def _family(given: MusicInput) -> str | None:
    """The family by its own name; without `engine`, the one that the models are for."""
    if given.engine is not None:
        return _FAMILIES.get(given.engine, given.engine)
    if given.model is not None:
        try:
            ecosystem = air.parse(given.model).ecosystem
        except CallerError as error:
            raise InvalidRequest.of("model", error.message) from error
        return _FAMILIES.get(ecosystem or "", ecosystem)
    return _ACE if given.loras or _parts(given) else None


def _parts(given: MusicInput) -> dict[str, str]:
    """The parts of ACE-Step that are named, by field."""
    named = {
        "diffusionModel": given.diffusion_model,
        "clipModel": given.clip_model,
        "vaeModel": given.vae_model,
        "languageModel": given.language_model,
    }
    return {field: model for field, model in named.items() if model is not None}


def _resources(given: MusicInput) -> list[Resource]:
    models = _parts(given) if given.model is None else {"model": given.model, **_parts(given)}
    loras = [Resource(air=named, path=f"loras.{named}", added=True) for named in given.loras]
    return [*(Resource(air=named, path=field) for field, named in models.items()), *loras]
