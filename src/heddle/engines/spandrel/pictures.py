"""Pictures: the model sees colors and opacity one after the other."""

from __future__ import annotations

import numpy as np
from PIL import Image

from heddle import media
from heddle.domain import JSON
from heddle.engines import Made
from heddle.engines.spandrel import IMAGE_AREA, IMAGE_SIDE
from heddle.engines.spandrel.tiles import Pixels
from heddle.engines.spandrel.work import Report, Work
from heddle.studio import pictures


def is_picture(data: bytes) -> bool:
    """Whether the first bytes are those of an image file."""
    return any(kind.startswith("image/") for kind in media.sniff(data[:4096])) or data.startswith(b"BM")


def enlarged(data: bytes, payload: JSON, work: Work, report: Report) -> Made:
    """One picture. Raises EngineFailed."""
    image, kind = pictures.opened_to_enlarge(data, work.larger, side=IMAGE_SIDE, area=IMAGE_AREA)
    pixels = np.asarray(image)
    made = _with_opacity(pixels, work, report) if image.mode == "RGBA" else _plain(pixels, work, report)
    record = work.record()
    chosen = str(payload.get("outputFormat") or kind)
    file = pictures.written(Image.fromarray(made), chosen, image.info.get("icc_profile"), record)
    height, width = made.shape[:2]
    return Made(data=file, mime=pictures.MIMES[chosen], width=width, height=height, metadata=record)


def _plain(pixels: Pixels, work: Work, report: Report) -> Pixels:
    if pixels.ndim == 3:
        return work.enlarged(pixels, report)
    return work.enlarged(pixels[:, :, None], report)[:, :, 0]


def _with_opacity(pixels: Pixels, work: Work, report: Report) -> Pixels:
    colors, opacity = pixels[:, :, :3], pixels[:, :, 3:]
    least, most = int(opacity.min()), int(opacity.max())
    if least == most:  # nothing that a model could find an edge in
        made = work.enlarged(colors, report)
        return np.concatenate((made, np.full_like(made[:, :, :1], least)), axis=2)
    made = work.enlarged(_spread(colors, opacity), lambda done: report(done / 2))
    return np.concatenate((made, work.enlarged(opacity, lambda done: report(0.5 + done / 2))), axis=2)


def _spread(colors: Pixels, opacity: Pixels) -> Pixels:
    """What can be seen spreads to where nothing can, so that the model finds no edge there that nobody sees.

    Means of ever larger squares of what is visible, the smallest square with anything in it first.
    """
    weight = opacity.astype(np.float32) / 255
    made, known = colors.astype(np.float32), weight > 0
    sums, weights, factor = colors * weight, weight, 1
    while not known.all():
        sums, weights, factor = _halved(sums), _halved(weights), factor * 2
        means = sums / np.maximum(weights, 1e-6)
        height, width = known.shape[:2]
        found = _repeated(weights > 0, factor, height, width)
        made = np.where(known, made, np.where(found, _repeated(means, factor, height, width), made))
        known = known | found
    return np.clip(made + 0.5, 0, 255).astype(np.uint8)


def _halved(plane: np.ndarray) -> np.ndarray:
    """Sums of squares of four."""
    height, width = plane.shape[:2]
    even = np.pad(plane, ((0, height % 2), (0, width % 2), (0, 0)))
    return even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]


def _repeated(plane: np.ndarray, factor: int, height: int, width: int) -> np.ndarray:
    return np.repeat(np.repeat(plane, factor, axis=0)[:height], factor, axis=1)[:, :width]
