"""Draws one placed thing: its shadow or its ripples, then itself."""

from __future__ import annotations

from heddle.engines.sketch.chance import source
from heddle.engines.sketch.color import mix, tone
from heddle.engines.sketch.objects import Look, Thing, catalog
from heddle.engines.sketch.pen import Pen, n
from heddle.engines.sketch.scene import Placed, Scene


def draw_thing(pen: Pen, scene: Scene, placed: Placed) -> None:
    """In its place, at its size, under the scene's light."""
    row = catalog()[placed.kind]
    outer, pen.haze = pen.haze, placed.haze
    wide = placed.height * row.wide
    if placed.grounded and row.shadow:
        shade = tone(scene.palette.ground, -0.5) if pen.light.lamps is False else "#05060f"
        pen.halo(placed.x + wide * 0.06, placed.y, wide * 0.62, shade, 0.62, wide * 0.11 + 4)
    pen.kept = placed.colors[0] if placed.colors else None
    with pen.lifted(), pen.at(placed.x, placed.y, placed.height / 100, placed.turn, placed.flip):
        row.draw(pen, look_of(scene, placed, row))
    pen.kept = None
    if placed.afloat:
        _waterline(pen, scene, placed, wide)
    pen.haze = outer


def look_of(scene: Scene, placed: Placed, row: Thing) -> Look:
    """The colours asked for, or its own by chance."""
    rng = source(placed.seed, placed.kind)
    traits = dict(placed.traits)
    own = row.colors[int(traits["own"]) % len(row.colors)] if "own" in traits else rng.choice(row.colors)
    if placed.colors:
        traits["asked"] = "yes"
    return Look(
        main=placed.colors[0] if placed.colors else own,
        second=placed.colors[1] if len(placed.colors) > 1 else None,
        rng=rng, lamps=scene.palette.night, season=scene.season, traits=traits,
    )  # fmt: skip


def _waterline(pen: Pen, scene: Scene, placed: Placed, wide: float) -> None:
    """Water laps over the lower edge."""
    own = pen.graded(scene.palette.water)
    x, y = placed.x, placed.y
    if pen.manner.paper is None:
        pen.halo(x, y + 4, wide * 0.56, tone(own, -0.16), 0.6, max(8.0, wide * 0.06))
    for shift, share, alpha in ((0, 0.58, 0.85), (9, 0.42, 0.6), (20, 0.26, 0.45)):
        half = wide * share
        pen.line(
            f"M{n(x - half)} {n(y + shift)}q{n(half / 4)} {n(-5)} {n(half / 2)} 0" + f"t{n(half / 2)} 0" * 3,
            mix(own, "#ffffff", 0.6), 3, alpha,
        )  # fmt: skip
