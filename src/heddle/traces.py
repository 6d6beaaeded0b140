"""Traces: which work belongs together, by W3C trace context; and, with an endpoint, spans for a collector.

Every request has a trace id, exported or not: error answers and log lines carry it. The OpenTelemetry libraries are an
extra and are imported by `export_to` alone.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Protocol

from heddle.errors import UsageError

if TYPE_CHECKING:
    from opentelemetry import trace as api
    from opentelemetry.context import Context as OtelContext

Kind = Literal["internal", "server"]
Value = str | int | float | bool

#: How long the end of a process waits for spans that were not sent yet, and a sending for its answer.
PATIENCE_S = 3.0

_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Context:
    """A place in a trace."""

    trace_id: str
    span_id: str
    sampled: bool = False

    def __str__(self) -> str:
        """As in the header `traceparent`."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened during a span."""

    name: str
    at: datetime
    attributes: Mapping[str, Value] = field(default_factory=dict[str, Value])


class Span(Protocol):
    """Work that is being done."""

    @property
    def context(self) -> Context: ...

    def name(self, name: str) -> None:
        """What it is called after all."""
        ...

    def set(self, name: str, value: Value) -> None:
        """Say more about it."""
        ...

    def end(self, error: str = "") -> None:
        """It is over; with an error it went wrong."""
        ...


class _Source(Protocol):
    """Where spans come from."""

    def start(self, name: str, parent: Context | None, kind: Kind) -> Span: ...

    def record(
        self,
        name: str,
        parent: Context,
        began: datetime,
        ended: datetime,
        *,
        attributes: Mapping[str, Value],
        events: Sequence[Event],
        error: str,
    ) -> Context: ...


_current: ContextVar[Context | None] = ContextVar("heddle_trace", default=None)


def parse(traceparent: str) -> Context | None:
    """The context that a `traceparent` header names; None when it is not one (W3C Trace Context, level 1)."""
    found = _PARENT.fullmatch(traceparent.strip())
    if found is None or found[1] == "ff" or (found[1] == "00" and found[5]):
        return None
    if set(found[2]) == {"0"} or set(found[3]) == {"0"}:
        return None
    return Context(found[2], found[3], bool(int(found[4], 16) & 1))


def current() -> Context | None:
    """Where this code is called from."""
    return _current.get()


def new_trace_id() -> str:
    """An id for what belongs to no trace yet."""
    return secrets.token_hex(16)


@contextmanager
def span(name: str, parent: Context | None = None, kind: Kind = "internal") -> Generator[Span]:
    """Do something as one span, below `parent` or below the current one; an exception that leaves it is its error."""
    made = _source.start(name, parent or _current.get(), kind)
    token = _current.set(made.context)
    error = ""
    try:
        yield made
    except BaseException as raised:
        error = type(raised).__name__
        raise
    finally:
        _current.reset(token)
        made.end(error)


def record(
    name: str,
    parent: Context,
    began: datetime,
    ended: datetime,
    *,
    attributes: Mapping[str, Value] | None = None,
    events: Sequence[Event] = (),
    error: str = "",
) -> Context:
    """Tell of work that is over already; the context is for what was done below it."""
    return _source.record(name, parent, began, ended, attributes=attributes or {}, events=events, error=error)


# ── without a collector ───────────────────────────────────────────────────────


class _Plain:
    """A span that nobody hears of."""

    __slots__ = ("context",)

    def __init__(self, context: Context) -> None:
        self.context = context

    def name(self, name: str) -> None:
        """Nobody asks."""

    def set(self, name: str, value: Value) -> None:
        """Nobody asks."""

    def end(self, error: str = "") -> None:
        """Nobody asks."""


class _Nothing:
    """Ids alone."""

    def start(self, name: str, parent: Context | None, kind: Kind) -> Span:
        if parent is None:
            return _Plain(Context(new_trace_id(), secrets.token_hex(8)))
        return _Plain(Context(parent.trace_id, secrets.token_hex(8), parent.sampled))

    def record(
        self,
        name: str,
        parent: Context,
        began: datetime,
        ended: datetime,
        *,
        attributes: Mapping[str, Value],
        events: Sequence[Event],
        error: str,
    ) -> Context:
        return parent


