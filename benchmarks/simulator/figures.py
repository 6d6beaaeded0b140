"""What an outcome amounts to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from heddle.fairness import BAND_WEIGHTS

from . import bounds
from .trace import Job
from .world import Outcome

#: Shares are compared in windows of this length.
WINDOW_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Seconds beyond a job's own work: in the queue, in a slot, and for loads."""

    mean: float
    p50: float
    p99: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One line of the table."""

    name: str
    #: Seconds of work done while the trace lasted, of the slots' seconds.
    utilization: float
    loads_per_job: float
    #: Jain's index of weighted shares among accounts that have jobs waiting: 1 is equal.
    fairness: float
    longest_deferral_s: float
    #: By class of accounts.
    waits: Mapping[str, Waits]


def figures(name: str, outcome: Outcome, gpus: int, seconds: float) -> Figures:
    return Figures(
        name=name,
        utilization=_worked(outcome, seconds) / (gpus * seconds),
        loads_per_job=outcome.loads / max(1, len(outcome.jobs)),
        fairness=jain(outcome, seconds),
        longest_deferral_s=outcome.longest_deferral_s,
        waits={kind: _waits(waits) for kind, waits in waits_by_class(outcome).items()},
    )


def bound(jobs: Sequence[Job], gpus: int, seconds: float) -> Figures:
    """What no policy can beat; of waits only the means are bounded."""
    kinds = sorted({job.kind for job in jobs})
    nan = float("nan")
    least = {kind: bounds.mean_wait([j for j in jobs if j.kind == kind], gpus) for kind in kinds}
    return Figures(
        name="bound",
        utilization=bounds.work_by(jobs, gpus, seconds) / (gpus * seconds),
        loads_per_job=bounds.loads(jobs) / max(1, len(jobs)),
        fairness=1.0,
        longest_deferral_s=0.0,
        waits={kind: Waits(mean=mean, p50=nan, p99=nan, most=nan) for kind, mean in least.items()},
    )


def waits_by_class(outcome: Outcome) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for job, began in zip(outcome.jobs, outcome.began, strict=True):
        found[job.kind].append(began - job.at)
    return dict(sorted(found.items()))


def _waits(seconds: Sequence[float]) -> Waits:
    p50, p99 = (float(p) for p in np.percentile(seconds, [50, 99]))
    return Waits(mean=float(np.mean(seconds)), p50=p50, p99=p99, most=max(seconds))


def _worked(outcome: Outcome, seconds: float) -> float:
    """Seconds of work until the trace ended."""
    began, ended = np.array(outcome.began), np.array(outcome.ended)
    return float(np.clip(np.minimum(ended, seconds) - began, 0, None).sum())


def jain(outcome: Outcome, seconds: float) -> float:
    """The mean over windows of Jain's index, among the accounts that had jobs waiting all through the window.

    Such an account could have been given more; one that had nothing left to ask for got all it wanted.
    """
    indexes: list[float] = []
    served = _served(outcome, seconds)
    for window, accounts in _backlogged(outcome, seconds).items():
        shares = np.array([served.get((window, account), 0.0) / weight for account, weight in accounts.items()])
        if len(shares) > 1 and shares.any():
            indexes.append(float(shares.sum() ** 2 / (len(shares) * (shares**2).sum())))
    return float(np.mean(indexes)) if indexes else 1.0


def _served(outcome: Outcome, seconds: float) -> dict[tuple[int, int], float]:
    """Seconds of work by window and account."""
    served: dict[tuple[int, int], float] = defaultdict(float)
    for job, began, ended in zip(outcome.jobs, outcome.began, outcome.ended, strict=True):
        for window, start, end in _windows(began, min(ended, seconds)):
            served[window, job.account] += end - start
    return served


def _backlogged(outcome: Outcome, seconds: float) -> dict[int, dict[int, float]]:
    """By window, the accounts that had a job waiting at every moment of it, with their weights."""
    spans: dict[int, list[tuple[float, float]]] = defaultdict(list)
    weights: dict[int, float] = {}
    for job, began in zip(outcome.jobs, outcome.began, strict=True):
        spans[job.account].append((job.at, began))
        weights[job.account] = job.weight * BAND_WEIGHTS[job.band]
    found: dict[int, dict[int, float]] = defaultdict(dict)
    for account, waits in spans.items():
        for start, end in _joined(waits):
            for window, a, b in _windows(start, min(end, seconds)):
                if b - a >= WINDOW_S - 1e-6:
                    found[window][account] = weights[account]
    return found


def _joined(spans: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Spans that touch become one."""
    start = end = float("-inf")
    for a, b in sorted(spans):
        if a > end:
            if end > start:
                yield start, end
            start, end = a, b
        end = max(end, b)
    if end > start:
        yield start, end


def _windows(start: float, end: float) -> Iterator[tuple[int, float, float]]:
    """The parts of a span, by the number of the window they are in."""
    while start < end:
        window = int(start // WINDOW_S)
        stop = min(end, (window + 1) * WINDOW_S)
        yield window, start, stop
        start = stop
