"""A model as a folder in diffusers' form: what it is, told from its index and its configurations alone.

Light, because the server asks at submit. Nothing is loaded, and nothing in the folder is run.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import msgspec

from heddle.engines.diffusers import files
from heddle.engines.diffusers.files import Unreadable

#: Libraries whose classes a folder may name; the last three are modules of diffusers. Others would be code that comes
#: with the folder.
_LIBRARIES = frozenset({"diffusers", "transformers", "ltx2", "stable_audio", "ace_step"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """What is known of a model before it is loaded."""

    path: Path
    #: The pipeline class that its index names.
    pipeline: str
    #: What else the index says: `boundary_ratio`, `expand_timesteps`, ...
    values: Mapping[str, Any]
    #: The names of its parts.
    parts: frozenset[str]
    #: Whether the weights are named `*.fp16.safetensors`.
    variant: str
    #: How many numbers its weights hold, by part.
    numbers: Mapping[str, int]

    def config(self, part: str) -> Mapping[str, Any]:
        """The configuration of a part. Raises Unreadable."""
        return _json(self.path / part / "config.json")


def weights_of(payload: Mapping[str, Any]) -> Path | None:
    """Where the model of a job lies; None when the catalog has none by that name."""
    place = payload.get("weights", {}).get(payload.get("model"))
    return Path(place["path"]) if place else None


def look(path: Path) -> Folder:
    """What lies at a path. Raises Unreadable."""
    index = path / "model_index.json"
    if path.is_file():
        raise Unreadable(
            f"{path.name!r} is a single file; this engine loads folders in diffusers' form, with a model_index.json"
        )
    try:
        stamp = index.stat().st_mtime_ns
    except OSError as error:
        raise Unreadable(f"the folder {path.name!r} has no model_index.json") from error
    return _looked(path, stamp)


@lru_cache(maxsize=256)
def _looked(path: Path, _stamp: int) -> Folder:
    index = _json(path / "model_index.json")
    named = {part: cast("list[Any]", row) for part, row in index.items() if isinstance(row, list)}
    parts = {part: (str(row[0]), str(row[1])) for part, row in named.items() if len(row) == 2 and row[1]}
    for part, (library, cls) in parts.items():
        if library not in _LIBRARIES:
            raise Unreadable(f"{path.name!r}: {part} is {library}.{cls}, which is code that comes with the model")
    weights = {part: _weights(path / part) for part in parts}
    for part, found in weights.items():
        if not found and any((path / part).glob("*.bin")):
            raise Unreadable(f"{path.name!r} has no {part}/*.safetensors; pickles (.bin) are never loaded")
    if not weights.get("transformer"):
        raise Unreadable(f"{path.name!r} has no transformer/*.safetensors")
    return Folder(
        path=path,
        pipeline=str(index.get("_class_name")),
        values={name: value for name, value in index.items() if name not in named and not name.startswith("_")},
        parts=frozenset(parts),
        variant="fp16" if any(files.HALF.search(file.name) for found in weights.values() for file in found) else "",
        numbers={part: sum(map(_count, found)) for part, found in weights.items() if found},
    )


def _weights(folder: Path) -> list[Path]:
    """The safetensors files that would be loaded: those without a variant, else those of half the size."""
    found = sorted(folder.glob("*.safetensors"))
    plain = [file for file in found if not re.search(r"\.(fp16|bf16|non_ema)[.-]", file.name)]
    return plain or [file for file in found if files.HALF.search(file.name)]


def _count(file: Path) -> int:
    return sum(math.prod(tensor.shape) for tensor in files.header(file).values())


def _json(file: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"{file.parent.name}/{file.name} cannot be read: {error}") from error
