"""Draws a scene as SVG: backdrop, things, weather, in this order."""

from __future__ import annotations

from heddle.engines.sketch.backdrops import backdrops
from heddle.engines.sketch.objects.place import draw_thing
from heddle.engines.sketch.pen import Light, Manner, Pen, n
from heddle.engines.sketch.scene import Scene
from heddle.engines.sketch.weather import draw_weather

MANNERS: dict[str, Manner] = {
    "flat": Manner(shaded=False),
    "poster": Manner(shaded=False),
    "line art": Manner(paper="#fffdf8", ink="#25222b", ink_width=3.0),
    "neon": Manner(paper="#0c0a20", ink="own", ink_width=3.4),
    "papercut": Manner(shaded=False, lifted=True),
    "blueprint": Manner(paper="#1f4f93", ink="#dfeeff", ink_width=2.2),
}


def draw(scene: Scene, width: int, height: int) -> str:
    """The whole scene as an SVG document of this many pixels."""
    pen = pen_of(scene)
    backdrops()[scene.backdrop].draw(pen, scene)
    _things(pen, scene)
    draw_weather(pen, scene)
    return document(pen, scene, width, height, MANNERS.get(scene.style, Manner()).paper)


def draw_things(scene: Scene, width: int, height: int) -> str:
    """Only the things and the weather, on nothing: what an edit lays over its source."""
    pen = pen_of(scene)
    for placed in scene.heavens:
        if placed.asked:
            draw_thing(pen, scene, placed)
    _things(pen, scene)
    draw_weather(pen, scene)
    return document(pen, scene, width, height, None)


def document(pen: Pen, scene: Scene, width: int, height: int, paper: str | None) -> str:
    """What the pen drew, in a frame."""
    x, y, across, down = scene.view or (0.0, 0.0, scene.width, scene.height)
    sheet = f'<rect x="{n(x)}" y="{n(y)}" width="{n(across)}" height="{n(down)}" fill="{paper}"/>' if paper else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="{n(x)} {n(y)} {n(across)} {n(down)}" preserveAspectRatio="none">'
        f"<defs>{pen.svg_defs()}</defs>{sheet}{''.join(pen.parts)}</svg>"
    )


def pen_of(scene: Scene, series: str = "d") -> Pen:
    """A pen in the manner of the scene's style, under its light."""
    palette = scene.palette
    light = Light(tint=palette.tint, haze=palette.haze, lamps=palette.night)
    return Pen(MANNERS.get(scene.style, Manner()), light, series)


def light_things(pen: Pen, scene: Scene) -> None:
    """What was asked for stands in a little more light than its surroundings, so that it is seen at night."""
    tint = scene.palette.tint
    own = (tint[0] ** 0.62, tint[1] ** 0.62, tint[2] ** 0.62)
    pen.light = Light(tint=own, haze=scene.palette.haze, lamps=scene.palette.night)


def _things(pen: Pen, scene: Scene) -> None:
    light_things(pen, scene)
    for placed in scene.things:
        draw_thing(pen, scene, placed)
