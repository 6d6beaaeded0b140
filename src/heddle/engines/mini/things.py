"""What is in a picture, as up to four things, each a row of numbers that noise can be added to and taken from.

Numbers of a thing, in this order: whether it is there (-1 no, 1 yes); its kind, as one of 24 rows of a Hadamard matrix;
its colour (-1..1) and whether it has that colour (1) or its own (-1, and the colour is 0); the middle, width and height
of its box; and whether it is mirrored. Of what is not there all numbers but the first are 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from heddle.engines.mini import plan, tokens
from heddle.engines.mini.plan import CELLS, CODE, Floats

#: Which cells belong to something.
Plane = npt.NDArray[np.bool_]

MOST = tokens.MOST
NUMBERS = 1 + CODE + 3 + 1 + 4 + 1
SHAPE = (MOST, NUMBERS)

_KIND = slice(1, 1 + CODE)
_COLOR = slice(_KIND.stop, _KIND.stop + 3)
_TINTED = _COLOR.stop
_BOX = slice(_TINTED + 1, _TINTED + 5)
_FLIP = _BOX.stop
#: Boxes (middle, width, height: shares of the frame) become numbers of about the spread of noise.
_MEAN, _SPREAD = (
    np.array([0.5, 0.5, 0.33, 0.33], dtype=np.float32),
    np.array([0.25, 0.25, 0.15, 0.15], dtype=np.float32),
)
#: In a plan: where kinds are coded, and where colours are and whether they are the thing's own.
_CODED = slice(plan.QUARTERS, plan.QUARTERS + CODE)
_PAINTED = range(_CODED.stop, _CODED.stop + 4)
#: A cell shows a thing where so much is covered, and a thing covers so many cells.
_SHOWN, _LEAST_CELLS = 0.2, 1.5
#: A region is cut where its cells are farther off than this, each on average, and two boxes leave so little of that.
_UNFIT, _BETTER = 0.12, 0.6
#: Numbers of a thing are within this, whatever a network gives.
_WIDEST = 10.0
#: Colours are the same where none of their numbers is farther off.
_NEAR = 0.25
_CODES = plan.codes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One thing of a picture."""

    #: Which of the 24.
    kind: int
    #: Red, green, blue (0..1); None: its own.
    color: tuple[float, float, float] | None
    #: Middle, width and height, in shares of the frame.
    x: float
    y: float
    wide: float
    high: float
    flip: bool


def numbers(things: Sequence[Thing]) -> Floats:
    """Things as rows (4, 22)."""
    made = np.zeros(SHAPE, dtype=np.float32)
    made[:, 0] = -1
    for row, thing in zip(made, things, strict=False):
        row[0] = 1
        row[_KIND] = _CODES[thing.kind]
        row[_TINTED] = -1 if thing.color is None else 1
        if thing.color is not None:
            row[_COLOR] = np.array(thing.color) * 2 - 1
        row[_BOX] = (np.array([thing.x, thing.y, thing.wide, thing.high]) - _MEAN) / _SPREAD
        row[_FLIP] = 1 if thing.flip else -1
    return made


def read(rows: Floats) -> list[Thing]:
    """What rows (4, 22) say is there, whatever noise is left in them."""
    return list(_things(np.clip(np.nan_to_num(rows), -_WIDEST, _WIDEST)))


def _things(rows: Floats) -> Iterator[Thing]:
    for row in rows:
        if not row[0] > 0:
            continue
        red, green, blue = (_share(float(value)) for value in row[_COLOR])
        x, y, wide, high = (float(value) for value in row[_BOX] * _SPREAD + _MEAN)
        yield Thing(
            kind=int((_CODES @ row[_KIND]).argmax()), color=(red, green, blue) if row[_TINTED] > 0 else None,
            x=min(max(x, 0.0), 1.0), y=min(max(y, 0.0), 1.0), wide=min(max(wide, 0.05), 1.0),
            high=min(max(high, 0.05), 1.0), flip=bool(row[_FLIP] > 0),
        )  # fmt: skip


def found(made: Floats) -> list[Thing]:
    """The things of a plan (22, down, across), largest first: cells that touch and show the parts of one box."""
    cover = np.clip((made[: plan.QUARTERS].mean(axis=0) + 1) / 2, 0, 1)
    kinds = np.where(cover > _SHOWN, np.tensordot(_CODES, made[_CODED], axes=1).argmax(axis=0), -1)
    regions = [cover * part for region in _regions(kinds) for part in _split(made, cover * region)]
    shown = sorted((region for region in regions if region.sum() >= _LEAST_CELLS), key=lambda one: -float(one.sum()))
    return [_of_region(made, region, kinds) for region in shown]


