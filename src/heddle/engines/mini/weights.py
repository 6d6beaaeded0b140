"""The file of weights, `mini.safetensors`: what it says of itself, and its tensors, held against what the graphs want.

Light at the top, because the server asks at every start whether there is a file, and how good it is.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Halves = npt.NDArray[np.float16]

_HERE = Path(__file__).parent
SHIPPED = _HERE / "mini.safetensors"
GRAPHS = _HERE / "graphs"

FORMAT = "mini-1"
_LARGEST_HEADER = 1024 * 1024


class Unusable(ValueError):
    """A file that this engine cannot use; the text says why."""


@cache
def shapes() -> Mapping[str, tuple[int, ...]]:
    """Every tensor that the graphs want."""
    told: dict[str, tuple[list[int], int]] = json.loads((GRAPHS / "tensors.json").read_bytes())
    return {name: tuple(shape) for name, (shape, _) in told.items()}


def metadata(path: Path) -> Mapping[str, str]:
    """What the file says of itself. Raises Unusable."""
    try:
        stamp = path.stat()
    except OSError as error:
        raise Unusable(f"{path.name!r} is not there") from error
    return _metadata(path, stamp.st_mtime_ns, stamp.st_size)


@lru_cache(maxsize=8)
def _metadata(path: Path, _stamp: int, _size: int) -> Mapping[str, str]:
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            text = file.read(length) if 2 <= length <= _LARGEST_HEADER else b""
    except OSError as error:
        raise Unusable(f"{path.name!r} cannot be read: {error.strerror}") from error
    try:
        header = msgspec.json.decode(text, type=dict[str, dict[str, Any]])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unusable(f"{path.name!r} does not begin with a safetensors header") from error
    said = header.pop("__metadata__", {})
    if said.get("format") != FORMAT:
        raise Unusable(
            f"{path.name!r} says that its format is {said.get('format')!r}, and this engine reads {FORMAT!r}"
        )
    found = {name: _shape(entry.get("shape")) for name, entry in header.items()}
    if found != shapes():
        wrong = sorted(name for name in found.keys() | shapes().keys() if found.get(name) != shapes().get(name))
        raise Unusable(
            f"{path.name!r} is of another version: {len(wrong)} of its tensors are not as the graphs want them,"
            f" such as {wrong[0]}"
        )
    return {name: str(value) for name, value in said.items()}


def fingerprint(path: Path) -> str:
    """Tells one file of weights from another. Raises OSError."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _shape(value: Any) -> tuple[Any, ...]:
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else ()


def read(path: Path) -> dict[str, Halves]:
    """Its tensors. Raises Unusable."""
    metadata(path)
    safetensors: Any = import_module("safetensors")
    try:
        with safetensors.safe_open(path, "np") as file:
            held: dict[str, Halves] = {name: file.get_tensor(name) for name in shapes()}
    except (safetensors.SafetensorError, OSError) as error:
        raise Unusable(f"{path.name!r} cannot be read: {error}") from error
    if wrong := next((name for name, values in held.items() if values.dtype != "float16"), None):
        raise Unusable(f"{path.name!r} holds {wrong} as {held[wrong].dtype}, and float16 is read")
    return held


def size(name: str) -> tuple[int, int]:
    """A tensor as a matrix: its rows, and how long they are."""
    shape = shapes()[name]
    return shape[0], math.prod(shape[1:])
