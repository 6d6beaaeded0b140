"""The catalog of sources: what can be heard, the words for it, and the function that makes it.

A source is a function in a module of this package. It puts its sound on a canvas, at any level: the mix brings every
source to the loudness that its row and the prompt ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from heddle.engines.soundscape.canvas import Canvas

Paint = Callable[[Canvas], None]

MODULES = ("weather", "water", "animals", "birds", "insects", "people", "house", "bells", "machines", "noises")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One source."""

    name: str
    words: tuple[str, ...]
    paint: Paint
    #: How much louder or softer than others it stands in a mix, dB.
    trim: float
    #: Whether a number before it counts its strikes ("three knocks") and not those who make it ("three dogs").
    strikes: bool
    group: str


_ROWS: dict[str, Row] = {}


def source(name: str, words: str = "", *, trim: float = 0.0, strikes: bool = False) -> Callable[[Paint], Paint]:
    """Enter a source; `words` are further words for it, with commas between them."""

    def enter(paint: Paint) -> Paint:
        assert name not in _ROWS
        known = (name, *(word for word in words.split(", ") if word))
        group = paint.__module__.rpartition(".")[2]
        _ROWS[name] = Row(name=name, words=known, paint=paint, trim=trim, strikes=strikes, group=group)
        return paint

    return enter


@cache
def catalog() -> Mapping[str, Row]:
    """Every source by its name."""
    for module in MODULES:
        import_module(f"{__name__}.{module}")
    return dict(_ROWS)
