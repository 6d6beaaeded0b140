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
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal, Protocol

import uvicorn

from heddle import accounts, options, registry, storage
from heddle.api.app import create_app
from heddle.api.deps import Deps, link_expiry
from heddle.api.probes import probes_app
from heddle.api.protocol import Protocol as HttpProtocol
from heddle.api.room import Room
from heddle.blobs import Signer
from heddle.chores import first_run
from heddle.chores.timer import Timer
from heddle.db import Database, dialects
from heddle.db.migrate import migrate
from heddle.domain import JSON, now
from heddle.errors import UsageError
from heddle.fleet.dispatcher import Dispatcher
from heddle.runs.conductor import Aside, Conductor, Pace, Passes
from heddle.runs.hosts import hosts_of
from heddle.settings import Settings, private_folder
from heddle.storage import Storage
from heddle.webhooks import Deliverer
from heddle.workflows import events
from heddle.workflows.planning import Planner

log = logging.getLogger(__name__)

#: What a process can be there for. `heddle serve` does it all; on PostgreSQL each may have processes of its own.
Duty = Literal["api", "dispatch", "webhooks", "chores"]
ALL: frozenset[Duty] = frozenset({"api", "dispatch", "webhooks", "chores"})


class Loop(Protocol):
    """Something that runs until it is canceled."""

    async def run(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """A server that is built and not yet started."""

    settings: Settings
    db: Database
    deps: Deps
    #: The owner's token, when this start made the account.
    first_token: str | None


def prepare(settings: Settings, *, quiet: bool = False, duties: frozenset[Duty] = ALL) -> Parts:
    """Open the data folder and the database, bring the schema up to date and make the first account. Raises UsageError.

    A quiet server makes no token, because it has nobody to show it to. A process without the API makes no account
    either: whichever process of a deployment comes first, the token is made by one that shows it.
    """
    for seam, name in (("storages", settings.storage), ("executors", settings.executor)):
        _plugin(seam, name)
    hosts_of(settings.run_hosts)
    private_folder(settings.folder)
    registry.configure(options.read(settings))
    dialect = dialects.choose(settings)
    migrate(dialect)
    db = Database(dialect)
    try:
        return _parts(settings, db, duties, quiet=quiet)
    except BaseException:
        db.close()
        raise


def _parts(settings: Settings, db: Database, duties: frozenset[Duty], *, quiet: bool) -> Parts:
    if "api" in duties:
        _refuse_open_bind(settings, db)
    # Before the token, which is shown once: a start that is refused must not use it up.
    store = open_storage(settings)
    token = first_run.first_account(db, settings, now(), token=not quiet) if "api" in duties else None
    deps = Deps(settings, db, store, Signer.from_db(db), Planner(settings), _room(settings))
    return Parts(settings, db, deps, token)


@asynccontextmanager
async def loops(parts: Parts, duties: frozenset[Duty] = ALL) -> AsyncGenerator[None]:
    """Dispatcher, webhooks and chores, for as long as the context lasts."""
    async with AsyncExitStack() as stack:
        tasks = [asyncio.create_task(loop.run()) for loop in await _loops(parts, duties, stack)]
        watch = asyncio.create_task(_watch(tasks)) if tasks else None
        try:
            yield
        finally:
            if watch is not None:
                watch.cancel()
            await stack.aclose()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _loops(parts: Parts, duties: frozenset[Duty], stack: AsyncExitStack) -> list[Loop]:
    """The loops of some duties; what has to end before they are canceled is pushed to the stack."""
    settings, deps = parts.settings, parts.deps
    made: list[Loop] = []

    def fill(body: JSON) -> JSON:
        until = link_expiry(settings)
        return events.fill(body, lambda blob_id: deps.signer.url(public_url(settings), blob_id, until))

    if "dispatch" in duties:
        executor = _plugin("executors", settings.executor)(settings)
        dispatcher = Dispatcher(parts.db, executor, settings, alone=not parts.db.shared, storage=deps.storage)
        await dispatcher.start()
        stack.push_async_callback(dispatcher.close, settings.grace_s)
        made.append(dispatcher)
        if settings.runs_at_once:
            made.append(_conductor(parts))
    if "webhooks" in duties:
        made.append(Deliverer(parts.db, settings, fill))
    if "chores" in duties:
        made.append(Timer(parts.db, deps.storage, settings))
    return made


def _conductor(parts: Parts) -> Aside:
    """It has an API of its own: the tokens of its runs open nothing that listens."""
    passes = Passes()
    app = create_app(replace(parts.deps, passes=passes.known, room=_room(parts.settings), known={}))
    hosts, pace = hosts_of(parts.settings.run_hosts), Pace(at_once=parts.settings.runs_at_once)
    return Aside(Conductor(parts.db, app, passes, public_url(parts.settings), pace=pace, hosts=hosts))


def _room(settings: Settings) -> Room:
    return Room(settings.sources_at_once, settings.sources_mb * 1024 * 1024, settings.sources_wait_s)


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
            f"cannot listen on {_in_url(settings.host)}:{settings.port}: {error.strerror}",
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


async def serve(
    parts: Parts,
    sock: socket.socket | None,
    stop: asyncio.Event,
    ready: Callable[[], None],
    duties: frozenset[Duty] = ALL,
) -> None:
    """Do some duties until `stop` is set, then drain. Without the API the socket, where there is one, is for probes."""
    try:
        async with loops(parts, duties):
            if sock is None:
                ready()
                await stop.wait()
            else:
                drain_s = parts.settings.drain_s if "api" in duties else 0
                await _listen_until(stop, _http(parts, duties, stop, ready), sock, drain_s)
    finally:
        parts.db.close()


def _http(parts: Parts, duties: frozenset[Duty], stop: asyncio.Event, ready: Callable[[], None]) -> _Http:
    app = create_app(parts.deps) if "api" in duties else probes_app(parts.db, parts.settings)
    app.state.stopping = stop
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # api/telemetry.py has its own, which knows what not to tell
        lifespan="off",
        http=HttpProtocol,
        timeout_graceful_shutdown=5,
        server_header=False,
        # A proxy in front is told of by HEDDLE_PUBLIC_URL, which cannot be forged by a header.
        proxy_headers=False,
        ws="none",
    )
    return _Http(config, ready)


