"""Pictures of scenes, 256 x 256, drawn by `sketch`: each thing and each backdrop is drawn once and kept in a pool."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from heddle.engines.sketch import raster, styles, svg
from heddle.engines.sketch.compose import compose
from heddle.engines.sketch.objects import catalog
from heddle.engines.sketch.palette import palette
from heddle.engines.sketch.prompt import read
from heddle.engines.sketch.scene import Placed
from heddle.engines.sketch.scene import Scene as Drawing
from training.scenes import COLORS, KINDS, NAMES, PLAIN, SCENIC, Box, Scene

SIDE = 256
#: How a style is drawn before anything is done to the pixels.
MANNERS = {
    "illustration": "illustration", "flat": "flat", "line art": "line art", "watercolor": "illustration",
    "pixel art": "illustration",
}  # fmt: skip
LOOKS = 2
VARIANTS = 48
#: A drawing of a thing has this much room around its box (shares of its height), because light reaches past it.
MARGIN = 0.12
_GLOWS = {"sun": 1.3, "moon": 0.9}
#: How tall a thing is drawn, in units of the scene. Ink is as thick in every drawing: a thing that will be made smaller
#: is drawn small, or its lines would vanish.
_UNITS = {"line art": 260.0}
_TALL = 208

Pixels = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float32]


@cache
def wides() -> dict[str, float]:
    """Width over height of each kind."""
    return {name: catalog()[drawn].wide for name, drawn in KINDS.items()}


def _margin(name: str) -> float:
    return _GLOWS.get(name, MARGIN)


def _thing(job: tuple[str, str | None, int, str]) -> Pixels:
    """One thing on nothing, with alpha."""
    name, color, look, style = job
    wide, margin, tall = wides()[name], _margin(name), _UNITS.get(style, 1000.0)
    around = tall * margin
    scene = Drawing(
        width=tall * wide + 2 * around, height=tall + 2 * around, backdrop="studio", palette=_daylight(), style=style,
        things=(
            Placed(
                kind=KINDS[name], x=tall * wide / 2 + around, y=tall + around, height=tall, grounded=False, seed=look,
                colors=(COLORS[color],) if color is not None else (),
            ),
        ),
    )  # fmt: skip
    high = round(_TALL * (1 + 2 * margin))
    return raster.render_layer(svg.draw_things(scene, round(_TALL * (wide + 2 * margin)), high))


def _backdrop(job: tuple[str, int, str]) -> Pixels:
    name, variant, style = job
    plain = name.removeprefix("plain ")
    named = "studio" if plain in PLAIN and name != plain else name
    away = frozenset(("sun", "moon", *KINDS.values()))
    drawing = compose(
        replace(read(""), backdrop=named, without=away), width=SIDE, height=SIDE, seed=variant, filled=False
    )
    color = PLAIN[plain] if named == "studio" else None
    drawing = replace(drawing, style=style, without=away, detail=0.7, backdrop_color=color)
    return raster.render(svg.draw(drawing, SIDE, SIDE))


def _daylight() -> Any:
    return palette(
        time="day", weather=frozenset(), season="summer", mood=frozenset(), backdrop="studio", seed=1
    )  # fmt: skip


def draw_pool(
    folder: Path, workers: int = 2, looks: int = LOOKS, variants: int = VARIANTS, kinds: Sequence[str] = NAMES,
    colors: Sequence[str] = tuple(COLORS),
) -> None:  # fmt: skip
    """Draw every thing and every backdrop into a folder; what is there already stays."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "pool.json").exists():
        return
    manners = tuple(dict.fromkeys(MANNERS.values()))
    things = [
        (name, color, look, manner)
        for name in kinds for color in (None, *colors) for look in range(looks) for manner in manners
    ]  # fmt: skip
    backdrops = [(name, variant, manner) for name in SCENIC for variant in range(variants) for manner in manners]
    # A plain backdrop has no more to vary than where its light is.
    backdrops += [
        (f"plain {name}", at, manner) for name in PLAIN for at in range(min(4, variants)) for manner in manners
    ]
    with ProcessPoolExecutor(workers) as pool:
        drawn = list(pool.map(_thing, things, chunksize=16))
        behind = list(pool.map(_backdrop, backdrops, chunksize=8))
    starts = np.cumsum([0, *(one.size for one in drawn)])
    np.save(folder / "things.npy", np.concatenate([one.reshape(-1) for one in drawn]))
    np.save(folder / "backdrops.npy", np.stack(behind))
    index = {
        "things": [[*row, int(start), *one.shape[:2]] for row, start, one in zip(things, starts, drawn, strict=False)],
        "backdrops": [list(row) for row in backdrops],
    }
    (folder / "pool.json").write_text(json.dumps(index))


