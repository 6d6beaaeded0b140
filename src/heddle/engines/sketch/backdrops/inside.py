"""Backdrops under a roof, and plain ones: room, table, studio, cave, stage."""

# ruff: noqa: E501 - path data and rows of numbers read better on one line

from __future__ import annotations

from heddle.engines.sketch.backdrops import backdrop
from heddle.engines.sketch.backdrops.sky import box, draw_stars
from heddle.engines.sketch.chance import source
from heddle.engines.sketch.color import mix, oklch, tone
from heddle.engines.sketch.pen import Pen, n
from heddle.engines.sketch.scene import Scene

WALLS = ("#e8d3b8", "#c9d8d2", "#dccbd8", "#b9cbdc", "#e3c9b5", "#d5d8bd")


@backdrop(
    "room",
    "interior, indoors, inside, bedroom, living room, kitchen, office, library, house interior, cafe, restaurant, classroom, hall, floor, museum, bathroom, studio apartment, gym, hospital",
    horizon=0.68,
    ground=(0.78, 0.95),
    sky=False,
)
def room(pen: Pen, scene: Scene) -> None:
    """A wall with a window and a picture, a wooden floor, a rug."""
    rng = source(scene.seed, "room")
    wall = scene.backdrop_color or rng.choice(WALLS)
    floor = scene.height * 0.68
    lit = pen.graded(wall)
    pen.wash(
        box(0, 0, scene.width, floor), ((0, tone(lit, -0.05), 1), (0.6, tone(lit, 0.02), 1), (1, tone(lit, -0.03), 1))
    )
    window_x = scene.width * rng.choice((0.2, 0.78))
    _window(
        pen,
        scene,
        window_x,
        floor - 520 if floor > 640 else floor * 0.16,
        min(230.0, scene.width * 0.34),
        min(300.0, floor * 0.52),
    )
    picture_x = scene.width - window_x
    if scene.width > 800:
        _picture(pen, scene, picture_x, floor * 0.3, 150)
    wood = rng.choice(("#b98454", "#a87850", "#c99a68"))
    pen.rect(0, floor, scene.width, scene.height - floor + 10, wood, "down")
    for row in range(6):
        y = floor + (scene.height - floor) * (row / 6) ** 1.35
        pen.line(f"M0 {n(y)}H{n(scene.width)}", tone(wood, -0.09), 1.5 + row * 0.4, 0.8)
        for step in range(int(scene.width / 260) + 1):
            x = step * 260 + (row % 2) * 130
            pen.line(f"M{n(x)} {n(y)}v{n((scene.height - floor) / 6)}", tone(wood, -0.09), 1.5, 0.7)
    pen.rect(0, floor - 20, scene.width, 22, mix(wall, "#ffffff", 0.7), "down")
    rug = rng.choice(scene.palette.accents)
    y, half = (floor + scene.height) / 2 + 8, min(scene.width * 0.42, 520.0)
    pen.ellipse(scene.width / 2, y, half, (scene.height - floor) * 0.38, rug, "soft")
    pen.ellipse(scene.width / 2, y, half * 0.84, (scene.height - floor) * 0.3, tone(rug, 0.1), "soft")


def _window(pen: Pen, scene: Scene, x: float, y: float, wide: float, high: float) -> None:
    left = x - wide / 2
    top, middle, low = scene.palette.sky
    pen.rect(left - 12, y - 12, wide + 24, high + 24, "#fbf6ec", "down", 4)
    pen.wash(box(left, y, left + wide, y + high), ((0, top, 1), (0.6, middle, 1), (1, low, 1)))
    with pen.at(0, 0, clip=box(left, y, left + wide, y + high)):
        if scene.palette.night:
            pen.circle(left + wide * 0.7, y + high * 0.26, 22, "#fbf3d6", "glow")
            for px, py in ((0.2, 0.2), (0.34, 0.42), (0.5, 0.14), (0.84, 0.5), (0.16, 0.6)):
                pen.circle(left + wide * px, y + high * py, 2, "#ffffff", "glow")
        pen.ellipse(left + wide * 0.3, y + high * 1.02, wide * 0.6, high * 0.24, scene.palette.foliage)
        pen.ellipse(left + wide * 0.9, y + high * 1.04, wide * 0.5, high * 0.2, tone(scene.palette.foliage, -0.06))
    pen.line(f"M{n(x)} {n(y)}v{n(high)}M{n(left)} {n(y + high * 0.45)}h{n(wide)}", "#fbf6ec", 8)
    pen.rect(left - 22, y + high + 10, wide + 44, 14, "#f3ebdc", "down", 3)
    cloth = scene.palette.accents[1]
    for side in (-1, 1):
        edge = x + side * (wide / 2 + 34)
        pen.path(
            f"M{n(edge)} {n(y - 34)}L{n(x + side * wide * 0.18)} {n(y - 34)}C{n(x + side * wide * 0.3)} {n(y + high * 0.4)} {n(x + side * wide * 0.42)} {n(y + high * 0.7)} {n(edge - side * 10)} {n(y + high + 36)}L{n(edge + side * 14)} {n(y + high + 36)}Z",
            cloth,
            "side",
            0.96,
        )
    pen.line(f"M{n(left - 50)} {n(y - 36)}h{n(wide + 100)}", "#7a5538", 7)
    if not scene.palette.night and pen.manner.paper is None:
        pen.wash(
            f"M{n(left)} {n(y + high)}L{n(left + wide)} {n(y + high)}L{n(left + wide + 150)} {n(scene.height)}L{n(left + 60)} {n(scene.height)}Z",
            ((0, "#fff6d8", 0.0), (0.3, "#fff6d8", 0.22), (1, "#fff6d8", 0.0)),
        )


