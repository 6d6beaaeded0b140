"""The passes of one job through its model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from heddle.domain import JSON
from heddle.engines.spandrel import tiles
from heddle.engines.spandrel.models import Model, OutOfRoom, tidy
from heddle.engines.spandrel.options import Options
from heddle.engines.spandrel.tiles import Pixels, Values

#: Pixels per side of a tile where nothing else is said, on a GPU and on a CPU.
_ON_GPU, _ON_CPU = 512, 192
#: Tiles are made no smaller than this when memory ends.
_LEAST = 64

#: Takes the fraction of a picture that is done; raises to stop the work.
Report = Callable[[float], None]


class Work:
    """What is done to every picture of a job. The tiles get smaller when memory ends, for all that come."""

    def __init__(self, model: Model, options: Options, payload: JSON) -> None:
        self._model = model
        self._tile = options.tile or (_ON_GPU if model.on_gpu else _ON_CPU)
        self._overlap = options.overlap
        self._payload = payload
        self.factor = int(payload["scaleFactor"])
        self.passes = int(payload["numberOfRepeats"])

    @property
    def larger(self) -> int:
        """How many times wider and taller the result is."""
        return self.factor**self.passes

    def record(self) -> dict[str, Any]:
        """What was done, for the metadata: also where it is not what the model alone would give."""
        said: dict[str, Any] = {
            "engine": "spandrel",
            "model": self._payload["model"],
            "architecture": self._model.architecture,
            "scaleFactor": self.factor,
            "numberOfRepeats": self.passes,
            "modelScale": self._model.scale,
            "dtype": self._model.dtype,
            "tile": self._tile,
        }
        return said if self._model.scale == self.factor else said | {"resized": "lanczos"}

    def enlarged(self, source: Pixels, report: Report) -> Pixels:
        """A picture with 1 or 3 channels after all passes. `report` is called before every tile."""
        while True:
            try:
                return self._through(source, report)
            except OutOfRoom as error:
                tidy()
                if self._tile <= _LEAST:
                    raise MemoryError(f"a tile of {self._tile} pixels has no room: {error}") from error
                self._tile = max(_LEAST, self._tile // 2)
                self._overlap = min(self._overlap, self._tile // 4)

    def _through(self, source: Pixels, report: Report) -> Pixels:
        height, width = source.shape[:2]
        sizes = [(height * self.factor**n, width * self.factor**n) for n in range(self.passes)]
        total = sum(tiles.count(size, self._tile, self._overlap) for size in sizes)
        done = 0

        def enlarge(tile: Pixels) -> Values:
            nonlocal done
            report(done / total)
            done += 1
            return self._fitted(tile)

        pixels = source
        for _ in range(self.passes):
            pixels = tiles.enlarged(pixels, enlarge, self.factor, self._tile, self._overlap)
        return pixels

    def _fitted(self, tile: Pixels) -> Values:
        """By the model, and by Lanczos to the size that is wanted: tile by tile, so that nothing larger is kept."""
        made = self._model.enlarge(tile)
        if self._model.scale == self.factor:
            return made
        size = (tile.shape[1] * self.factor, tile.shape[0] * self.factor)
        planes = [
            Image.fromarray(np.ascontiguousarray(made[:, :, i], np.float32)).resize(size, Image.Resampling.LANCZOS)
            for i in range(made.shape[2])
        ]
        return np.stack([np.asarray(plane) for plane in planes], axis=2)
