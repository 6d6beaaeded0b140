"""Jobs of these engines as a worker runs them: planned by the step type, checked, loaded, run."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from heddle import registry
from heddle.domain import JSON
from heddle.engines import Made
from heddle.errors import JobCanceled
from heddle.steps import Facts

AIR = "urn:air:tiny:checkpoint:heddle:1000000000@1000000000"
STEPS = {"whisper": "transcribe", "transformers-tts": "tts", "transformers-text": "textGen", "classifier": "moderation"}


class Context:
    """Keeps what is said; `patience` calls of `progress` later the job is canceled."""

    job_id = "job_1"
    attempt = 1

    def __init__(self, blobs: dict[str, bytes] | None = None, patience: int = 10**9) -> None:
        self.blobs = blobs or {}
        self.patience = patience
        self.said: list[tuple[float, str]] = []

    def preview(self, draw: object) -> None: ...

    def progress(self, fraction: float, note: str = "") -> None:
        self.said.append((fraction, note))
        if len(self.said) > self.patience:
            raise JobCanceled("the job was canceled")

    def log(self, text: str) -> None:
        pass

    def read(self, blob_id: str) -> bytes:
        return self.blobs[blob_id]


class Bench:
    """One engine with one model."""

    def __init__(self, name: str, folder: Path, **options: Any) -> None:
        self.name = name
        self.engine = registry.engine(name)
        if options:
            self.engine.configure(options)
        self.weights = {
            AIR: {"path": str(folder), "folder": folder.is_dir(), "size": 1_000_000, "format": "SafeTensor"}
        }

    def payload(self, **given: Any) -> dict[str, Any]:
        step = registry.get("steps", STEPS[self.name])()
        plan = step.plan({"engine": self.name, **given}, lambda _: Facts())
        return {"model": AIR, **plan.payloads[0], "weights": self.weights}

    def problems(self, **given: Any) -> dict[str, str]:
        return dict(self.engine.problems(self.payload(**given)))

    def run(self, payload: JSON, context: Context | None = None) -> list[Made]:
        assert self.engine.problems(payload) == {}
        needs = self.engine.needs(payload)
        assert needs is not None
        self.engine.load(needs.model, Context())
        return list(self.engine.run(payload, context or Context()))

    def make(self, **given: Any) -> Made:
        return self.run(self.payload(**given))[0]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Builds each model once."""
    made: dict[str, Path] = {}

    def build(kind: str, *args: Any, **options: Any) -> Path:
        from tests.torch import tiny_transformers  # noqa: PLC0415 - heavy: PyTorch

        key = f"{kind} {args} {options}"
        if key not in made:
            made[key] = getattr(tiny_transformers, kind)(tmp_path_factory.mktemp(kind), *args, **options)
        return made[key]

    return build


def noise(seconds: float, rate: int = 16_000) -> bytes:
    """A WAV file of hisses that come and go."""
    rng = np.random.default_rng(7)
    at = np.arange(round(seconds * rate)) / rate
    wave = 0.3 * rng.standard_normal(len(at)) * (0.5 + 0.5 * np.sin(2 * np.pi * at / 3))
    out = io.BytesIO()
    soundfile.write(out, wave.astype(np.float32), rate, format="WAV", subtype="FLOAT")
    return out.getvalue()
