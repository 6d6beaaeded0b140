"""What a picture says of its making: the `parameters` text that image tools read and write."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin

MIMES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
_USER_COMMENT = 0x9286
_EXIF_IFD = 0x8769
#: EXIF segments of a JPEG end at 64 KiB.
_MOST_EXIF_CHARACTERS = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How a picture was asked for."""

    prompt: str
    negative_prompt: str
    steps: int
    sampler: str
    cfg_scale: float
    seed: int
    width: int
    height: int
    model: str | None = None
    stand_in_for: str | None = None
    clip_skip: int | None = None
    strength: float | None = None
    networks: tuple[tuple[str, float], ...] = ()
    version: str = ""


def text(given: Parameters) -> str:
    """The text: prompt, negative prompt, then one line of `Name: value` pairs."""
    rows = [_one_line(given.prompt)]
    if given.negative_prompt:
        rows.append(f"Negative prompt: {_one_line(given.negative_prompt)}")
    pairs: list[tuple[str, object]] = [
        ("Steps", given.steps),
        ("Sampler", given.sampler),
        ("CFG scale", f"{given.cfg_scale:g}"),
        ("Seed", given.seed),
        ("Size", f"{given.width}x{given.height}"),
        ("Model", "sketch"),
    ]
    if given.clip_skip is not None:
        pairs.append(("Clip skip", given.clip_skip))
    if given.strength is not None:
        pairs.append(("Denoising strength", f"{given.strength:g}"))
    pairs.append(("Engine", "sketch"))
    if given.stand_in_for:
        pairs.append(("Stand-in for", given.stand_in_for))
    if given.model:
        pairs.append(("Asked model", _quoted(given.model)))
    if given.networks:
        pairs.append(("Networks", _quoted(", ".join(f"{air} ({strength:g})" for air, strength in given.networks))))
    pairs.append(("Version", f"heddle {given.version}"))
    rows.append(", ".join(f"{name}: {value}" for name, value in pairs))
    return "\n".join(rows)


def record(given: Parameters) -> dict[str, Any]:
    """The same for programs."""
    made: dict[str, Any] = {
        "engine": "sketch",
        "prompt": given.prompt,
        "negativePrompt": given.negative_prompt,
        "steps": given.steps,
        "sampler": given.sampler,
        "cfgScale": given.cfg_scale,
        "seed": given.seed,
        "parameters": text(given),
    }
    if given.stand_in_for:
        made["standInFor"] = given.stand_in_for
    if given.strength is not None:
        made["strength"] = given.strength
    return made


def encode(pixels: npt.NDArray[np.uint8], kind: str, parameters: str) -> bytes:
    """PNG with a text chunk; JPEG and WebP with an EXIF user comment."""
    image = Image.fromarray(pixels)
    out = io.BytesIO()
    if kind == "png":
        info = PngImagePlugin.PngInfo()
        # Pillow writes iTXt by itself when the text is not Latin-1.
        info.add_text("parameters", parameters)
        image.save(out, "PNG", pnginfo=info, compress_level=2)
    elif kind == "jpeg":
        image.save(out, "JPEG", quality=93, subsampling=0, exif=_exif(parameters))
    else:
        image.save(out, "WEBP", quality=92, method=2, exif=_exif(parameters))
    return out.getvalue()


def _exif(parameters: str) -> bytes:
    exif = Image.Exif()
    comment = b"UNICODE\0" + parameters[:_MOST_EXIF_CHARACTERS].encode("utf-16-be", "surrogatepass")
    exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = comment
    return exif.tobytes()


def _one_line(words: str) -> str:
    """Without what a text chunk or its readers cannot hold."""
    clean = words.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
    return "\n".join(row.strip() for row in clean.strip().splitlines() if row.strip())


def _quoted(value: str) -> str:
    return '"' + value.replace('"', "'") + '"'
