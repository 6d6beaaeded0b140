"""The other hosts that a run on the server may call, and the transport that takes a run there and nowhere else.

`heddle run` keeps away from private networks; a server calls for strangers, so it calls only what its operator named.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urljoin

import httpx

from heddle.arazzo.hosts import (
    Address,
    Allowed,
    GuardedTransport,
    HostPolicy,
    HostRefused,
    Resolve,
    allowed_of,
    kind_of,
    plain,
    unwrapped,
)
from heddle.errors import UsageError

#: What our own API is called in a plan; it stays when the address of the server changes.
OURS = "http://this-heddle"

_BASE = re.compile(r"https?://[^\s/?#@\\]+(/[^\s?#@\\]*)?")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class RunHosts(HostPolicy):
    """Only what is `allowed`; the public Internet is not."""

    text: str = ""

    def problem(self, host: str, port: int, address: Address) -> str | None:
        """An address is for who was named as it. Other names lead out, an exact one also to a network of our own."""
        what = "loopback" if unwrapped(address).is_loopback else kind_of(address)
        if any(one.network is not None or _may_lead(one, what) for one in self._naming(host, port)):
            return None
        return what or "not allowed"

    def refusal(self, url: httpx.URL) -> str | None:
        """Why a URL is not to be called, by its host and port; None where it may be."""
        port = url.port or _PORTS.get(url.scheme, 0)
        if 0 < port < 65_536 and self._naming(url.raw_host.decode("ascii"), port):
            return None
        allowed = f"it allows: {self.text}" if self.text else "its operator allows none (HEDDLE_RUN_HOSTS)"
        return f"{url.host}:{port} is no host that a run on this server may call; {allowed}"

    def refused_base(self, url: str) -> str | None:
        """Why a text is no base URL of a source; None where it is one."""
        try:
            parsed = httpx.URL(url) if _BASE.fullmatch(url) else None
        except (httpx.InvalidURL, ValueError):
            parsed = None
        if parsed is None:
            return "is not like https://api.example.org/v1: http or https, without user, query and fragment"
        return self.refusal(parsed)

    def _naming(self, host: str, port: int) -> list[Allowed]:
        name = plain(host)
        return [one for one in self.allowed if _names(one, name, port)]


def hosts_of(text: str) -> RunHosts:
    """From the setting: hosts with commas between them. Raises UsageError."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return RunHosts(tuple(map(_allowed, parts)), text=", ".join(parts))


def _allowed(part: str) -> Allowed:
    with suppress(UsageError):
        if "/" not in part:
            return allowed_of(part)
    raise UsageError(
        f"HEDDLE_RUN_HOSTS has {part!r}, which is not a host",
        "hosts are like api.example.org, api.example.org:8443 or *.example.org, with commas between them",
    )


def _names(one: Allowed, name: str, port: int) -> bool:
    """Whether a host is meant as it is written; a name is not resolved to find that it is an allowed address."""
    try:
        address = ip_address(name)
    except ValueError:
        return one.network is None and one.covers(name, port, ip_address("0.0.0.0"))  # noqa: S104 - stands for any
    return one.network is not None and one.covers(name, port, unwrapped(address))


def _may_lead(one: Allowed, what: str | None) -> bool:
    """No name leads to a metadata service, and none of a whole domain into a network of our own."""
    return what is None or (what != "link-local" and not one.name.startswith("*."))


class Sides(httpx.AsyncBaseTransport):
    """Our own API `inside` this process, and allowed hosts outside of it, which never see the token of the run."""

    def __init__(
        self, inside: httpx.AsyncBaseTransport, hosts: RunHosts, token: str, resolve: Resolve | None = None
    ) -> None:
        self._inside = inside
        self._hosts = hosts
        self._token = token.encode()
        self._outside = GuardedTransport(hosts, resolve)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if _is_ours(request.url):
            return await self._inside.handle_async_request(request)
        if refusal := self._hosts.refusal(request.url):
            raise HostRefused(refusal)
        await self._check_token(request)
        return await self._answered(request)

    async def aclose(self) -> None:
        await self._outside.aclose()

    async def _check_token(self, request: httpx.Request) -> None:
        """A document can pass its inputs on in ways that no plan foresees, so what leaves is looked at."""
        content = await request.aread()
        headers = (part for pair in request.headers.raw for part in pair)
        if any(self._token in part for part in (request.url.raw_path, content, *headers)):
            raise HostRefused(f"the token of a run is for this server, and not for {request.url.host}")

    async def _answered(self, request: httpx.Request) -> httpx.Response:
        try:
            response = await self._outside.handle_async_request(request)
        except HostRefused as error:
            raise HostRefused(f"{request.url.host} has no address that a run on this server may call") from error
        if _leads_in(request, response):
            await response.aclose()
            raise HostRefused(f"{request.url.host} redirects into this server")
        return response


def _is_ours(url: httpx.URL) -> bool:
    return url.host == httpx.URL(OURS).host


def _leads_in(request: httpx.Request, response: httpx.Response) -> bool:
    if not response.has_redirect_location:
        return False
    with suppress(httpx.InvalidURL, ValueError):  # whoever follows it will tell
        return _is_ours(httpx.URL(urljoin(str(request.url), response.headers["location"])))
    return False