class Pool:
    """What `draw_pool` drew."""

    def __init__(self, folder: Path) -> None:
        index = json.loads((folder / "pool.json").read_text())
        self._bytes: Pixels = np.load(folder / "things.npy", mmap_mode="r")
        self._behind: Pixels = np.load(folder / "backdrops.npy", mmap_mode="r")
        self._things = {(n, c, look, m): (start, high, wide) for n, c, look, m, start, high, wide in index["things"]}
        self._backdrops: dict[tuple[str, str], list[int]] = {}
        for at, (name, _, manner) in enumerate(index["backdrops"]):
            self._backdrops.setdefault((name, manner), []).append(at)

    def thing(self, name: str, color: str | None, look: int, style: str, box: Box) -> tuple[Image.Image, int, int]:
        """A thing at its size, with its place: left and top in pixels."""
        start, high, wide = self._things[name, color, look, MANNERS[style]]
        drawn = np.asarray(self._bytes[start : start + high * wide * 4]).reshape(high, wide, 4)
        tall = box.high * SIDE
        margin = tall * _margin(name)
        size = (max(1, round(box.wide * SIDE + 2 * margin)), max(1, round(tall + 2 * margin)))
        image = Image.fromarray(drawn).convert("RGBa").resize(size, Image.Resampling.BOX, reducing_gap=1.0)
        if box.flip:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return image, round(box.x * SIDE - size[0] / 2), round(box.y * SIDE - size[1] / 2)

    def backdrop(self, scene: Scene) -> Pixels:
        """A backdrop, one of its variants by the seed, as drawn or mirrored."""
        rows = self._backdrops[scene.background, MANNERS[scene.style]]
        made = np.asarray(self._behind[rows[scene.seed % len(rows)]])
        return made[:, ::-1] if scene.seed // 64 % 2 else made


def picture(scene: Scene, pool: Pool) -> tuple[Pixels, list[tuple[Plane, tuple[float, float, float]]]]:
    """The picture, and for each thing in it its cover (256 x 256, 0..1) and its mean colour (0..1)."""
    canvas = pool.backdrop(scene).astype(np.float32)
    covers: list[tuple[Plane, tuple[float, float, float]]] = []
    for group in scene.groups:
        for box in group.boxes:
            image, left, top = pool.thing(group.kind, group.color, group.look, scene.style, box)
            canvas, cover, mean = _laid(canvas, np.asarray(image, dtype=np.float32), left, top)
            covers.append((cover, mean))
    pixels = np.clip(canvas + 0.5, 0, 255).astype(np.uint8)
    return styles.finish(pixels, scene.style, scene.seed), covers


def _laid(canvas: Plane, drawn: Plane, left: int, top: int) -> tuple[Plane, Plane, tuple[float, float, float]]:
    """A drawing (colours times alpha) laid over a canvas."""
    high, wide = drawn.shape[:2]
    x0, y0, x1, y1 = max(0, left), max(0, top), min(SIDE, left + wide), min(SIDE, top + high)
    cut = drawn[y0 - top : y1 - top, x0 - left : x1 - left]
    alpha = cut[:, :, 3:] / 255
    canvas[y0:y1, x0:x1] = canvas[y0:y1, x0:x1] * (1 - alpha) + cut[:, :, :3]
    cover = np.zeros((SIDE, SIDE), dtype=np.float32)
    cover[y0:y1, x0:x1] = np.clip(alpha[:, :, 0] * 2 - 0.8, 0, 1)
    weight = float(alpha.sum()) or 1.0
    mean = cut[:, :, :3].sum(axis=(0, 1)) / weight / 255
    return canvas, cover, (float(mean[0]), float(mean[1]), float(mean[2]))
