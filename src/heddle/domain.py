"""The values of Heddle: workflow, step, job, artifact, event; their statuses and which may follow which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from ulid import ULID

#: A JSON object as it came in or goes out.
JSON = Mapping[str, Any]


class Status(StrEnum):
    """The status of a workflow, a step or a job. These seven go over the wire, and no others."""

    UNASSIGNED = "unassigned"
    PREPARING = "preparing"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELED = "canceled"

    @property
    def terminal(self) -> bool:
        """Final: nothing may follow."""
        return not TRANSITIONS[self]

    def may_become(self, other: Status) -> bool:
        """Ask the table."""
        return other in TRANSITIONS[self]


_END = frozenset({Status.SUCCEEDED, Status.FAILED, Status.EXPIRED, Status.CANCELED})

#: Which status may follow which. `unassigned` again means that a lost attempt went back to the queue.
TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.UNASSIGNED: frozenset({Status.PREPARING, Status.PROCESSING}) | _END,
    Status.PREPARING: frozenset({Status.UNASSIGNED, Status.PROCESSING}) | _END,
    Status.PROCESSING: frozenset({Status.UNASSIGNED, Status.PREPARING}) | _END,
    Status.SUCCEEDED: frozenset(),
    Status.FAILED: frozenset(),
    Status.EXPIRED: frozenset(),
    Status.CANCELED: frozenset(),
}

TERMINAL = tuple(sorted(_END))
ACTIVE = tuple(status for status in Status if status not in _END)


def roll_up(parts: Iterable[Status]) -> Status:
    """The status of a whole from its parts (a step from its jobs).

    Unfinished work decides first; a finished whole succeeded when any part did, because a person who asked for
    four pictures and got three has three pictures.
    """
    statuses = frozenset(parts)
    for active in (Status.PROCESSING, Status.PREPARING, Status.UNASSIGNED):
        if active in statuses:
            # Some parts done and others waiting: the whole is under way.
            return active if statuses <= frozenset(ACTIVE) else Status.PROCESSING
    for end in (Status.SUCCEEDED, Status.FAILED, Status.EXPIRED):
        if end in statuses:
            return end
    return Status.CANCELED


def roll_up_steps(steps: Iterable[Status]) -> Status:
    """The status of a workflow from its steps: every step must succeed for the workflow to succeed."""
    statuses = frozenset(steps)
    if statuses & frozenset(ACTIVE):
        return roll_up(statuses)
    for end in (Status.FAILED, Status.EXPIRED, Status.CANCELED):
        if end in statuses:
            return end
    return Status.SUCCEEDED


class Priority(StrEnum):
    """What the caller asked for; the queue orders by `band`."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"

    @property
    def band(self) -> int:
        """Lower is served first."""
        return {"high": 0, "normal": 1, "low": 2}[self.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """Something an engine made, already in storage under `key`. Becomes a blob when its job is recorded."""

    blob_id: str
    key: str
    mime: str
    size: int
    sha256: str
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    metadata: JSON = field(default_factory=dict[str, Any])
    #: What it is beside the thing asked for (`midi`, `srt`, ...); empty: that thing itself.
    role: str = ""
    #: Values that are results themselves: a text, scores.
    output: JSON = field(default_factory=dict[str, Any])
    #: A small picture of it, which is a blob as well.
    preview: Artifact | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What must be in a worker's memory before a job can run: a model by name, its size, and how long a load takes."""

    model: str = ""
    memory_mb: int = 0
    load_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One unit that an engine runs. Retries are attempts inside one job."""

    id: str
    workflow_id: str
    step: int
    index: int
    status: Status
    engine: str
    payload: JSON
    cost: int
    needs: Needs | None = None
    attempt: int = 0
    started_at: datetime | None = None
    completed_at: datetime | None = None
    artifacts: Sequence[Artifact] = ()
    reason: str | None = None
    message: str | None = None
    progress: float | None = None
    #: When its live preview was made, where it has one.
    previewed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One `$type` with its input; plans jobs."""

    workflow_id: str
    index: int
    name: str
    type: str
    status: Status
    priority: Priority
    input: JSON
    timeout_s: float
    #: Steps that must succeed before this one's jobs may run, because its input refers to them.
    follows: Sequence[int] = ()
    started_at: datetime | None = None
    completed_at: datetime | None = None
    jobs: Sequence[Job] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """Where events of a workflow go. `events` holds names such as `workflow:succeeded` or `step:*`."""

    url: str
    events: frozenset[str]
    detailed: bool = False

    def wants(self, kind: str, status: Status) -> bool:
        """Whether this endpoint subscribed to the event."""
        return f"{kind}:*" in self.events or f"{kind}:{status}" in self.events


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """What a caller submitted, and what became of it."""

    id: str
    account_id: int
    status: Status
    tags: Sequence[str]
    callbacks: Sequence[Callback]
    cost: int
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    reason: str | None = None
    steps: Sequence[Step] = ()


def new_id(prefix: str) -> str:
    """A sortable id: `wf_`, `job_` or `blob_` and a ULID."""
    return f"{prefix}_{ULID()}"


def first_id(prefix: str, at: datetime) -> str:
    """What every id that is made from `at` on comes after."""
    return f"{prefix}_{str(ULID.from_datetime(at))[:10]}{'0' * 16}"


def made_at(id_: str) -> datetime:
    """When an id was made: it begins with its moment."""
    return ULID.from_str(id_.rpartition("_")[2]).datetime


def now() -> datetime:
    """This moment, aware, to the millisecond (the precision of the database)."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def to_ms(moment: datetime) -> int:
    """Milliseconds since the epoch, as the database keeps times."""
    return round(moment.timestamp() * 1000)


def from_ms(ms: int | None) -> datetime | None:
    """The inverse of `to_ms`."""
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)