def _picture(pen: Pen, scene: Scene, x: float, y: float, size: float) -> None:
    pen.rect(x - size * 0.62, y - size * 0.5, size * 1.24, size, "#8a5f3e", "down", 3)
    pen.rect(x - size * 0.52, y - size * 0.4, size * 1.04, size * 0.8, "#f6efe0", "flat")
    accents = scene.palette.accents
    pen.rect(x - size * 0.44, y - size * 0.32, size * 0.88, size * 0.64, mix(accents[0], "#ffffff", 0.5), "down")
    pen.circle(x + size * 0.18, y - size * 0.12, size * 0.1, accents[2], "flat")
    pen.path(
        f"M{n(x - size * 0.44)} {n(y + size * 0.32)}V{n(y + size * 0.1)}L{n(x - size * 0.16)} {n(y - size * 0.1)}L{n(x + size * 0.1)} {n(y + size * 0.16)}L{n(x + size * 0.24)} {n(y + size * 0.04)}L{n(x + size * 0.44)} {n(y + size * 0.2)}V{n(y + size * 0.32)}Z",
        accents[3],
        "flat",
    )


@backdrop("table", "tabletop, still life, on a table, picnic table", horizon=0.62, ground=(0.76, 0.93), sky=False)
def tabletop(pen: Pen, scene: Scene) -> None:
    """A table's edge before a soft wall."""
    rng = source(scene.seed, "table")
    wall = scene.backdrop_color or mix(rng.choice(WALLS), scene.palette.accents[0], 0.3)
    edge = scene.height * 0.64
    lit = pen.graded(wall)
    pen.wash(box(0, 0, scene.width, edge), ((0, tone(lit, -0.07), 1), (1, tone(lit, 0.05), 1)))
    pen.halo(scene.width * 0.28, edge * 0.3, min(scene.width, 1200) * 0.55, "#fff6dc", 0.4)
    for _ in range(6):
        pen.halo(rng.uniform(0, scene.width), rng.uniform(0, edge), rng.uniform(40, 120), tone(lit, 0.13), 0.3)
    wood = rng.choice(("#a8713f", "#8f5f3c", "#c0905c"))
    pen.rect(0, edge, scene.width, scene.height - edge + 10, wood, "down")
    for _ in range(14):
        y = rng.uniform(edge + 14, scene.height)
        x = rng.uniform(-100, scene.width)
        pen.line(
            f"M{n(x)} {n(y)}c80 -8 160 8 {n(rng.uniform(200, 420))} 0",
            tone(wood, rng.choice((-0.05, 0.05))),
            rng.uniform(1.5, 4),
            0.6,
        )
    pen.line(f"M0 {n(edge + 3)}H{n(scene.width)}", tone(wood, 0.14), 6)


@backdrop(
    "studio",
    "plain background, simple background, white background, gradient background, background, backdrop, abstract background, blurred background, bokeh",
    horizon=0.7,
    ground=(0.78, 0.92),
    sky=False,
)
def studio(pen: Pen, scene: Scene) -> None:
    """One colour, lit in the middle, with a soft floor."""
    rng = source(scene.seed, "studio")
    color = scene.backdrop_color or mix(rng.choice(scene.palette.accents), "#f6f1ea", 0.62)
    lit = pen.graded(color)
    bright = oklch(lit)[0] > 0.93
    floor = scene.height * 0.72
    pen.wash(
        box(0, 0, scene.width, scene.height),
        (
            (0, tone(lit, -0.05 if not bright else -0.015), 1),
            (0.68, tone(lit, 0.02), 1),
            (0.76, tone(lit, -0.035 if not bright else -0.02), 1),
            (1, tone(lit, -0.01), 1),
        ),
    )
    pen.halo(scene.width * 0.5, floor * 0.55, max(scene.width, scene.height) * 0.52, tone(lit, 0.09), 0.7)


