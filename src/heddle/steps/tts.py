"""The step type `tts`: speech from a text. One job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import AliasChoices, Field, field_validator

from heddle.contract.base import Said, Wire, validate
from heddle.domain import JSON
from heddle.errors import InvalidRequest
from heddle.steps import FactsOf, Plan, Resource, Result, awaits
from heddle.studio import voices

#: Characters of one text.
LONGEST = 5000

#: The length that a text of another step counts as, which nobody knows at submit.
_USUAL = 1000

#: Those that have voices of their own, which only their models know.
_OWN_VOICES = ("transformers-tts", "vits", "mms", "speecht5", "bark", "csm")
#: The ecosystems whose models a family runs, where these are not all; MMS is of VITS.
_ECOSYSTEMS: Mapping[str | None, tuple[str, ...]] = {
    "vits": ("vits", "mms"), "mms": ("vits", "mms"), "speecht5": ("speecht5",), "bark": ("bark",), "csm": ("csm",),
}  # fmt: skip

#: `custom` is what the live API calls its own engine; None: this server's.
_FAMILIES: Mapping[str, str | None] = {"custom": None, "vllm-omni": "qwen3-tts"}


class TtsInput(Wire):
    """Every input of `tts`."""

    engine: str | None = Field(
        None, max_length=64, description="An engine such as `espeak`; `custom`: whatever this server has."
    )
    model: str | None = Field(None, max_length=500, description="A model of `transformers-tts` by its AIR.")
    text: Said = Field(
        min_length=1,
        max_length=LONGEST,
        validation_alias=AliasChoices("text", "prompt"),
        description="What is said.",
    )
    language: str = Field(
        voices.AUTO,
        max_length=64,
        description="A tag such as `pt-BR`, or an English name; `Auto`: told from the text.",
    )
    voice: str = Field(
        "default",
        max_length=64,
        validation_alias=AliasChoices("voice", "speaker"),
        description="For example `f3` or `m1`, or a speaker of the live API such as `vivian`; of a model its name.",
    )
    speed: float = Field(1.0, ge=0.5, le=2, description="How many times faster than usual.")
    pitch: float = Field(1.0, ge=0.7, le=1.6, description="How many times higher than the voice's own.")
    output_format: Literal["ogg", "mp3", "wav", "flac"] = Field("ogg", description="The file format.")
    seed: int | None = Field(
        None, ge=-1, lt=2**63, description="For models; `espeak` says the same text always in the same way."
    )
    instruct: str | None = Field(
        None, max_length=10_000, description="How to speak, for families that can be told; `espeak` cannot."
    )

    @field_validator("language")
    @classmethod
    def _language(cls, value: str) -> str:
        if awaits(value):
            return value
        if (known := voices.language(value)) is None:
            tags = ", ".join(voices.LANGUAGES)
            raise ValueError(f"a language is Auto, or one of these tags or its English name: {tags}")
        return known

    @field_validator("output_format", mode="before")
    @classmethod
    def _format(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value


def _voice(value: str) -> str:
    """By the name that the table has."""
    if awaits(value):
        return value
    if (known := voices.voice(value)) is None:
        raise InvalidRequest.of("voice", f"a voice is one of: {', '.join(voices.VOICES)}")
    return known


class Tts:
    """Plans speech."""

    model = TtsInput
    families = ("espeak", *_OWN_VOICES, "qwen3-tts")
    media: Mapping[str, tuple[str, ...]] = {}
    gives: Mapping[str, str] = {"audioBlob": "audio", "blob": "audio", "language": "text", "timeStamps": "data"}

    def plan(self, raw: JSON, facts_of: FactsOf) -> Plan:
        if "refAudioUrl" in raw:
            raise InvalidRequest.of(
                "refAudioUrl", "is a voice to be copied, which nothing here does; choose a `voice` instead"
            )
        given = validate(TtsInput, raw)
        # Whoever names a model wants an engine that runs models.
        engine = given.engine or (None if given.model is None else _OWN_VOICES[0])
        family = _FAMILIES.get(engine or "", engine)
        payload: dict[str, Any] = {
            "family": family,
            "operation": "create",
            "characters": _USUAL if awaits(given.text) else len(given.text),
            **given.model_dump(by_alias=True, exclude_none=True, exclude={"engine", "seed"}),
            "voice": given.voice if family in _OWN_VOICES else _voice(given.voice),
            "seed": given.seed if family in _OWN_VOICES and given.seed != -1 else None,
        }
        known = {name: value for name, value in payload.items() if value is not None}
        return Plan(
            family=family,
            asked=("model", given.model) if given.engine is None and given.model is not None else None,
            operation="create",
            payloads=[known],
            resources=[] if given.model is None else [Resource(air=given.model, path="model")],
            ecosystems=_ECOSYSTEMS.get(family, _OWN_VOICES[1:]),
            bases=("checkpoint", "unknown"),
        )

    def output(self, results: Sequence[Result]) -> dict[str, Any]:
        spoken = next((r for r in results if not r.role), None)
        if spoken is None:
            return {}
        return {"audioBlob": spoken.blob, "blob": spoken.blob, "modelType": "base", **spoken.output}
