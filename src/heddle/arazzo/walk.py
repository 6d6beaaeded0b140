"""The way that a recorded run took through the Arazzo workflows of a document: steps, branches, how often each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from heddle.arazzo.events import ActionTaken, Event, RunEnded, StepEnded, StepStarted

Step = tuple[str, str]
"""An Arazzo workflow and a step of it."""


@dataclass(slots=True)
class Walk:
    """`moves` counts by step and the name of the action, None where the run just went on; `path` is in order."""

    runs: Counter[Step] = field(default_factory=Counter[Step])
    moves: Counter[tuple[Step, str | None, bool]] = field(default_factory=Counter[tuple[Step, str | None, bool]])
    last: dict[Step, StepEnded | None] = field(default_factory=dict[Step, StepEnded | None])
    path: list[Step] = field(default_factory=list[Step])


def walk_of(events: Iterable[Event]) -> Walk:
    """Read a run off its events."""
    walker = _Walker()
    for event in events:
        walker.see(event)
    return walker.walk


class _Walker:
    def __init__(self) -> None:
        self.walk = Walk()
        self._open: list[Step] = []
        self._left: dict[str, tuple[Step, bool]] = {}

    def see(self, event: Event) -> None:
        match event:
            case StepStarted():
                self._start(event)
            case StepEnded():
                self._end(event)
            case ActionTaken():
                self._act(event)
            case RunEnded():
                for workflow in list(self._left):
                    self._go_on(workflow)
            case _:
                pass

    def _start(self, event: StepStarted) -> None:
        step = event.workflow, event.step
        self._go_on(event.workflow)
        self._open.append(step)
        self.walk.runs[step] += 1
        self.walk.last[step] = None
        self.walk.path.append(step)

    def _end(self, event: StepEnded) -> None:
        if self._open:
            step = self._open.pop()
            self.walk.last[step] = event
            self._left[step[0]] = step, event.ok

    def _act(self, event: ActionTaken) -> None:
        for workflow, (step, ok) in list(self._left.items()):
            if step[1] == event.step:
                del self._left[workflow]
                self.walk.moves[step, event.action, ok] += 1
                return

    def _go_on(self, workflow: str) -> None:
        """No action was taken after the last step of a workflow: the run went on, unless the step had failed."""
        left = self._left.pop(workflow, None)
        if left is not None and left[1]:
            self.walk.moves[left[0], None, True] += 1
