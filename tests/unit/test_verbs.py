"""Verbs in the cases that hurt: equal keys in one batch, patches that grow, crowds at one blob, clocks, torn reads."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.drafts import draft, slots

from heddle import blobs, queue
from heddle.blobs import Promise, Stored
from heddle.db import Database, Dialect, Tx
from heddle.db.sqlite import SQLite
from heddle.domain import Artifact, Status, Workflow, new_id, now
from heddle.errors import Conflict, HeddleError, InsufficientBuzz, InvalidRequest, Unavailable
from heddle.fleet.dispatcher import Dispatcher
from heddle.settings import Settings
from heddle.workflows import advance, amend, audit, rows, submit
from heddle.workflows.advance import Attempt, Failure
from heddle.workflows.planning import Draft


def together(db: Database, drafts: Sequence[Draft]) -> list[Workflow | HeddleError]:
    """One batch, in one transaction."""

    def verb(tx: Tx, batches: Sequence[Sequence[Draft]]) -> list[Any]:
        return [submit.submit(tx, batch) for batch in batches]

    return db.apply(verb, drafts)


def claim(db: Database, at: datetime, limit: int = 10) -> list[Attempt]:
    return db.apply(advance.claim, advance.Claim(owner="me", slots=slots(limit), lease_s=30, at=at))


def end(db: Database, attempt: Attempt, at: datetime, failure: Failure | None = None, **more: Any) -> bool:
    made = [] if failure else [Artifact(blob_id=new_id("blob"), key=new_id("k"), mime="image/png", size=1, sha256="0")]
    item = advance.Ended(
        job_id=attempt.job_id, attempt=attempt.attempt, at=at, started_at=at, artifacts=made, failure=failure, **more
    )
    return db.apply(advance.finish, item)


# ── submit ────────────────────────────────────────────────────────────────────


def test_equal_keys_in_one_batch_make_one_workflow(db: Database) -> None:
    one, other = together(db, [draft(now(), [1], key="k"), draft(now(), [1], key="k")])
    assert isinstance(one, Workflow)
    assert one == other
    assert [w.id for w in db.look(rows.get, [one.id])] == [one.id]


def test_equal_keys_that_cannot_pay_are_both_refused(db: Database) -> None:
    outcomes = together(db, [draft(now(), [1], cost=10**9, key="k"), draft(now(), [1], cost=10**9, key="k")])
    assert [type(o) for o in outcomes] == [InsufficientBuzz, InsufficientBuzz]


@pytest.mark.parametrize("apart", [True, False])
def test_a_key_with_another_request_is_refused(db: Database, apart: bool) -> None:
    first, second = draft(now(), [1], key="k"), draft(now(), [1], key="k")
    second = replace(second, new=replace(second.new, request_hash="other"))
    if apart:
        assert isinstance(together(db, [first])[0], Workflow)
        outcome = together(db, [second])[0]
    else:
        outcome = together(db, [first, second])[1]
    assert isinstance(outcome, Conflict)


def test_a_crowd_at_one_promised_blob_is_refused_before_it_hurts(db: Database) -> None:
    blob_id, at = new_id("blob"), now()
    item = Promise(blob_id=blob_id, account_id=1, mime="image/png", size=None, upload_until=at + timedelta(seconds=60))
    db.apply(lambda tx, items: blobs.promise(tx, items, at), item)
    outcomes = together(db, [draft(at, [1], sources=[blob_id]) for _ in range(submit.WAITS_PER_BLOB + 5)])
    assert [isinstance(o, InvalidRequest) for o in outcomes].count(True) == 5
    db.apply(advance.arrive, Stored(blob_id=blob_id, key="k", mime="image/png", size=1, sha256="0"))
    assert db.look(queue.depth) == submit.WAITS_PER_BLOB


def test_refused_drafts_do_not_crowd_their_neighbors(db: Database) -> None:
    blob_id, at = new_id("blob"), now()
    item = Promise(blob_id=blob_id, account_id=1, mime="image/png", size=None, upload_until=at + timedelta(seconds=60))
    db.apply(lambda tx, items: blobs.promise(tx, items, at), item)
    bad = [draft(at, [1], sources=[blob_id, "blob_nowhere"]) for _ in range(submit.WAITS_PER_BLOB)]
    outcomes = together(db, [*bad, draft(at, [1], sources=[blob_id])])
    assert isinstance(outcomes[-1], Workflow)
    assert all(isinstance(outcome, InvalidRequest) for outcome in outcomes[:-1])


@pytest.mark.parametrize("new_dialect", ["sqlite"], indirect=True)
def test_lists_of_pairs_are_found_by_an_index(db: Database) -> None:
    """What the owners really execute must not become a walk through the history or the backlog."""
    told: list[str] = []

    class Explained:
        """A transaction that explains every statement before it runs it."""

        for_update = skip_locked = for_share = ""

        def __init__(self, tx: Tx) -> None:
            self.tx = tx

        def all(self, sql: str, params: Sequence[Any] = ()) -> list[Any]:
            told.extend(row["detail"] for row in self.tx.all(f"EXPLAIN QUERY PLAN {sql}", params))
            return self.tx.all(sql, params)

    def ask(tx: Tx, items: Sequence[None]) -> list[None]:
        explained: Any = Explained(tx)
        pairs = [("job_a", 1), ("job_b", 2)]
        rows.by_idempotency_key(explained, [(1, "a"), (2, "b")])
        queue.leases(explained, pairs)
        queue.renew(explained, "me", pairs, now())
        queue.finish(explained, pairs)
        rows.processing(explained, ["job_a", "job_b"])
        return [None for _ in items]

    db.apply(ask, None)
    # One for each, and one for what a finished job shows, which goes with it.
    assert len([line for line in told if line.startswith("SEARCH")]) == 6
    assert [line for line in told if line.startswith(("SCAN workflows", "SCAN queued_jobs", "SCAN jobs"))] == []


def test_a_crowd_of_expired_workflows_ends_in_rounds(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advance, "_SWEEP", 10)
    blob_id, at = new_id("blob"), now()
    item = Promise(blob_id=blob_id, account_id=1, mime="image/png", size=None, upload_until=at + timedelta(seconds=1))
    db.apply(lambda tx, items: blobs.promise(tx, items, at), item)
    together(db, [draft(at, [1], sources=[blob_id]) for _ in range(25)])
    counts = [db.apply(advance.expire, at + timedelta(seconds=2)) for _ in range(4)]
    assert counts == [10, 10, 5, 0]
    assert db.look(blobs.get, [blob_id]) == {}
    assert db.look(audit.check) == []


# ── patch ─────────────────────────────────────────────────────────────────────


def patch(db: Database, *operations: dict[str, Any]) -> Workflow:
    made = together(db, [draft(now(), [1])])[0]
    assert isinstance(made, Workflow)
    item = amend.Amendment(account_id=1, workflow_id=made.id, at=now(), patch=operations)
    shown = db.apply(amend.amend, item)
    assert isinstance(shown, Workflow)
    return shown


@pytest.mark.parametrize(
    ("operations", "tags"),
    [
        ([{"op": "add", "path": "/tags/-", "value": "b"}], ["t", "b"]),
        ([{"op": "add", "path": "/tags/0", "value": "a"}], ["a", "t"]),
        ([{"op": "replace", "path": "/tags", "value": ["x", "y", "x"]}], ["x", "y"]),
        ([{"op": "remove", "path": "/tags/0"}], []),
        ([{"op": "remove", "path": "/tags"}], []),
        ([{"op": "test", "path": "/tags/0", "value": "t"}, {"op": "add", "path": "/tags/-", "value": "z"}], ["t", "z"]),
    ],
)
def test_patches(db: Database, operations: list[dict[str, Any]], tags: list[str]) -> None:
    assert patch(db, *operations).tags == tags


def test_a_patch_cancels(db: Database) -> None:
    assert patch(db, {"op": "replace", "path": "/status", "value": "canceled"}).status is Status.CANCELED


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "copy", "from": "/tags", "path": "/tags/-"},
        {"op": "move", "from": "/status", "path": "/tags/-"},
        {"op": "add", "path": "/cost", "value": 0},
        {"op": "add", "path": "", "value": {}},
        {"op": "add", "path": "/tags", "value": "t"},
        {"op": "add", "path": "/tags/-", "value": {"a": 1}},
        {"op": "replace", "path": "/status", "value": "succeeded"},
        {"op": "test", "path": "/status", "value": "failed"},
        {"op": "grow", "path": "/tags"},
        {"op": "remove", "path": "/tags/99999"},
        {"op": "remove", "path": "/tags/7"},
        {"path": "/tags"},
    ],
)
def test_what_a_patch_may_not_do(db: Database, operation: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        patch(db, operation)


def test_a_patch_that_doubles_itself_costs_nothing(db: Database) -> None:
    begin = time.process_time()
    with pytest.raises(InvalidRequest):
        patch(db, *[{"op": "copy", "from": "/tags", "path": "/tags/-"}] * 100)
    with pytest.raises(InvalidRequest, match="more than 50 tags"):
        patch(db, *[{"op": "copy", "from": "/tags/0", "path": "/tags/-"}] * 100)
    assert time.process_time() - begin < 2


# ── ends ──────────────────────────────────────────────────────────────────────


def test_a_workflow_says_why_it_failed_though_its_last_step_went_well(db: Database) -> None:
    at = now()
    made = together(db, [draft(at, [1, 1])])[0]
    assert isinstance(made, Workflow)
    first, second = sorted(claim(db, at), key=lambda a: a.job_id)
    end(db, first, at, Failure(reason="engine_failed", message="no"))
    end(db, second, at)
    shown = db.look(rows.get, [made.id])[0]
    assert (shown.status, shown.reason) == (Status.FAILED, "engine_failed")


def test_ends_of_one_batch_keep_their_order_in_time(db: Database) -> None:
    at = now()
    together(db, [draft(at, [1]), draft(at, [1])])
    early, late = claim(db, at)

    def verb(tx: Tx, items: Sequence[list[advance.Ended]]) -> list[Any]:
        return [advance.finish(tx, item) for item in items]

    times = [(early, at + timedelta(seconds=1)), (late, at + timedelta(seconds=5))]
    ended = [advance.Ended(job_id=a.job_id, attempt=1, at=t, started_at=t) for a, t in times]
    db.apply(verb, ended)
    for w in db.look(rows.get, [early.workflow_id, late.workflow_id]):
        assert w.started_at is not None
        assert w.completed_at is not None
        assert w.started_at <= w.completed_at


@pytest.mark.parametrize("late", [True, False])
def test_processing_is_told_before_the_end_whatever_a_commit_holds_first(db: Database, late: bool) -> None:
    """A start and an end of one job in one commit, in either order."""
    at = now()
    together(db, [draft(at, [1])])
    attempt = claim(db, at)[0]
    begun = advance.Started(job_id=attempt.job_id, attempt=attempt.attempt, at=at)
    if not late:
        assert db.apply(advance.start, begun)
    assert end(db, attempt, at)
    if late:
        assert not db.apply(advance.start, begun)
    found = db.look(
        lambda tx: tx.all("SELECT body FROM events WHERE workflow_id = ? ORDER BY seq", (attempt.workflow_id,))
    )
    told = [json.loads(row["body"]) for row in found]
    for kind in ("workflow", "step", "job"):
        assert [b["status"] for b in told if b["$type"] == kind][-2:] == ["processing", "succeeded"]


def test_a_clock_that_is_set_back_hides_no_job(db: Database) -> None:
    together(db, [draft(now(), [2])])
    assert len(claim(db, now() - timedelta(hours=1))) == 2


def test_handed_back_attempts_are_no_losses(db: Database) -> None:
    at = now()
    together(db, [draft(at, [1])])
    stopped = Failure(reason="worker_stopped", message="drained", retryable=True, blameless=True)
    for _ in range(advance.LOST_LIMIT + 5):
        assert end(db, claim(db, at)[0], at, stopped)
    for _ in range(advance.LOST_LIMIT - 1):
        claim(db, at)
        assert db.apply(advance.lost, advance.Sweep(at=at, not_by="other")) == 1
    last = claim(db, at)[0]
    assert db.apply(advance.lost, advance.Sweep(at=at, not_by="other")) == 1
    assert db.look(rows.get, [last.workflow_id])[0].reason == "attempts_lost"


def test_late_progress_does_not_touch_a_waiting_job(db: Database) -> None:
    at = now()
    together(db, [draft(at, [1])])
    attempt = claim(db, at)[0]
    end(db, attempt, at, Failure(reason="x", message="x", retryable=True))
    db.apply(queue.note_progress, (attempt.job_id, attempt.attempt, 0.7))
    assert db.look(queue.progress, [attempt.workflow_id]) == {}


# ── reading and writing beside each other ─────────────────────────────────────


def test_a_read_sees_one_state(db: Database) -> None:
    """A workflow, its step and its job agree in every read while another thread cancels workflows."""
    made = [w.id for w in together(db, [draft(now(), [1]) for _ in range(300)]) if isinstance(w, Workflow)]

    def cancel() -> None:
        for workflow_id in made:
            db.apply(lambda tx, ids: [_cancel(tx, i) for i in ids], workflow_id)

    def _cancel(tx: Tx, workflow_id: str) -> None:
        advance.end(tx, [workflow_id], status=Status.CANCELED, reason="canceled", message="x", at=now())

    thread = threading.Thread(target=cancel)
    thread.start()
    torn = 0
    while thread.is_alive():
        for workflow in db.look(rows.get, made[:40]):
            step = workflow.steps[0]
            torn += len({workflow.status, step.status, step.jobs[0].status}) > 1
    thread.join()
    assert torn == 0


@pytest.mark.parametrize("new_dialect", ["sqlite"], indirect=True)
def test_a_locked_database_refuses_a_whole_batch_at_once(settings: Settings, db: Database) -> None:
    path = settings.folder / "heddle.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:

        class Impatient(SQLite):
            def connect(self, *, write: bool) -> Any:
                connection = super().connect(write=write)
                connection.run("PRAGMA busy_timeout=300")
                return connection

        impatient = Database(Impatient(path))

        async def main() -> list[Any]:
            await impatient.write(submit.submit, draft(now(), [1]))
            other.execute("BEGIN IMMEDIATE")
            begin = time.monotonic()
            outcomes = await asyncio.gather(
                *(impatient.write(submit.submit, draft(now(), [1])) for _ in range(20)), return_exceptions=True
            )
            assert time.monotonic() - begin < 3
            other.execute("ROLLBACK")
            await impatient.write(submit.submit, draft(now(), [1]))
            return outcomes

        outcomes = asyncio.run(main())
        impatient.close()
    assert {type(o) for o in outcomes} == {Unavailable}


@pytest.mark.parametrize("new_dialect", ["sqlite"], indirect=True)
def test_a_connection_that_breaks_is_opened_anew(settings: Settings, db: Database) -> None:
    class Brittle(SQLite):
        connections = 0

        def connect(self, *, write: bool) -> Any:
            self.connections += 1
            if self.connections == 1:
                raise sqlite3.OperationalError("no disk")
            return super().connect(write=write)

    brittle = Database(Brittle(settings.folder / "heddle.db"))

    async def main() -> Workflow | HeddleError:
        with pytest.raises(Unavailable):
            await brittle.write(submit.submit, draft(now(), [1]))
        return await brittle.write(submit.submit, draft(now(), [1]))

    assert isinstance(asyncio.run(main()), Workflow)
    brittle.close()
    with pytest.raises(Unavailable, match="closed"):
        asyncio.run(brittle.write(submit.submit, draft(now(), [1])))


# ── the dispatcher ────────────────────────────────────────────────────────────


class Busy:
    """An executor whose attempts run until they are canceled."""

    def __init__(self) -> None:
        self.runs: set[queue.Pair] = set()

    async def start(self, sink: Any) -> None:
        self.sink = sink

    def free(self, lookahead: int | None = None) -> int:
        return 0 if lookahead is not None else 3 - len(self.runs)

    def slots(self, lookahead: int | None = None) -> list[Any]:
        return slots(self.free(lookahead))

    def run(self, run: Any) -> None:
        self.runs.add((run.job_id, run.attempt))

    def cancel(self, job_id: str, attempt: int) -> None:
        self.runs.discard((job_id, attempt))

    def alive(self) -> frozenset[queue.Pair]:
        return frozenset(self.runs)

    async def close(self, grace_s: float) -> None:
        pass


def test_a_stream_of_cancels_does_not_starve_the_leases(settings: Settings, db: Database) -> None:
    quick = replace(settings, lease_s=1.5)

    async def main() -> None:
        made = await db.write(submit.submit, draft(now(), [1]))
        dispatcher = Dispatcher(db, Busy(), quick, alone=False)
        await dispatcher.start()
        running = asyncio.create_task(dispatcher.run())
        for _ in range(60):
            other = await db.write(submit.submit, draft(now(), [1]))
            assert isinstance(other, Workflow)
            await asyncio.sleep(0.05)
            await db.write(amend.delete, amend.Deletion(account_id=1, workflow_id=other.id, at=now()))
            assert db.apply(advance.lost, advance.Sweep(at=now())) == 0
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert isinstance(made, Workflow)
        row = db.look(lambda tx: tx.one("SELECT attempt FROM queued_jobs WHERE workflow_id = ?", (made.id,)))
        assert row is not None
        assert row["attempt"] == 1

    asyncio.run(main())


def test_a_passing_fault_of_the_database_does_not_end_the_dispatcher(
    settings: Settings, db: Database, dialect: Dialect
) -> None:
    faults = iter(range(3))

    class Flaky(Database):
        def look(self, query: Any, *args: Any) -> Any:
            if query in {queue.next_at, queue.held} and next(faults, None) is not None:
                raise Unavailable("the disk is slow")
            return super().look(query, *args)

    flaky = Flaky(dialect)

    async def main() -> None:
        executor = Busy()
        dispatcher = Dispatcher(flaky, executor, settings)
        await dispatcher.start()
        running = asyncio.create_task(dispatcher.run())
        await asyncio.sleep(0.1)
        made = await flaky.write(submit.submit, draft(now(), [1]))
        assert isinstance(made, Workflow)
        for _ in range(100):
            if executor.runs:
                break
            await asyncio.sleep(0.05)
        assert executor.runs
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())
    flaky.close()
