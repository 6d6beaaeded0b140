"""A cluster of several nodes, each at an address of its own on loopback, and processes that drive an executor on it."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.ray_cluster import FIXTURES, FOR_TESTS, answers, free_port

from heddle.fleet.ray import access, node
from heddle.settings import Settings, environment

#: How soon Ray gives a silent node up (three tries, a second apart, of two seconds each).
IMPATIENT = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_health_check_timeout_ms": "2000",
}

LIMITS = {"start_s": 8, "ping_s": 0.2, "hang_s": 2.0, "cancel_s": 0.5, "backoff_s": 0.1, "given_up_s": 1}


class Cluster:
    """Nodes started as daemons, so that any of their processes may be killed without the others being told."""

    def __init__(self, home: Path, **variables: str) -> None:
        self._mark = uuid4().hex
        self._gcs: subprocess.Popen[bytes] | None = None
        self.settings = Settings(home=str(home))
        access.make_token(access.token_file(self.settings))
        port = free_port()
        self.address = f"127.0.0.10:{port}"
        self._variables = {**FOR_TESTS, **IMPATIENT, **variables, "TEST_RAY_CLUSTER": self._mark}
        try:
            self._start(node.head("127.0.0.10", port, ["--num-cpus=0"]), "127.0.0.10")
            assert answers(self.address)
        except BaseException:
            self.end()
            raise

    def add_node(self, host: str) -> None:
        """A node with room for one slot."""
        self._start(node.joining(self.address, host, ["--num-cpus=1"]), host)

    def _start(self, command: list[str], host: str) -> None:
        command = [part for part in command if part != "--block"]
        variables = {**access.environment(self.settings, host), **self._variables, "TEST_RAY_NODE": host}
        done = subprocess.run(command, env=environment(**variables), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def driver(self, **settings: Any) -> Driver:
        return Driver(Path(self.settings.home), self.address, access.token_file(self.settings), **settings)

    def command(self, *words: str) -> str:
        """`heddle fleet ...`"""
        told = {
            "HEDDLE_RAY_ADDRESS": self.address,
            "HEDDLE_RAY_TOKEN_FILE": str(access.token_file(self.settings)),
        }
        command = [sys.executable, "-m", "heddle", "fleet", *words]
        done = subprocess.run(command, env=environment(**told), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def processes(self, host: str = "", name: str = "") -> list[int]:
        """Those of the cluster, of one node, or of one kind."""
        wanted = [f"TEST_RAY_CLUSTER={self._mark}", *([f"TEST_RAY_NODE={host}"] if host else [])]
        found: list[int] = []
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                given = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if set(wanted) <= set(given) and name in words[0]:
                    found.append(int(entry.name))
        return found

    def signal(self, number: signal.Signals, pids: list[int]) -> None:
        assert pids
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill_gcs(self) -> Callable[[], None]:
        """What this returns starts it again, as it was."""
        (pid,) = self.processes(name="gcs_server")
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
        given = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
        variables = dict(line.split("=", 1) for line in given if "=" in line)
        os.kill(pid, signal.SIGKILL)

        def again() -> None:
            self._gcs = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        return again

    def end(self, host: str = "") -> None:
        """Kill all, or all of a node, until none is left: some are just being started while others are killed."""
        while pids := self.processes(host):
            self.signal(signal.SIGKILL, pids)
            if self._gcs is not None and not host:
                self._gcs.wait()
            time.sleep(0.05)


class Driver:
    """A process with an executor on the cluster."""

    def __init__(self, home: Path, address: str, token: Path, *, without_gcs_s: int = 30, **settings: Any) -> None:
        wanted = {
            "home": str(home),
            "executor": "ray",
            "ray_address": address,
            "ray_token_file": str(token),
            "worker_memory_mb": 2048,
            "lease_s": 2,
            **settings,
        }
        self.log = home / f"driver-{uuid4().hex}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(FIXTURES / "drive_executor.py"), json.dumps(wanted), json.dumps(LIMITS)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment(PYTHONPATH=str(FIXTURES), RAY_gcs_rpc_server_reconnect_timeout_s=str(without_gcs_s)),
            )
        self.events: list[dict[str, Any]] = []
        self._lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._lines.put(json.loads(line))
        self._lines.put(None)

    def tell(self, command: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.process.stdin.flush()

    def run(self, job_id: str, engine: str, **payload: Any) -> None:
        self.tell({"run": {"job_id": job_id, "attempt": 1, "engine": engine, "payload": payload}})

    def hears(self, within_s: float = 90, **wanted: Any) -> dict[str, Any]:
        """The first event that is like this; what came before is kept."""
        for event in self.events:
            if wanted.items() <= event.items():
                return event
        end = time.monotonic() + within_s
        while True:
            try:
                event = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(
                    f"no {wanted} within {within_s} s\n{self.events}\n{self.log.read_text()}"
                ) from None
            assert event is not None, f"the driver ended\n{self.events}\n{self.log.read_text()}"
            self.events.append(event)
            if wanted.items() <= event.items():
                return event

    def pid(self, job_id: str) -> int:
        return int(self.hears(say="log", job_id=job_id)["text"].removeprefix("pid "))

    def ends(self, job_id: str) -> list[dict[str, Any]]:
        return [e for e in self.events if e.get("job_id") == job_id and e["say"] in {"done", "failed"}]

    def free(self) -> int:
        """How many attempts the executor takes now."""
        self.events = [event for event in self.events if event["say"] != "free"]
        self.tell("free")
        return int(self.hears(say="free")["free"])

    def until_free(self, wanted: int, within_s: float = 90) -> None:
        end = time.monotonic() + within_s
        while (free := self.free()) != wanted:
            assert time.monotonic() < end, f"{free} free instead of {wanted}\n{self.log.read_text()}"
            time.sleep(0.1)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.hears(say="closed")
        self.process.wait(20)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdin is not None and not self.process.stdin.closed:
            with suppress(BrokenPipeError):
                self.process.stdin.close()


@pytest.fixture
def driver(cluster: Cluster) -> Iterator[Callable[..., Driver]]:
    """Starts drivers on the cluster of the test's module; none outlives its test."""
    with ExitStack() as stack:

        def start(**settings: Any) -> Driver:
            started = cluster.driver(lookahead=0, **settings)
            stack.callback(started.kill)
            return started

        yield start


@contextmanager
def running(home: Path, **variables: str) -> Iterator[Cluster]:
    cluster = Cluster(home, **variables)
    try:
        yield cluster
    finally:
        cluster.end()
