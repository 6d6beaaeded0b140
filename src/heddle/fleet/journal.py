"""The journal of an attempt: what operators learn of it, as counts, as a line in the log, and as spans of a trace."""

from __future__ import annotations

import logging
from datetime import datetime

from heddle import metrics, traces
from heddle.domain import made_at
from heddle.fleet.messages import Done, Failed, Progress
from heddle.traces import Event, Value
from heddle.workflows.advance import Attempt

#: Reports of progress that one attempt leaves in its trace.
MOST_EVENTS = 500

#: Ends for which neither the engine nor the caller is to blame.
_LOST = frozenset({"attempt_lost", "handed_back", "no_worker", "worker_died", "worker_hung", "worker_stopped"})

log = logging.getLogger("heddle.jobs")


class Journal:
    """One attempt, from its claim to its end. Nothing is told before the end, so that nothing is left half open."""

    def __init__(self, attempt: Attempt, at: datetime) -> None:
        self._attempt = attempt
        self._claimed_at = at
        self._started_at: datetime | None = None
        self._events: list[Event] = []
        self._parent = traces.parse(attempt.traceparent or "")

    def started(self, at: datetime) -> None:
        """An engine begins."""
        self._started_at = at
        if self._attempt.attempt == 1:
            waited = (at - made_at(self._attempt.job_id)).total_seconds()
            metrics.job_waits.labels(self._attempt.engine).observe(max(0.0, waited))

    def progressed(self, said: Progress, at: datetime) -> None:
        """A step of the engine is done."""
        if self._parent is not None and self._parent.sampled and len(self._events) < MOST_EVENTS:
            self._events.append(Event(said.note or "progress", at, {"heddle.fraction": said.fraction}))

    def ended(self, end: Done | Failed, at: datetime) -> None:
        """However it ended; whether the job is tried again is decided later."""
        outcome, reason = _outcome(end)
        ran = (at - self._started_at).total_seconds() if self._started_at else 0.0
        metrics.job_attempts.labels(self._attempt.engine, outcome).inc()
        if self._started_at is not None:
            metrics.job_runs.labels(self._attempt.engine).observe(max(0.0, ran))
        if self._parent is not None:
            self._trace(self._parent, outcome, reason, at)
        if log.isEnabledFor(logging.INFO):
            self._log(outcome, reason, ran)

    def _trace(self, parent: traces.Context, outcome: str, reason: str, at: datetime) -> None:
        job = self._attempt
        about: dict[str, Value] = {
            "heddle.workflow.id": job.workflow_id,
            "heddle.job.id": job.job_id,
            "heddle.engine": job.engine,
            "heddle.attempt": job.attempt,
        }
        if job.attempt == 1:  # nobody knows since when a later one waited
            traces.record("queued", parent, made_at(job.job_id), self._claimed_at, attributes=about)
        told = about | {"heddle.outcome": outcome}
        here = traces.record("attempt", parent, self._claimed_at, at, attributes=told, error=reason)
        if self._started_at is not None:
            name = f"run {job.engine}"
            traces.record(name, here, self._started_at, at, attributes=told, events=self._events, error=reason)

    def _log(self, outcome: str, reason: str, ran: float) -> None:
        job = self._attempt
        more = {"engine": job.engine, "attempt": job.attempt, "outcome": outcome, "duration_ms": round(ran * 1e3)}
        extra = {
            "event": "attempt_ended",
            "workflow_id": job.workflow_id,
            "job_id": job.job_id,
            "trace_id": self._parent.trace_id if self._parent else None,
            "more": {**more, **({"reason": reason} if reason else {})},
        }
        log.info("attempt %d of %s by %s %s", job.attempt, job.job_id, job.engine, outcome, extra=extra)


def _outcome(end: Done | Failed) -> tuple[str, str]:
    """One of four words, and the reason where there is one: reasons are the engines' own, and without number."""
    if isinstance(end, Done):
        return "succeeded", ""
    if end.reason == "canceled":
        return "canceled", end.reason
    return "lost" if end.reason in _LOST else "failed", end.reason