_source: _Source = _Nothing()


# ── with one ──────────────────────────────────────────────────────────────────


def export_to(endpoint: str, version: str) -> Callable[[], None]:
    """Send spans to an OTLP/HTTP endpoint from now on, in the background; the answer ends it. Raises UsageError."""
    global _source  # noqa: PLW0603 - like the root logger: one per process, and set where the process begins
    if not endpoint:
        return lambda: None
    try:
        trace: Any = import_module("opentelemetry.sdk.trace")
        export: Any = import_module("opentelemetry.sdk.trace.export")
        otlp: Any = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
        resources: Any = import_module("opentelemetry.sdk.resources")
    except ImportError as error:
        raise UsageError(
            f"HEDDLE_OTEL_ENDPOINT is set, and the OpenTelemetry libraries are not here ({error})",
            "install heddle-cloud[otel], or unset HEDDLE_OTEL_ENDPOINT",
        ) from error
    # What the environment says of the resource (OTEL_SERVICE_NAME) goes first.
    resource = resources.Resource({"service.name": "heddle", "service.version": version}).merge(
        resources.OTELResourceDetector().detect()
    )
    provider = trace.TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = otlp.OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=PATIENCE_S)
    provider.add_span_processor(export.BatchSpanProcessor(exporter, schedule_delay_millis=1000))
    _source = _Exported(provider.get_tracer("heddle", version))

    def stop() -> None:
        global _source  # noqa: PLW0603
        _source = _Nothing()
        provider.force_flush(int(PATIENCE_S * 1000))
        provider.shutdown()

    return stop


class _Exported:
    """Spans of the OpenTelemetry SDK."""

    def __init__(self, tracer: api.Tracer) -> None:
        from opentelemetry import trace as api  # noqa: PLC0415 - an extra

        self._api = api
        self._tracer = tracer

    def start(self, name: str, parent: Context | None, kind: Kind) -> Span:
        kinds = {"internal": self._api.SpanKind.INTERNAL, "server": self._api.SpanKind.SERVER}
        # An empty context and not None, which would stand for whatever another library made current.
        return _Live(self._tracer.start_span(name, self._within(parent), kinds[kind]), self._api)

    def record(
        self,
        name: str,
        parent: Context,
        began: datetime,
        ended: datetime,
        *,
        attributes: Mapping[str, Value],
        events: Sequence[Event],
        error: str,
    ) -> Context:
        made = self._tracer.start_span(name, self._within(parent), attributes=attributes, start_time=_ns(began))
        for event in events:
            made.add_event(event.name, event.attributes, _ns(event.at))
        if error:
            made.set_status(self._api.StatusCode.ERROR, error)
        made.end(_ns(ended))
        return _context(made)

    def _within(self, parent: Context | None) -> OtelContext:
        from opentelemetry.context import Context as Otel  # noqa: PLC0415

        if parent is None:
            return Otel()
        there = self._api.SpanContext(
            int(parent.trace_id, 16), int(parent.span_id, 16), True, self._api.TraceFlags(int(parent.sampled))
        )
        return self._api.set_span_in_context(self._api.NonRecordingSpan(there), Otel())


class _Live:
    """One span of the SDK that has not ended."""

    def __init__(self, made: api.Span, module: Any) -> None:
        self._made = made
        self._module = module
        self.context = _context(made)

    def name(self, name: str) -> None:
        self._made.update_name(name)

    def set(self, name: str, value: Value) -> None:
        self._made.set_attribute(name, value)

    def end(self, error: str = "") -> None:
        if error:
            self._made.set_status(self._module.StatusCode.ERROR, error)
        self._made.end()


def _context(made: api.Span) -> Context:
    said = made.get_span_context()
    return Context(f"{said.trace_id:032x}", f"{said.span_id:016x}", bool(said.trace_flags & 1))


def _ns(moment: datetime) -> int:
    return round(moment.timestamp() * 1000) * 1_000_000
