"""The step type `upscale`: a larger picture or video from a picture or video. One job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from heddle import air
from heddle.contract.base import Wire, at_most, validate
from heddle.domain import JSON
from heddle.errors import CallerError, InvalidRequest
from heddle.steps import Facts, FactsOf, Plan, Resource, Result, Source

#: What a result may be: pixels per side and in all, of a picture; pixels per side, of a video.
IMAGE_SIDE, IMAGE_AREA, VIDEO_SIDE = 8192, 64_000_000, 2560

#: The family of models that AIRs of the type `upscaler` name, and the engine that loads them.
_MODELS, _ENGINE = "esrgan", "spandrel"
_TYPES = ("upscaler",)

_Blob = Annotated[str, Field(min_length=1, max_length=2000)]


class UpscaleInput(Wire):
    """Every input of `upscale`."""

    image: _Blob | None = Field(None, description="The picture, as a blob id.")
    video: _Blob | None = Field(None, description="The video, as a blob id.")
    images: Annotated[list[_Blob], Field(max_length=1), at_most(1)] = Field(
        default_factory=list[str], description="The same as a list of one: a picture or a video."
    )
    media: _Blob | None = Field(None, description="The same: a picture or a video.")
    scale_factor: int = Field(2, ge=2, le=4, description="How many times wider and taller each pass makes it.")
    number_of_repeats: int = Field(1, ge=1, le=3, description="How many passes.")
    upscaler: str | None = Field(None, max_length=64, description="An engine, or a family of models.")
    engine: str | None = Field(None, max_length=64, description="The same.")
    model: str | None = Field(None, max_length=500, description="An upscaling model by its AIR.")
    output_format: Literal["png", "jpeg", "webp", "mp4", "webm"] | None = Field(
        None, description="The file format; default the source's for a picture, `mp4` for a video."
    )

    @field_validator("output_format", mode="before")
    @classmethod
    def _format(cls, value: object) -> object:
        return {"jpg": "jpeg"}.get(value.lower(), value.lower()) if isinstance(value, str) else value


class Upscale:
    """Plans larger pictures and videos."""

    model = UpscaleInput
    families = (_MODELS,)
    media: Mapping[str, tuple[str, ...]] = {
        "image": ("image",),
        "video": ("video",),
        "images[*]": ("image", "video"),
        "media": ("image", "video"),
    }
    gives: Mapping[str, str] = {"blob": "image", "video": "video"}

    def plan(self, raw: JSON, facts_of: FactsOf) -> Plan:
        given = validate(UpscaleInput, raw)
        source = _source(given)
        facts = facts_of(source.blob_id)
        kind = source.media[0] if len(source.media) == 1 else _kind(facts)
        _check_format(given, kind)
        larger = given.scale_factor**given.number_of_repeats
        size = facts.size and (facts.size[0] * larger, facts.size[1] * larger)
        if size is not None:
            _check_size(size, kind, facts)
        payload: dict[str, Any] = {
            "source": source.blob_id,
            "scaleFactor": given.scale_factor,
            "numberOfRepeats": given.number_of_repeats,
            "model": given.model,
            "outputFormat": given.output_format,
        }
        return Plan(
            family=_family(given),
            operation="upscale",
            payloads=[_described({k: v for k, v in payload.items() if v is not None}, kind, facts)],
            sources=[source],
            resources=[Resource(air=given.model, path="model", types=_TYPES)] if given.model else [],
            ecosystems=("other",),
            bases=_TYPES,
        )

    def learn(self, payload: JSON, facts_of: FactsOf) -> Sequence[dict[str, Any]]:
        facts = facts_of(payload["source"])
        kind = payload.get("kind") or _kind(facts)
        kinds = [kind] if kind else ["image", "video"]
        return [_described(payload, one, facts.otherwise(_most(payload, one))) for one in kinds]

    def output(self, results: Sequence[Result]) -> dict[str, Any]:
        return {"video" if r.blob.get("type") == "video" else "blob": r.blob for r in results if not r.role}


def _source(given: UpscaleInput) -> Source:
    """The one source, by whichever name it came."""
    named: list[tuple[str, str | None, tuple[str, ...]]] = [
        ("image", given.image, ("image",)),
        ("video", given.video, ("video",)),
        ("media", given.media, ("image", "video")),
        *((f"images[{i}]", blob, ("image", "video")) for i, blob in enumerate(given.images)),
    ]
    found = [Source(blob_id=blob, path=path, media=media) for path, blob, media in named if blob is not None]
    if not found:
        raise InvalidRequest.of("image", "a source is missing: give `image`, `video`, `images` or `media`")
    if len(found) > 1:
        raise InvalidRequest.of(found[1].path, f"one source is taken, and there is {found[0].path} as well")
    return found[0]


def _kind(facts: Facts) -> str | None:
    """Image or video; None while nobody knows."""
    return facts.mime.partition("/")[0] if facts.mime else None


def _larger(payload: JSON) -> int:
    """How many times wider and taller the result is."""
    return payload["scaleFactor"] ** payload["numberOfRepeats"]


def _described(payload: JSON, kind: str | None, facts: Facts) -> dict[str, Any]:
    """With what the result will be, as far as it follows from the source."""
    larger, moving = _larger(payload), kind == "video"
    result = {
        "kind": kind,
        "width": facts.size and facts.size[0] * larger,
        "height": facts.size and facts.size[1] * larger,
        "durationMs": facts.duration_ms if moving else None,
        "fps": facts.fps if moving else None,
    }
    return {**payload, **{name: value for name, value in result.items() if value is not None}}


def _most(payload: JSON, kind: str) -> Facts:
    """A source of which the result is as large as the engine here makes any: 64 megapixels, a minute of Full HD."""
    larger = _larger(payload)
    if kind == "video":
        return Facts(width=-(-1920 // larger), height=-(-1080 // larger), duration_ms=62_000, fps=24.0)
    return Facts(width=8000 // larger, height=8000 // larger)


def _check_format(given: UpscaleInput, kind: str | None) -> None:
    wanted = given.output_format
    fits = {"image": ("png", "jpeg", "webp"), "video": ("mp4", "webm")}.get(kind or "")
    if wanted is not None and fits is not None and wanted not in fits:
        raise InvalidRequest.of("outputFormat", f"{wanted!r} is not for a {kind}; one of: {', '.join(fits)}")


def _check_size(size: tuple[int, int], kind: str | None, facts: Facts) -> None:
    most = VIDEO_SIDE if kind == "video" else IMAGE_SIDE
    if max(size) > most or (kind != "video" and size[0] * size[1] > IMAGE_AREA):
        area = "" if kind == "video" else f" and {IMAGE_AREA // 1_000_000} megapixels"
        raise InvalidRequest.of(
            "scaleFactor",
            f"the source has {facts.width}x{facts.height} pixels and the result would have {size[0]}x{size[1]}; "
            f"at most {most} per side{area} are made",
        )


def _family(given: UpscaleInput) -> str | None:
    """An engine or family by its name; a model is of the family of upscaling models."""
    named = given.upscaler or given.engine
    if given.model is None:
        return named
    if named not in {None, _MODELS, _ENGINE}:
        raise InvalidRequest.of("model", f"{named!r} loads no models; leave out `model`, or `upscaler`")
    try:
        air.parse(given.model)
    except CallerError as error:
        raise InvalidRequest.of("model", error.message) from error
    return named or _MODELS
