"""The hashes by which people find a model file, all in one pass over it. Upper-case hexadecimal, as they are published.

SHA256; AutoV2, its first 10 digits; AutoV1, 8 digits over the 64 KiB that start at 1 MiB; AutoV3, 12 digits over what
follows a safetensors header; CRC32; BLAKE3 where a library for it is installed.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_CHUNK = 4 * 1024 * 1024
_V1_START, _V1_END = 0x100000, 0x110000


def of_file(
    path: Path, *, data_offset: int | None = None, on_bytes: Callable[[int], Any] | None = None
) -> dict[str, str]:
    """Hash a file. `data_offset` is where the tensors of a safetensors file begin; `on_bytes` hears of progress."""
    whole, v1, v3, crc = hashlib.sha256(), hashlib.sha256(), hashlib.sha256(), 0
    blake3 = _blake3()
    position = 0
    for chunk in _chunks(path):
        whole.update(chunk)
        crc = zlib.crc32(chunk, crc)
        v1.update(_part(chunk, position, _V1_START, _V1_END))
        if data_offset is not None:
            v3.update(_part(chunk, position, data_offset, None))
        if blake3 is not None:
            blake3.update(chunk)
        position += len(chunk)
        if on_bytes is not None:
            on_bytes(len(chunk))
    sha256 = whole.hexdigest()
    found = {"SHA256": sha256, "AutoV2": sha256[:10], "CRC32": f"{crc:08x}"}
    if position > _V1_START:  # a shorter file has nothing there, and all of them would hash alike
        found["AutoV1"] = v1.hexdigest()[:8]
    if data_offset is not None:
        found["AutoV3"] = v3.hexdigest()[:12]
    if blake3 is not None:
        found["BLAKE3"] = blake3.hexdigest()
    return {name: digits.upper() for name, digits in found.items()}


def _chunks(path: Path) -> Iterator[memoryview]:
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            yield memoryview(data)


def _part(chunk: memoryview, position: int, start: int, end: int | None) -> memoryview:
    """What of a chunk at `position` lies between two places of the file."""
    first = max(0, start - position)
    last = len(chunk) if end is None else max(0, min(len(chunk), end - position))
    return chunk[first:last]


def _blake3() -> Any:
    # Any: an optional library without a place in our lock file.
    return import_module("blake3").blake3() if find_spec("blake3") else None
