"""The dispatcher, where its reads and its claims meet."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from tests.drafts import draft, slots

from heddle import queue
from heddle.db import Database, Dialect, Tx
from heddle.domain import Status, Workflow, now, to_ms
from heddle.errors import Unavailable
from heddle.fleet.dispatcher import POLL_S, Dispatcher
from heddle.fleet.messages import Done
from heddle.matching import SlotReport
from heddle.settings import Settings
from heddle.workflows import advance, amend, rows, submit


class Taker:
    """An executor that takes one attempt once it is open, and remembers what was canceled."""

    def __init__(self) -> None:
        self.open = False
        self.took = asyncio.Event()
        self.runs: list[queue.Pair] = []
        self.canceled: list[queue.Pair] = []

    async def start(self, sink: Any) -> None:
        self.sink = sink

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


class Faint(Database):
    """Cannot take the ends of jobs for a while."""

    left = 2

    def put(self, verb: Any, item: Any) -> asyncio.Future[Any]:
        if verb is not advance.finish or not self.left:
            return super().put(verb, item)
        self.left -= 1
        refused: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        refused.set_exception(Unavailable("not now"))
        return refused


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


def test_a_result_that_cannot_be_written_now_is_written_before_the_end(
    settings: Settings, db: Database, dialect: Dialect
) -> None:
    async def main() -> None:
        faint, executor = Faint(dialect), Taker()
        dispatcher = Dispatcher(faint, executor, settings, alone=False)
        await dispatcher.start()
        running = asyncio.create_task(dispatcher.run())
        executor.open = True
        made = await faint.write(submit.submit, draft(now(), [1]))
        async with asyncio.timeout(30):
            await executor.took.wait()
        [(job_id, attempt)] = executor.runs
        executor.sink(Done(job_id=job_id, attempt=attempt, artifacts=[]))
        await dispatcher.close(5)
        assert faint.left == 0
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        [ended] = faint.look(rows.get, [made.id])
        assert ended.status is Status.SUCCEEDED
        faint.close()

    asyncio.run(main())


def test_a_retry_that_comes_due_during_a_claim_is_not_slept_through(settings: Settings, db: Database) -> None:
    """The claim that just ended began before the job's time; now that time is past."""
    db.apply(submit.submit, draft(now(), [1]))
    due = now()

    def delay(tx: Tx, items: Sequence[int]) -> list[None]:
        tx.run("UPDATE queued_jobs SET run_at = ?", (items[0],))
        return [None]

    db.apply(delay, to_ms(due))
    executor = Taker()
    executor.open = True
    dispatcher = Dispatcher(db, executor, settings)
    assert asyncio.run(dispatcher._nap(due - timedelta(milliseconds=5))) < 0.1
    assert asyncio.run(dispatcher._nap(due)) == POLL_S


def test_how_many_jobs_wait_is_answered_by_every_database(db: Database) -> None:
    db.apply(submit.submit, draft(now(), [2, 1]))
    assert db.look(queue.waiting) == 3


async def _submit_and_delete(db: Database) -> None:
    """Whoever holds jobs is told to look whether they are still his."""
    made = await db.write(submit.submit, draft(now(), [1]))
    assert isinstance(made, Workflow)
    await db.write(amend.delete, amend.Deletion(account_id=1, workflow_id=made.id, at=now()))
