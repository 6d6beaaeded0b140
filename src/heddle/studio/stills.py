"""Pictures out of whatever is to be judged: the picture itself, or some of a video's, which a child reads."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from PIL import Image

from heddle.errors import EngineFailed
from heddle.studio import sandbox, video

#: Pixels of a picture, frames of a video, how many of them are looked at, and how large those are at most.
_PIXELS, _FRAMES, _LOOKS, _SIDE = 100_000_000, 200_000, 16, 512
#: Pixels of all frames of a picture that moves: each is decoded, to see the next.
_ALL_PIXELS = 2_000_000_000
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF", "BMP")


def of(data: bytes, report: sandbox.Report, *, picture: bool) -> list[Image.Image]:
    """One of a picture; up to sixteen of one that moves, or of a video, evenly spread. Raises JobError.

    `picture`: whether the bytes begin as a picture does.
    """
    if picture or data.startswith(b"BM"):
        return _pictures(data, report)
    found = sandbox.call("heddle.studio.stills:look", {"data": data}, report=report)
    return [Image.frombytes("RGB", tuple(one["size"]), one["pixels"]) for one in found]


def _pictures(data: bytes, report: sandbox.Report) -> list[Image.Image]:
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > _PIXELS:
                raise EngineFailed(f"media: {image.width}x{image.height} is more than {_PIXELS // 10**6} megapixels")
            count: int = getattr(image, "n_frames", 1)
            if count == 1:
                return [_on_white(image)]
            if count > _FRAMES or count * image.width * image.height > _ALL_PIXELS:
                raise EngineFailed(
                    f"media: {count} frames of {image.width}x{image.height} are too many: {_FRAMES} at most, and"
                    f" {_ALL_PIXELS // 10**6} megapixels together"
                )
            return list(_frames(image, count, report))
    except (OSError, EOFError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise EngineFailed(f"media: this is no picture that can be read: {str(error)[:200]}") from error


def _frames(image: Image.Image, count: int, report: sandbox.Report) -> Iterator[Image.Image]:
    """The first, the last, and some between them."""
    looks = min(count, _LOOKS)
    for i in range(looks):
        report(i / looks)
        image.seek(i * (count - 1) // (looks - 1))
        frame = _on_white(image)
        frame.thumbnail((_SIDE, _SIDE))
        yield frame


def _on_white(image: Image.Image) -> Image.Image:
    """What is seen of it: the colors that lie where nothing is opaque are of no account."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    seen = image.convert("RGBA")
    white = Image.new("RGBA", seen.size, "white")
    return Image.alpha_composite(white, seen).convert("RGB")


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
