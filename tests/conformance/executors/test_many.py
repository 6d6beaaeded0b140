"""Several slots, full lines, and workers that die at any moment."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from contextlib import suppress
from typing import Any

import pytest

from heddle.fleet.messages import Done, Failed, Started


async def test_two_slots_run_side_by_side(fleet: Any) -> None:
    async with fleet(slots=2) as f:
        runs = [f.run("Slow", {"steps": 25}) for _ in range(2)]
        for run in runs:
            await f.started(run)
        assert not f.of(runs[0], Done)
        assert not f.of(runs[1], Done)
        pids = [await f.pid(run) for run in runs]
        assert len(set(pids)) == 2
        for run in runs:
            await f.done(run)


async def test_free_counts_slots_and_lookahead(fleet: Any) -> None:
    async with fleet(slots=2, lookahead=1) as f:
        assert (f.executor.free(), f.executor.free(0), f.executor.free(7)) == (4, 2, 16)
        runs = [f.run("Slow", {"steps": 3}) for _ in range(3)]
        assert (f.executor.free(), f.executor.free(0), f.executor.free(7)) == (1, 0, 13)
        for run in runs:
            await f.done(run)
        assert f.executor.free() == 4


async def test_a_short_job_does_not_wait_behind_a_long_one(fleet: Any) -> None:
    async with fleet(slots=2, lookahead=2) as f:
        long = f.run("Slow", {"steps": 1000})
        await f.started(long)
        for run in [f.run("Echo") for _ in range(4)]:
            await f.done(run)
        assert not f.of(long, Done)


@pytest.mark.parametrize("lookahead", [0, 8])
async def test_every_run_ends_once_while_workers_are_killed(fleet: Any, lookahead: int) -> None:
    """Two hundred runs; lost ones are tried again, as a dispatcher would, until all are done."""
    chance = random.Random(7)
    async with fleet(slots=2, lookahead=8) as f:
        pids: set[int] = set()

        async def carry(n: int) -> int:
            for attempt in range(1, 20):
                await f.until(lambda: f.executor.free() > 0)
                payload = {"steps": 2, "step_s": 0.002}
                run = f.run("Slow", payload, job_id=f"job_{n:04}", attempt=attempt, lookahead=lookahead)
                end = await f.hears(run, Done, Failed)
                if isinstance(end, Done):
                    pids.add(end.artifacts[0].metadata["pid"])
                    return attempt
                assert (end.reason, end.retryable) == ("worker_died", True)
            raise AssertionError(f"run {n} was lost again and again")

        async def murder() -> None:
            while True:
                await asyncio.sleep(chance.uniform(0.02, 0.15))
                if pids:
                    victim = chance.choice(sorted(pids))
                    pids.discard(victim)
                    with suppress(ProcessLookupError):
                        os.kill(victim, signal.SIGKILL)

        murders = asyncio.create_task(murder())
        attempts = await asyncio.gather(*(carry(n) for n in range(200)))
        murders.cancel()
        ends = [(e.job_id, e.attempt) for e in f.events if isinstance(e, (Done, Failed))]
        starts = [(e.job_id, e.attempt) for e in f.events if isinstance(e, Started)]
        assert len(ends) == len(set(ends)) == sum(attempts)
        assert len(starts) == len(set(starts))
        assert sum(attempts) > 203, "some were lost on the way"
        assert not f.executor.alive()
