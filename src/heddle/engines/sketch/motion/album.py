"""A camera that moves over a source picture, lower parts nearer than upper ones."""

from __future__ import annotations

import numpy as np
from PIL import Image

from heddle.engines.sketch import raster, svg, variant
from heddle.engines.sketch.motion.script import Script
from heddle.engines.sketch.raster import Pixels
from heddle.engines.sketch.scene import Scene
from heddle.engines.sketch.weather import draw_weather

#: How much of the source the frame shows at the far and at the near end.
_FAR, _NEAR = 0.97, 0.76
#: The source is kept this much finer than the frame.
_FINER = 1.5
#: By how much of its width the lower edge moves more than the upper one.
_DEPTH = 0.035


class Album:
    """One picture under a camera."""

    def __init__(self, data: bytes, blob_id: str, size: tuple[int, int], script: Script) -> None:
        self._size = size
        self._move = script.camera or "in"
        width, height = round(size[0] * _FINER), round(size[1] * _FINER)
        self._picture = Image.fromarray(variant.decode(data, width, height, blob_id))

    def frame(self, share: float) -> Pixels:
        """The pixels at a share of the clip."""
        width, height = self._picture.size
        s = share if self._move == "still" else 0.35 * share + 0.65 * share * share * (3 - 2 * share)
        part, across, down, lean = self._placed(s)
        wide, tall = width * part, height * part
        left, top = (width - wide) * across, (height - tall) * down
        # A ground plane: what is nearer the lower edge moves more.
        shift = lean * width * _DEPTH
        corners = (
            left - shift, top,
            left + shift, top + tall,
            left + wide + shift, top + tall,
            left + wide - shift, top,
        )  # fmt: skip
        seen = self._picture.transform(self._size, Image.Transform.QUAD, corners, Image.Resampling.BICUBIC)
        return np.asarray(seen)

    def under(self, pixels: Pixels, scene: Scene, t: float) -> Pixels:
        """The same with weather before the lens."""
        from dataclasses import replace  # noqa: PLC0415 - small

        moment = replace(scene, moment=t, backdrop="meadow")
        pen = svg.pen_of(moment)
        draw_weather(pen, moment)
        over = raster.render_layer(svg.document(pen, moment, *self._size, None))
        base = Image.fromarray(pixels).convert("RGBA")
        base.alpha_composite(Image.fromarray(over))
        return np.asarray(base.convert("RGB"))

    def _placed(self, s: float) -> tuple[float, float, float, float]:  # noqa: PLR0911 - one move a line
        """How much is seen, where (0..1 of the room there is), and how far the lower edge leans."""
        lean = s - 0.5
        match self._move:
            case "in":
                return (_FAR + (_NEAR - _FAR) * s, 0.5, 0.46, 0.25 * lean)
            case "out":
                return (_NEAR + (_FAR - _NEAR) * s, 0.5, 0.46, 0.25 * lean)
            case "left":
                return (0.84, 0.12 + 0.76 * (1 - s), 0.5, -lean)
            case "right":
                return (0.84, 0.12 + 0.76 * s, 0.5, lean)
            case "up":
                return (0.84, 0.5, 1 - s, 0.0)
            case "down":
                return (0.84, 0.5, s, 0.0)
            case _:
                return (1.0, 0.5, 0.5, 0.0)
