"""What a step gave, as its type says it: the API shows it as `output`, and other steps refer to its members."""

from __future__ import annotations

from functools import cache
from typing import Any

from heddle import registry
from heddle.contract import orchestration
from heddle.contract.orchestration import Link
from heddle.domain import Status, Step
from heddle.steps import Result, StepType


def of(step: Step, link: Link) -> dict[str, Any] | None:
    """The output of a step that succeeded; None when its type is not installed any more."""
    if step.type not in registry.targets("steps"):
        return None
    results = [
        Result(job=job.index, role=a.role, blob=orchestration.media(a, job.id, link), output=a.output)
        for job in step.jobs
        if job.status is Status.SUCCEEDED
        for a in job.artifacts
    ]
    return _type(step.type).output(results)


@cache
def _type(name: str) -> StepType:
    return registry.get("steps", name)()
