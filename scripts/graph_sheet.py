"""Draws what six graphs of the step type `comfy` make, for the documentation.

python scripts/graph_sheet.py docs/pictures/comfy-graphs.webp
"""

from __future__ import annotations

import copy
import io
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from heddle.engines.comfy_graph import ComfyGraph
from heddle.steps import Facts
from heddle.steps.comfy import Comfy

Graph = dict[str, Any]

_EXAMPLE = Path(__file__).parents[1] / "examples" / "graph.json"
_SIZE = (384, 256)
_LINE = 22


class Quiet:
    """A job context for a job that nobody watches."""

    job_id = "job_sheet"
    attempt = 1

    def __init__(self, blobs: Mapping[str, bytes]) -> None:
        self._blobs = blobs

    def progress(self, fraction: float, note: str = "") -> None:
        return

    def log(self, text: str) -> None:
        return

    def read(self, blob_id: str) -> bytes:
        return self._blobs[blob_id]


def node(kind: str, **inputs: Any) -> Graph:
    """A node."""
    return {"class_type": kind, "inputs": inputs}


def drawing(prompt: str = "a lighthouse on a cliff at sunset, two sailboats", **sampler: Any) -> Graph:
    """The graph of ComfyUI's first start."""
    links = {"model": ["m", 0], "positive": ["p", 0], "negative": ["n", 0], "latent_image": ["l", 0]}
    return {
        "m": node("CheckpointLoaderSimple", ckpt_name="sketch.safetensors"),
        "p": node("CLIPTextEncode", text=prompt, clip=["m", 1]),
        "n": node("CLIPTextEncode", text="people", clip=["m", 1]),
        "l": node("EmptyLatentImage", width=_SIZE[0], height=_SIZE[1], batch_size=1),
        "k": node("KSampler", **(links | {"seed": 5, "steps": 20, "cfg": 7.0} | sampler)),
        "d": node("VAEDecode", samples=["k", 0], vae=["m", 2]),
        "out": node("SaveImage", images=["d", 0]),
    }


def graphs() -> dict[str, Graph]:
    """What the sheet shows, with its captions."""
    lora = drawing(model=["x", 0])
    lora["x"] = node("LoraLoader", model=["m", 0], clip=["m", 1], lora_name="sketch-watercolor.safetensors")
    variant = drawing("a castle at night, full moon", latent_image=["e", 0], denoise=0.6)
    variant |= {"a": node("LoadImage", image="blob_1"), "e": node("VAEEncode", pixels=["a", 0], vae=["m", 2])}
    wider = drawing(latent_image=["e", 0])
    wider |= {
        "a": node("LoadImage", image="blob_1"),
        "pad": node("ImagePadForOutpaint", image=["a", 0], left=96, right=96, feathering=40),
        "e": node("VAEEncodeForInpaint", pixels=["pad", 0], vae=["m", 2], mask=["pad", 1], grow_mask_by=6),
    }
    later = copy.deepcopy(json.loads(_EXAMPLE.read_text("utf-8")))
    photo = drawing()
    photo |= {
        "i": node("ImageInvert", image=["d", 0]),
        "b": node("ImageBlend", image1=["d", 0], image2=["i", 0], blend_factor=0.6, blend_mode="soft_light"),
        "s": node("ImageSharpen", image=["b", 0], sharpen_radius=2, sigma=1.0, alpha=0.3),
    }
    photo["out"]["inputs"]["images"] = ["s", 0]
    return {
        "text to image": drawing(),
        "LoraLoader": lora,
        "VAEEncode, denoise 0.6": variant,
        "ImagePadForOutpaint": wider,
        "examples/graph.json": later,
        "ImageInvert, ImageBlend, ImageSharpen": photo,
    }


def run(graph: Graph, blobs: Mapping[str, bytes]) -> bytes:
    """The first picture of a graph."""
    payload = Comfy().plan({"workflow": graph}, lambda _: Facts()).payloads[0]
    return next(iter(ComfyGraph().run(payload, Quiet(blobs)))).data


def main() -> int:
    """Write the sheet."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    wanted = graphs()
    source = {"blob_1": run(wanted["text to image"], {})}
    across, down = _SIZE[0] + 8, _SIZE[1] + _LINE + 8
    page = Image.new("RGB", (3 * across + 8, 2 * down + 8), "#f4f1ec")
    draw = ImageDraw.Draw(page)
    for i, (caption, graph) in enumerate(wanted.items()):
        x, y = 8 + i % 3 * across, 8 + i // 3 * down
        picture = Image.open(io.BytesIO(run(graph, source))).convert("RGB")
        page.paste(picture.resize(_SIZE, Image.Resampling.LANCZOS), (x, y))
        draw.text((x + 2, y + _SIZE[1] + 3), caption, fill="#333333", font_size=14)
    page.save(sys.argv[1], quality=82, method=4)
    return 0


if __name__ == "__main__":
    sys.exit(main())
