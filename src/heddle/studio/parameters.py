"""Generated pictures: the `parameters` text that image tools write and read, in their files; and their sources."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from heddle.errors import EngineFailed

if TYPE_CHECKING:
    from PIL import Image

MIMES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
#: What a source may be, and how large.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF", "BMP")
MOST_PIXELS = 64_000_000

_USER_COMMENT, _EXIF_IFD = 0x9286, 0x8769
#: EXIF segments of a JPEG end at 64 KiB.
_MOST_EXIF_CHARACTERS = 30_000


def text(prompt: str, negative_prompt: str, pairs: Sequence[tuple[str, object]]) -> str:
    """Prompt, negative prompt, then one line of `Name: value` pairs."""
    rows = [_one_line(prompt)]
    if negative_prompt:
        rows.append(f"Negative prompt: {_one_line(negative_prompt)}")
    rows.append(", ".join(f"{name}: {value}" for name, value in pairs))
    return "\n".join(rows)


def quoted(value: str) -> str:
    """A value that may hold commas or colons."""
    return '"' + value.replace('"', "'") + '"'


def _one_line(words: str) -> str:
    """Without what a text chunk or its readers cannot hold."""
    clean = words.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
    return "\n".join(row.strip() for row in clean.strip().splitlines() if row.strip())


def encode(image: Image.Image, kind: str, parameters: str) -> bytes:
    """PNG with a text chunk; JPEG and WebP with an EXIF user comment."""
    from PIL import PngImagePlugin  # noqa: PLC0415 - heavy

    out = io.BytesIO()
    if kind == "png":
        info = PngImagePlugin.PngInfo()
        # Pillow writes iTXt by itself when the text is not Latin-1.
        info.add_text("parameters", parameters)
        image.save(out, "PNG", pnginfo=info, compress_level=2)
    elif kind == "jpeg":
        image.save(out, "JPEG", quality=93, subsampling=0, exif=_exif(parameters))
    else:
        image.save(out, "WEBP", quality=92, method=2, exif=_exif(parameters))
    return out.getvalue()


def _exif(parameters: str) -> bytes:
    from PIL import Image  # noqa: PLC0415 - heavy

    exif = Image.Exif()
    comment = b"UNICODE\0" + parameters[:_MOST_EXIF_CHARACTERS].encode("utf-16-be", "surrogatepass")
    exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = comment
    return exif.tobytes()


def source(data: bytes, blob_id: str, draft: tuple[int, int], field: str = "images") -> Image.Image:
    """A source picture, upright and on white, not much larger than `draft`. Raises EngineFailed with what is wrong."""
    from PIL import Image, ImageOps, UnidentifiedImageError  # noqa: PLC0415 - heavy

    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise EngineFailed(
                    f"{field}: {blob_id!r} has {image.width}x{image.height} pixels; at most {MOST_PIXELS} are taken"
                )
            image.draft("RGB", draft)
            return _opaque(ImageOps.exif_transpose(image))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise EngineFailed(
            f"{field}: {blob_id!r} is not a picture that can be read: one of {', '.join(FORMATS)} was expected"
        ) from error


def _opaque(image: Image.Image) -> Image.Image:
    from PIL import Image as Images  # noqa: PLC0415 - heavy

    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        seen = image.convert("RGBA")
        return Images.alpha_composite(Images.new("RGBA", seen.size, "#ffffff"), seen).convert("RGB")
    return image.convert("RGB")
