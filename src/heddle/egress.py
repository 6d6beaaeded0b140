"""The guarded HTTP client: the only way in which the server fetches from, or posts to, an address given to it.

A URL from outside may point at the machine itself, at its neighbors or at a cloud's metadata service. So a name is
resolved once, every address that is not on the public Internet is dropped, and the connection goes to exactly the
address that was checked: there is no second look-up that could answer differently. Redirects of a fetch pass the same
gate on every hop; a post follows none. Nothing is taken from the environment (no proxies, no netrc), compressed
answers are refused, and bytes and seconds have caps.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self, cast
from urllib.parse import urljoin

import httpcore
import httpx

from heddle import __version__
from heddle.errors import HeddleError, InvalidRequest

Address = IPv4Address | IPv6Address

#: `(host, port) -> addresses`. Raises OSError when the name is unknown.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_LONGEST_URL = 2048
_MOST_HOPS = 3
#: Of a name with many addresses, how many are tried, and for how long each while others are left.
_MOST_ADDRESSES = 4
_TRY_S = 3.0
#: Of a long answer, or one of unknown length, what is expected at first: whoever promises much and sends little should
#: not have room for much.
_FIRST_BYTES = 4 * 1024 * 1024
#: What is read of an answer that nobody wants, so that its connection can serve again.
_DRAIN_BYTES = 64 * 1024
_DRAIN_S = 1.0
_RESOLVERS = 16

_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")

_Ranges = Sequence[tuple[IPv4Network | IPv6Network, str]]


def _ranges(table: Mapping[str, str]) -> _Ranges:
    return [(ip_network(network), what) for network, what in table.items()]


#: What development may reach beside the public Internet.
_PRIVATE = _ranges(
    {
        "127.0.0.0/8": "loopback",
        "10.0.0.0/8": "private",
        "172.16.0.0/12": "private",
        "192.168.0.0/16": "private",
        "::1/128": "loopback",
        "fc00::/7": "private",
    }
)
#: What nobody may reach. IPv4 first, then the parts of global IPv6 that are not ordinary hosts or that wrap an IPv4
#: address, which would carry a forbidden one past this table.
_NEVER = _ranges(
    {
        "0.0.0.0/8": "this machine",
        "100.64.0.0/10": "shared by a provider",
        "169.254.0.0/16": "link-local",
        "192.0.0.0/24": "reserved for protocols",
        "192.0.2.0/24": "documentation",
        "192.88.99.0/24": "a 6to4 relay",
        "198.18.0.0/15": "benchmarking",
        "198.51.100.0/24": "documentation",
        "203.0.113.0/24": "documentation",
        "224.0.0.0/4": "multicast",
        "240.0.0.0/4": "reserved",
        "2001::/23": "reserved for protocols, or Teredo",
        "2001:db8::/32": "documentation",
        "2002::/16": "6to4",
        "3fff::/20": "documentation",
    }
)
#: Everything of IPv6 that is assigned to ordinary hosts; mapped IPv4, NAT64, link-local and multicast lie outside.
_GLOBAL_V6 = IPv6Network("2000::/3")


class FetchFailed(HeddleError):
    """No answer came; the message says why and names no more of the URL than its host."""


class AddressRefused(FetchFailed):
    """The host is not on the public Internet."""


class AnswerTooLarge(FetchFailed):
    """More bytes than the caller wants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. `headers` have lower-case names; `body` is empty after a post."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Into:
    """Where a body goes that is not to be held in memory."""

    #: Awaited with the number of bytes that may come in all: before the first one, and again before there are more.
    #: This takes nothing from the time limit.
    expect: Callable[[int], Awaitable[None]]
    #: Called with each piece.
    add: Callable[[bytes], object]


# ── URLs ──────────────────────────────────────────────────────────────────────


