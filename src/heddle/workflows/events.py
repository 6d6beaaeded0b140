"""What happened, as webhook bodies: emit them to whoever subscribed, in the transaction that made it happen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from heddle import outbox
from heddle.contract import orchestration
from heddle.contract.orchestration import moment, present
from heddle.db import Tx
from heddle.domain import JSON, Artifact, Status, Step, Workflow
from heddle.steps import outputs
from heddle.workflows import rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A workflow, a step or a job moved to a status."""

    kind: Literal["workflow", "step", "job"]
    workflow: Workflow
    status: Status
    step: Step | None = None
    job_id: str | None = None
    reason: str | None = None


def of_workflow(workflow: Workflow) -> Change:
    """The change that brought a workflow into its status."""
    return Change(kind="workflow", workflow=workflow, status=workflow.status)


def emit(tx: Tx, changes: Iterable[Change], at: datetime) -> None:
    """Append an event for every change that an endpoint wants."""
    wanted = [(c, callback) for c in changes for callback in c.workflow.callbacks if callback.wants(c.kind, c.status)]
    if not wanted:
        return
    full = _full(tx, {c.workflow.id for c, callback in wanted if callback.detailed})
    outbox.append(
        tx,
        [
            outbox.Event(
                workflow_id=c.workflow.id,
                account_id=c.workflow.account_id,
                endpoint=callback.url,
                body=_body(c, full.get(c.workflow.id) if callback.detailed else None, at),
            )
            for c, callback in wanted
        ],
        at,
    )


def fill(body: JSON, link: Callable[[str], str]) -> JSON:
    """A stored body with fresh links: each blob that its jobs made gets the URL that `link` makes of its id."""
    details = body.get("details", {})
    steps = details.get("steps", [details])
    # Looked for in that place alone: what callers and engines wrote could look like somebody else's blob.
    made = {
        blob["blobId"]: blob.get("previewBlobId")
        for step in steps
        for job in step.get("jobs", ())
        for blob in job.get("result", {}).get("blobs", ())
    }
    return cast("JSON", _fill(body, made, link)) if made else body


def _fill(value: Any, made: Mapping[str, str | None], link: Callable[[str], str]) -> Any:
    if isinstance(value, Mapping):
        members = {k: _fill(v, made, link) for k, v in cast("JSON", value).items()}
        blob_id = members.get("blobId", members.get("id"))
        if isinstance(blob_id, str) and blob_id in made and "url" in members:
            members["url"] = link(blob_id)
            if "previewUrl" in members and (preview := made[blob_id]) is not None:
                members["previewUrl"] = link(preview)
        return members
    if isinstance(value, list):
        return [_fill(item, made, link) for item in cast("list[Any]", value)]
    return value


def _full(tx: Tx, workflow_ids: set[str]) -> dict[str, Workflow]:
    return {w.id: w for w in rows.get(tx, sorted(workflow_ids))}


def _body(change: Change, full: Workflow | None, at: datetime) -> dict[str, Any]:
    body: dict[str, Any] = {"$type": change.kind, "workflowId": change.workflow.id}
    if change.kind == "step" and change.step is not None:
        body |= {"name": change.step.name}
    if change.kind == "job" and change.step is not None:
        body |= {"stepName": change.step.name, "jobId": change.job_id}
    body |= {"status": change.status, "timestamp": moment(at), "reason": change.reason}
    if full is not None and change.kind != "job":
        body["details"] = _details(change, full)
    return present(body)


def _details(change: Change, full: Workflow) -> dict[str, Any]:
    steps: Sequence[dict[str, Any]] = [_shown(s) for s in full.steps]
    if change.step is not None:
        return steps[change.step.index]
    return present(
        {
            "createdAt": moment(full.created_at),
            "startedAt": moment(full.started_at),
            "completedAt": moment(full.completed_at),
            "steps": steps,
        }
    )


def _shown(step: Step) -> dict[str, Any]:
    return orchestration.step(step, _no_link, outputs.of)


def _no_link(_: Artifact) -> str:
    """Links are signed when an event is sent: a stored one would have expired by the last retry."""
    return ""
