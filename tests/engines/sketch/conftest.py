"""What the tests of the engine `sketch` share."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from heddle.engines import Made
from heddle.engines.sketch import Sketch


class Watcher:
    """A job context that remembers what it was told."""

    job_id = "job_test"
    attempt = 1

    def __init__(self, blobs: dict[str, bytes] | None = None) -> None:
        self.blobs = blobs or {}
        self.reported: list[float] = []

    def preview(self, draw: object) -> None: ...

    def progress(self, fraction: float, note: str = "") -> None:
        self.reported.append(fraction)

    def log(self, text: str) -> None:
        return

    def read(self, blob_id: str) -> bytes:
        return self.blobs[blob_id]


def payload(prompt: str, **more: Any) -> dict[str, Any]:
    """A job of a small picture."""
    made: dict[str, Any] = {
        "family": "sketch", "operation": "create", "prompt": prompt, "width": 256, "height": 256, "steps": 20,
        "cfgScale": 7.0, "seed": 1, "networks": [], "images": [], "model": None,
    }  # fmt: skip
    return made | more


def pixels(made: Made) -> np.ndarray:
    with Image.open(io.BytesIO(made.data)) as image:
        return np.asarray(image.convert("RGB")).astype(float)


@pytest.fixture
def draw() -> Callable[..., Made]:
    """Draw one picture: `draw(prompt, width=…, blobs=…)`."""

    def one(prompt: str, blobs: dict[str, bytes] | None = None, **more: Any) -> Made:
        [made] = Sketch().run(payload(prompt, **more), Watcher(blobs))
        return made

    return one
