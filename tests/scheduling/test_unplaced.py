"""Jobs that no slot could ever run end after a while, and only those."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.drafts import draft

from heddle import ledger, queue
from heddle.db import Database
from heddle.domain import Needs, Workflow, new_id, now
from heddle.matching import SlotReport
from heddle.workflows import advance, audit, rows, submit

HOUR = timedelta(hours=1)


def submitted(db: Database, engine: str, memory_mb: int = 0) -> str:
    made = draft(now(), [1])
    [step] = made.new.workflow.steps
    jobs = [replace(job, engine=engine, needs=Needs(model="m", memory_mb=memory_mb)) for job in step.jobs]
    workflow = replace(made.new.workflow, steps=[replace(step, jobs=jobs)])
    outcome = db.apply(submit.submit, replace(made, new=replace(made.new, workflow=workflow)))
    assert isinstance(outcome, Workflow)
    return outcome.id


def slots_are(db: Database, at: datetime, *slots: tuple[str, int | None]) -> None:
    reports = [
        SlotReport(name=f"s{i}", engines=frozenset({engine}), memory_mb=memory)
        for i, (engine, memory) in enumerate(slots)
    ]
    db.apply(queue.report_slots, queue.Census(dispatcher="d", slots=reports, at=at))


def status(db: Database, workflow_id: str) -> tuple[str, str | None]:
    [workflow] = db.look(rows.get, [workflow_id])
    return workflow.status.value, workflow.reason


def look(db: Database, at: datetime) -> int:
    return db.apply(advance.unplaced, advance.Unplaced(at=at, bound=HOUR))


def test_what_fits_nowhere_ends_and_is_paid_back(db: Database) -> None:
    before = db.look(ledger.balance, 1)
    nowhere, too_large, fits = submitted(db, "other"), submitted(db, "noop", 2000), submitted(db, "noop", 1000)
    later = now() + HOUR + timedelta(seconds=1)
    slots_are(db, later, ("noop", 500), ("noop", 1000))
    assert look(db, later) == 2
    assert status(db, nowhere) == status(db, too_large) == ("expired", "no_slot")
    assert status(db, fits) == ("unassigned", None)
    after = db.look(ledger.balance, 1)
    assert (after.available, after.held) == (before.available - 1, before.held + 1)
    assert db.look(audit.check) == []


def test_what_waits_for_a_slot_that_is_away_for_a_moment_waits_on(db: Database) -> None:
    workflow_id = submitted(db, "gpu")
    later = now() + 2 * HOUR
    slots_are(db, later - timedelta(minutes=5), ("gpu", 9000), ("noop", None))
    slots_are(db, later, ("noop", None))
    assert look(db, later) == 0
    slots_are(db, later + HOUR, ("noop", None))
    assert look(db, later + HOUR) == 1
    assert status(db, workflow_id) == ("expired", "no_slot")


@pytest.mark.parametrize(
    ("waited", "slots"),
    [
        (HOUR - timedelta(seconds=5), [("noop", 500)]),  # not long enough
        (2 * HOUR, []),  # nobody knows what slots there are
        (2 * HOUR, [("other", None)]),  # where memory is not counted, everything fits
    ],
)
def test_what_may_still_run_waits_on(db: Database, waited: timedelta, slots: list[Any]) -> None:
    workflow_id = submitted(db, "other", 9000)
    slots_are(db, now() + waited, *slots)
    assert look(db, now() + waited) == 0
    assert status(db, workflow_id)[0] == "unassigned"
    assert new_id("job") > workflow_id.replace("wf", "job")
