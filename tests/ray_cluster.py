"""A Ray head on loopback, in processes of its own, as `heddle fleet up` starts it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from heddle.fleet.ray import access, node
from heddle.settings import Settings

FIXTURES = Path(__file__).parent / "fixtures"

#: Actors find the engines that misbehave, and a node ends when it is told to.
FOR_TESTS = {"PYTHONPATH": str(FIXTURES), "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


@dataclass(frozen=True)
class Head:
    """A running head: its address, its token, and the process that keeps it."""

    address: str
    token_file: str
    process: subprocess.Popen[bytes]


@contextmanager
def running_head(cpus: int = 8) -> Iterator[Head]:
    """Its actors find the engines that misbehave, and live as long as it."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=folder)
        access.make_token(access.token_file(settings))
        address = f"{access.LOOPBACK}:{free_port()}"
        process = subprocess.Popen(
            node.head(*address.split(":"), [f"--num-cpus={cpus}"]),  # type: ignore[arg-type]
            env={**node.surroundings(settings, access.LOOPBACK), **FOR_TESTS},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_for(address, process)
            yield Head(address, str(access.token_file(settings)), process)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def wait_for(address: str, process: subprocess.Popen[bytes], within_s: float = 60) -> None:
    """Until somebody listens there."""
    end = time.monotonic() + within_s
    while not answers(address):
        assert process.poll() is None, f"Ray ended with {process.returncode}"
        assert time.monotonic() < end, f"Ray does not listen at {address}"
        time.sleep(0.1)
