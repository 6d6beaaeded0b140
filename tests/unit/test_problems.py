"""Errors as answers: what a caller hears of a bug, and what only the log does."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from heddle.api.problems import on_bug
from heddle.errors import HeddleError, UsageError

SECRET = "the key of the owner is s3cret"


async def _get(app: Starlette, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return await client.get(path)


@pytest.mark.parametrize(
    "error",
    [RuntimeError(SECRET), KeyError(SECRET), OSError(5, SECRET), HeddleError(SECRET), UsageError(SECRET, SECRET)],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("path", ["/v2/broken", "/api/v1/broken"])
def test_a_bug_is_told_to_the_log_and_not_to_the_caller(
    path: str, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(request: Request) -> Response:
        raise error

    app = Starlette(routes=[Route(path, broken)], exception_handlers={Exception: on_bug})
    answer = asyncio.run(_get(app, path))
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (500, "internal_error")
    assert body["message"] == body["detail"] == "something went wrong in the server; see its log"
    assert "s3cret" not in answer.text + str(answer.headers)
    assert type(error).__name__ not in answer.text
    # The trace id leads from the one to the other.
    assert body["traceId"] in caplog.text
    assert SECRET in caplog.text
