"""The file that is shipped, `mini.safetensors`, in which every tensor has its place whatever else the header says.

A safetensors header may end in blanks; here it always has the same length, so that graphs can say where a weight lies.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

FILE = "mini.safetensors"
#: Where the first tensor begins.
FIRST = 32 * 1024
QUALITIES = ("release", "preview", "none")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tensor of halves lies in the file."""

    shape: tuple[int, ...]
    start: int

    @property
    def size(self) -> int:
        """Its bytes."""
        return 2 * int(np.prod(self.shape))


def places(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Place]:
    """One after the other, in their order."""
    made: dict[str, Place] = {}
    at = FIRST
    for name, shape in shapes.items():
        made[name] = Place(shape, at)
        at += made[name].size
    return made


def write(path: Path, tensors: Mapping[str, npt.NDArray[np.floating]], metadata: Mapping[str, str]) -> None:
    """Write the file. Raises ValueError where that cannot be."""
    halves = {name: values.astype("<f2") for name, values in tensors.items()}
    if wrong := next((name for name, values in halves.items() if not np.isfinite(values).all()), None):
        raise ValueError(f"{wrong} holds numbers that 16 bits cannot hold: the run has left its range")
    rows = places({name: values.shape for name, values in tensors.items()})
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    for name, place in rows.items():
        span = (place.start - FIRST, place.start - FIRST + place.size)
        header[name] = {"dtype": "F16", "shape": place.shape, "data_offsets": span}
    said = json.dumps(header, separators=(",", ":")).encode()
    if len(said) > FIRST - 8:
        raise ValueError(f"the header takes {len(said)} bytes, and there are {FIRST - 8}: shorten the metadata")
    with path.open("wb") as file:
        file.write(struct.pack("<Q", FIRST - 8) + said.ljust(FIRST - 8))
        for values in halves.values():
            file.write(values.tobytes())
