"""Bytes that have come in become a blob: through the media gate, into storage, and only then a record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar

from heddle import blobs, media
from heddle.api.deps import Deps
from heddle.api.incoming import Incoming, disk_trouble
from heddle.blobs import Blob, Stored
from heddle.errors import HeddleError, InvalidRequest, Unavailable
from heddle.storage import Storage
from heddle.workflows import advance

P = ParamSpec("P")
T = TypeVar("T")

#: Few are checked and synced at a time: that bounds the memory of header parsers, and leaves the threads that the
#: event loop lends out to the downloads.
_threads = ThreadPoolExecutor(4, thread_name_prefix="heddle-upload")


def take(parts: Deps, incoming: Incoming, blob_id: str, said: str, account_id: int | None) -> Stored:
    """Through the gate and into storage. `said` is binding when a promise (no account) is kept."""
    if incoming.size == 0:
        raise InvalidRequest.of("file" if account_id is not None else "body", "empty; there is nothing to keep")
    limits = parts.settings
    found = media.examine(incoming.file, said, limits.max_pixels, exact=account_id is None)
    found = media.measure(incoming.file, found, max_pixels=limits.max_pixels, max_s=limits.max_media_s)
    key = blobs.upload_key(blob_id)
    with disk_trouble():
        parts.storage.write(key, incoming.pieces())
    return Stored(
        blob_id=blob_id,
        account_id=account_id,
        key=key,
        mime=found.mime,
        size=incoming.size,
        sha256=incoming.sha256,
        width=found.width,
        height=found.height,
        duration_ms=found.duration_ms,
        metadata={} if found.fps is None else {"fps": found.fps},
    )


async def store(parts: Deps, arrived: Stored) -> Blob:
    """Make the record, and let whoever waits for it go on; bytes that are refused here are taken back."""
    try:
        return await parts.db.write(advance.arrive, arrived)
    except HeddleError:
        await in_thread(discard, parts.storage, arrived.key)
        raise


def discard(storage: Storage, key: str) -> None:
    """Take bytes back that became no blob."""
    with suppress(OSError, Unavailable):  # the sweep will try again
        storage.delete(key)


async def in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run what blocks on bytes."""
    return await asyncio.get_running_loop().run_in_executor(_threads, lambda: call(*args, **kwargs))
