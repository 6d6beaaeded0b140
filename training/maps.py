"""Labels of scenes: the things that the layout learns to place, and what the checker learns to see."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heddle.engines.mini.plan import CELLS
from heddle.engines.mini.things import Thing
from training.pictures import SIDE, Plane
from training.scenes import COLOR_NAMES, COLORS, NAMES, Scene

Covers = list[tuple[Plane, tuple[float, float, float]]]


def things(scene: Scene) -> list[Thing]:
    """What is in a scene, in the order of its groups, and of each from the left."""
    return [
        Thing(
            kind=NAMES.index(group.kind), color=None if group.color is None else _rgb(COLORS[group.color]), x=box.x,
            y=box.y, wide=box.wide, high=box.high, flip=box.flip,
        )
        for group in scene.groups
        for box in sorted(group.boxes, key=lambda box: box.x)
    ]  # fmt: skip


def _rgb(color: str) -> tuple[float, float, float]:
    return (int(color[1:3], 16) / 255, int(color[3:5], 16) / 255, int(color[5:7], 16) / 255)


def seen(scene: Scene, covers: Covers) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """What the checker is to see on 16 x 16 cells: kinds (0 none), colours (0 unsaid), and the things' middles."""
    kinds = np.zeros((CELLS, CELLS), dtype=np.int64)
    colors = np.zeros((CELLS, CELLS), dtype=np.int64)
    middles = np.zeros((CELLS, CELLS), dtype=np.float32)
    cells = (np.arange(CELLS, dtype=np.float32) + 0.5) / CELLS
    at = 0
    for group in scene.groups:
        for box in group.boxes:
            cover = covers[at][0].reshape(CELLS, SIDE // CELLS, CELLS, SIDE // CELLS).mean(axis=(1, 3))
            at += 1
            inside = cover > 0.4
            kinds[inside] = NAMES.index(group.kind) + 1
            colors[inside] = 0 if group.color is None else COLOR_NAMES.index(group.color) + 1
            far = (cells[None, :] - box.x) ** 2 + (cells[:, None] - box.y) ** 2
            middles = np.maximum(middles, np.exp(-far / (2 * 0.035**2)).astype(np.float32))
    return kinds, colors, middles
