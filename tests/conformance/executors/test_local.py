"""What only the executor `local` promises: its workers are children of this very process."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.processes import exists, is_frozen, vanished

from heddle import registry
from heddle.fleet.messages import Started
from heddle.settings import child_environment

from .conftest import FIXTURES, Start


@pytest.fixture
def fleet(tmp_path: Path) -> Start:
    return Start("local", tmp_path)


async def test_close_leaves_no_sockets_and_pipes(fleet: Start) -> None:
    async with fleet(slots=2) as f:
        await f.done(f.run("Echo"))
        before = set(os.listdir("/proc/self/fd"))
    assert len(os.listdir("/proc/self/fd")) < len(before)


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


async def test_workers_end_when_the_server_is_killed(tmp_path: Path) -> None:
    """By kill -9, so that nobody can tell them."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, "local", str(tmp_path / "other"), "Slow", "Slow", "SayAndStop"],
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


async def test_a_slot_survives_what_nobody_expected(
    fleet: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
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


async def test_what_wants_a_device_runs_where_one_is_and_nothing_else_does(tmp_path: Path) -> None:
    registry.add("engines", "press", "press:Press")
    async with Start("local", tmp_path)(slots=2, devices="cpu", device_memory_mb=9000) as f:
        by_name = {slot.name: slot for slot in f.executor.slots()}
        assert by_name["cpu"].engines >= {"press"}
        assert by_name["cpu"].memory_mb == 9000
        assert all("press" not in by_name[name].engines for name in ("local-0", "local-1"))
        presses = [f.run("press", {"prompt": "a fox", "steps": 1}) for _ in range(2)]
        await f.started(presses[0])
        # They are in one line behind a job that must wait for the device, and pass it.
        for other in [f.run("Echo", {}) for _ in range(3)]:
            assert await f.done(other)
            assert (await f.started(other)).slot != "cpu"
        assert not f.of(presses[1], Started)
        for press in presses:
            assert await f.done(press)
            assert (await f.started(press)).slot == "cpu"
