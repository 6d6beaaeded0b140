"""May a run go on although none of a step's onSuccess actions matched?

Arazzo says: then the next step follows. That is right for `goto` self while it is running, and for "skip ahead if".
It is wrong where an action names, under criteria, the very place that going on would lead to: there the author wrote a
guard, and going on would walk around it.
"""

from __future__ import annotations

from heddle.arazzo.criteria import Locating, Matching, Pointing, Selecting
from heddle.arazzo.expressions import Scope
from heddle.arazzo.plan import PlannedAction, PlannedStep


def passed_guard(step: PlannedStep, scope: Scope, count: int) -> str:
    """Why going on after `step` would pass a guard; empty when it would not. `count` is the number of steps."""
    following = step.index + 1
    for action in step.on_success:
        if not action.guarded:
            continue
        if _leads_to(action, following, count):
            place = (
                f"step {step.id!r} only goes on through {action.name!r}" if following < count else "the run only ends"
            )
            return f"{place}, whose criteria do not hold, and no other action of {step.id!r} matched"
        if action.kind == "end" and _saw_nothing(action, scope):
            return f"the action {action.name!r} of step {step.id!r} had nothing to look at: its context is empty"
    return ""


def only_loops(step: PlannedStep) -> bool:
    """Whether every action jumps back: then no match plainly means that the loop is over."""
    return all(
        action.kind == "retry" or (action.step is not None and action.step <= step.index) for action in step.on_success
    )


def _leads_to(action: PlannedAction, following: int, count: int) -> bool:
    if following == count:
        return action.kind == "end"
    return action.kind == "goto" and action.step == following


def _saw_nothing(action: PlannedAction, scope: Scope) -> bool:
    return any(
        isinstance(one, (Locating, Matching, Pointing, Selecting)) and one.blind(scope) for one in action.criteria
    )
