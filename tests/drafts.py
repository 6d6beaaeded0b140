"""Planned workflows for tests of the verbs: any number of steps and jobs, without a step type or an engine."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from heddle.domain import Callback, Job, Priority, Status, Step, Workflow, new_id
from heddle.matching import SlotReport
from heddle.steps import Source
from heddle.workflows.planning import Draft
from heddle.workflows.rows import NewWorkflow


def slots(count: int, *engines: str) -> list[SlotReport]:
    """So many idle slots, for a claim; of the engine `noop` when none is named."""
    return [SlotReport(name=f"slot-{n}", engines=frozenset(engines or {"noop"})) for n in range(count)]


def to_be_priced(wanted: Draft, source: str) -> Draft:
    """The same as transcripts of a source, whose length decides the price once it is there."""
    steps = [
        replace(
            step,
            type="transcribe",
            jobs=[replace(job, engine="pocketsphinx", payload={"media": source}) for job in step.jobs],
        )
        for step in wanted.new.workflow.steps
    ]
    return replace(wanted, new=replace(wanted.new, workflow=replace(wanted.new.workflow, steps=steps)))


def draft(
    at: datetime, jobs_per_step: list[int], cost: int = 1, sources: list[str] | None = None, key: str | None = None
) -> Draft:
    """A workflow of account 1 with so many jobs in each step; the sources belong to every step."""
    wf = new_id("wf")
    sources = sources or []
    steps = [
        Step(
            workflow_id=wf,
            index=i,
            name=str(i),
            type="imageGen",
            status=Status.UNASSIGNED,
            priority=Priority.NORMAL,
            input={},
            timeout_s=10,
            jobs=[
                Job(
                    id=new_id("job"), workflow_id=wf, step=i, index=j, status=Status.UNASSIGNED,
                    engine="noop", payload={}, cost=cost,
                )
                for j in range(n)
            ],
        )
        for i, n in enumerate(jobs_per_step)
    ]  # fmt: skip
    workflow = Workflow(
        id=wf,
        account_id=1,
        status=Status.UNASSIGNED,
        tags=["t"],
        callbacks=[Callback(url="http://127.0.0.1:1/", events=frozenset({"workflow:*", "step:*", "job:*"}))],
        cost=sum(j.cost for s in steps for j in s.jobs),
        created_at=at,
        steps=steps,
    )
    inputs = {j.id: sources for s in steps for j in s.jobs}
    named = [(0, Source(blob_id=b, path="images[0]", media=("image",))) for b in sources]
    return Draft(new=NewWorkflow(workflow=workflow, idempotency_key=key, inputs=inputs), sources=named)
