"""The sky that outdoor backdrops share, and the lines of hills under it."""

# ruff: noqa: E501 - path data and rows of numbers read better on one line

from __future__ import annotations

import math
import random

from heddle.engines.sketch.chance import source
from heddle.engines.sketch.color import mix, tone
from heddle.engines.sketch.objects import Look, catalog
from heddle.engines.sketch.objects.place import draw_thing
from heddle.engines.sketch.pen import Pen, n, smooth
from heddle.engines.sketch.scene import Scene


def box(left: float, top: float, right: float, bottom: float) -> str:
    """A rectangle as path data."""
    return f"M{n(left)} {n(top)}H{n(right)}V{n(bottom)}H{n(left)}Z"


def draw_sky(pen: Pen, scene: Scene) -> None:
    """A gradient, light around the sun's side, and stars at night."""
    top, middle, low = scene.palette.sky
    horizon = scene.horizon
    share = (horizon + 60) / (scene.height + 10)
    pen.wash(
        box(0, 0, scene.width, scene.height + 10),
        ((0, top, 1), (0.55 * share, middle, 1), (0.95 * share, low, 1), (1, low, 1)),
    )
    if (
        scene.palette.night
        and "star" not in scene.without
        and not scene.weather & {"rain", "storm", "fog", "overcast", "snow"}
    ):
        draw_stars(pen, scene, 0, horizon * 0.9)
    pen.sky = len(pen.parts)
    for placed in scene.heavens:
        draw_thing(pen, scene, placed)


def draw_stars(pen: Pen, scene: Scene, top: float, bottom: float, many: float = 1.0) -> None:
    """Points of light, denser and smaller than round numbers."""
    rng = source(scene.seed, "stars")
    count = int(min(260, scene.width * (bottom - top) / 9000) * many * scene.detail)
    for _ in range(count):
        x, y = rng.uniform(0, scene.width), rng.uniform(top, bottom)
        r = rng.choice((1.0, 1.0, 1.4, 1.4, 2.0, 2.8))
        twinkle = 0.75 + 0.25 * math.sin(scene.moment * 3 + x)
        color = rng.choice(("#ffffff", "#fff3d0", "#d8e6ff"))
        if pen.manner.paper is not None:
            pen.line(f"M{n(x - 4)} {n(y)}h8M{n(x)} {n(y - 4)}v8", "#888888", 1)
            continue
        pen.circle(x, y, r, color, "glow", min(0.99, rng.uniform(0.4, 1) * twinkle))


def ridge(
    rng: random.Random, width: float, base: float, rise: float, bumps: float, left: float = -60.0
) -> list[tuple[float, float]]:
    """A soft line of hills from left to right, as points."""
    count = max(4, int(bumps))
    step = (width + 120) / count
    return [(left + index * step, base - rise * rng.uniform(0.1, 1.0)) for index in range(count + 1)]


def hill(pen: Pen, scene: Scene, points: list[tuple[float, float]], color: str, bottom: float | None = None) -> str:
    """A filled hill under a soft line; returns its path."""
    down = scene.height + 40 if bottom is None else bottom
    d = smooth(points) + f"L{n(points[-1][0])} {n(down)}L{n(points[0][0])} {n(down)}Z"
    with pen.lifted():
        pen.path(d, color, "down")
    return d


