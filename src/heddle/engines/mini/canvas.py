"""The size that is painted for the size that is asked for, and the way between them.

The model knows pictures of 256 x 256. The shorter side is always painted with 256 pixels, so that things come out as
large as it learned them; the longer one with as many as the shape wants, in windows. What comes out is enlarged or
made smaller.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from heddle.engines.mini import windows
from heddle.engines.mini.codec import Pixels
from heddle.engines.mini.windows import NATIVE, PATCH
from heddle.studio.enlarging import enlarge_picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """What is painted for one picture."""

    width: int
    height: int

    @property
    def _scale(self) -> float:
        return NATIVE / min(self.width, self.height)

    @property
    def cells(self) -> tuple[int, int]:
        """Down and across, 16 x 16 pixels each."""
        return windows.cells(self.width, self.height)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """What of the canvas is the picture: left, top, right, bottom; less than a cell of the longer side is not."""
        down, across = self.cells
        wide, high = self.width * self._scale, self.height * self._scale
        left, top = (across * PATCH - wide) / 2, (down * PATCH - high) / 2
        return left, top, left + wide, top + high

    @property
    def painted(self) -> str:
        """Its size, as people write it."""
        left, top, right, bottom = self.box
        return f"{round(right - left)}x{round(bottom - top)}"

    def finished(self, pixels: Pixels, report: Callable[[float], None]) -> Image.Image:
        """The picture in the size that is asked for."""
        factor = math.ceil(1 / self._scale)
        larger = enlarge_picture(pixels, factor, report) if factor > 1 else pixels
        box = tuple(side * factor for side in self.box)
        image = Image.fromarray(larger)
        if image.size == (self.width, self.height):
            return image
        left, top, right, bottom = box
        return image.resize((self.width, self.height), Image.Resampling.LANCZOS, (left, top, right, bottom))

    def laid(self, source: Image.Image) -> Pixels:
        """A source picture of the asked size on the canvas; beyond its edges their colours go on."""
        left, top, right, bottom = (round(side) for side in self.box)
        down, across = self.cells
        pixels = np.asarray(source.resize((right - left, bottom - top), Image.Resampling.LANCZOS))
        around = ((top, down * PATCH - bottom), (left, across * PATCH - right), (0, 0))
        return np.pad(pixels, around, mode="edge")

    def scaled(self) -> str:
        """What is not as asked for, as a sentence; empty where the size is the model's own."""
        if self._scale == 1:
            return ""
        how = "enlarged" if self._scale < 1 else "made smaller"
        by = "back-projection, as the engine resample does," if self._scale < 1 else "Lanczos"
        return f"painted with {self.painted} pixels and {how} by {by} to {self.width}x{self.height}"


def cut(source: Image.Image, width: int, height: int) -> Image.Image:
    """A source picture, cut to cover the frame."""
    return ImageOps.fit(source, (width, height), Image.Resampling.LANCZOS)
