"""Sun, moon, stars, clouds and planets."""

# ruff: noqa: E501, ARG001 - path data reads better on one line; a drawing may have no choices to make

from __future__ import annotations

import math
from itertools import pairwise

from heddle.engines.sketch.color import mix, tone
from heddle.engines.sketch.objects import Look, thing
from heddle.engines.sketch.pen import Pen, Point


@thing("sun", "sunshine, sol", colors="#ffd34a", tall=30.0, place="sky", shadow=False)
def sun(pen: Pen, look: Look) -> None:
    """A disc in its own light."""
    pen.halo(0, -50, 150, look.main, 0.75)
    pen.halo(0, -50, 90, "#fff6d0", 0.8)
    pen.circle(0, -50, 40, mix(look.main, "#fff6d0", 0.35), "glow")


@thing(
    "moon",
    "full moon, crescent moon, crescent, half moon, lunar",
    colors="#fbf3d6",
    tall=25.0,
    place="sky",
    shadow=False,
)
def moon(pen: Pen, look: Look) -> None:
    """Full with craters, or a crescent when that was asked for."""
    pen.halo(0, -50, 120, look.main, 0.5)
    if look.traits.get("phase") == "crescent":
        pen.path(
            "M14 -96C-34 -96 -52 -56 -38 -28C-24 -2 12 4 34 -14C6 -12 -18 -32 -14 -60C-12 -76 -2 -88 14 -96Z",
            look.main,
            "glow",
        )
        return
    pen.circle(0, -50, 45, look.main, "glow")
    for x, y, r in ((-16, -66, 9), (14, -74, 6), (18, -42, 11), (-20, -34, 7), (2, -26, 5), (-2, -52, 4)):
        pen.circle(x, y, r, mix(look.main, "#b8b0a0", 0.32), "glow")


@thing(
    "star",
    "twinkle, shooting star, starlight",
    colors="#fff3c0 #ffe08a #dff0ff",
    tall=4.0,
    place="sky",
    shadow=False,
)
def star(pen: Pen, look: Look) -> None:
    """Five rounded points that shine."""
    pen.halo(0, -50, 80, look.main, 0.55)
    pairs: list[Point] = []
    for step in range(10):
        reach = 48.0 if step % 2 == 0 else 20.0
        turn = math.radians(step * 36)
        pairs.append((math.sin(turn) * reach, -48 - math.cos(turn) * reach))
    pen.poly(pairs, look.main, "glow")


@thing("cloud", "", colors="#ffffff", wide=2.2, tall=10.0, place="sky", shadow=False)
def cloud(pen: Pen, look: Look) -> None:
    """Heaped, with a flat base."""
    rng = look.rng
    body = look.main
    valleys = [(-100.0, -16.0), (-76, -44), (-40, -70), (14, -84), (58, -56), (84, -36), (102, -14)]
    valleys = [(x + rng.uniform(-5, 5), y + rng.uniform(-7, 5)) for x, y in valleys]
    outline = f"M{valleys[0][0]:.1f} {valleys[0][1]:.1f}"
    for (x0, y0), (x1, y1) in pairwise(valleys):
        r = math.hypot(x1 - x0, y1 - y0) * rng.uniform(0.54, 0.62)
        outline += f"A{r:.1f} {r:.1f} 0 0 1 {x1:.1f} {y1:.1f}"
    outline += f"C{valleys[-1][0] + 10:.1f} -2 92 0 84 0H-84C-94 0 {valleys[0][0] - 8:.1f} -4 {valleys[0][0]:.1f} {valleys[0][1]:.1f}Z"
    pen.path(outline, body, "down")
    if pen.manner.paper is None:
        pen.ellipse(-22, -50, 40, 24, tone(body, 0.05), "flat", 0, 0.4)
        pen.ellipse(36, -40, 30, 18, tone(body, 0.05), "flat", 0, 0.35)


@thing(
    "planet",
    "saturn, jupiter, mars, earth, venus, world",
    colors="#d9935a #5a9ad0 #c9604a #8a7ad0 #5ab0a0",
    wide=1.5,
    tall=40.0,
    place="sky",
    home="space",
    shadow=False,
)
def planet(pen: Pen, look: Look) -> None:
    """Banded; ringed by chance."""
    body = look.main
    ringed = look.rng.random() < 0.6
    ring = look.other(mix(body, "#fff0d0", 0.55))
    disc = "M-42 -50A42 42 0 1 1 42 -50A42 42 0 1 1 -42 -50Z"
    pen.halo(0, -50, 78, body, 0.35)
    with pen.at(0, -50, 1, -16), pen.at(0, 50, 1):
        if ringed:
            pen.line("M-43 -56C-70 -62 -78 -50 -70 -46M43 -56C70 -62 78 -50 70 -46", ring, 5, 0.9)
        pen.path(disc, body)
        with pen.at(0, 0, clip=disc):
            for y, high in ((-80, 8), (-64, 6), (-48, 10), (-30, 6), (-16, 7)):
                pen.path(
                    f"M-44 {y}C-16 {y + 5} 16 {y + 5} 44 {y}V{y + high}C16 {y + high + 5} -16 {y + high + 5} -44 {y + high}Z",
                    look.pick(tone(body, 0.1), tone(body, -0.1)),
                    "flat",
                    0.6,
                )
            pen.circle(26, -36, 58, tone(body, -0.35), "flat", 0.0)
        if ringed:
            pen.line("M-72 -49C-60 -34 60 -34 72 -49", ring, 5.6)


@thing(
    "comet",
    "meteor, asteroid, meteorite, falling star",
    colors="#ffe9b0",
    wide=1.6,
    tall=12.0,
    place="sky",
    home="space",
    shadow=False,
)
def comet(pen: Pen, look: Look) -> None:
    """A head and a long tail."""
    pen.path("M-52 -8C-20 -40 30 -80 80 -98C40 -66 -6 -24 -36 -2Z", look.main, "glow", 0.35)
    pen.path("M-50 -10C-20 -36 10 -60 44 -76C20 -54 -10 -26 -38 -6Z", "#ffffff", "glow", 0.5)
    pen.halo(-48, -16, 34, look.main, 0.9)
    pen.circle(-48, -16, 12, "#fffdf0", "glow")


@thing("rainbow", "", colors="#e0533f", wide=2.0, tall=40.0, place="sky", shadow=False)
def rainbow(pen: Pen, look: Look) -> None:
    """Six bands."""
    with pen.faded(0.75):
        for step, color in enumerate(("#e8584a", "#f29a3a", "#f6d84a", "#6abf6a", "#4a9ad8", "#8a6ac8")):
            r = 96 - step * 7
            pen.line(f"M{-r} 0A{r} {r} 0 0 1 {r} 0", color, 7.4, 1, "glow")


@thing(
    "lightning", "lightning bolt, thunderbolt, bolt", colors="#fff0a0", wide=0.5, tall=20.0, place="sky", shadow=False
)
def lightning(pen: Pen, look: Look) -> None:
    """A jagged bolt."""
    pen.halo(0, -50, 60, "#e8e0ff", 0.5)
    pen.poly([(6, -100), (-20, -46), (-2, -50), (-14, 0), (22, -62), (4, -58), (22, -100)], look.main, "glow")
