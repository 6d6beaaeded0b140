"""Fair shares in virtual time: the numbers that a waiting job is ordered by. Pure, for the queue and the simulator.

A job's *virtual finish* is where its account would be done with it if everybody who waits were served at once, each
at the speed of its weight. Jobs are taken in that order, so an account with ten thousand jobs and one with a single
job get on equally fast. The number never changes, so an index can keep the order.

A priority is a weight too: `high` finishes as if the account weighed sixteen times as much, `low` a sixteenth. Each
priority of an account is a line of its own, so what is high passes the account's own normal jobs, and low is late but
never starves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

#: How much a priority weighs, by `Priority.band`.
BAND_WEIGHTS: Mapping[int, float] = {0: 16.0, 1: 1.0, 2: 1 / 16}

#: Shorter estimates count as this many seconds: every job costs a claim.
LEAST_S = 0.001


class Stamp(NamedTuple):
    """When a job would begin and be done in virtual time. Jobs are ordered by `finish`; `start` moves the clock."""

    start: float
    finish: float


def stamp(clock: float, last: float, est_s: float, weight: float, band: int) -> Stamp:
    """Of a job of `est_s` seconds whose line's latest job finishes at `last`.

    An account that was away starts at the clock: nobody saves up a share, and nobody owes for idle time it used.
    """
    start = max(clock, last)
    return Stamp(start, start + max(est_s, LEAST_S) / (weight * BAND_WEIGHTS[band]))


def stamps(clock: float, last: float, est_s: Iterable[float], weight: float, band: int) -> list[Stamp]:
    """Of several jobs of one line, in their order; the finish of the last of them is the line's new `last`."""
    found: list[Stamp] = []
    for seconds in est_s:
        found.append(stamp(clock, last, seconds, weight, band))
        last = found[-1].finish
    return found


def clock(clocks: Mapping[str, float], engine: str, *, waits: bool) -> float:
    """The virtual time at which a newcomer to an engine starts.

    `clocks` holds how far each engine's queue has got. Where jobs of the engine wait (`waits`), a newcomer joins them
    as they are; where none do, it starts level with whoever got furthest, so that an engine which is used rarely
    gives no head start on slots that it shares.
    """
    if waits and engine in clocks:
        return clocks[engine]
    return max(clocks.values(), default=0.0)


class Front(NamedTuple):
    """How far an engine's queue has got: the stamp of the first job that waits, and what this claim served.

    `served` is in virtual time: the seconds given, per weight, shared among all who want some.
    """

    start: float
    finish: float
    served: float = 0.0


def advance(clocks: Mapping[str, float], fronts: Mapping[str, Front]) -> dict[str, float]:
    """The clocks after a claim that saw these fronts.

    Time goes on with what is served, so that whoever waits is overtaken by so many newcomers and no more; not past
    the first who waits, so that a newcomer stands beside it; and never backward.
    """
    new = {
        engine: min(front.finish, max(front.start, clocks.get(engine, front.start) + front.served))
        for engine, front in fronts.items()
    }
    return {**clocks, **{engine: max(at, clocks.get(engine, at)) for engine, at in new.items()}}
