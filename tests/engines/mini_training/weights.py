"""Weights of `mini` drawn by chance, as a file has them."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from heddle.engines.mini import weights


@cache
def drawn(seed: int = 5) -> dict[str, np.ndarray]:
    """Halves, in which nothing is without effect and nothing runs away."""
    rng = np.random.default_rng(seed)
    return {name: _tensor(rng, name, shape).astype(np.float16) for name, shape in weights.shapes().items()}


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
