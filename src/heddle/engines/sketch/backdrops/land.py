"""Backdrops of tame land: meadow, hills, mountains, farm, garden, park."""

# ruff: noqa: E501 - path data and rows of numbers read better on one line

from __future__ import annotations

from heddle.engines.sketch.backdrops import backdrop
from heddle.engines.sketch.backdrops.ground import deep, layers, many, mist, near_grass, path, tree_line
from heddle.engines.sketch.backdrops.sky import blossoms, corners, draw_sky, hill, peaks, put, ridge, tufts
from heddle.engines.sketch.chance import source
from heddle.engines.sketch.color import mix, tone
from heddle.engines.sketch.pen import Pen, n
from heddle.engines.sketch.scene import Scene


@backdrop(
    "meadow",
    "field, grass, grassland, lawn, pasture, prairie, countryside, nature, outdoors, landscape, valley, plain, plains, clearing",
)
def meadow(pen: Pen, scene: Scene) -> None:
    """Soft hills, a few trees far off, flowers near."""
    draw_sky(pen, scene)
    ground = scene.palette.ground
    hills = (
        mix(scene.palette.far, scene.palette.haze, 0.3),
        mix(ground, scene.palette.far, 0.55),
        mix(ground, scene.palette.far, 0.2),
        ground,
    )
    bases = layers(pen, scene, "meadow", hills)
    tree_line(pen, scene, bases[1] + 8, 62, many(scene, 5), ("tree", "pine tree", "bush"), 0.35, "far")
    near_grass(pen, scene)


@backdrop("hills", "hill, rolling hills, highland, moor, hilltop", horizon=0.56)
def hills(pen: Pen, scene: Scene) -> None:
    """Steeper than a meadow, with a winding path."""
    draw_sky(pen, scene)
    ground = scene.palette.ground
    colors = (
        mix(scene.palette.far, scene.palette.haze, 0.4),
        mix(ground, scene.palette.far, 0.7),
        mix(ground, scene.palette.far, 0.35),
        tone(ground, -0.02),
        ground,
    )
    bases = layers(pen, scene, "hills", colors, 0.34)
    tree_line(pen, scene, bases[2] + 6, 70, many(scene, 5), ("pine tree", "tree"), 0.3, "far")
    path(pen, scene)
    near_grass(pen, scene, 16)


@backdrop(
    "night hills", "starry sky, night sky, under the stars, milky way", horizon=0.7, ground=(0.78, 0.95), time="night"
)
def night_hills(pen: Pen, scene: Scene) -> None:
    """A tall sky over dark hills."""
    draw_sky(pen, scene)
    if scene.palette.night:
        rng = source(scene.seed, "milky way")
        x0 = scene.width * rng.uniform(0.15, 0.4)
        for step in range(9):
            pen.halo(
                x0 + step * scene.width * 0.075,
                scene.horizon * (0.95 - step * 0.11),
                scene.width * 0.13,
                "#a8b8f0",
                0.13,
                scene.height * 0.12,
            )
    ground = scene.palette.ground
    layers(
        pen,
        scene,
        "night hills",
        (mix(ground, scene.palette.far, 0.8), mix(ground, scene.palette.far, 0.4), ground),
        0.3,
    )
    near_grass(pen, scene, 8)


@backdrop(
    "mountains", "mountain, peaks, alps, mountain range, summit, cliff, cliffs, canyon, peak, himalaya", horizon=0.6
)
def mountains(pen: Pen, scene: Scene) -> None:
    """Two ranges with snow, pines before them."""
    draw_sky(pen, scene)
    rng = source(scene.seed, "mountains")
    rock = mix("#6f7f9a", scene.palette.sky[0], 0.25)
    tall = min(scene.horizon * 0.78, 560.0)
    base = scene.horizon + deep(scene) * 0.14
    pen.haze = 0.42
    peaks(pen, scene, rng, base, tall, rock, "#f7faff", min(420.0, scene.width * 0.34))
    pen.haze = 0.18
    peaks(pen, scene, rng, base, tall * 0.6, tone(rock, -0.07), "#f7faff", min(300.0, scene.width * 0.24))
    pen.haze = 0.0
    mist(pen, scene, base - 130, base + 20, 0.55)
    ground = scene.palette.ground
    hill(pen, scene, ridge(rng, scene.width, base + 10, 46, 5), mix(ground, scene.palette.far, 0.55))
    tree_line(pen, scene, base + 26, 92, many(scene, 13), ("pine tree",), 0.3, "far")
    hill(pen, scene, ridge(rng, scene.width, base + deep(scene) * 0.22, 40, 4), ground)
    near_grass(pen, scene, 18)


