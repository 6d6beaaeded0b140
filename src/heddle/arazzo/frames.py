"""What a run remembers of the Arazzo workflow that it is in, and of the step that it is at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from heddle.arazzo.events import EndedBy
from heddle.arazzo.exchange import Answer
from heddle.arazzo.expressions import Scope
from heddle.arazzo.plan import PlannedAction, PlannedStep, PlannedWorkflow


@dataclass(slots=True)
class Frame:
    """One Arazzo workflow while it runs."""

    workflow: PlannedWorkflow
    inputs: Mapping[str, Any]
    depth: int
    steps: dict[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    loops: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])
    retries: dict[tuple[int, str], int] = field(default_factory=dict[tuple[int, str], int])
    outputs: dict[str, Any] = field(default_factory=dict[str, Any])
    missing: tuple[str, ...] = ()
    ended_by: EndedBy | None = None
    failure: str = ""
    transfer: str | None = None
    handed: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def use_up(self, step: PlannedStep, action: PlannedAction) -> bool:
        """Whether a retry has no tries left; counts this one otherwise."""
        if action.kind != "retry":
            return False
        key = step.index, action.name
        used = self.retries.get(key, 0)
        if used >= (1 if action.retry_limit is None else action.retry_limit):
            return True
        self.retries[key] = used + 1
        return False

    def leave_loops(self, step: PlannedStep) -> None:
        """The next round starts with the first pause again."""
        for key in [key for key in self.loops if key[0] == step.index]:
            del self.loops[key]

    def forget_retries(self, step: PlannedStep) -> None:
        """A step that succeeded starts with all its retries again, except those that repeat a success."""
        repeats = {action.name for action in step.on_success if action.kind == "retry"}
        for key in [key for key in self.retries if key[0] == step.index and key[1] not in repeats]:
            del self.retries[key]


@dataclass(slots=True)
class Attempt:
    """One run of a step, as it comes about."""

    scope: Scope
    ok: bool = False
    reason: str = ""
    code: int | None = None
    outputs: dict[str, Any] = field(default_factory=dict[str, Any])
    answer: Answer | None = None
