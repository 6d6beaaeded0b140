"""A rolling upgrade: new code takes over what the first schema's code left, and that code goes on beside the new one.

The statements of the first release are kept here as it issued them, so that whoever changes the schema sees what a
process that has not been restarted yet would meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.drafts import draft, slots
from tests.postgres import Postgres

from heddle import ledger, queue
from heddle.db import Database, Dialect, Tx, migrate
from heddle.db.postgres import PostgreSQL
from heddle.db.sqlite import SQLite
from heddle.domain import Status, Workflow, new_id, now, to_ms
from heddle.workflows import advance, audit, rows, submit
from heddle.workflows.advance import Attempt, Ended

FIRST = "0001_first.sql"
AT = now()

# What the first release said to its database.
ACCOUNT = "INSERT INTO accounts (username, email, tier, webhook_secret, created_at) VALUES (?, ?, ?, ?, ?) RETURNING id"
BALANCE = "INSERT INTO balances (account_id, available, held, spent) VALUES (?, ?, ?, 0)"
ENTRY = (
    "INSERT INTO ledger_entries (kind, account_id, amount, workflow_id, memo, n, created_at)"
    " VALUES (?, ?, ?, ?, ?, 0, ?)"
)
WORKFLOW = (
    "INSERT INTO workflows (id, account_id, idempotency_key, request_hash, status, tags, callbacks, cost,"
    " created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
STEP = (
    "INSERT INTO steps (workflow_id, idx, name, type, status, priority, input, timeout_s)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
JOB = (
    "INSERT INTO jobs (id, workflow_id, step, idx, status, engine, payload, inputs, cost, attempt)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"
)
QUEUED = (
    "INSERT INTO queued_jobs (job_id, workflow_id, account_id, engine, band, run_at, attempt, failures,"
    " losses) VALUES (?, ?, ?, ?, ?, 0, 0, 0, 0)"
)
CLAIM = (
    "UPDATE queued_jobs SET owner = ?, lease_until = ?, attempt = attempt + 1 WHERE job_id IN ("
    "SELECT job_id FROM queued_jobs WHERE owner IS NULL AND run_at <= ?"
    " ORDER BY band, job_id LIMIT ?)"
    " RETURNING job_id, workflow_id, attempt, failures, losses, band"
)


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dialect]:
    """A database with the first schema, and an account in it that can pay."""
    dialect: Dialect = SQLite(tmp_path / "heddle.db")
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        dialect = PostgreSQL(server.create())
    first = {FIRST: migrate.scripts()[FIRST]}
    with monkeypatch.context() as earlier:
        earlier.setattr(migrate, "scripts", lambda: first)
        assert migrate.migrate(dialect) == [FIRST]
    db = Database(dialect)
    write(db, begin)
    db.close()
    yield dialect
    if request.param == "postgresql":
        server.drop(dialect._dsn)  # type: ignore[attr-defined]


def write(db: Database, change: Callable[[Tx], Any]) -> Any:
    return db.apply(lambda tx, items: [change(tx) for _ in items], None)


def begin(tx: Tx) -> None:
    row = tx.one(ACCOUNT, ("owner", None, "Founder", "whsec_x", to_ms(AT)))
    assert row is not None
    tx.run(BALANCE, (row["id"], 100, 0))
    tx.run(ENTRY, ("grant", row["id"], 100, None, "starting Buzz", to_ms(AT)))


def submitted_by_old_code(tx: Tx, count: int) -> list[str]:
    made: list[str] = []
    for _ in range(count):
        wf, job = new_id("wf"), new_id("job")
        tx.run(WORKFLOW, (wf, 1, None, None, "unassigned", "[]", "[]", 1, to_ms(AT)))
        tx.run(STEP, (wf, 0, "0", "imageGen", "unassigned", "normal", "{}", 10.0))
        tx.run(JOB, (job, wf, 0, 0, "unassigned", "noop", "{}", "[]", 1))
        tx.run(QUEUED, (job, wf, 1, "noop", 1))
        tx.run(ENTRY, ("hold", 1, 1, wf, None, to_ms(AT)))
        tx.run("UPDATE balances SET available = available - 1, held = held + 1 WHERE account_id = 1")
        made.append(wf)
    return made


def claimed_by_old_code(tx: Tx, count: int) -> Sequence[Any]:
    return tx.all(CLAIM, ("old", to_ms(AT) + 60_000, to_ms(AT), count))


def run_all(db: Database) -> list[Attempt]:
    wanted = advance.Claim(owner="new", slots=slots(100), lease_s=30, at=now())
    attempts = db.apply(advance.claim, wanted)
    for attempt in attempts:
        db.apply(advance.finish, Ended(job_id=attempt.job_id, attempt=attempt.attempt, at=now()))
    return attempts


def test_new_code_takes_over(old: Dialect) -> None:
    db = Database(old)
    made = write(db, lambda tx: submitted_by_old_code(tx, 5))
    held = write(db, lambda tx: claimed_by_old_code(tx, 2))
    assert len(held) == 2
    db.close()

    assert migrate.migrate(old)[0] == "0002_postgresql.sql"
    db = Database(old)
    assert len(run_all(db)) == 3
    # What the old process held comes back as from any other that is gone.
    db.apply(advance.lost, advance.Sweep(at=AT.replace(year=AT.year + 1)))
    assert len(run_all(db)) == 2
    assert {w.status for w in db.look(rows.get, made)} == {Status.SUCCEEDED}
    assert db.look(audit.check) == []
    assert db.look(ledger.balance, 1) == ledger.Balance(available=95, held=0, spent=5)
    db.close()


def test_old_code_goes_on_beside_the_new(old: Dialect) -> None:
    migrate.migrate(old)
    db = Database(old)
    theirs = write(db, lambda tx: submitted_by_old_code(tx, 3))
    ours = [db.apply(submit.submit, draft(AT, [1])) for _ in range(3)]
    assert all(isinstance(w, Workflow) for w in ours)
    taken = write(db, lambda tx: [row["workflow_id"] for row in claimed_by_old_code(tx, 2)])
    assert len(taken) == 2
    assert len(run_all(db)) == 4
    db.apply(advance.lost, advance.Sweep(at=AT.replace(year=AT.year + 1)))
    assert len(run_all(db)) == 2
    everything = [*theirs, *(w.id for w in ours)]  # type: ignore[union-attr]
    assert {w.status for w in db.look(rows.get, everything)} == {Status.SUCCEEDED}
    assert db.look(audit.check) == []
    assert db.look(queue.depth) == 0
    db.close()
