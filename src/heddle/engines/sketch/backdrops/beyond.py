"""Backdrops beyond the ground: space, the moon, the open sky, pure colour."""

# ruff: noqa: E501 - path data and rows of numbers read better on one line

from __future__ import annotations

import math

from heddle.engines.sketch.backdrops import backdrop
from heddle.engines.sketch.backdrops.sky import box, draw_stars, hill, put, ridge
from heddle.engines.sketch.chance import source
from heddle.engines.sketch.color import mix, tone
from heddle.engines.sketch.pen import Pen, n
from heddle.engines.sketch.scene import Scene


def _deep(pen: Pen, scene: Scene) -> None:
    """Dark sky with clouds of gas."""
    rng = source(scene.seed, "space")
    accents = scene.palette.accents
    base = mix("#0d1030", accents[0], 0.1)
    pen.wash(
        box(0, 0, scene.width, scene.height + 10), ((0, tone(base, -0.02), 1), (1, mix(base, accents[1], 0.22), 1))
    )
    for index in range(9):
        x, y = rng.uniform(0, scene.width), rng.uniform(0, scene.height)
        pen.halo(x, y, rng.uniform(220, 460), tone(accents[index % 4], -0.18), 0.36, rng.uniform(130, 320))
    draw_stars(pen, scene, 0, scene.height, 1.7)
    for _ in range(5):
        x, y, r = rng.uniform(0, scene.width), rng.uniform(0, scene.height), rng.uniform(9, 20)
        if pen.manner.paper is None:
            pen.halo(x, y, r * 1.6, "#ffffff", 0.6)
            pen.path(
                f"M{n(x)} {n(y - r)}Q{n(x)} {n(y)} {n(x + r)} {n(y)}Q{n(x)} {n(y)} {n(x)} {n(y + r)}Q{n(x)} {n(y)} {n(x - r)} {n(y)}Q{n(x)} {n(y)} {n(x)} {n(y - r)}Z",
                "#ffffff",
                "glow",
            )


@backdrop(
    "space",
    "outer space, galaxy, cosmos, universe, nebula, milky way galaxy, orbit, deep space, stars and planets",
    horizon=1.0,
    ground=(0.8, 0.94),
    floating=True,
    sky=False,
    time="night",
)
def space(pen: Pen, scene: Scene) -> None:
    """Gas, stars and a large planet's edge."""
    _deep(pen, scene)
    if "planet" in scene.without or any(thing.kind == "planet" for thing in scene.things):
        return
    rng = source(scene.seed, "globe")
    r = min(scene.width, scene.height) * rng.uniform(0.5, 0.7)
    x, y = scene.width * rng.choice((0.04, 0.96)), scene.height * 1.02 + r * 0.35
    color = tone(scene.palette.accents[2], -0.12)
    pen.halo(x, y, r * 1.3, tone(color, 0.2), 0.6)
    pen.circle(x, y, r, color)
    with pen.at(
        0, 0, clip=f"M{n(x - r)} {n(y)}A{n(r)} {n(r)} 0 1 1 {n(x + r)} {n(y)}A{n(r)} {n(r)} 0 1 1 {n(x - r)} {n(y)}Z"
    ):
        for step in range(6):
            pen.ellipse(
                x + rng.uniform(-0.2, 0.2) * r,
                y - r * (0.86 - step * 0.22),
                r * rng.uniform(0.5, 0.9),
                r * 0.045,
                tone(color, 0.07),
                "flat",
                -14,
                0.6,
            )