def _split(made: Floats, cover: Floats) -> list[Plane]:
    """A region as it is, or cut in two, and those again, where two boxes fit what its cells say and one does not."""
    inside: Plane = cover > 0
    whole, total = _unfit(made, cover), float(cover.sum())
    if total < 2 * _LEAST_CELLS or whole <= _UNFIT * total:
        return [inside]
    across: Floats = np.zeros_like(cover) + np.arange(cover.shape[1], dtype=np.float32)
    down: Floats = np.zeros_like(cover) + np.arange(cover.shape[0], dtype=np.float32)[:, None]
    sides: list[Plane] = [
        inside & (places < at) for places in (across, down) for at in range(1, len(cover) + cover.shape[1])
    ]
    sides = [side for side in sides if side.any() and (inside & ~side).any()]
    cuts = [(_unfit(made, cover * side) + _unfit(made, cover * (inside & ~side)), at) for at, side in enumerate(sides)]
    least, best = min(cuts, default=(math.inf, 0))
    if least > _BETTER * whole:
        return [inside]
    return [part for side in (sides[best], inside & ~sides[best]) for part in _split(made, cover * side)]


def _unfit(made: Floats, cover: Floats) -> float:
    """How far off what cells say, of their place in a box and of colour, is from what they would in one box of one
    colour: squares, summed over what is covered."""
    total = float(cover.sum())
    if total < _LEAST_CELLS:
        # So little is a thing's edge, which the cut that leaves it over did not fit.
        return total
    off = 0.0
    for axis, place in ((0, made[-2]), (1, made[-1])):
        share = np.clip(cover.max(axis=axis), 0, 1)
        at = np.arange(len(share), dtype=np.float32) + 0.5
        middle, half = float((share * at).sum() / share.sum()), float(share.sum()) / 2
        want = np.clip((at - middle) / half, -1, 1)
        want = cover * (want[None, :] if axis == 0 else want[:, None])
        said = place * (cover > 0)
        ways = [float(((said - turn * want) ** 2).sum()) for turn in ((1, -1) if axis == 0 else (1,))]
        off += min(ways)
    tints = made[_PAINTED.start : _PAINTED.stop] * (cover > 0)
    mean = tints.sum(axis=(1, 2)) / total
    return off + float(((tints - mean[:, None, None] * cover) ** 2).sum())


def _regions(kinds: npt.NDArray[np.int64]) -> Iterator[Plane]:
    """Cells that touch and are of one kind, as a plane each."""
    left = kinds >= 0
    while left.any():
        start = tuple(int(place[0]) for place in np.nonzero(left))
        region, edge = np.zeros_like(left), [start]
        while edge:
            y, x = edge.pop()
            if 0 <= y < left.shape[0] and 0 <= x < left.shape[1] and left[y, x] and kinds[y, x] == kinds[start]:
                left[y, x], region[y, x] = False, True
                edge += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
        yield region


def _of_region(made: Floats, cover: Floats, kinds: npt.NDArray[np.int64]) -> Thing:
    """A box covers each of its columns as far as its widest row does, and each row as its tallest column."""
    across, down = np.clip(cover.max(axis=0), 0, 1), np.clip(cover.max(axis=1), 0, 1)
    x, y = (float((share * (np.arange(len(share)) + 0.5)).sum() / share.sum()) for share in (across, down))
    weight = cover / cover.sum()
    red, green, blue, tinted = (float((made[at] * weight).sum() / (cover * weight).sum()) for at in _PAINTED)
    # Which part of the box is shown rises from left to right, or falls.
    lean: Floats = made[-2] * weight * (np.arange(cover.shape[1], dtype=np.float32) + 0.5 - x)
    return Thing(
        kind=int(kinds[np.unravel_index(int(cover.argmax()), cover.shape)]),
        color=(_share(red), _share(green), _share(blue)) if tinted > 0 else None,
        x=x / cover.shape[1], y=y / cover.shape[0], wide=min(1.0, float(across.sum()) / CELLS),
        high=min(1.0, float(down.sum()) / CELLS), flip=bool(lean.sum() < 0),
    )  # fmt: skip


