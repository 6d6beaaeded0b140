"""`heddle fleet` on a cluster that it started itself."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.ray_cluster import FOR_TESTS, free_port, wait_for

from heddle.fleet.ray import access
from heddle.settings import environment

from .conftest import Driver

pytestmark = pytest.mark.slow


class Command:
    """The command line, with a data folder and a cluster of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.address = f"127.0.0.1:{free_port()}"
        self._environment = environment(HEDDLE_HOME=str(home), HEDDLE_RAY_ADDRESS=self.address, **FOR_TESTS)
        command = [sys.executable, "-m", "heddle", "fleet", "up", "--port", self.address.rpartition(":")[2]]
        self.up = subprocess.Popen(
            [*command, "--cpus", "2"], env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def __call__(self, *words: str) -> str:
        return self.python("-m", "heddle", "fleet", *words)

    def python(self, *words: str) -> str:
        command = [sys.executable, *words]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def status(self) -> dict[str, Any]:
        return json.loads(self("status", "--json"))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    fleet = Command(tmp_path_factory.mktemp("home"))
    try:
        wait_for(fleet.address, fleet.up)
        yield fleet
    finally:
        fleet.up.terminate()
        assert fleet.up.stdout is not None
        fleet.up.stdout.close()
        fleet.up.wait(40)


@pytest.fixture
def driver(fleet: Command) -> Iterator[Driver]:
    driver = Driver(fleet.home, fleet.address, fleet.home / "ray" / "token", lookahead=0)
    yield driver
    driver.kill()


def test_nobody_else_can_reach_it(fleet: Command) -> None:
    """Also without its token: it listens on the loopback address alone."""
    elsewhere = [address for address in access.addresses() if address not in {"127.0.0.1", "::1"}]
    ports = [int(fleet.address.rpartition(":")[2]), *access.PORTS]
    assert not access.reachable([*elsewhere, "127.0.0.2"], ports)
    assert (fleet.home / "ray" / "token").stat().st_mode & 0o077 == 0


def test_a_program_without_the_token_is_refused(fleet: Command, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "heddle", "fleet", "status"]
    access.make_token(tmp_path / "token")
    told = environment(HEDDLE_RAY_ADDRESS=fleet.address, HEDDLE_RAY_TOKEN_FILE=str(tmp_path / "token"))
    done = subprocess.run(command, env=told, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "no Ray cluster" in done.stderr


def test_status_and_drain(fleet: Command, driver: Driver) -> None:
    driver.until_free(2)
    driver.run("job_a", "Slow", steps=500)
    driver.pid("job_a")
    found = fleet.status()
    assert [(node["address"], node["head"]) for node in found["nodes"]] == [("127.0.0.1", True)]
    assert sorted(slot["report"]["running"] for slot in found["slots"]) == [[], [["job_a", 1]]]
    assert all(slot["report"]["engines"]["sketch"] == [] for slot in found["slots"])
    assert "runs job_a" in fleet("status")
    assert fleet("drain", "--all") == "2 actors are gone\n"
    driver.hears(say="done", job_id="job_a")
    driver.until_free(0)
    assert (fleet.status()["slots"], fleet.status()["paused"]) == ([], True)
    fleet("drain", "--undo")
    driver.until_free(2)
    driver.run("job_b", "Echo")
    driver.hears(say="done", job_id="job_b")


ASKED = """
import asyncio
from heddle import settings
from heddle.fleet.ray.connection import connect

async def main():
    cluster = await connect(settings.read())
    from ray.autoscaler._private.constants import AUTOSCALER_RESOURCE_REQUEST_CHANNEL
    from ray.autoscaler.v2.utils import is_autoscaler_v2
    from ray.experimental.internal_kv import _internal_kv_get
    assert not is_autoscaler_v2(), "then it is kept elsewhere"
    print((_internal_kv_get(AUTOSCALER_RESOURCE_REQUEST_CHANNEL) or b"[]").decode())
    await cluster.close()

asyncio.run(main())
"""


def test_the_autoscaler_hears_of_the_backlog(fleet: Command, driver: Driver) -> None:
    driver.until_free(2)
    for waiting, wanted in ((3, [{"CPU": 1}] * 3), (0, [])):
        driver.tell({"demand": waiting})
        end = time.monotonic() + 60
        while json.loads(fleet.python("-c", ASKED)) != wanted:
            assert time.monotonic() < end


def test_a_drain_does_not_wait_for_ever(fleet: Command, driver: Driver) -> None:
    driver.until_free(2)
    driver.run("job_c", "Slow", steps=10_000)
    driver.pid("job_c")
    begin = time.monotonic()
    fleet("drain", "--all", "--grace", "0.5")
    assert time.monotonic() - begin < 40
    failed = driver.hears(say="failed", job_id="job_c")
    assert failed["retryable"]
    fleet("drain", "--undo")
