"""HTTP/1.1 with patience that ends: a request's head has a size, and a time in which it must arrive.

The parser itself has no limits. Without these, one connection that sends a header without end takes all memory, and
a few hundred that send half a line hold their sockets for ever.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Bytes of request line and headers.
HEAD_BYTES = 65_536

#: Seconds from the first byte of a head to its last.
HEAD_S = 20.0

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b'Content-Length: 78\r\n\r\n{"code":"header_too_large","status":431,"message":"the headers are too large"}'
)


class Protocol(HttpToolsProtocol):
    """One connection."""

    _head = 0
    _reading_head = False
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin_head()

    def data_received(self, data: bytes) -> None:
        self._head += len(data)
        super().data_received(data)
        if self._reading_head and self._head > HEAD_BYTES:
            self._cut(_TOO_LARGE)

    def on_message_begin(self) -> None:
        self._begin_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._end_head()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def _begin_head(self) -> None:
        self._reading_head = True
        self._head = 0
        if self._patience is None:
            self._patience = self.loop.call_later(HEAD_S, self._cut, b"")

    def _end_head(self) -> None:
        self._reading_head = False
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _cut(self, last_words: bytes) -> None:
        """Close whatever the other side still sends."""
        self._end_head()
        transport: Any = self.transport
        if last_words:
            transport.write(last_words)
        transport.close()
