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

#: Of the largest source that there may be, while it is not there: frames, and frames per second.
_FRAMES, _FPS = 1008, 24.0
#: A picture a minute is a slide show; what is slower would only make numbers that no integer holds.
_SLOWEST = 1 / 60

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
        target = given.fps if given.interpolation_factor is None else None
        factor = given.interpolation_factor or _factor(target, facts)
        payload: dict[str, Any] = {
            "source": source.blob_id,
            "interpolationFactor": factor,
            "targetFps": target,
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

    def learn(self, payload: JSON, facts_of: FactsOf) -> Sequence[dict[str, Any]]:
        facts, target = facts_of(payload["source"]), payload.get("targetFps")
        if target is None:
            return [_described(payload, payload["interpolationFactor"], facts.otherwise(_most(_FPS)))]
        if facts.fps is not None:
            return [_described(payload, _nearest(target, facts.fps), facts.otherwise(_most(facts.fps)))]
        return [_described(payload, factor, facts.otherwise(_most(target / factor))) for factor in FACTORS]

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


def _factor(target: float | None, facts: Facts) -> int:
    """By the frame rate that is wanted, where the source's is known; 2. An engine that is told `targetFps` looks at
    the source."""
    if target is None or not facts.fps:
        return 2
    factor = _nearest(target, facts.fps)
    if abs(target / facts.fps - factor) < 0.02:
        return factor
    raise InvalidRequest.of(
        "fps", f"{target:g} is neither twice nor three times the source's {facts.fps:g} frames per second"
    )


def _nearest(target: float, fps: float) -> int:
    return min(FACTORS, key=lambda factor: abs(target / fps - factor))


def _described(payload: JSON, factor: int, facts: Facts) -> dict[str, Any]:
    """With what the result will be."""
    size = {"width": facts.width, "height": facts.height}
    fps = None if facts.fps is None else facts.fps * factor
    return {**payload, **size, "interpolationFactor": factor, "durationMs": facts.duration_ms, "fps": fps}


def _most(fps: float) -> Facts:
    """A source with as many pixels in all as the engine here takes: two thirds of a minute of Full HD."""
    fps = max(fps, _SLOWEST)
    return Facts(width=1920, height=1080, duration_ms=round(_FRAMES / fps * 1000), fps=fps)
