"""From a picture to a picture: a variant (image to image) and an edit.

A variant is no cross-fade. The scene borrows the source's colours, each band of detail is taken from whichever picture
has more to say there, and the things asked for are painted whole.
"""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter, ImageOps, UnidentifiedImageError

from heddle.engines.sketch.raster import Pixels
from heddle.errors import EngineFailed

#: What a source may be at most.
MOST_PIXELS = 40_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")

Floats = npt.NDArray[np.float32]


def decode(data: bytes, width: int, height: int, blob_id: str) -> Pixels:
    """A source picture, cut to cover the frame. Raises EngineFailed with what is wrong."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise EngineFailed(f"images: {blob_id!r} has {image.width}x{image.height} pixels; at most {MOST_PIXELS} are taken")
            image.draft("RGB", (width, height))
            upright = ImageOps.exif_transpose(image)
            return np.asarray(ImageOps.fit(_opaque(upright), (width, height), Image.Resampling.LANCZOS))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise EngineFailed(f"images: {blob_id!r} is not a picture that can be read: one of {', '.join(FORMATS)} was expected") from error


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        seen = image.convert("RGBA")
        sheet = Image.new("RGBA", seen.size, "#ffffff")
        return Image.alpha_composite(sheet, seen).convert("RGB")
    return image.convert("RGB")


def blend(source: Pixels, scene: Pixels, things: npt.NDArray[np.uint8], strength: float) -> Pixels:
    """A variant: at 0 the source, at 1 the scene. `things` is the scene's foreground with alpha."""
    if strength <= 0:
        return source
    if strength >= 1:
        return scene
    ease = strength * strength * (3 - 2 * strength)
    told = _tinted(scene, source, (1 - ease) * 0.85)
    fused = _fused(_simplified(source, strength), told, ease)
    cover = (things[:, :, 3:].astype(np.float32) / 255) * _ramp(strength, 0.32, 0.62)
    painted = fused + (told - fused) * cover
    # Whatever the bands made of it, weak strengths stay near the source and strong ones near the scene.
    near = _ramp(strength, 0.0, 0.55)
    far = _ramp(strength, 0.55, 1.0)
    result = source * (1 - near) + painted * near
    return np.clip(result * (1 - far) + scene * far, 0, 255).astype(np.uint8)


def edit(source: Pixels, things: npt.NDArray[np.uint8], tint: tuple[float, float, float], strength: float) -> Pixels:
    """An edit: the source under the light that was asked for, the things asked for laid over it."""
    shade = 1 - (1 - np.array(tint, dtype=np.float32)) * min(1.0, strength * 1.2)
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


def _fused(one: Floats, other: Floats, share: float) -> Floats:
    """Laplacian bands: broad masses mix by share, finer ones come from the picture that has more there."""
    result = np.zeros_like(one)
    short = min(one.shape[:2])
    first, second = one, other
    for radius in (short / 200, short / 60, short / 20):
        soft_first, soft_second = _blurred(first, radius), _blurred(second, radius)
        band_first, band_second = first - soft_first, second - soft_second
        says_first = np.abs(band_first).sum(axis=2, keepdims=True) * (1 - share)
        says_second = np.abs(band_second).sum(axis=2, keepdims=True) * share
        lean = np.clip((says_second - says_first) / (says_second + says_first + 2) * 1.6 + 0.5, 0, 1)
        result += band_first * (1 - lean) + band_second * lean
        first, second = soft_first, soft_second
    return result + first * (1 - share) + second * share


def _blurred(values: Floats, radius: float) -> Floats:
    image = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    factor = max(1, int(radius / 2))
    small = image.resize((max(2, image.width // factor), max(2, image.height // factor)), Image.Resampling.BOX)
    return np.asarray(
        small.filter(ImageFilter.GaussianBlur(radius / factor)).resize(image.size, Image.Resampling.BICUBIC), dtype=np.float32
    )
