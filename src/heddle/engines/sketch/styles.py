"""What a style does to the pixels after the drawing: paper, pigment, brush, glow."""

# ruff: noqa: ARG001 - every finish has the same two arguments, also where chance is not needed

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from heddle.engines.sketch.chance import number
from heddle.engines.sketch.raster import Pixels

Plane = npt.NDArray[np.float32]
Scale = npt.NDArray[np.uint16]

#: Every style, as a prompt or a caller names it.
STYLES = (
    "illustration", "flat", "line art", "watercolor", "pixel art", "neon", "pencil", "poster", "oil", "papercut",
    "blueprint", "vintage", "noir",
)  # fmt: skip


def finish(pixels: Pixels, style: str, seed: int) -> Pixels:
    """The picture in its style."""
    made = _FINISHES.get(style)
    return made(pixels, _chance(seed)) if made is not None else _scaled(pixels, _grain(*pixels.shape[:2], seed))


def _chance(seed: int) -> np.random.Generator:
    return np.random.default_rng(number(seed, "finish"))


def noise(rng: np.random.Generator, height: int, width: int, cell: float) -> Plane:
    """Soft noise around 0 (about -1..1) whose spots are `cell` pixels wide."""
    rows, columns = max(2, int(height / cell) + 2), max(2, int(width / cell) + 2)
    coarse = rng.standard_normal((rows, columns), dtype=np.float32)
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.float32)


