"""Nodes that draw: a sampler is one job of the picture engine for each picture of the batch.

What was asked of the model is told to the picture engine: the prompt from the conditioning, the size from the latent,
the LoRAs from the chain, and from a latent that holds a picture a variant of it, `denoise` strong.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from heddle.engines import Engine, JobContext, Made
from heddle.engines.comfy_graph import files, scaling
from heddle.engines.comfy_graph.masks import repeated
from heddle.engines.comfy_graph.pictures import laid_over
from heddle.engines.comfy_graph.values import Conditioning, Given, Inputs, Latent, Model, Pictures
from heddle.graph import weights
from heddle.graph.checker import wrong_size
from heddle.graph.table import seed_of
from heddle.studio.previews import Preview

#: The name of the picture that a variant starts from, within one nested job.
_SOURCE = "latent.png"

#: What the picture engine takes.
_MOST_CFG = 30.0
_MOST_SEED = 2**63


class Share:
    """What a nested job sees of the world: a share of its job's progress, and the pictures that are at hand."""

    def __init__(
        self, context: JobContext, start: float, length: float, note: str, at_hand: Mapping[str, bytes]
    ) -> None:
        self.job_id = context.job_id
        self.attempt = context.attempt
        self._context = context
        self._start = start
        self._length = length
        self._note = note
        self._at_hand = at_hand

    def progress(self, fraction: float, note: str = "") -> None:
        said = f"{self._note}: {note}" if note else self._note
        self._context.progress(self._start + self._length * min(1.0, max(0.0, fraction)), said)

    def preview(self, draw: Callable[[int], Preview]) -> None:
        self._context.preview(draw)

    def log(self, text: str) -> None:
        self._context.log(f"{self._note}: {text}")

    def read(self, blob_id: str) -> bytes:
        return self._at_hand[blob_id]

    def scratch(self) -> Path:
        return self._context.scratch()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How one sampler was asked to draw."""

    model: Model
    positive: Conditioning
    negative: Conditioning
    latent: Latent
    seed: int
    steps: int
    cfg: float
    sampler: str
    scheduler: str
    #: How much of the picture in the latent may change; 1: all, 0: nothing.
    strength: float


@dataclass(slots=True)
class Studio:
    """Draws with the picture engine, and keeps what it said of each picture, by the sampler."""

    engine: Engine
    seed_offset: int
    share: Callable[[int, int, Mapping[str, bytes]], Share]
    told: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, list[dict[str, Any]]])

    def sample(self, inputs: Inputs) -> Given:
        return (self._drawn(inputs, _basic(inputs, self.seed_offset)),)

    def sample_advanced(self, inputs: Inputs) -> Given:
        return (self._drawn(inputs, _advanced(inputs, self.seed_offset)),)

    def _drawn(self, inputs: Inputs, wanted: Drawing) -> Latent:
        latent = wanted.latent
        if latent.pictures is not None and wanted.strength <= 0:
            return latent
        if problem := wrong_size(inputs.node, latent.size):
            raise inputs.failed(problem)
        count = latent.size.count
        drawn = [self._picture(wanted, i, count) for i in range(count)]
        self.told[inputs.node.id] = [dict(one.metadata) for one in drawn]
        made = np.stack([_decoded(one) for one in drawn])
        if latent.pictures is not None and latent.mask is not None:
            where = scaling.masks(latent.mask, latent.size.width, latent.size.height)
            made = laid_over(latent.pictures, made, repeated(where, count))
        return replace(latent, pictures=made, scene=(wanted.positive.text, wanted.seed))

    def _picture(self, wanted: Drawing, index: int, count: int) -> Made:
        source = wanted.latent.pictures if wanted.strength < 1 else None
        at_hand = {} if source is None else {_SOURCE: files.png(source[index], {})}
        return next(iter(self.engine.run(_payload(wanted, index, at_hand), self.share(index, count, at_hand))))


def _basic(inputs: Inputs, seed_offset: int) -> Drawing:
    return _drawing(inputs, seed_offset, inputs.fraction("denoise"))


def _advanced(inputs: Inputs, seed_offset: int) -> Drawing:
    steps, start, end = inputs.numbers("steps", "start_at_step", "end_at_step")
    share = max(0, min(end, steps) - start) / steps
    # The first part of a drawing that others go on with is a whole picture here: there is no half-drawn one.
    strength = 1.0 if start == 0 and share > 0 else share
    return _drawing(inputs, seed_offset, strength)


def _drawing(inputs: Inputs, seed_offset: int, strength: float) -> Drawing:
    return Drawing(
        model=inputs.of("model", Model),
        positive=inputs.of("positive", Conditioning),
        negative=inputs.of("negative", Conditioning),
        latent=inputs.of("latent_image", Latent),
        seed=_seed(inputs, seed_offset, strength),
        steps=inputs.number("steps"),
        cfg=inputs.fraction("cfg"),
        sampler=inputs.text("sampler_name"),
        scheduler=inputs.text("scheduler"),
        strength=strength,
    )


def _seed(inputs: Inputs, seed_offset: int, strength: float) -> int:
    """The sampler's own, but a second pass over the same prompt keeps the scene that it finishes."""
    scene = inputs.of("latent_image", Latent).scene
    if scene is not None and strength < 1 and scene[0] == inputs.of("positive", Conditioning).text:
        return scene[1]
    return seed_of(inputs.node, seed_offset)


def _payload(wanted: Drawing, index: int, sources: Mapping[str, bytes]) -> dict[str, Any]:
    """What `imageGen` would have asked the picture engine for."""
    size, model = wanted.latent.size, wanted.model
    made: dict[str, Any] = {
        "family": weights.OWN_FAMILY,
        "operation": "variant" if sources else "create",
        "prompt": wanted.positive.text,
        "negativePrompt": wanted.negative.text,
        "width": size.width,
        "height": size.height,
        "steps": wanted.steps,
        "cfgScale": min(wanted.cfg, _MOST_CFG),
        "sampler": wanted.sampler,
        "scheduler": wanted.scheduler,
        "seed": (wanted.seed + index) % _MOST_SEED,
        "networks": [{"air": name, "strength": strength} for name, strength in model.networks],
        "images": list(sources),
        "outputFormat": "png",
    }
    if sources:
        made["strength"] = wanted.strength
    if wanted.positive.skip is not None:
        made["clipSkip"] = wanted.positive.skip
    if not weights.Weights(kind="checkpoint", name=model.checkpoint, path="").own:
        made["standInFor"] = model.checkpoint
    return made


def _decoded(made: Made) -> Pictures:
    with Image.open(io.BytesIO(made.data)) as image:
        return np.asarray(image.convert("RGB"))
