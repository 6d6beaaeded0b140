"""Pictures: colors are enlarged by their opacity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from heddle import media
from heddle.domain import JSON
from heddle.engines import Made
from heddle.engines.resample import IMAGE_AREA, IMAGE_SIDE
from heddle.studio import pictures
from heddle.studio.enlarging import Pixels, enlarge_picture


def is_picture(data: bytes) -> bool:
    """Whether the first bytes are those of an image file."""
    return any(kind.startswith("image/") for kind in media.sniff(data[:4096])) or data.startswith(b"BM")


def enlarged(data: bytes, payload: JSON, record: dict[str, Any], report: Callable[[float], None]) -> Made:
    """One picture, `numberOfRepeats` times `scaleFactor` larger. Raises EngineFailed."""
    factor, repeats = int(payload["scaleFactor"]), int(payload["numberOfRepeats"])
    image, kind = pictures.opened_to_enlarge(data, factor**repeats, side=IMAGE_SIDE, area=IMAGE_AREA)
    pixels = _weighted(np.asarray(image))
    for step in range(repeats):
        pixels = enlarge_picture(pixels, factor, lambda done, step=step: report(0.95 * (step + done) / repeats))
    chosen = str(payload.get("outputFormat") or kind)
    made = pictures.written(Image.fromarray(_unweighted(pixels)), chosen, image.info.get("icc_profile"), record)
    height, width = pixels.shape[:2]
    return Made(data=made, mime=pictures.MIMES[chosen], width=width, height=height, metadata=record)


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
