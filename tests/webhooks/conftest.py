"""Receivers that misbehave in real ways, and a database with one account to deliver for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import pytest

from heddle import accounts, outbox
from heddle.db import Database, Dialect
from heddle.domain import now
from heddle.outbox import Entry, Event, Replay
from heddle.settings import Settings
from heddle.webhooks import Deliverer, Pace

PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Request:
    """One POST as it arrived."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def seq(self) -> int:
        return int(self.headers["heddle-sequence"])


#: A status, raw bytes after which the connection is closed, or None: never answer.
Reply = int | bytes | None
Behavior = Callable[[Request], Awaitable[Reply]]


async def accept(request: Request) -> Reply:
    return 200


@dataclass
class Receiver:
    """An HTTP server on loopback that answers as `behavior` says."""

    behavior: Behavior = accept
    requests: list[Request] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def __aenter__(self) -> Self:
        self._news = asyncio.Condition()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self._tasks: set[asyncio.Task[None]] = set()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def expect(self, count: int) -> list[Request]:
        """The first `count` requests, as soon as they are there."""
        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(lambda: len(self.requests) >= count)
        return self.requests[:count]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while (request := await _read(reader)) is not None:
                if not await self._answer(request, writer):
                    break
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        async with self._news:
            self.requests.append(request)
            self._news.notify_all()
        try:
            reply = await self.behavior(request)
        finally:
            self.at_once -= 1
        if reply is None:
            await asyncio.Event().wait()
        raw = reply if isinstance(reply, bytes) else f"HTTP/1.1 {reply} X\r\nContent-Length: 2\r\n\r\nok".encode()
        writer.write(raw)
        await writer.drain()
        return isinstance(reply, int)


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.rstrip().split("\r\n")
    pairs = (line.split(": ", 1) for line in lines)
    headers = {name.lower(): value for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(first.split(" ")[1], headers, body)


@dataclass
class Mail:
    """A database with an account, and everything a test does with events."""

    db: Database
    account_id: int
    secret: str
    settings: Settings

    def append(self, endpoint: str, *bodies: Any, workflow_id: str = "wf_1", at: datetime | None = None) -> None:
        events = [
            Event(workflow_id=workflow_id, account_id=self.account_id, endpoint=endpoint, body={"n": body})
            for body in bodies
        ]
        self.append_all(events, at)

    def append_all(self, events: list[Event], at: datetime | None = None) -> None:
        self.db.apply(lambda tx, items: [outbox.append(tx, events, at or now())], None)

    def entries(self, **wanted: Any) -> list[Entry]:
        """Oldest first."""
        return self.db.look(lambda tx: outbox.entries(tx, limit=10_000, **wanted))[::-1]

    def states(self) -> list[str]:
        return [entry.state for entry in self.entries()]

    def replay(self, *ids: int) -> int:
        return self.db.apply(outbox.replay, Replay(ids=ids or None, at=now()))

    async def until(self, *states: str) -> list[Entry]:
        """Every event's state is as given, in the order of the events."""
        async with asyncio.timeout(PATIENCE_S):
            while self.states() != list(states):
                await asyncio.sleep(0.005)
        return self.entries()

    def deliverer(self, **given: Any) -> Deliverer:
        pace = Pace(poll_s=0.05, first_retry_s=0.01, longest_retry_s=0.04)
        options: dict[str, Any] = {"settings": self.settings, "fill": dict, "pace": pace} | given
        return Deliverer(self.db, **options)


@dataclass
class Running:
    """A deliverer at work for the length of an `async with`."""

    deliverer: Deliverer

    async def __aenter__(self) -> None:
        self.task = asyncio.create_task(self.deliverer.run())

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])
        assert self.task.cancelled()


@pytest.fixture
def mail(dialect: Dialect) -> Iterator[Mail]:
    db = Database(dialect)
    account = db.apply(lambda tx, names: [accounts.create(tx, name, now()) for name in names], "ann")
    secret = db.look(accounts.webhook_secret, account.id)
    settings = Settings(callbacks_private=True, webhook_timeout_s=5.0, webhook_tries=5)
    yield Mail(db, account.id, secret, settings)
    db.close()


@pytest.fixture
def receiver() -> type[Receiver]:
    return Receiver


@pytest.fixture
def running() -> type[Running]:
    return Running
