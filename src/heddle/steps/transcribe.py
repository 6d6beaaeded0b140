"""The step type `transcribe`: what is said in a sound or a video, with the time of each word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AliasChoices, ConfigDict, Field

from heddle.contract.base import Wire, at_most, validate
from heddle.domain import JSON
from heddle.errors import InvalidRequest
from heddle.steps import FactsOf, Plan, Resource, Result, Source, awaits
from heddle.studio import voices

#: The longest source, in seconds.
LONGEST_S = 3600

_MEDIA = ("audio", "video")
_NAMES = ("media", "mediaUrl", "audio", "audioUrl", "video", "videoUrl")


class TranscribeInput(Wire):
    """Every input of `transcribe`."""

    model_config = ConfigDict(json_schema_extra={"x-aliases": list(_NAMES[1:])})

    engine: str | None = Field(None, max_length=64, description="A family such as `whisper`, or `pocketsphinx`.")
    model: str | None = Field(None, max_length=500, description="A model of `whisper` by its AIR.")
    media: str | None = Field(
        None,
        min_length=1,
        validation_alias=AliasChoices(*_NAMES),
        description="A sound or a video: a blob id, a URL, a data: URL or base64.",
    )
    images: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=1), at_most(1)] = Field(
        default_factory=list[str], description="The same as a list of one."
    )
    language: str | None = Field(None, max_length=35, description="Of what is said; the default engine knows English.")
    context: str | None = Field(
        None, max_length=10_000, description="What it is about: names and rare words. The default engine ignores it."
    )
    return_time_stamps: bool = Field(True, description="Whether `output` has the times of each stretch of speech.")


class Transcribe:
    """Plans one transcript."""

    model = TranscribeInput
    families = ("pocketsphinx", "whisper", "qwen3-asr")
    media: Mapping[str, tuple[str, ...]] = dict.fromkeys((*_NAMES, "images[*]"), _MEDIA)
    gives: Mapping[str, str] = {"text": "text", "timeStamps": "data", "language": "text", "srt": "blob", "vtt": "blob"}

    def plan(self, raw: JSON, facts_of: FactsOf) -> Plan:
        given = validate(TranscribeInput, raw)
        source = given.media or next(iter(given.images), None)
        if source is None or (given.media and given.images):
            raise InvalidRequest.of("media", "give one sound or video, as `media` (or `mediaUrl`, `audio`, `video`)")
        path = next((name for name in _NAMES if name in raw), "images[0]")
        facts = facts_of(source)
        if facts.duration_ms is not None and facts.duration_ms > LONGEST_S * 1000:
            raise InvalidRequest.of(
                path, f"it lasts {facts.duration_ms / 1000:g} s; at most {LONGEST_S} s are transcribed"
            )
        language = given.language or "auto"
        # Whoever names a model wants an engine that runs models.
        family = given.engine or (None if given.model is None else "whisper")
        if family in {None, "pocketsphinx"} and not awaits(language) and not voices.english(language):
            raise InvalidRequest.of(
                "language", f"{given.language!r} is not known here; this engine hears English (`en`)"
            )
        payload: dict[str, Any] = {
            "family": family,
            "model": given.model,
            "media": source,
            "language": language,
            "context": given.context,
            "timeStamps": given.return_time_stamps,
            "durationMs": facts.duration_ms,
        }
        return Plan(
            family=family,
            asked=("model", given.model) if given.engine is None and given.model is not None else None,
            operation="transcribe",
            payloads=[{name: value for name, value in payload.items() if value is not None}],
            sources=[Source(blob_id=source, path=path, media=_MEDIA)],
            resources=[] if given.model is None else [Resource(air=given.model, path="model")],
            bases=("checkpoint", "unknown"),
        )

    def learn(self, payload: JSON, facts_of: FactsOf) -> Sequence[dict[str, Any]]:
        return [{**payload, "durationMs": facts_of(payload["media"]).duration_ms or LONGEST_S * 1000}]

    def output(self, results: Sequence[Result]) -> dict[str, Any]:
        subtitles = {r.role: r.blob for r in results if r.role in {"srt", "vtt"}}
        return {**(dict(results[0].output) if results else {}), **subtitles}
