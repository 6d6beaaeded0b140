"""Attempts that somebody ends: canceled, too long, frozen; and the end of the executor itself."""

from __future__ import annotations

import asyncio
import subprocess
from typing import Any

import pytest
from tests.processes import exists, vanished

from heddle.errors import Unavailable
from heddle.fleet.messages import Done, Progress, Started

from .conftest import QUICK

# ── time ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("engine", ["HangInC", "HangInPython"])
async def test_timeout(fleet: Any, engine: str) -> None:
    async with fleet(lookahead=2) as f:
        hanging, waiting = f.run(engine, timeout_s=0.3, lookahead=4), f.run("Echo", lookahead=4)
        failed = await f.fails(hanging)
        assert (failed.reason, failed.retryable) == ("timeout", False)
        assert "0.3 s" in failed.message
        await f.done(waiting)
        assert len(f.of(waiting, Started)) == 1


async def test_time_counts_from_the_start_of_the_attempt(fleet: Any) -> None:
    async with fleet() as f:
        ahead = f.run("Slow", {"steps": 20, "step_s": 0.04})
        behind = f.run("Slow", {"steps": 2}, timeout_s=0.5)
        await f.done(ahead)
        await f.done(behind)


@pytest.mark.parametrize("engine", ["StopSelf", "HangWithLock"])
async def test_frozen_worker(fleet: Any, engine: str) -> None:
    async with fleet() as f:
        frozen, waiting = f.run(engine, lookahead=4), f.run("Echo", lookahead=4)
        await f.started(frozen)
        failed = await f.fails(frozen)
        assert (failed.reason, failed.retryable) == ("worker_hung", True)
        await f.done(waiting)


async def test_a_busy_worker_is_alive_and_a_frozen_one_is_not(fleet: Any) -> None:
    async with fleet(slots=2, lookahead=1) as f:
        busy = f.run("Slow", {"steps": 150, "step_s": 0.02})
        frozen = f.run("StopSelf")
        waiting = f.run("Echo")
        await f.started(busy)
        await f.started(frozen)
        assert f.executor.alive() >= {(busy.job_id, 1), (waiting.job_id, 1)}
        seen = set()
        while not f.of(frozen, Done) and (frozen.job_id, 1) not in seen:
            await asyncio.sleep(0.05)
            alive = f.executor.alive()
            assert (busy.job_id, 1) in alive
            if (frozen.job_id, 1) not in alive:
                seen.add((frozen.job_id, 1))
        await f.fails(frozen)
        await f.done(waiting)
        assert (waiting.job_id, 1) not in f.executor.alive()


async def test_a_held_up_server_blames_no_worker(fleet: Any) -> None:
    async with fleet() as f:
        run = f.run("Slow", {"steps": 100, "step_s": 0.02})
        await f.started(run)
        # The event loop itself stands still for longer than a worker may.
        subprocess.run(["sleep", str(QUICK.hang_s + 0.3)], check=True)
        await f.done(run)


# ── cancel ────────────────────────────────────────────────────────────────────


async def test_cancel_a_running_attempt(fleet: Any) -> None:
    """The engine is told at its next report; the worker lives on."""
    async with fleet() as f:
        run = f.run("Slow", {"steps": 2000, "step_s": 0.01})
        pid = await f.pid(run)
        await f.hears(run, Progress)
        f.cancel(run)
        failed = await f.fails(run)
        assert (failed.reason, failed.retryable) == ("canceled", False)
        after = await f.done(f.run("Echo"))
        assert after.artifacts[0].metadata == {"pid": pid}


@pytest.mark.parametrize("lookahead", [0, 8])
async def test_cancel_a_waiting_attempt(fleet: Any, lookahead: int) -> None:
    """It ends at once, and never begins."""
    async with fleet(lookahead=3) as f:
        running = f.run("Slow", {"steps": 50}, lookahead=lookahead)
        waiting, behind = f.run("Echo", lookahead=lookahead), f.run("Echo", lookahead=lookahead)
        await f.started(running)
        f.cancel(waiting)
        assert (await f.fails(waiting)).reason == "canceled"
        assert not f.of(running, Done)
        await f.done(running)
        await f.done(behind)
        assert not f.of(waiting, Started)


