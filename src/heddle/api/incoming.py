"""Bytes that come in: counted and hashed piece by piece while they arrive, from a raw body or out of a form."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, BinaryIO, cast

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from heddle import media
from heddle.contract import blobs as contract
from heddle.errors import CallerError, InvalidRequest, TooLarge, Unavailable, UnsupportedMedia

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

#: An upload that sends nothing for this long is given up.
STALL_S = 30.0

#: One read or write of a larger thing.
PIECE = 1 << 20

#: What a form may hold beside its file: parts, bytes of a plain field, and all headers and boundaries together.
_MAX_PARTS = 16
_MAX_FIELD = 1024
_MAX_OVERHEAD = 64 * 1024

_DIGITS = re.compile(r"[0-9]{1,18}")


class Incoming:
    """The bytes of one upload. `refusal` is what somebody hears who sends more than `limit`."""

    def __init__(self, limit: int, refusal: CallerError) -> None:
        self._limit = limit
        self._refusal = refusal
        self._start()

    def _start(self) -> None:
        # In memory up to a MiB, then a file without a name: a killed server leaves nothing to clean up.
        self._file = cast("BinaryIO", SpooledTemporaryFile(max_size=1 << 20))  # noqa: SIM115 - `close` is ours
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def file(self) -> BinaryIO:
        """For reading, anywhere."""
        return self._file

    @property
    def sha256(self) -> str:
        """Of everything so far."""
        return self._hash.hexdigest()

    def add(self, piece: bytes) -> None:
        """Take a piece. Raises the refusal, or Unavailable when the disk is full."""
        self.size += len(piece)
        if self.size > self._limit:
            raise self._refusal
        self._hash.update(piece)
        with disk_trouble():
            self._file.write(piece)

    def replace(self, whole: bytes) -> None:
        """Hold this instead."""
        self.close()
        self._start()
        self.add(whole)

    def read(self) -> bytes:
        """All of it."""
        self._file.seek(0)
        return self._file.read()

    def pieces(self) -> Iterator[bytes]:
        """All of it, piece by piece."""
        self._file.seek(0)
        while piece := self._file.read(PIECE):
            yield piece

    def close(self) -> None:
        """Let go of the bytes."""
        self._file.close()


@contextmanager
def disk_trouble() -> Generator[None]:
    """A full or broken disk is our trouble, and may pass."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"the storage cannot take this now: {error.strerror or 'input/output error'}") from error


def content_length(request: Request) -> int | None:
    """What the caller says it will send."""
    said = request.headers.get("content-length", "")
    return int(said) if _DIGITS.fullmatch(said) else None


async def receive(request: Request, sink: Callable[[bytes], None], seconds: float) -> None:
    """Pass the body on as it arrives. Raises InvalidRequest when it stops early, stalls or takes too long."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("a compressed body is not taken; send the bytes as they are, without Content-Encoding")
    loop = asyncio.get_running_loop()
    last = loop.time() + seconds
    try:
        async with asyncio.timeout(min(STALL_S, seconds)) as patience:
            async for piece in request.stream():
                sink(piece)
                patience.reschedule(min(loop.time() + STALL_S, last))
    except TimeoutError as error:
        raise InvalidRequest("the upload stalled or took too long; nothing was kept") from error
    except ClientDisconnect as error:
        raise InvalidRequest("the connection was closed before the body was complete") from error


# ── forms ─────────────────────────────────────────────────────────────────────


async def read_form(request: Request, incoming: Incoming, seconds: float, limit: int) -> str:
    """Find the part `file` of a form and put its bytes into `incoming`; returns the type the caller gave it, or "".

    Raises InvalidRequest for a form without it, and for a bad `moderate`.
    """
    total = limit + _MAX_OVERHEAD
    form = _Form(incoming)
    parser = MultipartParser(_boundary(request), form.callbacks())
    seen = 0

    def sink(piece: bytes) -> None:
        nonlocal seen
        seen += len(piece)
        if seen > total:
            raise TooLarge(f"the form is larger than {total} bytes")
        parser.write(piece)

    try:
        await receive(request, sink, seconds)
    except FormParserError as error:
        raise InvalidRequest.of("body", f"not a valid form: {error}") from error
    # Text that stands for bytes is decoded there: up to the limit, that takes a while.
    return await asyncio.to_thread(form.end)


def _boundary(request: Request) -> bytes:
    _, options = parse_options_header(request.headers["content-type"])
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:  # RFC 2046
        raise InvalidRequest.of(
            "body", "multipart/form-data needs a boundary of 1 to 70 characters in its Content-Type"
        )
    return boundary


class _Form:
    """Listens to the parser; keeps one file and one short field, lets everything else pass."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming
        self._parts = 0
        self._name = ""
        self._header = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._field = b""
        self._file: dict[bytes, bytes] | None = None
        self._has_filename = False
        self._ended = False

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin_part,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def end(self) -> str:
        """The body is complete; the type given to the file."""
        if not self._ended:
            raise InvalidRequest.of("body", "the form is cut off: its closing boundary is missing")
        if self._file is None:
            raise InvalidRequest.of("file", "required: a part named `file` that holds the bytes")
        said = self._file.get(b"content-type", b"").decode("latin-1")
        if self._has_filename:
            return said
        return self._unwrap(said)

    def _unwrap(self, said: str) -> str:
        """A value without a file name may be text that stands for bytes."""
        whole = self._incoming.read()
        inner, inner_said = media.unwrap(whole)
        if inner is not whole:
            self._incoming.replace(inner)
            return inner_said
        # Clients label plain values text/plain whatever they hold.
        return "" if media.sniff(whole[:64]) else said

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > _MAX_PARTS:
            raise InvalidRequest.of("body", f"the form has more than {_MAX_PARTS} parts")
        self._headers = {}
        self._field = b""

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header = self._value = b""

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if self._name != "file":
            return
        if self._file is not None:
            raise InvalidRequest.of("file", "given twice; one upload is one blob")
        self._file = self._headers
        # The name itself is never used: a stored thing is named by us.
        self._has_filename = b"filename" in options

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._name == "file":
            self._incoming.add(data[start:end])
        elif len(self._field) < _MAX_FIELD:
            self._field += data[start : min(end, start + _MAX_FIELD)]

    def _end_part(self) -> None:
        if self._name != "moderate":
            return
        text = self._field.decode("utf-8", "replace")
        try:
            contract.moderate(text)
        except KeyError as error:
            raise InvalidRequest.of("moderate", f"{text[:80]!r} is neither true nor false") from error

    def _end(self) -> None:
        self._ended = True
