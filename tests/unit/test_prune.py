"""Retention: what ended long ago goes whole, what is open or paid stays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from tests.drafts import draft, slots

from heddle import blobs, queue
from heddle.blobs import Stored
from heddle.chores import prune
from heddle.db import Database, Tx
from heddle.domain import Artifact, Workflow, first_id, new_id, now
from heddle.workflows import advance, audit, rows, submit

DAY = timedelta(days=1)


def submitted(db: Database, sources: Sequence[str] = ()) -> Workflow:
    made = db.apply(submit.submit, draft(now(), [1], 3, list(sources), None))
    assert isinstance(made, Workflow)
    return made


def run_all(db: Database) -> None:
    wanted = advance.Claim(owner="me", slots=slots(100), lease_s=30, at=now())
    for attempt in db.apply(advance.claim, wanted):
        blob_id = new_id("blob")
        thing = Artifact(blob_id=blob_id, key=f"jobs/{blob_id}", mime="image/png", size=1, sha256="x", metadata={})
        end = advance.Ended(job_id=attempt.job_id, attempt=attempt.attempt, at=now(), artifacts=[thing])
        db.apply(advance.finish, end)


def tell_all(db: Database) -> None:
    def told(tx: Tx, items: Sequence[None]) -> list[int]:
        return [tx.run("UPDATE events SET state = 'delivered'") for _ in items]

    db.apply(told, None)


def upload(db: Database) -> str:
    blob_id = new_id("blob")
    item = Stored(blob_id=blob_id, account_id=1, key=f"uploads/{blob_id}", mime="image/png", size=1, sha256="x")
    db.apply(lambda tx, items: blobs.store(tx, items, now()), item)
    return blob_id


def counts(db: Database) -> dict[str, int]:
    tables = ("workflows", "steps", "jobs", "workflow_tags", "waits", "events", "blobs", "queued_jobs")

    def count(tx: Tx) -> dict[str, int]:
        return {t: tx.all(f"SELECT COUNT(*) AS n FROM {t}")[0]["n"] for t in tables}

    return db.look(count)


def test_what_ended_long_ago_goes_with_what_it_made(db: Database) -> None:
    ended = [submitted(db, [upload(db)]) for _ in range(3)]
    run_all(db)
    tell_all(db)
    source = upload(db)
    open_ = submitted(db, [source])
    before = db.look(audit.check)
    assert prune.prune(db, now(), DAY) == prune.Pruned(workflows=0, uploads=0)
    assert prune.prune(db, now() + 2 * DAY, DAY) == prune.Pruned(workflows=3, uploads=3)
    assert counts(db) == {
        "workflows": 1,
        "steps": 1,
        "jobs": 1,
        "workflow_tags": 1,
        "waits": 0,
        "events": 1,
        "blobs": 1,
        "queued_jobs": 1,
    }
    assert db.look(rows.get, [w.id for w in ended]) == []
    assert db.look(rows.get, [open_.id])[0].id == open_.id
    assert source in db.look(blobs.get, [source])
    assert before == db.look(audit.check) == []
    run_all(db)
    tell_all(db)
    assert db.look(queue.depth) == 0
    assert prune.prune(db, now() + 2 * DAY, DAY) == prune.Pruned(workflows=1, uploads=1)
    assert set(counts(db).values()) == {0}
    assert db.look(audit.check) == []


def test_what_an_unfinished_workflow_works_on_stays(db: Database) -> None:
    first, other = submitted(db), submitted(db)
    run_all(db)
    tell_all(db)
    [made] = db.look(rows.made, [first.id])
    submitted(db, [made])
    assert prune.prune(db, now() + 2 * DAY, DAY).workflows == 1
    assert [w.id for w in db.look(rows.get, [first.id, other.id])] == [first.id]
    assert made in db.look(blobs.get, [made])
    run_all(db)
    tell_all(db)
    assert prune.prune(db, now() + 2 * DAY, DAY).workflows == 2
    assert db.look(blobs.get, [made]) == {}


def test_a_large_history_goes_in_small_transactions(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prune, "BATCH", 4)
    for _ in range(10):
        submitted(db)
    run_all(db)
    tell_all(db)
    stops = iter([False, True])
    assert prune.prune(db, now() + 2 * DAY, DAY, lambda: next(stops, True)).workflows == 4
    assert prune.prune(db, now() + 2 * DAY, DAY).workflows == 6


def test_who_is_still_to_be_told_is_told(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """And those that wait do not hide the others behind them."""
    monkeypatch.setattr(prune, "BATCH", 2)
    waiting = [submitted(db) for _ in range(4)]
    run_all(db)
    submitted(db)
    run_all(db)
    told = "UPDATE events SET state = 'delivered' WHERE workflow_id > ?"
    db.apply(lambda tx, ids: [tx.run(told, (i,)) for i in ids], waiting[-1].id)
    assert prune.prune(db, now() + 2 * DAY, DAY).workflows == 1
    assert [w.id for w in db.look(rows.get, [w.id for w in waiting])] == [w.id for w in waiting]
    tell_all(db)
    assert prune.prune(db, now() + 2 * DAY, DAY).workflows == 4
    assert counts(db)["events"] == 0


def test_ids_of_a_moment_come_after_its_first() -> None:
    at = now()
    assert first_id("wf", at - timedelta(seconds=1)) < new_id("wf")
    assert first_id("wf", at + timedelta(seconds=1)) > new_id("wf")
