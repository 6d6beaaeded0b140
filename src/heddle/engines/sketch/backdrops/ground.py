"""What backdrops of open land share: layers of hills, lines of trees, grass, a path, mist."""

# ruff: noqa: E501 - path data and rows of numbers read better on one line

from __future__ import annotations

from heddle.engines.sketch.backdrops.sky import blossoms, corners, hill, put, ridge, tufts
from heddle.engines.sketch.chance import source
from heddle.engines.sketch.color import mix
from heddle.engines.sketch.pen import Pen, n
from heddle.engines.sketch.scene import Scene


def deep(scene: Scene) -> float:
    """How much land there is under the horizon."""
    return scene.height - scene.horizon


def many(scene: Scene, per_frame: float) -> int:
    """A number of things for a square frame, for this frame."""
    return max(2, int(per_frame * scene.width / 1000))


def layers(pen: Pen, scene: Scene, label: str, colors: tuple[str, ...], rise: float = 0.16) -> list[float]:
    """Hills behind hills down to the viewer; returns their base lines."""
    rng = source(scene.seed, label)
    bases: list[float] = []
    for index, color in enumerate(colors):
        share = index / max(1, len(colors) - 1)
        base = scene.horizon + deep(scene) * (0.02 + 0.3 * share**1.3)
        bases.append(base)
        pen.haze = 0.5 * (1 - share) ** 1.4
        hill(
            pen,
            scene,
            ridge(rng, scene.width, base, min(deep(scene), 560.0) * rise * (1.1 - 0.5 * share), 4 + scene.width / 420),
            color,
        )
    pen.haze = 0.0
    return bases


def tree_line(
    pen: Pen, scene: Scene, base: float, height: float, count: int, kinds: tuple[str, ...], haze: float, label: str
) -> None:
    rng = source(scene.seed, "trees", label)
    for index in range(count):
        x = (index + rng.uniform(0.05, 0.95)) * scene.width / count
        put(
            pen,
            scene,
            rng.choice(kinds),
            x,
            base + rng.uniform(-0.1, 0.25) * height,
            height * rng.uniform(0.75, 1.2),
            rng,
            haze,
        )


def near_grass(pen: Pen, scene: Scene, flowers: int = 26) -> None:
    rng = source(scene.seed, "grass")
    top = scene.horizon + deep(scene) * 0.38
    if scene.season == "winter":
        return
    tufts(pen, scene, rng, top, scene.height + 10, scene.palette.ground, many(scene, 70))
    blossoms(pen, scene, rng, top + 20, scene.height, many(scene, flowers))
    corners(pen, scene, rng, scene.palette.ground)


def path(pen: Pen, scene: Scene) -> None:
    rng = source(scene.seed, "path")
    x = scene.width * rng.uniform(0.35, 0.65)
    sway = scene.width * rng.uniform(-0.12, 0.12)
    y0, y1 = scene.horizon + deep(scene) * 0.36, scene.height + 20
    middle = (y0 + y1) / 2
    wide = min(150.0, scene.width * 0.16)
    pen.path(
        f"M{n(x)} {n(y0)}C{n(x + sway)} {n(y0 + 60)} {n(x - sway * 2)} {n(middle)} {n(x - wide)} {n(y1)}L{n(x + wide)} {n(y1)}C{n(x - sway + wide * 0.4)} {n(middle)} {n(x + sway + 24)} {n(y0 + 60)} {n(x + 7)} {n(y0)}Z",
        mix(scene.palette.ground, "#e8d3a2", 0.72), "down",
    )  # fmt: skip


def mist(pen: Pen, scene: Scene, top: float, bottom: float, strength: float) -> None:
    haze = scene.palette.haze
    pen.wash(
        f"M0 {n(top)}H{n(scene.width)}V{n(bottom)}H0Z", ((0, haze, 0), (0.8, haze, strength), (1, haze, strength * 0.4))
    )
