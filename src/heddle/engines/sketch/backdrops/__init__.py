"""The catalogue of backdrops: one decorated function each, in the modules of this package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from heddle.engines.sketch.pen import Pen
from heddle.engines.sketch.scene import Scene

MODULES = ("land", "wild", "waters", "towns", "inside", "beyond")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backdrop:
    """What compose needs to know of a backdrop, and how it is drawn. Heights are shares of the frame, from the top."""

    name: str
    draw: Callable[[Pen, Scene], None]
    words: tuple[str, ...]
    #: Where sky and land meet.
    horizon: float
    #: Where things can stand: the farthest and the nearest line.
    ground: tuple[float, float]
    #: Where boats float; None: there is no water here.
    water: tuple[float, float] | None
    #: Things hang in it instead of standing (space, the deep sea).
    floating: bool
    #: It has a sky with sun, moon and clouds.
    sky: bool
    #: The hour it is shown at when the prompt names none.
    time: str


BACKDROPS: dict[str, Backdrop] = {}


def backdrop(
    name: str,
    words: str = "",
    *,
    horizon: float = 0.58,
    ground: tuple[float, float] = (0.68, 0.93),
    water: tuple[float, float] | None = None,
    floating: bool = False,
    sky: bool = True,
    time: str = "day",
) -> Callable[[Callable[[Pen, Scene], None]], Callable[[Pen, Scene], None]]:
    """Enter a backdrop into the catalogue; `words` are separated by commas."""

    def enter(draw: Callable[[Pen, Scene], None]) -> Callable[[Pen, Scene], None]:
        synonyms = tuple(word.strip() for word in words.split(",") if word.strip())
        BACKDROPS[name] = Backdrop(
            name=name, draw=draw, words=synonyms, horizon=horizon, ground=ground, water=water, floating=floating,
            sky=sky, time=time,
        )  # fmt: skip
        return draw

    return enter


@cache
def backdrops() -> Mapping[str, Backdrop]:
    """Every backdrop by name."""
    for module in MODULES:
        import_module(f"{__name__}.{module}")
    return BACKDROPS
