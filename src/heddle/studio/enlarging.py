"""Enlarges planes of numbers.

A picture that is made smaller loses detail, but what is left still says something about it: whatever the large picture
was, it shrinks to the small one. So after Lanczos, edges are steepened where the source has an edge, every value is
held between the darkest and the lightest of its neighbors in the source (no halos), and what the result shrinks to is
compared with the source and the difference given back (back-projection), a few times over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

#: Height, width; 0..255; single precision.
Plane = npt.NDArray[np.floating[Any]]
#: Height, width, channels; 0..255.
Pixels = npt.NDArray[np.uint8]

#: What a neighborhood's range must exceed to have an edge, and how much more makes it a full one.
_FLAT, _RAMP = 20.0, 48.0
#: Fine texture may leave its neighbors' range by this share of it; edges may not.
_SLACK = 0.12
_AMOUNT = 0.9
_ROUNDS, _SHARPENINGS = 6, 3
#: Pictures are worked on in squares of the source, with this much around each: farther than its work reaches.
_TILE, _MARGIN = 256, 16


def enlarge(plane: Plane, factor: int, rounds: int = _ROUNDS) -> Plane:
    """A plane `factor` times as wide and tall."""
    least, most = _neighbors(plane)
    spread = most - least
    edge = np.clip((spread - _FLAT) / _RAMP, 0, 1)
    slack = _SLACK * (1 - edge) * spread
    low, high = _repeated(least - slack, factor), _repeated(most + slack, factor)
    weight = _resized(edge, factor, Image.Resampling.BILINEAR) * np.float32(_AMOUNT)
    made = _resized(plane, factor, Image.Resampling.LANCZOS)
    for step in range(rounds):
        if step < _SHARPENINGS:
            made = np.clip(made + weight * (made - _soft(made, factor)), low, high)
        error = plane - _shrunk(made, factor)
        made = np.clip(made + _resized(error, factor, Image.Resampling.BICUBIC), low, high)
    return made


def enlarge_picture(source: Pixels, factor: int, report: Callable[[float], None]) -> Pixels:
    """Every channel by itself, square by square, so that a large picture needs little memory."""
    height, width, channels = source.shape
    made = np.empty((height * factor, width * factor, channels), np.uint8)
    spots = list(_tiles(height, width))
    for done, (rows, columns) in enumerate(spots):
        top, left = max(0, rows.start - _MARGIN), max(0, columns.start - _MARGIN)
        around = source[top : rows.stop + _MARGIN, left : columns.stop + _MARGIN]
        inside = (_larger(rows, top, factor), _larger(columns, left, factor))
        for channel in range(channels):
            plane = enlarge(around[:, :, channel].astype(np.float32), factor)[inside]
            made[_larger(rows, 0, factor), _larger(columns, 0, factor), channel] = _bytes(plane)
        report((done + 1) / len(spots))
    return made


def enlarge_frame(source: Pixels, factor: int) -> Pixels:
    """A frame of a video: detail goes into the brightness only, which is what eyes and codecs keep."""
    size = (source.shape[1] * factor, source.shape[0] * factor)
    smooth = np.asarray(Image.fromarray(source).resize(size, Image.Resampling.LANCZOS)).astype(np.float32)
    detail = enlarge(_brightness(source.astype(np.float32)), factor, rounds=4) - _brightness(smooth)
    return _bytes(smooth + detail[:, :, None])


def _tiles(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            yield slice(top, min(height, top + _TILE)), slice(left, min(width, left + _TILE))


def _larger(part: slice, origin: int, factor: int) -> slice:
    return slice((part.start - origin) * factor, (part.stop - origin) * factor)


def _neighbors(plane: Plane) -> tuple[Plane, Plane]:
    """The least and the most of each value and the eight around it."""
    rows = np.pad(plane, 1, mode="edge")
    down = (rows[:-2], rows[1:-1], rows[2:])
    least, most = np.minimum(np.minimum(down[0], down[1]), down[2]), np.maximum(np.maximum(down[0], down[1]), down[2])
    return (
        np.minimum(np.minimum(least[:, :-2], least[:, 1:-1]), least[:, 2:]),
        np.maximum(np.maximum(most[:, :-2], most[:, 1:-1]), most[:, 2:]),
    )


def _repeated(plane: Plane, factor: int) -> Plane:
    return np.repeat(np.repeat(plane, factor, axis=0), factor, axis=1)


def _resized(plane: Plane, factor: int, how: Image.Resampling) -> Plane:
    image = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    return np.asarray(image.resize((image.width * factor, image.height * factor), how))


def _shrunk(plane: Plane, factor: int) -> Plane:
    return np.asarray(Image.fromarray(np.ascontiguousarray(plane)).reduce(factor))


def _soft(plane: Plane, factor: int) -> Plane:
    """Blurred by about a pixel of the source."""
    soft = plane
    for _ in range(factor - 1):
        rows = np.pad(soft, ((1, 1), (0, 0)), mode="edge")
        soft = (rows[:-2] + 2 * rows[1:-1] + rows[2:]) * np.float32(0.25)
        columns = np.pad(soft, ((0, 0), (1, 1)), mode="edge")
        soft = (columns[:, :-2] + 2 * columns[:, 1:-1] + columns[:, 2:]) * np.float32(0.25)
    return soft


def _brightness(pixels: Plane) -> Plane:
    return pixels @ np.array([0.299, 0.587, 0.114], dtype=np.float32)


def _bytes(values: Plane) -> Pixels:
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)
