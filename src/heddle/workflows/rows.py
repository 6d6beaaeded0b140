"""Owns the tables workflows, workflow_tags, steps, jobs and waits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec

from heddle.db import Row, Tx, marks
from heddle.domain import (
    ACTIVE,
    JSON,
    TERMINAL,
    Artifact,
    Callback,
    Job,
    Needs,
    Priority,
    Status,
    Step,
    Workflow,
    first_id,
    from_ms,
    to_ms,
)

_encode = msgspec.json.Encoder().encode
_artifacts = msgspec.json.Decoder(list[Artifact])
_needs = msgspec.json.Decoder(Needs)
_callbacks = msgspec.json.Decoder(list[Callback])


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWorkflow:
    """A workflow about to be written, with what only its first transaction needs."""

    workflow: Workflow
    idempotency_key: str | None = None
    #: What was asked for, to tell a repeated submit from another one with the same key.
    request_hash: str | None = None
    #: Blob ids that each job may read, by job id.
    inputs: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    #: (step, blob id) pairs that must arrive before the step's jobs can run.
    waits: Sequence[tuple[int, str]] = ()
    #: The trace that what becomes of it belongs to.
    traceparent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """What rolling up needs to know of a job."""

    id: str
    workflow_id: str
    step: int
    status: Status
    cost: int
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnd:
    """How a job ended that never ran."""

    job_id: str
    workflow_id: str
    step: int
    status: Status
    reason: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What a dispatcher needs to run a job."""

    job_id: str
    engine: str
    payload: dict[str, Any]
    inputs: Sequence[str]
    timeout_s: float
    cost: int
    needs: Needs | None
    traceparent: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A job that succeeded: who asked for what and when, and how long it ran; nothing of what it made."""

    job_id: str
    account_id: int
    priority: Priority
    engine: str
    needs: Needs | None
    cost: int
    submitted_at: datetime
    started_at: datetime
    completed_at: datetime


# ── writing ───────────────────────────────────────────────────────────────────


def insert(tx: Tx, items: Sequence[NewWorkflow]) -> None:
    """Write new workflows with their steps, jobs, tags and waits: one statement per table."""
    tx.many(
        "INSERT INTO workflows (id, account_id, idempotency_key, request_hash, status, tags, callbacks, cost,"
        " created_at, traceparent) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                w.id,
                w.account_id,
                item.idempotency_key,
                item.request_hash,
                w.status,
                _text(w.tags),
                _text(w.callbacks),
                w.cost,
                to_ms(w.created_at),
                item.traceparent,
            )
            for item in items
            for w in (item.workflow,)
        ],
    )
    _insert_tags(tx, [(i.workflow.account_id, tag, i.workflow.id) for i in items for tag in set(i.workflow.tags)])
    steps = [s for i in items for s in i.workflow.steps]
    tx.many(
        "INSERT INTO steps (workflow_id, idx, name, type, status, priority, input, timeout_s, follows)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(s.workflow_id, s.index, s.name, s.type, s.status, s.priority, _text(s.input), s.timeout_s),
                _text(s.follows),
            )
            for s in steps
        ],
    )
    tx.many(
        "INSERT INTO jobs (id, workflow_id, step, idx, status, engine, payload, inputs, cost, needs, attempt)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
        [
            (
                *(j.id, j.workflow_id, j.step, j.index, j.status, j.engine),
                *(_text(j.payload), _text(i.inputs[j.id]), j.cost, _text(j.needs) if j.needs else None),
            )
            for i in items
            for s in i.workflow.steps
            for j in s.jobs
        ],
    )
    tx.many(
        "INSERT INTO waits (workflow_id, step, blob_id) VALUES (?, ?, ?)",
        [(i.workflow.id, step, blob_id) for i in items for step, blob_id in i.waits],
    )


def lock(tx: Tx, workflow_ids: Iterable[str]) -> bool:
    """Keep workflows until the commit: whoever moves one sees what the others did to it, one after the other.

    False where only one writes at a time and nothing has to be kept. In one order, so that two never wait for each
    other; a verb that takes blobs takes them first, and balances and events come after.
    """
    ids = sorted(set(workflow_ids))
    if not tx.for_update or not ids:
        return False
    tx.all(f"SELECT id FROM workflows WHERE id IN ({marks(ids)}) ORDER BY id{tx.for_update}", ids)  # noqa: S608
    return True


def set_jobs(tx: Tx, changes: Iterable[tuple[str, Status, int, datetime | None, datetime | None]]) -> None:
    """Move jobs: (id, status, attempt, started, completed)."""
    tx.many(
        "UPDATE jobs SET status = ?, attempt = ?, started_at = COALESCE(?, started_at), completed_at = ? WHERE id = ?",
        [(status, attempt, _ms(started), _ms(done), job_id) for job_id, status, attempt, started, done in changes],
    )


def set_results(
    tx: Tx, results: Iterable[tuple[str, Sequence[Artifact], str | None, str | None, Sequence[str]]]
) -> None:
    """What came out of jobs: (id, artifacts, reason, message, log lines)."""
    tx.many(
        "UPDATE jobs SET artifacts = ?, reason = ?, message = ?, log = ? WHERE id = ?",
        [
            (_text(artifacts) if artifacts else None, reason, message, "\n".join(log) or None, job_id)
            for job_id, artifacts, reason, message, log in results
        ],
    )


def set_steps(tx: Tx, changes: Iterable[tuple[str, int, Status, datetime | None, datetime | None]]) -> None:
    """Move steps: (workflow, index, status, started, completed)."""
    tx.many(
        "UPDATE steps SET status = ?, started_at = COALESCE(started_at, ?), completed_at = ?"
        " WHERE workflow_id = ? AND idx = ?",
        [(status, _ms(started), _ms(done), wf, idx) for wf, idx, status, started, done in changes],
    )


def set_workflows(tx: Tx, changes: Iterable[tuple[str, Status, datetime | None, datetime | None, str | None]]) -> None:
    """Move workflows: (id, status, started, completed, reason)."""
    tx.many(
        "UPDATE workflows SET status = ?, started_at = COALESCE(started_at, ?), completed_at = ?, reason = ?"
        " WHERE id = ?",
        [(status, _ms(started), _ms(done), reason, wf) for wf, status, started, done, reason in changes],
    )


def end_jobs(tx: Tx, workflow_ids: Sequence[str], *, status: Status, reason: str, message: str, at: datetime) -> None:
    """End every unfinished job of these workflows."""
    tx.run(
        "UPDATE jobs SET status = ?, reason = ?, message = ?, completed_at = ?"  # noqa: S608
        f" WHERE workflow_id IN ({marks(workflow_ids)}) AND status IN ({marks(ACTIVE)})",
        [status, reason, message, to_ms(at), *workflow_ids, *ACTIVE],
    )
    tx.run(f"DELETE FROM waits WHERE workflow_id IN ({marks(workflow_ids)})", workflow_ids)  # noqa: S608


def end_waiting(tx: Tx, ends: Iterable[JobEnd]) -> None:
    """End jobs that never ran, and what their steps waited for."""
    listed = list(ends)
    tx.many(
        "UPDATE jobs SET status = ?, reason = ?, message = ?, completed_at = ? WHERE id = ?",
        [(e.status, e.reason, e.message, to_ms(e.at), e.job_id) for e in listed],
    )
    steps = sorted({(e.workflow_id, e.step) for e in listed})
    tx.many("DELETE FROM waits WHERE workflow_id = ? AND step = ?", steps)


def payloads(tx: Tx, job_ids: Sequence[str]) -> dict[str, tuple[dict[str, Any], list[str]]]:
    """What jobs are to work on: payload and input blobs."""
    if not job_ids:
        return {}
    found = tx.all(f"SELECT id, payload, inputs FROM jobs WHERE id IN ({marks(job_ids)})", job_ids)  # noqa: S608
    return {row["id"]: (msgspec.json.decode(row["payload"]), msgspec.json.decode(row["inputs"])) for row in found}


def set_payloads(tx: Tx, changes: Iterable[tuple[str, JSON, Sequence[str]]]) -> None:
    """Give jobs something else to work on: (id, payload, input blobs)."""
    tx.many(
        "UPDATE jobs SET payload = ?, inputs = ? WHERE id = ?",
        [(_text(payload), _text(inputs), job_id) for job_id, payload, inputs in changes],
    )


def set_costs(tx: Tx, changes: Iterable[tuple[str, int]]) -> None:
    """What jobs cost when they succeed: (id, Buzz). Never more than before, or the hold would not be enough."""
    tx.many("UPDATE jobs SET cost = ? WHERE id = ? AND cost > ?", [(cost, job_id, cost) for job_id, cost in changes])


def set_tags(tx: Tx, workflow: Workflow, tags: Sequence[str]) -> None:
    """Give a workflow other tags."""
    tx.run("UPDATE workflows SET tags = ? WHERE id = ?", (_text(tags), workflow.id))
    tx.run("DELETE FROM workflow_tags WHERE workflow_id = ?", (workflow.id,))
    _insert_tags(tx, [(workflow.account_id, tag, workflow.id) for tag in set(tags)])


def delete(tx: Tx, workflow_ids: Sequence[str], at: datetime) -> None:
    """Hide workflows from their account; the ledger keeps what they cost, and its idempotency key stays taken."""
    tx.run(
        f"UPDATE workflows SET deleted_at = ? WHERE id IN ({marks(workflow_ids)})",  # noqa: S608
        [to_ms(at), *workflow_ids],
    )
    tx.run(f"DELETE FROM workflow_tags WHERE workflow_id IN ({marks(workflow_ids)})", workflow_ids)  # noqa: S608


def remove(tx: Tx, workflow_ids: Sequence[str]) -> None:
    """Take workflows out for good, with all that hangs on them."""
    if not workflow_ids:
        return
    these = marks(workflow_ids)
    tx.run(f"DELETE FROM workflow_tags WHERE workflow_id IN ({these})", workflow_ids)  # noqa: S608
    tx.run(f"DELETE FROM waits WHERE workflow_id IN ({these})", workflow_ids)  # noqa: S608
    tx.run(f"DELETE FROM jobs WHERE workflow_id IN ({these})", workflow_ids)  # noqa: S608
    tx.run(f"DELETE FROM steps WHERE workflow_id IN ({these})", workflow_ids)  # noqa: S608
    tx.run(f"DELETE FROM workflows WHERE id IN ({these})", workflow_ids)  # noqa: S608


def arrived(tx: Tx, blob_ids: Sequence[str]) -> list[tuple[str, int]]:
    """Blobs are there: returns the (workflow, step) pairs that now wait for nothing more."""
    if tx.for_update:
        # Two blobs of one step may arrive at once, and one of them must see that it is the last.
        found = tx.all(f"SELECT DISTINCT workflow_id FROM waits WHERE blob_id IN ({marks(blob_ids)})", blob_ids)  # noqa: S608
        lock(tx, [row["workflow_id"] for row in found])
    waiting = tx.all(
        f"DELETE FROM waits WHERE blob_id IN ({marks(blob_ids)}) RETURNING workflow_id, step",  # noqa: S608
        blob_ids,
    )
    touched = sorted({(row["workflow_id"], row["step"]) for row in waiting})
    left = _where_workflow(tx, "SELECT workflow_id, step FROM waits", sorted({workflow for workflow, _ in touched}))
    still = {(row["workflow_id"], row["step"]) for row in left}
    return [pair for pair in touched if pair not in still]


# ── reading ───────────────────────────────────────────────────────────────────


def get(tx: Tx, workflow_ids: Sequence[str], *, kept: bool = False) -> list[Workflow]:
    """Workflows with steps and jobs, in the order asked for; unknown ones are left out.

    With `kept`, those that were deleted are left out too.
    """
    found = {
        row["id"]: row
        for row in _where_workflow(tx, "SELECT * FROM workflows", workflow_ids, column="id")
        if not kept or row["deleted_at"] is None
    }
    jobs: dict[tuple[str, int], list[Job]] = defaultdict(list)
    for row in _where_workflow(tx, "SELECT * FROM jobs", list(found), order="workflow_id, step, idx"):
        jobs[row["workflow_id"], row["step"]].append(_job(row))
    steps: dict[str, list[Step]] = defaultdict(list)
    for row in _where_workflow(tx, "SELECT * FROM steps", list(found), order="workflow_id, idx"):
        steps[row["workflow_id"]].append(_step(row, jobs[row["workflow_id"], row["idx"]]))
    return [_workflow(found[wf], steps[wf]) for wf in workflow_ids if wf in found]


def of_account(tx: Tx, account_id: int, workflow_ids: Sequence[str]) -> list[Workflow]:
    """Those of the workflows that this account owns and has not deleted, without their steps."""
    found = _where_workflow(tx, "SELECT * FROM workflows", workflow_ids, column="id")
    return [_workflow(r, []) for r in found if r["account_id"] == account_id and r["deleted_at"] is None]


def query(
    tx: Tx, account_id: int, *, take: int, before: str | None, tags: Sequence[str], status: Status | None
) -> list[str]:
    """Ids of an account's workflows, newest first."""
    sql = ["SELECT w.id AS id FROM workflows w WHERE w.account_id = ? AND w.deleted_at IS NULL"]
    params: list[Any] = [account_id]
    if before is not None:
        sql.append("AND w.id < ?")
        params.append(before)
    if status is not None:
        sql.append("AND w.status = ?")
        params.append(status)
    for tag in tags:
        sql.append(
            "AND EXISTS (SELECT 1 FROM workflow_tags t WHERE t.account_id = ? AND t.tag = ? AND t.workflow_id = w.id)"
        )
        params += [account_id, tag]
    sql.append("ORDER BY w.id DESC LIMIT ?")
    return [row["id"] for row in tx.all(" ".join(sql), [*params, take])]


