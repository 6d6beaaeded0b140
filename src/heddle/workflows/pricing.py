"""Pricing: what the jobs of a step cost, by what is known of their sources.

A job is paid for at submit, when its source may still be on its way: then it costs what it could cost at most. Once
the source is there it is priced again, and never costs more than before. So nobody pays more than they were shown, and
a hold is always enough.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from heddle import blobs, registry
from heddle.blobs import Blob, Stored
from heddle.db import Tx
from heddle.domain import JSON, Job, Step, Workflow
from heddle.engines import Engine
from heddle.steps import Facts, FactsOf, Learner, StepType
from heddle.workflows import rows

log = logging.getLogger(__name__)


def known(blob: Blob | Stored) -> Facts:
    """What is known of bytes that are there."""
    return Facts(
        mime=blob.mime,
        width=blob.width,
        height=blob.height,
        duration_ms=blob.duration_ms,
        fps=blob.metadata.get("fps"),
    )


def costs(kind: StepType, engine: Engine, payloads: Sequence[JSON], facts_of: FactsOf) -> list[int]:
    """Whole Buzz for each job of a step."""
    return share(Prices(facts_of).of(kind, engine, payloads))


#: What the jobs of one step differ in without a difference to their price.
_SEEDS = ("seed", "seedOffset")


class Prices:
    """Prices of jobs whose sources are what they are now.

    A hundred runs of a large graph cost the same each, and to learn it once takes long enough: what is like the one
    before it, but for its seed, is not looked at again.
    """

    def __init__(self, facts_of: FactsOf) -> None:
        self._facts_of = facts_of
        self._engines: dict[str, Engine] = {}
        self._last: tuple[StepType, Engine, JSON] | None = None
        self._price = 0.0

    def of(self, kind: StepType, engine: Engine, payloads: Sequence[JSON]) -> list[float]:
        """Buzz for each job of a step, before rounding."""
        return [self._one(kind, engine, payload) for payload in payloads]

    def engine(self, name: str) -> Engine:
        """As the operator set it up."""
        if name not in self._engines:
            self._engines[name] = registry.engine(name)
        return self._engines[name]

    def _one(self, kind: StepType, engine: Engine, payload: JSON) -> float:
        asked = kind, engine, {name: value for name, value in payload.items() if name not in _SEEDS}
        if asked != self._last:
            self._price = self._learn(kind, engine, payload)
            self._last = asked  # only now: what cannot be priced is said of each
        return self._price

    def _learn(self, kind: StepType, engine: Engine, payload: JSON) -> float:
        if not isinstance(kind, Learner):
            return engine.price(payload)
        return max(engine.price(possible) for possible in kind.learn(payload, self._facts_of))


def share(prices: Sequence[float]) -> list[int]:
    """Whole Buzz per job: together the rounded-up sum, at least 1, each as near its own price as can be."""
    exact = math.fsum(prices)
    total = max(1, math.ceil(round(exact, 6)))
    costs: list[int] = []
    running = 0.0
    for price in prices:
        running += price / exact if exact else 1 / len(prices)
        costs.append(round(running * total) - sum(costs))
    return costs


# ── when the sources are there ────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Due:
    """A step to be priced again, with what its jobs work on."""

    step: Step
    payloads: Sequence[JSON]


def at_last(workflow: Workflow, blobs_there: Iterable[Blob], waiting: Collection[int]) -> Workflow:
    """A workflow about to be written, whose uploads may have come since it was planned. `waiting` are the steps that
    have to wait for theirs."""
    prices = _of_known({blob.id: known(blob) for blob in blobs_there})
    steps = [
        step if step.index in waiting or step.follows or not _learns(step) else _lower(step, prices)
        for step in workflow.steps
    ]
    return replace(workflow, steps=steps, cost=sum(job.cost for step in steps for job in step.jobs))


def _lower(step: Step, prices: Prices) -> Step:
    lower = dict(_changes(_Due(step, [job.payload for job in step.jobs]), prices))
    return replace(step, jobs=[replace(job, cost=lower.get(job.id, job.cost)) for job in step.jobs])


def _learns(step: Step) -> bool:
    return bool(step.jobs) and isinstance(_kind(step.type), Learner)


#: Of how many steps the payloads are in memory at once: those of one may have megabytes, and many may wait together.
_TOGETHER = 10


def again(tx: Tx, steps: Sequence[Step]) -> None:
    """Steps have all their sources: write down what their jobs cost, where that is less than was held for them."""
    facts: dict[str, Facts] = {}
    prices = _of_known(facts)
    learning = [step for step in steps if _learns(step)]
    for start in range(0, len(learning), _TOGETHER):
        due = _due(tx, learning[start : start + _TOGETHER], facts)
        rows.set_costs(tx, [change for one in due for change in _changes(one, prices)])


def _of_known(facts: Mapping[str, Facts]) -> Prices:
    return Prices(lambda blob_id: facts.get(blob_id, Facts()))


def _due(tx: Tx, steps: Sequence[Step], facts: dict[str, Facts]) -> list[_Due]:
    """With what is known of their sources added to `facts`."""
    found = rows.payloads(tx, [job.id for step in steps for job in step.jobs])
    new = sorted({blob_id for _, inputs in found.values() for blob_id in inputs} - facts.keys())
    facts |= {blob_id: known(blob) for blob_id, blob in blobs.get(tx, new).items() if blob.state == "stored"}
    return [_Due(step, [found[job.id][0] for job in step.jobs]) for step in steps]


def _changes(due: _Due, prices: Prices) -> list[tuple[str, int]]:
    jobs: Sequence[Job] = due.step.jobs
    kind = _kind(due.step.type)
    assert kind is not None
    try:
        now = share(prices.of(kind, prices.engine(jobs[0].engine), due.payloads))
    except Exception as error:  # a plug-in's arithmetic must not hold up the others of this transaction
        log.warning("job %s costs what was held for it: %s", jobs[0].id, error, exc_info=True)
        return []
    return [(job.id, cost) for job, cost in zip(jobs, now, strict=True) if cost < job.cost]


def _kind(name: str) -> StepType | None:
    """None where this process does not have it, or cannot import it now; then it is tried again another time."""
    target = registry.targets("steps").get(name)
    try:
        return None if target is None else _made(target)
    except Exception as error:  # as above
        log.warning("steps %s cost what was held for them: %s", name, error, exc_info=True)
        return None


@cache
def _made(target: str) -> StepType:
    return registry.load(target)()
