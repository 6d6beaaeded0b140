"""What the first bytes of a model's file tell, without PyTorch: asked when a workflow is submitted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

#: A header of safetensors names every tensor; those of upscaling models have a few thousand.
_MOST = 16 * 1024 * 1024
_LENGTH = 8


def problem(weights: dict[str, Any]) -> str | None:
    """What is wrong with a file, as the rest of a sentence that begins with its model; None: nothing that shows."""
    if weights["folder"]:
        return "is a folder; an upscaling model is one safetensors file"
    if weights["format"] != "SafeTensor":
        return f"is a file of the format {weights['format']!r}; upscaling models are loaded from safetensors only"
    if weights["type"] != "Upscaler":
        return f"is of the type {weights['type']!r}, and this must be an 'Upscaler'"
    try:
        return _torn(Path(weights["path"]))
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _torn(path: Path) -> str | None:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(_LENGTH), "little")
        if not 2 <= length <= min(_MOST, size - _LENGTH):
            return "is no safetensors file: its header is longer than the file, or than any may be"
        try:
            header = msgspec.json.decode(file.read(length), type=dict[str, Any])
            ends = [int(tensor["data_offsets"][1]) for name, tensor in header.items() if name != "__metadata__"]
        except (msgspec.DecodeError, RecursionError, TypeError, KeyError, IndexError, ValueError):
            return "is no safetensors file: its header does not say where its tensors lie"
    if not ends:
        return "holds no tensors"
    whole = _LENGTH + length + max(ends)
    return None if whole == size else f"is cut off or has been added to: {size} bytes, and its header says {whole}"
