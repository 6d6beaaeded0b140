"""The sweep: bytes that no record names, halves that a killed process left, and promises that nobody kept.

Age is read from the key itself (it holds the time it was made), so that nothing is taken from an upload or a job that
is still on its way to its record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile
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


def _never() -> bool:
    return False


def sweep(
    db: Database, storage: Storage, at: datetime, folder: Path | None = None, stopping: Callable[[], bool] = _never
) -> Swept:
    """Remove what is left over; `folder` is where a disk storage keeps its files.

    Blocks: call it in a thread. Once `stopping` says so it leaves the rest for another time.
    """
    return Swept(
        promises=forget_promises(db, at, stopping),
        orphans=remove_orphans(db, storage, at, stopping),
        partials=remove_partials(folder, at, stopping) if folder else 0,
    )


def forget_promises(db: Database, at: datetime, stopping: Callable[[], bool] = _never) -> int:
    """Drop promises that expired so long ago that no workflow waits for them."""
    gone = 0
    while not stopping() and (forgotten := db.apply(_forget, at - GRACE)):
        gone += forgotten
    return gone


def remove_orphans(db: Database, storage: Storage, at: datetime, stopping: Callable[[], bool] = _never) -> int:
    """Delete bytes that were written and never recorded (the process died in between)."""
    removed = 0
    keys = (key for prefix in ("uploads", "jobs") for key in storage.keys(prefix))
    old = (key for key in takewhile(lambda _: not stopping(), keys) if _is_old(key, at))
    for batch in _batches(old):
        if stopping():
            break
        used = db.look(_keys_in_use, batch)
        for key in batch:
            if key not in used:
                storage.delete(key)
                removed += 1
    return removed


def remove_partials(folder: Path, at: datetime, stopping: Callable[[], bool] = _never) -> int:
    """Delete files that a killed process did not finish."""
    before = (at - GRACE).timestamp()
    removed = 0
    for path in takewhile(lambda _: not stopping(), folder.rglob(".*.part")):
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
