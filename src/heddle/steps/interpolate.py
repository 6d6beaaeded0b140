"""The step type `interpolate`: a video with more frames per second, of the same length. One job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, field_validator

from heddle.contract.base import Wire, at_most, validate
from heddle.domain import JSON
from heddle.errors import InvalidRequest
from heddle.steps import Facts, FactsOf, Plan, Result, Source

#: Pixels per side that a source may have, and the factors.
SIDE, FACTORS = 2048, (2, 3)

_Blob = Annotated[str, Field(min_length=1, max_length=2000)]


class InterpolateInput(Wire):
    """Every input of `interpolate`."""

    video: _Blob | None = Field(None, description="The video, as a blob id.")
    images: Annotated[list[_Blob], Field(max_length=1), at_most(1)] = Field(
        default_factory=list[str], description="The same, as a list of one."
    )
    media: _Blob | None = Field(None, description="The same.")
    interpolation_factor: int | None = Field(
        None,
        ge=2,
        le=3,
        validation_alias=AliasChoices("interpolationFactor", "interpolation_factor", "factor", "multiplier"),
        description="How many times more frames; also called `factor`; default 2.",
    )
    fps: float | None = Field(
        None, gt=0, le=240, description="Frames per second, instead of a factor: twice or three times the source's."
    )
    engine: str | None = Field(None, max_length=64, description="An engine such as `minterpolate`.")
    model: str | None = Field(None, max_length=500, description="The same, or a model such as `VFIMamba`.")
    output_format: Literal["mp4", "webm"] = Field("mp4", description="The file format.")

    @field_validator("output_format", mode="before")
    @classmethod
    def _format(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value


class Interpolate:
    """Plans smoother videos."""

    model = InterpolateInput
    families = ("vfimamba",)
    media: Mapping[str, tuple[str, ...]] = {"video": ("video",), "images[*]": ("video",), "media": ("video",)}
    gives: Mapping[str, str] = {"video": "video"}

    def plan(self, raw: JSON, facts_of: FactsOf) -> Plan:
        given = validate(InterpolateInput, raw)
        source = _source(given)
        facts = facts_of(source.blob_id)
        if facts.size is not None and max(facts.size) > SIDE:
            raise InvalidRequest.of(source.path, f"{facts.width}x{facts.height} is more than {SIDE} pixels per side")
        factor = _factor(given, facts)
        payload: dict[str, Any] = {
            "source": source.blob_id,
            "interpolationFactor": factor,
            "targetFps": given.fps if given.interpolation_factor is None else None,
            "outputFormat": given.output_format,
            "width": facts.width,
            "height": facts.height,
            "durationMs": facts.duration_ms,
            "fps": facts.fps * factor if facts.fps else given.fps,
        }
        return Plan(
            family=(given.engine or given.model or "").lower() or None,
            operation="interpolate",
            payloads=[{name: value for name, value in payload.items() if value is not None}],
            sources=[source],
        )

    def output(self, results: Sequence[Result]) -> dict[str, Any]:
        return {"video": next((r.blob for r in results if not r.role), None)}


def _source(given: InterpolateInput) -> Source:
    named = [("video", given.video), ("media", given.media)]
    named += [(f"images[{i}]", blob) for i, blob in enumerate(given.images)]
    found = [Source(blob_id=blob, path=path, media=("video",)) for path, blob in named if blob is not None]
    if not found:
        raise InvalidRequest.of("video", "the source is missing: a video as a blob id")
    if len(found) > 1:
        raise InvalidRequest.of(found[1].path, f"one source is taken, and there is {found[0].path} as well")
    return found[0]


def _factor(given: InterpolateInput, facts: Facts) -> int:
    """As given; by `fps` where the source's is known; 2. An engine that is told `targetFps` looks at the source."""
    if given.interpolation_factor is not None:
        return given.interpolation_factor
    if given.fps is None or not facts.fps:
        return 2
    for factor in FACTORS:
        if abs(given.fps / facts.fps - factor) < 0.02:
            return factor
    raise InvalidRequest.of(
        "fps", f"{given.fps:g} is neither twice nor three times the source's {facts.fps:g} frames per second"
    )
