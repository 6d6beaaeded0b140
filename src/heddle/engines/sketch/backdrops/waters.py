"""Backdrops with water: beach, sea, coast, lake, river, the deep."""

# ruff: noqa: E501 - path data and rows of numbers read better on one line

from __future__ import annotations

import math

from heddle.engines.sketch.backdrops import backdrop
from heddle.engines.sketch.backdrops.sky import box, draw_sky, hill, peaks, put, ridge, ripples, tufts, water
from heddle.engines.sketch.chance import source
from heddle.engines.sketch.color import mix, tone
from heddle.engines.sketch.pen import Pen, n, smooth
from heddle.engines.sketch.scene import Placed, Scene


def _glitter(pen: Pen, scene: Scene, top: float, bottom: float) -> None:
    """The sun's or moon's path on the water."""
    lights = _lights(scene)
    if not lights or pen.manner.paper is not None:
        return
    x = lights[0].x
    rng = source(scene.seed, "glitter")
    for _ in range(int(70 * scene.detail)):
        share = rng.random()
        y = top + (bottom - top) * share
        half = (6 + 26 * share) * rng.uniform(0.5, 1.4)
        across = x + rng.gauss(0, 18 + 70 * share) + 4 * math.sin(scene.moment + y)
        pen.ellipse(
            across, y, half, 1 + 1.8 * share, mix(scene.palette.sun, "#ffffff", 0.4), "glow", 0, rng.uniform(0.25, 0.75)
        )


def _waves(pen: Pen, scene: Scene, top: float, bottom: float) -> None:
    """Rows of crests that grow toward the viewer."""
    rng = source(scene.seed, "waves")
    own = scene.palette.water
    rows = 7
    crests: list[tuple[str, str, float, float, float]] = []
    for row in range(rows):
        share = ((row + 1) / rows) ** 1.5
        y = top + (bottom - top) * share
        long, high = 70 + 170 * share, 3 + 15 * share
        phase = rng.uniform(0, long) + scene.moment * (10 + 22 * share)
        x = -long + phase % long - long
        d = f"M{n(x)} {n(y)}"
        while x < scene.width + long:
            d += f"q{n(long * 0.25)} {n(-high)} {n(long * 0.5)} 0t{n(long * 0.5)} 0"
            x += long
        crests.append((d, tone(own, -0.015 * row), y, high, 1.4 + 2 * share))
    foot = scene.height + 20
    # Below its crests a row never moves. Drawn apart, that is not drawn again for every frame of a film; a step of no
    # length keeps the box of each part that of the whole row, and with it the shading.
    manner = pen.manner
    apart = manner.paper is None and manner.ink is None and not manner.lifted and not _lights(scene)
    if apart:
        for _, color, y, high, wide in crests:
            start = y + high / 2 + wide
            body = f"M-400 {n(start)}H{n(scene.width + 400)}V{n(foot)}H-400Z"
            pen.path(body + f"M-400 {n(y - high / 2)}h0Z", color, "down", 0.5)
    for d, color, y, high, wide in crests:
        end = f"V{n(y + high / 2 + wide)}H-400ZM-400 {n(foot)}h0Z" if apart else f"V{n(foot)}H-400Z"
        pen.path(d + end, color, "down", 0.5)
        pen.line(d, mix(own, "#ffffff", 0.55), wide, 0.4)


def _lights(scene: Scene) -> list[Placed]:
    return [thing for thing in scene.things if thing.kind in ("sun", "moon")]


@backdrop(
    "sea",
    "ocean, open sea, waves, on the water, high seas, pacific, atlantic",
    horizon=0.5,
    ground=(0.66, 0.9),
    water=(0.6, 0.88),
)
def sea(pen: Pen, scene: Scene) -> None:
    """Waves to the horizon."""
    draw_sky(pen, scene)
    water(pen, scene, scene.horizon, scene.height + 10)
    _glitter(pen, scene, scene.horizon + 4, scene.height)
    _waves(pen, scene, scene.horizon + 30, scene.height)
    ripples(
        pen,
        scene,
        source(scene.seed, "ripples"),
        scene.horizon + 10,
        scene.height,
        "#ffffff",
        max(6, int(40 * scene.width / 1000)),
    )


