"""Weights of `mini` drawn by chance, with the names and shapes of the file that is shipped."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from heddle.engines.mini import codec, plan, tokens

WIDTH, TEXT_LAYERS = 144, 3


def shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every tensor of the file."""
    yield "text.words.weight", (tokens.SIZE, WIDTH)
    yield "text.places", (tokens.LENGTH, WIDTH)
    for n in range(TEXT_LAYERS):
        yield from _attention(f"text.blocks.{n}.attention", WIDTH, WIDTH)
        yield from _feed(f"text.blocks.{n}.feed", WIDTH, 4)
    yield from _condition("layout.condition", 200)
    yield from _linear("layout.enter", 4 * plan.CHANNELS, 200)
    yield from _trunk("layout.trunk", 200, 4)
    yield from _linear("layout.leave", 200, 4 * plan.CHANNELS)
    yield from _condition("painter.condition", 192)
    yield from _conv("painter.enter", codec.CHANNELS + plan.CHANNELS, 104)
    for side in ("down", "up"):
        for n in range(2):
            yield from _residual(f"painter.{side}.{n}", 104)
            yield from _linear(f"painter.{side}.{n}.modulation", 192, 208)
    yield from _conv("painter.shrink", 104, 192, 2)
    yield from _trunk("painter.trunk", 192, 3)
    yield from _conv("painter.grow", 192, 416, 1)
    yield from _pair("painter.norm", (104,))
    yield from _conv("painter.leave", 104, codec.CHANNELS)
    yield from _decoder()
    yield from _conv("reader.enter", codec.CHANNELS, 56)
    for n in range(3):
        yield from _residual(f"reader.blocks.{n}", 56)
    yield from _conv("reader.leave", 56, plan.CHANNELS)
    yield "codec.basis", (codec.CHANNELS, 768)
    yield "codec.mean", (768,)
    yield "codec.scale", (codec.CHANNELS,)


@cache
def drawn(seed: int = 5) -> dict[str, np.ndarray]:
    """Halves, in which nothing is without effect and nothing runs away."""
    rng = np.random.default_rng(seed)
    return {name: _tensor(rng, name, shape).astype(np.float16) for name, shape in shapes()}


def written(path: Path, seed: int = 5) -> Path:
    """The file."""
    save_file(drawn(seed), path, metadata={"format": "mini-1", "quality": "preview", "training": "{}"})
    return path


def _tensor(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    if name == "codec.basis":
        return np.linalg.qr(rng.normal(size=shape[::-1]))[0].T
    if name == "codec.scale":
        return np.linspace(8, 1, shape[0])
    made = rng.normal(size=shape)
    if name.endswith(".scale"):
        return made * 0.1 + 1
    if name.endswith("norm.weight"):
        return made * 0.1 + 1
    if len(shape) < 2 or name.endswith((".places", ".shift")):
        return made * 0.1
    if name == "text.words.weight":
        return made
    return made / math.sqrt(math.prod(shape[1:]))


def _pair(name: str, shape: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", shape
    yield f"{name}.bias", shape[:1]


def _linear(name: str, inputs: int, outputs: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from _pair(name, (outputs, inputs))


def _conv(name: str, inputs: int, outputs: int, side: int = 3) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from _pair(name, (outputs, inputs, side, side))


def _attention(name: str, width: int, context: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.query.weight", (width, width)
    yield f"{name}.keys.weight", (2 * width, context)
    yield from _linear(f"{name}.out", width, width)
    yield f"{name}.scale", (4, 1, 1)


def _feed(name: str, width: int, times: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from _linear(f"{name}.inner", width, times * width)
    yield from _linear(f"{name}.out", times * width, width)


def _condition(name: str, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from _linear(f"{name}.time.0", 128, width)
    yield from _linear(f"{name}.time.2", width, width)
    yield from _linear(f"{name}.text", WIDTH, width)


def _trunk(name: str, width: int, depth: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.places", (64, width)
    yield from _linear(f"{name}.modulation", width, 6 * width)
    for n in range(depth):
        yield from _attention(f"{name}.blocks.{n}.itself", width, width)
        yield from _attention(f"{name}.blocks.{n}.text", width, WIDTH)
        yield from _feed(f"{name}.blocks.{n}.feed", width, 3)
        yield f"{name}.blocks.{n}.shift", (6, width)


def _residual(name: str, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from _conv(f"{name}.first", width, width)
    yield from _conv(f"{name}.second", width, width)
    yield from _pair(f"{name}.norm", (width,))


def _decoder() -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from _conv("decoder.enter", codec.CHANNELS, 112)
    yield from _conv("decoder.middle_up", 112, 288, 1)
    yield from _conv("decoder.fine_up", 72, 192, 1)
    yield from _conv("decoder.leave", 48, 48)
    for row, count, width in (("coarse", 2, 112), ("middle", 3, 72), ("fine", 2, 48)):
        for n in range(count):
            yield from _residual(f"decoder.{row}.{n}", width)