@backdrop(
    "cave",
    "cavern, grotto, mine, dungeon, crystal cave, tunnel",
    horizon=0.62,
    ground=(0.74, 0.93),
    sky=False,
    time="night",
)
def cave(pen: Pen, scene: Scene) -> None:
    """Rock around a glowing opening, with crystals."""
    rng = source(scene.seed, "cave")
    rock = mix("#4a4460", scene.palette.accents[0], 0.12)
    glow = scene.palette.accents[1]
    pen.wash(
        box(0, 0, scene.width, scene.height),
        ((0, tone(rock, -0.12), 1), (0.6, mix(rock, glow, 0.4), 1), (1, tone(rock, -0.1), 1)),
    )
    pen.halo(scene.width * 0.5, scene.height * 0.5, max(600.0, scene.width * 0.5), mix(glow, "#ffffff", 0.3), 0.65)
    for share, dark in ((0.3, 0.02), (0.18, -0.06)):
        x = -40.0
        points = [(-40.0, -20.0)]
        while x < scene.width + 60:
            points += [
                (x, scene.height * share * rng.uniform(0.3, 0.6)),
                (x + 40, scene.height * share * rng.uniform(0.8, 1.4)),
            ]
            x += rng.uniform(80, 150)
        pen.poly([*points, (scene.width + 80, -20)], tone(rock, dark), "flat")
    points = [(-40.0, scene.height + 20)]
    for step in range(9):
        points.append((step * scene.width / 8, scene.height * 0.7 + rng.uniform(-26, 26)))
    pen.poly([*points, (scene.width + 40, scene.height + 20)], tone(rock, -0.02), "down")
    for x in (0.06, 0.16, 0.86, 0.95):
        with pen.at(
            scene.width * x,
            scene.height * (0.78 + rng.uniform(-0.03, 0.05)),
            rng.uniform(1.2, 2.2),
            rng.uniform(-14, 14),
        ):
            color = rng.choice(scene.palette.accents)
            pen.halo(0, -40, 60, color, 0.5)
            pen.poly([(-12, 0), (-12, -60), (0, -84), (0, 0)], tone(color, 0.1), "down")
            pen.poly([(12, 0), (12, -60), (0, -84), (0, 0)], tone(color, -0.06), "down")


@backdrop(
    "stage", "theater, theatre, concert, circus, party, disco, ballroom", horizon=0.7, ground=(0.78, 0.93), sky=False
)
def stage(pen: Pen, scene: Scene) -> None:
    """Curtains and beams of light."""
    rng = source(scene.seed, "stage")
    dark = "#2a1f3a"
    pen.wash(
        box(0, 0, scene.width, scene.height),
        ((0, tone(dark, -0.04), 1), (1, mix(dark, scene.palette.accents[0], 0.35), 1)),
    )
    if pen.manner.paper is None:
        for index, accent in enumerate(scene.palette.accents):
            x = scene.width * (index + 0.5) / 5
            lean = rng.uniform(-160, 160)
            pen.wash(
                f"M{n(x - 14)} -10H{n(x + 14)}L{n(x + lean + 150)} {n(scene.height * 0.86)}H{n(x + lean - 150)}Z",
                ((0, accent, 0.6), (1, accent, 0.04)),
            )
    floor = scene.height * 0.72
    pen.rect(0, floor, scene.width, scene.height - floor + 10, "#7a4a3a", "down")
    pen.halo(scene.width / 2, scene.height * 0.83, scene.width * 0.46, "#ffe9c0", 0.5, scene.height * 0.1)
    for side in (-1, 1):
        edge = 0 if side < 0 else scene.width
        for step in range(3):
            x = edge - side * step * 44
            pen.path(
                f"M{n(x)} -10C{n(x - side * 70)} {n(scene.height * 0.4)} {n(x - side * 30)} {n(scene.height * 0.7)} {n(x - side * 60)} {n(scene.height * 0.9)}H{n(x + side * 80)}V-10Z",
                tone("#a8343f", -0.03 * step),
                "side",
            )
    draw_stars(pen, scene, 0, floor * 0.6, 0.2)