@backdrop(
    "beach",
    "seaside, shore, seashore, tropical beach, sand, island, tropical island",
    horizon=0.46,
    ground=(0.74, 0.95),
    water=(0.5, 0.62),
)
def beach(pen: Pen, scene: Scene) -> None:
    """Water, foam and sand; a palm at one side."""
    draw_sky(pen, scene)
    rng = source(scene.seed, "beach")
    shore = scene.height * 0.68
    water(pen, scene, scene.horizon, shore + 60)
    _glitter(pen, scene, scene.horizon + 4, shore)
    ripples(pen, scene, rng, scene.horizon + 8, shore, "#ffffff", max(6, int(46 * scene.width / 1000)))
    swing = 8 * math.sin(scene.moment * 0.8)
    points = [(x * scene.width / 5 - 20, shore + rng.uniform(-22, 22) + swing) for x in range(-1, 8)]
    sand = scene.palette.ground
    for shift, color, alpha in (
        (-26, "#ffffff", 0.35),
        (-12, "#ffffff", 0.85),
        (2, mix(sand, "#8a6a3f", 0.28), 1.0),
        (26, sand, 1.0),
    ):
        moved = [(x, y + shift) for x, y in points]
        pen.path(
            smooth(moved) + f"L{n(scene.width + 400)} {n(scene.height + 20)}L-400 {n(scene.height + 20)}Z",
            color,
            "down" if color == sand else "flat",
            alpha,
        )
    for _ in range(max(4, int(60 * scene.width / 1000 * scene.detail))):
        x, y = rng.uniform(0, scene.width), rng.uniform(shore + 50, scene.height)
        pen.ellipse(x, y, rng.uniform(2, 7), rng.uniform(1, 2.2), tone(sand, rng.choice((-0.06, 0.05))), "flat")
    if (
        scene.width > 700
        and not {"palm tree", "tree"} & scene.without
        and not any(thing.kind == "palm tree" for thing in scene.things)
    ):
        side = rng.choice((0.05, 0.95))
        put(pen, scene, "palm tree", scene.width * side, scene.height * 0.86, min(520.0, scene.height * 0.62), rng)


@backdrop(
    "coast",
    "cliff by the sea, rocky coast, headland, harbor, harbour, bay, port",
    horizon=0.52,
    ground=(0.72, 0.93),
    water=(0.56, 0.66),
)
def coast(pen: Pen, scene: Scene) -> None:
    """A grassy cliff over the sea."""
    draw_sky(pen, scene)
    rng = source(scene.seed, "coast")
    water(pen, scene, scene.horizon, scene.height + 10)
    _glitter(pen, scene, scene.horizon + 4, scene.height * 0.7)
    ripples(pen, scene, rng, scene.horizon + 10, scene.height * 0.8, "#ffffff", max(6, int(40 * scene.width / 1000)))
    edge = scene.height * 0.72
    line = ridge(rng, scene.width, edge, 34, 5)
    hill(pen, scene, [(x, y + 30) for x, y in line], mix("#8a7a6a", scene.palette.ground, 0.15))
    pen.path(
        smooth([(x, y + 26) for x, y in line])
        + smooth([(x, y + 38) for x, y in reversed(line)]).replace("M", "L", 1)
        + "Z",
        "#ffffff",
        "flat",
        0.35,
    )
    hill(pen, scene, [(x, y + 4 if index % 2 else y - 6) for index, (x, y) in enumerate(line)], scene.palette.ground)
    if scene.season != "winter":
        tufts(pen, scene, rng, edge + 20, scene.height + 10, scene.palette.ground, max(4, int(70 * scene.width / 1000)))


@backdrop(
    "lake",
    "pond, river, lakeside, stream, waterfall, lagoon, fjord, creek, swamp, marsh, wetland",
    horizon=0.46,
    ground=(0.82, 0.96),
    water=(0.54, 0.76),
)
def lake(pen: Pen, scene: Scene) -> None:
    """Still water between hills that mirror in it."""
    draw_sky(pen, scene)
    rng = source(scene.seed, "lake")
    base = scene.horizon
    far = mix(mix("#6f8aa0", scene.palette.far, 0.5), scene.palette.sky[1], 0.2)
    start = len(pen.parts)
    pen.haze = 0.35
    peaks(pen, scene, rng, base + 6, min(scene.horizon * 0.55, 330), far, "#f7faff", min(400.0, scene.width * 0.3))
    pen.haze = 0.2
    hill(pen, scene, ridge(rng, scene.width, base, 64, 6), mix(scene.palette.foliage, scene.palette.far, 0.4), base + 8)
    pen.haze = 0.0
    count = max(3, int(12 * scene.width / 1000))
    for step in range(count):
        put(
            pen,
            scene,
            "pine tree",
            scene.width * (step + rng.random()) / count,
            base + 5,
            rng.uniform(60, 120),
            rng,
            0.3,
        )
    shore = "".join(pen.parts[start:])
    water(pen, scene, base + 2, scene.height + 10)
    if pen.manner.paper is None:
        pen.parts.append(f'<g opacity="0.33" transform="translate(0 {n(2 * base + 6)}) scale(1 -1)">{shore}</g>')
        own = pen.graded(scene.palette.water)
        pen.wash(
            box(0, base, scene.width, scene.height + 10), ((0, own, 0.0), (0.6, own, 0.6), (1, tone(own, -0.1), 0.9))
        )
    _glitter(pen, scene, base + 6, scene.height * 0.8)
    ripples(
        pen,
        scene,
        rng,
        base + 14,
        scene.height,
        mix(scene.palette.sky[2], "#ffffff", 0.4),
        max(6, int(36 * scene.width / 1000)),
    )
    bank = [
        (x * scene.width / 5, scene.height * 0.825 + rng.uniform(-16, 12) + abs(x - 2.5) * -12) for x in range(-1, 7)
    ]
    hill(pen, scene, bank, scene.palette.ground)
    if scene.season != "winter":
        tufts(
            pen,
            scene,
            rng,
            scene.height * 0.84,
            scene.height + 10,
            scene.palette.ground,
            max(4, int(60 * scene.width / 1000)),
        )


