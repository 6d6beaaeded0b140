"""The layers of a scene, still and moving, in the order of painting; and their pixels at a moment."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from heddle.engines.sketch import raster, svg
from heddle.engines.sketch.backdrops import backdrops
from heddle.engines.sketch.motion.camera import Shot, View
from heddle.engines.sketch.motion.courses import Course, cloud_course, courses, lamp_course, transform
from heddle.engines.sketch.motion.script import Script
from heddle.engines.sketch.objects import catalog
from heddle.engines.sketch.objects.place import draw_thing
from heddle.engines.sketch.pen import Pen
from heddle.engines.sketch.raster import Pixels
from heddle.engines.sketch.scene import Placed, Scene
from heddle.engines.sketch.weather import draw_weather

#: How far each part of the picture follows a moving camera: the sky, what is near, and weather before the lens.
_FAR, _NEAR, _LENS = 0.45, 1.0, 0.0
#: Their light reaches far.
_GLOWING = frozenset(("sun", "moon", "star", "comet", "campfire", "candle", "lantern", "crystal", "ufo", "lamp"))
#: Two moments by which what moves is told from what does not.
_MOMENTS = (0.0, 0.37)
_USED = re.compile(r"url\(#([a-z]\d+)\)")
_OPENED, _CLOSED = re.compile(r"<g[ >]"), "</g>"

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A part of the picture: its SVG at a moment, given in seconds and as a share of the clip."""

    depth: float
    moves: bool
    at: Callable[[float, float], str]
    #: What it may cover at that moment: left, top, right, bottom; None: anything.
    box: Callable[[float], Box] | None = None


@dataclass(slots=True, kw_only=True)
class _Layer:
    """Pieces that follow each other, all still or all moving."""

    depth: float
    moves: bool
    pieces: list[_Piece]
    #: Of a still layer: all of the scene, once.
    picture: Image.Image | None = None


