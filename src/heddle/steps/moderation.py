"""The step type `moderation`: what a text or a picture is about, judged by rules or a classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AliasChoices, ConfigDict, Field, model_validator

from heddle.contract.base import Wire, at_most, validate
from heddle.domain import JSON
from heddle.errors import InvalidRequest
from heddle.steps import FactsOf, Plan, Resource, Result, Source

#: What a text is looked at for.
LABELS = ("sexual", "minors", "violence", "hate", "self-harm", "illegal")

_MEDIA = ("image", "video")


class ModerationInput(Wire):
    """Every input of `moderation`: a text, or one picture or video."""

    model_config = ConfigDict(
        json_schema_extra={"x-aliases": ["prompt", "positivePrompt", "image", "video", "mediaUrl"]}
    )

    engine: str | None = Field(None, max_length=64, description="An engine: `rules`, `classifier` or `nudenet`.")
    model: str | None = Field(None, max_length=500, description="A model of `classifier` by its AIR.")
    text: str | None = Field(
        None,
        min_length=1,
        max_length=100_000,
        validation_alias=AliasChoices("text", "prompt", "positivePrompt", "positive_prompt"),
        description="A text, or the prompt of a picture.",
    )
    negative_prompt: str | None = Field(
        None, max_length=10_000, description="What the picture must not show; it counts for nothing."
    )
    labels: Annotated[list[str], Field(max_length=20), at_most(20)] = Field(
        default_factory=list[str], description=f"`rules` looks for these alone, of {', '.join(LABELS)}; default: all."
    )
    threshold: float = Field(0.5, ge=0, le=1, description="The score from which a label is triggered.")
    media: str | None = Field(
        None,
        min_length=1,
        validation_alias=AliasChoices("media", "image", "video", "mediaUrl", "media_url"),
        description="A picture or a video: a blob id, a URL, a data: URL or base64.",
    )
    images: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=1), at_most(1)] = Field(
        default_factory=list[str], description="The same as a list of one."
    )

    @model_validator(mode="after")
    def _has_one(self) -> ModerationInput:
        if sum((self.text is not None, self.media is not None, bool(self.images))) != 1:
            raise ValueError("give one of: `text` (or `prompt`), `media` (or `image`, `video`, `mediaUrl`), `images`")
        return self


class Moderation:
    """Plans one look."""

    model = ModerationInput
    families = ("rules", "classifier", "nudenet")
    media: Mapping[str, tuple[str, ...]] = dict.fromkeys(("media", "image", "video", "mediaUrl", "images[*]"), _MEDIA)
    gives: Mapping[str, str] = {
        "results": "data",
        "blocked": "data",
        "triggeredLabels": "data",
        "nsfwLevel": "text",
        "isBlocked": "data",
    }

    def plan(self, raw: JSON, facts_of: FactsOf) -> Plan:
        given = validate(ModerationInput, raw)
        for i, label in enumerate(given.labels):
            if label not in LABELS:
                raise InvalidRequest.of(f"labels[{i}]", f"{label!r} is not one of: {', '.join(LABELS)}")
        source = given.media or next(iter(given.images), None)
        named = next((n for n in ("media", "image", "video", "mediaUrl") if n in raw), "images[0]")
        payload: dict[str, Any] = (
            {"text": given.text, "labels": given.labels or list(LABELS), "threshold": given.threshold}
            if source is None
            else {"media": source}
        )
        return Plan(
            # Whoever names a model wants an engine that runs models.
            family=given.engine or (None if given.model is None else "classifier"),
            asked=("model", given.model) if given.engine is None and given.model is not None else None,
            operation="text" if source is None else "media",
            payloads=[payload if given.model is None else payload | {"model": given.model}],
            sources=[] if source is None else [Source(blob_id=source, path=named, media=_MEDIA)],
            resources=[] if given.model is None else [Resource(air=given.model, path="model")],
            bases=("checkpoint", "unknown"),
        )

    def output(self, results: Sequence[Result]) -> dict[str, Any]:
        return dict(results[0].output) if results else {}