def by_idempotency_key(tx: Tx, keys: Sequence[tuple[int, str]]) -> dict[tuple[int, str], tuple[str, str | None]]:
    """Workflows that were submitted with these keys before: (id, request hash)."""
    if not keys:
        return {}
    accounts, texts = sorted({account for account, _ in keys}), sorted({key for _, key in keys})
    # Two lists and not a list of pairs, which SQLite answers by walking through the whole index.
    found = tx.all(
        "SELECT account_id, idempotency_key, id, request_hash FROM workflows WHERE idempotency_key IS NOT NULL"  # noqa: S608
        f" AND account_id IN ({marks(accounts)}) AND idempotency_key IN ({marks(texts)})",
        [*accounts, *texts],
    )
    return {(row["account_id"], row["idempotency_key"]): (row["id"], row["request_hash"]) for row in found}


def states(tx: Tx, workflow_ids: Sequence[str]) -> dict[str, list[JobState]]:
    """The jobs of workflows, as rolling up sees them."""
    found: dict[str, list[JobState]] = {wf: [] for wf in workflow_ids}
    for row in _where_workflow(
        tx, "SELECT id, workflow_id, step, status, cost, reason FROM jobs", workflow_ids, order="step, idx"
    ):
        found[row["workflow_id"]].append(
            JobState(
                id=row["id"],
                workflow_id=row["workflow_id"],
                step=row["step"],
                status=Status(row["status"]),
                cost=row["cost"],
                reason=row["reason"],
            )
        )
    return found


