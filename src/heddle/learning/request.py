"""What a training is asked for."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from heddle.domain import JSON

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
    def of(cls, payload: JSON, *, resolution: int, cfg: float) -> Wanted:
        """As the step type wrote it; `resolution` and `cfg` where the caller says nothing."""
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
            resolution=payload.get("resolution") or resolution,
            repeats=payload.get("numRepeats", 1),
            flip=payload["flip"],
            shuffle=payload["shuffleTokens"],
            keep=payload["keepTokens"],
            noise_offset=payload.get("noiseOffset", 0.0),
            min_snr=payload.get("minSnrGamma", 0.0),
            prompts=payload["samples"],
            negative=payload.get("negativePrompt") or "",
            cfg=payload.get("sampleCfgScale") or cfg,
            seed=payload["seed"],
        )

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


def problems(payload: JSON, optimizers: Collection[str] = OPTIMIZERS) -> dict[str, str]:
    """What of a payload no training here can do: field -> sentence."""
    found: dict[str, str] = {}
    optimizer, schedule = payload.get("optimizerType", "adamw"), payload.get("lrScheduler", "constant")
    if optimizer not in optimizers:
        found["optimizerType"] = f"{optimizer!r} is not one of: {', '.join(optimizers)}"
    if schedule not in SCHEDULES:
        found["lrScheduler"] = f"{schedule!r} is not one of: {', '.join(SCHEDULES)}"
    if payload.get("trainTextEncoder"):
        found["trainTextEncoder"] = "text encoders are not trained here; leave it out, or set it to false"
    return found
