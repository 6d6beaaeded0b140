"""The seam for bytes. A storage keeps values under server-made keys such as `uploads/7F/blob_01J…`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol, runtime_checkable

from heddle.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial:
    """What a killed `write` left behind. `mark` tells it from others of the same key."""

    key: str
    mark: str
    size: int


class Storage(Protocol):
    """Built with `(options: Mapping[str, str])`, which changes nothing; used from threads and from worker processes.

    What cannot be done now raises Unavailable or an OSError.
    """

    def check(self) -> None:
        """Look whether it can be used, at the start of a server. Raises UsageError, naming the setting."""
        ...

    def write(self, key: str, chunks: Iterable[bytes]) -> int:
        """Store and return the size. Whole or not at all, and safe from a power cut when this returns."""
        ...

    def open(self, key: str) -> BinaryIO:
        """A seekable stream; KeyError when there is nothing under `key`."""
        ...

    def size(self, key: str) -> int | None:
        """Bytes under `key`, None when there is nothing."""
        ...

    def delete(self, *keys: str) -> None:
        """Remove; it is no error when there is nothing."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key below a folder, in no order; all of them for an empty one."""
        ...

    def partials(self, before: datetime) -> Iterator[Partial]:
        """What writes that began before then have left unfinished."""
        ...

    def discard(self, partial: Partial) -> None:
        """Remove such a remainder; it is no error when it is gone."""
        ...


@runtime_checkable
class Direct(Protocol):
    """A storage that clients can reach themselves, by links that end. Making one asks nobody, or nearly so."""

    def download_url(self, key: str, seconds: int, headers: Mapping[str, str]) -> str:
        """A link to the bytes; they come with these values of Content-Type, Content-Disposition and Cache-Control."""
        ...

    def upload_url(self, key: str, seconds: int, mime: str, size: int) -> str:
        """A link that takes a PUT of this many bytes under this Content-Type; until it ends, more than once."""
        ...


def options(settings: Settings) -> dict[str, str]:
    """What a storage is built with, in the server and in its workers alike; secrets where they are needed."""
    found = {"root": str(settings.folder / "blobs")}
    if settings.storage == "s3":
        found |= {
            "bucket": settings.s3_bucket,
            "prefix": settings.s3_prefix,
            "endpoint": settings.s3_endpoint,
            "public_endpoint": settings.s3_public_endpoint,
            "region": settings.s3_region,
            "access_key": settings.s3_access_key,
            "secret_key": settings.s3_secret_key,
        }
    return found
