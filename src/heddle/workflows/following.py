"""Steps that follow others: when they may run, and what they then work on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from heddle.db import Tx
from heddle.domain import Job, Status, Step, Workflow
from heddle.steps import outputs
from heddle.workflows import references, rows
from heddle.workflows.references import Resolver, Unresolved
from heddle.workflows.rows import JobEnd, JobState


@dataclass(frozen=True, slots=True)
class Doom:
    """A step that will never run, because of another one that did not succeed."""

    step: int
    because: Step


def may_run(step: Step, steps: Sequence[Step]) -> bool:
    """Whether every step that it follows has succeeded."""
    return all(steps[i].status is Status.SUCCEEDED for i in step.follows)


def freed(steps: Sequence[Step], ended: frozenset[int]) -> set[int]:
    """Steps that may run since `ended` have; those that wait for uploads as well are `preparing`, and wait on."""
    waiting = (s for s in steps if s.status is Status.UNASSIGNED and not ended.isdisjoint(s.follows))
    return {s.index for s in waiting if may_run(s, steps)}


def doomed(steps: Sequence[Step], ended: frozenset[int]) -> list[Doom]:
    """Steps that can never run since `ended` have."""
    waiting = (s for s in steps if not s.status.terminal and not ended.isdisjoint(s.follows))
    causes = ((s, _cause(s, steps)) for s in waiting)
    return [Doom(s.index, cause) for s, cause in causes if cause is not None]


def _cause(step: Step, steps: Sequence[Step]) -> Step | None:
    before = (steps[i] for i in step.follows)
    return next((s for s in before if s.status.terminal and s.status is not Status.SUCCEEDED), None)


def ends(workflow_id: str, dooms: Sequence[Doom], waiting: Iterable[JobState], at: datetime) -> list[JobEnd]:
    """How the jobs of doomed steps end; `waiting` are those of their workflow that have not ended."""
    because = {doom.step: doom.because for doom in dooms}
    return [
        JobEnd(
            job_id=job.id,
            workflow_id=workflow_id,
            step=job.step,
            status=Status.CANCELED,
            reason="source_failed",
            message=f"it follows the step {because[job.step].name!r}, which is {because[job.step].status}",
            at=at,
        )
        for job in waiting
        if job.step in because
    ]


def fill(tx: Tx, free: Mapping[str, Iterable[int]], at: datetime) -> list[JobEnd]:
    """Put what steps gave into the payloads that refer to it; how those jobs end for which that cannot be done."""
    found = [w for w in rows.get(tx, list(free)) if any(w.steps[i].follows for i in free[w.id])]
    jobs = {job.id: job for w in found for i in free[w.id] if w.steps[i].follows for job in w.steps[i].jobs}
    resolvers = {w.id: _resolver(w, free[w.id]) for w in found}
    filled: list[tuple[str, dict[str, Any], list[str]]] = []
    failed: list[JobEnd] = []
    for job_id, (payload, inputs) in rows.payloads(tx, list(jobs)).items():
        job = jobs[job_id]
        try:
            filled.append((job_id, *resolvers[job.workflow_id].payload(payload, inputs)))
        except Unresolved as error:
            failed.append(_unresolved(job, str(error), at))
    rows.set_payloads(tx, filled)
    return failed


def _unresolved(job: Job, message: str, at: datetime) -> JobEnd:
    return JobEnd(
        job_id=job.id,
        workflow_id=job.workflow_id,
        step=job.step,
        status=Status.FAILED,
        reason="reference_unresolved",
        message=message,
        at=at,
    )


def _resolver(workflow: Workflow, free: Iterable[int]) -> Resolver:
    before = {i for step in free for i in workflow.steps[step].follows}
    given = {i: outputs.of(workflow.steps[i], references.link) or {} for i in before}
    made = {a.blob_id for i in before for job in workflow.steps[i].jobs for a in job.artifacts}
    return Resolver(given, frozenset(made))