def check_url(url: str, *, allow_private: bool, https_only: bool, path: str = "url") -> None:
    """Refuse a URL that could never be used, by its text alone. Raises InvalidRequest for the field `path`."""
    if problem := url_problem(url, allow_private=allow_private, https_only=https_only):
        raise InvalidRequest.of(path, problem)


def url_problem(url: str, *, allow_private: bool, https_only: bool) -> str | None:
    """What is wrong with a URL, in one sentence; None when nothing is. `allow_private` also allows plain http."""
    try:
        parsed = _parse(url)
    except ValueError as error:
        return str(error)
    if parsed.scheme == "http" and https_only and not allow_private:
        return f"{url!r} must start with https://"
    return _host_problem(parsed.host, allow_private=allow_private)


def normal(url: str) -> str:
    """The one way to write a usable URL (lower-case host, no default port, no fragment); others come back unchanged."""
    try:
        parsed = _parse(url)
    except ValueError:
        return url
    return parsed.origin + parsed.target


@lru_cache(maxsize=4096)
def origin(url: str) -> str:
    """`scheme://host[:port]` of a URL in its normal form."""
    return "/".join(url.split("/", 3)[:3])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Url:
    """A URL, parsed once: what was checked is what is connected to."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"http": 80, "https": 443}[self.scheme]
        return f"{self.scheme}://{host}" + ("" if self.port == usual else f":{self.port}")


def _parse(url: str) -> _Url:
    """Raises ValueError with a sentence for the caller."""
    if len(url) > _LONGEST_URL:
        raise ValueError(f"a URL of {len(url)} characters is longer than {_LONGEST_URL}")
    try:
        parsed = httpx.URL(url)
        host = parsed.raw_host.decode("ascii")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ValueError(f"{url!r} is not a URL: {error}") from error
    if parsed.scheme not in ("http", "https"):
        raise ValueError(f"{url!r} must start with https:// or http://")
    if parsed.userinfo:
        raise ValueError("a URL may not carry a user name or a password")
    if not (_HOST.fullmatch(host) or _literal(host)) or "%" in host or len(host) > 253:
        raise ValueError(f"{url!r} has no usable host name")
    port = parsed.port if parsed.port is not None else {"http": 80, "https": 443}[parsed.scheme]
    if not (port in (80, 443) or 1024 <= port <= 65535):
        raise ValueError(f"port {port} is not 80, 443 or 1024 to 65535")
    return _Url(scheme=parsed.scheme, host=host, port=port, target=parsed.raw_path.decode("ascii"))


def _host_problem(host: str, *, allow_private: bool) -> str | None:
    if address := _literal(host):
        what = forbidden(address, allow_private=allow_private)
        return what and f"{host!r} is not a public address ({what})"
    name = host.rstrip(".")
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        # Resolvers read 127.1, 0x7f.1 and 2130706433 as addresses; people do not.
        return f"{host!r} is a number: write an address as four decimal numbers"
    if not allow_private and (name == "localhost" or name.endswith(".localhost")):
        return f"{host!r} is this machine"
    return None


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def forbidden(address: Address, *, allow_private: bool) -> str | None:
    """What kind of address this is when it may not be reached; None when it may."""
    for network, what in _PRIVATE:
        if address in network:
            return None if allow_private else what
    for network, what in _NEVER:
        if address in network:
            return what
    if isinstance(address, IPv6Address):
        return _forbidden_v6(address)
    return None


def _forbidden_v6(address: IPv6Address) -> str | None:
    if address not in _GLOBAL_V6:
        return "not a global address"
    # ISATAP writes an IPv4 address behind 0:5efe in the host half, under any prefix.
    if (int(address) >> 32) & 0xFCFF_FFFF == 0x5EFE:
        return "ISATAP"
    return None


# ── the client ────────────────────────────────────────────────────────────────


class Client:
    """One pool of connections. Close it with `async with`."""

    def __init__(
        self,
        *,
        allow_private: bool = False,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
        connections: int = 64,
    ) -> None:
        self._allow_private = allow_private
        self._threads = ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="heddle-resolver")
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls or httpcore.default_ssl_context(),
            max_connections=connections,
            max_keepalive_connections=connections // 2,
            keepalive_expiry=30,
            network_backend=_Guard(resolve or self._look_up, allow_private=allow_private),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection; does not wait for a resolver that hangs."""
        await self._pool.aclose()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def post(self, url: str, content: bytes, headers: Mapping[str, str], *, timeout_s: float) -> Answer:
        """Post once, follow nothing, keep only status and headers. Raises FetchFailed when no answer came."""
        parsed = self._checked(url, https_only=True)
        answer: Answer | None = None
        try:
            async with (
                _limited(parsed.host, timeout_s),
                self._pool.stream("POST", _core(parsed), headers=_headers(parsed, headers), content=content) as got,
            ):
                answer = Answer(url=url, status=got.status, headers=_lower(got.headers))
                await _drain(got.aiter_stream())
        except FetchFailed:
            # What was answered stays answered, whatever became of a body that nobody wants.
            if answer is None:
                raise
        assert answer is not None
        return answer

    async def get(self, url: str, *, max_bytes: int, timeout_s: float, into: Into | None = None) -> Answer:
        """Fetch at most `max_bytes`, over at most three redirects. Raises FetchFailed when no answer came.

        With `into`, the body of an answer with status 200 goes there, and those of others nowhere.
        """
        parsed = self._checked(url, https_only=False)
        async with _limited(parsed.host, timeout_s) as limit:
            for _ in range(_MOST_HOPS + 1):
                answer = await self._get_once(url, max_bytes, into, limit)
                if answer.status not in (301, 302, 303, 307, 308):
                    return answer
                url = _next_hop(answer)
        raise FetchFailed(f"{parsed.host} redirects more than {_MOST_HOPS} times")

    async def _get_once(self, url: str, max_bytes: int, into: Into | None, limit: asyncio.Timeout) -> Answer:
        parsed = self._checked(url, https_only=False)
        async with self._pool.stream("GET", _core(parsed), headers=_headers(parsed, {})) as got:
            headers = _lower(got.headers)
            if headers.get("content-encoding", "identity").lower() != "identity":
                # Nobody asked for it, and a few bytes could unpack to gigabytes.
                raise FetchFailed(f"{parsed.host} answered with a compressed body")
            answer = Answer(url=url, status=got.status, headers=headers)
            if into is not None and got.status != 200:
                return answer
            most = _most(headers.get("content-length", ""), max_bytes, parsed.host)
            if into is not None:
                async with aclosing(_expected(got.aiter_stream(), most, into.expect, limit)) as chunks:
                    await _read(chunks, max_bytes, parsed.host, into.add)
                return answer
            parts: list[bytes] = []
            await _read(got.aiter_stream(), max_bytes, parsed.host, parts.append)
            return replace(answer, body=b"".join(parts))

    def _checked(self, url: str, *, https_only: bool) -> _Url:
        if problem := url_problem(url, allow_private=self._allow_private, https_only=https_only):
            raise AddressRefused(problem)
        return _parse(url)

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        """In threads of its own: a name server that hangs must not hold up the threads that others use."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _getaddrinfo, host, port)
        return list(dict.fromkeys(found))


class _Guard(httpcore.AsyncNetworkBackend):
    """Opens connections: resolve once, check, connect to the address that was checked."""

    def __init__(self, resolve: Resolve, *, allow_private: bool) -> None:
        self._resolve = resolve
        self._allow_private = allow_private
        # A cast, because httpcore puts an empty class in its place where anyio is missing; httpx always brings it.
        self._network = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature of httpcore
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        *others, last = await self._addresses(host, port)
        for address in others:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await self._network.connect_tcp(address, port, _TRY_S, local_address, socket_options)
        return await self._network.connect_tcp(last, port, timeout, local_address, socket_options)

    async def _addresses(self, host: str, port: int) -> list[str]:
        """The allowed addresses of a host, as literals, so that nothing below resolves again."""
        try:
            found = [host] if _literal(host) else await self._resolve(host, port)
        except OSError as error:
            raise FetchFailed(f"the name {host!r} is not known") from error
        checked = [(a, forbidden(ip_address(a), allow_private=self._allow_private)) for a in found]
        allowed = [address for address, what in checked if what is None]
        if not allowed:
            kinds = ", ".join(dict.fromkeys(what for _, what in checked if what)) or "it has none"
            raise AddressRefused(f"{host!r} has no public address ({kinds})")
        return allowed[:_MOST_ADDRESSES]


def _getaddrinfo(host: str, port: int) -> list[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@asynccontextmanager
async def _limited(host: str, seconds: float) -> AsyncGenerator[asyncio.Timeout]:
    """A time limit for everything inside, and what went wrong there in our words."""
    try:
        async with asyncio.timeout(seconds) as limit:
            yield limit
    except TimeoutError as error:
        raise FetchFailed(f"{host} did not answer within {seconds:g} s") from error
    except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
        raise FetchFailed(f"no connection to {host}: {error or type(error).__name__}") from error
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
        raise FetchFailed(f"{host} broke off: {error or type(error).__name__}") from error


async def _drain(chunks: AsyncIterable[bytes]) -> None:
    """Read a little of a body that nobody wants."""
    left = _DRAIN_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_S):
            async for chunk in chunks:
                left -= len(chunk)
                if left < 0:
                    return


async def _untimed(limit: asyncio.Timeout, wait: Awaitable[None]) -> None:
    """Wait for something that is not the other side's doing."""
    loop, until = asyncio.get_running_loop(), limit.when()
    assert until is not None
    begun = loop.time()
    limit.reschedule(None)
    await wait
    limit.reschedule(until + loop.time() - begun)


