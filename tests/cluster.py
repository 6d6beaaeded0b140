"""Several processes of one Heddle on one PostgreSQL, for tests: started, stopped, killed and frozen one by one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx

from heddle import settings
from heddle.settings import Settings
from tests.serving import FIXTURES


class Process:
    """One `heddle api`, `dispatch`, `webhooks` or `chores`."""

    def __init__(self, cluster: Cluster, duty: str, name: str, *options: str) -> None:
        self.duty, self.name = duty, name
        self.url = ""
        self._cluster = cluster
        self._options = options
        self._running: subprocess.Popen[str] | None = None

    def start(self) -> Process:
        """Returns when the process says that it is there."""
        log: IO[bytes]
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                [*self._cluster.command, self.duty, *self._options],
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._cluster.env,
                text=True,
            )
        assert self._running.stdout is not None
        line = self._running.stdout.readline()
        if not line.startswith("Heddle"):
            self.end(signal.SIGKILL)
            raise AssertionError(f"{self.name} did not start: {self.log.read_text()[-3000:]}")
        if found := re.search(r"at (http://\S+)", line):
            self.url = found[1]
            # The same address after a restart, as a load balancer expects.
            self._options = ("--port", self.url.rsplit(":", 1)[1])
        return self

    @property
    def log(self) -> Path:
        return self._cluster.folder / f"{self.name}.log"

    @property
    def pid(self) -> int:
        assert self._running is not None
        return self._running.pid

    def lines(self) -> Iterator[str]:
        """What it says next. Not a generator: one that is thrown away closes the pipe, and who speaks into it ends."""
        assert self._running is not None
        assert self._running.stdout is not None
        return iter(self._running.stdout)

    def tell(self, number: signal.Signals) -> None:
        assert self._running is not None
        self._running.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status; 0 when it was not running."""
        process, self._running = self._running, None
        if process is None:
            return 0
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        status = process.wait(60)
        assert process.stdout is not None
        process.stdout.close()
        return status


class Cluster:
    """`processes` by name, such as `api-0`. They share a data folder for bytes and nothing else."""

    def __init__(self, folder: Path, dsn: str, engines: dict[str, str] | None = None, **chosen: object) -> None:
        self.folder = folder
        self.dsn = dsn
        self.token = ""
        self.processes: dict[str, Process] = {}
        pairs = [f"{name}={target}" for name, target in (engines or {}).items()]
        self.command = [sys.executable, str(FIXTURES / "serve.py"), *pairs, "--"]
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("HEDDLE_")}
        values = {"home": folder / "home", "database": dsn, "port": 0, "callbacks_private": "on"} | chosen
        self.env |= {f"HEDDLE_{k.upper()}": str(v) for k, v in values.items()}

    @property
    def settings(self) -> Settings:
        """What the processes read from their environment."""
        return settings.read(self.env)

    def start(self, **counts: int) -> Cluster:
        """So many processes of each duty, `api=2, dispatch=2`; the first API makes the token."""
        for duty, count in counts.items():
            for n in range(count):
                process = Process(self, duty, f"{duty}-{n}", *(("--port", "0") if duty == "api" else ()))
                self.processes[process.name] = process.start()
                if duty == "api" and not self.token:
                    self.token = next(process.lines()).split()[-1]
        return self

    def __getitem__(self, name: str) -> Process:
        return self.processes[name]

    def client(self, name: str = "api-0") -> httpx.Client:
        """An HTTP client of the owner."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self[name].url, headers=headers, timeout=30)

    def close(self) -> dict[str, int]:
        """Stop all that run; their exit statuses."""
        for process in self.processes.values():
            if process._running is not None:
                process.tell(signal.SIGCONT)
                process.tell(signal.SIGTERM)
        return {name: process.end(signal.SIGCONT) for name, process in self.processes.items()}


@contextmanager
def running(folder: Path, dsn: str, counts: dict[str, int], **chosen: object) -> Iterator[Cluster]:
    """A cluster with the fast engine `pixels` for the length of a `with`; it must end well."""
    cluster = Cluster(folder, dsn, {"pixels": "pixels:Pixels"}, **chosen)
    try:
        yield cluster.start(**counts)
    finally:
        ended = cluster.close()
    assert set(ended.values()) == {0}, ended
