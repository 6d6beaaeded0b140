"""What no policy can beat on a trace, whatever it knows of the future.

Each bound comes from a machine that can do all that the slots can, and more.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from .trace import Job


def work_by(jobs: Sequence[Job], gpus: int, at: float) -> float:
    """Seconds of work that may be done by a time: of one machine `gpus` times as fast, without loads.

    The slots do at most `gpus` seconds of work per second, and never work that has not come; this machine does
    exactly so much as long as anything is there.
    """
    now = backlog = done = 0.0
    for job in jobs:
        if job.at >= at:
            break
        did = min(backlog, (job.at - now) * gpus)
        done, backlog, now = done + did, backlog - did + job.work_s, job.at
    return done + min(backlog, max(0.0, at - now) * gpus)


def mean_wait(jobs: Sequence[Job], gpus: int) -> float:
    """The least mean of the time that jobs spend beyond their own work.

    On one machine `gpus` times as fast that may interrupt jobs, shortest remaining time first ends jobs as early as
    can be on the mean (Schrage 1968), and what the slots do that machine could do too, by sharing itself out. No
    job is done before its own work is: where the fast machine would be, that holds.
    """
    if not jobs:
        return 0.0
    flow = sum(_flows(jobs, gpus))
    work = sum(job.work_s for job in jobs)
    return max(0.0, flow - work) / len(jobs)


def _flows(jobs: Sequence[Job], gpus: int) -> list[float]:
    """From arrival to end, under shortest remaining processing time."""
    flows: list[float] = []
    left: list[tuple[float, float]] = []
    now = 0.0
    for at, work_s in [*((job.at, job.work_s) for job in jobs), (float("inf"), 0.0)]:
        while left and now < at:
            rest, came = heapq.heappop(left)
            ends = now + rest / gpus
            if ends > at:
                heapq.heappush(left, (rest - (at - now) * gpus, came))
                break
            flows.append(ends - came)
            now = ends
        now = at
        heapq.heappush(left, (work_s, at))
    return flows


def loads(jobs: Sequence[Job]) -> int:
    """Every model is loaded once at least."""
    return len({job.model for job in jobs if job.model})
