"""Jobs of the engine on tiny models, without a server."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.moving import Watcher

from heddle.domain import JSON
from heddle.engines.diffusers import Diffusers
from heddle.engines.diffusers.families import FAMILIES


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What torch and its friends say of themselves is not ours to mend."""
    for item in items:
        if "engines/diffusers" in item.nodeid:
            item.add_marker(pytest.mark.filterwarnings("ignore"))


def payload(kind: str, path: Path, **more: Any) -> dict[str, Any]:
    """A job as planning writes it."""
    row = FAMILIES[kind]
    air = f"urn:air:{row.answers.replace('-', '')}:checkpoint:heddle:1@1"
    where = {"path": str(path), "folder": path.is_dir(), "baseModel": more.pop("base_model", ""), "type": "Checkpoint"}
    given = {
        "family": row.answers, "model": air, "weights": {air: where}, "operation": "create", "prompt": "a red fox",
        "width": 64, "height": 64, "steps": 3, "cfgScale": 4.0, "seed": 7, "networks": [], "images": [],
        "outputFormat": "png",
    }  # fmt: skip
    return given | more


def draw(engine: Diffusers, job: JSON, watcher: Watcher | None = None) -> Any:
    """What comes out, with the model loaded as a worker would."""
    needs = engine.needs(job)
    assert needs is not None
    assert engine.problems(job) == {}
    if needs.model not in engine._residents:
        engine.load(needs.model, Watcher())
    [made] = engine.run(job, watcher or Watcher(**blobs()))
    return made


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def picture(width: int = 64, height: int = 64) -> Image.Image:
    """A source with something in every corner."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], -1).astype(np.uint8))


def mask(width: int = 64, height: int = 64) -> Image.Image:
    """White on the right half."""
    return Image.fromarray(np.where(np.mgrid[:height, :width][1] >= width // 2, 255, 0).astype(np.uint8))


def blobs() -> dict[str, bytes]:
    return {"blob_source": encoded(picture()), "blob_mask": encoded(mask())}


def encoded(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