def heads(tx: Tx, workflow_ids: Sequence[str]) -> dict[str, Workflow]:
    """Workflows with their steps, without jobs."""
    steps: dict[str, list[Step]] = defaultdict(list)
    for row in _where_workflow(tx, "SELECT * FROM steps", workflow_ids, order="workflow_id, idx"):
        steps[row["workflow_id"]].append(_step(row, []))
    found = _where_workflow(tx, "SELECT * FROM workflows", workflow_ids, column="id")
    return {row["id"]: _workflow(row, steps[row["id"]]) for row in found}


def claimed(tx: Tx, job_ids: Sequence[str]) -> dict[str, Claimed]:
    """What is needed to run jobs."""
    if not job_ids:
        return {}
    found = tx.all(
        "SELECT j.id AS id, j.engine AS engine, j.payload AS payload, j.inputs AS inputs, j.cost AS cost,"  # noqa: S608
        " j.needs AS needs, s.timeout_s AS timeout_s,"
        " w.traceparent AS traceparent FROM jobs j JOIN workflows w ON w.id = j.workflow_id"
        " JOIN steps s ON s.workflow_id = j.workflow_id AND s.idx = j.step"
        f" WHERE j.id IN ({marks(job_ids)})",
        job_ids,
    )
    return {
        row["id"]: Claimed(
            job_id=row["id"],
            engine=row["engine"],
            payload=msgspec.json.decode(row["payload"]),
            inputs=msgspec.json.decode(row["inputs"]),
            timeout_s=row["timeout_s"],
            cost=row["cost"],
            needs=_needs.decode(row["needs"]) if row["needs"] else None,
            traceparent=row["traceparent"],
        )
        for row in found
    }


