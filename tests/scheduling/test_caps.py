"""Accounts at their cap: their backlog costs a claim nothing, and nobody waits for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.drafts import draft, slots

from heddle import accounts, queue
from heddle.accounts import Limits
from heddle.chores import first_run
from heddle.db import Database, Tx
from heddle.domain import Workflow, now
from heddle.workflows import advance, submit, waiting
from heddle.workflows.advance import Attempt, Ended

AT = now()
BACKLOG = 5000


@pytest.fixture
def bob(db: Database) -> int:
    """A second account."""
    return db.apply(lambda tx, names: [first_run.new_account(tx, n, AT, buzz=10**6).id for n in names], "bob")


def limit(db: Database, account_id: int, most: int) -> None:
    db.apply(lambda tx, ids: [accounts.set_limits(tx, i, Limits(max_running=most)) for i in ids], account_id)


def submitted(db: Database, account_id: int, jobs: int = 1) -> Workflow:
    one = draft(AT, [jobs])
    workflow = replace(one.new.workflow, account_id=account_id)
    made = db.apply(submit.submit, replace(one, new=replace(one.new, workflow=workflow)))
    assert isinstance(made, Workflow)
    return made


def asked(owner: str = "me", room: int = 10) -> advance.Claim:
    return advance.Claim(owner=owner, slots=slots(room), lease_s=30, at=AT)


def claimed(db: Database, room: int = 10) -> list[Attempt]:
    return db.apply(advance.claim, asked(room=room))


def finished(db: Database, attempt: Attempt) -> None:
    db.apply(advance.finish, Ended(job_id=attempt.job_id, attempt=attempt.attempt, at=now()))


class Counted:
    """A transaction of PostgreSQL that counts the rows its questions read, those that a filter took away included."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.rows = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    def all(self, sql: str, params: Sequence[Any] = ()) -> list[Any]:
        [row] = self._tx.all(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
        self.rows += _rows(row["QUERY PLAN"][0]["Plan"])
        return self._tx.all(sql, params)


def _rows(plan: dict[str, Any]) -> int:
    own = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    return int(own * plan["Actual Loops"]) + sum(_rows(below) for below in plan.get("Plans", []))


def cost_of_a_look(db: Database) -> int:
    """In rows on PostgreSQL, in steps of its machine on SQLite."""

    def look(tx: Any, _: Sequence[None]) -> list[int]:
        if db.shared:
            counted: Any = Counted(tx)
            assert advance.claim(counted, [asked()]) == [[]]
            return [counted.rows]
        steps = 0

        def count() -> None:
            nonlocal steps
            steps += 100

        tx._raw.set_progress_handler(count, 100)
        assert advance.claim(tx, [asked()]) == [[]]
        tx._raw.set_progress_handler(None, 0)
        return [steps]

    return db.apply(look, None)


def test_a_long_backlog_at_the_cap_is_not_read_by_every_claim(db: Database) -> None:
    limit(db, 1, 2)
    submitted(db, 1)
    claimed(db)
    submitted(db, 1)
    claimed(db)
    submitted(db, 1)
    few = cost_of_a_look(db)
    for _ in range(BACKLOG // 500):
        submitted(db, 1, jobs=500)
    for _ in range(4):
        assert claimed(db) == []
    assert cost_of_a_look(db) <= 2 * few


def test_what_was_parked_runs_in_its_turn_once_there_is_room(db: Database, bob: int) -> None:
    limit(db, 1, 2)
    mine = submitted(db, 1, jobs=300)
    order = [job.id for step in mine.steps for job in step.jobs]
    running, ran = claimed(db), list[str]()
    assert len(running) == 2
    assert claimed(db) == []
    assert db.look(queue.parked) == [1]
    for _ in range(20):
        finished(db, running.pop(0))
        [another] = claimed(db)
        ran.append(another.job_id)
        running.append(another)
    assert sorted(ran, key=order.index) == ran
    theirs = submitted(db, bob)
    assert [a.workflow_id for a in claimed(db)] == [theirs.id]


def test_a_cap_that_is_lifted_lets_what_was_parked_run(db: Database) -> None:
    limit(db, 1, 1)
    submitted(db, 1, jobs=300)
    claimed(db)
    assert claimed(db) == []
    limit(db, 1, 0)
    found = [a.job_id for _ in range(30) for a in claimed(db)]
    assert len(set(found)) == 299
    assert db.look(queue.parked) == []


def test_the_places_of_what_is_parked(db: Database, bob: int) -> None:
    """It stands before its own account's jobs, and before nobody else's."""
    limit(db, 1, 1)
    submitted(db, 1, jobs=300)
    claimed(db)
    claimed(db)
    last, theirs = submitted(db, 1, jobs=2), submitted(db, bob)
    places = db.look(queue.places, [last.id], AT)
    assert [place.before for place in places] == [300, 301]
    assert db.look(queue.places, [theirs.id], AT)[0].before <= 1
    db.apply(queue.report_slots, queue.Census(dispatcher="d", slots=slots(1), at=AT))
    assert db.look(waiting.outlooks, [last], AT)[places[0].job_id].before == 300
