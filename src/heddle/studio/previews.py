"""Small pictures that stand for a blob before it is fetched: thumbnails, posters, waveforms, and their blurhash."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: The longer side of a preview, pixels.
SIDE = 450
#: Of one that is shown while the thing is made.
LIVE_SIDE = 256
#: Of one that another server made.
_MOST_SIDE = 4096
#: What previews are.
MIMES = ("image/webp", "image/jpeg", "image/png")

_WAVE = (640, 160)
_INK, _PAPER = (47, 84, 150), (243, 245, 249)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A small encoded picture of something an engine made."""

    data: bytes
    mime: str = "image/webp"
    width: int
    height: int
    #: A few characters that unfold to a blurred picture.
    blurhash: str | None = None


def of_picture(data: bytes) -> Preview:
    """A thumbnail of an encoded picture that an engine made."""
    from PIL import Image  # noqa: PLC0415 - heavy

    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", (SIDE, SIDE))
        return _preview(image.convert("RGB"))


def of_frame(frame: NDArray[np.uint8]) -> Preview:
    """A poster from a frame: height, width, red-green-blue."""
    from PIL import Image  # noqa: PLC0415 - heavy

    return _preview(Image.fromarray(frame))


def live(frame: NDArray[np.uint8], size: tuple[int, int] | None = None) -> Preview:
    """What is shown of a thing while it is made, from a frame. `size`: the width and height of the thing itself."""
    from PIL import Image  # noqa: PLC0415 - heavy

    image = Image.fromarray(frame)
    width, height = size or image.size
    scale = min(1.0, LIVE_SIDE / max(width, height))
    shown = image.resize((max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BICUBIC)
    return Preview(data=_webp(shown, quality=70), width=shown.width, height=shown.height)


def live_of(data: bytes) -> Preview:
    """The same of an encoded picture that another server made. Raises ValueError or OSError for what is none."""
    import numpy as np  # noqa: PLC0415 - heavy
    from PIL import Image  # noqa: PLC0415 - heavy

    with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as image:
        if max(image.size) > _MOST_SIDE:
            raise ValueError(f"a preview of {image.width}x{image.height} pixels; {_MOST_SIDE} a side may be")
        image.draft("RGB", (LIVE_SIDE, LIVE_SIDE))
        return live(np.asarray(image.convert("RGB")))


def of_sound(samples: NDArray[np.float32]) -> Preview:
    """A waveform: the loudest and quietest of each column, samples by channels."""
    import numpy as np  # noqa: PLC0415 - heavy
    from PIL import Image, ImageDraw  # noqa: PLC0415 - heavy

    width, height = _WAVE
    image = Image.new("RGB", _WAVE, _PAPER)
    draw = ImageDraw.Draw(image)
    mono = samples.mean(axis=1) if len(samples) else np.zeros(1, np.float32)
    for x, part in enumerate(np.array_split(mono, width)):
        low, high = (float(part.min()), float(part.max())) if len(part) else (0.0, 0.0)
        draw.line([(x, height / 2 * (1 - high * 0.95)), (x, height / 2 * (1 - low * 0.95))], fill=_INK)
    return _preview(image)


def _preview(image: Any) -> Preview:
    import blurhash  # noqa: PLC0415 # pyright: ignore[reportMissingTypeStubs] - heavy; it has no types
    import numpy as np  # noqa: PLC0415 - heavy

    image.thumbnail((SIDE, SIDE))
    data = _webp(image, quality=80)
    tiny = image.resize((16, 16))
    return Preview(
        data=data,
        width=image.width,
        height=image.height,
        blurhash=str(getattr(blurhash, "encode")(np.asarray(tiny), 4, 3)),  # noqa: B009,
    )


def _webp(image: Any, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP", quality=quality, method=2)
    return out.getvalue()
