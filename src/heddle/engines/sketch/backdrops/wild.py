"""Backdrops of wild land: forest, jungle, desert, savanna, snow, volcano."""

# ruff: noqa: E501 - path data and rows of numbers read better on one line

from __future__ import annotations

from itertools import pairwise

from heddle.engines.sketch.backdrops import backdrop
from heddle.engines.sketch.backdrops.ground import deep, layers, many, mist, near_grass, tree_line
from heddle.engines.sketch.backdrops.sky import draw_sky, hill, peaks, put, ridge, tufts
from heddle.engines.sketch.chance import source
from heddle.engines.sketch.color import mix, tone
from heddle.engines.sketch.pen import Pen, n
from heddle.engines.sketch.scene import Scene


@backdrop(
    "forest",
    "woods, woodland, wood, trees, grove, pine forest, taiga, fairytale forest",
    horizon=0.56,
    ground=(0.7, 0.94),
)
def forest(pen: Pen, scene: Scene) -> None:
    """Rows of trees fading into light."""
    draw_sky(pen, scene)
    rng = source(scene.seed, "forest")
    base = scene.horizon + deep(scene) * 0.1
    kinds = (
        ("pine tree",)
        if scene.season == "winter"
        else rng.choice((("pine tree",), ("pine tree", "tree"), ("tree", "tree", "pine tree")))
    )
    glow = mix(scene.palette.sky[2], scene.palette.foliage, 0.25)
    pen.wash(f"M0 {n(scene.horizon * 0.2)}H{n(scene.width)}V{n(base)}H0Z", ((0, glow, 0), (1, glow, 0.8)))
    tall = min(scene.horizon * 0.86, 560.0)
    for index, (share, haze) in enumerate(((0.62, 0.68), (0.78, 0.46), (0.96, 0.24))):
        tree_line(
            pen,
            scene,
            base + index * deep(scene) * 0.06,
            tall * share,
            many(scene, 11 - index * 2.4),
            kinds,
            haze,
            str(index),
        )
        mist(pen, scene, base - tall * 0.3, base + index * deep(scene) * 0.06 + 20, 0.34)
    ground = (
        mix(scene.palette.ground, scene.palette.foliage, 0.45) if scene.season != "winter" else scene.palette.ground
    )
    hill(pen, scene, ridge(rng, scene.width, base + deep(scene) * 0.12, 26, 5), mix(ground, scene.palette.far, 0.2))
    hill(pen, scene, ridge(rng, scene.width, base + deep(scene) * 0.34, 30, 5), ground)
    _framing(pen, scene, tall * 1.75, kinds)
    near_grass(pen, scene, 14)


def _framing(pen: Pen, scene: Scene, height: float, kinds: tuple[str, ...]) -> None:
    """A large dark tree at either edge draws the eye inward."""
    rng = source(scene.seed, "frame")
    for x in (-height * 0.07, scene.width + height * 0.07):
        put(
            pen,
            scene,
            kinds[0],
            x,
            scene.horizon + deep(scene) * 0.5,
            height,
            rng,
            0.0,
            tone(scene.palette.foliage, -0.12),
        )


@backdrop("jungle", "rainforest, tropical forest, tropics", horizon=0.54, ground=(0.7, 0.94))
def jungle(pen: Pen, scene: Scene) -> None:
    """Palms, leaves and green light."""
    draw_sky(pen, scene)
    rng = source(scene.seed, "jungle")
    green = mix(scene.palette.foliage, "#2f8a4a", 0.5)
    base = scene.horizon + deep(scene) * 0.12
    light = mix(scene.palette.sky[2], green, 0.35)
    pen.wash(f"M0 0H{n(scene.width)}V{n(base)}H0Z", ((0, light, 0.3), (1, light, 0.9)))
    tall = min(scene.horizon * 0.95, 560.0)
    for index, (kinds, share, haze) in enumerate(
        (
            (("tree", "palm tree"), 0.8, 0.6),
            (("palm tree", "tree"), 0.92, 0.38),
            (("palm tree", "bamboo", "bush"), 0.78, 0.16),
        )
    ):
        tree_line(pen, scene, base + index * 18, tall * share, many(scene, 8 - index), kinds, haze, str(index))
    hill(pen, scene, ridge(rng, scene.width, base + deep(scene) * 0.22, 40, 6), mix(green, "#6a7a3a", 0.35))
    hill(pen, scene, ridge(rng, scene.width, base + deep(scene) * 0.42, 30, 5), tone(mix(green, "#6a8a3a", 0.3), -0.03))
    for side in (0.0, scene.width):
        for step in range(5):
            turn = (-62 + step * 26) * (1 if side == 0 else -1)
            with pen.at(side, scene.height * (0.98 - 0.05 * (step % 2)), 3.4, turn):
                pen.path("M0 0C-14 -30 -12 -70 0 -92C12 -70 14 -30 0 0Z", tone(green, -0.12 + 0.04 * (step % 3)))
                pen.line("M0 -4V-84", tone(green, 0.02), 1.2)
    tufts(pen, scene, rng, base + deep(scene) * 0.4, scene.height, green, many(scene, 60))


