"""Where the steps of an Arazzo workflow lead: the moves that a run can take, without running anything."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

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
    """All moves of one Arazzo workflow. `dead` are actions that stand behind one that is always taken."""

    workflow: Workflow
    moves: tuple[Move, ...]
    dead: tuple[tuple[Step, Action], ...] = ()
    _after: tuple[int, ...] = ()

    def precedes(self, first: int, second: int) -> bool:
        """Whether `second` may come after `first`: END where the run may end, a step itself where there is a loop."""
        return bool(self._after[first] & _bit(second))

    def is_reachable(self, step: int) -> bool:
        return step == 0 or self.precedes(0, step)

    def leaving(self, step: int) -> Iterator[Move]:
        return (move for move in self.moves if move.start == step)

    def endless(self) -> list[list[int]]:
        """Loops from which no way leads to an end, as the steps that can follow their first one."""
        count = len(self.workflow.steps)
        stuck = [step for step in range(count) if self.is_reachable(step) and not self.precedes(step, END)]
        loops: list[list[int]] = []
        for step in stuck:
            if self.precedes(step, step) and not any(self.precedes(loop[0], step) for loop in loops):
                loops.append([step, *(one for one in stuck if one != step and self.precedes(step, one))])
        return loops


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
    following: list[set[int]] = [set() for _ in workflow.steps]
    for move in moves:
        if move.end != FAIL:
            following[move.start].add(move.end)
        if move.back:
            following[move.end].add(move.start)
    return Flow(workflow, tuple(moves), tuple(dead), _closure(following))


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


def _bit(step: int) -> int:
    return 1 << (step + 1)


def _closure(following: Sequence[Collection[int]]) -> tuple[int, ...]:
    """Per step the set of all that may come after it, as bits: a document that a program wrote may have thousands."""
    after = [0] * len(following)
    changed = True
    while changed:
        changed = False
        for step in range(len(following) - 1, -1, -1):
            found = after[step]
            for one in following[step]:
                found |= _bit(one) | (after[one] if one >= 0 else 0)
            changed = changed or found != after[step]
            after[step] = found
    return tuple(after)
