"""Is the server alive, and what is it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

import heddle
from heddle import queue
from heddle.api.deps import answer, deps


async def health(request: Request) -> Response:
    """Alive, and the database answers."""
    backlog = await deps(request).db.read(queue.depth)
    return answer({"status": "ok", "version": heddle.__version__, "backlog": backlog})


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
