"""Upscaling models of a few layers, in the layout that ESRGAN's files have, with random weights.

What they make is the picture with each pixel repeated, and a disturbance that depends on everything within 18 pixels:
a tile that sees less than that around a pixel makes another one of it.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

#: By how many channels each layer of a block adds to what the next one sees. The layout fixes it.
_GROWTH = 32


def tensors(
    scale: int = 4, channels: int = 3, *, seed: int = 1, wide: int = 8, blocks: int = 1
) -> dict[str, torch.Tensor]:
    """By name, as in files of Real-ESRGAN. `scale`: 1, 2, 4, ...; `wide`: channels inside."""
    chance = torch.Generator().manual_seed(seed)
    made: dict[str, torch.Tensor] = {}

    def layer(name: str, given: int, gives: int, noise: float, keep: int) -> None:
        """A convolution that keeps the first channels as they are."""
        weight = torch.randn((gives, given, 3, 3), generator=chance) * noise / (9 * given) ** 0.5
        for i in range(keep):
            weight[i] = 0
            weight[i, i, 1, 1] = 1
        made[f"{name}.weight"], made[f"{name}.bias"] = weight, torch.zeros(gives)

    layer("conv_first", channels, wide, 1.0, channels)
    for block in (f"body.{i}.rdb{n}" for i in range(blocks) for n in (1, 2, 3)):
        for n in range(1, 5):
            layer(f"{block}.conv{n}", wide + (n - 1) * _GROWTH, _GROWTH, 2.0, 0)
        layer(f"{block}.conv5", wide + 4 * _GROWTH, wide, 8.0, 0)
    layer("conv_body", wide, wide, 0.05, 0)
    ups = scale.bit_length() - 1
    for n in range(1, ups + 1):
        layer(f"conv_up{n}", wide, wide, 0.3, channels)
    layer("conv_hr", wide, wide, 0.3, channels)
    layer("conv_last", wide, channels, 0.0, channels)
    return made


def write(path: Path, scale: int = 4, channels: int = 3, **more: int) -> Path:
    """A safetensors file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors(scale, channels, **more), path)  # type: ignore[arg-type]
    return path
