"""The server: the only place where parts are built and joined."""

from __future__ import annotations

import asyncio
import fcntl
import ipaddress
import json
import logging
import os
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import uvicorn

from heddle import accounts, registry, storage
from heddle.api.app import create_app
from heddle.api.deps import Deps, link_expiry
from heddle.blobs import Signer
from heddle.chores import first_run
from heddle.chores.timer import Timer
from heddle.db import Database
from heddle.db.migrate import migrate
from heddle.db.sqlite import SQLite
from heddle.domain import JSON, now
from heddle.errors import UsageError
from heddle.fleet.dispatcher import Dispatcher
from heddle.settings import Settings
from heddle.storage import Storage
from heddle.webhooks import Deliverer
from heddle.workflows import events
from heddle.workflows.planning import Planner

log = logging.getLogger(__name__)

#: How long running jobs may go on after the server was asked to stop.
GRACE_S = 20.0


@dataclass(frozen=True, slots=True)
class Parts:
    """A server that is built and not yet started."""

    settings: Settings
    db: Database
    deps: Deps
    #: The owner's token, when this start made the account.
    first_token: str | None


def prepare(settings: Settings) -> Parts:
    """Open the data folder, bring the schema up to date and make the first account. Raises UsageError."""
    for seam, name in (("storages", settings.storage), ("executors", settings.executor)):
        _plugin(seam, name)
    settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    dialect = SQLite(settings.folder / "heddle.db")
    migrate(dialect)
    db = Database(dialect)
    token = first_run.first_account(db, settings, now())
    _refuse_open_bind(settings, db)
    deps = Deps(settings, db, _storage(settings), Signer.from_db(db), Planner(settings))
    return Parts(settings, db, deps, token)


@asynccontextmanager
async def loops(parts: Parts) -> AsyncGenerator[None]:
    """Dispatcher, webhooks and chores, for as long as the context lasts."""
    settings, deps = parts.settings, parts.deps
    executor = _plugin("executors", settings.executor)(settings)
    dispatcher = Dispatcher(parts.db, executor, settings)

    def fill(body: JSON) -> JSON:
        until = link_expiry(settings)
        return events.fill(body, lambda blob_id: deps.signer.url(public_url(settings), blob_id, until))

    deliverer = Deliverer(parts.db, settings, fill)
    timer = Timer(parts.db, deps.storage, settings.folder / "blobs")
    await dispatcher.start()
    tasks = [asyncio.create_task(part.run()) for part in (dispatcher, deliverer, timer)]
    watch = asyncio.create_task(_watch(tasks))
    try:
        yield
    finally:
        watch.cancel()
        await dispatcher.close(GRACE_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, watch, return_exceptions=True)


async def _watch(tasks: list[asyncio.Task[None]]) -> None:
    """A loop that ends by itself is a bug: a server without it looks alive and is not, so stop."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        log.critical("a loop of the server ended; stopping", exc_info=task.exception())
    os._exit(70)


def listen(settings: Settings) -> tuple[socket.socket, Settings]:
    """A listening socket, and the settings with the port it really has. Raises UsageError."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((settings.host, settings.port))
    except OSError as error:
        sock.close()
        raise UsageError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}",
            "choose another with --port, or --port 0",
        ) from error
    return sock, replace(settings, port=sock.getsockname()[1])


class _Http(uvicorn.Server):
    """uvicorn without its signal handling: it would end the process before running jobs are handed back."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def serve(parts: Parts, sock: socket.socket, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Answer requests and run jobs until `stop` is set, then drain."""
    debug = parts.settings.log_level == "debug"
    http = _Http(
        uvicorn.Config(
            create_app(parts.deps),
            log_config=None,
            access_log=debug,
            lifespan="off",
            timeout_graceful_shutdown=5,
            server_header=False,
            # A proxy in front is told of by HEDDLE_PUBLIC_URL, which cannot be forged by a header.
            proxy_headers=False,
            ws="none",
        ),
        ready,
    )
    try:
        async with loops(parts):
            running = asyncio.create_task(http.serve(sockets=[sock]))
            waiting = asyncio.create_task(stop.wait())
            await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            http.should_exit = True
            await running
    finally:
        parts.db.close()


def public_url(settings: Settings) -> str:
    """Where this server is reached when no request tells."""
    return settings.public_url.rstrip("/") or f"http://{settings.host}:{settings.port}"


@dataclass(frozen=True, slots=True)
class Running:
    """A server process that holds a data folder."""

    pid: int
    url: str


class HomeLock:
    """One server process per data folder; the file says which, and at what address."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "server.lock"
        self._file: IO[str] | None = None

    def take(self, url: str) -> None:
        """Raises UsageError when another server holds the folder."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = self._path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = self.holder()
            file.close()
            where = f" (process {other.pid} at {other.url})" if other else ""
            raise UsageError(
                f"another Heddle server uses {self._path.parent}{where}",
                "stop it, or set HEDDLE_HOME to another folder",
            ) from None
        self._file = file
        self.tell(url)

    def tell(self, url: str) -> None:
        """Write where the server listens."""
        assert self._file is not None
        self._file.truncate(0)
        self._file.write(json.dumps({"pid": os.getpid(), "url": url}))
        self._file.flush()

    def release(self) -> None:
        """Let the folder go before the process ends."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def holder(self) -> Running | None:
        """The server that holds the folder now, None when there is none."""
        try:
            with self._path.open("r+") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    said = json.loads(file.read() or "{}")
                    return Running(said.get("pid", 0), said.get("url", ""))
        except (FileNotFoundError, json.JSONDecodeError):
            pass
        return None


def _storage(settings: Settings) -> Storage:
    return _plugin("storages", settings.storage)(storage.options(settings))


def _plugin(seam: str, name: str) -> Any:
    """The plug-in that a setting names. Raises UsageError."""
    known = ", ".join(registry.targets(seam))
    if name not in registry.targets(seam):
        raise UsageError(f"HEDDLE_{seam.upper()[:-1]} is {name!r}, which is not one of: {known}", f"set it to {known}")
    return registry.get(seam, name)


def _refuse_open_bind(settings: Settings, db: Database) -> None:
    if not loopback(settings.host) and not db.look(accounts.any_token):
        raise UsageError(
            f"listening on {settings.host} without a single token would leave the server open",
            "run `heddle tokens create NAME` first, or listen on 127.0.0.1",
        )


def loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
