"""Larger and smaller: pictures and masks through Pillow's filters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image

from heddle.engines.comfy_graph.values import Masks, Pictures
from heddle.graph import Size

_FILTERS: Mapping[str, Image.Resampling] = {
    "nearest-exact": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "area": Image.Resampling.BOX,
    "bicubic": Image.Resampling.BICUBIC,
    "bislerp": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def pictures(given: Pictures, size: Size, method: str, crop: str = "disabled") -> Pictures:
    """A batch at another size."""
    cut = centered(given, size.width, size.height) if crop == "center" else given
    if cut.shape[1:3] == (size.height, size.width):
        return cut
    side = (size.width, size.height)
    return np.stack([np.asarray(Image.fromarray(one).resize(side, _FILTERS[method])) for one in cut])


def masks(given: Masks, width: int, height: int) -> Masks:
    """A batch of masks at another size."""
    if given.shape[1:] == (height, width):
        return given
    side = (width, height)
    scaled = [np.asarray(Image.fromarray(one).resize(side, Image.Resampling.BILINEAR)) for one in given]
    return np.clip(np.stack(scaled), 0, 1)


def centered(given: Pictures, width: int, height: int) -> Pictures:
    """The largest middle part that has the shape of this size."""
    high, wide = given.shape[1:3]
    new_wide = min(wide, max(1, round(high * width / height)))
    new_high = min(high, max(1, round(wide * height / width)))
    return cut_out(given, new_wide, new_high)


def cut_out(given: Pictures, width: int, height: int) -> Pictures:
    """The middle part of just this size."""
    high, wide = given.shape[1:3]
    top, left = (high - height) // 2, (wide - width) // 2
    return given[:, top : top + height, left : left + width]