def waiting_for(tx: Tx, blob_ids: Sequence[str], limit: int) -> list[str]:
    """Up to `limit` workflows that wait for any of these blobs."""
    if not blob_ids:
        return []
    found = tx.all(
        f"SELECT DISTINCT workflow_id FROM waits WHERE blob_id IN ({marks(blob_ids)}) LIMIT ?",  # noqa: S608
        [*blob_ids, limit],
    )
    return [row["workflow_id"] for row in found]


def processing(tx: Tx, job_ids: Sequence[str]) -> set[str]:
    """Those of the jobs whose start was written."""
    if not job_ids:
        return set()
    found = tx.all(f"SELECT id FROM jobs WHERE status = ? AND id IN ({marks(job_ids)})", [Status.PROCESSING, *job_ids])  # noqa: S608
    return {row["id"] for row in found}


def waits_on(tx: Tx, blob_ids: Sequence[str]) -> dict[str, int]:
    """How many steps wait for each of these blobs."""
    if not blob_ids:
        return {}
    found = tx.all(
        f"SELECT blob_id, COUNT(*) AS n FROM waits WHERE blob_id IN ({marks(blob_ids)}) GROUP BY blob_id",  # noqa: S608
        blob_ids,
    )
    return {row["blob_id"]: row["n"] for row in found}


