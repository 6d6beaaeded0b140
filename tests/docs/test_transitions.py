"""Who takes which arrow: the table of docs/state_machine.md against what the verbs really do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from tests.docs.test_state_machine import rows as told
from tests.drafts import draft, slots

from heddle import blobs
from heddle.blobs import Promise, Stored
from heddle.contract.orchestration import WorkflowUpdate
from heddle.db import Database
from heddle.domain import Artifact, Workflow, new_id, now
from heddle.workflows import advance, amend, rows, submit
from heddle.workflows.advance import Attempt, Ended, Failure

AT = now()
#: Far enough that a slow test run does not reach it: an upload is measured by the real clock.
LATER = AT + timedelta(days=1)

Seen = set[tuple[str, str, str]]


class Story:
    """One workflow, and every change of a status that its verbs made."""

    def __init__(self, db: Database, seen: Seen) -> None:
        self._db = db
        self._seen = seen
        self._statuses: dict[tuple[str, int, int], str] = {}
        self._workflow = ""
        self._blob = new_id("blob")

    def submit(self, steps: int = 1, *, waits: bool = False) -> None:
        """Its first step waits for a promised blob, if at all."""
        if waits:
            promise = Promise(blob_id=self._blob, account_id=1, mime="image/png", size=None, upload_until=LATER)
            self._db.apply(lambda tx, items: blobs.promise(tx, items, AT), promise)
        made = self._db.apply(submit.submit, draft(AT, [1] * steps, 1, [self._blob] if waits else [], None))
        assert isinstance(made, Workflow)
        self._workflow = made.id
        self._look()

    def claim(self) -> Attempt:
        (attempt,) = self._db.apply(advance.claim, advance.Claim(owner="me", slots=slots(1), lease_s=20, at=LATER))
        return attempt

    def begin(self) -> Attempt:
        attempt = self.claim()
        self._db.apply(advance.start, advance.Started(job_id=attempt.job_id, attempt=attempt.attempt, at=AT))
        self._look()
        return attempt

    def succeed(self, attempt: Attempt) -> None:
        made = Artifact(blob_id=new_id("blob"), key=new_id("k"), mime="image/png", size=1, sha256="00")
        self._finish(Ended(job_id=attempt.job_id, attempt=attempt.attempt, at=AT, started_at=AT, artifacts=[made]))

    def fail(self, attempt: Attempt, *, retryable: bool = False) -> None:
        failure = Failure(reason="broken", message="broken", retryable=retryable)
        self._finish(Ended(job_id=attempt.job_id, attempt=attempt.attempt, at=AT, failure=failure))

    def lose(self) -> None:
        self._db.apply(advance.lost, advance.Sweep(at=LATER, not_by="another"))
        self._look()

    def arrive(self) -> None:
        self._db.apply(
            advance.arrive, Stored(blob_id=self._blob, key=f"u/{self._blob}", mime="image/png", size=3, sha256="00")
        )
        self._look()

    def expire(self) -> None:
        self._db.apply(advance.expire, LATER + timedelta(seconds=1))
        self._look()

    def cancel(self) -> None:
        wanted = amend.Amendment(
            account_id=1, workflow_id=self._workflow, at=AT, update=WorkflowUpdate(status="canceled")
        )
        self._db.apply(amend.amend, wanted)
        self._look()

    def _finish(self, ended: Ended) -> None:
        assert self._db.apply(advance.finish, ended)
        self._look()

    def _look(self) -> None:
        (workflow,) = self._db.look(rows.get, [self._workflow])
        now_: dict[tuple[str, int, int], str] = {("w", 0, 0): workflow.status}
        for step in workflow.steps:
            now_["s", step.index, 0] = step.status
            now_ |= {("j", step.index, job.index): job.status for job in step.jobs}
        for what, status in now_.items():
            before = self._statuses.get(what, status)
            if before != status:
                self._seen.add((what[0], str(before), str(status)))
        self._statuses = now_


def quick_success(story: Story) -> None:
    story.submit()
    story.succeed(story.claim())


def success(story: Story) -> None:
    story.submit()
    story.succeed(story.begin())


def quick_failure(story: Story) -> None:
    story.submit()
    story.fail(story.claim())


def failure(story: Story) -> None:
    story.submit()
    story.fail(story.begin())


def another_try(story: Story) -> None:
    story.submit()
    story.fail(story.begin(), retryable=True)


def lost(story: Story) -> None:
    story.submit()
    story.begin()
    story.lose()


def canceled_while_queued(story: Story) -> None:
    story.submit()
    story.cancel()


def canceled_while_waiting(story: Story) -> None:
    story.submit(waits=True)
    story.cancel()


def canceled_while_running(story: Story) -> None:
    story.submit()
    story.begin()
    story.cancel()


def arrived(story: Story) -> None:
    story.submit(waits=True)
    story.arrive()
    story.succeed(story.begin())


def never_came(story: Story) -> None:
    story.submit(waits=True)
    story.expire()


def never_came_while_another_step_was_queued(story: Story) -> None:
    story.submit(2, waits=True)
    story.expire()


def never_came_while_another_step_ran(story: Story) -> None:
    story.submit(2, waits=True)
    story.begin()
    story.expire()


def lost_while_another_step_waited(story: Story) -> None:
    story.submit(2, waits=True)
    story.begin()
    story.lose()


STORIES: Sequence[Callable[[Story], None]] = (
    quick_success,
    success,
    quick_failure,
    failure,
    another_try,
    lost,
    canceled_while_queued,
    canceled_while_waiting,
    canceled_while_running,
    arrived,
    never_came,
    never_came_while_another_step_was_queued,
    never_came_while_another_step_ran,
    lost_while_another_step_waited,
)


@pytest.fixture
def seen(db: Database) -> Seen:
    found: Seen = set()
    for tell in STORIES:
        story = Story(db, found)
        tell(story)
        story.cancel()  # leaves nothing in the queue for the next one
    return found


def test_the_table_says_what_happens(seen: Seen) -> None:
    expected = {(kind, one, other) for one, other, who, *_ in told() for kind in who.split() if kind != "none"}
    assert {("told, and does not happen", *arrow) for arrow in expected - seen} == set()
    assert {("happens, and is not told", *arrow) for arrow in seen - expected} == set()
