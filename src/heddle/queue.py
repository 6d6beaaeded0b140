"""The queue. Owns the table queued_jobs: unfinished jobs, and who holds each by a lease.

A claim gives an attempt number; (job, attempt) is the fence: whoever comes back with an older one changes nothing.
Finishing a job deletes its row, so the table stays as small as the backlog.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from heddle.db import Row, Tx, marks, rows
from heddle.domain import to_ms

Pair = tuple[str, int]

#: The columns of a lease.
_LEASE = "job_id, workflow_id, account_id, attempt, failures, losses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A job that may run."""

    job_id: str
    workflow_id: str
    account_id: int
    engine: str
    band: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A claimed job. `attempt` counts from 1; `failures` are those the job itself ruined, `losses` the server's."""

    job_id: str
    workflow_id: str
    account_id: int
    attempt: int
    failures: int
    losses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How many jobs of an engine are `ready`, wait for a `later` moment, or are `claimed`; and the oldest one's id."""

    engine: str
    state: str
    jobs: int
    oldest: str


def enqueue(tx: Tx, entries: Sequence[Entry]) -> None:
    """Make jobs claimable at once.

    `run_at` is 0, not the time: a clock that is set back must not hide jobs. Their order is that of their ids.
    """
    if not entries:
        return
    tx.many(
        "INSERT INTO queued_jobs (job_id, workflow_id, account_id, engine, band, run_at, attempt, failures,"
        " losses) VALUES (?, ?, ?, ?, ?, 0, 0, 0, 0)",
        [(e.job_id, e.workflow_id, e.account_id, e.engine, e.band) for e in entries],
    )
    tx.wake("queue")


def claim(
    tx: Tx, owner: str, limit: int, until: datetime, at: datetime, engines: Sequence[str] | None = None
) -> list[Lease]:
    """Take up to `limit` jobs (of these engines): by priority, then by age. Claimers pass each other."""
    of_engines = f" AND engine IN ({marks(engines)})" if engines is not None else ""
    found = tx.all(
        "WITH ready AS MATERIALIZED ("  # noqa: S608 - asked once, where a subquery might be asked again for each row
        f"SELECT job_id FROM queued_jobs WHERE owner IS NULL AND run_at <= ?{of_engines}"
        f" ORDER BY band, job_id LIMIT ?{tx.skip_locked})"
        " UPDATE queued_jobs SET owner = ?, lease_until = ?, attempt = attempt + 1"
        " WHERE job_id IN (SELECT job_id FROM ready)"
        f" RETURNING {_LEASE}, band",
        (to_ms(at), *(engines or ()), limit, owner, to_ms(until)),
    )
    # RETURNING gives no order.
    return [_lease(row) for row in sorted(found, key=lambda r: (r["band"], r["job_id"]))]


def renew(tx: Tx, owner: str, pairs: Sequence[Pair], until: datetime) -> set[Pair]:
    """Extend leases; returns those that are still held. The others were canceled or taken away: stop them."""
    if not pairs:
        return set()
    these, params = _these(pairs)
    _lock(tx, these, params)
    kept = tx.all(
        f"UPDATE queued_jobs SET lease_until = ? WHERE owner = ? AND {these}"  # noqa: S608
        " RETURNING job_id, attempt",
        [to_ms(until), owner, *params],
    )
    return {(row["job_id"], row["attempt"]) for row in kept}


def held(tx: Tx, owner: str) -> set[Pair]:
    """What an owner holds now."""
    found = tx.all("SELECT job_id, attempt FROM queued_jobs WHERE owner = ?", (owner,))
    return {(row["job_id"], row["attempt"]) for row in found}


def finish(tx: Tx, pairs: Sequence[Pair]) -> dict[Pair, Lease]:
    """Take ended attempts out; returns those that held the lease. The others are fenced: discard their results."""
    if not pairs:
        return {}
    these, params = _these(pairs)
    _lock(tx, these, params)
    ended = tx.all(
        f"DELETE FROM queued_jobs WHERE owner IS NOT NULL AND {these}"  # noqa: S608
        f" RETURNING {_LEASE}",
        params,
    )
    return {(row["job_id"], row["attempt"]): _lease(row) for row in ended}


def release(tx: Tx, leases: Iterable[tuple[Lease, datetime | None]]) -> None:
    """Hand attempts back, each with its new counts and the time of its next try (None: at once)."""
    given = [
        (lease.failures, lease.losses, 0 if at is None else to_ms(at), lease.job_id, lease.attempt)
        for lease, at in leases
    ]
    if not given:
        return
    these, params = _these([(job_id, attempt) for *_, job_id, attempt in given])
    _lock(tx, these, params)
    tx.many(
        "UPDATE queued_jobs SET owner = NULL, lease_until = NULL, progress = NULL, failures = ?, losses = ?, run_at = ?"
        " WHERE job_id = ? AND attempt = ?",
        given,
    )
    tx.wake("queue")


