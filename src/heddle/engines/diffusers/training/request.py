"""What a training is asked for, and which families can be trained. Imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from heddle.domain import JSON

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

#: Optimizers by the names that callers give: which one runs. Those of 8 bits keep less in memory and do the same.
OPTIMIZERS: Mapping[str, str] = {
    "adamw": "adamw",
    "adamw8bit": "adamw",
    "adam8bit": "adam",
    "adafactor": "adafactor",
    "adagrad": "adagrad",
}
SCHEDULES = ("constant", "constant_with_warmup", "cosine", "linear")
#: The share of the steps in which the rate rises, where it does.
_WARMUP = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One training."""

    family: str
    name: str
    trigger: str | None
    steps: int
    epochs: int
    batch_size: int
    rate: float
    schedule: str
    optimizer: str
    rank: int
    alpha: int
    resolution: int
    repeats: int
    flip: bool
    shuffle: bool
    keep: int
    noise_offset: float
    min_snr: float
    prompts: Sequence[str]
    negative: str
    cfg: float
    seed: int

    @classmethod
    def of(cls, payload: JSON) -> Wanted:
        """As the step type wrote it."""
        family = FAMILIES[payload["family"]]
        return cls(
            family=payload["family"],
            name=payload.get("name") or payload.get("triggerWord") or "lora",
            trigger=payload.get("triggerWord"),
            steps=payload["steps"],
            epochs=payload["epochs"],
            batch_size=payload["batchSize"],
            rate=payload["learningRate"],
            schedule=payload.get("lrScheduler", "constant"),
            optimizer=payload.get("optimizerType", "adamw"),
            rank=payload["networkDim"],
            alpha=payload["networkAlpha"],
            resolution=payload.get("resolution") or family.resolution,
            repeats=payload.get("numRepeats", 1),
            flip=payload["flip"],
            shuffle=payload["shuffleTokens"],
            keep=payload["keepTokens"],
            noise_offset=payload.get("noiseOffset", 0.0),
            min_snr=payload.get("minSnrGamma", 0.0),
            prompts=payload["samples"],
            negative=payload.get("negativePrompt") or "",
            cfg=payload.get("sampleCfgScale") or family.cfg,
            seed=payload["seed"],
        )

    @property
    def about(self) -> Family:
        """The row of its family."""
        return FAMILIES[self.family]

    def epoch_ends(self) -> list[int]:
        """After how many steps each epoch is over; the last one with the last step."""
        return [math.ceil(self.steps * n / self.epochs) for n in range(1, self.epochs + 1)]

    def rate_at(self, step: int) -> float:
        """The learning rate of a step; the first one is 0."""
        done = step / self.steps
        if self.schedule == "cosine":
            return self.rate * (1 + math.cos(math.pi * done)) / 2
        if self.schedule == "linear":
            return self.rate * (1 - done)
        if self.schedule == "constant_with_warmup":
            return self.rate * min(1.0, (step + 1) / max(1.0, _WARMUP * self.steps))
        return self.rate


def problems(payload: JSON) -> dict[str, str]:
    """What of a payload cannot be done here: field -> sentence."""
    found: dict[str, str] = {}
    family = FAMILIES.get(payload["family"])
    optimizer, schedule = payload.get("optimizerType", "adamw"), payload.get("lrScheduler", "constant")
    if optimizer not in OPTIMIZERS:
        found["optimizerType"] = f"{optimizer!r} is not one of: {', '.join(OPTIMIZERS)}"
    if schedule not in SCHEDULES:
        found["lrScheduler"] = f"{schedule!r} is not one of: {', '.join(SCHEDULES)}"
    if payload.get("trainTextEncoder"):
        found["trainTextEncoder"] = "text encoders are not trained here; leave it out, or set it to false"
    if family is not None and family.noise == "flow":
        diffusion = " and ".join(name for name, row in FAMILIES.items() if row.noise == "diffusion")
        for field in ("noiseOffset", "minSnrGamma"):
            if payload.get(field):
                found[field] = f"is for {diffusion}; {payload['family']!r} is trained on flow, without it"
    return found