@backdrop("desert", "dunes, dune, sahara, sand dunes, wasteland", horizon=0.6)
def desert(pen: Pen, scene: Scene) -> None:
    """Dunes with a lit and a shaded slope."""
    draw_sky(pen, scene)
    rng = source(scene.seed, "desert")
    sand = scene.palette.ground
    for index, share in enumerate((0.0, 0.1, 0.26, 0.5)):
        base = scene.horizon + deep(scene) * share
        pen.haze = 0.42 * (1 - index / 3)
        points = ridge(rng, scene.width, base, deep(scene) * (0.26 - index * 0.03), 3 + scene.width / 700)
        hill(pen, scene, points, tone(sand, 0.03 - index * 0.012))
        for (x0, y0), (x1, y1) in pairwise(points):
            if y0 < y1:
                pen.path(
                    f"M{n(x0)} {n(y0)}C{n(x0 + (x1 - x0) * 0.3)} {n(y0 + 4)} {n(x0 + (x1 - x0) * 0.7)} {n(y1 - 10)} {n(x1)} {n(y1)}C{n(x0 + (x1 - x0) * 0.6)} {n(y1 + 30)} {n(x0 + 20)} {n(y1 + 44)} {n(x0 - 30)} {n(y1 + 70)}C{n(x0 + 30)} {n(y0 + 50)} {n(x0 + 16)} {n(y0 + 20)} {n(x0)} {n(y0)}Z",
                    tone(sand, -0.07),
                    "down",
                    0.6,
                )
    pen.haze = 0.0
    for _ in range(many(scene, 24)):
        x, y = rng.uniform(0, scene.width), rng.uniform(scene.horizon + deep(scene) * 0.6, scene.height)
        pen.line(f"M{n(x)} {n(y)}q40 -8 90 2", tone(sand, -0.06), 2, 0.6)


@backdrop("savanna", "savannah, african plain, safari, steppe", horizon=0.62)
def savanna(pen: Pen, scene: Scene) -> None:
    """Golden grass and flat-topped trees."""
    draw_sky(pen, scene)
    rng = source(scene.seed, "savanna")
    ground = scene.palette.ground
    layers(
        pen,
        scene,
        "savanna",
        (mix(scene.palette.far, "#8a90a8", 0.4), mix(ground, scene.palette.far, 0.45), ground),
        0.1,
    )
    for _ in range(many(scene, 3)):
        x, high = rng.uniform(0, scene.width), rng.uniform(110, 190)
        y = scene.horizon + deep(scene) * rng.uniform(0.06, 0.16)
        if "tree" in scene.without:
            break
        pen.haze = 0.3
        pen.line(
            f"M{n(x)} {n(y)}C{n(x + 4)} {n(y - high * 0.4)} {n(x - 6)} {n(y - high * 0.6)} {n(x - high * 0.3)} {n(y - high * 0.86)}M{n(x)} {n(y - high * 0.45)}L{n(x + high * 0.3)} {n(y - high * 0.86)}",
            "#6b4a34",
            7,
        )
        for shift, rise, half in ((-0.34, 0.86, 0.42), (0.3, 0.88, 0.46), (0, 0.98, 0.4)):
            pen.ellipse(
                x + high * shift, y - high * rise, high * half, high * 0.11, mix("#7a9a4a", scene.palette.foliage, 0.3)
            )
        pen.haze = 0.0
    tufts(pen, scene, rng, scene.horizon + deep(scene) * 0.2, scene.height + 10, ground, many(scene, 130))


@backdrop(
    "snowfield",
    "snow, winter landscape, snowy landscape, arctic, antarctica, ice, tundra, north pole, glacier, snowy field, winter wonderland",
    horizon=0.58,
)
def snowfield(pen: Pen, scene: Scene) -> None:
    """Blue-shadowed snow and white pines."""
    draw_sky(pen, scene)
    rng = source(scene.seed, "snowfield")
    snow = "#f3f7fb"
    blue = mix(snow, scene.palette.sky[1], 0.32)
    pen.haze = 0.35
    peaks(
        pen,
        scene,
        rng,
        scene.horizon + deep(scene) * 0.1,
        min(scene.horizon * 0.45, 300),
        mix("#8aa0bc", scene.palette.sky[1], 0.35),
        "#ffffff",
        min(380.0, scene.width * 0.3),
    )
    pen.haze = 0.0
    for index, color in enumerate((blue, mix(snow, blue, 0.55), snow)):
        base = scene.horizon + deep(scene) * (0.1 + 0.17 * index)
        hill(pen, scene, ridge(rng, scene.width, base, deep(scene) * 0.12, 4 + scene.width / 500), color)
        if index < 2:
            rng_trees = source(scene.seed, "snow pines", index)
            for step in range(many(scene, 7 - index * 3)):
                x = (step + rng_trees.uniform(0, 1)) * scene.width / many(scene, 7 - index * 3)
                _white_pine(pen, scene, x, base + 18, 88 + index * 55, 0.34 - index * 0.2)
    for _ in range(many(scene, 10)):
        x, y = rng.uniform(0, scene.width), rng.uniform(scene.horizon + deep(scene) * 0.5, scene.height)
        pen.line(f"M{n(x)} {n(y)}q60 -12 130 4", mix(blue, scene.palette.sky[1], 0.3), 3, 0.5)


