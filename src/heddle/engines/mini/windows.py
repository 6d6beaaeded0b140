"""How a picture of any size is painted by a model that knows one: in which cells, and in how many windows.

Imports nothing heavy: prices are made of this too.
"""

from __future__ import annotations

import math

#: Pixels along a cell, which is a patch of the codec; cells along a window, which is what a plan has.
PATCH, CELLS = 16, 16

#: Pixels along a window, and of the shorter side of what is painted.
NATIVE = CELLS * PATCH


def cells(width: int, height: int) -> tuple[int, int]:
    """Down and across, of the canvas for a picture of so many pixels."""
    scale = NATIVE / min(width, height)
    return math.ceil(height * scale / PATCH), math.ceil(width * scale / PATCH)


def starts(side: int) -> list[int]:
    """Where windows begin along a side of so many cells: at most half a window apart, the first and the last at its
    ends."""
    free = side - CELLS
    count = math.ceil(free / (CELLS // 2)) + 1
    return [round(free * at / (count - 1)) for at in range(count)] if count > 1 else [0]


def count(width: int, height: int) -> int:
    """How many a picture of so many pixels is painted in."""
    down, across = cells(width, height)
    return len(starts(down)) * len(starts(across))
