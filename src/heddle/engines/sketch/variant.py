"""From a picture to a picture: a variant (image to image) and an edit.

A variant is no cross-fade. As the strength grows, the scene is painted over the source patch by patch, in colours that
it borrows from the source, and what is left of the source loses its small detail; things are painted whole.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter, ImageOps

from heddle.engines.sketch.chance import number
from heddle.engines.sketch.raster import Pixels
from heddle.engines.sketch.styles import noise
from heddle.studio import parameters

Floats = npt.NDArray[np.float32]


def decode(data: bytes, width: int, height: int, blob_id: str) -> Pixels:
    """A source picture, cut to cover the frame. Raises EngineFailed with what is wrong."""
    upright = parameters.source(data, blob_id, (width, height))
    return np.asarray(ImageOps.fit(upright, (width, height), Image.Resampling.LANCZOS))


def blend(source: Pixels, scene: Pixels, things: npt.NDArray[np.uint8], strength: float, seed: int) -> Pixels:
    """A variant: at 0 the source, at 1 the scene. `things` is the scene's foreground with alpha."""
    if strength <= 0:
        return source
    if strength >= 1:
        return scene
    told = _tinted(scene, source, 0.8 * (1 - _ramp(strength, 0.4, 1.0)))
    base = _simplified(source, strength)
    reach = _ramp(strength, 0.05, 0.84)
    painted = np.clip((reach * 1.16 - _order(things, seed)) / 0.14, 0, 1)[:, :, None]
    whole = things[:, :, 3:].astype(np.float32) / 255 * _ramp(strength, 0.26, 0.4)
    cover = np.maximum(painted, whole)
    return np.clip(base + (told - base) * cover, 0, 255).astype(np.uint8)


def _order(things: npt.NDArray[np.uint8], seed: int) -> Floats:
    """When each place is painted over, 0 first to 1 last, in even shares: around the things, then patch by patch."""
    height, width = things.shape[:2]
    short = min(height, width)
    rng = np.random.default_rng(number(seed, "order"))
    field = (
        noise(rng, height, width, short / 3)
        + 0.35 * noise(rng, height, width, short / 9)
        + 0.07 * noise(rng, height, width, short / 45)
    )
    alpha = Image.fromarray(np.ascontiguousarray(things[:, :, 3])).filter(ImageFilter.GaussianBlur(short / 14))
    field -= 1.6 * np.asarray(alpha, dtype=np.float32) / 255
    small = np.sort(field[:: max(1, height // 128), :: max(1, width // 128)].ravel())
    return np.interp(field.ravel(), small, np.linspace(0, 1, len(small))).reshape(height, width).astype(np.float32)


def edit(source: Pixels, things: npt.NDArray[np.uint8], tint: tuple[float, float, float], strength: float) -> Pixels:
    """An edit: the source under the light that was asked for, the things asked for laid over it."""
    shade = 1 - (1 - np.array(tint, dtype=np.float32) ** 1.5) * min(1.0, strength * 1.3)
    base = source.astype(np.float32) * shade
    alpha = things[:, :, 3:].astype(np.float32) / 255
    return np.clip(base + (things[:, :, :3] - base) * alpha, 0, 255).astype(np.uint8)


def _ramp(value: float, low: float, high: float) -> float:
    share = min(1.0, max(0.0, (value - low) / (high - low)))
    return share * share * (3 - 2 * share)


def _simplified(source: Pixels, strength: float) -> Floats:
    """The source with ever less small detail, as a painter would lay it in first."""
    radius = min(source.shape[:2]) / 140 * strength
    soft = Image.fromarray(source).filter(ImageFilter.MedianFilter(3)).filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(soft, dtype=np.float32)


def _tinted(scene: Pixels, source: Pixels, share: float) -> Floats:
    """The scene with the source's colours: mean and spread of each channel, and where in the frame they lie."""
    told, given = scene.astype(np.float32), source.astype(np.float32)
    spread = np.clip(given.std(axis=(0, 1)) / np.maximum(told.std(axis=(0, 1)), 4), 0.5, 1.8)
    moved = (told - told.mean(axis=(0, 1))) * spread + given.mean(axis=(0, 1))
    local = moved + 0.5 * (_low(given) - _low(moved))
    return told + (local - told) * np.float32(share)


def _low(values: Floats) -> Floats:
    """Only the broad masses."""
    height, width = values.shape[:2]
    image = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    small = image.resize((max(2, width // 64), max(2, height // 64)), Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)
