"""What the tests of the engine `comfy-graph` share."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from heddle.engines import Made
from heddle.engines.comfy_graph import ComfyGraph
from heddle.steps import Facts, Plan
from heddle.steps.comfy import Comfy

Array = npt.NDArray[Any]


class Watcher:
    """A job context that remembers what it was told."""

    job_id = "job_test"
    attempt = 1

    def __init__(self, blobs: dict[str, bytes] | None = None) -> None:
        self.blobs = blobs or {}
        self.reported: list[tuple[float, str]] = []

    def preview(self, draw: object) -> None: ...

    def progress(self, fraction: float, note: str = "") -> None:
        self.reported.append((fraction, note))

    def log(self, text: str) -> None:
        return

    def read(self, blob_id: str) -> bytes:
        return self.blobs[blob_id]


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def sampled(**more: Any) -> dict[str, dict[str, Any]]:
    """The graph of ComfyUI's first start, small; `more` goes to the sampler."""
    sampler = {
        "seed": 5, "steps": 8, "cfg": 7.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
        "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0],
    }  # fmt: skip
    return {
        "3": node("KSampler", **(sampler | more)),
        "4": node("CheckpointLoaderSimple", ckpt_name="sketch.safetensors"),
        "5": node("EmptyLatentImage", width=128, height=96, batch_size=1),
        "6": node("CLIPTextEncode", text="a red fox in the snow", clip=["4", 1]),
        "7": node("CLIPTextEncode", text="people", clip=["4", 1]),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", images=["8", 0], filename_prefix="fox"),
    }


def plan(graph: dict[str, Any], **more: Any) -> Plan:
    return Comfy().plan({"workflow": graph, **more}, lambda _: Facts())


def run(
    graph: dict[str, Any],
    blobs: dict[str, bytes] | None = None,
    job: int = 0,
    watcher: Watcher | None = None,
    **more: Any,
) -> list[Made]:
    """What one job of a planned graph makes."""
    payload = plan(graph, **more).payloads[job]
    return list(ComfyGraph().run(payload, watcher or Watcher(blobs)))


def png(pixels: Array) -> bytes:
    """A file of 8-bit pixels: gray, RGB or RGBA."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def pixels(made: Made) -> Array:
    with Image.open(io.BytesIO(made.data)) as image:
        return np.asarray(image.convert("RGB"))


def noise(seed: int, width: int = 60, height: int = 40, channels: int = 3) -> Array:
    """A picture in which no two places are alike."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def psnr(one: Array, other: Array) -> float:
    error = float(np.mean((one.astype(float) - other.astype(float)) ** 2))
    return 99.0 if error == 0 else 10 * float(np.log10(255**2 / error))
