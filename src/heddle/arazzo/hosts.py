"""Which addresses a run may call, and the transport that calls no other.

An answer can name any URL: a redirect, a place to upload to, a file to save. So that it cannot lead into a network that
only this machine can see, a name is resolved once, every address that is not allowed is dropped, and the connection
goes to exactly the address that was checked: there is no second look-up that could answer differently.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import cast

import httpcore
import httpx

from heddle.errors import HeddleError, UsageError

Address = IPv4Address | IPv6Address

#: `(host, port) -> addresses`. Raises OSError when the name is not known.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

#: IPv4 addresses inside IPv6 ones: as a network with NAT64 writes them.
_NAT64 = IPv6Network("64:ff9b::/96")
#: Of a name with many addresses, how many are tried, and for how long each while others are left.
_MOST_ADDRESSES = 4
_TRY_S = 3.0
_EXAMPLES = "it looks like 10.0.0.5, files.example.org:8443, *.example.org or 10.0.0.0/8"


class HostRefused(HeddleError):
    """An address that the run may not call; the message names the option that would allow it."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """One `--allow-host`: a network, or a host name (`*.` in front: those below it) with a port or for all ports."""

    network: IPv4Network | IPv6Network | None = None
    name: str = ""
    port: int | None = None

    def covers(self, host: str, port: int, address: Address) -> bool:
        if self.port not in (None, port):
            return False
        if self.network is not None:
            return address in self.network
        return host.endswith(self.name[1:]) if self.name.startswith("*.") else host == self.name


@dataclass(frozen=True, slots=True)
class HostPolicy:
    """What may be called: the public Internet, this machine, `named` hosts and what is `allowed` besides."""

    allowed: tuple[Allowed, ...] = ()
    named: frozenset[str] = frozenset()

    def problem(self, host: str, port: int, address: Address) -> str | None:
        """What kind of address this is where it may not be called; None where it may."""
        name = plain(host)
        what = kind_of(address)
        if (
            what is None
            or self._is_named(name, what)
            or any(one.covers(name, port, unwrapped(address)) for one in self.allowed)
        ):
            return None
        return what

    def _is_named(self, name: str, what: str) -> bool:
        """Who names a server names no metadata service with it, wherever its name server may point."""
        return name in self.named and (what != "link-local" or _is_address(name))


def policy(allowed: Iterable[str], servers: Iterable[str]) -> HostPolicy:
    """From `--allow-host` texts and the servers that the user named himself. Raises UsageError."""
    hosts = (httpx.URL(server).raw_host.decode("ascii") for server in servers)
    return HostPolicy(tuple(map(allowed_of, allowed)), frozenset(map(plain, hosts)))


def allowed_of(text: str) -> Allowed:
    """`HOST[:PORT]`, `CIDR` or `*.domain`. Raises UsageError."""
    if "/" in text:
        try:
            return Allowed(ip_network(text))
        except ValueError as error:
            raise UsageError(f"--allow-host {text!r} is not a network: {error}", _EXAMPLES) from error
    with suppress(ValueError):
        return Allowed(_alone(ip_address(text)))
    match = re.fullmatch(r"(\*\.)?(\[[0-9A-Fa-f:.]+\]|[^\s\[\]:/@?#*]+)(?::([0-9]{1,5}))?", text)
    if match is None or not 0 < int(match[3] or 1) < 65_536:
        raise UsageError(f"--allow-host {text!r} is not a host", _EXAMPLES)
    return _host(text, match[1] or "", match[2], None if match[3] is None else int(match[3]))


def _host(text: str, below: str, host: str, port: int | None) -> Allowed:
    try:
        name = plain(httpx.URL(f"http://{host}/").raw_host.decode("ascii"))
    except (httpx.InvalidURL, UnicodeError) as error:
        raise UsageError(f"--allow-host {text!r} is not a host: {error}", _EXAMPLES) from error
    with suppress(ValueError):
        return Allowed(_alone(ip_address(name)), port=port)
    return Allowed(name=below + name, port=port)


def _alone(address: Address) -> IPv4Network | IPv6Network:
    """The network that is this one address."""
    return ip_network(f"{unwrapped(address)}")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def plain(host: str) -> str:
    """A host as it is compared: small letters, no dot at the end, no brackets."""
    return host.lower().rstrip(".").strip("[]")


def kind_of(address: Address) -> str | None:
    """`private` and so on; None for this machine and for an address on the public Internet."""
    plain = unwrapped(address)
    if plain.is_loopback:
        return None
    kinds = {
        "unspecified": plain.is_unspecified,
        "link-local": plain.is_link_local,
        "multicast": plain.is_multicast,
        "private": plain.is_private or (isinstance(plain, IPv6Address) and plain.is_site_local),
        "not public": not plain.is_global or plain.is_reserved,
    }
    return next((kind for kind, holds in kinds.items() if holds), None)


def unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for; it would carry a refused one past the question."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64 or (int(address) >> 32 == 0 and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


class GuardedTransport(httpx.AsyncHTTPTransport):
    """An ordinary transport whose connections obey a policy; proxies of the environment play no part."""

    def __init__(self, policy: HostPolicy | None = None, resolve: Resolve | None = None) -> None:
        context = httpx.create_ssl_context()
        super().__init__(verify=context)
        # httpx has no argument for this, so its pool is replaced by one that differs only in how it connects.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=5,
            network_backend=_Guard(policy or HostPolicy(), resolve or _look_up),
        )


class _Guard(httpcore.AsyncNetworkBackend):
    """Opens connections: resolve once, check, connect to the address that was checked."""

    def __init__(self, policy: HostPolicy, resolve: Resolve) -> None:
        self._policy = policy
        self._resolve = resolve
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
            found = await self._found(plain(host), port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host!r} is not known") from error
        problems = {address: self._policy.problem(host, port, ip_address(address)) for address in found}
        usable = [address for address, problem in problems.items() if problem is None]
        if not usable:
            raise HostRefused(_refusal(host, port, problems))
        return usable[:_MOST_ADDRESSES]

    async def _found(self, host: str, port: int) -> Sequence[str]:
        with suppress(ValueError):
            return [str(ip_address(host))]
        return list(dict.fromkeys(await self._resolve(host, port)))


def _refusal(host: str, port: int, problems: dict[str, str | None]) -> str:
    """With the narrowest option that would allow it."""
    if not problems:
        return f"{host!r} has no address"
    address, what = next(iter(problems.items()))
    means = what if address == plain(host) else f"{address}, {what}"
    shown = f"[{plain(host)}]" if ":" in host else host
    return f"a run may not call {host} ({means}); --allow-host {shown}:{port} allows it"


async def _look_up(host: str, port: int) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]
