"""Weights that no training made, and jobs of pictures with them.

What is random passes on, by and large, what it is given: the painter its noise, the layout its plan. So pictures are
noise, but every word, number and file that is to change something does, and sources are still seen in what is made of
them. The codec is a cosine transform of three colours.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from training.shipped import write

from heddle.engines import Made
from heddle.engines.mini import Mini, weights
from heddle.studio.previews import Preview

_PAIRS = range(24)


def random_weights(seed: int = 0) -> dict[str, np.ndarray]:
    """Every tensor that the graphs want."""
    rng = np.random.default_rng(seed)
    made = {name: rng.normal(0, 0.03, shape).astype(np.float32) for name, shape in weights.shapes().items()}
    for name, values in made.items():
        if name.endswith("norm.weight"):
            values[:] = 1
    return made | _passing_on(made) | _codec()


def _passing_on(made: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The ways in and out of the two networks that begin with noise."""
    enter, leave = made["painter.enter.weight"] / 3, made["painter.leave.weight"] / 3
    for at in _PAIRS:
        # One channel and its opposite, because what lies between keeps only what is positive.
        enter[2 * at, at, 1, 1], enter[2 * at + 1, at, 1, 1] = 1, -1
        leave[at, 2 * at, 1, 1], leave[at, 2 * at + 1, 1, 1] = 1, -1
    first, last = made["layout.enter.weight"], made["layout.leave.weight"]
    first[:22] += np.eye(22, dtype=np.float32)
    last[:, :22] += np.eye(22, dtype=np.float32) / 2
    return {
        "painter.enter.weight": enter, "painter.leave.weight": leave, "layout.enter.weight": first,
        "layout.leave.weight": last, "decoder.leave.weight": made["decoder.leave.weight"] / 10,
    }  # fmt: skip


def _codec() -> dict[str, np.ndarray]:
    """The eight slowest waves across and down a patch, in each colour."""
    at = (np.arange(16) + 0.5) * np.pi / 16
    waves = [np.cos(n * at) * (0.25 if n == 0 else 0.25 * np.sqrt(2)) for n in range(4)]
    pairs = [(0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (0, 3), (3, 0)]
    rows = [np.outer(waves[y], waves[x])[:, :, None] * np.eye(3)[color] for y, x in pairs for color in range(3)]
    return {
        "codec.basis": np.stack([row.ravel() for row in rows]).astype(np.float32),
        "codec.mean": np.zeros(768, dtype=np.float32),
        "codec.scale": np.repeat(np.float32([8, 4, 4, 3, 2, 2, 2, 2]), 3),
    }


def write_weights(path: Path, quality: str = "preview", **changed: Any) -> Path:
    """A file as the engine takes it."""
    write(path, random_weights(), {"format": "mini-1", "quality": quality} | changed)
    return path


@pytest.fixture(scope="session")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("mini") / "mini.safetensors")


@pytest.fixture(scope="session")
def engine(weights_file: Path) -> Mini:
    made = Mini()
    made.configure({"weights": str(weights_file)})
    return made


class Watcher:
    """A job context that remembers what it was told, and draws every preview."""

    job_id = "job_test"
    attempt = 1

    def __init__(self, blobs: dict[str, bytes] | None = None) -> None:
        self.blobs = blobs or {}
        self.reported: list[tuple[float, str]] = []
        self.shown: list[Preview] = []

    def preview(self, draw: Callable[[int], Preview]) -> None:
        self.shown.append(draw(0))

    def progress(self, fraction: float, note: str = "") -> None:
        self.reported.append((fraction, note))

    def log(self, text: str) -> None:
        return

    def read(self, blob_id: str) -> bytes:
        return self.blobs[blob_id]

    def scratch(self) -> Path:
        raise AssertionError("mini keeps nothing")


def payload(prompt: str = "a red house", **more: Any) -> dict[str, Any]:
    """A job of a picture, as the planner makes it."""
    made: dict[str, Any] = {
        "family": "mini", "operation": "variant" if more.get("images") else "create", "prompt": prompt, "width": 256,
        "height": 256, "steps": 4, "cfgScale": 2.0, "seed": 1, "networks": [], "images": [], "weights": {},
    }  # fmt: skip
    return made | more


def pixels(made: Made) -> np.ndarray:
    with Image.open(io.BytesIO(made.data)) as image:
        return np.asarray(image.convert("RGB")).astype(float)


@pytest.fixture
def draw(engine: Mini) -> Callable[..., Made]:
    """Draw one picture: `draw(prompt, width=…, blobs=…)`."""

    def one(prompt: str = "a red house", blobs: dict[str, bytes] | None = None, **more: Any) -> Made:
        [made] = engine.run(payload(prompt, **more), Watcher(blobs))
        return made

    return one
