"""Image files in and out: format, transparency, color profile and orientation are kept."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from heddle import media
from heddle.domain import JSON
from heddle.engines import Made
from heddle.engines.resample import IMAGE_AREA, IMAGE_SIDE
from heddle.engines.resample.pixels import Pixels, enlarge_picture
from heddle.errors import EngineFailed

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF", "BMP")
MIMES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
_USER_COMMENT, _EXIF_IFD = 0x9286, 0x8769


def is_picture(data: bytes) -> bool:
    """Whether the first bytes are those of an image file."""
    return any(kind.startswith("image/") for kind in media.sniff(data[:4096])) or data.startswith(b"BM")


def enlarged(data: bytes, payload: JSON, record: dict[str, Any], report: Callable[[float], None]) -> Made:
    """One picture, `numberOfRepeats` times `scaleFactor` larger. Raises EngineFailed."""
    factor, repeats = int(payload["scaleFactor"]), int(payload["numberOfRepeats"])
    image, kind = _opened(data, factor**repeats)
    pixels = _weighted(np.asarray(image))
    for step in range(repeats):
        pixels = enlarge_picture(pixels, factor, lambda done, step=step: report(0.95 * (step + done) / repeats))
    chosen = str(payload.get("outputFormat") or kind)
    made = _written(Image.fromarray(_unweighted(pixels)), chosen, image.info.get("icc_profile"), record)
    height, width = pixels.shape[:2]
    return Made(data=made, mime=MIMES[chosen], width=width, height=height, metadata=record)


def _opened(data: bytes, factor: int) -> tuple[Image.Image, str]:
    """The picture upright, as grey, colored or colored with alpha; and the format to write it in."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check(image, factor)
            kind = str(image.format).lower()
            upright = ImageOps.exif_transpose(image)
            seen = upright.convert(_mode(upright))
            seen.info["icc_profile"] = image.info.get("icc_profile") if seen.mode != "L" else None
            return seen, kind if kind in MIMES else "png"
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise EngineFailed(
            f"image: the source is not a picture that can be read, one of {', '.join(FORMATS)}"
        ) from error


def _check(image: Image.Image, factor: int) -> None:
    width, height = image.width * factor, image.height * factor
    if max(width, height) > IMAGE_SIDE or width * height > IMAGE_AREA:
        raise EngineFailed(
            f"scaleFactor: {image.width}x{image.height} times {factor} is {width}x{height}, and a result has at most "
            f"{IMAGE_SIDE} pixels per side and {IMAGE_AREA // 1_000_000} megapixels"
        )
    if getattr(image, "n_frames", 1) > 1:
        raise EngineFailed("image: the source is animated; a still picture, or a video as mp4 or webm, can be enlarged")


def _mode(image: Image.Image) -> str:
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        return "RGBA"
    return "L" if image.mode in ("1", "L") else "RGB"


def _weighted(pixels: Pixels) -> Pixels:
    """Height, width, channels; colors by their opacity, so that what nobody sees does not bleed into what they do."""
    if pixels.ndim == 2:
        return pixels[:, :, None]
    if pixels.shape[2] == 3:
        return pixels
    opacity = pixels[:, :, 3:].astype(np.uint16)
    return np.concatenate(((pixels[:, :, :3] * opacity + 127) // 255, opacity), axis=2).astype(np.uint8)


def _unweighted(pixels: Pixels) -> Pixels:
    if pixels.shape[2] != 4:
        return pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    opacity = np.maximum(pixels[:, :, 3:], 1).astype(np.uint16)
    colors = np.minimum((pixels[:, :, :3].astype(np.uint16) * 255 + opacity // 2) // opacity, 255)
    return np.concatenate((colors.astype(np.uint8), pixels[:, :, 3:]), axis=2)


def _written(image: Image.Image, kind: str, profile: bytes | None, record: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    said = json.dumps(record, ensure_ascii=True)
    options: dict[str, Any] = {"icc_profile": profile} if profile else {}
    if kind == "png":
        info = PngImagePlugin.PngInfo()
        info.add_text("comment", said)
        image.save(out, "PNG", pnginfo=info, compress_level=4, **options)
    elif kind == "jpeg":
        image.convert("L" if image.mode == "L" else "RGB").save(
            out, "JPEG", quality=95, subsampling=0, exif=_exif(said), **options
        )
    else:
        image.save(out, "WEBP", quality=94, method=2, exact=True, exif=_exif(said), **options)
    return out.getvalue()


def _exif(said: str) -> bytes:
    exif = Image.Exif()
    exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = b"ASCII\0\0\0" + said.encode()
    return exif.tobytes()
