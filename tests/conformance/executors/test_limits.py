"""Attempts that somebody ends: canceled, too long, frozen; and the end of the executor itself."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from heddle.errors import Unavailable
from heddle.fleet.messages import Done, Progress, Started
from heddle.settings import child_environment

from .conftest import FIXTURES, QUICK


def exists(pid: int) -> bool:
    """Whether there is such a process, other than as a zombie."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def is_frozen(pid: int) -> bool:
    """Whether the process is stopped, so that it cannot see that its parent died."""
    return ") T " in Path(f"/proc/{pid}/stat").read_text()


async def vanished(pid: int, within_s: float = 5) -> bool:
    """Nobody tells a stranger that a process ended, so this looks again and again."""
    async with asyncio.timeout(within_s):
        while exists(pid):
            await asyncio.sleep(0.01)
    return True


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
        before = set(os.listdir("/proc/self/fd"))
    for run in (slow, deaf):
        failed = await f.fails(run)
        assert (failed.reason, failed.retryable) == ("worker_stopped", True)
    assert not exists(pid)
    assert len(os.listdir("/proc/self/fd")) < len(before), "sockets and pipes are closed"


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


PARENT = """
from __future__ import annotations
import asyncio, sys
from heddle import registry
from heddle.fleet.messages import Log, Run
from heddle.settings import Settings

async def main(executor, home, engines):
    for name in engines:
        registry.add("engines", name, f"engines_that_misbehave:{name}")
    fleet = registry.get("executors", executor)(Settings(home=home, slots=len(engines), executor=executor))
    await fleet.start(lambda event: isinstance(event, Log) and print(event.text, flush=True))
    for n, name in enumerate(engines):
        fleet.run(Run(job_id=f"job_{n}", attempt=1, engine=name, payload={"steps": 10_000}))
    await asyncio.sleep(60)

asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
"""


async def test_workers_end_when_the_server_is_killed(fleet: Any, tmp_path: Path) -> None:
    """By kill -9, so that nobody can tell them."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, fleet.name, str(tmp_path / "other"), "Slow", "Slow", "SayAndStop"],
        stdout=subprocess.PIPE,
        env={**child_environment(), "PYTHONPATH": str(FIXTURES)},
    )
    assert parent.stdout is not None
    try:
        with parent.stdout as lines:
            pids = [int(lines.readline().removeprefix(b"pid ")) for _ in range(3)]
            assert all(map(exists, pids))
            while not any(map(is_frozen, pids)):
                await asyncio.sleep(0.01)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    for pid in pids:
        assert await vanished(pid)


async def test_workers_that_cannot_start(fleet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(Unavailable, match="none of 2"):
        async with fleet(slots=2):
            pass


async def test_a_slot_survives_what_nobody_expected(
    fleet: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A program's name that the operating system's call itself refuses, not with an OSError; then it is mended."""
    async with fleet(slots=1) as f:
        with monkeypatch.context() as broken:
            broken.setattr(sys, "executable", "no\0file")
            lost = f.run("Exit")
            waiting = f.run("Echo")
            assert (await f.fails(lost)).reason == "worker_died"
            while "its keeper failed" not in caplog.text:
                await asyncio.sleep(0.01)
        await f.done(waiting)
        assert f.executor.alive() == frozenset()
