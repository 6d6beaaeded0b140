"""What the tests of the engine `espeak` share."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import soundfile

from heddle.engines import Made
from heddle.engines.espeak import Espeak
from heddle.errors import JobCanceled


class Watcher:
    """A job context that remembers what it was told, and cancels when it was told enough."""

    job_id = "job_test"
    attempt = 1

    def __init__(self, most: int = 10_000) -> None:
        self.most = most
        self.reported: list[float] = []

    def preview(self, draw: object) -> None: ...

    def progress(self, fraction: float, note: str = "") -> None:
        self.reported.append(fraction)
        if len(self.reported) > self.most:
            raise JobCanceled("the job was canceled")

    def log(self, text: str) -> None:
        return

    def read(self, blob_id: str) -> bytes:
        raise KeyError(blob_id)


def payload(text: str, **more: Any) -> dict[str, Any]:
    """A job of one speech."""
    return {"family": "espeak", "operation": "create", "text": text, "outputFormat": "wav", **more}


@pytest.fixture
def make() -> Callable[..., Made]:
    return lambda text, **more: next(iter(Espeak().run(payload(text, **more), Watcher())))


def samples(made: Made) -> tuple[np.ndarray, int]:
    """The sound in a file, and its rate."""
    return soundfile.read(io.BytesIO(made.data), dtype="float32", always_2d=True)


def pitch(made: Made) -> float:
    """The median pitch of the voiced parts, Hz."""
    sound, rate = samples(made)
    width, shortest, longest = rate // 25, rate // 400, rate // 60
    found: list[float] = []
    for start in range(0, len(sound) - width, width):
        part = sound[start : start + width, 0]
        alike = np.correlate(part, part, "full")[width - 1 :]
        best = shortest + int(alike[shortest:longest].argmax())
        if np.abs(part).max() > 0.1 and alike[best] > alike[0] / 2:
            found.append(rate / best)
    return float(np.median(found))
