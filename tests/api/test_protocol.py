"""Heads that are too large or too slow are cut; ordinary requests, pipelined ones too, are not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from heddle.api import protocol


async def app(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


class Quiet(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        pass


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    sock = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=protocol.Protocol, log_config=None, access_log=False, lifespan="off", ws="none")
    server = Quiet(config)
    running = asyncio.create_task(server._serve([sock]))
    try:
        yield sock.getsockname()[1]
    finally:
        server.should_exit = True
        await running
        sock.close()


async def talk(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """Send parts, then read until the other side closes or is silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    got = b""
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        async with asyncio.timeout(3):
            while chunk := await reader.read(65_536):
                got += chunk
    except (ConnectionError, TimeoutError):
        pass
    writer.close()
    return got


def test_ordinary_requests_pass() -> None:
    async def main() -> None:
        async with serving() as port:
            one = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
            last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            assert (await talk(port, one + one + last)).count(b"200 OK") == 3
            body = b"x" * 500_000
            head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
            assert b"200 OK" in await talk(port, head + body)
            many = b"".join(b"X-%d: %s\r\n" % (n, b"v" * 100) for n in range(200))
            assert b"200 OK" in await talk(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + many + b"\r\n")

    asyncio.run(main())


@pytest.mark.parametrize("line", [b"X: a\r\n" * 1000, b"a" * 6000])
def test_a_head_without_end_is_cut(line: bytes) -> None:
    async def main() -> None:
        async with serving() as port:
            start = b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: "
            assert b" 431 " in await talk(port, start, *[line] * (66_000 // len(line) + 1), pause=0.005)

    asyncio.run(main())


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_a_head_that_does_not_come_is_cut(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.2)

    async def main() -> None:
        async with serving() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            async with asyncio.timeout(3):
                assert await reader.read() == b""
            writer.close()

    asyncio.run(main())
