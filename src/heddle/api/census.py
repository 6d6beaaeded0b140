"""The census: what lies in the tables now, counted when somebody reads the metrics."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric

import heddle
from heddle import ledger, outbox, queue
from heddle.db import Database, Tx
from heddle.domain import made_at, now, to_ms
from heddle.errors import Unavailable
from heddle.ledger import Balance
from heddle.queue import Standing
from heddle.workflows import rows

#: However often it is asked for, it is taken this often at most,
FRESH_S = 5.0
#: and never costs more than this share of the time.
SHARE = 0.05

#: Jobs whose duration is looked at.
_SAMPLE = 1000

_POCKETS = ("available", "held", "spent")
_EVENT_STATES = ("due", "later", "parked", "dead")


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """One look. `durations`: engine -> (how many jobs, milliseconds)."""

    at: datetime
    jobs: Sequence[Standing]
    durations: Mapping[str, tuple[int, int]]
    workflows: Mapping[str, int]
    events: Mapping[str, tuple[int, int]]
    ledger: Balance


class Census:
    """Counts at most every few seconds, one look at a time, in a thread: a long backlog takes a while to count."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._taking = asyncio.Lock()
        self._next = 0.0
        self._count: Count | None = None
        #: What a job of an engine takes, in seconds, as last seen; of those that are not among the newest, too.
        self._means: dict[str, float] = {}

    async def take(self) -> None:
        """Count, unless that was done a moment ago."""
        async with self._taking:
            began = time.monotonic()
            if began < self._next:
                return
            try:
                self._count = await asyncio.to_thread(self._db.look, count, now())
            except Unavailable:
                self._count = None
            else:
                self._means |= {engine: ms / n / 1000 for engine, (n, ms) in self._count.durations.items()}
            ended = time.monotonic()
            self._next = ended + max(FRESH_S, (ended - began) / SHARE)

    def collect(self) -> Iterator[Metric]:
        """For Prometheus; what could not be counted is left out."""
        up = self._count is not None and self._db.trouble is None
        yield _gauge("heddle_build_info", "Which Heddle this is; always 1", {(heddle.__version__,): 1}, ("version",))
        yield _gauge("heddle_database_up", "Whether the database answers and takes what is written", {(): up})
        if self._count is not None:
            yield from self._jobs(self._count)
            yield from _others(self._count)

    def _jobs(self, found: Count) -> Iterator[Metric]:
        waiting: dict[str, int] = defaultdict(int)
        oldest: dict[tuple[str, ...], float] = {}
        for s in found.jobs:
            waiting[s.engine] += s.jobs if s.state != "claimed" else 0
            if s.state == "ready":
                oldest[s.engine,] = max(0.0, (found.at - made_at(s.oldest)).total_seconds())
        backlog = {(engine,): n * self._means[engine] for engine, n in waiting.items() if engine in self._means}
        jobs = {(s.engine, s.state): s.jobs for s in found.jobs}
        yield _gauge("heddle_queue_jobs", "Unfinished jobs that may run or do", jobs, ("engine", "state"))
        yield _gauge("heddle_queue_oldest_seconds", "Age of the oldest job that waits for a slot", oldest, ("engine",))
        yield _gauge(
            "heddle_queue_backlog_seconds",
            "Work that waits: jobs, times what one of that engine took on average lately",
            backlog,
            ("engine",),
        )


def count(tx: Tx, at: datetime) -> Count:
    """One look at everything. It reads what is unfinished, and of the history a sample of fixed size."""
    jobs = queue.standing(tx, at)
    return Count(
        at=at,
        jobs=jobs,
        durations=_durations(tx, jobs),
        workflows=rows.unfinished(tx),
        events=outbox.standing(tx, at),
        ledger=ledger.totals(tx),
    )


def _durations(tx: Tx, jobs: Sequence[Standing]) -> dict[str, tuple[int, int]]:
    """Of the newest jobs; and, as a long backlog is newer than all that ended, of those before the oldest in it."""
    found = rows.durations(tx, _SAMPLE)
    if jobs:
        found = rows.durations(tx, _SAMPLE, min(s.oldest for s in jobs)) | found
    return found


def _others(found: Count) -> Iterator[Metric]:
    statuses = {(status,): n for status, n in found.workflows.items()}
    yield _gauge("heddle_workflows", "Workflows that have not ended", statuses, ("status",))
    events = {(state,): found.events.get(state, (0, 0))[0] for state in _EVENT_STATES}
    yield _gauge("heddle_webhook_events", "Events that were not delivered", events, ("state",))
    due = found.events.get("due")
    lag = max(0, to_ms(found.at) - due[1]) / 1000 if due else 0
    yield _gauge("heddle_webhook_lag_seconds", "For how long the oldest event that is due has been due", {(): lag})
    pockets = {(pocket,): getattr(found.ledger, pocket) for pocket in _POCKETS}
    yield _gauge("heddle_ledger_buzz", "Buzz of all accounts", pockets, ("pocket",))


def _gauge(
    name: str, text: str, values: Mapping[tuple[str, ...], float], labels: Sequence[str] = ()
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for given, value in values.items():
        family.add_metric(given, value)
    return family
