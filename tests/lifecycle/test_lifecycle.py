"""Any order of submit, upload, claim, start, finish, cancel, delete, expire and loss: the books are right, terminal is
final, the queue holds exactly what may run, and events come in order."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from tests.drafts import draft, slots, to_be_priced

from heddle import blobs, queue
from heddle.blobs import Promise, Stored
from heddle.chores import first_run
from heddle.contract.orchestration import WorkflowUpdate
from heddle.db import Database, Dialect, Tx
from heddle.domain import (
    Artifact,
    Status,
    Workflow,
    new_id,
    now,
    roll_up,
    roll_up_steps,
)
from heddle.errors import Conflict, Forbidden, InsufficientBuzz, InvalidRequest, NotFound
from heddle.settings import Settings
from heddle.workflows import advance, amend, audit, rows, submit
from heddle.workflows.advance import Attempt, Failure
from heddle.workflows.planning import Draft

BUZZ = 60


class Life(RuleBasedStateMachine):
    """The model is small: which workflows exist, which attempts are out, what was terminal before."""

    workflows = Bundle("workflows")
    attempts = Bundle("attempts")
    promises = Bundle("promises")

    def __init__(self, dialect: Dialect) -> None:
        super().__init__()
        self.db = Database(dialect)

    @initialize()
    def begin(self) -> None:
        first_run.first_account(self.db, Settings(starting_buzz=BUZZ), now())
        self.at = now()
        self.ended: dict[str, Status] = {}
        self.keys: dict[str, str] = {}
        self.prices: dict[str, int] = {}

    def teardown(self) -> None:
        self.db.close()

    # ── rules ─────────────────────────────────────────────────────────────────

    @rule(target=workflows, jobs=st.lists(st.integers(1, 3), min_size=1, max_size=3), cost=st.integers(1, 9))
    def submit(self, jobs: list[int], cost: int) -> object:
        return self._submit(draft(self.at, jobs, cost, [], None))

    @rule(target=workflows, key=st.sampled_from("abc"))
    def submit_with_key(self, key: str) -> object:
        made = self.db.apply(submit.submit, draft(self.at, [1], 1, [], key)) if self._rich(1) else None
        if made is None:
            return multiple()
        assert isinstance(made, Workflow)
        if self.keys.setdefault(key, made.id) != made.id:  # only a deleted workflow frees its key
            assert self.db.look(rows.of_account, 1, [self.keys[key]]) == []
            self.keys[key] = made.id
        return made.id

    @rule(target=promises)
    def promise(self) -> str:
        blob_id = new_id("blob")
        until = self.at + timedelta(seconds=30)
        item = Promise(blob_id=blob_id, account_id=1, mime="image/png", size=None, upload_until=until)
        self.db.apply(lambda tx, items: blobs.promise(tx, items, self.at), item)
        return blob_id

    @rule(target=workflows, blob_id=promises, jobs=st.lists(st.integers(1, 2), min_size=1, max_size=2))
    def submit_with_source(self, blob_id: str, jobs: list[int]) -> object:
        if not self.db.look(blobs.get, [blob_id]):
            return multiple()
        return self._submit(draft(self.at, jobs, 2, [blob_id], None))

    @rule(target=workflows, blob_id=promises, jobs=st.lists(st.integers(1, 2), min_size=1, max_size=2))
    def submit_to_be_priced(self, blob_id: str, jobs: list[int]) -> object:
        if not self.db.look(blobs.get, [blob_id]):
            return multiple()
        return self._submit(to_be_priced(draft(self.at, jobs, 4, [blob_id], None), blob_id))

    @rule(blob_id=promises, seconds=st.integers(0, 200))
    def upload(self, blob_id: str, seconds: int) -> None:
        item = Stored(
            blob_id=blob_id, key=f"u/{blob_id}", mime="image/png", size=3, sha256="00", duration_ms=seconds * 1000
        )
        promised = self.db.look(blobs.get, [blob_id]).get(blob_id)
        good = promised is not None and promised.state == "promised"
        try:
            self.db.apply(advance.arrive, item)
            assert good
        except (NotFound, Conflict, Forbidden):
            assert not good

    @rule(target=attempts, limit=st.integers(1, 4))
    def claim(self, limit: int) -> object:
        wanted = advance.Claim(owner="me", slots=slots(limit, "noop", "pocketsphinx"), lease_s=20, at=self.at)
        return multiple(*self.db.apply(advance.claim, wanted))

    @rule(attempt=attempts)
    def start(self, attempt: Attempt) -> None:
        held = self._holds(attempt)
        item = advance.Started(job_id=attempt.job_id, attempt=attempt.attempt, at=self.at)
        assert self.db.apply(advance.start, item) is held

    @rule(attempt=consumes(attempts), again=st.booleans())
    def succeed(self, attempt: Attempt, again: bool) -> None:
        artifact = Artifact(blob_id=new_id("blob"), key=new_id("k"), mime="image/png", size=1, sha256="00")
        item = advance.Ended(
            job_id=attempt.job_id, attempt=attempt.attempt, at=self.at, started_at=self.at, artifacts=[artifact]
        )
        held = self._holds(attempt)
        assert self.db.apply(advance.finish, item) is held
        if again:  # the same end twice: the second one is fenced
            assert self.db.apply(advance.finish, item) is False

    @rule(attempt=consumes(attempts), retryable=st.booleans(), blameless=st.booleans())
    def fail(self, attempt: Attempt, retryable: bool, blameless: bool) -> None:
        failure = Failure(reason="broken", message="broken", retryable=retryable, blameless=blameless)
        item = advance.Ended(
            job_id=attempt.job_id, attempt=attempt.attempt, at=self.at, failure=failure, max_attempts=2
        )
        held = self._holds(attempt)
        assert self.db.apply(advance.finish, item) is held

    @rule(workflow=workflows)
    def cancel(self, workflow: str) -> None:
        if self.db.look(rows.of_account, 1, [workflow]):
            item = amend.Amendment(
                account_id=1, workflow_id=workflow, at=self.at, update=WorkflowUpdate(status="canceled")
            )
            shown = self.db.apply(amend.amend, item)
            assert isinstance(shown, Workflow)
            assert shown.status.terminal

    @rule(workflow=consumes(workflows))
    def delete(self, workflow: str) -> None:
        if self.db.look(rows.of_account, 1, [workflow]):
            self.db.apply(amend.delete, amend.Deletion(account_id=1, workflow_id=workflow, at=self.at))
            assert self.db.look(rows.of_account, 1, [workflow]) == []

    @rule(seconds=st.integers(1, 40))
    def time_passes(self, seconds: int) -> None:
        self.at += timedelta(seconds=seconds)
        self.db.apply(advance.expire, self.at)
        self.db.apply(advance.lost, advance.Sweep(at=self.at))

    # ── what always holds ─────────────────────────────────────────────────────

    @invariant()
    def the_books_are_right(self) -> None:
        assert self.db.look(audit.check) == []

    @invariant()
    def prices_never_rise(self) -> None:
        for job in (job for w in self.db.look(_everything) for step in w.steps for job in step.jobs):
            assert job.cost <= self.prices.get(job.id, job.cost)
            self.prices[job.id] = job.cost

    @invariant()
    def statuses_follow_from_jobs(self) -> None:
        for w in self.db.look(_everything):
            assert [s.status for s in w.steps] == [roll_up(j.status for j in s.jobs) for s in w.steps]
            assert w.status is roll_up_steps(s.status for s in w.steps)
            assert (w.completed_at is not None) is w.status.terminal

    @invariant()
    def terminal_is_final(self) -> None:
        for w in self.db.look(_everything):
            if w.status.terminal:
                assert self.ended.setdefault(w.id, w.status) is w.status

    @invariant()
    def the_queue_holds_what_may_run(self) -> None:
        queued = self.db.look(lambda tx: {r["job_id"] for r in tx.all("SELECT job_id FROM queued_jobs")})
        waiting = self.db.look(lambda tx: {(r["workflow_id"], r["step"]) for r in tx.all("SELECT * FROM waits")})
        jobs = [j for w in self.db.look(_everything) for s in w.steps for j in s.jobs]
        may_run = {j.id for j in jobs if not j.status.terminal and (j.workflow_id, j.step) not in waiting}
        assert queued == may_run

    @invariant()
    def events_are_in_order(self) -> None:
        found = self.db.look(lambda tx: tx.all("SELECT workflow_id, seq, body FROM events ORDER BY workflow_id, seq"))
        told: dict[str, list[str]] = {}
        for n, row in enumerate(found):
            first = n == 0 or found[n - 1]["workflow_id"] != row["workflow_id"]
            assert row["seq"] == (0 if first else found[n - 1]["seq"] + 1)
            body = json.loads(row["body"])
            if body["$type"] == "workflow":
                told.setdefault(row["workflow_id"], []).append(body["status"])
        for w in self.db.look(_everything):
            statuses = told[w.id]
            assert statuses[-1] == w.status
            assert all(not Status(s).terminal for s in statuses[:-1])
            if w.status is Status.SUCCEEDED:
                assert statuses.count("processing") >= 1
                assert statuses.index("processing") < len(statuses) - 1

    # ── helpers ───────────────────────────────────────────────────────────────

    def _submit(self, wanted: Draft) -> object:
        rich = self._rich(wanted.new.workflow.cost)
        try:
            made = self.db.apply(submit.submit, wanted)
        except InsufficientBuzz:
            assert not rich
            return multiple()
        except InvalidRequest:
            assert wanted.sources
            assert self.db.look(rows.get, [wanted.new.workflow.id]) == []
            return multiple()
        assert isinstance(made, Workflow)
        assert rich or made.cost < wanted.new.workflow.cost
        return made.id

    def _rich(self, cost: int) -> bool:
        row = self.db.look(lambda tx: tx.one("SELECT available FROM balances WHERE account_id = 1"))
        assert row is not None
        return row["available"] >= cost

    def _holds(self, attempt: Attempt) -> bool:
        pair = (attempt.job_id, attempt.attempt)
        return pair in self.db.look(queue.leases, [pair])


def _everything(tx: Tx) -> list[Workflow]:
    return rows.get(tx, [row["id"] for row in tx.all("SELECT id FROM workflows")])


@pytest.mark.slow
def test_life(new_dialect: Callable[[], Dialect]) -> None:
    shared = new_dialect().shared
    paced = settings(
        max_examples=15 if shared else 150,
        stateful_step_count=30 if shared else 40,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    run_state_machine_as_test(lambda: Life(new_dialect()), settings=paced)
