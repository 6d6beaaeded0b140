"""The weights of the base model, in single precision."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from safetensors.numpy import load

from heddle.engines.mini.training.forward import Network


def read(path: Path) -> Network:
    """The networks of a file, without a LoRA."""
    return Network(_held(path, path.stat().st_mtime_ns))


@lru_cache(maxsize=1)
def _held(path: Path, _stamp: int) -> dict[str, np.ndarray]:
    return {name: value.astype(np.float32) for name, value in load(path.read_bytes()).items()}
