"""Bytes that go out: conditional requests, one range, and the headers that keep a browser from running what it got.

Where clients can reach the storage themselves, they are sent there for the bytes; everything else is answered here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import partial
from typing import BinaryIO

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from heddle import media
from heddle.api.problems import problem
from heddle.blobs import Blob
from heddle.errors import NotFound, UnsatisfiableRange
from heddle.storage import Direct, Storage

#: One read from storage; what is not longer goes out in one piece.
PIECE = 1 << 20

#: How long a link into the storage lives at most: enough to begin a download, and to begin it again.
DIRECT_S = 3600

_RANGE = re.compile(r"bytes\s*=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*", re.IGNORECASE)

#: From the first byte to the one after the last.
Part = tuple[int, int]


async def respond(
    request: Request, storage: Storage, blob: Blob, expires_at: datetime, at: datetime, *, direct: bool = False
) -> Response:
    """The bytes of a stored blob, or the part of them that was asked for. Raises NotFound when storage lost them.

    `direct`: send the caller to the storage for them, where that can be done.
    """
    assert blob.size is not None
    headers = _headers(blob, expires_at, at, download=request.query_params.get("download") in {"1", "true"})
    if _unchanged(request.headers, headers):
        return Response(status_code=304, headers=headers)
    whole = (0, blob.size)
    try:
        part = asked(request.headers, headers, blob.size) if request.method == "GET" else None
    except UnsatisfiableRange as error:
        return problem(request, 416, error.code, error.message, headers={"Content-Range": f"bytes */{blob.size}"})
    if part is not None:
        headers["Content-Range"] = f"bytes {part[0]}-{part[1] - 1}/{blob.size}"
    start, stop = part or whole
    headers["Content-Type"] = f"{blob.mime}; charset=utf-8" if blob.mime.startswith("text/") else blob.mime
    headers["Content-Length"] = str(stop - start)
    if request.method == "HEAD":
        return Response(status_code=200, headers=headers)
    seconds = min(DIRECT_S, int((expires_at - at).total_seconds()))
    # The storage sends no sandbox along: only what passed the gate, or is of a type that does, goes out from there.
    if direct and isinstance(storage, Direct) and seconds > 0 and blob.mime in media.TYPES:
        return await _elsewhere(storage, blob, seconds, headers)
    return await _body(storage, blob, (start, stop), 200 if part is None else 206, headers)


def asked(request: Mapping[str, str], headers: Mapping[str, str], size: int) -> Part | None:
    """The one range that is wanted, None for the whole. Raises UnsatisfiableRange.

    Several ranges, other units and nonsense are answered with the whole, as HTTP allows.
    """
    if "range" not in request or request.get("if-range", headers["ETag"]) not in {
        headers["ETag"],
        headers["Last-Modified"],
    }:
        return None
    found = _RANGE.fullmatch(request["range"])
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        start, stop = max(0, size - int(found[2])), size
    else:
        start, stop = int(found[1]), min(size, int(found[2]) + 1) if found[2] else size
        if found[2] and int(found[2]) < start:
            return None
    if start >= stop:
        raise UnsatisfiableRange(f"{request['range']!r} lies outside the {size} bytes of this blob")
    return start, stop


def _headers(blob: Blob, expires_at: datetime, at: datetime, *, download: bool) -> dict[str, str]:
    shown = "inline" if media.inline(blob.mime) and not download else "attachment"
    return {
        "ETag": f'"{blob.sha256}"',
        "Last-Modified": format_datetime(blob.created_at.replace(microsecond=0), usegmt=True),
        "Accept-Ranges": "bytes",
        "Cache-Control": f"private, immutable, max-age={max(0, int((expires_at - at).total_seconds()))}",
        "Content-Disposition": f'{shown}; filename="{blob.id}{media.ending(blob.mime)}"',
        # The type is what the gate found; a browser that guesses again, or runs scripts in an upload, is an attack.
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Nsfw-Level": str(blob.nsfw_level),
        # The signature is the permission, and no cookie is involved: any page that has the link may read it.
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }


def _unchanged(request: Mapping[str, str], headers: Mapping[str, str]) -> bool:
    """Whether the caller has these bytes already."""
    if (known := request.get("if-none-match")) is not None:
        tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
        return "*" in tags or headers["ETag"] in tags
    since = request.get("if-modified-since")
    if since is None:
        return False
    try:
        moment = parsedate_to_datetime(since)
    except ValueError:
        return False
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return parsedate_to_datetime(headers["Last-Modified"]) <= moment


async def _elsewhere(storage: Direct, blob: Blob, seconds: int, headers: dict[str, str]) -> Response:
    """The caller repeats the request, its range as well, at the storage."""
    told = {name: headers[name] for name in ("Content-Type", "Content-Disposition", "Cache-Control")}
    url = await to_thread.run_sync(storage.download_url, blob.key, seconds, told)
    kept = ("X-Nsfw-Level", "Access-Control-Allow-Origin", "Cross-Origin-Resource-Policy")
    # For half of its life, so that a browser that kept it has time to use it, and finds the bytes in its cache.
    cache = {"Location": url, "Cache-Control": f"private, max-age={seconds // 2}"}
    return Response(status_code=307, headers={name: headers[name] for name in kept} | cache)


async def _body(storage: Storage, blob: Blob, part: Part, status: int, headers: dict[str, str]) -> Response:
    start, stop = part
    try:
        # One trip to a thread for most blobs: open, read and close together.
        first, file = await to_thread.run_sync(_first, storage, blob.key, start, stop)
    except KeyError as error:
        raise NotFound(f"the bytes of {blob.id!r} are no longer in storage") from error
    if file is None:
        return Response(first, status, headers)
    return _Pieces(first, file, stop - start - len(first), status, headers)


def _first(storage: Storage, key: str, start: int, stop: int) -> tuple[bytes, BinaryIO | None]:
    """The first piece, and the open file where more follow. KeyError when the bytes are gone or too few."""
    file = storage.open(key)
    try:
        file.seek(start)
        piece = file.read(min(PIECE, stop - start))
        if len(piece) < min(PIECE, stop - start):
            raise KeyError(key)
    except BaseException:
        file.close()
        raise
    if len(piece) == stop - start:
        file.close()
        return piece, None
    return piece, file


class _Pieces(Response):
    """A long body, read while it is sent."""

    def __init__(self, first: bytes, file: BinaryIO, left: int, status: int, headers: dict[str, str]) -> None:
        super().__init__(None, status, headers)
        self._first = first
        self._file = file
        self._left = left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": self._first, "more_body": True})
            while self._left > 0:
                piece = await to_thread.run_sync(self._file.read, min(PIECE, self._left))
                if not piece:
                    # Ending short of the promised length is the only way left to say that something is wrong.
                    raise RuntimeError(f"storage ended {self._left} bytes early")
                self._left -= len(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": self._left > 0})
        finally:
            await to_thread.run_sync(partial(self._file.close))
