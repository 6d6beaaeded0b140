"""Where the steps of an Arazzo workflow lead: the moves that a run can take, without running anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from heddle.arazzo.document import Action, Step, Workflow, merged_actions

END = -1
"""Where a run is over: after the last step, by `end`, or because another Arazzo workflow takes over."""
FAIL = -2
"""Where a failed step leaves the run that no action takes care of."""


@dataclass(frozen=True, slots=True)
class Move:
    """From one step to another, or to END or FAIL. Without an `action` the run simply goes on."""

    start: int
    end: int
    success: bool
    action: Action | None = None
    back: bool = False


@dataclass(frozen=True, slots=True)
class Flow:
    """All moves of one Arazzo workflow. `dead` are actions that stand behind one that is almoves taken."""

    workflow: Workflow
    moves: tuple[Move, ...]
    dead: tuple[tuple[Step, Action], ...] = ()
    _next: Mapping[int, frozenset[int]] = field(default_factory=dict[int, frozenset[int]])

    def after(self, step: int) -> frozenset[int]:
        """Every step that may run after `step`, itself where there is a loop; END where the run may end."""
        return _closure(self._next, step)

    def reachable(self) -> frozenset[int]:
        return self.after(0) | {0}

    def leaving(self, step: int) -> Iterator[Move]:
        return (move for move in self.moves if move.start == step)

    def precedes(self, first: int, second: int) -> bool:
        """Whether `first` may have run before `second` does."""
        return second in self.after(first)

    def endless(self) -> list[int]:
        """Reachable steps from which no way leads to an end: the first of every such loop."""
        stuck = [step for step in sorted(self.reachable() - {END, FAIL}) if END not in self.after(step)]
        firsts: list[int] = []
        for step in stuck:
            if step in self.after(step) and not any(self.precedes(one, step) for one in firsts):
                firsts.append(step)
        return firsts


def flow_of(workflow: Workflow) -> Flow:
    """Read the moves off the actions of every step."""
    index = {step.id: at for at, step in enumerate(workflow.steps)}
    moves: list[Move] = []
    dead: list[tuple[Step, Action]] = []
    for at, step in enumerate(workflow.steps):
        for success in (True, False):
            own = step.on_success if success else step.on_failure
            inherited = workflow.success_actions if success else workflow.failure_actions
            moves += _moves(at, merged_actions(own, inherited), index, success=success)
            dead += ((step, action) for action in _dead(own))
    following: dict[int, set[int]] = {}
    for move in moves:
        if move.end != FAIL:
            following.setdefault(move.start, set()).add(move.end)
        if move.back:
            following.setdefault(move.end, set()).add(move.start)
    return Flow(workflow, tuple(moves), tuple(dead), {step: frozenset(ends) for step, ends in following.items()})


def _moves(at: int, actions: Sequence[Action], index: Mapping[str, int], *, success: bool) -> Iterator[Move]:
    for action in actions:
        if action.kind == "end" or (action.kind == "goto" and action.workflow is not None):
            yield Move(at, END, success, action)
        elif action.kind == "goto" and action.step is not None and action.step in index:
            yield Move(at, index[action.step], success, action)
        elif action.kind == "retry":
            yield Move(at, at, success, action)
            if action.step is not None and action.step in index:
                yield Move(at, index[action.step], success, action, back=True)
        if _almoves(action):
            return
    if not success:
        yield Move(at, FAIL, success=False)
    else:
        yield Move(at, at + 1 if at + 1 < len(index) else END, success=True)


def _dead(actions: Sequence[Action]) -> Sequence[Action]:
    for at, action in enumerate(actions):
        if _almoves(action):
            return actions[at + 1 :]
    return ()


def _almoves(action: Action) -> bool:
    """Taken whenever it is looked at. A retry is not: its tries are used up some time."""
    return not action.criteria and action.kind != "retry"


def _closure(following: Mapping[int, frozenset[int]], start: int) -> frozenset[int]:
    found: set[int] = set()
    waiting = list(following.get(start, ()))
    while waiting:
        step = waiting.pop()
        if step not in found:
            found.add(step)
            waiting += following.get(step, ())
    return frozenset(found)