def leases(tx: Tx, pairs: Sequence[Pair]) -> dict[Pair, Lease]:
    """Those of the pairs that hold their lease."""
    if not pairs:
        return {}
    these, params = _these(pairs)
    found = tx.all(
        f"SELECT {_LEASE} FROM queued_jobs"  # noqa: S608
        f" WHERE owner IS NOT NULL AND {these}",
        params,
    )
    return {(row["job_id"], row["attempt"]): _lease(row) for row in found}


def lost(tx: Tx, at: datetime, limit: int, *, not_by: str | None = None) -> list[Lease]:
    """Leases that ran out; with `not_by`, every lease of another owner (the embedded server, which is alone)."""
    if not_by is not None:
        found = tx.all(
            f"SELECT {_LEASE} FROM queued_jobs WHERE owner IS NOT NULL AND owner <> ? LIMIT ?",  # noqa: S608
            (not_by, limit),
        )
    else:
        found = tx.all(
            f"SELECT {_LEASE} FROM queued_jobs"  # noqa: S608
            " WHERE owner IS NOT NULL AND lease_until < ? ORDER BY lease_until LIMIT ?",
            (to_ms(at), limit),
        )
    return [_lease(row) for row in found]


def remove(tx: Tx, workflow_ids: Sequence[str]) -> None:
    """Take every job of these workflows out, running ones too: their results will be fenced."""
    if not workflow_ids:
        return
    these = f"workflow_id IN ({marks(workflow_ids)})"
    _lock(tx, these, workflow_ids)
    tx.run(f"DELETE FROM queued_jobs WHERE {these}", workflow_ids)  # noqa: S608
    tx.wake("leases")


def note_progress(tx: Tx, items: Sequence[tuple[str, int, float]]) -> list[None]:
    """Keep how far running jobs are; never the truth, only for those who look."""
    latest = {(job_id, attempt): fraction for job_id, attempt, fraction in items}
    these, params = _these(sorted(latest))
    _lock(tx, these, params)
    tx.many(
        "UPDATE queued_jobs SET progress = ? WHERE job_id = ? AND attempt = ? AND owner IS NOT NULL",
        [(fraction, *pair) for pair, fraction in latest.items()],
    )
    return [None] * len(items)


def progress(tx: Tx, workflow_ids: Sequence[str]) -> dict[str, float]:
    """How far the running jobs of these workflows are."""
    if not workflow_ids:
        return {}
    found = tx.all(
        "SELECT job_id, progress FROM queued_jobs"  # noqa: S608
        f" WHERE progress IS NOT NULL AND workflow_id IN ({marks(workflow_ids)})",
        workflow_ids,
    )
    return {row["job_id"]: row["progress"] for row in found}


def depth(tx: Tx) -> int:
    """How many jobs wait or run."""
    row = tx.one("SELECT COUNT(*) AS n FROM queued_jobs")
    return row["n"] if row else 0


def standing(tx: Tx, at: datetime) -> list[Standing]:
    """What waits and what runs, by engine. Reads the whole table, which is as long as the backlog."""
    found = tx.all(
        "SELECT engine, CASE WHEN owner IS NOT NULL THEN 'claimed' WHEN run_at > ? THEN 'later' ELSE 'ready' END"
        " AS state, COUNT(*) AS n, MIN(job_id) AS oldest FROM queued_jobs GROUP BY 1, 2",
        (to_ms(at),),
    )
    return [Standing(engine=r["engine"], state=r["state"], jobs=r["n"], oldest=r["oldest"]) for r in found]


def next_at(tx: Tx, after: datetime) -> int | None:
    """When the next job that waits for its time may run, in milliseconds; None when none does."""
    row = tx.one(
        "SELECT MIN(run_at) AS at FROM queued_jobs WHERE owner IS NULL AND run_at > 0 AND run_at > ?", (to_ms(after),)
    )
    return row["at"] if row else None


def _lock(tx: Tx, these: str, params: Sequence[Any]) -> None:
    """Take rows in the order of their ids, so that two who change several never wait for each other."""
    if tx.for_update:
        tx.all(f"SELECT job_id FROM queued_jobs WHERE {these} ORDER BY job_id{tx.for_update}", params)  # noqa: S608


def _these(pairs: Sequence[Pair]) -> tuple[str, list[Any]]:
    """The condition for a list of pairs. The ids stand there twice, because SQLite finds no index for pairs alone."""
    values, params = rows(pairs)
    ids = [job_id for job_id, _ in pairs]
    return f"job_id IN ({marks(ids)}) AND (job_id, attempt) IN (VALUES {values})", [*ids, *params]


def _lease(row: Row) -> Lease:
    return Lease(
        job_id=row["job_id"],
        workflow_id=row["workflow_id"],
        account_id=row["account_id"],
        attempt=row["attempt"],
        failures=row["failures"],
        losses=row["losses"],
    )
