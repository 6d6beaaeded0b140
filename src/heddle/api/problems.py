"""Every error as one object: problem details (RFC 9457) plus `code`, `message` and `traceId`."""

from __future__ import annotations

import logging
from http import HTTPStatus
from itertools import islice
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from heddle import traces
from heddle.contract.base import LISTED
from heddle.errors import CallerError, HeddleError, InvalidRequest, TooManyRequests, Unavailable

log = logging.getLogger(__name__)


async def on_caller_error(request: Request, error: Exception) -> Response:
    """The caller must change something."""
    assert isinstance(error, CallerError)
    fields = error.fields if isinstance(error, InvalidRequest) else None
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, TooManyRequests) else {}
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="heddle"'
    return problem(request, error.status, error.code, error.message, fields=fields, headers=headers)


async def on_unavailable(request: Request, error: Exception) -> Response:
    """Nothing was written; the caller may try again."""
    assert isinstance(error, Unavailable)
    log.warning("%s %s was put off: %s", request.method, request.url.path, error.message, extra={"event": "put_off"})
    return problem(request, 503, "unavailable", error.message, headers={"Retry-After": "2"})


async def on_http_error(request: Request, error: Exception) -> Response:
    """No such route, or not with this method."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        message = f"{request.method} is not possible at {request.url.path}"
        return problem(request, 405, "method_not_allowed", message, headers={"Allow": ", ".join(_methods(request))})
    message = f"there is nothing at {request.url.path}" if error.status_code == 404 else error.detail
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return problem(request, error.status_code, code, message, headers=dict(error.headers or {}))


def _methods(request: Request) -> list[str]:
    """What is possible at this address; every operation is a route of its own, and the error knows only one."""
    here = [r for r in request.app.routes if isinstance(r, Route) and r.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in here for method in route.methods or ()})


async def on_bug(request: Request, error: Exception) -> Response:
    """Ours; the trace id joins the answer and the log."""
    trace = _trace_id()
    said = f": {error.message}" if isinstance(error, HeddleError) else ""
    extra = {"event": "request_failed", "trace_id": trace}
    log.error("request failed, trace %s%s", trace, said, exc_info=error, extra=extra)
    return problem(request, 500, "internal_error", "something went wrong in the server; see its log", trace=trace)


def _trace_id() -> str:
    here = traces.current()
    return here.trace_id if here else traces.new_trace_id()


def problem(
    request: Request,
    status: int,
    code: str,
    message: str,
    *,
    fields: dict[str, list[str]] | None = None,
    headers: dict[str, str] | None = None,
    trace: str | None = None,
) -> Response:
    """The one error object."""
    body: dict[str, Any] = {
        "type": f"urn:heddle:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": message,
        "instance": request.url.path,
        "code": code,
        "message": message,
        "traceId": trace or _trace_id(),
    }
    if fields:
        body["errors"] = dict(islice(fields.items(), LISTED))
    if request.url.path.startswith("/api/"):
        body["error"] = message  # the Site API's name for it
    return Response(msgspec.json.encode(body), status, headers, "application/json")
