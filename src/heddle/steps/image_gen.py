"""The step type `imageGen`: pictures from a prompt, or from a prompt and a source picture. One job per picture."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from heddle import air, prices
from heddle.contract.base import Said, Wire, at_most, validate
from heddle.domain import JSON
from heddle.errors import CallerError, InvalidRequest
from heddle.steps import FactsOf, Plan, Resource, Result, Source

#: The wire's range of sizes; an engine may be narrower.
SMALLEST, LARGEST = 64, 2048
_SEEDS = 2**32


class Network(Wire):
    """A LoRA or its like, by AIR, and how strongly it is applied."""

    air: str = Field(min_length=1, max_length=500)
    strength: float = Field(1.0, ge=-10, le=10)


class ControlNet(Wire):
    """A picture that says where things are, and the network that reads it."""

    model: str = Field(min_length=1, max_length=500, description="A ControlNet by its AIR.")
    image: str = Field(min_length=1, description="Its picture: a blob id, a URL, a data: URL or base64.")
    weight: float = Field(1.0, ge=0, le=2, description="How strongly it steers; 0: not at all.")
    start_step: float = Field(0.0, ge=0, le=1, description="From when on, as a part of all steps.")
    end_step: float = Field(1.0, ge=0, le=1, description="And until when.")
    preprocessor: str | None = Field(
        None, max_length=64, description="What is made of the picture first, as `canny`; none: it is used as it is."
    )

    @model_validator(mode="after")
    def _in_order(self) -> ControlNet:
        if self.start_step >= self.end_step:
            raise ValueError(f"`startStep` is {self.start_step:g} and must be less than `endStep`, {self.end_step:g}")
        return self


class ImageGenInput(Wire):
    """Every input of `imageGen`."""

    engine: str | None = Field(
        None,
        max_length=64,
        description="A model family such as `sdxl`, or an engine such as `sketch`; without it and `model`, the first"
        " engine that can do all that is asked.",
    )
    model: str | None = Field(None, max_length=500, description="A model by its AIR.")
    prompt: Said = Field(min_length=1, max_length=10_000, description="What the picture shows.")
    negative_prompt: str | None = Field(None, max_length=10_000, description="What it must not show.")
    width: int | None = Field(None, ge=SMALLEST, le=LARGEST, description="Pixels.")
    height: int | None = Field(None, ge=SMALLEST, le=LARGEST, description="Pixels.")
    aspect_ratio: str | None = Field(
        None, pattern=r"^\d{1,2}:\d{1,2}$", description="For example `16:9`, instead of a size."
    )
    steps: int | None = Field(None, ge=1, le=150, description="Sampling steps.")
    cfg_scale: float | None = Field(None, ge=0, le=30, description="How strictly the prompt is followed.")
    sampler: str | None = Field(None, max_length=64, description="For example `DPM++ 2M Karras`.")
    seed: int | None = Field(None, ge=-1, lt=2**63, description="The same seed gives the same picture; -1: random.")
    clip_skip: int | None = Field(None, ge=1, le=12, description="Layers of the text encoder left out.")
    quantity: int = Field(1, ge=1, le=10, description="How many pictures.")
    additional_networks: Annotated[list[Network], Field(max_length=10), at_most(10)] = Field(
        default_factory=list[Network], description="LoRA stack."
    )
    vae: str | None = Field(None, max_length=500, description="Another VAE than the model's own, by its AIR.")
    control_nets: Annotated[list[ControlNet], Field(max_length=4), at_most(4)] = Field(
        default_factory=list[ControlNet], description="Pictures that steer what is where."
    )
    images: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=1), at_most(1)] = Field(
        default_factory=list[str], description="The source picture: a blob id, a URL, a data: URL or base64."
    )
    mask: str | None = Field(
        None, min_length=1, description="What of the source is drawn anew: a picture, white there and black elsewhere."
    )
    strength: float | None = Field(
        None, ge=0, le=1, description="How far the result may leave the source; default 0.7."
    )
    output_format: Literal["png", "jpeg", "webp"] = Field("png", description="The file format of the pictures.")

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
        return {"jpg": "jpeg"}.get(value.lower(), value.lower()) if isinstance(value, str) else value


class ImageGen:
    """Plans pictures."""

    model = ImageGenInput
    families = tuple(prices.IMAGE)
    media: Mapping[str, tuple[str, ...]] = {
        "images[*]": ("image",),
        "mask": ("image",),
        "controlNets[*].image": ("image",),
    }
    gives: Mapping[str, str] = {"images": "image"}

    def plan(self, raw: JSON, facts_of: FactsOf) -> Plan:
        given = validate(ImageGenInput, raw)
        family_name = _family(given)
        family = prices.IMAGE.get(family_name or "", prices.IMAGE["sketch"])
        operation = _operation(given, edits=family.edits)
        width, height = size(given, family.native, facts_of(given.images[0]).size if given.images else None)
        first_seed = secrets.randbelow(_SEEDS) if given.seed in {None, -1} else given.seed
        assert first_seed is not None
        shared: dict[str, Any] = {
            "family": family_name,
            "model": given.model,
            "operation": operation,
            "prompt": given.prompt,
            "negativePrompt": given.negative_prompt,
            "width": width,
            "height": height,
            "steps": given.steps or family.steps,
            "cfgScale": family.cfg if given.cfg_scale is None else given.cfg_scale,
            "sampler": given.sampler,
            "clipSkip": given.clip_skip,
            "networks": [n.model_dump() for n in given.additional_networks],
            "vae": given.vae,
            "controlNets": [c.model_dump(by_alias=True, exclude_none=True) for c in given.control_nets] or None,
            "images": list(given.images),
            "mask": given.mask,
            "strength": (0.7 if given.strength is None else given.strength) if given.images else None,
            "outputFormat": given.output_format,
        }
        known = {name: value for name, value in shared.items() if value is not None}
        return Plan(
            family=family_name,
            operation=operation,
            payloads=[{**known, "seed": (first_seed + i) % 2**63} for i in range(given.quantity)],
            sources=list(_sources(given)),
            resources=list(_resources(given)),
            ecosystems=family.ecosystems,
        )

    def output(self, results: Sequence[Result]) -> dict[str, Any]:
        return {"images": [r.blob for r in results if not r.role]}


def _operation(given: ImageGenInput, *, edits: bool) -> str:
    """From nothing; or from a source by noise, by an instruction, or within a mask."""
    for name in ("strength", "mask"):
        if getattr(given, name) is not None and not given.images:
            raise InvalidRequest.of(name, "is for a source picture, and `images` has none")
    if not given.images:
        return "create"
    return "inpaint" if given.mask is not None else "edit" if edits else "variant"


def _family(given: ImageGenInput) -> str | None:
    """The family by its own name; without `engine`, the one that the model is for."""
    if given.engine is None and given.model is not None:
        try:
            return _of_ecosystem(air.parse(given.model).ecosystem)
        except CallerError as error:
            raise InvalidRequest.of("model", error.message) from error
    return prices.ALIASES.get(given.engine or "", given.engine)


def _of_ecosystem(ecosystem: str | None) -> str | None:
    """The family that loads its models: the one of its own name, or the one that lists it."""
    if ecosystem is None or ecosystem in prices.IMAGE:
        return ecosystem
    listing = (name for name, family in prices.IMAGE.items() if ecosystem in family.ecosystems)
    return next(listing, prices.ALIASES.get(ecosystem, ecosystem))


def size(given: ImageGenInput, native: int, source: tuple[int, int] | None = None) -> tuple[int, int]:
    """Width and height: as given, else the source's, else by the aspect ratio at the family's native area."""
    if given.width and given.height:
        return given.width, given.height
    if given.aspect_ratio is not None:
        across, down = (int(part) for part in given.aspect_ratio.split(":"))
        return _by_ratio(given, across / down, native)
    if source is not None and (given.width or given.height):
        return _by_ratio(given, source[0] / source[1], native)
    if source is not None:
        return _like(source, native)
    return given.width or native, given.height or native


def _by_ratio(given: ImageGenInput, ratio: float, native: int) -> tuple[int, int]:
    if given.width:
        return given.width, _clamp(round(given.width / ratio))
    if given.height:
        return _clamp(round(given.height * ratio)), given.height
    return _sixteenths(native * math.sqrt(ratio)), _sixteenths(native / math.sqrt(ratio))


def _like(source: tuple[int, int], native: int) -> tuple[int, int]:
    """The source's own size, unless that is far from what the family draws well: then its shape only."""
    width, height = source
    area = width * height / native**2
    if 1 / 4 <= area <= 9 / 4 and max(source) <= LARGEST and min(source) >= SMALLEST:
        return source
    ratio = min(4.0, max(0.25, width / height))
    return _sixteenths(native * math.sqrt(ratio)), _sixteenths(native / math.sqrt(ratio))


def _sixteenths(side: float) -> int:
    return _clamp(round(side / 16) * 16)


def _clamp(side: int) -> int:
    return max(SMALLEST, min(LARGEST, side))


def _sources(given: ImageGenInput) -> Iterator[Source]:
    for i, blob_id in enumerate(given.images):
        yield Source(blob_id=blob_id, path=f"images[{i}]", media=("image",))
    if given.mask is not None:
        yield Source(blob_id=given.mask, path="mask", media=("image",))
    for i, control in enumerate(given.control_nets):
        yield Source(blob_id=control.image, path=f"controlNets[{i}].image", media=("image",))


def _resources(given: ImageGenInput) -> Iterator[Resource]:
    if given.model:
        yield Resource(air=given.model, path="model")
    for i, network in enumerate(given.additional_networks):
        yield Resource(air=network.air, path=f"additionalNetworks[{i}].air", added=True)
    if given.vae:
        yield Resource(air=given.vae, path="vae", added=True, types=("vae",))
    for i, control in enumerate(given.control_nets):
        yield Resource(air=control.model, path=f"controlNets[{i}].model", added=True, types=("controlnet",))
