"""Submit: check the sources, hold the Buzz, write the rows, queue the jobs, emit. One transaction for a whole list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from heddle import blobs, ledger, queue
from heddle.blobs import Blob
from heddle.db import Tx
from heddle.domain import Job, Status, Step, Workflow, roll_up_steps
from heddle.errors import HeddleError, InvalidRequest
from heddle.steps import Source
from heddle.workflows import events, rows
from heddle.workflows.planning import Draft
from heddle.workflows.rows import NewWorkflow


def submit(tx: Tx, drafts: Sequence[Draft]) -> list[Workflow | HeddleError]:
    """Write every draft that may be written; the others get their refusal, and nothing of theirs is written."""
    outcomes: dict[int, Workflow | HeddleError] = dict(_seen_before(tx, drafts))
    checked = _check_sources(tx, {i: d for i, d in enumerate(drafts) if i not in outcomes}, outcomes)
    paid = _hold(tx, checked, outcomes)
    rows.insert(tx, list(paid.values()))
    queue.enqueue(tx, [entry for new in paid.values() for entry in entries(new.workflow)], _at(drafts))
    events.emit(tx, [events.of_workflow(new.workflow) for new in paid.values()], _at(drafts))
    outcomes |= {i: new.workflow for i, new in paid.items()}
    return [outcomes[i] for i in range(len(drafts))]


def entries(workflow: Workflow, steps: frozenset[int] | None = None) -> list[queue.Entry]:
    """The claimable jobs of a workflow: those of steps that wait for nothing (or of the steps named)."""
    return [
        queue.Entry(
            job_id=job.id,
            workflow_id=workflow.id,
            account_id=workflow.account_id,
            engine=job.engine,
            band=step.priority.band,
        )
        for step in workflow.steps
        if (step.status is Status.UNASSIGNED if steps is None else step.index in steps)
        for job in step.jobs
    ]


def _seen_before(tx: Tx, drafts: Sequence[Draft]) -> dict[int, Workflow]:
    """The same idempotency key again returns the workflow of the first time."""
    keyed = {
        i: (d.new.workflow.account_id, key) for i, d in enumerate(drafts) if (key := d.new.idempotency_key) is not None
    }
    known = rows.by_idempotency_key(tx, list(keyed.values()))
    found = {i: known[pair] for i, pair in keyed.items() if pair in known}
    if not found:
        return {}
    stored = {w.id: w for w in rows.get(tx, list(found.values()))}
    return {i: stored[workflow_id] for i, workflow_id in found.items()}


def _check_sources(
    tx: Tx, drafts: Mapping[int, Draft], outcomes: dict[int, Workflow | HeddleError]
) -> dict[int, NewWorkflow]:
    """Sources must exist and belong to the account; promised ones make their step wait."""
    known = blobs.get(tx, sorted({s.blob_id for d in drafts.values() for _, s in d.sources}))
    checked: dict[int, NewWorkflow] = {}
    for i, draft in drafts.items():
        workflow = draft.new.workflow
        problems = {
            f"steps[{step}].input.{source.path}": [problem]
            for step, source in draft.sources
            if (problem := _source_problem(source, known.get(source.blob_id), workflow))
        }
        if problems:
            first = next(iter(problems))
            outcomes[i] = InvalidRequest(f"{first}: {problems[first][0]}", problems)
            continue
        waits = sorted({(step, s.blob_id) for step, s in draft.sources if known[s.blob_id].state == "promised"})
        checked[i] = replace(draft.new, workflow=_waiting(workflow, {step for step, _ in waits}), waits=waits)
    return checked


def _source_problem(source: Source, blob: Blob | None, workflow: Workflow) -> str | None:
    if blob is None or blob.account_id != workflow.account_id:
        return f"there is no blob {source.blob_id!r}; upload one, or ask for an upload URL, and give its id"
    if blob.state == "promised" and blob.upload_until is not None and blob.upload_until <= workflow.created_at:
        return f"the upload URL of blob {source.blob_id!r} expired before the bytes came"
    if not blob.mime.startswith(f"{source.media}/"):
        return f"blob {source.blob_id!r} is {blob.mime}, and this must be {source.media}"
    return None


def _waiting(workflow: Workflow, steps: set[int]) -> Workflow:
    made = [_prepare(step) if step.index in steps else step for step in workflow.steps]
    return replace(workflow, steps=made, status=roll_up_steps(s.status for s in made))


def _prepare(step: Step) -> Step:
    jobs: list[Job] = [replace(job, status=Status.PREPARING) for job in step.jobs]
    return replace(step, status=Status.PREPARING, jobs=jobs)


def _hold(
    tx: Tx, checked: Mapping[int, NewWorkflow], outcomes: dict[int, Workflow | HeddleError]
) -> dict[int, NewWorkflow]:
    once = _first_of_key(checked, outcomes)
    holds = [
        ledger.Hold(account_id=n.workflow.account_id, workflow_id=n.workflow.id, amount=n.workflow.cost)
        for n in once.values()
    ]
    if not holds:
        return {}
    refusals = dict(zip(once, ledger.hold(tx, holds, next(iter(once.values())).workflow.created_at), strict=True))
    outcomes |= {i: refusal for i, refusal in refusals.items() if refusal is not None}
    return {i: new for i, new in once.items() if refusals[i] is None}


def _first_of_key(
    checked: Mapping[int, NewWorkflow], outcomes: dict[int, Workflow | HeddleError]
) -> dict[int, NewWorkflow]:
    """Two of one key in one batch: the second is answered with the first."""
    first: dict[tuple[int, str], int] = {}
    once: dict[int, NewWorkflow] = {}
    for i, new in checked.items():
        key = new.idempotency_key
        if key is None or first.setdefault((new.workflow.account_id, key), i) == i:
            once[i] = new
        else:
            outcomes[i] = checked[first[new.workflow.account_id, key]].workflow
    return once


def _at(drafts: Sequence[Draft]) -> datetime:
    return drafts[0].new.workflow.created_at