def _white_pine(pen: Pen, scene: Scene, x: float, y: float, height: float, haze: float) -> None:
    if "pine tree" in scene.without or "tree" in scene.without:
        return
    rng = source(scene.seed, x)
    pen.haze, outer = haze, pen.haze
    with pen.at(x, y, height / 100):
        pen.rect(-3, -14, 6, 14, "#6b4a38", "side")
        for base, tip, half in ((-10, -46, 27), (-28, -64, 22), (-46, -82, 17), (-64, -100, 12)):
            sway = rng.uniform(-1, 1)
            pen.path(
                f"M{n(sway)} {tip}C{n(half * 0.3)} {tip + 18} {n(half * 0.6)} {base - 9} {half} {base}C{n(half * 0.4)} {base + 4} {n(-half * 0.4)} {base + 4} {-half} {base}C{n(-half * 0.6)} {base - 9} {n(-half * 0.3)} {tip + 18} {n(sway)} {tip}Z",
                "#5a8a80",
                "side",
            )
            pen.path(
                f"M{n(sway)} {tip}C{n(half * 0.3)} {tip + 15} {n(half * 0.4)} {base - 16} {n(half * 0.62)} {base - 9}C{n(half * 0.3)} {base - 13} {n(half * 0.1)} {base - 7} {n(-half * 0.15)} {base - 11}C{n(-half * 0.4)} {base - 8} {n(-half * 0.5)} {base - 12} {n(-half * 0.62)} {base - 9}C{n(-half * 0.4)} {base - 16} {n(-half * 0.3)} {tip + 15} {n(sway)} {tip}Z",
                "#fbfdff",
            )
    pen.haze = outer


@backdrop(
    "night forest",
    "dark forest, haunted forest, enchanted forest, magical forest",
    horizon=0.56,
    ground=(0.7, 0.94),
    time="night",
)
def night_forest(pen: Pen, scene: Scene) -> None:
    """A forest with fireflies."""
    forest(pen, scene)
    rng = source(scene.seed, "fireflies")
    for _ in range(many(scene, 26)):
        x, y = rng.uniform(0, scene.width), rng.uniform(scene.horizon * 0.7, scene.height * 0.95)
        pen.halo(x, y, 16, "#fff2a0", 0.8)
        pen.circle(x, y, 2.2, "#fffbd8", "glow")


@backdrop("volcano", "lava, crater, hell", horizon=0.62, time="dusk")
def volcano(pen: Pen, scene: Scene) -> None:
    """A glowing cone."""
    draw_sky(pen, scene)
    rng = source(scene.seed, "volcano")
    base = scene.horizon + deep(scene) * 0.12
    x, high, half = (
        scene.width * rng.uniform(0.4, 0.6),
        min(scene.horizon * 0.66, 460.0),
        min(scene.width * 0.42, 460.0),
    )
    for step in range(7):
        pen.circle(
            x + rng.uniform(-30, 60) + step * 14,
            base - high - step * 34,
            40 + step * 9,
            mix("#5a5058", scene.palette.sky[1], step * 0.1),
            "soft",
            0.8,
        )
    pen.halo(x, base - high, 200, "#ff8a3a", 0.8)
    pen.path(
        f"M{n(x - half)} {n(base)}C{n(x - half * 0.5)} {n(base - high * 0.3)} {n(x - 90)} {n(base - high * 0.8)} {n(x - 50)} {n(base - high)}L{n(x + 50)} {n(base - high)}C{n(x + 90)} {n(base - high * 0.8)} {n(x + half * 0.5)} {n(base - high * 0.3)} {n(x + half)} {n(base)}Z",
        "#5a4a50",
        "side",
    )
    for shift in (-30, 4, 34):
        pen.line(
            f"M{n(x + shift)} {n(base - high)}C{n(x + shift * 1.6)} {n(base - high * 0.8)} {n(x + shift * 0.6)} {n(base - high * 0.6)} {n(x + shift * 2.6)} {n(base - high * rng.uniform(0.2, 0.45))}",
            "#ff7a2e",
            13,
            1,
            "glow",
        )
    pen.ellipse(x, base - high, 50, 10, "#ffb04a", "glow")
    hill(pen, scene, ridge(rng, scene.width, base + 20, 40, 6), "#4a3f44")
    hill(pen, scene, ridge(rng, scene.width, base + deep(scene) * 0.3, 40, 5), scene.palette.ground)
