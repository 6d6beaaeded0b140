"""Layout, painter and reader: each learns from shards, under captions that are written anew for each view."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from heddle.engines.mini import tokens
from heddle.engines.mini.things import numbers, planned
from training import captions, evaluation, maps, pictures
from training.data import Shards
from training.networks import Layout, Painter, Reader, channels_last
from training.scenes import Scene, sample, twins
from training.text import Tagged
from training.trainer import Plan, Trainer, averaged

#: How many captions are left empty, so that guidance has something to start from.
EMPTY = 0.1


class Told:
    """Captions of scenes, through the text encoder as it was trained."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        self._device = device
        tagger = Tagged()
        averaged(tagger, folder, "text")
        self.text = tagger.text.to(device).eval()

    @torch.no_grad()
    def features(self, texts: list[str]) -> tuple[Tensor, Tensor, Tensor]:
        """What the denoisers see of texts."""
        ids = torch.from_numpy(np.stack([tokens.encode(text) for text in texts])).to(self._device)
        features, pooled, bias = self.text(ids)
        return features, pooled, bias

    def of(self, shown: Sequence[Scene], step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Captions for scenes, other words in each step, some of them empty."""
        rng = np.random.default_rng((step, 23))
        texts = ["" if rng.random() < EMPTY else captions.write(scene, scene.seed * 131 + step).text for scene in shown]
        return self.features(texts)


def noise_levels(step: int, size: int, mean: float, spread: float, even: float) -> Tensor:
    """Noise levels (size), 0..1: normal on the logit scale, a share of them even."""
    rng = np.random.default_rng((step, 37))
    levels = 1 / (1 + np.exp(-rng.normal(mean, spread, size)))
    flat = rng.random(size) < even
    levels[flat] = rng.random(int(flat.sum()))
    return torch.from_numpy(levels.astype(np.float32))


def _noised(clean: Tensor, levels: Tensor, step: int) -> Tensor:
    generator = torch.Generator().manual_seed(step * 2 + 1)
    noise = torch.randn(clean.shape, generator=generator).to(clean.device)
    level = levels.reshape(-1, *[1] * (clean.ndim - 1))
    return (1 - level) * clean + level * noise


def _loss(made: Tensor, clean: Tensor, levels: Tensor, weights: Tensor) -> tuple[Tensor, dict[str, float]]:
    """The weighted error of what is clean (by 1 / level^2 it is that of the velocity); told apart by noise level."""
    error = ((made.float() - clean) ** 2).flatten(1).mean(dim=1)
    told = {}
    for name, low, high in (("low", 0.0, 0.4), ("mid", 0.4, 0.75), ("high", 0.75, 0.92), ("top", 0.92, 1.01)):
        inside = (levels >= low) & (levels < high)
        if bool(inside.any()):
            told[name] = float(error[inside].mean().detach())
    return (error * weights).mean(), told


def _channels_first(values: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(values).permute(0, 3, 1, 2).contiguous().to(device)


def train_layout(folder: Path, plan: Plan, device: torch.device) -> None:
    """Things out of noise. No picture is needed for them, so no two steps see the same scenes."""
    torch.manual_seed(2)
    network = Layout().to(device)
    trainer = Trainer("layout", network, plan, folder)
    told = Told(folder, device)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        seeds = np.arange(plan.batch) + step * plan.batch
        shown = [scene_of(int(seed)) for seed in seeds]
        clean = torch.from_numpy(np.stack([numbers(maps.things(scene)) for scene in shown])).to(device)
        levels = noise_levels(step, plan.batch, 0.6, 1.4, 0.2).to(device)
        text, pooled, bias = told.of(shown, step)
        with torch.autocast(device.type, torch.bfloat16):
            made = network(_noised(clean, levels, step), levels, text, pooled, bias)
        return _loss(made, clean, levels, 1 / levels.clamp(min=0.1) ** 2)

    trainer.run(loss_of)


def scene_of(seed: int) -> Scene:
    """A scene to place the things of; of three, one has two groups of a kind where that can be."""
    scene = sample(seed, pictures.wides())
    return twins(scene, pictures.wides()) if seed % 3 == 0 else scene


def train_painter(folder: Path, plan: Plan, device: torch.device) -> None:
    """Latents out of noise, under plans; some of the plans are a little off, as those are that the reader finds."""
    torch.manual_seed(3)
    network = channels_last(Painter().to(device))
    trainer = Trainer("painter", network, plan, folder)
    told, shards = Told(folder, device), Shards(folder, ("latents",))

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        seeds, rows = shards.batch(step, plan.batch)
        clean = _channels_first(rows["latents"], device)
        layout = roughened(plans_of(seeds).to(device), step)
        levels = noise_levels(step, plan.batch, 0.4, 1.2, 0.2).to(device)
        text, pooled, bias = told.of([sample(int(seed), pictures.wides()) for seed in seeds], step)
        noised = _noised(clean, levels, step).to(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            made = network(noised, levels, layout, text, pooled, bias)
        return _loss(made, clean, levels, 1 / levels.clamp(min=0.15) ** 2)

    def after() -> None:
        _more(shards)
        evaluation.show(folder, trainer.step)

    trainer.run(loss_of, after)


def plans_of(seeds: np.ndarray) -> Tensor:
    """The plans of scenes by their seeds."""
    return torch.from_numpy(np.stack([planned(maps.things(sample(int(seed), pictures.wides()))) for seed in seeds]))


def roughened(layout: Tensor, step: int) -> Tensor:
    """Plans of which a quarter carries noise, up to a quarter of full."""
    rng = np.random.default_rng((step, 41))
    share = np.where(rng.random(len(layout)) < 0.75, 0, rng.random(len(layout)) * 0.25).astype(np.float32)
    return _noised(layout, torch.from_numpy(share).to(layout.device), step + 500_000_000)


def train_reader(folder: Path, plan: Plan, device: torch.device) -> None:
    """The plan of a picture from its latents."""
    torch.manual_seed(4)
    network = channels_last(Reader().to(device))
    trainer = Trainer("reader", network, plan, folder)
    shards = Shards(folder, ("latents",))

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        seeds, rows = shards.batch(step, plan.batch)
        latents, layout = _channels_first(rows["latents"], device), plans_of(seeds).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            made = network(latents.to(memory_format=torch.channels_last))
        return ((made.float() - layout) ** 2).mean(), {}

    trainer.run(loss_of)


def _more(shards: Shards) -> None:
    shards.reload()
