"""The plan of a picture: what is where, on 16 x 16 cells. It has the boxes of things and not their outlines.

Channels of a cell, in this order: how much of each of its four quarters is covered by boxes (-1 none, 1 all); what
kind it is, as one of 24 rows of a Hadamard matrix, times the cover; its colour (-1..1) and whether it has that colour
(1) or its own (-1), times the cover; and which part of the box it is (across and down, -1..1), times the cover.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heddle.engines.mini import windows

CELLS = windows.CELLS
QUARTERS = 4
CODE = 12
CHANNELS = QUARTERS + CODE + 3 + 1 + 2

#: What a painter sees of a plan beside the plan: for each place in a thing's box the products of these waves across and
#: down (1, the place itself, a sine and a cosine of each rate), for any kind and times each number of the kind's code.
#: A linear layer of that is a Fourier series for each kind: a thing's parts need not be found by convolutions.
RATES = (np.pi, 2 * np.pi)
WAVES = 2 + 2 * len(RATES)
PARTS = (1 + CODE) * WAVES**2
#: Where less is covered, the place in the thing is not known better than this; and no place is farther than that.
LEAST_COVER, FARTHEST = 0.25, 1.2

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


def parts(layout: Floats) -> Floats:
    """Plans (B, H, W, 22) as what of which kind each cell shows (B, H, W, 468)."""
    cover = np.clip((layout[..., :QUARTERS].mean(axis=-1, keepdims=True) + 1) / 2, 0, 1)
    spot = np.clip(layout[..., -2:] / np.maximum(cover, LEAST_COVER), -FARTHEST, FARTHEST)
    turns = spot[..., None] * np.array(RATES, dtype=np.float32)
    waves = np.concatenate([np.ones_like(turns[..., :1]), spot[..., None], np.sin(turns), np.cos(turns)], axis=-1)
    over = (waves[..., 0, :, None] * waves[..., 1, None, :]).reshape(*cover.shape[:-1], 1, -1)
    kind = np.concatenate([cover, layout[..., QUARTERS : QUARTERS + CODE]], axis=-1)
    return (kind[..., None] * over).reshape(*cover.shape[:-1], PARTS)
