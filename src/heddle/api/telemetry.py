"""Around every request: a trace id, one span, one line in the log, and what is counted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heddle import logs, metrics, traces

#: Tells a caller which lines of the log are about their request.
HEADER = "Heddle-Trace-Id"

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

log = logging.getLogger("heddle.access")


class Telemetry:
    """Outermost, so that answers to bugs are seen too. `routes`: handler -> the template of its path."""

    def __init__(self, app: ASGIApp, routes: Mapping[Callable[..., Any], str]) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0
        metrics.http_in_flight.inc()
        with traces.span(_method(scope), _parent(scope), "server") as span:
            trace_id = span.context.trace_id
            logs.begin(trace_id=trace_id)

            async def say(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    message["headers"] = [*message.get("headers", []), (HEADER.lower().encode(), trace_id.encode())]
                await send(message)

            try:
                await self._app(scope, receive, say)
            finally:
                metrics.http_in_flight.dec()
                self._tell(scope, status, time.perf_counter() - began, span)

    def _tell(self, scope: Scope, status: int, seconds: float, span: traces.Span) -> None:
        method, route = _method(scope), self._routes.get(scope.get("endpoint", None), "none")
        kind = f"{status // 100}xx" if status else "none"
        metrics.http_requests.labels(method, route, kind).observe(seconds)
        span.name(f"{method} {route}")
        span.set("http.request.method", method)
        span.set("http.route", route)
        span.set("http.response.status_code", status)
        if status >= 500:
            span.set("error.type", str(status))
        if log.isEnabledFor(logging.INFO):
            _log(scope, method, route, status, seconds)


def _log(scope: Scope, method: str, route: str, status: int, seconds: float) -> None:
    # Undecoded, and without the query: that of a signed link opens it.
    path = scope.get("raw_path", b"").partition(b"?")[0].decode("latin-1")
    params: Mapping[str, Any] = scope.get("path_params", {})
    if "workflowId" in params:
        logs.note(workflow_id=params["workflowId"])
    more = {
        "method": method,
        "route": route,
        "path": path,
        "status": status,
        "duration_ms": round(seconds * 1e3, 1),
    }
    line = "%s %s HTTP/%s: %s in %.1f ms"
    extra = {"event": "request", "more": more}
    log.info(line, method, path, scope["http_version"], status or "no answer", seconds * 1e3, extra=extra)


def _method(scope: Scope) -> str:
    """Any word can be a method; those that are none of HTTP's count as one."""
    return scope["method"] if scope["method"] in _METHODS else "OTHER"


def _parent(scope: Scope) -> traces.Context | None:
    """What the caller says it belongs to."""
    for name, value in scope["headers"]:
        if name == b"traceparent":
            return traces.parse(value.decode("latin-1"))
    return None
