"""A picture goes through a model tile by tile, and no seam shows.

    source    |<-------- tile -------->|
                              |<-------- tile -------->|
    weights   1 1 1 1 1 1 1 1 1 1 \\ 0 0                    what both have is cut in the middle, where one turns into
                              0 0 / 1 1 1 1 1 1 1 1 1 1    the other over half of `overlap`: weights add up to 1 there

Along its sides a model makes something else of a tile, since it does not see what comes next; so a quarter of `overlap`
at least is thrown away on either side.

Tiles are of one size, as few as can be, and no larger than those few need to be. A row of tiles is joined in single
precision, and the lines that no later row touches are let go as bytes, so that a picture of any size needs the memory
of two rows of tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

#: Height, width, channels; 0..255.
Pixels = npt.NDArray[np.uint8]
#: The same in 0..1.
Values = npt.NDArray[np.floating[Any]]

#: Makes a tile larger, by a factor that is the same for all.
Enlarge = Callable[[Pixels], Values]


@dataclass(frozen=True, slots=True)
class Span:
    """A tile along one axis: where it begins and ends in the source, and the middle of what it shares with others."""

    start: int
    stop: int
    before: float | None
    after: float | None

    def weights(self, factor: int, overlap: int) -> npt.NDArray[np.float32]:
        """Of each pixel of the enlarged tile."""
        # Where the centers of its pixels lie in the source.
        at = self.start + (np.arange((self.stop - self.start) * factor, dtype=np.float64) + 0.5) / factor
        made = np.ones(len(at))
        if self.before is not None:
            made *= _ramp(at - self.before, overlap / 2)
        if self.after is not None:
            made *= 1 - _ramp(at - self.after, overlap / 2)
        return made.astype(np.float32)


def _ramp(away: npt.NDArray[np.float64], width: float) -> npt.NDArray[np.float64]:
    """From 0 to 1 where `away` passes 0."""
    return np.clip(away / width + 0.5, 0, 1) if width else (away > 0).astype(np.float64)


def spans(length: int, tile: int, overlap: int) -> list[Span]:
    """The fewest tiles of `tile` pixels at most that cover a side and share at least `overlap` pixels."""
    if length <= tile:
        return [Span(0, length, None, None)]
    count = 1 + -(-(length - tile) // (tile - overlap))
    size = -(-(length + (count - 1) * overlap) // count)
    starts = [round(i * (length - size) / (count - 1)) for i in range(count)]
    middles = [(start + size + following) / 2 for start, following in pairwise(starts)]
    return [
        Span(start, start + size, before, after)
        for start, before, after in zip(starts, [None, *middles], [*middles, None], strict=True)
    ]


def count(size: tuple[int, int], tile: int, overlap: int) -> int:
    """How many tiles a picture of so many lines and columns has."""
    height, width = size
    return len(spans(height, tile, overlap)) * len(spans(width, tile, overlap))


def enlarged(source: Pixels, enlarge: Enlarge, factor: int, tile: int, overlap: int) -> Pixels:
    """`source`, `factor` times as wide and tall."""
    height, width, channels = source.shape
    rows, columns = spans(height, tile, overlap), spans(width, tile, overlap)
    made = np.empty((height * factor, width * factor, channels), np.uint8)
    for top, lines in _joined(_bands(source, enlarge, factor, rows, columns, overlap), rows, factor):
        made[top : top + len(lines)] = np.clip(lines * 255 + 0.5, 0, 255).astype(np.uint8)
    return made


def _bands(
    source: Pixels, enlarge: Enlarge, factor: int, rows: Sequence[Span], columns: Sequence[Span], overlap: int
) -> Iterator[Values]:
    """Each row of tiles, joined from left to right and weighted from top to bottom."""
    _, width, channels = source.shape
    for row in rows:
        band = np.zeros(((row.stop - row.start) * factor, width * factor, channels), np.float32)
        for column in columns:
            piece = enlarge(source[row.start : row.stop, column.start : column.stop])
            part = band[:, column.start * factor : column.stop * factor]
            part += piece * column.weights(factor, overlap)[None, :, None]
        band *= row.weights(factor, overlap)[:, None, None]
        yield band


def _joined(bands: Iterator[Values], rows: Sequence[Span], factor: int) -> Iterator[tuple[int, Values]]:
    """Lines that are done, and where the first of them lies."""
    rest: Values | None = None
    for index, (row, band) in enumerate(zip(rows, bands, strict=True)):
        if rest is not None:
            band[: len(rest)] += rest
        end = rows[index + 1].start if index + 1 < len(rows) else row.stop
        done = (end - row.start) * factor
        yield row.start * factor, band[:done]
        rest = band[done:]
