"""A Heddle for the length of one command: the server that already holds the data folder, or a child of our own."""

from __future__ import annotations

import fcntl
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from heddle import accounts, settings
from heddle.chores.first_run import EMBEDDED
from heddle.cli.home import account_of, commit, open_home, usable
from heddle.domain import now
from heddle.errors import UsageError
from heddle.settings import Settings

if TYPE_CHECKING:
    from heddle.server import Clients, Running

#: How long the server may take to come up.
START_S = 60.0


@contextmanager
def embedded(*, lasting: bool = False) -> Generator[tuple[str, str]]:
    """`(url, token)` of a running server; what was started or made for it is taken back at the end.

    `lasting` asks for one that goes on when this command has ended. Raises UsageError when there is none.
    """
    chosen = settings.read()
    with _server(chosen, lasting) as url, _token(chosen) as token:
        yield url, token


def outlives() -> bool:
    """Whether the server on the data folder goes on without the commands that use it."""
    from heddle.server import HomeLock  # noqa: PLC0415

    running = HomeLock(settings.read().folder).holder()
    return running is not None and running.lasting


@contextmanager
def _server(chosen: Settings, lasting: bool) -> Generator[str]:
    from heddle.server import Clients  # noqa: PLC0415 - heavy, and commands that talk to a server do without

    with usable(chosen.folder):
        clients = Clients(chosen.folder)
    try:
        clients.enter()
        with ExitStack() as started:
            with _one_at_a_time(chosen.folder):
                running = _running(chosen.folder)
                if lasting and (running is None or not running.lasting):
                    raise UsageError(
                        "no server is running that would go on with the work after this command",
                        "start one with `heddle serve`, or wait for the result",
                    )
                url = running.url if running else started.enter_context(_child(chosen, clients))
            yield url
    finally:
        clients.leave()


@contextmanager
def _one_at_a_time(folder: Path) -> Generator[None]:
    """Of commands that begin at the same moment, one starts the server and the others find it."""
    handle = os.open(folder / "starting.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _running(folder: Path) -> Running | None:
    """The server on the data folder; one that still starts is waited for."""
    from heddle.server import HomeLock  # noqa: PLC0415

    end = time.monotonic() + START_S
    while (found := HomeLock(folder).holder()) is not None and not found.url:
        if time.monotonic() > end:
            raise UsageError(f"the server on {folder} (process {found.pid}) does not answer", "stop it and try again")
        time.sleep(0.1)
    return found


@contextmanager
def _child(chosen: Settings, clients: Clients) -> Generator[str]:
    """`heddle serve` on a free port; by the pipe that we hold it learns that we ended, whatever ended us."""
    said, ready = os.pipe()
    life, held = os.pipe()
    log = chosen.folder / "embedded.log"
    command = [sys.executable, "-m", "heddle", "serve", "--host", "127.0.0.1", "--port", "0"]
    with log.open("wb") as errors:
        child = subprocess.Popen(
            [*command, "--home", str(chosen.folder), "--ready-fd", str(ready), "--life-fd", str(life)],
            pass_fds=(ready, life),
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            start_new_session=True,
            umask=0o077,
            # The public address leads to a server that lasts, not to this one; its links must work here and now.
            env=settings.environment(HEDDLE_PUBLIC_URL=""),
        )
    log.chmod(0o600)
    os.close(ready)
    os.close(life)
    try:
        yield _address(said, log)
    finally:
        os.close(said)
        if clients.end():
            _stop(child)
        os.close(held)


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(30)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _address(said: int, log: Path) -> str:
    readable, _, _ = select.select([said], [], [], START_S)
    text = os.read(said, 4096) if readable else b""
    if not text:
        reason, hint = _last_words(log.read_text(errors="replace"))
        raise UsageError(f"the embedded server did not start: {reason or 'no word from it'}", hint or f"see {log}")
    return json.loads(text)["url"]


def _last_words(log: str) -> tuple[str, str]:
    """The error that ended a server, and its hint; else the last line."""
    lines = log.strip().splitlines() or [""]
    told = next((number for number in reversed(range(len(lines))) if lines[number].startswith("heddle: ")), None)
    if told is None:
        return lines[-1], ""
    after = "".join(lines[told + 1 : told + 2])
    return lines[told].removeprefix("heddle: "), after.removeprefix("hint: ") if after.startswith("hint: ") else ""


@contextmanager
def _token(chosen: Settings) -> Generator[str]:
    """A token of the owner's account for this run."""
    with closing(open_home(chosen)) as db:
        at = now()
        token_id, token = commit(
            db,
            lambda tx: accounts.create_token(tx, account_of(tx, None).id, EMBEDDED, at, at + timedelta(days=1)),
        )
        try:
            yield token
        finally:
            commit(db, lambda tx: accounts.revoke_token(tx, token_id, now()))
