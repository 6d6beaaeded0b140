"""Where the weights of a version lie, as those who load them are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from heddle.air import Air
from heddle.catalog import entries, versions
from heddle.catalog.entries import Entry
from heddle.catalog.files import File
from heddle.db import Tx

#: What tells a folder of a whole model, or of one component, from a file that stands alone.
_MARKS = frozenset({"model_index.json", "config.json"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A version by its own AIR, and its weights: one file, or a folder as diffusers and transformers write them."""

    air: str
    #: As the Site API writes it: `Checkpoint`, `LORA`, ...
    type: str
    base_model: str
    words: Sequence[str] = ()
    #: Absolute; None for what is code and has no weights.
    path: str | None = None
    folder: bool = False
    format: str = ""
    size: int = 0

    def shown(self) -> dict[str, Any] | None:
        """For a payload; None without weights."""
        if self.path is None:
            return None
        return {
            "path": self.path,
            "folder": self.folder,
            "format": self.format,
            "size": self.size,
            "type": self.type,
            "baseModel": self.base_model,
            "words": list(self.words),
        }


def of_air(tx: Tx, air: str | Air) -> Place | None:
    """The place of what an AIR names; None when the catalog does not have it."""
    entry = entries.of_air(tx, air)
    return None if entry is None else _place(entry)


def first(tx: Tx, ecosystems: Sequence[str], types: Sequence[str]) -> Place | None:
    """The version that was added first of all that have weights and are of these ecosystems and types."""
    for version_id in versions.of_kind(tx, ecosystems, types):
        entry = entries.of_version(tx, version_id)
        place = None if entry is None else _place(entry)
        if place is not None and place.path is not None:
            return place
    return None


def _place(entry: Entry) -> Place:
    known = Place(
        air=entry.version.air,
        type=entry.model.type,
        base_model=entry.version.base_model,
        words=entry.version.trained_words,
    )
    primary = next((file for file in entry.files if file.primary and file.path is not None), None)
    return known if primary is None else _with_weights(known, primary, entry.files)


def _with_weights(known: Place, primary: File, files: Sequence[File]) -> Place:
    assert primary.path is not None
    folder = any(PurePosixPath(file.name).name in _MARKS for file in files)
    return Place(
        air=known.air,
        type=known.type,
        base_model=known.base_model,
        words=known.words,
        path=str(_root(primary.path, primary.name) if folder else primary.path),
        folder=folder,
        format=primary.format,
        size=sum(file.size for file in files if file.type == "Model"),
    )


def _root(path: Path, name: str) -> Path:
    """The folder that a file's name is relative to."""
    return path.parents[len(PurePosixPath(name).parts) - 1]
