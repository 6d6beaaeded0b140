"""Which families can be trained, and what each can be asked for. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from heddle.domain import JSON
from heddle.learning import request
from heddle.learning.request import Wanted

#: How a family makes noise of a picture, and what it is taught to say of it.
Noise = Literal["diffusion", "flow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A family that a LoRA can be trained for here."""

    noise: Noise
    #: Kinds of models that may be its base.
    kinds: tuple[str, ...]
    #: Pixels per side where the caller says nothing.
    resolution: int
    #: As the catalog names its base models, where the base model is not in there.
    base_model: str
    #: As the metadata of LoRA files names it: kohya's `ss_base_model_version`, and `modelspec.architecture`.
    version: str
    architecture: str
    #: How strongly samples follow their prompts, and in how many steps they are made.
    cfg: float
    sample_steps: int = 20


FAMILIES: Mapping[str, Family] = {
    "sd1": Family(
        noise="diffusion",
        kinds=("sd1",),
        resolution=512,
        base_model="SD 1.5",
        version="sd_v1",
        architecture="stable-diffusion-v1/lora",
        cfg=7.0,
    ),
    "sd2": Family(
        noise="diffusion",
        kinds=("sd2", "sd2-768"),
        resolution=768,
        base_model="SD 2.1",
        version="sd_v2",
        architecture="stable-diffusion-v2-512/lora",
        cfg=7.0,
    ),
    "sdxl": Family(
        noise="diffusion",
        kinds=("sdxl",),
        resolution=1024,
        base_model="SDXL 1.0",
        version="sdxl_base_v1-0",
        architecture="stable-diffusion-xl-v1-base/lora",
        cfg=7.0,
    ),
    "flux1": Family(
        noise="flow",
        kinds=("flux1",),
        resolution=1024,
        base_model="Flux.1 D",
        version="flux1",
        architecture="flux-1-dev/lora",
        cfg=3.5,
    ),
    "z-image": Family(
        noise="flow",
        kinds=("z-image",),
        resolution=1024,
        base_model="ZImageTurbo",
        version="zimage",
        architecture="z-image/lora",
        cfg=1.0,
        sample_steps=9,
    ),
    "qwen": Family(
        noise="flow",
        kinds=("qwen",),
        resolution=1024,
        base_model="Qwen",
        version="qwen_image",
        architecture="qwen-image/lora",
        cfg=2.5,
    ),
}


def wanted(payload: JSON) -> Wanted:
    """As the step type wrote it."""
    family = FAMILIES[payload["family"]]
    return Wanted.of(payload, resolution=family.resolution, cfg=family.cfg)


def problems(payload: JSON) -> dict[str, str]:
    """What of a payload cannot be done here: field -> sentence."""
    found = request.problems(payload)
    family = FAMILIES.get(payload["family"])
    if family is not None and family.noise == "flow":
        diffusion = " and ".join(name for name, row in FAMILIES.items() if row.noise == "diffusion")
        for field in ("noiseOffset", "minSnrGamma"):
            if payload.get(field):
                found[field] = f"is for {diffusion}; {payload['family']!r} is trained on flow, without it"
    return found