def peaks(
    pen: Pen, scene: Scene, rng: random.Random, base: float, tall: float, color: str, snow: str | None, half: float
) -> None:
    """A range of mountains with lit and shaded sides."""
    x = -half * rng.uniform(0.2, 0.9)
    spots: list[tuple[float, float, float]] = []
    while x < scene.width + half:
        spots.append((x, tall * rng.uniform(0.55, 1.0), half * rng.uniform(0.75, 1.25)))
        x += half * rng.uniform(0.75, 1.25)
    for x, high, wide in sorted(spots, key=lambda spot: -spot[1]):
        top = base - high
        lean = wide * rng.uniform(-0.12, 0.12)
        left = [
            (x - wide, base),
            (x - wide * 0.62, base - high * 0.3),
            (x - wide * 0.4, base - high * 0.52),
            (x - wide * 0.18, base - high * 0.8),
            (x + lean, top),
        ]
        right = [
            (x + lean, top),
            (x + wide * 0.2, base - high * 0.76),
            (x + wide * 0.42, base - high * 0.5),
            (x + wide * 0.7, base - high * 0.24),
            (x + wide, base),
        ]
        spine = [
            (x + lean, top),
            (x + lean + wide * 0.07, base - high * 0.74),
            (x + lean - wide * 0.04, base - high * 0.5),
            (x + lean + wide * 0.12, base - high * 0.26),
            (x + wide * 0.1, base),
        ]
        with pen.lifted():
            pen.poly([*left, *right[1:]], color, "down")
        pen.poly([*spine, *reversed(right[1:])], tone(color, -0.055), "down")
        if snow is not None and high > tall * 0.6:
            cap = [
                (x - wide * 0.27, base - high * 0.69),
                (x - wide * 0.18, base - high * 0.8),
                (x + lean, top),
                (x + wide * 0.2, base - high * 0.76),
                (x + wide * 0.27, base - high * 0.67),
            ]
            teeth = [
                (x + wide * 0.16, base - high * 0.71),
                (x + wide * 0.08, base - high * 0.62),
                (x, base - high * 0.72),
                (x - wide * 0.1, base - high * 0.61),
                (x - wide * 0.17, base - high * 0.71),
            ]
            pen.poly([*cap, *teeth], snow, "down")
            pen.poly(
                [
                    (x + lean, top),
                    (x + wide * 0.2, base - high * 0.76),
                    (x + wide * 0.27, base - high * 0.67),
                    (x + wide * 0.16, base - high * 0.71),
                    (x + lean + wide * 0.06, base - high * 0.66),
                ],
                tone(snow, -0.07),
                "flat",
            )


def put(
    pen: Pen,
    scene: Scene,
    kind: str,
    x: float,
    y: float,
    height: float,
    rng: random.Random,
    haze: float = 0.0,
    color: str | None = None,
) -> None:
    """A thing of the catalogue as decoration, unless the scene is without it."""
    if kind in scene.without:
        return
    row = catalog()[kind]
    outer, pen.haze = pen.haze, haze
    look = Look(
        main=color or rng.choice(row.colors), second=None, rng=random.Random(rng.getrandbits(32)),  # noqa: S311
        lamps=scene.palette.night, season=scene.season, traits={"asked": "yes"} if color else {},
    )  # fmt: skip
    with pen.at(x, y, height / 100, flip=rng.random() < 0.5):
        row.draw(pen, look)
    pen.haze = outer


def tufts(pen: Pen, scene: Scene, rng: random.Random, top: float, bottom: float, color: str, count: int) -> None:
    """Blades of grass, larger toward the viewer."""
    spots = sorted((rng.uniform(top, bottom), rng.uniform(0, scene.width)) for _ in range(int(count * scene.detail)))
    for y, x in spots:
        size = 8 + 26 * (y - top) / max(1.0, bottom - top)
        shade = tone(color, rng.choice((-0.07, -0.05, 0.05, 0.07)))
        pen.path(
            f"M{n(x - size * 0.3)} {n(y)}Q{n(x - size * 0.35)} {n(y - size * 0.6)} {n(x - size * 0.6)} {n(y - size)}Q{n(x - size * 0.1)} {n(y - size * 0.6)} {n(x)} {n(y - size * 0.1)}"
            f"Q{n(x + size * 0.05)} {n(y - size * 0.7)} {n(x + size * 0.1)} {n(y - size * 1.2)}Q{n(x + size * 0.2)} {n(y - size * 0.5)} {n(x + size * 0.15)} {n(y)}"
            f"Q{n(x + size * 0.35)} {n(y - size * 0.5)} {n(x + size * 0.65)} {n(y - size * 0.8)}Q{n(x + size * 0.45)} {n(y - size * 0.3)} {n(x + size * 0.35)} {n(y)}Z",
            shade, "flat",
        )  # fmt: skip


