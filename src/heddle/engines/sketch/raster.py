"""From SVG to pixels (resvg)."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import resvg_py
from PIL import Image

#: Height, width, 3 channels, 0..255.
Pixels = npt.NDArray[np.uint8]


def render(svg: str) -> Pixels:
    """Opaque pixels."""
    with Image.open(io.BytesIO(_png(svg))) as image:
        return np.asarray(image.convert("RGB"))


def render_layer(svg: str) -> npt.NDArray[np.uint8]:
    """Pixels with alpha."""
    with Image.open(io.BytesIO(_png(svg))) as image:
        return np.asarray(image.convert("RGBA"))


def _png(svg: str) -> bytes:
    # No fonts: nothing that is drawn has letters, and a machine's fonts would make pictures differ.
    made: Any = resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True)
    return bytes(made)
