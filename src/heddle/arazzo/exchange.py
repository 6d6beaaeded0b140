"""One HTTP exchange: send a built request, follow redirects without giving credentials away, cap the answer."""

from __future__ import annotations

import email.utils
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import urljoin

import httpx

from heddle.arazzo.decoding import decoded
from heddle.arazzo.hosts import GuardedTransport, HostRefused
from heddle.arazzo.openapi import origin
from heddle.arazzo.requests import Request
from heddle.arazzo.security import basic, with_credentials
from heddle.errors import HeddleError

MAX_ANSWER_BYTES = 32 * 1024 * 1024
MAX_REDIRECTS = 5
TIMEOUT = {"connect": 10.0, "read": 130.0, "write": 60.0, "pool": 10.0}
#: How often a read is sent when its connection breaks off: a replica behind a balancer may go at any time.
_TRIES = 3
_BROKE_OFF = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
_REDIRECTS = (301, 302, 303, 307, 308)


class ExchangeError(HeddleError):
    """No usable answer: no connection, a time-out, or more bytes than we take."""


class Skipped(HeddleError):
    """There will be no answer: somebody decided that the run goes on without it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    content: bytes
    url: str
    seconds: float

    def body(self) -> Any:
        """JSON as values, text as text, everything else as bytes; no content is null."""
        return decoded(self.content, self.headers.get("content-type", ""))

    def retry_after(self) -> float | None:
        """Seconds until the server wants to be asked again."""
        text = self.headers.get("retry-after", "").strip()
        if re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", text):
            return float(text)
        try:
            moment = email.utils.parsedate_to_datetime(text)
        except (ValueError, TypeError):
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())


class Sender(Protocol):
    """Turns a request into its answer."""

    async def send(self, request: Request) -> Answer:
        """Raises ExchangeError."""
        ...


class Client:
    """Keeps connections alive over a run. Without a `transport` it calls public hosts and this machine only."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None, max_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._transport = transport or GuardedTransport()
        self._max_bytes = max_bytes

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)

    async def send(self, request: Request) -> Answer:
        """The answer to a request, after redirects."""
        started = perf_counter()
        async with self.open(request) as response:
            content = await self._content(response)
            return Answer(
                status=response.status_code,
                headers=dict(response.headers),
                content=content,
                url=str(response.request.url),
                seconds=perf_counter() - started,
            )

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncGenerator[httpx.Response]:
        """The answer with its body unread."""
        outgoing = _outgoing(request)
        for _ in range(MAX_REDIRECTS):
            response = await self._exchanged(outgoing)
            target = _redirect(response, outgoing)
            if target is None:
                try:
                    yield response
                finally:
                    await response.aclose()
                return
            await response.aclose()
            outgoing = target
        raise ExchangeError(f"{request.url} redirects more than {MAX_REDIRECTS} times")

    async def _exchanged(self, outgoing: httpx.Request) -> httpx.Response:
        try:
            response = await self._answered(outgoing)
        except HostRefused as error:
            raise ExchangeError(error.message) from error
        except httpx.TimeoutException as error:
            raise ExchangeError(f"{outgoing.url.host} did not answer in time") from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise ExchangeError(f"no answer from {_host(outgoing.url)}: {error or type(error).__name__}") from error
        response.request = outgoing
        return response

    async def _answered(self, outgoing: httpx.Request) -> httpx.Response:
        """Whether something that changes the server was carried out nobody knows, so only reads are sent again."""
        for _ in range(_TRIES - 1 if outgoing.method in {"GET", "HEAD"} else 0):
            with suppress(*_BROKE_OFF):
                return await self._transport.handle_async_request(outgoing)
        return await self._transport.handle_async_request(outgoing)

    async def _content(self, response: httpx.Response) -> bytes:
        chunks: list[bytes] = []
        size = 0
        try:
            async for chunk in response.aiter_bytes():
                size += len(chunk)
                if size > self._max_bytes:
                    raise ExchangeError(
                        f"the answer of {_host(response.request.url)} is larger than {self._max_bytes} bytes"
                    )
                chunks.append(chunk)
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise ExchangeError(f"the answer of {_host(response.request.url)} broke off: {error}") from error
        return b"".join(chunks)


def _outgoing(request: Request) -> httpx.Request:
    address, own = with_credentials(request.url, request.headers, request.credentials)
    try:
        url, own = _with_user(httpx.URL(address), own)
        headers = [("Accept", "application/json, */*;q=0.5"), ("User-Agent", "heddle"), *own]
        given = {name.lower() for name, _ in own}
        headers = [pair for index, pair in enumerate(headers) if index > 1 or pair[0].lower() not in given]
        return _checked(
            httpx.Request(
                request.method,
                url,
                headers=[(name.encode(), value.encode()) for name, value in headers],
                content=request.content,
                files=request.parts,
                extensions={"timeout": TIMEOUT},
            )
        )
    except (httpx.InvalidURL, ValueError) as error:
        raise ExchangeError(f"{request.url!r} is not a URL: {error}") from error


def _with_user(url: httpx.URL, headers: list[tuple[str, str]]) -> tuple[httpx.URL, list[tuple[str, str]]]:
    """A name and password before the host, as the header that they stand for; one that is there already wins."""
    if not url.userinfo:
        return url, headers
    added = [] if any(name.lower() == "authorization" for name, _ in headers) else [_authorization(url)]
    return url.copy_with(userinfo=b""), [*headers, *added]


def _authorization(url: httpx.URL) -> tuple[str, str]:
    return "Authorization", basic(f"{url.username}:{url.password}")


def _redirect(response: httpx.Response, outgoing: httpx.Request) -> httpx.Request | None:
    """The next request, or None. Another host sees no header of ours; only reads are redirected."""
    location = response.headers.get("location")
    if response.status_code not in _REDIRECTS or not location or outgoing.method not in ("GET", "HEAD"):
        return None
    try:
        target = urljoin(str(outgoing.url), location)
        if not target.startswith(("http://", "https://")):
            return None
        same = origin(target) == origin(str(outgoing.url))
        kept = [pair for pair in outgoing.headers.multi_items() if pair[0] != "host" and (same or pair[0] == "accept")]
        return _checked(httpx.Request(outgoing.method, target, headers=kept, extensions={"timeout": TIMEOUT}))
    except (httpx.InvalidURL, ValueError) as error:  # also of brackets that do not close, and of names
        raise ExchangeError(f"{outgoing.url} redirects to {location!r}, which is not a URL: {error}") from error


def _checked(request: httpx.Request) -> httpx.Request:
    """Raises InvalidURL for what only fails when it is connected to."""
    if not request.url.host or not 0 < (request.url.port or 1) < 65_536:
        raise httpx.InvalidURL("it has no host, or a port that there is not")
    return request


def _host(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode()}"