async def _listen_until(stop: asyncio.Event, http: _Http, sock: socket.socket, drain_s: float) -> None:
    running = asyncio.create_task(http.serve(sockets=[sock]))
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not running.done():
        await asyncio.sleep(drain_s)
    http.should_exit = True
    await running


def public_url(settings: Settings) -> str:
    """Where this server is reached when no request tells."""
    return settings.public_url.rstrip("/") or local_url(settings)


def local_url(settings: Settings) -> str:
    """Where this machine reaches the server, whatever the world calls it."""
    anywhere = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not listened on
    return f"http://{_in_url(anywhere.get(settings.host, settings.host))}:{settings.port}"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


@dataclass(frozen=True, slots=True)
class Running:
    """A server process that holds a data folder."""

    pid: int
    #: Empty while it starts.
    url: str
    #: Whether it goes on when the commands that use it have ended.
    lasting: bool = True


class HomeLock:
    """One server process per data folder; the file says which, and at what address."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "server.lock"
        self._file: IO[str] | None = None
        self._lasting = True

    def take(self, *, lasting: bool = True) -> None:
        """Raises UsageError when another server holds the folder."""
        private_folder(self._path.parent)
        file = self._path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = self.holder()
            file.close()
            where = f" (process {other.pid} at {other.url or 'no address yet'})" if other else ""
            raise UsageError(
                f"another Heddle server uses {self._path.parent}{where}",
                "stop it, or set HEDDLE_HOME to another folder",
            ) from None
        self._file = file
        self._lasting = lasting
        self.tell("")

    def tell(self, url: str) -> None:
        """Write where the server answers."""
        assert self._file is not None
        self._file.truncate(0)
        self._file.write(json.dumps({"pid": os.getpid(), "url": url, "lasting": self._lasting}))
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
                    return Running(said.get("pid", 0), said.get("url", ""), said.get("lasting", True))
        except OSError:  # none, or not ours to read: whoever needs the folder is told why when it is used
            pass
        except json.JSONDecodeError:  # just being written
            return Running(0, "")
        return None


class Clients:
    """The commands that use the server of a data folder. One that was started for a command lives while any does."""

    def __init__(self, folder: Path) -> None:
        private_folder(folder)
        self._handle = os.open(folder / "clients.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def enter(self) -> None:
        """Be one of them; waits for a server that is just ending."""
        fcntl.flock(self._handle, fcntl.LOCK_SH)

    def end(self) -> bool:
        """Whether nobody (else) is one of them, and nobody can become one until `leave`."""
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def leave(self) -> None:
        """Not to be used again."""
        os.close(self._handle)


def open_storage(settings: Settings) -> Storage:
    """The storage that the settings name, tried out. Raises UsageError."""
    made: Storage = _plugin("storages", settings.storage)(storage.options(settings))
    made.check()
    return made


def _plugin(seam: str, name: str) -> Any:
    """The plug-in that a setting names. Raises UsageError."""
    known = ", ".join(registry.targets(seam))
    if name not in registry.targets(seam):
        raise UsageError(f"HEDDLE_{seam.upper()[:-1]} is {name!r}, which is not one of: {known}", f"set it to {known}")
    return registry.get(seam, name)


def _refuse_open_bind(settings: Settings, db: Database) -> None:
    """The very first start makes a token and shows it; after that, none left means that somebody revoked them all."""
    if not loopback(settings.host) and db.look(accounts.every) and not db.look(accounts.any_token):
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
