"""What the tests of the engine `soundscape` share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from heddle.engines import Made
from heddle.engines.soundscape import Soundscape
from heddle.engines.soundscape.mix import mixed
from heddle.engines.soundscape.prompt import Layer, read
from heddle.errors import JobCanceled
from heddle.studio.acoustics import RATE


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


def payload(prompt: str, **more: Any) -> dict[str, Any]:
    """A job of a short sound."""
    made = {"family": "soundscape", "operation": "create", "prompt": prompt, "durationMs": 2000, "seed": 1}
    return {**made, "outputFormat": "wav", "loop": False, **more}


@pytest.fixture
def make() -> Callable[..., Made]:
    return lambda prompt, **more: next(iter(Soundscape().run(payload(prompt, **more), Watcher())))


@cache
def heard(prompt: str, seconds: float = 4.0, seed: int = 1, *, loop: bool = False) -> np.ndarray:
    """The sound of a prompt, two channels."""
    reading = read(prompt)
    return mixed(reading.parts, reading.places, seconds, seed, loop=loop, report=lambda _: None)


@cache
def alone(source: str, seconds: float = 6.0, **said: Any) -> np.ndarray:
    """The sound of one source, by its name."""
    return mixed(((Layer(source=source, **said),),), (), seconds, 1, loop=False, report=lambda _: None)


def power(sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies and their power, both channels together."""
    mono = sound.mean(axis=1)
    return np.fft.rfftfreq(len(mono), 1 / RATE), np.abs(np.fft.rfft(mono)) ** 2


def centroid(sound: np.ndarray) -> float:
    """The middle of the spectrum, Hz."""
    hertz, found = power(sound)
    return float((hertz * found).sum() / found.sum())


def tonal(sound: np.ndarray) -> float:
    """How much of the power the 200 strongest frequencies have: near 1 for bells, near 0 for noise."""
    found = np.sort(power(sound)[1])[::-1]
    return float(found[:200].sum() / found.sum())


def period(sound: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """The likeliest period of the loudness in seconds between two bounds, and how alike the periods are."""
    step = RATE // 100
    loud = np.abs(sound.mean(axis=1))
    loud = loud[: len(loud) // step * step].reshape(-1, step).mean(axis=1)
    loud = loud - loud.mean()
    alike = np.correlate(loud, loud, "full")[len(loud) - 1 :]
    lags = np.arange(int(low * 100), int(high * 100))
    best = int(lags[np.argmax(alike[lags])])
    return best / 100, float(alike[best] / alike[0])
