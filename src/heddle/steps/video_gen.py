"""The step type `videoGen`: videos from a prompt, or from a prompt and a source picture. One job per video."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, field_validator

from heddle import air, prices
from heddle.contract.base import Said, Wire, at_most, validate
from heddle.domain import JSON
from heddle.errors import CallerError, InvalidRequest
from heddle.steps import FactsOf, Plan, Resource, Result, Source
from heddle.studio.video import GIF_PIXELS

#: Pixels per side, and frames in all.
SMALLEST, LARGEST, MOST_FRAMES = 64, 1280, 1800
_WIDTH, _HEIGHT = 640, 384
_SEEDS = 2**32

#: Ecosystems of Wan by its version, those for texts and those for pictures; one checkpoint of 5B does both.
_WAN: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "v2.1": (
        ("wanvideo1_3b_t2v", "wanvideo14b_t2v", "wanvideo"),
        ("wanvideo14b_i2v_480p", "wanvideo14b_i2v_720p", "wanvideo"),
    ),
    "v2.2": (("wanvideo-22-t2v-a14b",), ("wanvideo-22-i2v-a14b",)),
    "v2.2-5b": (("wanvideo-22-ti2v-5b",), ("wanvideo-22-ti2v-5b",)),
    "v2.5": (("wanvideo-25-t2v",), ("wanvideo-25-i2v",)),
    "v2.7": (("wanvideo27",), ("wanvideo27",)),
}
#: And of the other families.
_ECOSYSTEMS: Mapping[str, tuple[str, ...]] = {
    "ltx2": ("ltxv2",),
    "ltx2.3": ("ltxv23",),
    "lightricks": ("ltxv",),
    "hunyuan": ("hyv1", "hunyuanvideo15"),
}

_Blob = Annotated[str, Field(min_length=1, max_length=2000)]


class VideoGenInput(Wire):
    """Every input of `videoGen`."""

    engine: str | None = Field(
        None, max_length=64, description="A model family such as `wan`, or an engine such as `sketch`."
    )
    model: str | None = Field(None, max_length=500, description="A model by its AIR, or a family's variant.")
    version: str | None = Field(None, max_length=32, description="The family's version, such as `v2.5`.")
    mode: str | None = Field(None, max_length=32, description="The family's mode, such as `fast`.")
    prompt: Said = Field(min_length=1, max_length=10_000, description="What the video shows, and what moves.")
    negative_prompt: str | None = Field(None, max_length=10_000, description="What it must not show.")
    duration: float = Field(4, ge=1, le=30, description="Seconds.")
    fps: float = Field(
        24,
        ge=1,
        le=60,
        validation_alias=AliasChoices("fps", "frameRate", "frame_rate"),
        description="Frames per second; also called `frameRate`.",
    )
    width: int | None = Field(None, ge=SMALLEST, le=LARGEST, description="Pixels; an odd number is made even.")
    height: int | None = Field(None, ge=SMALLEST, le=LARGEST, description="Pixels; an odd number is made even.")
    aspect_ratio: str | None = Field(
        None, pattern=r"^\d{1,2}:\d{1,2}$", description="For example `16:9`, instead of a size."
    )
    resolution: Literal["360p", "480p", "540p", "580p", "720p"] | None = Field(
        None, description="The shorter side, instead of a size."
    )
    steps: int | None = Field(None, ge=1, le=150, description="Sampling steps.")
    cfg_scale: float | None = Field(
        None,
        ge=0,
        le=100,
        validation_alias=AliasChoices("cfgScale", "cfg_scale", "guidanceScale"),
        description="How strictly the prompt is followed; also called `guidanceScale`.",
    )
    sampler: str | None = Field(
        None,
        max_length=64,
        description="Such as `euler` or `unipc`, for families that sample; default: the model's own.",
    )
    shift: float | None = Field(
        None, ge=1, le=20, description="How much of the work goes into the large shapes, for families that sample."
    )
    generate_audio: bool | None = Field(
        None, description="Whether the video has sound; default: yes, where the model makes some."
    )
    seed: int | None = Field(None, ge=-1, lt=2**63, description="The same seed gives the same video; -1: random.")
    quantity: int = Field(1, ge=1, le=4, description="How many videos.")
    images: Annotated[list[_Blob], Field(max_length=1), at_most(1)] = Field(
        default_factory=list[str], description="The source picture, as a blob id."
    )
    source_image: _Blob | None = Field(None, description="The same.")
    first_frame: _Blob | None = Field(None, description="The same.")
    last_frame: _Blob | None = Field(
        None,
        description="The picture that the video ends with, as a blob id, for models that take one beside the first.",
    )
    output_format: Literal["mp4", "webm", "gif"] = Field("mp4", description="The file format.")

    @field_validator("aspect_ratio")
    @classmethod
    def _ratio(cls, value: str | None) -> str | None:
        if value is None:
            return None
        across, down = (int(part) for part in value.split(":"))
        if not (across and down and 1 / 4 <= across / down <= 4):
            raise ValueError("an aspect ratio is between 1:4 and 4:1")
        return value

    @field_validator("output_format", mode="before")
    @classmethod
    def _format(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value


class VideoGen:
    """Plans videos."""

    model = VideoGenInput
    families = (*prices.VIDEO, *prices.VIDEO_ALIASES)
    media: Mapping[str, tuple[str, ...]] = dict.fromkeys(
        ("images[*]", "sourceImage", "firstFrame", "lastFrame"), ("image",)
    )
    gives: Mapping[str, str] = {"video": "video"}

    def plan(self, raw: JSON, facts_of: FactsOf) -> Plan:
        given = validate(VideoGenInput, raw)
        source, last = _source(given), _last(given)
        family, version = _family(given)
        width, height = size(given, facts_of(source.blob_id).size if source else None)
        if (frames := round(given.duration * given.fps)) > MOST_FRAMES:
            raise InvalidRequest.of(
                "duration",
                f"{given.duration:g} s at {given.fps:g} per second are {frames} frames; at most {MOST_FRAMES}",
            )
        if given.output_format == "gif" and (pixels := width * height * frames) > GIF_PIXELS:
            raise InvalidRequest.of(
                "outputFormat",
                f"{frames} frames of {width}x{height} are {pixels / 1e6:.0f} million pixels, and a gif has at most "
                f"{GIF_PIXELS // 1_000_000} million; choose 'mp4' or 'webm', or make it smaller, shorter or slower",
            )
        first_seed = secrets.randbelow(_SEEDS) if given.seed in {None, -1} else given.seed
        assert first_seed is not None
        operation = "variant" if source else "create"
        shared: dict[str, Any] = {
            "family": family,
            "version": version,
            "model": given.model,
            "mode": given.mode,
            "operation": operation,
            "prompt": given.prompt,
            "negativePrompt": given.negative_prompt,
            "durationMs": round(given.duration * 1000),
            "fps": given.fps,
            "width": width,
            "height": height,
            "steps": given.steps,
            "cfgScale": given.cfg_scale,
            "sampler": given.sampler,
            "shift": given.shift,
            "generateAudio": given.generate_audio,
            "images": [source.blob_id] if source else None,
            "lastFrame": last.blob_id if last else None,
            "outputFormat": given.output_format,
        }
        known = {name: value for name, value in shared.items() if value is not None}
        return Plan(
            family=family,
            operation=operation,
            payloads=[{**known, "seed": (first_seed + i) % 2**63} for i in range(given.quantity)],
            sources=[picture for picture in (source, last) if picture],
            resources=[Resource(air=given.model, path="model")] if given.model and _is_air(given.model) else [],
            ecosystems=_ecosystems(given, family, version),
        )

    def output(self, results: Sequence[Result]) -> dict[str, Any]:
        videos = [r.blob for r in results if not r.role]
        shown: dict[str, Any] = {"video": videos[0] if videos else None}
        return shown | ({"additionalVideos": videos[1:]} if len(videos) > 1 else {})


def _source(given: VideoGenInput) -> Source | None:
    """The first frame, by whatever name it was given."""
    named = {"firstFrame": given.first_frame, "sourceImage": given.source_image}
    pictures = [(path, blob_id) for path, blob_id in named.items() if blob_id is not None]
    if given.images:
        pictures.append(("images[0]", given.images[0]))
    if len(pictures) > 1:
        raise InvalidRequest.of(pictures[0][0], f"one source is taken, and there is {pictures[1][0]} as well")
    return Source(blob_id=pictures[0][1], path=pictures[0][0], media=("image",)) if pictures else None


def _last(given: VideoGenInput) -> Source | None:
    if given.last_frame is None:
        return None
    if _source(given) is None:
        raise InvalidRequest.of("lastFrame", "goes with a first frame; give that as `firstFrame`")
    return Source(blob_id=given.last_frame, path="lastFrame", media=("image",))


def _family(given: VideoGenInput) -> tuple[str | None, str | None]:
    """The family by its own name, and its version; without `engine`, the family that the model is for."""
    if given.engine is None:
        return _family_of(given.model), given.version
    name, version = prices.VIDEO_ALIASES.get(given.engine.lower(), (given.engine.lower(), None))
    return name, given.version or version


def _family_of(model: str | None) -> str | None:
    if model is None or not _is_air(model):
        return None
    ecosystem = _ecosystem(model)
    if any(ecosystem in names for both in _WAN.values() for names in both):
        return "wan"
    return next((family for family, names in _ECOSYSTEMS.items() if ecosystem in names), None)


def _ecosystem(model: str) -> str | None:
    try:
        return air.parse(model).ecosystem
    except CallerError as error:
        raise InvalidRequest.of("model", error.message) from error


def _ecosystems(given: VideoGenInput, family: str | None, version: str | None) -> tuple[str, ...]:
    """Whose models fit. A model that is named may be of the wrong kind, and its engine says so better."""
    named = _ecosystem(given.model) if given.model and _is_air(given.model) else None
    if family == "wan":
        able = [_WAN[version]] if version and version in _WAN else list(_WAN.values())
        pictures = _source(given) is not None
        return tuple(
            dict.fromkeys(name for both in able for names in (both if named else (both[pictures],)) for name in names)
        )
    if (given.engine or "").lower() == "ltx":  # a name of both generations
        return _ECOSYSTEMS["ltx2"] + _ECOSYSTEMS["lightricks"]
    if family is not None and family in _ECOSYSTEMS:
        return _ECOSYSTEMS[family]
    # An engine that is asked for by its own name may have models of any family.
    return (named,) if named and family not in VideoGen.families else ()


def _is_air(model: str) -> bool:
    return model.lower().startswith("urn:")


def size(given: VideoGenInput, source: tuple[int, int] | None = None) -> tuple[int, int]:
    """Width and height, even: as given, else by aspect ratio (the source's without one) and resolution."""
    if given.width and given.height:
        return _even(given.width), _even(given.height)
    ratio = _WIDTH / _HEIGHT
    if given.aspect_ratio is not None:
        across, down = (int(part) for part in given.aspect_ratio.split(":"))
        ratio = across / down
    elif source is not None:
        ratio = min(4.0, max(0.25, source[0] / source[1]))
    if given.width or given.height:
        return _beside(given.width, given.height, ratio)
    if given.resolution is not None:
        shorter = int(given.resolution.removesuffix("p"))
        shorter = min(shorter, LARGEST / max(ratio, 1 / ratio))
        return _even(shorter * max(1.0, ratio)), _even(shorter * max(1.0, 1 / ratio))
    area = _WIDTH * _HEIGHT
    return _sixteenths(math.sqrt(area * ratio)), _sixteenths(math.sqrt(area / ratio))


def _beside(width: int | None, height: int | None, ratio: float) -> tuple[int, int]:
    """One side as given, the other by the ratio."""
    if width:
        return _even(width), _even(width / ratio)
    assert height is not None
    return _even(height * ratio), _even(height)


def _even(side: float) -> int:
    return max(SMALLEST, min(LARGEST, round(side / 2) * 2))


def _sixteenths(side: float) -> int:
    return max(SMALLEST, min(LARGEST, round(side / 16) * 16))
