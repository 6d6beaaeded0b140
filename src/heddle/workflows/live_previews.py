"""What running jobs show of their work: the table `live_previews`, one small picture for each job.

Only for those who look: never charged, never kept. A row goes with the job's place in the queue, and one of an attempt
that was lost is not shown any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from heddle import queue
from heddle.db import Tx, marks
from heddle.domain import Job, Status, Workflow, from_ms, to_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A small picture of what an attempt has so far."""

    job_id: str
    attempt: int
    data: bytes
    mime: str
    at: datetime


def keep(tx: Tx, items: Sequence[Shown]) -> list[None]:
    """Verb: the latest of each job in place of the one before; nothing of attempts that hold their job no more."""
    latest = {(item.job_id, item.attempt): item for item in items}
    held = queue.leases(tx, sorted(latest), lock=True)
    tx.many(
        "INSERT INTO live_previews (job_id, attempt, data, mime, shown_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (job_id) DO UPDATE SET attempt = excluded.attempt, data = excluded.data, mime = excluded.mime,"
        " shown_at = excluded.shown_at",
        [_row(latest[pair]) for pair in sorted(held)],
    )
    return [None] * len(items)


def _row(shown: Shown) -> tuple[object, ...]:
    return (shown.job_id, shown.attempt, shown.data, shown.mime, to_ms(shown.at))


def times(tx: Tx, workflows: Iterable[Workflow]) -> dict[str, datetime]:
    """When running jobs of these workflows showed something last."""
    attempts = {j.id: j.attempt for w in workflows for s in w.steps for j in s.jobs if j.status is Status.PROCESSING}
    if not attempts:
        return {}
    found = tx.all(
        f"SELECT job_id, attempt, shown_at FROM live_previews WHERE job_id IN ({marks(list(attempts))})",  # noqa: S608
        list(attempts),
    )
    moments = {row["job_id"]: from_ms(row["shown_at"]) for row in found if attempts[row["job_id"]] == row["attempt"]}
    return {job_id: at for job_id, at in moments.items() if at is not None}


def get(tx: Tx, job: Job) -> Shown | None:
    """What a job shows in its present attempt, while it runs."""
    if job.status is not Status.PROCESSING:
        return None
    row = tx.one("SELECT * FROM live_previews WHERE job_id = ? AND attempt = ?", (job.id, job.attempt))
    at = from_ms(row["shown_at"]) if row else None
    if row is None or at is None:
        return None
    return Shown(job_id=job.id, attempt=job.attempt, data=bytes(row["data"]), mime=row["mime"], at=at)
