"""The dispatcher, where its reads and its claims meet."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.drafts import draft, slots

from heddle import queue
from heddle.db import Database, Dialect
from heddle.domain import Workflow, now
from heddle.fleet.dispatcher import Dispatcher
from heddle.matching import SlotReport
from heddle.settings import Settings
from heddle.workflows import amend, submit


class Taker:
    """An executor that takes one attempt once it is open, and remembers what was canceled."""

    def __init__(self) -> None:
        self.open = False
        self.took = asyncio.Event()
        self.runs: list[queue.Pair] = []
        self.canceled: list[queue.Pair] = []

    async def start(self, sink: Any) -> None:
        pass

    def free(self, lookahead: int | None = None) -> int:
        return 1 if self.open and not self.runs and lookahead is None else 0

    def slots(self, lookahead: int | None = None) -> list[SlotReport]:
        return slots(self.free(lookahead))

    def run(self, run: Any) -> None:
        self.runs.append((run.job_id, run.attempt))
        self.took.set()

    def cancel(self, job_id: str, attempt: int) -> None:
        self.canceled.append((job_id, attempt))

    def alive(self) -> frozenset[queue.Pair]:
        return frozenset(self.runs)

    async def close(self, grace_s: float) -> None:
        pass


class Late(Database):
    """Answers the question what is held, and only then lets the answer through the gate."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__(dialect)
        self.asked = asyncio.Semaphore(0)
        self.gate = asyncio.Event()

    async def read(self, query: Any, *args: Any) -> Any:
        found = await super().read(query, *args)
        if query is queue.held:
            self.asked.release()
            await self.gate.wait()
        return found


def test_what_is_claimed_during_a_look_is_not_stopped(settings: Settings, db: Database, dialect: Dialect) -> None:
    async def main() -> None:
        late, executor = Late(dialect), Taker()
        dispatcher = Dispatcher(late, executor, settings, alone=False)
        await dispatcher.start()
        running = asyncio.create_task(dispatcher.run())
        async with asyncio.timeout(30):
            await _submit_and_delete(late)
            await late.asked.acquire()
            executor.open = True
            assert isinstance(await late.write(submit.submit, draft(now(), [1])), Workflow)
            await executor.took.wait()
            late.gate.set()
            await _submit_and_delete(late)
            await late.asked.acquire()
            await late.read(queue.depth)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        late.close()
        assert executor.canceled == []

    asyncio.run(main())


def test_how_many_jobs_wait_is_answered_by_every_database(db: Database) -> None:
    db.apply(submit.submit, draft(now(), [2, 1]))
    assert db.look(queue.waiting) == 3


async def _submit_and_delete(db: Database) -> None:
    """Whoever holds jobs is told to look whether they are still his."""
    made = await db.write(submit.submit, draft(now(), [1]))
    assert isinstance(made, Workflow)
    await db.write(amend.delete, amend.Deletion(account_id=1, workflow_id=made.id, at=now()))