def ended_before(tx: Tx, moment: datetime, after: str, limit: int) -> list[str]:
    """The oldest workflows, after an id, that ended before a moment. Ids begin with theirs, so they are the index."""
    found = tx.all(
        "SELECT id FROM workflows WHERE id > ? AND id < ? AND completed_at < ?"  # noqa: S608
        f" ORDER BY id LIMIT ?{tx.skip_locked}",
        (after, first_id("wf", moment), to_ms(moment), limit),
    )
    return [row["id"] for row in found]


def made(tx: Tx, workflow_ids: Sequence[str]) -> list[str]:
    """The blobs that the jobs of these workflows made, with their previews."""
    found = _where_workflow(tx, "SELECT artifacts FROM jobs", workflow_ids)
    artifacts = [a for row in found if row["artifacts"] for a in _artifacts.decode(row["artifacts"])]
    return [one.blob_id for a in artifacts for one in (a, a.preview) if one is not None]


def inputs_of_unfinished(tx: Tx) -> set[str]:
    """The blobs that jobs which have not ended still want."""
    # CROSS: SQLite takes the tables in this order, and reads the open workflows rather than every job there ever was.
    found = tx.all(
        "SELECT j.inputs AS inputs FROM workflows w CROSS JOIN jobs j WHERE j.workflow_id = w.id"
        " AND w.completed_at IS NULL AND j.inputs <> '[]'"
    )
    return {blob_id for row in found for blob_id in msgspec.json.decode(row["inputs"])}


def open_of(tx: Tx, account_ids: Sequence[int]) -> dict[int, int]:
    """How many workflows of these accounts have not ended."""
    if not account_ids:
        return {}
    found = tx.all(
        "SELECT account_id, COUNT(*) AS n FROM workflows WHERE completed_at IS NULL"  # noqa: S608
        f" AND account_id IN ({marks(account_ids)}) GROUP BY account_id",
        account_ids,
    )
    return {row["account_id"]: row["n"] for row in found}


def logs(tx: Tx, workflow_id: str) -> list[tuple[str, str]]:
    """What engines wrote: (job id, lines)."""
    found = tx.all(
        "SELECT id, log FROM jobs WHERE workflow_id = ? AND log IS NOT NULL ORDER BY step, idx", (workflow_id,)
    )
    return [(row["id"], row["log"]) for row in found]


def unfinished(tx: Tx) -> dict[str, int]:
    """How many workflows are in each status that is not final; never reads those that ended."""
    found = tx.all("SELECT status, COUNT(*) AS n FROM workflows WHERE completed_at IS NULL GROUP BY status")
    return dict.fromkeys(map(str, ACTIVE), 0) | {row["status"]: row["n"] for row in found}


def durations(tx: Tx, limit: int, before: str | None = None) -> dict[str, tuple[int, int]]:
    """Of the `limit` newest jobs (made before that one), those that succeeded: engine -> (how many, milliseconds)."""
    newest = "SELECT engine, status, started_at, completed_at FROM jobs {} ORDER BY id DESC LIMIT ?"
    found = tx.all(
        "SELECT engine, COUNT(*) AS n, SUM(completed_at - started_at) AS ms"  # noqa: S608
        f" FROM ({newest.format('' if before is None else 'WHERE id < ?')}) AS newest"
        " WHERE status = 'succeeded' AND started_at IS NOT NULL AND completed_at IS NOT NULL GROUP BY engine",
        [limit] if before is None else [before, limit],
    )
    return {row["engine"]: (row["n"], int(row["ms"])) for row in found}


def ran(tx: Tx, after: str, limit: int) -> list[Ran]:
    """Jobs that succeeded, by id, from behind `after` on."""
    found = tx.all(
        "SELECT j.id, w.account_id, s.priority, j.engine, j.needs, j.cost, w.created_at, j.started_at, j.completed_at"
        " FROM jobs j JOIN workflows w ON w.id = j.workflow_id"
        " JOIN steps s ON s.workflow_id = j.workflow_id AND s.idx = j.step"
        " WHERE j.id > ? AND j.status = 'succeeded' AND j.started_at IS NOT NULL AND j.completed_at IS NOT NULL"
        " ORDER BY j.id LIMIT ?",
        (after, limit),
    )
    return [_ran(row) for row in found]