class Stage:
    """A scene in motion."""

    def __init__(self, scene: Scene, script: Script, shot: Shot, seconds: float, size: tuple[int, int]) -> None:
        self._script = script
        self._shot = shot
        self._seconds = seconds
        self._size = size
        self._scene, made = courses(scene, script, seconds)
        manner = svg.MANNERS.get(scene.style)
        self._paper = manner.paper if manner is not None else None
        #: Gradients and clips by id.
        self._defs: dict[str, str] = {}
        self._backdrop_now: tuple[float, list[str], list[str]] | None = None
        self._layers = _layers(self._pieces(made))

    @property
    def moving(self) -> bool:
        """Whether anything in it moves by itself."""
        return any(layer.moves for layer in self._layers)

    def aim(self, shot: Shot) -> None:
        """Another camera move."""
        self._shot = shot

    def frame(self, t: float) -> Pixels:
        """The pixels of a moment."""
        done = min(1.0, t / self._seconds)
        canvas = Image.new("RGBA", self._size, self._paper or "#ffffff")
        for layer in self._layers:
            if layer.moves:
                self._lay(canvas, layer, t, done)
            elif (box := (seen := self._seen(layer, done)).getbbox()) is not None:
                canvas.alpha_composite(seen, box[:2], box)
        return np.asarray(canvas.convert("RGB"))

    # The pieces, in the order of painting.

    def _pieces(self, made: Sequence[Course]) -> Iterator[_Piece]:
        (sky, land), (sky_later, land_later) = (self._backdrop(t) for t in _MOMENTS)
        width, height, line = self._scene.width, self._scene.height, self._scene.horizon
        above = (0.0, 0.0, width, line) if land else None
        yield from _changing(sky, sky_later, _FAR if land else _NEAR, lambda t: self._backdrop(t)[0], above)
        pen = svg.pen_of(self._scene, "h")
        for placed in self._scene.heavens:
            yield _moved(self._drawn(pen, placed), self._hung(placed), placed, _FAR)
        below = (-20.0, line - 20, width + 20, height + 20)
        yield from _changing(land, land_later, _NEAR, lambda t: self._backdrop(t)[1], below)
        pen = svg.pen_of(self._scene, "t")
        svg.light_things(pen, self._scene)
        for placed, course in zip(self._scene.things, made, strict=True):
            yield _moved(self._drawn(pen, placed), course, placed, _NEAR)
        now, later = (self._weather(t) for t in _MOMENTS)
        yield from _changing(now, later, _LENS, self._weather)

    def _backdrop(self, t: float) -> tuple[list[str], list[str]]:
        """Sky and land at a moment, piece by piece; a place without a sky is all sky."""
        if self._backdrop_now is None or self._backdrop_now[0] != t:
            bare = replace(self._scene, heavens=(), moment=t)
            pen = svg.pen_of(bare, "b")
            backdrops()[bare.backdrop].draw(pen, bare)
            self._keep(pen)
            sky = len(pen.parts) if pen.sky is None else pen.sky
            self._backdrop_now = (t, _whole(pen.parts[:sky]), _whole(pen.parts[sky:]))
        return self._backdrop_now[1:]

    def _weather(self, t: float) -> list[str]:
        pen = svg.pen_of(self._scene, "w")
        width, height = self._shot.frame
        draw_weather(pen, replace(self._scene, width=width, height=height, moment=t))
        self._keep(pen)
        return _whole(pen.parts)

    def _drawn(self, pen: Pen, placed: Placed) -> str:
        start = len(pen.parts)
        draw_thing(pen, self._scene, placed)
        self._keep(pen)
        return "".join(pen.parts[start:])

    def _hung(self, placed: Placed) -> Course:
        if placed.kind == "cloud":
            return cloud_course(placed, self._script, self._seconds)
        return lamp_course(self._scene, placed, self._script) if placed.kind in ("sun", "moon") else Course()

    def _keep(self, pen: Pen) -> None:
        self._defs.update(zip(pen.names.values(), pen.defs, strict=True))

    # Their pixels.

    def _lay(self, canvas: Image.Image, layer: _Layer, t: float, done: float) -> None:
        """Render what moves, where it is."""
        view = self._view(layer, done)
        spot = self._spot(layer, done, view)
        if spot is None:
            return
        scale = (view[2] / self._size[0], view[3] / self._size[1])
        left, top, width, height = spot
        part = (view[0] + left * scale[0], view[1] + top * scale[1], width * scale[0], height * scale[1])
        canvas.alpha_composite(Image.fromarray(self._rendered(layer, t, done, part, (width, height))), (left, top))

    def _spot(self, layer: _Layer, done: float, view: View) -> tuple[int, int, int, int] | None:
        """The pixels that a moving layer may cover: left, top, width, height; None when it is out of sight."""
        boxes = [piece.box(done) for piece in layer.pieces if piece.box is not None]
        if len(boxes) < len(layer.pieces):
            return (0, 0, *self._size)
        across, down = self._size[0] / view[2], self._size[1] / view[3]
        left = max(0, int((min(b[0] for b in boxes) - view[0]) * across))
        top = max(0, int((min(b[1] for b in boxes) - view[1]) * down))
        right = min(self._size[0], int((max(b[2] for b in boxes) - view[0]) * across) + 1)
        bottom = min(self._size[1], int((max(b[3] for b in boxes) - view[1]) * down) + 1)
        return (left, top, right - left, bottom - top) if left < right and top < bottom else None

    def _view(self, layer: _Layer, done: float) -> View:
        return (0.0, 0.0, *self._shot.frame) if layer.depth == _LENS else self._shot.view(done, layer.depth)

    def _seen(self, layer: _Layer, done: float) -> Image.Image:
        view = self._view(layer, done)
        if layer.picture is None:
            layer.picture = Image.fromarray(self._still(layer))
        if not self._shot.moves or layer.depth == _LENS:
            return layer.picture
        scale = layer.picture.width / self._shot.scene[0]
        box = (view[0] * scale, view[1] * scale, (view[0] + view[2]) * scale, (view[1] + view[3]) * scale)
        inside = (
            max(0.0, box[0]),
            max(0.0, box[1]),
            min(box[2], layer.picture.width),
            min(box[3], layer.picture.height),
        )
        return layer.picture.resize(self._size, Image.Resampling.BICUBIC, inside)

    def _still(self, layer: _Layer) -> Pixels:
        """As fine as the camera will ever need it."""
        if layer.depth == _LENS or not self._shot.moves:
            return self._rendered(layer, 0.0, 0.0, self._view(layer, 0.0), self._size)
        across, down = self._shot.scene
        scale = self._size[0] / self._shot.frame[0] / (1 - (1 - self._shot.nearest) * layer.depth)
        return self._rendered(
            layer, 0.0, 0.0, (0.0, 0.0, across, down), (round(across * scale), round(down * scale))
        )  # fmt: skip

    def _rendered(self, layer: _Layer, t: float, done: float, view: View, size: tuple[int, int]) -> Pixels:
        body = "".join(piece.at(t, done) for piece in layer.pieces)
        defs = "".join(self._defs[name] for name in dict.fromkeys(_USED.findall(body)))
        x, y, across, down = view
        return raster.render_layer(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}" '
            f'viewBox="{x:.3f} {y:.3f} {across:.3f} {down:.3f}" preserveAspectRatio="none">'
            f"<defs>{defs}</defs>{body}</svg>"
        )


