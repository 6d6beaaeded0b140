"""The sweep: bytes that no record names, halves that a killed process left, and promises that nobody kept.

Age is read from the key itself (it holds the time it was made), so that nothing is taken from an upload or a job that
is still on its way to its record.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from heddle import blobs
from heddle.db import Database, Tx
from heddle.storage import Storage

#: Younger things may still be wanted: no upload, no attempt of a job and no open workflow wait lasts this long.
GRACE = timedelta(days=1)

_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """How much was removed."""

    promises: int
    orphans: int
    partials: int


def sweep(db: Database, storage: Storage, at: datetime, folder: Path | None = None) -> Swept:
    """Remove what is left over; `folder` is where a disk storage keeps its files. Blocks: call it in a thread."""
    return Swept(
        promises=forget_promises(db, at),
        orphans=remove_orphans(db, storage, at),
        partials=remove_partials(folder, at) if folder else 0,
    )


def forget_promises(db: Database, at: datetime) -> int:
    """Drop promises that expired so long ago that no workflow waits for them."""
    gone = 0
    while forgotten := db.apply(_forget, at - GRACE):
        gone += forgotten
    return gone


def remove_orphans(db: Database, storage: Storage, at: datetime) -> int:
    """Delete bytes that were written and never recorded (the process died in between)."""
    removed = 0
    old = (key for prefix in ("uploads", "jobs") for key in storage.keys(prefix) if _is_old(key, at))
    for keys in _batches(old):
        used = db.look(_keys_in_use, keys)
        for key in keys:
            if key not in used:
                storage.delete(key)
                removed += 1
    return removed


def remove_partials(folder: Path, at: datetime) -> int:
    """Delete files that a killed process did not finish."""
    before = (at - GRACE).timestamp()
    removed = 0
    for path in folder.rglob(".*.part"):
        try:
            if path.stat().st_mtime < before:
                path.unlink()
                removed += 1
        except FileNotFoundError:  # finished or taken back meanwhile
            continue
    return removed


def _forget(tx: Tx, moments: Sequence[datetime]) -> list[int]:
    outcomes: list[int] = []
    for before in moments:
        found = blobs.expired_promises(tx, before, _BATCH)
        blobs.forget(tx, [blob.id for blob in found])
        outcomes.append(len(found))
    return outcomes


def _keys_in_use(tx: Tx, keys: Sequence[str]) -> set[str]:
    ids = [found[0] for key in keys if (found := blobs.origin(key))]
    return {blob.key for blob in blobs.get(tx, ids).values()}


def _is_old(key: str, at: datetime) -> bool:
    found = blobs.origin(key)
    return found is not None and found[1] < at - GRACE


def _batches(keys: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(keys, _BATCH)):
        yield batch
