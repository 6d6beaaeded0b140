"""Backdrops that people built: city, street, village, castle grounds."""

# ruff: noqa: E501 - path data and rows of numbers read better on one line

from __future__ import annotations

import random

from heddle.engines.sketch.backdrops import backdrop
from heddle.engines.sketch.backdrops.sky import draw_sky, hill, put, ridge, tufts
from heddle.engines.sketch.chance import source
from heddle.engines.sketch.color import mix, tone
from heddle.engines.sketch.pen import Pen, n
from heddle.engines.sketch.scene import Scene

LAMP = "#ffd676"


def _block(
    pen: Pen,
    scene: Scene,
    rng: random.Random,
    x: float,
    base: float,
    wide: float,
    high: float,
    color: str,
    windows: bool,
) -> None:
    """One building of a skyline."""
    pen.rect(x, base - high, wide, high + 10, color, "side")
    roof = rng.random()
    if roof < 0.25:
        pen.rect(x + wide * 0.2, base - high - wide * 0.16, wide * 0.6, wide * 0.18, color, "side")
    elif roof < 0.4:
        pen.poly([(x, base - high), (x + wide / 2, base - high - wide * 0.5), (x + wide, base - high)], color, "side")
    elif roof < 0.5:
        pen.line(f"M{n(x + wide / 2)} {n(base - high)}v{n(-wide * 0.5)}", color, 3)
    if not windows:
        return
    step = max(15.0, wide / 6)
    dots: dict[str, list[str]] = {}
    y = base - high + step * 0.8
    while y < base - step:
        across = x + step * 0.55
        while across < x + wide - step * 0.7:
            lamp = scene.palette.night and rng.random() < 0.5
            shade = (
                rng.choice((LAMP, "#ffe9b0", "#ffc45a"))
                if lamp
                else tone(color, 0.09 if scene.palette.night is False else -0.05)
            )
            dots.setdefault(shade, []).append(f"M{n(across)} {n(y)}h{n(step * 0.5)}v{n(step * 0.55)}h{n(-step * 0.5)}Z")
            across += step
        y += step * 1.15
    # One path per colour: a skyline has a thousand windows.
    for shade, paths in dots.items():
        if pen.manner.paper is None or shade in (LAMP, "#ffe9b0", "#ffc45a"):
            pen.path("".join(paths), shade, "glow" if shade in (LAMP, "#ffe9b0", "#ffc45a") else "flat")


def skyline(pen: Pen, scene: Scene, base: float, tall: float) -> None:
    """Three rows of buildings."""
    rng = source(scene.seed, "skyline")
    if "skyscraper" in scene.without:
        return
    body = mix("#7f8fae", scene.palette.sky[1], 0.15)
    for row, (share, haze, wide) in enumerate(((0.85, 0.62, 70), (1.0, 0.38, 92), (0.62, 0.12, 120))):
        x = -rng.uniform(0, wide)
        pen.haze = haze
        while x < scene.width:
            across = wide * rng.uniform(0.65, 1.3)
            high = tall * share * rng.uniform(0.35, 1.0) ** 1.1
            shade = tone(
                mix(body, rng.choice(("#a8806a", "#6a8a9a", "#8a7aa0", "#90908a")), 0.35), rng.uniform(-0.05, 0.05)
            )
            _block(pen, scene, rng, x, base, across, high, shade, row > 0)
            x += across + rng.choice((0, 0, 4, 14))
    pen.haze = 0.0


@backdrop(
    "city",
    "skyline, cityscape, metropolis, downtown, new york, tokyo, cyberpunk city, urban, town, rooftop, london, paris, futuristic city",
    horizon=0.66,
    ground=(0.8, 0.95),
)
def city(pen: Pen, scene: Scene) -> None:
    """A skyline over an avenue."""
    draw_sky(pen, scene)
    base = scene.horizon + (scene.height - scene.horizon) * 0.16
    if scene.palette.night:
        pen.halo(scene.width / 2, base, scene.width * 0.7, "#ffb070", 0.28, scene.height * 0.4)
    skyline(pen, scene, base, min(scene.horizon * 0.82, 720.0))
    _road(pen, scene, base)


