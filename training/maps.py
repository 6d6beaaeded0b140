"""Labels of scenes: the plan that the layout learns to make, and what the checker learns to see."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heddle.engines.mini.plan import CELLS, CHANNELS, CODE, QUARTERS, codes
from training.pictures import SIDE, Plane
from training.scenes import COLOR_NAMES, COLORS, NAMES, Scene

Covers = list[tuple[Plane, tuple[float, float, float]]]
_CODES = codes()


def plan(scene: Scene, covers: Covers) -> npt.NDArray[np.float32]:
    """The plan of a scene: 16, 16, channels."""
    fine = CELLS * 2
    made = np.zeros((CELLS, CELLS, CHANNELS), dtype=np.float32)
    covered = np.zeros((fine, fine), dtype=np.float32)
    at = 0
    spots = (np.arange(fine, dtype=np.float32) + 0.5) / fine
    for group in scene.groups:
        for box in group.boxes:
            cover, mean = covers[at]
            at += 1
            share = cover.reshape(fine, SIDE // fine, fine, SIDE // fine).mean(axis=(1, 3))
            color = _rgb(COLORS[group.color]) if group.color is not None else mean
            across = np.clip((spots - box.x) / box.wide * 2, -1, 1) * (-1 if box.flip else 1)
            down = np.clip((spots - box.y) / box.high * 2, -1, 1)
            cell = _coarse(share)
            row = np.concatenate([_CODES[NAMES.index(group.kind)], np.array(color, dtype=np.float32) * 2 - 1])
            made[:, :, QUARTERS : QUARTERS + CODE + 3] *= 1 - cell[:, :, None]
            made[:, :, QUARTERS : QUARTERS + CODE + 3] += cell[:, :, None] * row
            made[:, :, -2:] *= 1 - cell[:, :, None]
            made[:, :, -2] += _coarse(share * across[None, :])
            made[:, :, -1] += _coarse(share * down[:, None])
            covered = np.maximum(covered, share)
    quarters = covered.reshape(CELLS, 2, CELLS, 2).transpose(0, 2, 1, 3).reshape(CELLS, CELLS, QUARTERS)
    made[:, :, :QUARTERS] = quarters * 2 - 1
    return made


def _coarse(values: Plane) -> Plane:
    return values.reshape(CELLS, 2, CELLS, 2).mean(axis=(1, 3))


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


def told_by(made: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """What a plan says (16, 16, channels): the kind of each cell, 0 none, and how near it is to each colour."""
    cover = (made[:, :, :QUARTERS].mean(axis=2) + 1) / 2
    kinds = (made[:, :, QUARTERS : QUARTERS + CODE] @ _CODES.T).argmax(axis=2) + 1
    kinds[cover < 0.35] = 0
    color = made[:, :, QUARTERS + CODE : QUARTERS + CODE + 3] / np.maximum(cover, 0.3)[:, :, None]
    rows = np.array([_rgb(value) for value in COLORS.values()], dtype=np.float32) * 2 - 1
    return kinds, -((color[:, :, None] - rows) ** 2).sum(axis=3).transpose(2, 0, 1)
