"""A Heddle for the length of one command: the server that already holds the data folder, or a child of our own."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

from heddle import accounts, settings
from heddle.cli.home import account_of, commit, open_home
from heddle.domain import now
from heddle.errors import UsageError
from heddle.settings import Settings

#: How long the server may take to come up.
START_S = 60.0


@contextmanager
def embedded() -> Generator[tuple[str, str]]:
    """`(url, token)` of a running server; what was started or made for it is taken back at the end."""
    chosen = settings.read()
    with _server(chosen) as url, _token(chosen) as token:
        yield url, token


@contextmanager
def _server(chosen: Settings) -> Generator[str]:
    from heddle.server import HomeLock  # noqa: PLC0415 - heavy, and commands that talk to a server do without

    holder = HomeLock(chosen.folder).holder()
    if holder is not None and holder.url:
        yield holder.url
        return
    with _child(chosen) as url:
        yield url


@contextmanager
def _child(chosen: Settings) -> Generator[str]:
    """`heddle serve` on a free port; it ends with us, whatever ends us, by the pipe that we hold."""
    chosen.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    said, ready = os.pipe()
    life, held = os.pipe()
    log = chosen.folder / "embedded.log"
    command = [sys.executable, "-m", "heddle", "serve", "--port", "0", "--home", str(chosen.folder)]
    with log.open("wb") as errors:
        child = subprocess.Popen(
            [*command, "--ready-fd", str(ready), "--life-fd", str(life)],
            pass_fds=(ready, life),
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            start_new_session=True,
        )
    os.close(ready)
    os.close(life)
    try:
        yield _address(said, log)
    finally:
        os.close(said)
        os.close(held)
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _address(said: int, log: Path) -> str:
    readable, _, _ = select.select([said], [], [], START_S)
    text = os.read(said, 4096) if readable else b""
    if not text:
        lines = log.read_text(errors="replace").strip().splitlines()
        raise UsageError(
            f"the embedded server did not start: {lines[-1] if lines else 'no word from it'}", f"see {log}"
        )
    return json.loads(text)["url"]


@contextmanager
def _token(chosen: Settings) -> Generator[str]:
    """A token of the owner's account for this run."""
    with closing(open_home(chosen)) as db:
        at = now()
        token_id, token = commit(
            db,
            lambda tx: accounts.create_token(tx, account_of(tx, None).id, "embedded run", at, at + timedelta(days=1)),
        )
        try:
            yield token
        finally:
            commit(db, lambda tx: accounts.revoke_token(tx, token_id, now()))