def _road(pen: Pen, scene: Scene, top: float) -> None:
    ground = scene.palette.ground
    deep = scene.height - top
    pen.rect(0, top, scene.width, deep * 0.2, mix(ground, "#d8d4cc", 0.6), "down")
    pen.rect(0, top + deep * 0.18, scene.width, deep * 0.04, mix(ground, "#6a6a72", 0.4), "flat")
    pen.rect(0, top + deep * 0.22, scene.width, deep + 10, mix(ground, "#5a5d68", 0.62), "down")
    y = top + deep * 0.56
    for step in range(int(scene.width / 190) + 2):
        x = step * 190 - 40
        pen.poly([(x, y), (x + 96, y), (x + 88, y + 9), (x - 10, y + 9)], "#f3ecd8", "flat", 0.85)


@backdrop(
    "street",
    "road, highway, alley, crossroads, avenue, sidewalk, market, race track, parking lot",
    horizon=0.6,
    ground=(0.78, 0.94),
)
def street(pen: Pen, scene: Scene) -> None:
    """A row of colourful houses along a road."""
    draw_sky(pen, scene)
    rng = source(scene.seed, "street")
    base = scene.horizon + (scene.height - scene.horizon) * 0.22
    x = -rng.uniform(0, 120)
    colors = ["#e8b08a", "#d8c0a0", "#b8cdd8", "#e3cf9a", "#c9a0a0", "#a8c4b0", "#d8a878"]
    tall = min(scene.horizon * 0.72, 430.0)
    pen.haze = 0.14
    while x < scene.width:
        wide = rng.uniform(130, 210)
        _row_house(pen, scene, rng, x, base, wide, tall * rng.uniform(0.62, 1.0), rng.choice(colors))
        x += wide
    pen.haze = 0.0
    _road(pen, scene, base)
    if "lamp post" not in scene.without:
        for step in range(int(scene.width / 520) + 1):
            put(pen, scene, "lamp post", 120 + step * 520, base + (scene.height - base) * 0.15, 230, rng)


def _row_house(
    pen: Pen, scene: Scene, rng: random.Random, x: float, base: float, wide: float, high: float, color: str
) -> None:
    top = base - high
    roof = rng.choice(("#8a5a50", "#5f6a80", "#9a6a4a"))
    if rng.random() < 0.6:
        pen.poly([(x - 5, top + 4), (x + wide / 2, top - wide * 0.42), (x + wide + 5, top + 4)], roof, "down")
    else:
        pen.rect(x - 4, top - 14, wide + 8, 18, roof, "down")
    pen.rect(x, top, wide, high, color, "down")
    columns = 2 if wide < 165 else 3
    rows = max(1, int(high / 118))
    for row in range(rows):
        for column in range(columns):
            wx = x + wide * (column + 0.5) / columns - 17
            wy = top + 26 + row * (high - 100) / max(1, rows)
            if wy > base - 118:
                continue
            on = scene.palette.night and rng.random() < 0.65
            pen.rect(wx - 3, wy - 3, 40, 54, "#fbf4e6", "flat", 3)
            pen.rect(wx, wy, 34, 48, LAMP if on else "#7f9fb5", "glow" if on else "down", 2)
            pen.line(f"M{n(wx + 17)} {n(wy)}v48M{n(wx)} {n(wy + 22)}h34", "#fbf4e6", 3)
    door = rng.choice(("#7a4a32", "#3f6a6a", "#a8443a", "#4a5a8a"))
    dx = x + wide * rng.choice((0.25, 0.5, 0.72)) - 21
    pen.rect(dx - 4, base - 88, 50, 88, "#fbf4e6", "flat", 4)
    pen.rect(dx, base - 84, 42, 84, door, "down", 3)
    awning = rng.choice(scene.palette.accents)
    if rng.random() < 0.5:
        pen.poly(
            [(dx - 14, base - 92), (dx + 56, base - 92), (dx + 66, base - 70), (dx - 24, base - 70)], awning, "down"
        )