@pytest.mark.parametrize("engine", ["IgnoreCancel", "HangInC", "HangInPython"])
async def test_cancel_one_that_does_not_listen(fleet: Any, engine: str) -> None:
    async with fleet() as f:
        run = f.run(engine)
        await f.started(run)
        f.cancel(run)
        f.cancel(run)
        assert (await f.fails(run)).reason == "canceled"
        await f.done(f.run("Echo"))


async def test_cancel_one_that_finishes_all_the_same(fleet: Any) -> None:
    async with fleet() as f:
        run = f.run("IgnoreCancel", {"for_s": 0.2})
        await f.started(run)
        f.cancel(run)
        assert (await f.fails(run)).reason == "canceled"


async def test_cancel_one_whose_worker_is_frozen(fleet: Any) -> None:
    async with fleet(lookahead=2) as f:
        run, waiting, behind = (f.run(name, lookahead=4) for name in ("StopSelf", "Echo", "Echo"))
        await f.started(run)
        f.cancel(waiting)
        f.cancel(run)
        assert (await f.fails(run)).reason == "canceled"
        assert (await f.fails(waiting)).reason == "canceled"
        await f.done(behind)


async def test_cancel_what_is_not_there(fleet: Any) -> None:
    async with fleet() as f:
        run = f.run("Echo")
        f.executor.cancel(run.job_id, 2)
        f.executor.cancel("job_unknown", 1)
        await f.done(run)
        f.cancel(run)
        await f.done(f.run("Echo"))


# ── the end ───────────────────────────────────────────────────────────────────


async def test_close_waits_for_what_runs(fleet: Any) -> None:
    async with fleet(lookahead=1, close_s=10) as f:
        running = f.run("Slow", {"steps": 20})
        waiting = f.run("Echo")
        await f.started(running)
    assert isinstance(await f.end(running), Done)
    failed = await f.fails(waiting)
    assert (failed.reason, failed.retryable) == ("worker_stopped", True)
    assert f.executor.free() == 0


async def test_close_cuts_short_what_takes_too_long(fleet: Any) -> None:
    async with fleet(slots=2, close_s=0.2) as f:
        slow = f.run("Slow", {"steps": 2000})
        deaf = f.run("HangInPython")
        pid = await f.pid(slow)
        await f.started(deaf)
    for run in (slow, deaf):
        failed = await f.fails(run)
        assert (failed.reason, failed.retryable) == ("worker_stopped", True)
    assert not exists(pid)


async def test_what_comes_after_close_ends_too(fleet: Any) -> None:
    async with fleet() as f:
        pass
    assert (await f.fails(f.run("Echo"))).reason == "worker_stopped"


async def test_processes_that_an_engine_started_end_with_its_worker(fleet: Any) -> None:
    async with fleet() as f:
        run = f.run("LeakProcess")
        pid = await f.pid(run)
        await f.fails(run)
        assert await vanished(pid)


async def test_close_while_a_worker_is_being_replaced(fleet: Any) -> None:
    async with fleet() as f:
        await f.fails(f.run("Exit"))


def test_another_event_loop(fleet: Any) -> None:
    """A server may run on uvloop, which treats sockets and canceled connections in its own way."""
    uvloop = pytest.importorskip("uvloop")

    async def scenario() -> None:
        async with fleet() as f:
            await f.done(f.run("Echo"))
            assert (await f.fails(f.run("StopSelf"))).reason == "worker_hung"
            assert (await f.fails(f.run("Exit"))).reason == "worker_died"

    uvloop.run(asyncio.wait_for(scenario(), 30))


async def test_workers_that_cannot_start(fleet: Any) -> None:
    """They come up, and then there is no memory for anything."""
    with pytest.raises(Unavailable, match="none of 2"):
        async with fleet(slots=2, worker_memory_mb=1):
            pass
