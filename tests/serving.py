"""A real `heddle serve` in a process of its own, for tests: started, killed, started again on the same data."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from heddle.db import Database
from heddle.db.sqlite import SQLite

FIXTURES = Path(__file__).parent / "fixtures"
WORKFLOWS = "/v2/consumer/workflows"
ENDS = {"succeeded", "failed", "expired", "canceled"}


def ended(client: httpx.Client, workflow_id: str, status: str | None = None) -> dict[str, Any]:
    """Poll to the end (or to `status`); every answer on the way is a 200 with one of the seven statuses."""
    for _ in range(600):
        answer = client.get(f"{WORKFLOWS}/{workflow_id}")
        assert answer.status_code == 200
        shown = answer.json()
        assert shown["status"] in ENDS | {"unassigned", "preparing", "processing"}
        if shown["status"] == status or (status is None and shown["status"] in ENDS):
            return shown
        time.sleep(0.05)
    raise AssertionError(f"{workflow_id} is {shown['status']}")


def available(home: Path) -> int:
    """The owner's Buzz that nothing holds."""
    db = Database(SQLite(home / "heddle.db"))
    row = db.look(lambda tx: tx.one("SELECT available FROM balances WHERE account_id = 1"))
    db.close()
    assert row is not None
    return row["available"]


class Serving:
    """One data folder and the server processes that come and go on it."""

    def __init__(self, home: Path, engines: dict[str, str] | None = None, **settings: object) -> None:
        self.home = home
        self.token = ""
        self.url = ""
        self._engines = [f"{name}={target}" for name, target in (engines or {}).items()]
        self._env = {k: v for k, v in os.environ.items() if not k.startswith("HEDDLE_")}
        self._env |= {f"HEDDLE_{k.upper()}": str(v) for k, v in settings.items()}
        self.process: subprocess.Popen[str] | None = None

    def start(self, port: int = 0) -> Serving:
        """Bring a server up and wait until it listens."""
        command = [sys.executable, str(FIXTURES / "serve.py"), *self._engines, "--", "serve"]
        with (self.home.parent / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(port), "--home", str(self.home)],
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._env,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"at (http://\S+)", line)
        if not found:
            self.kill()
            raise AssertionError(f"the server did not start: {(self.home.parent / 'server.log').read_text()[-3000:]}")
        self.url = found[1]
        if not self.token:
            self.token = self.process.stdout.readline().split()[-1]
        return self

    def client(self) -> httpx.Client:
        """An HTTP client of the owner."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=30)

    def kill(self) -> None:
        """The hardest end."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """The soft end; the exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        process = self.process
        if process is None:
            return 0
        process.send_signal(number)
        status = process.wait(60)
        assert process.stdout is not None
        process.stdout.close()
        self.process = None
        return status