@backdrop("village", "hamlet, small town, settlement, countryside village", horizon=0.54)
def village(pen: Pen, scene: Scene) -> None:
    """Houses on a slope around a church."""
    draw_sky(pen, scene)
    rng = source(scene.seed, "village")
    ground = scene.palette.ground
    deep = scene.height - scene.horizon
    pen.haze = 0.4
    hill(
        pen,
        scene,
        ridge(rng, scene.width, scene.horizon + 10, deep * 0.3, 5),
        mix(scene.palette.foliage, scene.palette.far, 0.6),
    )
    pen.haze = 0.0
    for row, (share, size, haze) in enumerate(((0.1, 120, 0.28), (0.24, 165, 0.12))):
        base = scene.horizon + deep * share
        hill(
            pen,
            scene,
            ridge(rng, scene.width, base + 6, deep * 0.08, 5),
            mix(ground, scene.palette.far, 0.4 - row * 0.25),
        )
        count = max(2, int(scene.width / (size * 1.7)))
        church = rng.randrange(count) if row == 0 else -1
        for step in range(count):
            x = scene.width * (step + rng.uniform(0.25, 0.75)) / count
            kind = "church" if step == church else rng.choice(("house", "house", "house", "tree"))
            put(
                pen,
                scene,
                kind,
                x,
                base + rng.uniform(6, 26),
                size * (1.5 if kind == "church" else rng.uniform(0.85, 1.1)),
                rng,
                haze,
            )
    hill(pen, scene, ridge(rng, scene.width, scene.horizon + deep * 0.4, deep * 0.06, 5), ground)
    if scene.season != "winter":
        tufts(
            pen,
            scene,
            rng,
            scene.horizon + deep * 0.42,
            scene.height + 10,
            ground,
            max(4, int(60 * scene.width / 1000)),
        )


@backdrop("castle", "castle grounds, kingdom, medieval, courtyard, fantasy landscape", horizon=0.58)
def castle_grounds(pen: Pen, scene: Scene) -> None:
    """A castle on a far hill."""
    draw_sky(pen, scene)
    rng = source(scene.seed, "castle grounds")
    ground = scene.palette.ground
    deep = scene.height - scene.horizon
    pen.haze = 0.45
    hill(
        pen,
        scene,
        ridge(rng, scene.width, scene.horizon, deep * 0.36, 5),
        mix(scene.palette.far, scene.palette.haze, 0.2),
    )
    pen.haze = 0.0
    x = scene.width * rng.choice((0.24, 0.74))
    hill(
        pen,
        scene,
        [
            (x - 420, scene.horizon + 90),
            (x - 200, scene.horizon + 6),
            (x, scene.horizon - 50),
            (x + 200, scene.horizon + 6),
            (x + 420, scene.horizon + 90),
        ],
        mix(ground, scene.palette.far, 0.5),
    )
    if not any(thing.kind == "castle" for thing in scene.things):
        put(pen, scene, "castle", x, scene.horizon - 28, min(260.0, scene.horizon * 0.5), rng, 0.3)
    hill(
        pen,
        scene,
        ridge(rng, scene.width, scene.horizon + deep * 0.2, deep * 0.1, 5),
        mix(ground, scene.palette.far, 0.25),
    )
    hill(pen, scene, ridge(rng, scene.width, scene.horizon + deep * 0.36, deep * 0.08, 4), ground)
    if scene.season != "winter":
        tufts(
            pen, scene, rng, scene.horizon + deep * 0.4, scene.height + 10, ground, max(4, int(70 * scene.width / 1000))
        )