def blossoms(pen: Pen, scene: Scene, rng: random.Random, top: float, bottom: float, count: int) -> None:
    """Small flowers in the grass, in the palette's accents."""
    if "flower" in scene.without:
        return
    spots = sorted((rng.uniform(top, bottom), rng.uniform(0, scene.width)) for _ in range(int(count * scene.detail)))
    for y, x in spots:
        r = 3.0 + 7.5 * (y - top) / max(1.0, bottom - top)
        pen.line(f"M{n(x)} {n(y)}v{n(r * 2.6)}", tone(scene.palette.ground, -0.16), max(0.8, r * 0.35))
        petal = rng.choice((*scene.palette.accents, "#ffffff"))
        for turn in (0, 1, 2, 3, 4):
            angle = turn * 1.2566
            pen.circle(x + math.cos(angle) * r * 0.8, y + math.sin(angle) * r * 0.8, r * 0.62, petal, "flat")
        pen.circle(x, y, r * 0.5, "#f8d24a", "flat")


def ripples(
    pen: Pen,
    scene: Scene,
    rng: random.Random,
    top: float,
    bottom: float,
    color: str,
    count: int,
    left: float = 0.0,
    right: float | None = None,
) -> None:
    """Short bright strokes on water, longer toward the viewer; they drift with the moment."""
    end = scene.width if right is None else right
    for _ in range(int(count * scene.detail)):
        share = rng.random() ** 0.8
        y = top + (bottom - top) * share
        long = (14 + 80 * share) * rng.uniform(0.5, 1.3)
        # All the way out before it comes in again at the other side.
        x = left - long + (rng.uniform(0, end - left) + long + scene.moment * 12 * (0.3 + share)) % (end - left + long)
        pen.line(
            f"M{n(x)} {n(y)}q{n(long / 4)} {n(-2 - 3 * share)} {n(long / 2)} 0t{n(long / 2)} 0",
            color,
            1.2 + 2.2 * share,
            rng.uniform(0.25, 0.6),
        )


def water(pen: Pen, scene: Scene, top: float, bottom: float, left: float = -10.0, right: float | None = None) -> None:
    """A sheet of water that mirrors the sky near the horizon and deepens toward the viewer."""
    own = pen.graded(scene.palette.water)
    far = mix(own, scene.palette.sky[2], 0.55)
    pen.wash(
        box(left, top, scene.width + 10 if right is None else right, bottom),
        ((0, far, 1), (0.3, mix(own, far, 0.45), 1), (1, tone(own, -0.1), 1)),
    )


def corners(pen: Pen, scene: Scene, rng: random.Random, color: str) -> None:
    """Tall blades and a few blooms at the lower corners: something near gives the rest depth."""
    if "grass" in scene.without:
        return
    size = min(scene.width, scene.height) * 0.26
    for side in (0, 1):
        if rng.random() < 0.25:
            continue
        for _ in range(int(16 * scene.detail)):
            reach = rng.random() ** 1.6
            x = (scene.width if side else 0.0) + (-1 if side else 1) * reach * size * 1.3
            high = size * rng.uniform(0.35, 0.95) * (1 - 0.6 * reach)
            lean = high * rng.uniform(-0.35, 0.35) + (-1 if side else 1) * high * 0.18
            y = scene.height + 12
            half = size * 0.03
            shade = tone(color, rng.choice((-0.14, -0.1, -0.06)))
            pen.path(
                f"M{n(x - half)} {n(y)}C{n(x - half)} {n(y - high * 0.5)} {n(x + lean * 0.4)} {n(y - high * 0.8)} {n(x + lean)} {n(y - high)}"
                f"C{n(x + lean * 0.5 + half)} {n(y - high * 0.7)} {n(x + half)} {n(y - high * 0.4)} {n(x + half)} {n(y)}Z",
                shade, "flat",
            )  # fmt: skip
            if rng.random() < 0.3 and "flower" not in scene.without:
                petal = rng.choice(scene.palette.accents)
                for turn in range(5):
                    angle = turn * 1.2566 + 0.3
                    pen.circle(
                        x + lean + math.cos(angle) * size * 0.035,
                        y - high + math.sin(angle) * size * 0.035,
                        size * 0.03,
                        petal,
                    )
                pen.circle(x + lean, y - high, size * 0.024, "#f8d24a", "flat")
