"""Image files in and out: format, transparency, color profile and orientation are kept."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from heddle.errors import EngineFailed

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF", "BMP")
MIMES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
_USER_COMMENT, _EXIF_IFD = 0x9286, 0x8769


def opened_to_enlarge(data: bytes, factor: int, *, side: int, area: int) -> tuple[Image.Image, str]:
    """A still picture upright, as grey (L), colored (RGB) or colored with alpha (RGBA); and the format to write it in.

    Raises EngineFailed, also when the result would have more than `side` pixels per side or `area` in all.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check(image, factor, side, area)
            kind = str(image.format).lower()
            upright = ImageOps.exif_transpose(image)
            seen = upright.convert(_mode(upright))
            seen.info["icc_profile"] = image.info.get("icc_profile") if seen.mode != "L" else None
            return seen, kind if kind in MIMES else "png"
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise EngineFailed(
            f"image: the source is not a picture that can be read, one of {', '.join(FORMATS)}"
        ) from error


def written(image: Image.Image, kind: str, profile: bytes | None, record: Mapping[str, Any]) -> bytes:
    """A file of the `kind` (`png`, `jpeg`, `webp`) that says in its comment what `record` says."""
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


def _check(image: Image.Image, factor: int, side: int, area: int) -> None:
    width, height = image.width * factor, image.height * factor
    if max(width, height) > side or width * height > area:
        raise EngineFailed(
            f"scaleFactor: {image.width}x{image.height} times {factor} is {width}x{height}, and a result has at most "
            f"{side} pixels per side and {area // 1_000_000} megapixels"
        )
    if getattr(image, "n_frames", 1) > 1:
        raise EngineFailed("image: the source is animated; a still picture, or a video as mp4 or webm, can be enlarged")


def _mode(image: Image.Image) -> str:
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        return "RGBA"
    return "L" if image.mode in ("1", "L") else "RGB"


def _exif(said: str) -> bytes:
    exif = Image.Exif()
    exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = b"ASCII\0\0\0" + said.encode()
    return exif.tobytes()
