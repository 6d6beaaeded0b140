"""What a style does to the pixels after the drawing: paper, pigment, brush, glow."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from heddle.engines.sketch.chance import number
from heddle.engines.sketch.raster import Pixels

Plane = npt.NDArray[np.float32]

#: Every style, as a prompt or a caller names it.
STYLES = (
    "illustration", "flat", "line art", "watercolor", "pixel art", "neon", "pencil", "poster", "oil", "papercut",
    "blueprint", "vintage", "noir",
)  # fmt: skip


def finish(pixels: Pixels, style: str, seed: int) -> Pixels:
    """The picture in its style."""
    rng = np.random.default_rng(number(seed, "finish"))
    return _FINISHES.get(style, _illustration)(pixels, rng)


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
    return np.asarray(small.filter(ImageFilter.GaussianBlur(radius / factor)).resize(image.size, Image.Resampling.BICUBIC))


def _short(pixels: Pixels) -> int:
    return min(pixels.shape[0], pixels.shape[1])


def _clip(values: npt.NDArray[np.floating]) -> Pixels:
    return np.clip(values, 0, 255).astype(np.uint8)


def _vignette(height: int, width: int, strength: float) -> Plane:
    """Darker toward the corners, as a factor."""
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    return 1 - strength * np.clip((x * x + y * y - 0.5) / 1.5, 0, 1)


def _grey(pixels: Pixels) -> Plane:
    return np.asarray(Image.fromarray(pixels).convert("L"), dtype=np.float32)


def _times(pixels: Pixels, factor: Plane) -> Pixels:
    """Multiply every channel by a factor per pixel; 8.8 fixed point, because floats cost three times as much."""
    scale = np.clip(factor * 256, 0, 511).astype(np.uint16)[:, :, None]
    return np.minimum((pixels * scale) >> 8, 255).astype(np.uint8)


def _illustration(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    height, width = pixels.shape[:2]
    factor = _vignette(height, width, 0.13) + 0.006 * noise(rng, height, width, 3)
    return _times(pixels, factor)


def _flat(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    return pixels


def _paper(rng: np.random.Generator, height: int, width: int, depth: float) -> Plane:
    """The tooth of paper, as a factor near 1."""
    scale = max(1.0, min(height, width) / 900)
    tooth = 0.5 * noise(rng, height, width, 1.6 * scale) + 0.5 * noise(rng, height, width, 4 * scale)
    return 1 + depth * tooth


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
    wet = _displaced(pixels, rng, short / 260, short / 90)
    image = Image.fromarray(wet).filter(ImageFilter.ModeFilter(3) if short < 500 else ImageFilter.MedianFilter(5))
    wet = np.asarray(image)
    bleed = _blur(wet, short / 60)
    grey = _grey(wet)
    edge = np.clip(_grey(bleed) - grey, -40, 60)
    base = wet.astype(np.float32) * 0.66 + bleed.astype(np.float32) * 0.34
    # Pigment gathers at the rim of a wash and in the valleys of the paper.
    pool = noise(rng, height, width, short / 9) * 0.075 + noise(rng, height, width, short / 28) * 0.035
    light = 0.2 + 0.1 * noise(rng, height, width, short / 5)
    factor = (1 - edge / 420 + pool)[:, :, None]
    painted = base * factor
    painted += (255 - painted) * np.clip(light, 0.05, 0.42)[:, :, None]
    painted *= _paper(rng, height, width, 0.02)[:, :, None]
    inside = _border(rng, height, width)[:, :, None]
    return _clip(painted * inside + 251 * (1 - inside))


def _border(rng: np.random.Generator, height: int, width: int) -> Plane:
    """1 inside, 0 at an uneven white rim."""
    short = min(height, width)
    y = np.minimum(np.arange(height), np.arange(height)[::-1]).astype(np.float32)[:, None]
    x = np.minimum(np.arange(width), np.arange(width)[::-1]).astype(np.float32)[None, :]
    rim = short * 0.035 + noise(rng, height, width, short / 14) * short * 0.01 + noise(rng, height, width, short / 50) * short * 0.004
    return np.clip((np.minimum(y, x) - rim) / (short * 0.006), 0, 1)


def _pixel_art(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    height, width = pixels.shape[:2]
    cell = max(1, round(min(height, width) / 144))
    small = (max(1, -(-width // cell)), max(1, -(-height // cell)))
    image = Image.fromarray(pixels).resize(small, Image.Resampling.BOX)
    reduced = image.quantize(36, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).convert("RGB")
    large = reduced.resize((small[0] * cell, small[1] * cell), Image.Resampling.NEAREST)
    return np.asarray(large.crop((0, 0, width, height)))


def _neon(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    short = _short(pixels)
    near, far = _blur(pixels, max(2.0, short / 160)), _blur(pixels, short / 36)
    return _clip(pixels.astype(np.float32) + near.astype(np.float32) * 0.75 + far.astype(np.float32) * 0.8)


def _pencil(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    height, width = pixels.shape[:2]
    short = _short(pixels)
    grey = _grey(_displaced(pixels, rng, short / 620, short / 40))
    soft = _grey(_blur(grey.astype(np.uint8)[:, :, None].repeat(3, 2), max(2.0, short / 110)))
    lines = np.clip(grey / np.maximum(soft, 1) * 262, 0, 255)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    pitch = max(3.0, short / 190)
    wander = noise(rng, height, width, short / 12) * 1.6
    hatch = 0.5 + 0.5 * np.sin((x + y) / pitch * 2.2 + wander)
    cross = 0.5 + 0.5 * np.sin((x - y * 0.9) / pitch * 2.2 - wander)
    dark = np.clip((205 - grey) / 205, 0, 1)
    tone = 255 - 150 * np.clip(dark * 1.15 - 0.12, 0, 1) * (0.35 + 0.65 * hatch) - 70 * np.clip(dark - 0.5, 0, 1) * cross
    sheet = np.minimum(lines, tone) * _paper(rng, height, width, 0.05)
    return _clip(sheet[:, :, None] * np.array([0.985, 0.975, 0.95], dtype=np.float32) + 4)


def _poster(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    height, width = pixels.shape[:2]
    reduced = Image.fromarray(pixels).quantize(14, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).convert("RGB")
    inked = np.asarray(reduced.filter(ImageFilter.ModeFilter(3))).astype(np.float32)
    grain = 1 + 0.035 * rng.standard_normal((height, width), dtype=np.float32)
    inked = (inked - 128) * 1.12 + 130
    return _clip(inked * grain[:, :, None] * np.array([1.0, 0.985, 0.94], dtype=np.float32))


def _oil(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    height, width = pixels.shape[:2]
    short = _short(pixels)
    cell = max(2.0, short / 130)
    # Strokes follow a slowly turning field; each stroke has one colour, picked where it starts.
    angle = noise(rng, height, width, short / 5) * 1.5
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    jitter_x, jitter_y = noise(rng, height, width, cell * 1.3) * cell * 0.5, noise(rng, height, width, cell * 1.3) * cell * 0.5
    along = (x + jitter_x) * np.cos(angle.mean()) + (y + jitter_y) * np.sin(angle.mean())
    across = -(x + jitter_x) * np.sin(angle.mean()) + (y + jitter_y) * np.cos(angle.mean())
    snapped_along = (np.floor(along / (cell * 3.2)) + 0.5) * cell * 3.2
    snapped_across = (np.floor(across / cell) + 0.5) * cell
    shift = snapped_along - along
    down = snapped_across - across
    turn = np.float32(angle.mean())
    source_x = np.clip(x + 0.42 * (shift * np.cos(turn) - down * np.sin(turn)), 0, width - 1).astype(np.intp)
    source_y = np.clip(y + 0.42 * (shift * np.sin(turn) + down * np.cos(turn)), 0, height - 1).astype(np.intp)
    base = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(cell * 0.2)))
    painted = base[source_y, source_x].astype(np.float32)
    bristle = np.sin(across / cell * 6.28 * 1.5 + noise(rng, height, width, cell * 4) * 2.5)
    relief = bristle * 0.03 + noise(rng, height, width, cell * 1.6) * 0.05 + noise(rng, height, width, cell * 8) * 0.05
    return _clip((painted - 128) * 1.07 * (1 + relief[:, :, None]) + 128 + 190 * relief[:, :, None] * 0.5)


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
    grain = 1 + 0.03 * rng.standard_normal((height, width), dtype=np.float32) + 0.04 * noise(rng, height, width, _short(pixels) / 6)
    return _clip(mixed * (grain * _vignette(height, width, 0.42))[:, :, None])


def _noir(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    height, width = pixels.shape[:2]
    grey = _grey(pixels) / 255
    curve = grey * grey * (3 - 2 * grey) * 255
    grain = 1 + 0.035 * rng.standard_normal((height, width), dtype=np.float32)
    return _clip((curve * grain * _vignette(height, width, 0.5))[:, :, None].repeat(3, 2))


_FINISHES: dict[str, Callable[[Pixels, np.random.Generator], Pixels]] = {
    "illustration": _illustration, "flat": _flat, "line art": _line_art, "watercolor": _watercolor,
    "pixel art": _pixel_art, "neon": _neon, "pencil": _pencil, "poster": _poster, "oil": _oil, "papercut": _papercut,
    "blueprint": _blueprint, "vintage": _vintage, "noir": _noir,
}  # fmt: skip
