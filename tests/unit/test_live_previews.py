"""What running jobs show: the latest of each, only while it runs, and nothing of an attempt that is over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.drafts import draft, slots

from heddle import queue
from heddle.db import Database, Tx
from heddle.domain import Workflow, now
from heddle.workflows import advance, amend, live_previews, rows, submit
from heddle.workflows.advance import Attempt, Failure
from heddle.workflows.live_previews import Shown


def running(db: Database, at: datetime, jobs: int = 1) -> list[Attempt]:
    """A workflow whose jobs have begun."""
    db.apply(submit.submit, draft(at, [jobs]))
    return claimed(db, at)


def claimed(db: Database, at: datetime) -> list[Attempt]:
    held = db.apply(advance.claim, advance.Claim(owner="me", slots=slots(10), lease_s=30, at=at))
    for attempt in held:
        db.apply(advance.start, advance.Started(job_id=attempt.job_id, attempt=attempt.attempt, at=at))
    return held


def shown(attempt: Attempt, at: datetime, data: bytes = b"one") -> Shown:
    return Shown(job_id=attempt.job_id, attempt=attempt.attempt, data=data, mime="image/webp", at=at)


def workflow(db: Database, attempt: Attempt) -> Workflow:
    return db.look(rows.get, [attempt.workflow_id])[0]


def seen(db: Database, attempt: Attempt) -> bytes | None:
    """What whoever looks gets, and whether they are told that there is something."""
    found = workflow(db, attempt)
    job = next(job for step in found.steps for job in step.jobs if job.id == attempt.job_id)
    told = job.id in db.look(live_previews.times, [found])
    preview = db.look(live_previews.get, job)
    assert told == (preview is not None)
    return preview and preview.data


def end(db: Database, attempt: Attempt, at: datetime, **failure: Any) -> None:
    failed = Failure(message="it went wrong", **failure)
    ended = advance.Ended(job_id=attempt.job_id, attempt=attempt.attempt, at=at, started_at=at, failure=failed)
    db.apply(advance.finish, ended)


def left(db: Database) -> int:
    row = db.look(lambda tx: tx.one("SELECT COUNT(*) AS n FROM live_previews"))
    assert row is not None
    return row["n"]


def test_the_latest_takes_the_place_of_the_one_before(db: Database) -> None:
    at = now()
    one, other = running(db, at, 2)
    assert seen(db, one) is None

    def batch(tx: Tx, items: Any) -> Any:
        return [live_previews.keep(tx, several) for several in items]

    db.apply(batch, [shown(one, at), shown(other, at, b"other"), shown(one, at + timedelta(seconds=1), b"two")])
    assert (seen(db, one), seen(db, other)) == (b"two", b"other")
    db.apply(live_previews.keep, shown(one, at + timedelta(seconds=2), b"three"))
    assert (seen(db, one), left(db)) == (b"three", 2)


def test_it_goes_with_the_end_of_the_job(db: Database) -> None:
    at = now()
    one, other = running(db, at, 2)
    for attempt in (one, other):
        db.apply(live_previews.keep, shown(attempt, at))
    end(db, one, at, reason="engine_failed")
    assert (seen(db, one), seen(db, other), left(db)) == (None, b"one", 1)
    db.apply(live_previews.keep, shown(one, at))  # late: nobody holds the job any more
    assert left(db) == 1
    db.apply(amend.delete, amend.Deletion(account_id=1, workflow_id=one.workflow_id, at=at))
    assert left(db) == 0


def test_the_next_attempt_shows_nothing_of_the_one_before(db: Database) -> None:
    at = now()
    [first] = running(db, at)
    db.apply(live_previews.keep, shown(first, at))
    db.apply(advance.lost, advance.Sweep(at=at + timedelta(seconds=60)))
    assert seen(db, first) is None
    [second] = claimed(db, at + timedelta(seconds=61))
    assert second.attempt == 2
    db.apply(live_previews.keep, shown(first, at, b"late"))
    assert seen(db, second) is None
    db.apply(live_previews.keep, shown(second, at, b"new"))
    assert (seen(db, second), left(db)) == (b"new", 1)
    assert db.look(queue.leases, [(first.job_id, 1)]) == {}
