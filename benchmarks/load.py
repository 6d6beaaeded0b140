"""A small HTTP client for load: keep-alive connections, no checks, so that the client costs less than the server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass
class Connection:
    """One keep-alive connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    head: bytes

    @classmethod
    async def open(cls, url: str, token: str = "") -> Connection:
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        auth = f"Authorization: Bearer {token}\r\n" if token else ""
        return cls(reader, writer, f" HTTP/1.1\r\nHost: {parts.netloc}\r\n{auth}".encode())

    async def request(self, method: bytes, path: bytes, body: bytes = b"") -> tuple[int, bytes]:
        length = b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body) if body else b""
        self.writer.write(method + b" " + path + self.head + length + b"\r\n" + body)
        head = await self.reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        at = head.lower().find(b"content-length: ")
        size = int(head[at + 16 : head.index(b"\r\n", at)]) if at >= 0 else 0
        return status, await self.reader.readexactly(size) if size else b""

    def close(self) -> None:
        self.writer.close()
