"""What every request handler may use, and how it answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from heddle.accounts import Account
from heddle.api.room import Room
from heddle.blobs import Signer
from heddle.db import Database
from heddle.domain import now
from heddle.errors import InvalidRequest, TooLarge
from heddle.settings import Settings
from heddle.storage import Storage
from heddle.workflows.planning import Planner

#: A host name or an IPv4 address, or an IPv6 address in brackets; and a port.
_HOST = re.compile(
    r"(?:(?=[^:]{1,253}(?::|$))(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?|\[[0-9a-fA-F:.]{2,45}\])(?::[0-9]{1,5})?"
)

#: Seconds for the whole body of a JSON request.
BODY_S = 60.0

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Deps:
    """Built once, in `server.py`."""

    settings: Settings
    db: Database
    storage: Storage
    signer: Signer
    planner: Planner
    #: Shared by the sources of all requests.
    room: Room = field(default_factory=Room)
    #: Tokens that were looked up lately: whom each opens, and until when that holds; kept by `auth.py`.
    known: dict[str, tuple[Account, float]] = field(default_factory=dict[str, tuple[Account, float]])
    #: Tokens that only exist in this process, and only open the API inside it: see `runs/conductor.py`.
    passes: Mapping[str, Account] = field(default_factory=dict[str, Account])


def deps(request: Request) -> Deps:
    """The parts that this server was built from."""
    return request.app.state.deps


def base_url(request: Request) -> str:
    """The address under which this caller reaches us; links start with it."""
    if url := deps(request).settings.public_url:
        return url.rstrip("/")
    host = request.headers.get("host", "")
    # The header is the caller's own, and a link goes back to the same caller; still, no markup belongs in it.
    return f"{request.scope['scheme']}://{host if _HOST.fullmatch(host) else _own_address(request)}"


def _own_address(request: Request) -> str:
    """Where this request came in."""
    host, port = request.scope["server"]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def link_expiry(settings: Settings) -> datetime:
    """When a link made now ends; on a full five minutes, so that polling shows the same link and caches keep it."""
    end = now().timestamp() + settings.url_ttl_s
    return datetime.fromtimestamp(-(-end // 300) * 300 if settings.url_ttl_s > 600 else end, UTC)


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer; never cached, because it belongs to one account and changes."""
    return Response(_encoder.encode(body), status, {"Cache-Control": "no-store", **(headers or {})}, "application/json")


async def read_body(request: Request) -> bytes:
    """The whole body of a JSON request, up to the limit. Raises TooLarge."""
    limit = deps(request).settings.max_body_mb * 1024 * 1024
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise TooLarge(f"the body is larger than {limit} bytes")
                parts.append(chunk)
    except TimeoutError as error:
        raise InvalidRequest(f"the body took longer than {BODY_S:.0f} seconds to arrive") from error
    except ClientDisconnect as error:
        raise InvalidRequest("the connection was closed before the body was complete") from error
    return b"".join(parts)
