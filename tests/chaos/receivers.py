"""The receivers of webhooks: one that works, one that fails, one that hangs. Each may be down for a while."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field

#: Longer than the sender's patience.
_HANG_S = 3.0


@dataclass(slots=True)
class Line:
    """What one endpoint heard of one workflow. `first` is in the order of first arrival."""

    first: list[int] = field(default_factory=list[int])
    said: dict[int, tuple[str, str, str]] = field(default_factory=dict[int, tuple[str, str, str]])
    changed: list[int] = field(default_factory=list[int])
    arrivals: int = 0

    def hear(self, seq: int, said: tuple[str, str, str]) -> None:
        """An event of this number came: its id, its kind, its status."""
        self.arrivals += 1
        if seq not in self.said:
            self.first.append(seq)
            self.said[seq] = said
        elif self.said[seq] != said:
            self.changed.append(seq)


class Receiver:
    """One endpoint on a port of its own; `fails` and `hangs` are shares of the deliveries."""

    def __init__(self, name: str, seed: int, *, fails: float = 0.0, hangs: float = 0.0) -> None:
        self.name = name
        self.port = 0
        self.lines: dict[str, Line] = defaultdict(Line)
        self._fails, self._hangs = fails, hangs
        self._chance = random.Random(f"{seed} {name}")
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{self.name}"

    async def up(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Refuse connections, and cut those that there are."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while True:
                await self._one(reader, writer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = {name.strip().lower(): value.strip() for name, _, value in (h.partition(":") for h in _lines(head))}
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        said = (headers["webhook-id"], body["$type"], body["status"])
        self.lines[body["workflowId"]].hear(int(headers["heddle-sequence"]), said)
        drawn = self._chance.random()
        if drawn < self._hangs:
            await asyncio.sleep(_HANG_S)
        status = "500 No" if self._hangs <= drawn < self._hangs + self._fails else "204 Yes"
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()


def _lines(head: str) -> list[str]:
    return head.split("\r\n")[1:-2]


class Receivers:
    """All of them, in one thread."""

    def __init__(self, seed: int) -> None:
        self.steady = Receiver("steady", seed)
        self.failing = Receiver("failing", seed, fails=0.1)
        self.hanging = Receiver("hanging", seed, hangs=0.02)
        self.all = (self.steady, self.failing, self.hanging)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="receivers")

    def start(self) -> Receivers:
        self._thread.start()
        for receiver in self.all:
            self.up(receiver)
        return self

    def up(self, receiver: Receiver) -> None:
        asyncio.run_coroutine_threadsafe(receiver.up(), self._loop).result(10)

    def down(self, receiver: Receiver) -> None:
        asyncio.run_coroutine_threadsafe(receiver.down(), self._loop).result(10)

    def close(self) -> None:
        for receiver in self.all:
            self.down(receiver)
        asyncio.run_coroutine_threadsafe(_end_the_others(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def heard(self) -> int:
        return sum(line.arrivals for receiver in self.all for line in list(receiver.lines.values()))


async def _end_the_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*others, return_exceptions=True)
