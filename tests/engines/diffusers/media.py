"""Models of random weights, made once, and a job to run them in."""

from __future__ import annotations

import atexit
import io
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from heddle.errors import JobCanceled


class Job:
    """What a running job sees: pictures by the name of their color, and a cancel when `stop` says so."""

    job_id, attempt, memory_mb = "job_1", 1, 0

    def __init__(self, stop: Callable[[float, str], bool] = lambda _fraction, _note: False) -> None:
        self.said: list[tuple[float, str]] = []
        self._stop = stop

    def preview(self, draw: object) -> None: ...

    def progress(self, fraction: float, note: str = "") -> None:
        self.said.append((fraction, note))
        if self._stop(fraction, note):
            raise JobCanceled("the job was canceled")

    def log(self, text: str) -> None:
        raise AssertionError(f"nothing is to be said here: {text}")

    def read(self, blob_id: str) -> bytes:
        if blob_id == "text":
            return b"no picture at all"
        out = io.BytesIO()
        Image.new("RGB", (80, 48), blob_id).save(out, "PNG")
        return out.getvalue()


def tiny(make: Callable[..., Path], **options: Any) -> Path:
    """The folder of a model, made by one of the functions of `tests.torch` when it is first asked for."""
    name = "-".join([make.__name__, *(f"{key}-{value}" for key, value in options.items())])
    folder = _room() / name
    return folder if folder.exists() else make(folder, **options)


@cache
def _room() -> Path:
    place = Path(tempfile.mkdtemp(prefix="heddle-tiny-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return place
