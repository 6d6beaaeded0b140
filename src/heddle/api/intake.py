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
from heddle.media import Media
from heddle.storage import Storage
from heddle.workflows import advance

P = ParamSpec("P")
T = TypeVar("T")

#: Few are checked and synced at a time: that bounds the memory of header parsers, and leaves the threads that the
#: event loop lends out to the downloads.
_threads = ThreadPoolExecutor(4, thread_name_prefix="heddle-upload")

#: Sound and video are looked into in child processes, which may take long over a bad file: nothing else waits there.
_probes = ThreadPoolExecutor(2, thread_name_prefix="heddle-probe")


async def take(parts: Deps, incoming: Incoming, blob_id: str, said: str, account_id: int | None) -> Stored:
    """Through the gate and into storage. `said` is binding when a promise (no account) is kept."""
    if incoming.size == 0:
        raise InvalidRequest.of("file" if account_id is not None else "body", "empty; there is nothing to keep")
    found = await look(parts, incoming, said, exact=account_id is None)
    return await keep(parts, incoming, found, blob_id, account_id)


async def look(parts: Deps, incoming: Incoming, said: str, *, exact: bool = False) -> Media:
    """What the bytes are, by their beginning. Raises UnsupportedMedia and TooLarge."""
    return await in_thread(media.examine, incoming.file, said, parts.settings.max_pixels, exact=exact)


async def keep(parts: Deps, incoming: Incoming, found: Media, blob_id: str, account_id: int | None) -> Stored:
    """Sound and video are looked into, and the bytes go into storage."""
    limits = parts.settings
    if media.lasts(found.mime):
        found = await to_probe(
            media.measure, incoming.file, found, max_pixels=limits.max_pixels, max_s=limits.max_media_s
        )
    key = blobs.upload_key(blob_id)
    await in_thread(_write, parts.storage, key, incoming)
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


def _write(storage: Storage, key: str, incoming: Incoming) -> None:
    with disk_trouble():
        storage.write(key, incoming.pieces())


async def store(parts: Deps, arrived: Stored) -> Blob:
    """Make the record, and let whoever waits for it go on; bytes that are refused here are taken back."""
    try:
        return await parts.db.write(advance.arrive, arrived)
    except HeddleError:
        await discard(parts, arrived.key)
        raise


async def discard(parts: Deps, *keys: str) -> None:
    """Take bytes back that became no blob."""
    with suppress(OSError, Unavailable):  # the sweep will try again
        await in_thread(parts.storage.delete, *keys)


async def in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run what blocks on bytes."""
    return await asyncio.get_running_loop().run_in_executor(_threads, lambda: call(*args, **kwargs))


async def to_probe(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run what looks into sound and video."""
    return await asyncio.get_running_loop().run_in_executor(_probes, lambda: call(*args, **kwargs))
