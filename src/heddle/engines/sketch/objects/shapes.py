"""Plain shapes: circle, square, cube, heart and others."""

# ruff: noqa: E501 - path data and rows of numbers read better on one line

from __future__ import annotations

import math

from heddle.engines.sketch.color import tone
from heddle.engines.sketch.objects import Look, thing
from heddle.engines.sketch.pen import Pen, Point

PAINTS = "#e0533f #3f8fd0 #f0b43a #5aa87a #9a6ac8 #f07a9a"


@thing("circle", "disc, disk, ring, dot", colors=PAINTS, home="studio", place="any")
def circle(pen: Pen, look: Look) -> None:
    """A disc."""
    pen.circle(0, -50, 50, look.main, "flat")


@thing("square", "rectangle, tile, block", colors=PAINTS, home="studio", place="any")
def square(pen: Pen, look: Look) -> None:
    """A square."""
    pen.rect(-46, -96, 92, 92, look.main, "flat", 3)


@thing("triangle", "", colors=PAINTS, wide=1.1, home="studio", place="any")
def triangle(pen: Pen, look: Look) -> None:
    """Equal sides."""
    pen.poly([(0, -98), (56, -2), (-56, -2)], look.main, "flat")


@thing("cube", "dice", colors=PAINTS, home="studio", top=0.9)
def cube(pen: Pen, look: Look) -> None:
    """Three faces."""
    pen.poly([(0, -98), (44, -76), (0, -54), (-44, -76)], tone(look.main, 0.12), "flat")
    pen.poly([(-44, -76), (0, -54), (0, -2), (-44, -24)], look.main, "down")
    pen.poly([(44, -76), (0, -54), (0, -2), (44, -24)], tone(look.main, -0.14), "down")


@thing("sphere", "orb, globe, marble, bubble, pearl", colors=PAINTS, home="studio", top=0.97)
def sphere(pen: Pen, look: Look) -> None:
    """Shaded and shiny."""
    pen.circle(0, -50, 50, look.main)
    pen.halo(12, -18, 34, tone(look.main, 0.12), 0.4)
    pen.ellipse(-18, -74, 13, 8.4, "#ffffff", "flat", -32, 0.75)


@thing("cone", "", colors=PAINTS, wide=0.9, home="studio", top=None)
def cone(pen: Pen, look: Look) -> None:
    """A cone."""
    pen.path("M0 -99L42 -11C30 1 -30 1 -42 -11Z", look.main, "side")


@thing("cylinder", "barrel, column, pillar", colors=PAINTS, wide=0.8, home="studio", top=0.94)
def cylinder(pen: Pen, look: Look) -> None:
    """A column."""
    pen.path("M-36 -86V-10C-24 2 24 2 36 -10V-86Z", look.main, "side")
    pen.ellipse(0, -86, 36, 11, tone(look.main, 0.12))


@thing("heart", "love heart", colors="#e0364f", wide=1.1, home="studio", place="any")
def heart(pen: Pen, look: Look) -> None:
    """Round and glossy."""
    pen.path(
        "M0 -4C-22 -26 -54 -44 -54 -70C-54 -90 -38 -98 -26 -98C-14 -98 -4 -90 0 -80C4 -90 14 -98 26 -98C38 -98 54 -90 54 -70C54 -44 22 -26 0 -4Z",
        look.main,
    )
    pen.ellipse(-30, -78, 11, 7, "#ffffff", "flat", -38, 0.6)


@thing(
    "five-pointed star", "pentagram, gold star, yellow star", colors="#f6c43a", wide=1.05, home="studio", place="any"
)
def five_pointed_star(pen: Pen, look: Look) -> None:
    """Five points, rounded by their shading."""
    pairs: list[Point] = []
    for step in range(10):
        reach = 52.0 if step % 2 == 0 else 22.0
        turn = math.radians(step * 36)
        pairs.append((math.sin(turn) * reach, -48 - math.cos(turn) * reach))
    pen.poly(pairs, look.main, "soft")


@thing("spiral", "swirl, vortex", colors=PAINTS, home="studio", place="any")
def spiral(pen: Pen, look: Look) -> None:
    """Four turns."""
    d = "M0 -50"
    for step in range(1, 97):
        turn, reach = step * math.radians(15), step * 0.5
        d += f"L{math.cos(turn) * reach:.1f} {-50 + math.sin(turn) * reach:.1f}"
    pen.line(d, look.main, 5)