def _most(length: str, max_bytes: int, host: str) -> int:
    """How many bytes may come, by what the answer says of itself."""
    if not length.isdecimal():
        return max_bytes
    if int(length) > max_bytes:
        raise AnswerTooLarge(f"{host} answered with {length} bytes, more than {max_bytes}")
    return int(length)


async def _expected(
    chunks: AsyncIterable[bytes], most: int, expect: Callable[[int], Awaitable[None]], limit: asyncio.Timeout
) -> AsyncGenerator[bytes]:
    """The same pieces, each after it was expected."""
    size, told = 0, min(most, _FIRST_BYTES)
    await _untimed(limit, expect(told))
    async for chunk in chunks:
        size += len(chunk)
        if told < min(size, most):
            told = most
            await _untimed(limit, expect(told))
        yield chunk


async def _read(chunks: AsyncIterable[bytes], max_bytes: int, host: str, add: Callable[[bytes], object]) -> None:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > max_bytes:
            raise AnswerTooLarge(f"{host} answered with more than {max_bytes} bytes")
        add(chunk)


def _next_hop(answer: Answer) -> str:
    here = _parse(answer.url)
    location = answer.headers.get("location", "")
    if not location:
        raise FetchFailed(f"{here.host} redirects to nowhere")
    try:
        there = urljoin(answer.url, location)
    except ValueError as error:
        raise FetchFailed(f"{here.host} redirects to {location[:80]!r}, which is not a URL") from error
    if here.scheme == "https" and not there.lower().startswith("https:"):
        raise FetchFailed(f"{here.host} redirects from https to something else")
    return there


def _core(url: _Url) -> httpcore.URL:
    return httpcore.URL(scheme=url.scheme, host=url.host, port=url.port, target=url.target)


def _headers(url: _Url, more: Mapping[str, str]) -> list[tuple[str, str]]:
    usual = {
        "Host": url.origin.partition("://")[2],
        "User-Agent": f"heddle/{__version__}",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
    }
    return [*usual.items(), *more.items()]


def _lower(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
