"""Which pictures are learned from in which step, at which size, under which words: all of it from the seed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from PIL import Image, ImageOps

from heddle.learning.dataset import Example
from heddle.learning.request import Wanted

#: Sides of a bucket are at most this much longer or shorter than the resolution.
_STRETCH = 2


class Use(IntEnum):
    """What chance is for: each use has its own, so that none depends on what the others drew."""

    ROUND = 0
    WORDS = 1
    NOISE = 2
    WEIGHTS = 3


def chance(seed: int, use: Use, *where: int) -> np.random.Generator:
    """Chance for one use in one place: the same whatever came before, so that a training can go on anywhere."""
    return np.random.default_rng([seed, use, *where])


def bucket(size: tuple[int, int], resolution: int, step: int) -> tuple[int, int]:
    """The size at which a picture is learned from: nearly its shape, about as many pixels as the resolution squared."""
    aspect = min(_STRETCH**2, max(1 / _STRETCH**2, size[0] / size[1]))
    width, height = resolution * math.sqrt(aspect), resolution / math.sqrt(aspect)
    wide = max(step, math.floor(width / step + 0.5) * step)
    high = max(step, math.floor(height / step + 0.5) * step)
    # Rounding both up may make more pixels than were asked for, which may be more than fit into memory.
    while wide * high > resolution**2 and max(wide, high) > step:
        wide, high = (wide - step, high) if wide >= high else (wide, high - step)
    return wide, high


def fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Scaled to fill the bucket; what stands over is cut off evenly."""
    return ImageOps.fit(picture, size, Image.Resampling.LANCZOS)


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture as one step sees it."""

    example: int
    mirrored: bool
    caption: str


class Batches:
    """The batches of a training, one after the other, without end."""

    def __init__(self, examples: Sequence[Example], buckets: Sequence[tuple[int, int]], wanted: Wanted) -> None:
        self._examples = examples
        self._buckets = buckets
        self._wanted = wanted

    def __iter__(self) -> Iterator[list[Seen]]:
        round_, step = 0, 0
        while True:
            for batch in self._round(round_):
                yield [self._see(index, step, place) for place, index in enumerate(batch)]
                step += 1
            round_ += 1

    def _round(self, number: int) -> list[list[int]]:
        """Every picture as often as it repeats, in batches of one bucket each, in a new order each time."""
        order = [index for index, example in enumerate(self._examples) for _ in range(example.repeats)]
        drawn = chance(self._wanted.seed, Use.ROUND, number)
        drawn.shuffle(order)
        rows: dict[tuple[int, int], list[int]] = defaultdict(list)
        made: list[list[int]] = []
        for index in order:
            row = rows[self._buckets[index]]
            row.append(index)
            if len(row) == self._wanted.batch_size:
                made.append(list(row))
                row.clear()
        # Those of a bucket that are too few for a whole batch are learned from as well.
        return made + [row for row in rows.values() if row]

    def _see(self, index: int, step: int, place: int) -> Seen:
        drawn = chance(self._wanted.seed, Use.WORDS, step, place)
        mirrored = self._wanted.flip and bool(drawn.integers(2))
        caption = self._examples[index].caption
        return Seen(index, mirrored, self._shuffled(caption, drawn) if self._wanted.shuffle else caption)

    def _shuffled(self, caption: str, drawn: np.random.Generator) -> str:
        """The parts between commas in another order, but for the first ones that are to stay."""
        parts = [part.strip() for part in caption.split(",")]
        rest = parts[self._wanted.keep :]
        drawn.shuffle(rest)
        return ", ".join(parts[: self._wanted.keep] + rest)
