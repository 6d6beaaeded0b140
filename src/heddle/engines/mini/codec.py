"""Pictures to latents: each patch of 16 x 16 pixels as 24 numbers, its largest principal components over drawings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heddle.engines.mini.windows import PATCH

CHANNELS = 24

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]


class Codec:
    """Encodes; what decodes is a network, which starts from `basis` too."""

    def __init__(self, basis: Floats, mean: Floats, scale: Floats) -> None:
        #: 24, 768: rows of unit length. 768: the mean patch. 24: what a component is divided by.
        self.basis, self.mean, self.scale = basis, mean, scale

    def encode(self, pixels: Pixels) -> Floats:
        """Height, width, 3 (0..255, multiples of 16) to height/16, width/16, 24."""
        made = (patches(pixels) - self.mean) @ self.basis.T / self.scale
        return made.astype(np.float32)

    def decode(self, latents: Floats) -> Floats:
        """As far as the components alone go: batch, rows, columns, 24 to batch, 16 rows, 16 columns, 3 (-1..1)."""
        batch, high, wide = latents.shape[:3]
        cut = np.asarray((latents * self.scale) @ self.basis, dtype=np.float32) + self.mean
        turned = cut.reshape(batch, high, wide, PATCH, PATCH, 3).transpose(0, 1, 3, 2, 4, 5)
        return turned.reshape(batch, high * PATCH, wide * PATCH, 3)


def patches(pixels: Pixels) -> Floats:
    """Rows, columns, 768 (-1..1)."""
    high, wide = pixels.shape[0] // PATCH, pixels.shape[1] // PATCH
    cut = pixels.reshape(high, PATCH, wide, PATCH, 3).transpose(0, 2, 1, 3, 4).reshape(high, wide, -1)
    return cut.astype(np.float32) / 127.5 - 1
