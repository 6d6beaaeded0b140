"""What a run tells while it goes on, and what it has to say at its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

from heddle.arazzo.leniency import Departure
from heddle.arazzo.tree import Place


class Status(StrEnum):
    """How a run ended."""

    SUCCEEDED = "succeeded"
    INCOMPLETE = "incomplete"  # it ended, but declared outputs are missing
    FAILED = "failed"  # a step failed and nothing in the document takes care of that
    UNDECIDED = "undecided"  # the document does not say what comes next
    EXHAUSTED = "exhausted"  # the budget of steps or time is spent


EXIT_CODES = {
    Status.SUCCEEDED: 0,
    Status.INCOMPLETE: 2,
    Status.FAILED: 1,
    Status.UNDECIDED: 1,
    Status.EXHAUSTED: 1,
}


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The first event."""

    workflow: str
    title: str
    servers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeniencyUsed:
    """The document needed a departure from the specification; told once per name."""

    departure: Departure


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that a person should know; the run goes on."""

    step: str | None
    message: str
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A request is about to leave, or an Arazzo workflow about to run; `run` counts from 1.

    `workflow` is the key of the Arazzo workflow that the step belongs to.
    """

    step: str
    run: int
    target: str
    workflow: str = ""


@dataclass(frozen=True, slots=True)
class StepEnded:
    """`code` is the HTTP status; None without an answer. `reason` says why it failed."""

    step: str
    run: int
    ok: bool
    code: int | None
    seconds: float
    outputs: Mapping[str, Any]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ActionTaken:
    """An action of the document decided where the run goes."""

    step: str
    action: str
    kind: str
    target: str | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """The run rests before the next request."""

    step: str
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file was put to a URL that a step produced."""

    step: str
    output: str
    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class EndedBy:
    """The action, or the last step, after which nothing more was to do."""

    step: str
    action: str | None
    place: Place | None = None


@dataclass(slots=True)
class StepRecord:
    """A step over all its runs; outputs and code are those of the last one."""

    step: str
    runs: int = 0
    ok: bool = False
    code: int | None = None
    seconds: float = 0.0
    outputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """The end of a run. `outputs` has every declared output; those in `missing` are null."""

    status: Status
    workflow: str
    outputs: Mapping[str, Any]
    missing: tuple[str, ...]
    steps: tuple[StepRecord, ...]
    warnings: tuple[Warned, ...]
    departures: tuple[Departure, ...]
    calls: int
    seconds: float
    ended_by: EndedBy | None = None
    reason: str = ""

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.status]


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The last event."""

    result: Result


Event: TypeAlias = (
    RunStarted | LeniencyUsed | Warned | StepStarted | StepEnded | ActionTaken | Waiting | Uploaded | RunEnded
)
