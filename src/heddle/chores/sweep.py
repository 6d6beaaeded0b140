"""The sweep: bytes that no record names, halves that a killed process left, and promises that nobody kept.

Age is read from the key itself (it holds the time it was made), so that nothing is taken from an upload or a job that
is still on its way to its record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile

from heddle import blobs
from heddle.db import Database, Tx
from heddle.storage import Partial, Storage
from heddle.workflows import arrivals

#: Younger things may still be wanted: no upload, no attempt of a job and no open workflow wait lasts this long.
GRACE = timedelta(days=1)

#: Where bytes lie that came or were made.
FOLDERS = ("uploads", "jobs", arrivals.FOLDER)

_BATCH = 500

_AT_ONCE = 8

#: More of them are not counted.
_MANY = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """How much was removed, or would be; `size` is in bytes."""

    promises: int = 0
    orphans: int = 0
    partials: int = 0
    size: int = 0


def _never() -> bool:
    return False


def sweep(db: Database, storage: Storage, at: datetime, stopping: Callable[[], bool] = _never) -> Swept:
    """Remove what is left over. Blocks: call it in a thread. Once `stopping` says so, the rest waits."""
    promises = size = removed = halves = 0
    while not stopping() and (forgotten := db.apply(_forget, at - GRACE)):
        promises += forgotten
    for batch in takewhile(lambda _: not stopping(), orphans(db, storage, at, stopping)):
        size += _size(storage, batch)
        storage.delete(*batch)
        removed += len(batch)
    for partial in takewhile(lambda _: not stopping(), storage.partials(at - GRACE)):
        storage.discard(partial)
        size += partial.size
        halves += 1
    return Swept(promises=promises, orphans=removed, partials=halves, size=size)


def left_over(db: Database, storage: Storage, at: datetime) -> Swept:
    """What a sweep would remove now."""
    batches = list(orphans(db, storage, at))
    partials: list[Partial] = list(storage.partials(at - GRACE))
    return Swept(
        promises=len(db.look(blobs.expired_promises, at - GRACE, _MANY)),
        orphans=sum(map(len, batches)),
        partials=len(partials),
        size=sum(_size(storage, batch) for batch in batches) + sum(p.size for p in partials),
    )


def orphans(db: Database, storage: Storage, at: datetime, stopping: Callable[[], bool] = _never) -> Iterator[list[str]]:
    """Keys of bytes that were written and never recorded (the process died in between), some at a time."""
    keys = (key for folder in FOLDERS for key in storage.keys(folder))
    old = (key for key in takewhile(lambda _: not stopping(), keys) if _is_old(key, at))
    for batch in _batches(old):
        used = db.look(_keys_in_use, batch)
        if unused := [key for key in batch if key not in used]:
            yield unused


def _size(storage: Storage, keys: Sequence[str]) -> int:
    # After a prune there are many, and a bucket answers many as fast as one.
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return sum(size or 0 for size in threads.map(storage.size, keys))


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
