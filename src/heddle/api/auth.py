"""Who asks: a bearer token to an account."""

from __future__ import annotations

from starlette.requests import Request

from heddle import accounts, logs
from heddle.accounts import Account
from heddle.api.deps import deps
from heddle.errors import Unauthorized


async def account(request: Request) -> Account:
    """The account of the request's token. Raises Unauthorized; call it before reading a body."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("send a token: `Authorization: Bearer <token>`")
    found = await deps(request).db.read(accounts.of_token, token.strip())
    if found is None:
        raise Unauthorized("this token is unknown, expired or revoked")
    logs.note(account_id=found.id)
    return found
