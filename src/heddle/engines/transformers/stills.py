"""Pictures out of whatever is to be judged: the picture itself, or some of a video's, which a child reads."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from heddle import media
from heddle.errors import EngineFailed
from heddle.studio import sandbox, video

#: Pixels of a picture, frames of a video, how many of them are looked at, and how large those are at most.
_PIXELS, _FRAMES, _LOOKS, _SIDE = 100_000_000, 200_000, 16, 512
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF", "BMP")


def of(data: bytes, report: sandbox.Report) -> list[Image.Image]:
    """One of a picture; up to sixteen of a video, evenly spread. Raises JobError."""
    if any(kind.startswith("image/") for kind in media.sniff(data[:4096])) or data.startswith(b"BM"):
        return [_picture(data)]
    found = sandbox.call("heddle.engines.transformers.stills:look", {"data": data}, report=report)
    return [Image.frombytes("RGB", tuple(one["size"]), one["pixels"]) for one in found]


def _picture(data: bytes) -> Image.Image:
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > _PIXELS:
                raise EngineFailed(f"media: {image.width}x{image.height} is more than {_PIXELS // 10**6} megapixels")
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise EngineFailed(f"media: this is no picture that can be read: {str(error)[:200]}") from error


# ── the child ─────────────────────────────────────────────────────────────────


def look(argument: dict[str, Any], _report: sandbox.Report) -> list[dict[str, Any]]:
    """Every so many frames one, so that few are kept of however many there are."""
    kept: list[Image.Image] = []
    every = 1
    with video.opened(argument["data"]) as clip:
        for i, frame in enumerate(clip.frames(_FRAMES)):
            if i % every:
                continue
            if len(kept) == _LOOKS:
                kept, every = kept[::2], every * 2
                if i % every:
                    continue
            still = Image.fromarray(frame)
            still.thumbnail((_SIDE, _SIDE))
            kept.append(still)
    return [{"size": still.size, "pixels": still.tobytes()} for still in kept]
