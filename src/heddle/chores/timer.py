"""The timer: runs each periodic duty at its pace."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta

from heddle.chores import duties, prune, sweep
from heddle.chores.duties import Turn
from heddle.db import Database
from heddle.domain import now
from heddle.errors import Unavailable
from heddle.settings import Settings
from heddle.storage import Storage
from heddle.workflows import advance, arrivals, trained

log = logging.getLogger(__name__)

Duty = Callable[[], Awaitable[object]]

#: A missing upload is noticed this often.
EXPIRE_S = 1.0

#: Bytes that belong to nothing are looked for this often.
SWEEP_S = 3600.0

#: Jobs that no slot could ever run are looked for this often.
UNPLACED_S = 60.0

#: What is older than the retention is looked for this often.
PRUNE_S = 300.0

#: Uploads that went straight to the storage are noticed this often.
COLLECT_S = 2.0


class Timer:
    """The duties of one server."""

    def __init__(self, db: Database, storage: Storage, settings: Settings) -> None:
        self._db = db
        self._storage = storage
        self._settings = settings
        self._stopping = threading.Event()

    async def run(self) -> None:
        """Until canceled."""
        try:
            async with asyncio.TaskGroup() as group:
                for seconds, duty in self._duties():
                    group.create_task(_every(seconds, duty))
        finally:
            self._stopping.set()  # a thread cannot be canceled, and the process waits for it

    def _duties(self) -> list[tuple[float, Duty]]:
        always: list[tuple[float, Duty]] = [
            (EXPIRE_S, self._expire),
            (SWEEP_S, self._sweep),
            (UNPLACED_S, self._unplaced),
        ]
        if self._settings.retention_days:
            always.append((PRUNE_S, self._prune))
        return [*always, (COLLECT_S, self._collect)] if arrivals.wanted(self._settings, self._storage) else always

    async def _expire(self) -> None:
        await self._db.write(advance.expire, now())

    async def _unplaced(self) -> None:
        bound = timedelta(seconds=self._settings.unplaced_s)
        await self._db.write(advance.unplaced, advance.Unplaced(at=now(), bound=bound))

    async def _sweep(self) -> None:
        """It walks through the whole storage, which one process does for all."""
        # A little less than its pace, or the next round would find itself a moment too early.
        turn = Turn(name="sweep", at=now(), every=timedelta(seconds=0.9 * SWEEP_S))
        if not await self._db.write(duties.take, turn):
            return
        stopping = self._stopping.is_set
        await asyncio.to_thread(sweep.sweep, self._db, self._storage, now(), stopping)
        await asyncio.to_thread(trained.sweep, self._db, self._settings.folder / "models", now())

    async def _prune(self) -> None:
        retention = timedelta(days=self._settings.retention_days)
        await asyncio.to_thread(prune.prune, self._db, now(), retention, self._stopping.is_set)

    async def _collect(self) -> None:
        await asyncio.to_thread(arrivals.collect_all, self._db, self._storage, self._settings)


async def _every(seconds: float, duty: Duty) -> None:
    """For ever, first after a pause, so that a server for one command does not begin with an hourly duty."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await duty()
        except Exception as error:
            trace = not isinstance(error, Unavailable)  # a busy database says enough by itself
            log.warning("%s was put off: %s", getattr(duty, "__name__", "a duty"), error, exc_info=trace)
