"""Traces as a collector gets them: a real OTLP/HTTP receiver in this process, a real server in its own."""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.serving import Serving

from heddle import traces

CLIENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@dataclass(frozen=True)
class Seen:
    """A span as it arrived."""

    name: str
    trace: str
    id: str
    parent: str
    start: int
    end: int
    failed: bool
    about: dict[str, Any]
    events: list[tuple[str, int, dict[str, Any]]]


class Collector(ThreadingHTTPServer):
    """Takes spans, and says when there are enough."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[Seen] = []
        self.services: set[str] = set()
        self.paths: set[str] = set()
        self.more = threading.Condition()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def of(self, trace: str, *names: str, within: float = 30) -> dict[str, Seen]:
        """The spans of a trace by name, once these have arrived."""
        end = time.monotonic() + within
        with self.more:
            while True:
                found = {s.name: s for s in self.spans if s.trace == trace}
                if set(names) <= set(found):
                    return found
                assert self.more.wait(end - time.monotonic()), f"{sorted(found)} came, and not {names}"


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        request = ExportTraceServiceRequest.FromString(body)
        with self.server.more:
            self.server.paths.add(self.path)
            for resource in request.resource_spans:
                self.server.services.add(_values(resource.resource.attributes)["service.name"])
                self.server.spans += [_seen(span) for scope in resource.scope_spans for span in scope.spans]
            self.server.more.notify_all()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


def _seen(span: Any) -> Seen:
    return Seen(
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        failed=span.status.code == 2,
        about=_values(span.attributes),
        events=[(e.name, e.time_unix_nano, _values(e.attributes)) for e in span.events],
    )


def _values(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    server = Collector()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Serving]:
    home = tmp_path_factory.mktemp("traces") / "home"
    server = Serving(
        home, {"pixels": "pixels:Pixels"}, slots=1, otel_endpoint=collector.url, retry_backoff_s=0.05, log_format="json"
    ).start()
    yield server
    assert server.stop() == 0


def submit(serving: Serving, traceparent: str = "", **given: Any) -> httpx.Response:
    step = {"$type": "imageGen", "input": {"prompt": "a fox", "engine": "pixels", **given}}
    headers = {"traceparent": traceparent} if traceparent else {}
    with serving.client() as client:
        answer = client.post("/v2/consumer/workflows", json={"steps": [step]}, headers=headers)
    answer.raise_for_status()
    return answer


def test_one_picture_is_one_trace_from_the_request_to_the_last_step(serving: Serving, collector: Collector) -> None:
    answer = submit(serving, engine="sketch", width=256, height=256, steps=8)
    trace = answer.headers["heddle-trace-id"]
    request = "POST /v2/consumer/workflows"
    spans = collector.of(trace, request, "plan", "commit", "queued", "attempt", "run sketch")
    parents = {name: next((p.name for p in spans.values() if p.id == s.parent), "") for name, s in spans.items()}
    assert parents == {
        request: "",
        "plan": request,
        "commit": request,
        "queued": request,
        "attempt": request,
        "run sketch": "attempt",
    }
    top, run = spans[request], spans["run sketch"]
    assert (top.about["http.route"], top.about["http.response.status_code"]) == ("/v2/consumer/workflows", 202)
    assert run.about["heddle.workflow.id"] == answer.json()["id"]
    assert run.about["heddle.outcome"] == "succeeded"
    assert run.events
    assert [e[2]["heddle.fraction"] for e in run.events] == sorted(e[2]["heddle.fraction"] for e in run.events)
    assert run.events[-1][2]["heddle.fraction"] == 1.0
    # Times are kept to the millisecond where they pass the database.
    slack = 2_000_000
    assert all(run.start - slack <= at <= run.end + slack for _, at, _ in run.events)
    assert spans["queued"].start <= spans["queued"].end <= run.start + slack
    assert top.start - slack <= spans["queued"].start
    assert all(s.start <= s.end for s in spans.values())
    assert (collector.services, collector.paths) == ({"heddle"}, {"/v1/traces"})


def test_what_the_caller_began_goes_on_here(serving: Serving, collector: Collector) -> None:
    answer = submit(serving, CLIENT)
    assert answer.headers["heddle-trace-id"] == CLIENT.split("-")[1]
    spans = collector.of(CLIENT.split("-")[1], "POST /v2/consumer/workflows", "run pixels")
    assert spans["POST /v2/consumer/workflows"].parent == CLIENT.split("-")[2]


def test_a_caller_who_wants_no_trace_gets_none(serving: Serving, collector: Collector) -> None:
    quiet = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-00"
    answer = submit(serving, quiet)
    assert answer.headers["heddle-trace-id"] == "ab" * 16
    # A later one has arrived whole, so this one would have, too.
    later = submit(serving)
    collector.of(later.headers["heddle-trace-id"], "run pixels", "POST /v2/consumer/workflows")
    assert [s.name for s in collector.spans if s.trace == "ab" * 16] == []


def test_every_attempt_has_its_spans_and_failures_say_why(serving: Serving, collector: Collector) -> None:
    trace = submit(serving, prompt="retry").headers["heddle-trace-id"]
    end = time.monotonic() + 30
    with collector.more:
        while len(runs := [s for s in collector.spans if s.trace == trace and s.name == "run pixels"]) < 2:
            assert collector.more.wait(end - time.monotonic())
    first, second = sorted(runs, key=lambda s: s.about["heddle.attempt"])
    assert (first.failed, second.failed) == (True, False)
    assert (first.about["heddle.outcome"], second.about["heddle.outcome"]) == ("failed", "succeeded")
    assert len([s for s in collector.spans if s.trace == trace and s.name == "queued"]) == 1


def test_a_collector_that_is_away_holds_nothing_up(tmp_path: Path) -> None:
    gone = Collector()
    gone.server_close()
    serving = Serving(tmp_path / "home", {"pixels": "pixels:Pixels"}, slots=1, otel_endpoint=gone.url).start()
    try:
        workflow = submit(serving).json()["id"]
        end = time.monotonic() + 30
        with serving.client() as client:
            while client.get(f"/v2/consumer/workflows/{workflow}").json()["status"] != "succeeded":
                assert time.monotonic() < end
                time.sleep(0.02)
    finally:
        assert serving.stop() == 0


PROGRAM = """
import sys
import heddle.cli.main, heddle.cli.serve, heddle.server, heddle.fleet.journal
from heddle import traces
traces.export_to("", "0")()
with traces.span("x") as span:
    assert str(span.context).startswith("00-")
print([name for name in sys.modules if name.partition(".")[0] in ("opentelemetry", "requests", "google")])
"""


def test_without_an_endpoint_nothing_of_it_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# ── the header ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        "nonsense",
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n00-x",
        "00-\u06604bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
    ],
)
def test_what_is_no_context_begins_a_trace_of_its_own(header: str) -> None:
    assert traces.parse(header) is None


@pytest.mark.parametrize(
    ("header", "sampled"),
    [
        (CLIENT, True),
        (CLIENT[:-2] + "00", False),
        (CLIENT[:-2] + "03", True),
        # A later version may say more; what we know of it stays where it is.
        ("01" + CLIENT[2:] + "-future", True),
    ],
)
def test_a_context_is_read(header: str, sampled: bool) -> None:
    found = traces.parse(header)
    assert found == traces.Context("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled)


def test_contexts_are_nested_and_restored() -> None:
    assert traces.current() is None
    with traces.span("outer") as outer:
        with traces.span("inner") as inner:
            assert traces.current() == inner.context
        assert traces.current() == outer.context
        assert inner.context.trace_id == outer.context.trace_id
        assert inner.context.span_id != outer.context.span_id
    assert traces.current() is None