def _ran(row: Row) -> Ran:
    return Ran(
        job_id=row["id"],
        account_id=row["account_id"],
        priority=Priority(row["priority"]),
        engine=row["engine"],
        needs=_needs.decode(row["needs"]) if row["needs"] else None,
        cost=row["cost"],
        submitted_at=_moment(row["created_at"]),
        started_at=_moment(row["started_at"]),
        completed_at=_moment(row["completed_at"]),
    )


def _moment(ms: int) -> datetime:
    moment = from_ms(ms)
    assert moment is not None
    return moment


def costs(tx: Tx) -> list[tuple[str, bool, int]]:
    """Every workflow: (id, whether it ended, what it costs)."""
    return [(r["id"], r["status"] in TERMINAL, r["cost"]) for r in tx.all("SELECT id, status, cost FROM workflows")]


def earned(tx: Tx) -> dict[str, int]:
    """What the succeeded jobs of workflows cost together, where there are any."""
    found = tx.all(
        "SELECT workflow_id, SUM(cost) AS earned FROM jobs WHERE status = ? GROUP BY workflow_id", (Status.SUCCEEDED,)
    )
    return {row["workflow_id"]: int(row["earned"]) for row in found}


def with_progress(workflow: Workflow, done: Mapping[str, float], shown: Mapping[str, datetime]) -> Workflow:
    """A workflow whose running jobs say how far they are, and when they showed something last."""

    def running(job: Job) -> Job:
        return replace(job, progress=done.get(job.id), previewed_at=shown.get(job.id))

    return replace(workflow, steps=[replace(s, jobs=[running(job) for job in s.jobs]) for s in workflow.steps])


def _insert_tags(tx: Tx, tags: Sequence[tuple[int, str, str]]) -> None:
    tx.many("INSERT INTO workflow_tags (account_id, tag, workflow_id) VALUES (?, ?, ?)", tags)


def _where_workflow(
    tx: Tx, select: str, workflow_ids: Sequence[str], *, column: str = "workflow_id", order: str = ""
) -> list[Row]:
    if not workflow_ids:
        return []
    ordered = f" ORDER BY {order}" if order else ""
    return tx.all(f"{select} WHERE {column} IN ({marks(workflow_ids)}){ordered}", list(workflow_ids))


def _text(value: object) -> str:
    return _encode(value).decode()


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else to_ms(moment)


def _workflow(row: Row, steps: Sequence[Step]) -> Workflow:
    created = from_ms(row["created_at"])
    assert created is not None
    return Workflow(
        id=row["id"],
        account_id=row["account_id"],
        status=Status(row["status"]),
        tags=msgspec.json.decode(row["tags"]),
        callbacks=_callbacks.decode(row["callbacks"]),
        cost=row["cost"],
        created_at=created,
        started_at=from_ms(row["started_at"]),
        completed_at=from_ms(row["completed_at"]),
        reason=row["reason"],
        steps=steps,
    )


def _step(row: Row, jobs: Sequence[Job]) -> Step:
    given: JSON = msgspec.json.decode(row["input"])
    return Step(
        workflow_id=row["workflow_id"],
        index=row["idx"],
        name=row["name"],
        type=row["type"],
        status=Status(row["status"]),
        priority=Priority(row["priority"]),
        input=given,
        timeout_s=row["timeout_s"],
        follows=() if row["follows"] == "[]" else msgspec.json.decode(row["follows"]),
        started_at=from_ms(row["started_at"]),
        completed_at=from_ms(row["completed_at"]),
        jobs=jobs,
    )


def _job(row: Row) -> Job:
    return Job(
        id=row["id"],
        workflow_id=row["workflow_id"],
        step=row["step"],
        index=row["idx"],
        status=Status(row["status"]),
        engine=row["engine"],
        payload={},
        cost=row["cost"],
        needs=_needs.decode(row["needs"]) if row["needs"] else None,
        attempt=row["attempt"],
        started_at=from_ms(row["started_at"]),
        completed_at=from_ms(row["completed_at"]),
        artifacts=_artifacts.decode(row["artifacts"]) if row["artifacts"] else (),
        reason=row["reason"],
        message=row["message"],
    )
