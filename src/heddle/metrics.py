"""Metrics: what this process counts, as Prometheus reads it. What lies in the tables is counted by `api/census.py`.

Labels come from small closed sets (engines, route templates, outcomes): never an id, a path or a caller's word, because
every combination of labels is kept for as long as the process lives.
"""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

#: What `render` makes.
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

#: Of this process alone, and not the library's own, into which any other library may put things.
REGISTRY = CollectorRegistry()

_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SLOW = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)

http_requests = Histogram(
    "heddle_http_request_seconds",
    "Answered requests and how long they took",
    ("method", "route", "status"),
    buckets=_QUICK,
    registry=REGISTRY,
)
http_in_flight = Gauge(
    "heddle_http_requests_in_flight", "Requests that are being answered now, bodies included", registry=REGISTRY
)

job_waits = Histogram(
    "heddle_job_wait_seconds",
    "From the submit of a job to the start of its first attempt",
    ("engine",),
    buckets=_SLOW,
    registry=REGISTRY,
)
job_runs = Histogram(
    "heddle_job_run_seconds",
    "How long attempts ran, however they ended",
    ("engine",),
    buckets=_SLOW,
    registry=REGISTRY,
)
job_attempts = Counter("heddle_job_attempts", "Attempts that ended", ("engine", "outcome"), registry=REGISTRY)
leases_lost = Counter(
    "heddle_leases_lost",
    "Jobs taken back from a dispatcher that no longer says that they are alive",
    registry=REGISTRY,
)

webhook_deliveries = Counter("heddle_webhook_deliveries", "Tries to deliver an event", ("outcome",), registry=REGISTRY)
webhook_seconds = Histogram("heddle_webhook_delivery_seconds", "How long a try took", buckets=_QUICK, registry=REGISTRY)

commit_seconds = Histogram(
    "heddle_database_commit_seconds",
    "How long a group commit took, statements included",
    buckets=_QUICK,
    registry=REGISTRY,
)
commit_retries = Counter(
    "heddle_database_commit_retries",
    "Transactions that met another one (a deadlock, a key that was just taken) and were tried again",
    registry=REGISTRY,
)
commit_items = Histogram(
    "heddle_database_commit_items",
    "How many writes shared a group commit",
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000),
    registry=REGISTRY,
)

ProcessCollector(registry=REGISTRY)


def render(others: Sequence[Collector] = ()) -> bytes:
    """Everything as text, what other collectors know included."""
    return b"".join(generate_latest(part) for part in (REGISTRY, *others))