@backdrop("farm", "farmland, wheat field, crop, crops, vineyard, ranch, barnyard, orchard, cornfield", horizon=0.56)
def farm(pen: Pen, scene: Scene) -> None:
    """Furrows that meet far away, a barn and a fence."""
    draw_sky(pen, scene)
    rng = source(scene.seed, "farm")
    ground = scene.palette.ground
    hill(
        pen,
        scene,
        ridge(rng, scene.width, scene.horizon + 24, deep(scene) * 0.16, 5),
        mix(scene.palette.foliage, scene.palette.far, 0.6),
    )
    y = scene.horizon + deep(scene) * 0.16
    tree_line(pen, scene, y - 6, 64, many(scene, 6), ("tree", "bush"), 0.35, "far")
    if "barn" not in scene.without:
        put(pen, scene, "barn", scene.width * rng.choice((0.14, 0.84)), y + 6, 92, rng, 0.25)
    pen.rect(0, y, scene.width, scene.height - y + 10, ground, "down")
    centre = scene.width * rng.uniform(0.4, 0.6)
    for step in range(-9, 10):
        far_x, near_x = centre + step * scene.width * 0.05, centre + step * scene.width * 0.21
        half = scene.width * 0.055
        pen.path(
            f"M{n(far_x)} {n(y)}L{n(near_x - half)} {n(scene.height + 10)}L{n(near_x + half)} {n(scene.height + 10)}Z",
            tone(ground, -0.055 if step % 2 else 0.03),
            "down",
            0.75,
        )
    tufts(pen, scene, rng, y + 60, scene.height + 10, mix(ground, scene.palette.foliage, 0.35), many(scene, 50))


@backdrop(
    "garden",
    "flower garden, backyard, yard, flower field, field of flowers, botanical garden, greenhouse",
    horizon=0.5,
    ground=(0.66, 0.94),
)
def garden(pen: Pen, scene: Scene) -> None:
    """A hedge, a path and beds full of flowers."""
    draw_sky(pen, scene)
    rng = source(scene.seed, "garden")
    base = scene.horizon + deep(scene) * 0.1
    tree_line(pen, scene, base, min(230.0, scene.horizon * 0.6), many(scene, 6), ("tree",), 0.3, "far")
    tree_line(pen, scene, base + 24, 90, many(scene, 10), ("bush",), 0.14, "hedge")
    hill(pen, scene, ridge(rng, scene.width, base + 40, 14, 5), scene.palette.ground)
    path(pen, scene)
    tufts(pen, scene, rng, base + 60, scene.height + 10, scene.palette.ground, many(scene, 60))
    if "flower" not in scene.without:
        for step in range(many(scene, 16)):
            x = scene.width * (step + rng.random()) / many(scene, 16)
            put(
                pen,
                scene,
                rng.choice(("flower", "flower", "rose")),
                x,
                base + deep(scene) * rng.uniform(0.12, 0.24),
                rng.uniform(48, 74),
                rng,
                0.08,
            )
    blossoms(pen, scene, rng, base + 70, scene.height, many(scene, 60))
    corners(pen, scene, rng, scene.palette.ground)


@backdrop("park", "playground, public park, picnic", horizon=0.54)
def park(pen: Pen, scene: Scene) -> None:
    """Lawns, large trees, a path and a lamp."""
    draw_sky(pen, scene)
    rng = source(scene.seed, "park")
    base = scene.horizon + deep(scene) * 0.1
    tree_line(pen, scene, base + 4, 150, many(scene, 9), ("tree",), 0.45, "far")
    hill(pen, scene, ridge(rng, scene.width, base + 16, 20, 5), mix(scene.palette.ground, scene.palette.far, 0.3))
    tree_line(pen, scene, base + 50, 300, many(scene, 2.4), ("tree",), 0.14, "near")
    hill(pen, scene, ridge(rng, scene.width, base + deep(scene) * 0.24, 22, 4), scene.palette.ground)
    path(pen, scene)
    if "lamp post" not in scene.without:
        put(pen, scene, "lamp post", scene.width * rng.choice((0.1, 0.9)), base + deep(scene) * 0.26, 250, rng, 0.06)
    near_grass(pen, scene, 20)
