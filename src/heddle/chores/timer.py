"""The timer: runs each periodic duty at its pace."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from heddle.chores import sweep
from heddle.db import Database
from heddle.domain import now
from heddle.errors import Unavailable
from heddle.storage import Storage
from heddle.workflows import advance

log = logging.getLogger(__name__)

Duty = Callable[[], Awaitable[object]]

#: A missing upload is noticed this often.
EXPIRE_S = 1.0

#: Bytes that belong to nothing are looked for this often.
SWEEP_S = 3600.0


class Timer:
    """The duties of one server."""

    def __init__(self, db: Database, storage: Storage, folder: Path) -> None:
        self._db = db
        self._storage = storage
        self._folder = folder

    async def run(self) -> None:
        """Until canceled."""
        async with asyncio.TaskGroup() as group:
            for seconds, duty in self._duties():
                group.create_task(_every(seconds, duty))

    def _duties(self) -> list[tuple[float, Duty]]:
        return [(EXPIRE_S, self._expire), (SWEEP_S, self._sweep)]

    async def _expire(self) -> None:
        await self._db.write(advance.expire, now())

    async def _sweep(self) -> None:
        await asyncio.to_thread(sweep.sweep, self._db, self._storage, now(), self._folder)


async def _every(seconds: float, duty: Duty) -> None:
    while True:
        try:
            await duty()
        except Unavailable as error:
            log.warning("%s was put off: %s", getattr(duty, "__name__", "a duty"), error.message)
        await asyncio.sleep(seconds)
