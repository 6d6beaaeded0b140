"""Who asks: a bearer token to an account."""

from __future__ import annotations

import time

from starlette.requests import Request

from heddle import accounts, logs
from heddle.accounts import Account
from heddle.api.deps import Deps, deps
from heddle.errors import Unauthorized

#: Whoever polls is not looked up each time: a token that is revoked may open for so many seconds more.
KNOWN_S = 1.0
_MOST = 10_000


async def account(request: Request) -> Account:
    """The account of the request's token. Raises Unauthorized; call it before reading a body."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("send a token: `Authorization: Bearer <token>`")
    found = await _opened(deps(request), token.strip())
    if found is None:
        raise Unauthorized("this token is unknown, expired or revoked")
    logs.note(account_id=found.id)
    return found


async def _opened(parts: Deps, token: str) -> Account | None:
    """Whom a token opens. On a database of several processes, what was looked up holds for `KNOWN_S`."""
    if token in parts.passes:
        return parts.passes[token]
    moment = time.monotonic()
    known, until = parts.known.get(token, (None, 0.0))
    if until > moment:
        return known
    found = await parts.db.ask(accounts.of_tokens, token)
    if found is not None and parts.db.shared:
        if len(parts.known) >= _MOST:
            parts.known.clear()
        parts.known[token] = (found, moment + KNOWN_S)
    return found
