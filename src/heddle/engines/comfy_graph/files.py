"""Picture files: reading those of strangers, writing results with the graph that made them inside."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from heddle.engines.comfy_graph.values import Masks, Pictures
from heddle.errors import EngineFailed

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF")


def read(data: bytes, most_pixels: int, what: str) -> tuple[Pictures, Masks]:
    """A picture, and what is transparent in it (1), both as batches of one. Raises EngineFailed."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > most_pixels:
                size = f"{image.width}x{image.height}"
                raise EngineFailed(f"{what} has {size} pixels; at most {most_pixels} are taken")
            upright = ImageOps.exif_transpose(image)
            return np.asarray(_colors(upright))[None], _transparency(upright)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise EngineFailed(f"{what} is not a picture that can be read: one of {', '.join(FORMATS)}") from error


def _colors(image: Image.Image) -> Image.Image:
    """Pillow cuts 16-bit gray off at 255 where it should be scaled."""
    if not image.mode.startswith("I"):
        return image.convert("RGB")
    return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)).convert("RGB")


def _transparency(image: Image.Image) -> Masks:
    if image.has_transparency_data:
        alpha = np.asarray(image.convert("RGBA").getchannel("A"), dtype=np.float32)
        return 1 - alpha[None] / np.float32(255)
    return np.zeros((1, image.height, image.width), dtype=np.float32)


def png(picture: Pictures, texts: dict[str, str]) -> bytes:
    """One picture as a PNG with text chunks."""
    info = PngImagePlugin.PngInfo()
    for name, text in texts.items():
        # Pillow writes iTXt by itself when the text is not Latin-1.
        info.add_text(name, text.replace("\0", " "))
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG", pnginfo=info, compress_level=2)
    return out.getvalue()
