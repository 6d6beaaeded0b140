"""The loss of a training as a picture."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from itertools import pairwise

from PIL import Image, ImageDraw, ImageFont

SIZE = (960, 540)
_LEFT, _TOP, _RIGHT, _BOTTOM = 90, 78, 930, 480
#: Drawn larger and made smaller, so that lines are smooth.
_SCALE = 2
_INK, _FAINT, _GRID, _LINE, _DOTS = "#1f2430", "#5b6270", "#e3e6eb", "#1663c7", "#a9c4ea"
#: The share of all steps that one point of the smooth line looks back on.
_WINDOW = 0.05

Point = tuple[float, float]


def drawn(losses: Sequence[float], epoch_ends: Sequence[int], title: str) -> bytes:
    """A PNG: what each step lost, a smooth line through it, and where the epochs end."""
    canvas = _Canvas(losses, max(len(losses), *epoch_ends))
    canvas.frame(title)
    canvas.epochs(epoch_ends)
    canvas.line(list(enumerate(losses, 1)), _DOTS, 1)
    canvas.line(_smooth(losses), _LINE, 3)
    canvas.last(losses)
    return canvas.png()


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers between two, so many at most and at least two."""
    span = max(high - low, 1e-12)
    unit = 10 ** math.floor(math.log10(span / most))
    step = next(unit * n for n in (1, 2, 5, 10) if span / (unit * n) <= most)
    return [n * step for n in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _smooth(losses: Sequence[float]) -> list[Point]:
    window = max(2, round(len(losses) * _WINDOW))
    made: list[Point] = []
    for at in range(1, len(losses) + 1):
        few = losses[max(0, at - window) : at]
        made.append((at, sum(few) / len(few)))
    return made


def _bounds(losses: Sequence[float]) -> tuple[float, float]:
    """Of the axis: from 0 where the losses are not all far above it; single ones that stand out do not make it flat."""
    most = sorted(losses)[min(len(losses) - 1, round(0.995 * len(losses)))]
    low = min(losses)
    low = 0.0 if low < 0.6 * most else low - 0.1 * (most - low)
    high = most + 0.05 * (most - low)
    return (low, high) if high - low > 1e-9 else (low - 0.5 * abs(low) - 1e-3, high + 0.5 * abs(high) + 1e-3)


class _Canvas:
    def __init__(self, losses: Sequence[float], steps: int) -> None:
        self._image = Image.new("RGB", (SIZE[0] * _SCALE, SIZE[1] * _SCALE), "white")
        self._draw = ImageDraw.Draw(self._image)
        self._low, self._high = _bounds(losses)
        self._steps = steps

    def frame(self, title: str) -> None:
        self._text((_LEFT, 20), _fits(title), 20, _INK, "lm")
        self._text((_LEFT, 46), "loss", 14, _FAINT, "lm")
        values = ticks(self._low, self._high, 6)
        places = _places(values)
        for value in values:
            y = self._y(value)
            self._rule((_LEFT, y), (_RIGHT, y), _GRID)
            self._text((_LEFT - 10, y), f"{value:.{places}f}", 14, _FAINT, "rm")
        for value in ticks(0, self._steps, 8):
            if value == round(value):
                self._rule((self._x(value), _BOTTOM), (self._x(value), _BOTTOM + 6), _FAINT)
                self._text((self._x(value), _BOTTOM + 18), f"{round(value):,}", 14, _FAINT, "mm")
        self._text(((_LEFT + _RIGHT) / 2, _BOTTOM + 42), "steps", 14, _FAINT, "mm")
        self._rule((_LEFT, _BOTTOM), (_RIGHT, _BOTTOM), _FAINT)
        self._rule((_LEFT, _TOP), (_LEFT, _BOTTOM), _FAINT)

    def epochs(self, ends: Sequence[int]) -> None:
        """A mark over each end, and numbers where they have room."""
        every = math.ceil(len(ends) / 20)
        for number, end in enumerate(ends, 1):
            self._rule((self._x(end), _TOP), (self._x(end), _TOP + 6), _FAINT)
            if number % every == 0:
                self._text((self._x(end), _TOP - 8), str(number), 12, _FAINT, "mm")
        self._text((_RIGHT, 46), "epochs", 14, _FAINT, "rm")

    def line(self, points: Sequence[Point], color: str, width: int) -> None:
        where = [self._at(self._x(x), self._y(min(self._high, max(self._low, y)))) for x, y in points]
        if len(where) == 1:
            self._draw.circle(where[0], 3 * _SCALE, fill=color)
        self._draw.line(where, fill=color, width=width * _SCALE, joint="curve")

    def last(self, losses: Sequence[float]) -> None:
        mean = _smooth(losses)[-1][1]
        self._text((_RIGHT, 20), f"at the end {mean:.4f}", 14, _LINE, "rm")

    def png(self) -> bytes:
        out = io.BytesIO()
        self._image.resize(SIZE, Image.Resampling.LANCZOS).quantize(64).save(out, "PNG", optimize=True)
        return out.getvalue()

    def _x(self, step: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * step / self._steps

    def _y(self, loss: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * (loss - self._low) / (self._high - self._low)

    def _at(self, x: float, y: float) -> Point:
        return x * _SCALE, y * _SCALE

    def _rule(self, start: Point, end: Point, color: str) -> None:
        self._draw.line([self._at(*start), self._at(*end)], fill=color, width=_SCALE)

    def _text(self, where: Point, text: str, size: int, color: str, anchor: str) -> None:
        self._draw.text(self._at(*where), text, fill=color, font=ImageFont.load_default(size * _SCALE), anchor=anchor)


def _places(values: Sequence[float]) -> int:
    """Digits behind the point that tell neighbors apart."""
    step = min((b - a for a, b in pairwise(values)), default=1.0)
    return max(0, min(8, -math.floor(math.log10(step) + 1e-9)))


def _fits(title: str) -> str:
    """One line; the font has no letters for some scripts."""
    line = " ".join(title.split())
    return line if len(line) <= 60 else f"{line[:59]}…"
