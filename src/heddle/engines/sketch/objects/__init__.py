"""The catalogue of things that can be drawn: one decorated function each, in the modules of this package.

A drawing works in its own units: the foot is at 0, 0, it is 100 tall (y from -100 to 0) and 100 * `wide` across.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module

from heddle.engines.sketch.pen import Pen

MODULES = (
    "sitters", "walkers", "birds", "sealife", "people", "portraits", "plants", "buildings", "vehicles", "crafts",
    "household",
    "things", "food", "shapes", "heavens",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How this one of a kind should look."""

    main: str
    second: str | None
    rng: random.Random
    lamps: bool
    season: str
    traits: Mapping[str, str] = field(default_factory=dict[str, str])

    def other(self, fallback: str) -> str:
        """The second colour asked for, or the drawing's own."""
        return self.second or fallback

    def pick(self, *choices: str) -> str:
        """One of several by chance."""
        return self.rng.choice(choices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A row of the catalogue."""

    name: str
    draw: Callable[[Pen, Look], None]
    #: Other words for it, singular.
    words: tuple[str, ...]
    #: Its own colours; one is picked by chance when the prompt asks for none.
    colors: tuple[str, ...]
    #: Width over height.
    wide: float
    #: Height in metres, squeezed when placed: a mouse stays visible beside a house.
    tall: float
    #: Where it belongs: land, water, deep, sky, table.
    place: str
    #: The backdrop it suggests when the prompt names none.
    home: str | None
    #: How high something on top of it stands, as a share of its height; None: nothing stands on it.
    top: float | None
    person: bool
    #: Words it has in common with a backdrop ("mountain"): the thing is meant only with a number or a colour.
    shadow: bool


CATALOG: dict[str, Thing] = {}


def thing(
    name: str,
    words: str = "",
    *,
    colors: str,
    wide: float = 1.0,
    tall: float = 1.0,
    place: str = "land",
    home: str | None = None,
    top: float | None = None,
    person: bool = False,
    shadow: bool = True,
) -> Callable[[Callable[[Pen, Look], None]], Callable[[Pen, Look], None]]:
    """Enter a drawing into the catalogue. `words` are separated by commas, `colors` by spaces."""

    def enter(draw: Callable[[Pen, Look], None]) -> Callable[[Pen, Look], None]:
        synonyms = tuple(word.strip() for word in words.split(",") if word.strip())
        CATALOG[name] = Thing(
            name=name, draw=draw, words=synonyms, colors=tuple(colors.split()), wide=wide, tall=tall, place=place,
            home=home, top=top, person=person, shadow=shadow,
        )  # fmt: skip
        return draw

    return enter


@cache
def catalog() -> Mapping[str, Thing]:
    """Every thing by name."""
    for module in MODULES:
        import_module(f"{__name__}.{module}")
    return CATALOG
