"""The scene: pure data between the words and the drawing. It can be made without any prompt.

Lengths are scene units: the shorter side of the frame is 1000 of them, whatever the pixels are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from heddle.engines.sketch.color import RGB

#: The shorter side of every scene, in scene units.
UNIT = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """The colours of a scene and what its light does to surfaces."""

    sky: tuple[str, str, str]
    sun: str
    ground: str
    far: str
    foliage: str
    water: str
    haze: str
    accents: tuple[str, ...]
    tint: RGB = (1.0, 1.0, 1.0)
    #: Dark enough for stars, lamps and lit windows.
    night: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One thing in the frame: its foot (the middle of its lower edge) stands at x, y and it is `height` tall."""

    kind: str
    x: float
    y: float
    height: float
    #: The colours the prompt asked for; empty: the thing's own.
    colors: tuple[str, ...] = ()
    #: Small differences between two of a kind.
    seed: int = 0
    flip: bool = False
    turn: float = 0.0
    #: How far away it looks: 0 near, 1 lost in haze.
    haze: float = 0.0
    #: It stands on something and throws a shadow there.
    grounded: bool = True
    #: Painted later than what has a smaller one.
    order: float = 0.0
    #: Other wishes by name, such as `hair`.
    traits: tuple[tuple[str, str], ...] = ()
    #: Somebody asked for it; the rest is decoration.
    asked: bool = True
    #: It floats on water.
    afloat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything that is drawn."""

    width: float
    height: float
    backdrop: str
    palette: Palette
    things: tuple[Placed, ...] = ()
    #: What hangs in the sky behind all land: sun, moon, clouds.
    heavens: tuple[Placed, ...] = ()
    style: str = "illustration"
    time: str = "day"
    season: str = "summer"
    weather: frozenset[str] = frozenset()
    #: Kinds that must not appear, not even as decoration.
    without: frozenset[str] = frozenset()
    seed: int = 0
    #: 0.4 (few strokes) to 1.3 (many).
    detail: float = 1.0
    #: Where the sky ends, from the top.
    horizon: float = 500.0
    #: A colour asked for the backdrop itself ("blue background").
    backdrop_color: str | None = None
    #: Seconds; waves, clouds and rain have moved on by then.
    moment: float = 0.0
    #: What the camera sees: x, y, width, height; None: all.
    view: tuple[float, float, float, float] | None = None
    #: Words nobody here knows; they steer texture and composition.
    unknown: tuple[str, ...] = field(default=())

    def count(self, kind: str) -> int:
        """How many of a kind were asked for and placed."""
        return sum(thing.kind == kind and thing.asked for thing in (*self.things, *self.heavens))


def frame(width_px: int, height_px: int) -> tuple[float, float]:
    """The frame in scene units for a picture in pixels."""
    shorter = min(width_px, height_px)
    return (width_px / shorter * UNIT, height_px / shorter * UNIT)
