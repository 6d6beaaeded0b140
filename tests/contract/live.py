"""A real server in a process of its own, with three accounts: its owner, a stranger and somebody with little Buzz."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from heddle import accounts
from heddle.chores import first_run
from heddle.db import Database, Tx
from heddle.db.migrate import migrate
from heddle.db.sqlite import SQLite
from heddle.domain import now
from heddle.settings import Settings, child_environment

#: How long the server may take to come up, and one request to be answered.
START_S, ANSWER_S = 60.0, 20.0

#: Small limits, so that tests can go beyond them with little data.
LIMITS = {"HEDDLE_MAX_BODY_MB": "1", "HEDDLE_MAX_UPLOAD_MB": "1", "HEDDLE_SLOTS": "1", "HEDDLE_PREVIEW_S": "0.02"}


@dataclass(frozen=True, slots=True)
class Live:
    """Where the server listens, and the tokens of the accounts."""

    url: str
    log: Path
    owner: str
    stranger: str
    poor: str

    def client(self, token: str | None) -> httpx.Client:
        """Everything that it sends carries the token, if there is one."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=ANSWER_S, trust_env=False)


@contextmanager
def running(home: Path, **environment: str) -> Generator[Live]:
    """`heddle serve` on a free port; it ends with the pipe that we hold."""
    owner, stranger, poor = _accounts(home)
    said, ready = os.pipe()
    life, held = os.pipe()
    command = [sys.executable, "-m", "heddle", "serve", "--port", "0", "--home", str(home)]
    log = home / "server.log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            [*command, "--ready-fd", str(ready), "--life-fd", str(life)],
            pass_fds=(ready, life),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**child_environment(), **LIMITS, **environment},
        )
    os.close(ready)
    os.close(life)
    try:
        yield Live(_address(said, log), log, owner, stranger, poor)
    finally:
        os.close(said)
        os.close(held)
        try:
            child.wait(40)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _accounts(home: Path) -> tuple[str, str, str]:
    settings = Settings(home=str(home))
    home.mkdir(parents=True, exist_ok=True)
    dialect = SQLite(home / "heddle.db")
    migrate(dialect)
    with closing(Database(dialect)) as db:
        owner = first_run.first_account(db, settings, now())
        assert owner is not None
        return owner, db.apply(_account, ("stranger", 1_000_000)), db.apply(_account, ("poor", 1))


def _account(tx: Tx, wanted: list[tuple[str, int]]) -> list[str]:
    made = [first_run.new_account(tx, name, now(), buzz=buzz) for name, buzz in wanted]
    return [accounts.create_token(tx, account.id, "tests", now())[1] for account in made]


def _address(said: int, log: Path) -> str:
    readable, _, _ = select.select([said], [], [], START_S)
    text = os.read(said, 4096) if readable else b""
    if not text:
        raise RuntimeError(f"the server did not start: {log.read_text(errors='replace')[-2000:]}")
    return json.loads(text)["url"]