def _moved(drawn: str, course: Course, placed: Placed, depth: float) -> _Piece:
    if course.still:
        return _Piece(depth=depth, moves=False, at=lambda _t, _done: drawn, box=lambda done: _box(course, placed, done))
    return _Piece(
        depth=depth,
        moves=True,
        at=lambda t, done: f'<g transform="{transform(course, placed, t, done)}">{drawn}</g>',
        box=None if placed.kind in _GLOWING else lambda done: _box(course, placed, done),
    )


def _box(course: Course, placed: Placed, done: float) -> Box:
    """Around a thing wherever it swings, with its shadow or ripples."""
    x = placed.x + course.start[0] + (course.end[0] - course.start[0]) * done
    y = placed.y + course.start[1] + (course.end[1] - course.start[1]) * done
    tall = placed.height
    half = tall * catalog()[placed.kind].wide * 0.64 + tall * 0.35
    # The middle stays in place while a thing turns, so a turning one needs its longer side all around.
    return (x - half, y - tall * 1.4 - course.hop - course.fall, x + half, y + max(tall * 0.4, 40))


def _changing(
    now: list[str], later: list[str], depth: float, at: Callable[[float], list[str]], box: Box | None = None
) -> Iterator[_Piece]:
    """Drawings that know the moment themselves: what is the same at two moments is still."""
    if len(now) != len(later):
        yield _Piece(depth=depth, moves=True, at=lambda t, _done: "".join(at(t)))
        return
    for i, (one, other) in enumerate(zip(now, later, strict=True)):
        if one == other:
            yield _Piece(depth=depth, moves=False, at=lambda _t, _done, one=one: one)
        else:
            yield _Piece(depth=depth, moves=True, at=lambda t, _done, i=i: at(t)[i], box=box and (lambda _: box))


def _layers(pieces: Iterable[_Piece]) -> list[_Layer]:
    made: list[_Layer] = []
    for piece in pieces:
        if not made or (made[-1].moves, made[-1].depth) != (piece.moves, piece.depth):
            made.append(_Layer(depth=piece.depth, moves=piece.moves, pieces=[]))
        made[-1].pieces.append(piece)
    return _joined(made)


def _joined(layers: list[_Layer]) -> list[_Layer]:
    """A few still pieces between moving ones are cheaper drawn along than kept apart."""
    made: list[_Layer] = []
    for i, layer in enumerate(layers):
        before = made[-1] if made else None
        follows = layers[i + 1] if i + 1 < len(layers) else None
        small = all(piece.box is not None for piece in layer.pieces) and len(layer.pieces) < 4
        between = before is not None and follows is not None and follows.moves and follows.depth == layer.depth
        if before is not None and before.moves and before.depth == layer.depth and (
            layer.moves or (small and between)
        ):  # fmt: skip
            before.pieces += layer.pieces
        else:
            made.append(layer)
    return made


def _whole(parts: Iterable[str]) -> list[str]:
    """Parts put together so far that every group that one opens it closes."""
    made: list[str] = []
    depth = 0
    for part in parts:
        if depth:
            made[-1] += part
        else:
            made.append(part)
        depth += len(_OPENED.findall(part)) - part.count(_CLOSED)
    return made