def _share(value: float) -> float:
    return min(max((value + 1) / 2, 0.0), 1.0)


def crowding(things: Sequence[Thing]) -> float:
    """How much things hide of one another: over all pairs, which part of the smaller one's box the other covers."""
    return sum(_shared(one, other) for one, other in combinations(things, 2))


def _shared(one: Thing, other: Thing) -> float:
    across = min((one.wide + other.wide) / 2 - abs(one.x - other.x), one.wide, other.wide)
    down = min((one.high + other.high) / 2 - abs(one.y - other.y), one.high, other.high)
    return max(across, 0) * max(down, 0) / min(one.wide * one.high, other.wide * other.high)


def certain(looks: Sequence[Sequence[Thing]]) -> list[Thing]:
    """Of several answers to one text, what is in all of them: kinds in a colour, or else kinds in any."""
    first = looks[0]
    tinted = [thing for thing in first if thing.color is not None and all(_has(look, thing) for look in looks)]
    told = {thing.kind for thing in tinted}
    others = [kind for kind in range(len(_CODES)) if all(any(t.kind == kind for t in look) for look in looks)]
    any_color = {thing.kind: replace(thing, color=None) for thing in first if thing.kind in others}
    return [*tinted, *(thing for kind, thing in sorted(any_color.items()) if kind not in told)]


def _has(look: Sequence[Thing], thing: Thing) -> bool:
    return any(_meant(other, thing) for other in look)


def without(things: Sequence[Thing], unwanted: Sequence[Thing]) -> list[Thing]:
    """Things less those that are unwanted; of an unwanted thing without a colour those of any."""
    return [thing for thing in things if not any(_meant(thing, other) for other in unwanted)]


def _meant(thing: Thing, unwanted: Thing) -> bool:
    if thing.kind != unwanted.kind or unwanted.color is None:
        return thing.kind == unwanted.kind
    return thing.color is not None and max(abs(a - b) for a, b in zip(thing.color, unwanted.color, strict=True)) < _NEAR


def planned(things: Sequence[Thing], cells: tuple[int, int] = (CELLS, CELLS)) -> Floats:
    """The plan (22, down, across) of things: their middles in shares of the frame, their sizes in shares of the shorter
    side, so that they are as large on a long canvas as on a square one."""
    made = np.zeros((plan.CHANNELS, *cells), dtype=np.float32)
    covered = np.zeros((cells[0] * 2, cells[1] * 2), dtype=np.float32)
    for thing in things:
        across, u = _along(thing.x * cells[1], thing.wide * CELLS, cells[1])
        down, v = _along(thing.y * cells[0], thing.high * CELLS, cells[0])
        row = np.zeros(CODE + 4, dtype=np.float32)
        row[:CODE] = _CODES[thing.kind]
        row[CODE + 3] = -1 if thing.color is None else 1
        if thing.color is not None:
            row[CODE : CODE + 3] = np.array(thing.color) * 2 - 1
        cell = np.outer(_coarse(down), _coarse(across))
        made[plan.QUARTERS :] *= 1 - cell
        made[plan.QUARTERS : -2] += row[:, None, None] * cell
        made[-2] += np.outer(_coarse(down), _coarse(across * u) * (-1 if thing.flip else 1))
        made[-1] += np.outer(_coarse(down * v), _coarse(across))
        covered = np.maximum(covered, np.outer(down, across))
    quarters = covered.reshape(cells[0], 2, cells[1], 2).transpose(1, 3, 0, 2).reshape(plan.QUARTERS, *cells)
    made[: plan.QUARTERS] = quarters * 2 - 1
    return made


def _along(middle: float, size: float, cells: int) -> tuple[Floats, Floats]:
    """Along a side, of each half of a cell: how much of it a box covers, and which part of the box (-1..1) that is."""
    edges = np.arange(cells * 2 + 1, dtype=np.float32) / 2
    low = np.maximum(edges[:-1], middle - size / 2)
    high = np.minimum(edges[1:], middle + size / 2)
    share: Floats = np.maximum(high - low, 0).astype(np.float32) * 2
    place: npt.NDArray[np.float32] = np.clip(((low + high) / 2 - middle) / (size / 2), -1, 1).astype(np.float32)
    return share, place


def _coarse(halves: Floats) -> Floats:
    return halves.reshape(-1, 2).mean(axis=1)
