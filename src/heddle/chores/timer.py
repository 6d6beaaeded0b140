"""The timer: runs each periodic duty at its pace."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from heddle.db import Database
from heddle.domain import now
from heddle.errors import Unavailable
from heddle.storage import Storage
from heddle.workflows import advance

log = logging.getLogger(__name__)

Duty = Callable[[], Awaitable[object]]

#: A missing upload is noticed this often.
EXPIRE_S = 1.0


class Timer:
    """The duties of one server."""

    def __init__(self, db: Database, storage: Storage) -> None:
        self._db = db
        self._storage = storage

    async def run(self) -> None:
        """Until canceled."""
        async with asyncio.TaskGroup() as group:
            for seconds, duty in self._duties():
                group.create_task(_every(seconds, duty))

    def _duties(self) -> list[tuple[float, Duty]]:
        return [(EXPIRE_S, self._expire)]

    async def _expire(self) -> None:
        await self._db.write(advance.expire, now())


async def _every(seconds: float, duty: Duty) -> None:
    while True:
        try:
            await duty()
        except Unavailable as error:
            log.warning("%s was put off: %s", getattr(duty, "__name__", "a duty"), error.message)
        await asyncio.sleep(seconds)