@backdrop(
    "underwater",
    "under the sea, under water, seabed, ocean floor, coral reef, reef, aquarium, deep sea, undersea",
    horizon=0.0,
    ground=(0.84, 0.96),
    floating=True,
    sky=False,
)
def underwater(pen: Pen, scene: Scene) -> None:
    """Light from above, weeds and coral below."""
    rng = source(scene.seed, "underwater")
    blue = pen.graded(mix(scene.palette.water, "#2f8fc4", 0.4))
    pen.wash(
        box(0, 0, scene.width, scene.height + 10),
        ((0, mix(blue, "#c8f4f6", 0.62), 1), (0.35, blue, 1), (1, tone(blue, -0.2), 1)),
    )
    if pen.manner.paper is None:
        for _ in range(6):
            x, spread = rng.uniform(-0.1, 0.95) * scene.width, rng.uniform(40, 120)
            lean = scene.height * 0.32
            pen.wash(
                f"M{n(x)} -10H{n(x + spread)}L{n(x + spread * 2.4 + lean)} {n(scene.height * 0.9)}H{n(x + lean)}Z",
                ((0, "#ffffff", 0.26), (1, "#ffffff", 0.0)),
            )
    floor = scene.height * 0.84
    pen.haze = 0.0
    far = mix(pen.light.haze, blue, 0.8)
    hill(pen, scene, ridge(rng, scene.width, floor - 40, 110, 6), mix(tone(far, -0.12), blue, 0.45))
    hill(pen, scene, ridge(rng, scene.width, floor + 20, 46, 5), mix(scene.palette.ground, blue, 0.34))
    for _ in range(max(3, int(10 * scene.width / 1000 * scene.detail))):
        _weed(
            pen,
            scene,
            rng.uniform(0, scene.width),
            rng.uniform(floor + 10, scene.height),
            rng.uniform(90, 230),
            rng.choice(("#3f9a6a", "#5aa84a", "#2f8a7a", "#8a6ab0")),
        )
    for _ in range(max(3, int(8 * scene.width / 1000 * scene.detail))):
        _coral(
            pen,
            rng.uniform(0, scene.width),
            rng.uniform(floor + 30, scene.height + 8),
            rng.uniform(50, 110),
            rng.choice(("#e8709a", "#f0904a", "#e0b04a", "#b070d0")),
        )
    for _ in range(int(26 * scene.detail)):
        x, y, r = (
            rng.uniform(0, scene.width),
            (rng.uniform(0, scene.height) - scene.moment * 40) % scene.height,
            rng.uniform(3, 12),
        )
        pen.circle(x, y, r, "#e8fbff", "flat", 0.22)
        pen.circle(x - r * 0.3, y - r * 0.3, r * 0.25, "#ffffff", "glow", 0.8)


def _weed(pen: Pen, scene: Scene, x: float, y: float, height: float, color: str) -> None:
    sway = 16 * math.sin(scene.moment * 1.2 + x)
    for shift in (-14, 0, 14):
        top = height * (1 - abs(shift) / 40)
        pen.line(
            f"M{n(x + shift)} {n(y)}c{n(-16 + sway)} {n(-top * 0.3)} {n(18)} {n(-top * 0.6)} {n(sway)} {n(-top)}",
            color,
            9,
        )


def _coral(pen: Pen, x: float, y: float, height: float, color: str) -> None:
    with pen.at(x, y, height / 100):
        pen.line(
            "M0 0V-60M0 -20C-20 -30 -28 -44 -28 -70M0 -34C18 -42 28 -54 28 -82M-28 -46C-40 -52 -44 -60 -44 -74M0 -56C-6 -70 -4 -84 -8 -98M28 -60C38 -64 42 -72 44 -84",
            color,
            10,
        )
