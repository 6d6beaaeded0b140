"""What group commit gives: workflows submitted per second by 1, 16 and 256 callers, against batches made by hand.

    python benchmarks/group_commit.py

Each submit writes a workflow, a step, a job, a queue row and a ledger entry, durably (SQLite, synchronous=FULL).
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from noop import register

from heddle.chores import first_run
from heddle.contract.orchestration import StepRequest, WorkflowRequest
from heddle.db import Database, Tx
from heddle.db.migrate import migrate
from heddle.db.sqlite import SQLite
from heddle.domain import now
from heddle.settings import Settings
from heddle.steps import Facts
from heddle.workflows import submit
from heddle.workflows.planning import Draft, Look, Planner

STEP = StepRequest.model_validate({"$type": "imageGen", "input": {"engine": "noop", "prompt": "a red fox"}})
REQUEST = WorkflowRequest(steps=[STEP])


def drafts(planner: Planner, count: int) -> list[Draft]:
    look = Look(find=lambda _: None, facts_of=lambda _: Facts())
    return [planner.plan(REQUEST, account_id=1, key=None, look=look, at=now()) for _ in range(count)]


async def together(db: Database, make: Callable[[], Draft], callers: int, seconds: float) -> float:
    """Each caller submits, waits for the commit, and submits again."""
    end, done = time.perf_counter() + seconds, 0

    async def caller() -> None:
        nonlocal done
        while time.perf_counter() < end:
            await db.write(submit.submit, make())
            done += 1

    begin = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return done / (time.perf_counter() - begin)


def by_hand(db: Database, make: Callable[[], Draft], size: int, seconds: float) -> float:
    """The same verb, called with batches of one size."""

    def verb(tx: Tx, batches: Sequence[list[Draft]]) -> list[int]:
        return [len(submit.submit(tx, batch)) for batch in batches]

    begin, done, spent = time.perf_counter(), 0, 0.0
    while spent < seconds:
        batch = [make() for _ in range(size)]
        begin = time.perf_counter()
        done += db.apply(verb, batch)
        spent += time.perf_counter() - begin
    return done / spent


def main(seconds: float = 0.6) -> None:
    register()
    settings = Settings(starting_buzz=10**9)
    planner = Planner(settings)
    ready = drafts(planner, 90_000)
    with tempfile.TemporaryDirectory() as folder:
        dialect = SQLite(Path(folder) / "heddle.db")
        migrate(dialect)
        db = Database(dialect)
        first_run.first_account(db, settings, now())
        base = by_hand(db, ready.pop, 1000, seconds)
        print(f"batches of 1,000 by hand: {base:,.0f} workflows/s")
        one = by_hand(db, ready.pop, 1, seconds)
        print(f"one at a time by hand: {one:,.0f}/s ({one / base:.2f})")
        for callers in 1, 16, 256:
            rate = asyncio.run(together(db, ready.pop, callers, seconds))
            print(f"group commit, {callers:3d} callers: {rate:,.0f}/s ({rate / base:.2f} of batches of 1,000)")
        db.close()


if __name__ == "__main__":
    main()
