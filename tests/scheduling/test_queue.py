"""Who is next: fair shares, weights, priorities, caps, quotas and models, by the verbs on both databases."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.drafts import draft, slots

from heddle import accounts, queue
from heddle.accounts import Limits
from heddle.chores import first_run
from heddle.db import Database, Tx
from heddle.db.migrate import migrate
from heddle.db.sqlite import SQLite, SQLiteConnection
from heddle.domain import Needs, Priority, Workflow, now
from heddle.errors import TooManyRequests
from heddle.matching import Policy, Resident, SlotReport
from heddle.workflows import advance, audit, rows, submit, waiting
from heddle.workflows.advance import Attempt, Ended
from heddle.workflows.planning import Draft

AT = now()


@pytest.fixture
def bob(db: Database) -> int:
    """A second account."""
    return db.apply(lambda tx, names: [first_run.new_account(tx, n, AT, buzz=10**6).id for n in names], "bob")


def of(one: Draft, account_id: int, **changes: object) -> Draft:
    """The draft, of another account or with other steps."""
    steps = [replace(s, **{k: v for k, v in changes.items() if k == "priority"}) for s in one.new.workflow.steps]
    if "needs" in changes:
        steps = [replace(s, jobs=[replace(j, needs=changes["needs"]) for j in s.jobs]) for s in steps]
    return replace(one, new=replace(one.new, workflow=replace(one.new.workflow, account_id=account_id, steps=steps)))


def submitted(db: Database, account_id: int = 1, jobs: int = 1, cost: int = 1, **changes: object) -> Workflow:
    made = db.apply(submit.submit, of(draft(AT, [jobs], cost), account_id, **changes))
    assert isinstance(made, Workflow)
    return made


def claimed(db: Database, room: int, at: datetime = AT, reports: Sequence[SlotReport] | None = None) -> list[Attempt]:
    found = slots(room) if reports is None else reports
    return db.apply(advance.claim, advance.Claim(owner="me", slots=found, lease_s=30, at=at, policy=Policy()))


def finished(db: Database, attempt: Attempt) -> None:
    db.apply(advance.finish, Ended(job_id=attempt.job_id, attempt=attempt.attempt, at=now()))


def order(db: Database, owners: dict[str, int], count: int) -> list[int]:
    """Whose jobs run, one after the other."""
    found: list[int] = []
    for _ in range(count):
        [attempt] = claimed(db, 1)
        found.append(owners[attempt.workflow_id])
        finished(db, attempt)
    return found


def test_who_has_many_jobs_does_not_keep_back_who_has_few(db: Database, bob: int) -> None:
    owners = {submitted(db, 1, jobs=4).id: 1 for _ in range(10)}
    owners |= {submitted(db, bob).id: bob for _ in range(5)}
    first = Counter(order(db, owners, 10))
    assert first == {1: 5, bob: 5}


def test_a_weight_is_a_share(db: Database, bob: int) -> None:
    db.apply(lambda tx, ids: [accounts.set_limits(tx, i, Limits(weight=3)) for i in ids], bob)
    owners = {submitted(db, account).id: account for _ in range(20) for account in (1, bob)}
    assert Counter(order(db, owners, 20)) == {1: 5, bob: 15}


def test_what_costs_more_takes_a_larger_part_of_the_share(db: Database, bob: int) -> None:
    owners = {submitted(db, 1, cost=4).id: 1 for _ in range(10)}
    owners |= {submitted(db, bob, cost=1).id: bob for _ in range(30)}
    assert Counter(order(db, owners, 20)) == {1: 4, bob: 16}


def test_who_was_away_saves_nothing_up(db: Database, bob: int) -> None:
    owners = {submitted(db, 1).id: 1 for _ in range(30)}
    order(db, owners, 20)
    owners |= {submitted(db, bob).id: bob for _ in range(10)}
    assert 3 <= Counter(order(db, owners, 8))[bob] <= 4


def test_high_goes_first_and_low_does_not_starve(db: Database) -> None:
    owners = {submitted(db, priority=Priority.LOW).id: 2 for _ in range(4)}
    owners |= {submitted(db, priority=Priority.NORMAL).id: 1 for _ in range(70)}
    owners |= {submitted(db, priority=Priority.HIGH).id: 0 for _ in range(10)}
    ran = order(db, owners, 84)
    assert set(ran[:9]) == {0}
    assert ran.index(2) < 40
    assert ran[-3:].count(1) + ran[-3:].count(2) == 3


def test_a_cap_lets_the_others_pass(db: Database, bob: int) -> None:
    db.apply(lambda tx, ids: [accounts.set_limits(tx, i, Limits(max_running=2)) for i in ids], 1)
    mine = {submitted(db, 1).id for _ in range(100)}
    theirs = {submitted(db, bob).id for _ in range(3)}
    taken = claimed(db, 10)
    assert Counter(a.workflow_id in mine for a in taken) == {True: 2, False: 3}
    assert {a.workflow_id for a in taken} >= theirs
    assert claimed(db, 10) == []
    finished(db, next(a for a in taken if a.workflow_id in mine))
    assert len(claimed(db, 10)) == 1


@pytest.mark.parametrize("new_dialect", ["sqlite"], indirect=True)  # a wake-up from before may come late there
def test_the_end_of_a_job_at_the_cap_wakes_claimers(db: Database) -> None:
    """Who claims between the end of the job and its commit is told no, and must not wait for the next poll."""
    free, capped = submitted(db, 1), submitted(db, 1)
    attempts = {a.workflow_id: a for a in claimed(db, 2)}

    async def woken_by(attempt: Attempt) -> bool:
        woken = asyncio.Event()
        db.listen("queue", woken.set)
        await db.write(advance.finish, Ended(job_id=attempt.job_id, attempt=attempt.attempt, at=now()))
        await asyncio.sleep(0)
        return woken.is_set()

    assert not asyncio.run(woken_by(attempts[free.id]))
    db.apply(lambda tx, ids: [accounts.set_limits(tx, i, Limits(max_running=1)) for i in ids], 1)
    assert asyncio.run(woken_by(attempts[capped.id]))


def test_a_quota_refuses_and_says_so(db: Database, bob: int) -> None:
    db.apply(lambda tx, ids: [accounts.set_limits(tx, i, Limits(max_open=2)) for i in ids], bob)
    submitted(db, bob)
    submitted(db, bob)
    with pytest.raises(TooManyRequests, match="2 workflows"):
        submitted(db, bob)
    submitted(db, 1)
    [attempt, *_] = [a for a in claimed(db, 10) if a.workflow_id]
    finished(db, attempt)
    submitted(db, bob)
    assert db.look(audit.check) == []


def test_within_one_batch_a_quota_counts_each(db: Database, bob: int) -> None:
    db.apply(lambda tx, ids: [accounts.set_limits(tx, i, Limits(max_open=3)) for i in ids], bob)
    drafts = [of(draft(AT, [1]), bob) for _ in range(8)]
    outcomes = db.apply(lambda tx, batches: [submit.submit(tx, batch) for batch in batches], drafts)
    assert [isinstance(o, Workflow) for o in outcomes] == [True] * 3 + [False] * 5
    assert db.look(audit.check) == []


def with_model(db: Database, model: str, **changes: object) -> Workflow:
    return submitted(db, needs=Needs(model=model, memory_mb=10, load_s=5), **changes)


def shelf(name: str, *models: str, room: int = 1) -> SlotReport:
    residents = tuple(Resident(model=m, memory_mb=10) for m in models)
    return SlotReport(name=name, engines=frozenset({"noop"}), memory_mb=20, models=residents, room=room)


def test_a_job_goes_where_its_model_is(db: Database) -> None:
    made = {with_model(db, m).id: m for m in ("red", "blue", "red", "blue")}
    taken = claimed(db, 0, reports=[shelf("one", "blue"), shelf("two", "red")])
    assert {(a.slot, made[a.workflow_id]) for a in taken} == {("one", "blue"), ("two", "red")}
    assert all(not a.evict for a in taken)


def test_what_was_passed_over_too_long_goes_first(db: Database) -> None:
    late = with_model(db, "rare")
    for _ in range(20):
        with_model(db, "red")
    at, slot = AT, shelf("one", "red", "blue")
    for _ in range(3):
        [attempt] = claimed(db, 0, at, [slot])
        assert attempt.workflow_id != late.id
        finished(db, attempt)
        at += timedelta(seconds=1)
    [attempt] = claimed(db, 0, AT + timedelta(seconds=Policy().defer_s + 1), [slot])
    assert attempt.workflow_id == late.id
    assert list(attempt.evict) != []


def test_what_fits_nowhere_hides_nothing_and_is_told_so(db: Database) -> None:
    huge = submitted(db, 1, 600, needs=Needs(model="huge", memory_mb=21, load_s=5))
    small = with_model(db, "red")
    slot = shelf("one", "blue")
    assert {a.workflow_id for a in claimed(db, 0, reports=[slot])} == {small.id}
    assert {a.workflow_id for a in claimed(db, 0, reports=[slot, replace(slot, name="two", memory_mb=21)])} == {huge.id}
    db.apply(queue.report_slots, queue.Census(dispatcher="d", slots=[slot], at=AT))
    outlook = next(iter(db.look(waiting.explained, huge, AT, Policy()).values()))
    assert outlook.start_at is None
    assert [why.code for why in outlook.slots] == ["memory"]


def test_claims_read_the_head_of_the_queue_and_chores_what_is_open(tmp_path: Path) -> None:
    """Neither all that waits, nor the history."""
    path = tmp_path / "plans.db"
    migrate(SQLite(path))
    asked: list[str] = []
    with closing(sqlite3.connect(path)) as raw:
        raw.row_factory = sqlite3.Row
        raw.set_trace_callback(asked.append)
        tx = SQLiteConnection(raw)
        queue.window(tx, ["noop", "other"], 8, AT, memory_mb=5)
        queue.places(tx, ["wf"], AT)
        rows.inputs_of_unfinished(tx)
        raw.set_trace_callback(None)
        plans = [" ".join(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {sql}")) for sql in asked]
    head, own, open_ = plans
    assert head == "SCAN queued_jobs USING INDEX queued_jobs_ready"
    assert "USING INDEX queued_jobs_by_workflow" in own
    assert open_.startswith("SCAN w USING INDEX workflows_open SEARCH j USING INDEX")


def test_a_place_counts_what_is_before_it(db: Database, bob: int) -> None:
    db.apply(queue.note_paces, queue.Pace(engine="noop", seconds=40.0, buzz=10))
    first = [submitted(db, 1) for _ in range(3)]
    [place] = db.look(queue.places, [first[2].id], AT)
    assert (place.before, place.before_s, place.own_s) == (2, 8.0, 4.0)
    other = submitted(db, bob)
    [place] = db.look(queue.places, [other.id], AT)
    assert place.before <= 1
    many = submitted(db, 1, jobs=3)
    assert [place.before for place in db.look(queue.places, [many.id], AT)] == [4, 5, 6]
    far = submitted(db, 1, jobs=1200)
    assert db.look(queue.places, [far.id], AT)[-1].before == 106
    assert db.look(queue.places, [submitted(db, 1).id], AT)[0].before == 1000
    claimed(db, 1)
    assert db.look(queue.places, [first[0].id], AT) == []


def test_who_is_overdue_is_seen_behind_the_window(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many of other models stand before it by then."""
    monkeypatch.setattr("heddle.matching._LEAST", 4)
    monkeypatch.setattr("heddle.matching.PER_PLACE", 4)
    rare = with_model(db, "rare", priority=Priority.LOW)
    slot = shelf("one", "red", "blue")
    [first] = claimed(db, 0, AT, [slot]) if with_model(db, "red") else []
    finished(db, first)
    db.apply(lambda tx, ids: [queue.note_passed(tx, ids, AT)], db.look(_job_of, rare.id))
    for _ in range(30):
        with_model(db, "red")
    [attempt] = claimed(db, 0, AT + timedelta(seconds=Policy().defer_s + 1), [slot])
    assert attempt.workflow_id == rare.id


def _job_of(tx: Tx, workflow_id: str) -> str:
    return tx.all("SELECT job_id FROM queued_jobs WHERE workflow_id = ?", (workflow_id,))[0]["job_id"]
