"""Weight files as they may come in: safetensors and GGUF, recognized by their content. Nothing is ever unpickled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec

from heddle.errors import UsageError

#: The header limit of the safetensors format itself.
_LARGEST_HEADER = 100_000_000

PICKLE_SUFFIXES = frozenset({".ckpt", ".pt", ".pth", ".bin", ".pkl", ".pickle"})

WEIGHT_SUFFIXES = frozenset({".safetensors", ".sft", ".gguf"})

Format = Literal["SafeTensor", "GGUF"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What a look at a file says."""

    format: Format
    size: int
    #: Where the tensors begin, for safetensors.
    data_offset: int | None = None


def inspect(path: Path) -> Weights:
    """Recognize and check a weight file. Raises UsageError with the reason it is not taken."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(9)
        if head.startswith(b"GGUF"):
            return Weights(format="GGUF", size=size)
        if _is_pickle(path, head):
            raise UsageError(
                f"{path.name!r} is a pickle, and loading a pickle can run any code that its author put in",
                "get the safetensors version of this model, or convert the file first",
            )
        return Weights(format="SafeTensor", size=size, data_offset=_check_safetensors(path.name, file, size))


def _is_pickle(path: Path, head: bytes) -> bool:
    """A pickle of protocol 2 or later, or the zip archive that PyTorch writes around one, whatever its name.

    A safetensors header may be as long as those bytes read as a number, but only it goes on with a brace.
    """
    begins = head.startswith(b"PK\x03\x04") or head[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
    return path.suffix.lower() in PICKLE_SUFFIXES or (begins and head[8:] != b"{")


def _check_safetensors(name: str, file: BinaryIO, size: int) -> int:
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= min(_LARGEST_HEADER, size - 8):
        raise _not_weights(name, "it does not begin with a safetensors header")
    try:
        header = msgspec.json.decode(file.read(length), type=dict[str, dict[str, Any]])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _not_weights(name, f"its safetensors header cannot be read: {error}") from error
    _check_offsets(name, header, size - 8 - length)
    return 8 + length


def _check_offsets(name: str, header: dict[str, dict[str, Any]], data: int) -> None:
    """Every tensor lies inside the file, and the file ends where the last one does."""
    spans = [_span(name, tensor, entry) for tensor, entry in header.items() if tensor != "__metadata__"]
    if not spans:
        raise _not_weights(name, "it holds no tensors")
    end = max(last for _, last in spans)
    if end != data:
        what = "it is cut off" if end > data else "it has bytes that belong to no tensor"
        raise _not_weights(name, f"{what} ({data} bytes of tensors, and its header speaks of {end})")


def _span(name: str, tensor: str, entry: dict[str, Any]) -> tuple[int, int]:
    match entry:
        case {"dtype": str(), "shape": list(), "data_offsets": [int() as first, int() as last]} if 0 <= first <= last:
            return first, last
        case _:
            raise _not_weights(name, f"the entry of tensor {tensor[:80]!r} in its header is malformed")


def _not_weights(name: str, why: str) -> UsageError:
    return UsageError(f"{name!r} is not a usable safetensors or GGUF file: {why}", "download or export it again")