def _blur(pixels: Pixels, radius: float) -> Pixels:
    """A wide blur by way of a small copy: cheap at any size."""
    image = Image.fromarray(pixels)
    factor = max(1, int(radius / 2))
    small = image.resize((max(1, image.width // factor), max(1, image.height // factor)), Image.Resampling.BOX)
    return np.asarray(
        small.filter(ImageFilter.GaussianBlur(radius / factor)).resize(image.size, Image.Resampling.BICUBIC)
    )


def _short(pixels: Pixels) -> int:
    return min(pixels.shape[0], pixels.shape[1])


def _clip(values: npt.NDArray[np.floating]) -> Pixels:
    return np.clip(values, 0, 255).astype(np.uint8)


def _vignette(height: int, width: int, strength: float) -> Plane:
    """Darker toward the corners, as a factor."""
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    corner = np.clip((x * x + y * y - 0.5) / 1.5, 0, 1)
    return np.asarray(1 - strength * corner, dtype=np.float32)


def _grey(pixels: Pixels) -> Plane:
    return np.asarray(Image.fromarray(pixels).convert("L"), dtype=np.float32)


def _times(pixels: Pixels, factor: npt.NDArray[np.floating]) -> Pixels:
    """Multiply every channel by a factor per pixel."""
    return _scaled(pixels, _scale(factor))


def _scale(factor: npt.NDArray[np.floating]) -> Scale:
    """A factor per pixel for every channel, in fixed point, because floats cost three times as much."""
    return np.repeat(np.clip(factor * 128 + 0.5, 0, 255).astype(np.uint16)[:, :, None], 3, axis=2)


def _scaled(pixels: Pixels, scale: Scale) -> Pixels:
    many = pixels * scale
    many >>= 7
    return np.minimum(many, 255, out=many).astype(np.uint8)


@lru_cache(maxsize=2)
def _grain(height: int, width: int, seed: int) -> Scale:
    """What makes a drawing an illustration: a little noise, and darker corners. Frames of a film share it."""
    return _scale(_vignette(height, width, 0.13) + 0.006 * noise(_chance(seed), height, width, 3))


def _flat(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    return pixels


def _paper(rng: np.random.Generator, height: int, width: int, depth: float) -> Plane:
    """The tooth of paper, as a factor near 1."""
    scale = max(1.0, min(height, width) / 900)
    tooth = 0.5 * noise(rng, height, width, 1.6 * scale) + 0.5 * noise(rng, height, width, 4 * scale)
    return np.asarray(1 + depth * tooth, dtype=np.float32)


def _displaced(pixels: Pixels, rng: np.random.Generator, reach: float, cell: float) -> Pixels:
    """Edges that wander."""
    height, width = pixels.shape[:2]
    dx = noise(rng, height, width, cell) * reach
    dy = noise(rng, height, width, cell) * reach
    rows = np.clip(np.arange(height, dtype=np.float32)[:, None] + dy, 0, height - 1).astype(np.intp)
    columns = np.clip(np.arange(width, dtype=np.float32)[None, :] + dx, 0, width - 1).astype(np.intp)
    return pixels[rows, columns]


def _watercolor(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    short = _short(pixels)
    height, width = pixels.shape[:2]
    wet = _displaced(pixels, rng, short / 520, short / 34)
    wet = np.asarray(Image.fromarray(wet).filter(ImageFilter.MedianFilter(5 if short > 400 else 3)))
    bleed = _blur(wet, short / 70)
    # Pigment gathers at the rim of a wash and in the valleys of the paper.
    rim = np.clip(_grey(bleed) - _grey(wet), -30, 70)
    pool = noise(rng, height, width, short / 8) * 0.035 + noise(rng, height, width, short / 30) * 0.022
    thin = np.clip(0.15 + 0.09 * noise(rng, height, width, short / 5), 0.04, 0.36)
    factor = (1 - rim / 300 + pool) * _paper(rng, height, width, 0.018)
    base = wet.astype(np.float32) * 0.78 + bleed.astype(np.float32) * 0.22
    painted = base * factor[:, :, None]
    painted += (255 - painted) * thin[:, :, None]
    inside = _border(rng, height, width)[:, :, None]
    return _clip(painted * inside + 251 * (1 - inside))


def _border(rng: np.random.Generator, height: int, width: int) -> Plane:
    """1 inside, 0 at an uneven white rim."""
    short = min(height, width)
    y = np.minimum(np.arange(height), np.arange(height)[::-1]).astype(np.float32)[:, None]
    x = np.minimum(np.arange(width), np.arange(width)[::-1]).astype(np.float32)[None, :]
    rim = (
        short * 0.026
        + noise(rng, height, width, short / 6) * short * 0.006
        + noise(rng, height, width, short / 60) * short * 0.0016
    )
    return np.asarray(np.clip((np.minimum(y, x) - rim) / (short * 0.006), 0, 1), dtype=np.float32)


def _pixel_art(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    height, width = pixels.shape[:2]
    cell = max(1, round(min(height, width) / 144))
    small = (max(1, -(-width // cell)), max(1, -(-height // cell)))
    image = Image.fromarray(pixels).resize(small, Image.Resampling.BOX)
    reduced = _limited(np.asarray(image), 44)
    large = reduced.resize((small[0] * cell, small[1] * cell), Image.Resampling.NEAREST)
    return np.asarray(large.crop((0, 0, width, height)))


def _neon(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    short = _short(pixels)
    near, far = _blur(pixels, max(2.0, short / 160)), _blur(pixels, short / 36)
    return _clip(pixels.astype(np.float32) + near.astype(np.float32) * 0.75 + far.astype(np.float32) * 0.8)


def _pencil(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    height, width = pixels.shape[:2]
    short = _short(pixels)
    drawn = _displaced(pixels, rng, short / 700, short / 40)
    grey = _grey(drawn)
    # Where the picture is darker than its surroundings there is a line.
    soft = _grey(_blur(drawn, max(2.0, short / 130)))
    lines = np.clip(grey / np.maximum(soft, 1) * 1.03, 0, 1) ** 2.6
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    pitch = 2.2 / max(3.0, short / 170)
    wander = noise(rng, height, width, short / 9) * 1.4
    hatch = 0.5 + 0.5 * np.sin((x + y) * pitch + wander)
    cross = 0.5 + 0.5 * np.sin((x - y * 0.8) * pitch - wander)
    dark = np.clip((168 - grey) / 168, 0, 1)
    tone = 1 - 0.85 * dark**1.2 * (0.3 + 0.7 * hatch) - 0.4 * np.clip(dark - 0.5, 0, 1) * cross
    sheet = 250 * np.clip(lines * tone, 0.12, 1) * _paper(rng, height, width, 0.016)
    return _clip(sheet[:, :, None] * np.array([1.0, 0.99, 0.965], dtype=np.float32))


def _limited(pixels: Pixels, colors: int) -> Image.Image:
    """The picture in a few colours that are chosen from a small copy."""
    image = Image.fromarray(pixels)
    small = image.resize((min(image.width, 160), min(image.height, 160)), Image.Resampling.BOX)
    chosen = small.quantize(colors, method=Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
    return image.quantize(palette=chosen, dither=Image.Dither.NONE).convert("RGB")


def _poster(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    height, width = pixels.shape[:2]
    inked = np.asarray(_limited(pixels, 22)).astype(np.float32)
    grain = 1 + 0.03 * rng.standard_normal((height, width), dtype=np.float32)
    inked = (inked - 128) * 1.1 + 130
    return _clip(inked * grain[:, :, None] * np.array([1.0, 0.985, 0.94], dtype=np.float32))


def _oil(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Strokes of three sizes; the small ones only where there is something small to say."""
    height, width = pixels.shape[:2]
    short = _short(pixels)
    canvas = Image.fromarray(_blur(pixels, max(2.0, short / 60)))
    field = noise(rng, height, width, short / 3) * 1.4
    for spacing, detail in ((short / 26, 0.0), (short / 52, 7.0), (short / 105, 15.0)):
        _strokes(canvas, pixels, rng, max(2.0, spacing), detail, field)
    painted = np.asarray(canvas.filter(ImageFilter.GaussianBlur(max(0.4, short / 1800))))
    # Raised paint catches the light from the upper left.
    raised = _grey(painted) + 5 * noise(rng, height, width, max(1.5, short / 340))
    slope = np.zeros((height, width), dtype=np.float32)
    slope[1:, 1:] = raised[1:, 1:] - raised[:-1, :-1]
    return _times(painted, 1 + np.clip(slope / 150, -0.16, 0.16).astype(np.float32))


def _strokes(
    canvas: Image.Image, pixels: Pixels, rng: np.random.Generator, spacing: float, detail: float, field: Plane
) -> None:
    """One layer of strokes, across the slope of light, each in the colour under its middle."""
    seen = _blur(pixels, spacing * 0.4)
    grey = _grey(seen)
    missing = np.abs(_grey(np.asarray(canvas)) - grey)
    height, width = grey.shape
    rows, columns = int(height / spacing) + 1, int(width / spacing) + 1
    y = (np.arange(rows)[:, None] + rng.random((rows, columns))) * spacing
    x = (np.arange(columns)[None, :] + rng.random((rows, columns))) * spacing
    row, column = np.clip(y, 1, height - 2).astype(int).ravel(), np.clip(x, 1, width - 2).astype(int).ravel()
    fall = grey[row + 1, column] - grey[row - 1, column]
    across = grey[row, column + 1] - grey[row, column - 1]
    steep = np.hypot(fall, across) > 1.2
    angle = np.where(steep, np.arctan2(across, -fall), field[row, column])
    wanted = (missing[row, column] >= detail).nonzero()[0]
    pen = ImageDraw.Draw(canvas)
    long = spacing * 1.25
    shade = rng.normal(1.0, 0.03, len(row))
    colors = np.clip(seen[row, column] * shade[:, None], 0, 255).astype(int)
    for index in rng.permutation(wanted):
        dx, dy = float(np.cos(angle[index]) * long), float(np.sin(angle[index]) * long)
        px, py = float(column[index]), float(row[index])
        red, green, blue = (int(part) for part in colors[index])
        pen.line((px - dx, py - dy, px + dx, py + dy), fill=(red, green, blue), width=max(1, round(spacing * 0.95)))


def _papercut(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    height, width = pixels.shape[:2]
    return _times(pixels, _paper(rng, height, width, 0.022) * _vignette(height, width, 0.1))


def _line_art(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    return pixels


def _blueprint(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    height, width = pixels.shape[:2]
    pitch = max(8, _short(pixels) // 24)
    factor = 1 + 0.03 * noise(rng, height, width, _short(pixels) / 12)
    factor[::pitch, :] += 0.14
    factor[:, ::pitch] += 0.14
    return _times(pixels, factor.astype(np.float32))


def _vintage(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    height, width = pixels.shape[:2]
    grey = _grey(pixels)[:, :, None]
    toned = grey * np.array([1.0, 0.88, 0.68], dtype=np.float32) + np.array([26, 20, 14], dtype=np.float32)
    mixed = toned * 0.72 + pixels.astype(np.float32) * 0.28
    grain = (
        1
        + 0.03 * rng.standard_normal((height, width), dtype=np.float32)
        + 0.04 * noise(rng, height, width, _short(pixels) / 6)
    )
    return _clip(mixed * (grain * _vignette(height, width, 0.42))[:, :, None])


def _noir(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    height, width = pixels.shape[:2]
    grey = _grey(pixels) / 255
    curve = grey * grey * (3 - 2 * grey) * 255
    grain = 1 + 0.035 * rng.standard_normal((height, width), dtype=np.float32)
    return _clip((curve * grain * _vignette(height, width, 0.5))[:, :, None].repeat(3, 2))


_FINISHES: dict[str, Callable[[Pixels, np.random.Generator], Pixels]] = {
    "flat": _flat, "line art": _line_art, "watercolor": _watercolor,
    "pixel art": _pixel_art, "neon": _neon, "pencil": _pencil, "poster": _poster, "oil": _oil, "papercut": _papercut,
    "blueprint": _blueprint, "vintage": _vintage, "noir": _noir,
}  # fmt: skip
