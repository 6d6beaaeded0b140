"""Bytes as files below one folder."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from heddle.errors import UsageError
from heddle.storage import Partial

#: A name that no key ends in.
_PARTIAL = ".*.part"


class DiskStorage:
    """`options["root"]` is the folder. A value is on the disk when `write` returns, under a key used once."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._root = Path(options["root"]).resolve()

    def check(self) -> None:
        place = next(path for path in (self._root, *self._root.parents) if path.exists())
        if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
            raise UsageError(
                f"blobs cannot be kept in {self._root}: {place} is not a folder that this user can write to",
                "check its owner and mode, or set HEDDLE_HOME to another folder",
            )

    def write(self, key: str, chunks: Iterable[bytes]) -> int:
        path = self._path(key)
        _make_folder(path.parent)
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            with partial.open("xb") as file:
                for chunk in chunks:
                    file.write(chunk)
                file.flush()
                size = file.tell()
                # Renamed first, so that one flush of the file system's journal makes bytes and name durable. A crash
                # in between may leave half a file under a key that no record names yet: the sweep takes it.
                partial.replace(path)
                os.fsync(file.fileno())
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
        return size

    def open(self, key: str) -> BinaryIO:
        try:
            return self._path(key).open("rb")
        except FileNotFoundError as error:
            raise KeyError(key) from error

    def size(self, key: str) -> int | None:
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError:
            return None

    def delete(self, *keys: str) -> None:
        for key in keys:
            self._path(key).unlink(missing_ok=True)

    def keys(self, prefix: str) -> Iterator[str]:
        for path in self._path(prefix).rglob("*"):
            if path.is_file() and not path.match(_PARTIAL):
                yield path.relative_to(self._root).as_posix()

    def partials(self, before: datetime) -> Iterator[Partial]:
        for path in self._root.rglob(_PARTIAL):
            try:
                found = path.stat()
            except FileNotFoundError:  # finished or taken back meanwhile
                continue
            if found.st_mtime < before.timestamp():
                yield Partial(
                    key=(path.parent / path.name[1:].rsplit(".", 2)[0]).relative_to(self._root).as_posix(),
                    mark=path.name,
                    size=found.st_size,
                )

    def discard(self, partial: Partial) -> None:
        self._path(partial.key).with_name(partial.mark).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        path = (self._root / key).resolve()
        if not path.is_relative_to(self._root):
            raise ValueError(f"the key {key!r} leaves the storage folder")
        return path


def _make_folder(folder: Path) -> None:
    """Make a folder whose own name survives a power cut."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; without this a power cut may forget the name of a synced file."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
