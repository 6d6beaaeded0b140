"""The seam for bytes. A storage keeps values under server-made keys such as `uploads/7F/blob_01J…`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from heddle.settings import Settings


class Storage(Protocol):
    """Built with `(options: Mapping[str, str])`; used from threads and from worker processes alike."""

    def write(self, key: str, chunks: Iterable[bytes]) -> int:
        """Store and return the size. Whole or not at all, and on the disk when this returns."""
        ...

    def open(self, key: str) -> BinaryIO:
        """A seekable stream; KeyError when there is nothing under `key`."""
        ...

    def size(self, key: str) -> int | None:
        """Bytes under `key`, None when there is nothing."""
        ...

    def local(self, key: str) -> Path | None:
        """A file with these bytes where one exists on this machine, so that it can be sent without copying."""
        ...

    def delete(self, key: str) -> None:
        """Remove; it is no error when there is nothing."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key below a prefix, in no order."""
        ...


def options(settings: Settings) -> dict[str, str]:
    """What a storage is built with, in the server and in its workers alike."""
    return {"root": str(settings.folder / "blobs")}
