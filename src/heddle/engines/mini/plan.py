"""The plan of a picture: what is where, on 16 x 16 cells, as numbers that noise can be added to and taken from.

Channels of a cell, in this order: how much of each of its four quarters is covered by things (-1 none, 1 all); what
kind it is, as one of 24 rows of a Hadamard matrix, times the cover; its colour (-1..1), times the cover; and which part
of the thing it is (across and down its box, -1..1), times the cover.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

CELLS = 16
QUARTERS = 4
CODE = 12
CHANNELS = QUARTERS + CODE + 3 + 2

Floats = npt.NDArray[np.float32]


def codes() -> Floats:
    """A row for each kind (24, 12): two are equal in half of their places, or are each other's opposite."""
    residues = {1, 3, 4, 5, 9}  # the squares modulo 11 (Paley's construction)
    rows = np.ones((12, 12), dtype=np.float32)
    for row in range(1, 12):
        for column in range(1, 12):
            at = (column - row) % 11
            rows[row, column] = 1.0 if at in residues else -1.0
    return np.concatenate([rows, -rows])
