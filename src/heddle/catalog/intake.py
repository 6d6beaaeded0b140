"""Weights on their way into the catalog: a file or a diffusers folder is looked at, hashed, and copied if wanted."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from heddle.catalog import hashes, weights
from heddle.catalog.files import NewFile
from heddle.catalog.weights import PICKLE_SUFFIXES, WEIGHT_SUFFIXES
from heddle.errors import UsageError

#: Arrays (`.npy`) are voices of speech models; whoever reads them refuses those that hold pickles.
_CONFIG_SUFFIXES = frozenset({".json", ".txt", ".model", ".yaml", ".yml", ".jinja", ".npy"})
#: What tells a diffusers folder or one component of it.
_MARKS = ("model_index.json", "config.json")
_MOST_FILES = 1000
_COPY = re.compile(r"[0-9a-f]{16}-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What of a path will become files of a version."""

    root: Path
    weights: Sequence[Path]
    configs: Sequence[Path] = ()
    #: Pickles that lie beside safetensors; they are left out.
    ignored: Sequence[Path] = ()

    @property
    def size(self) -> int:
        """Bytes to be hashed."""
        return sum(path.stat().st_size for path in (*self.weights, *self.configs))


def choose(path: Path) -> Chosen:
    """Decide what to take of a file or a folder, and check every weight file. Raises UsageError."""
    path = path.absolute()
    if not path.exists():
        raise UsageError(f"there is nothing at {path}", "give a .safetensors or .gguf file, or a diffusers folder")
    chosen = _folder(path) if path.is_dir() else Chosen(root=path.parent, weights=[path])
    for file in chosen.weights:
        weights.inspect(file)
    return chosen


def read(chosen: Chosen, on_bytes: Callable[[int], Any] | None = None) -> list[NewFile]:
    """Hash what was chosen. The largest weight file is the primary one."""
    primary = max(chosen.weights, key=lambda path: path.stat().st_size)
    found = [_weights(chosen.root, path, primary=path == primary, on_bytes=on_bytes) for path in chosen.weights]
    return found + [_config(chosen.root, path, on_bytes) for path in chosen.configs]


def copy(files: Sequence[NewFile], folder: Path) -> tuple[Path, list[NewFile]]:
    """Copy files into a new place below `folder`; the place, and the files there. Whole or not at all."""
    primary = next(file for file in files if file.primary)
    # The rest of the name keeps two commands that add the same file at once out of each other's way.
    place = folder / f"{primary.hashes['SHA256'][:16].lower()}-{secrets.token_hex(4)}"
    try:
        for file in files:
            (place / file.name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.path, place / file.name)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return place, [replace(file, path=place / file.name) for file in files]


def copies(paths: Sequence[Path], folder: Path) -> set[Path]:
    """The places below `folder` that `copy` made for these files; never a folder that somebody else made."""
    inside = [folder / path.relative_to(folder).parts[0] for path in paths if path.is_relative_to(folder)]
    return {place for place in inside if is_copy(place)}


def is_copy(place: Path) -> bool:
    """Whether a folder is named as those are that we make for copies."""
    return _COPY.fullmatch(place.name) is not None


def _folder(root: Path) -> Chosen:
    found = sorted(p for p in root.rglob("*") if p.is_file() and not _hidden(p.relative_to(root)))
    if len(found) > _MOST_FILES:
        raise UsageError(f"{root} holds {len(found)} files, more than {_MOST_FILES}", "give the folder of one model")
    if not any((root / mark).exists() for mark in _MARKS):
        raise UsageError(
            f"{root} is not a diffusers folder: it has neither {' nor '.join(_MARKS)}", "add single files one by one"
        )
    taken = [p for p in found if p.suffix.lower() in WEIGHT_SUFFIXES]
    pickles = [p for p in found if p.suffix.lower() in PICKLE_SUFFIXES]
    if not taken:
        why = f"only pickles such as {pickles[0].name!r}, which are never loaded" if pickles else "no weights"
        raise UsageError(f"{root} holds {why}", "get the safetensors version of this model")
    configs = [p for p in found if p.suffix.lower() in _CONFIG_SUFFIXES]
    return Chosen(root=root, weights=taken, configs=configs, ignored=pickles)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _weights(root: Path, path: Path, *, primary: bool, on_bytes: Callable[[int], Any] | None) -> NewFile:
    seen = weights.inspect(path)
    return NewFile(
        name=path.relative_to(root).as_posix(),
        type="Model",
        format=seen.format,
        size=seen.size,
        path=path,
        hashes=hashes.of_file(path, data_offset=seen.data_offset, on_bytes=on_bytes),
        primary=primary,
    )


def _config(root: Path, path: Path, on_bytes: Callable[[int], Any] | None) -> NewFile:
    return NewFile(
        name=path.relative_to(root).as_posix(),
        type="Config",
        format="Other",
        size=path.stat().st_size,
        path=path,
        hashes=hashes.of_file(path, on_bytes=on_bytes),
        primary=False,
    )