@backdrop(
    "moon",
    "moon surface, lunar surface, on the moon, mars surface, alien planet, another planet, surface of mars",
    horizon=0.66,
    ground=(0.74, 0.94),
    sky=False,
    time="night",
)
def moon_surface(pen: Pen, scene: Scene) -> None:
    """Craters under a black sky, the earth far away."""
    _deep(pen, scene)
    rng = source(scene.seed, "moon")
    if "planet" not in scene.without:
        x, y, r = scene.width * rng.choice((0.2, 0.8)), scene.height * 0.22, min(scene.width, scene.height) * 0.1
        pen.halo(x, y, r * 2, "#8ac8ff", 0.5)
        pen.circle(x, y, r, "#3f7fd0", "glow")
        with pen.at(
            0,
            0,
            clip=f"M{n(x - r)} {n(y)}A{n(r)} {n(r)} 0 1 1 {n(x + r)} {n(y)}A{n(r)} {n(r)} 0 1 1 {n(x - r)} {n(y)}Z",
        ):
            for dx, dy, rx, ry in (
                (-0.4, -0.3, 0.5, 0.3),
                (0.3, 0.2, 0.45, 0.38),
                (-0.2, 0.6, 0.4, 0.2),
                (0.6, -0.5, 0.3, 0.24),
            ):
                pen.ellipse(x + dx * r, y + dy * r, rx * r, ry * r, "#5fb06a", "glow", rng.randint(-40, 40))
            pen.ellipse(x - 0.1 * r, y - 0.62 * r, r * 0.6, r * 0.1, "#ffffff", "glow", 10, 0.8)
            pen.circle(x + r * 0.45, y + r * 0.4, r * 0.95, "#0d1030", "glow", 0.28)
    grey = scene.palette.ground
    pen.haze = 0.0
    hill(pen, scene, ridge(rng, scene.width, scene.horizon + 10, 70, 5), tone(grey, -0.12))
    hill(pen, scene, ridge(rng, scene.width, scene.horizon + 50, 34, 5), grey)
    for _ in range(max(5, int(13 * scene.width / 1000))):
        share = rng.random()
        y = scene.horizon + 76 + (scene.height - scene.horizon - 80) * share
        r = (14 + 70 * share) * rng.uniform(0.5, 1)
        x = rng.uniform(0, scene.width)
        pen.ellipse(x, y, r, r * 0.3, tone(grey, -0.14), "flat")
        pen.ellipse(x, y + r * 0.06, r * 0.9, r * 0.24, tone(grey, -0.05), "flat")


@backdrop(
    "sky",
    "in the clouds, above the clouds, heaven, clouds, cloudscape, the sky",
    horizon=1.0,
    ground=(0.72, 0.9),
    floating=True,
)
def open_sky(pen: Pen, scene: Scene) -> None:
    """A floor of clouds."""
    top, middle, low = scene.palette.sky
    pen.wash(box(0, 0, scene.width, scene.height + 10), ((0, top, 1), (0.5, middle, 1), (0.85, low, 1), (1, low, 1)))
    if scene.palette.night:
        draw_stars(pen, scene, 0, scene.height * 0.7)
    rng = source(scene.seed, "cloud floor")
    for row in range(3):
        y = scene.height * (0.84 + row * 0.07)
        count = max(3, int(scene.width / 190))
        for step in range(count):
            x = scene.width * (step + rng.uniform(0, 1)) / count
            put(pen, scene, "cloud", x, y + rng.uniform(0, 40), rng.uniform(90, 150), rng, 0.34 - row * 0.14)


@backdrop(
    "abstract",
    "pattern, fractal, geometric, texture, abstract art, psychedelic, wallpaper",
    horizon=0.7,
    ground=(0.76, 0.9),
    floating=True,
    sky=False,
)
def abstract(pen: Pen, scene: Scene) -> None:
    """Bands and discs in the palette's accents."""
    rng = source(scene.seed, "abstract", *scene.unknown)
    accents = scene.palette.accents
    ground = mix(accents[0], "#f6f1ea", 0.7)
    pen.wash(
        box(0, 0, scene.width, scene.height + 10),
        ((0, pen.graded(ground), 1), (1, pen.graded(mix(accents[1], "#f6f1ea", 0.5)), 1)),
    )
    for index in range(6):
        base = scene.height * (0.2 + index * 0.14)
        points = [(x * scene.width / 4, base + rng.uniform(-150, 150)) for x in range(-1, 6)]
        hill(pen, scene, points, mix(accents[index % 5], ground, 0.25))
    for _ in range(int(9 * scene.detail)):
        x, y, r = rng.uniform(0, scene.width), rng.uniform(0, scene.height), rng.uniform(20, 120)
        turn = rng.uniform(0, math.tau)
        accent = rng.choice(accents)
        if rng.random() < 0.5:
            pen.circle(x, y, r, accent, "soft", 0.85)
        else:
            pen.line(f"M{n(x)} {n(y)}l{n(math.cos(turn) * r * 2)} {n(math.sin(turn) * r * 2)}", accent, r * 0.2)
