"""Weather in front of everything: rain, snow, fog, rays, leaves."""

from __future__ import annotations

from heddle.engines.sketch.chance import source
from heddle.engines.sketch.color import mix
from heddle.engines.sketch.pen import Pen, n
from heddle.engines.sketch.scene import Scene


def draw_weather(pen: Pen, scene: Scene) -> None:
    """Every kind that the scene has; nothing of it falls indoors or in space."""
    if scene.backdrop in ("room", "table", "studio", "cave", "stage", "space", "moon", "underwater", "abstract"):
        if "rays" in scene.weather:
            _rays(pen, scene)
        return
    for kind, draw in (("fog", _fog), ("rays", _rays), ("rain", _rain), ("snow", _snow), ("leaves", _leaves)):
        if kind in scene.weather:
            draw(pen, scene)


def _many(scene: Scene, count: float) -> int:
    return int(count * scene.detail * scene.width * scene.height / 1_000_000)


def _around(place: float, length: float, reach: float) -> float:
    """Where something is that comes in at the one side when it is all the way out at the other."""
    return (place + reach) % (length + 2 * reach) - reach


def _rain(pen: Pen, scene: Scene) -> None:
    rng = source(scene.seed, "rain")
    lean = rng.uniform(0.12, 0.3) * (1.8 if "storm" in scene.weather else 1)
    color = mix("#ffffff", scene.palette.haze, 0.35)
    for alpha, width, count, long in ((0.3, 1.4, 150, 34), (0.5, 2.2, 80, 58)):
        strokes = ""
        for _ in range(min(900, _many(scene, count))):
            x, y = rng.uniform(-80, scene.width + 80), rng.uniform(-80, scene.height)
            x = (x + 80 - scene.moment * 900 * lean) % (scene.width + 160) - 80
            y = (y + 80 + scene.moment * 900) % (scene.height + 160) - 80
            strokes += f"M{n(x)} {n(y)}l{n(-long * lean)} {n(long)}"
        pen.line(strokes or "M0 0", color, width, alpha)
    splashes = ""
    for _ in range(min(200, _many(scene, 40))):
        x, y = rng.uniform(0, scene.width), rng.uniform(scene.horizon + 60, scene.height)
        splashes += f"M{n(x - 9)} {n(y)}q9 -7 18 0"
    pen.line(splashes or "M0 0", color, 1.6, 0.45)


def _snow(pen: Pen, scene: Scene) -> None:
    rng = source(scene.seed, "snowflakes")
    for _ in range(min(800, _many(scene, 190))):
        x = _around(rng.uniform(0, scene.width) + 18 * scene.moment, scene.width, 6)
        y = _around(rng.uniform(0, scene.height) + 70 * scene.moment, scene.height, 6)
        r = rng.choice((2.0, 2.4, 3.0, 4.0, 5.6))
        pen.circle(x, y, r, "#ffffff", "glow", rng.uniform(0.55, 0.95))


def _fog(pen: Pen, scene: Scene) -> None:
    rng = source(scene.seed, "fog")
    haze = mix(scene.palette.haze, "#f4f6f8", 0.3 if not scene.palette.night else 0.0)
    low = min(scene.horizon, scene.height * 0.7)
    pen.wash(
        f"M0 0H{n(scene.width)}V{n(scene.height)}H0Z",
        ((0, haze, 0.2), (low / scene.height, haze, 0.34), (1, haze, 0.06)),
    )
    for _ in range(6):
        x, y = rng.uniform(0, scene.width), rng.uniform(low * 0.8, scene.height * 0.92)
        pen.halo(
            _around(x + scene.moment * 14, scene.width, 520), y, rng.uniform(300, 520), haze, 0.42, rng.uniform(40, 80)
        )


def _rays(pen: Pen, scene: Scene) -> None:
    rng = source(scene.seed, "rays")
    lamps = [placed for placed in scene.heavens if placed.kind in ("sun", "moon")]
    x0 = lamps[0].x if lamps else scene.width * rng.choice((0.1, 0.9))
    for _ in range(6):
        x = x0 + rng.uniform(-0.55, 0.55) * scene.width
        half = rng.uniform(30, 90)
        pen.wash(
            f"M{n(x0 - 8)} -10H{n(x0 + 8)}L{n(x + half)} {n(scene.height)}H{n(x - half)}Z",
            ((0, scene.palette.sun, 0.34), (1, scene.palette.sun, 0.0)),
        )


def _leaves(pen: Pen, scene: Scene) -> None:
    rng = source(scene.seed, "leaves")
    for _ in range(min(160, _many(scene, 34))):
        x = _around(rng.uniform(0, scene.width) + 30 * scene.moment, scene.width, 30)
        y = _around(rng.uniform(0, scene.height) + 60 * scene.moment, scene.height, 30)
        color = rng.choice(("#d9812e", "#c9502f", "#e0ab3a", "#b5652f"))
        with pen.at(x, y, rng.uniform(0.12, 0.26), rng.uniform(0, 360)):
            pen.path("M-30 -4C-44 -50 -10 -96 34 -98C42 -50 10 -4 -30 -4Z", color)
