"""Sun, moon, clouds and rainbow: those that were asked for and those that the hour and the weather bring."""

from __future__ import annotations

from dataclasses import replace

from heddle.engines.sketch.backdrops import Backdrop
from heddle.engines.sketch.chance import number, source
from heddle.engines.sketch.color import mix
from heddle.engines.sketch.layout import CELESTIAL, CELESTIAL_SIZE
from heddle.engines.sketch.prompt import Want
from heddle.engines.sketch.scene import Placed, Scene


def heavens(scene: Scene, row: Backdrop, wants: tuple[Want, ...]) -> Scene:
    """The scene with its sky filled."""
    if not row.sky:
        return scene
    drawn = {thing.kind for thing in scene.things}
    asked = [
        placed for want in wants if want.kind in CELESTIAL and want.kind not in drawn for placed in _asked(scene, want)
    ]
    kinds = {placed.kind for placed in asked}
    made: list[Placed] = []
    lamp = "moon" if scene.time == "night" else "sun"
    hidden = scene.weather & {"rain", "storm", "overcast", "snow", "fog"}
    if not kinds & {"sun", "moon"} and lamp not in scene.without and not hidden and scene.time != "dusk":
        made.append(_light(scene, lamp))
    if "cloud" not in kinds and "cloud" not in scene.without and "clear" not in scene.weather:
        made += _clouds(scene)
    order = {"rainbow": 0, "star": 1, "sun": 2, "moon": 2, "cloud": 3}
    return replace(scene, heavens=tuple(sorted((*made, *asked), key=lambda placed: order[placed.kind])))


def _asked(scene: Scene, want: Want) -> list[Placed]:
    rng = source(scene.seed, "asked", want.kind)
    short = min(scene.width, scene.height)
    places: list[Placed] = []
    for copy in range(want.count):
        size = short * CELESTIAL_SIZE[want.kind] * want.size * (1.0 if want.count < 4 else 0.7)
        if want.kind == "rainbow":
            size = min(scene.width * 0.46, scene.horizon * 0.9)
            x, y = scene.width * rng.uniform(0.42, 0.58), scene.horizon + 6
        else:
            x = scene.width * _across(rng.random(), copy, want)
            low = 0.35 if want.kind == "sun" and scene.time in ("sunset", "dawn") else 0.12
            high = 0.9 if want.kind == "sun" and scene.time in ("sunset", "dawn") else 0.4 if want.count < 5 else 0.75
            y = max(size * 1.15, scene.horizon * rng.uniform(low, high))
        color = want.colors[copy % len(want.colors) :][:1] if want.colors else _own(scene, want.kind)
        places.append(
            Placed(kind=want.kind, x=x, y=y, height=size, colors=color, seed=number(scene.seed, want.kind, copy),
                   grounded=False, traits=want.traits, turn=-16 if want.kind == "moon" else 0)
        )  # fmt: skip
    return places


def _across(chance: float, copy: int, want: Want) -> float:
    sides = {
        "left": (0.12, 0.3),
        "top left": (0.1, 0.26),
        "right": (0.7, 0.88),
        "top right": (0.74, 0.9),
        "center": (0.47, 0.53),
    }
    low, high = sides.get(want.position or "", (0.12, 0.88))
    # Several share the width evenly, each with its own chance.
    return low + (high - low) * ((copy + chance) / want.count)


def _own(scene: Scene, kind: str) -> tuple[str, ...]:
    if kind == "sun":
        return (scene.palette.sun,)
    return (_cloud_color(scene),) if kind == "cloud" else ()


def _cloud_color(scene: Scene) -> str:
    if scene.weather & {"storm", "rain"}:
        return mix("#8c95a3", scene.palette.sky[1], 0.35)
    if scene.palette.night:
        return mix(scene.palette.sky[2], "#c8d0f0", 0.25)
    return mix("#ffffff", scene.palette.sky[2], 0.35 if scene.time != "day" else 0.12)


def _light(scene: Scene, kind: str) -> Placed:
    """On the side where the largest thing is not."""
    rng = source(scene.seed, "light")
    heavy = max(scene.things, key=lambda thing: thing.height, default=None)
    right = rng.random() < 0.5 if heavy is None else heavy.x < scene.width / 2
    x = scene.width * (rng.uniform(0.68, 0.88) if right else rng.uniform(0.12, 0.32))
    short = min(scene.width, scene.height)
    size = short * (0.13 if kind == "moon" else 0.15)
    share = rng.uniform(0.6, 0.86) if scene.time in ("sunset", "dawn") else rng.uniform(0.2, 0.36)
    y = max(scene.horizon * share, size * 1.3)
    color = (scene.palette.sun,)
    return Placed(
        kind=kind, x=x, y=y, height=size, colors=color, seed=number(scene.seed, kind), grounded=False, asked=False
    )


def _clouds(scene: Scene) -> list[Placed]:
    rng = source(scene.seed, "clouds")
    thick = bool(scene.weather & {"rain", "storm", "overcast", "clouds", "snow"})
    count = int((7 if thick else rng.choice((2, 3, 4))) * max(0.6, min(3.0, scene.width / 1000)))
    if scene.palette.night and not thick:
        count = count // 2
    color = _cloud_color(scene)
    places: list[Placed] = []
    for step in range(count):
        depth = rng.random()
        size = (34 + 74 * depth) * (1.35 if thick else 1.0) * min(1.2, scene.horizon / 520 + 0.25)
        x = scene.width * ((step + rng.uniform(0.1, 0.9)) / count) + scene.moment * (3 + 6 * depth)
        y = max(size * 0.9, scene.horizon * (0.72 - 0.55 * depth + rng.uniform(-0.06, 0.1)))
        places.append(
            Placed(kind="cloud", x=x % (scene.width + 300), y=y, height=size, colors=(color,),
                   seed=number(scene.seed, "cloud", step), grounded=False, asked=False, flip=rng.random() < 0.5,
                   haze=0.3 * (1 - depth))
        )  # fmt: skip
    return sorted(places, key=lambda placed: placed.height)
