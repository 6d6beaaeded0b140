"""Is the server alive, and what is it."""

from __future__ import annotations

from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response

import heddle
from heddle import queue
from heddle.api.deps import answer, deps
from heddle.errors import Unavailable


async def health(request: Request) -> Response:
    """Alive, the database answers, and the last thing that was to be written was written."""
    db = deps(request).db
    backlog = await db.read(queue.depth)
    said = {"status": "ok", "version": heddle.__version__, "backlog": backlog}
    with suppress(Unavailable):
        await db.ready()
    if db.trouble is not None:
        return answer(said | {"status": "degraded", "reason": db.trouble}, 503)
    return answer(said)


async def welcome(_request: Request) -> Response:
    """Where to go from here."""
    return answer(
        {
            "name": "Heddle",
            "version": heddle.__version__,
            "docs": "/docs",
            "openapi": "/openapi.json",
            "orchestration": "/v2/consumer",
            "site": "/api/v1",
        }
    )
