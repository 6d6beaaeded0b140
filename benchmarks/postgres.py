"""Workflows per second on a durable PostgreSQL, by the verbs alone and over HTTP, against a loop of pgbench.

    python benchmarks/postgres.py [seconds per row]

pgbench's loop is three transactions on 16 connections: insert a job, claim one (`SKIP LOCKED`), delete it. A workflow
of ours is a submit (workflow, step, job, queue row, hold, balance), a claim, and an end (job, step, workflow, queue
row, settlement, balance). The server is started here, on loopback, with `synchronous_commit = on`.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from group_commit import REQUEST
from noop import register

from heddle.chores import first_run
from heddle.db import Database
from heddle.db.migrate import migrate
from heddle.db.postgres import PostgreSQL
from heddle.domain import now
from heddle.settings import Settings
from heddle.steps import Facts
from heddle.workflows import advance, submit
from heddle.workflows.planning import Draft, Look, Planner

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.drafts import slots
from tests.postgres import Postgres

LOOP = """
INSERT INTO j (body) VALUES ('x');
WITH c AS (SELECT id FROM j WHERE owner IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
UPDATE j SET owner = 'me' WHERE id IN (SELECT id FROM c);
WITH c AS (SELECT id FROM j WHERE owner = 'me' LIMIT 1 FOR UPDATE SKIP LOCKED)
DELETE FROM j WHERE id IN (SELECT id FROM c);
"""


def pgbench(server: Postgres, seconds: float) -> float:
    """Loops per second."""
    server.sql("DROP TABLE IF EXISTS j")
    server.sql("CREATE TABLE j (id BIGSERIAL PRIMARY KEY, body TEXT, owner TEXT)")
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(LOOP)
        script.flush()
        where = ["-h", "127.0.0.1", "-p", str(server.port), "-U", "heddle", "postgres"]
        command = [str(server.bin / "pgbench"), "-n", "-M", "prepared", "-c", "16", "-j", "2"]
        ran = subprocess.run(
            [*command, "-T", str(int(seconds)), "-f", script.name, *where], capture_output=True, text=True, check=True
        )
    found = re.search(r"tps = ([\d.]+)", ran.stdout)
    assert found is not None, ran.stdout
    return float(found[1])


async def verbs(db: Database, make: Callable[[], Draft], callers: int, seconds: float) -> float:
    """Workflows per second, submitted by so many callers and run by one dispatcher's worth of claims, without a hop."""
    end, done = time.perf_counter() + seconds, 0
    ended: dict[str, asyncio.Event] = {}

    async def caller() -> None:
        nonlocal done
        while time.perf_counter() < end:
            draft = make()
            event = ended[draft.new.workflow.id] = asyncio.Event()
            await db.write(submit.submit, draft)
            await event.wait()
            done += 1

    async def finish(attempt: advance.Attempt) -> None:
        await db.write(advance.finish, advance.Ended(job_id=attempt.job_id, attempt=attempt.attempt, at=now()))
        ended.pop(attempt.workflow_id).set()

    async def dispatch() -> None:
        wake, work = asyncio.Event(), set[asyncio.Task[None]]()
        db.listen("queue", wake.set)
        while True:
            wake.clear()
            wanted = advance.Claim(owner="me", slots=slots(1000, "noop"), lease_s=30, at=now())
            attempts = await db.write(advance.claim, wanted)
            work |= {asyncio.create_task(finish(a)) for a in attempts}
            work = {task for task in work if not task.done()}
            if not attempts:
                await asyncio.wait_for(wake.wait(), 5)

    dispatcher = asyncio.create_task(dispatch())
    begin = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    rate = done / (time.perf_counter() - begin)
    dispatcher.cancel()
    await asyncio.gather(dispatcher, return_exceptions=True)
    return rate


async def main(seconds: float) -> None:
    register()
    server = Postgres(durable=True)
    try:
        server.start()
        settings = Settings(starting_buzz=10**12)
        planner = Planner(settings)

        def make() -> Draft:
            look = Look(find=lambda _: None, facts_of=lambda _: Facts())
            return planner.plan(REQUEST, account_id=1, key=None, look=look, at=now())

        for round_ in range(2):
            base = pgbench(server, seconds)
            print(f"round {round_ + 1}: pgbench, 16 connections: {base:,.0f} loops/s")
            for writers in 2, 4:
                dialect = PostgreSQL(server.create(), writers=writers)
                migrate(dialect)
                db = Database(dialect)
                first_run.first_account(db, settings, now())
                for callers in 1, 16, 256:
                    rate = await verbs(db, make, callers, seconds)
                    of = f"{rate / base:.2f} of pgbench"
                    print(f"  verbs, {writers} writers, {callers:3d} callers: {rate:,.0f}/s ({of})")
                db.close()
    finally:
        server.close()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 4.0))
