"""Log lines: of a real server as JSON, what they are about, and what they never hold."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving import Serving

from heddle import logs

KEYS = ("ts", "level", "logger", "event", "message")
CLIENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    home = tmp_path_factory.mktemp("logs") / "home"
    engines = {"pixels": "pixels:Pixels"}
    server = Serving(home, engines, slots=1, log_format="json", log_level="debug").start()
    yield server
    assert server.stop() == 0


def lines(serving: Serving) -> list[dict[str, Any]]:
    """Every line is one JSON object, but for what the command says to the one who stops it."""
    return [json.loads(line) for line in (serving.home.parent / "server.log").read_text().splitlines()]


def line(serving: Serving, within: float = 20, **wanted: Any) -> dict[str, Any]:
    """The one with these values, once it is there."""
    end = time.monotonic() + within
    while True:
        found = [each for each in lines(serving) if all(each.get(k) == v for k, v in wanted.items())]
        if found:
            return found[0]
        assert time.monotonic() < end, wanted
        time.sleep(0.05)


def submit(client: httpx.Client, **headers: str) -> httpx.Response:
    step = {"$type": "imageGen", "input": {"prompt": "a fox", "engine": "pixels"}}
    return client.post("/v2/consumer/workflows", json={"steps": [step]}, headers=headers)


def test_a_request_and_its_job_are_found_by_one_trace_id(serving: Serving) -> None:
    with serving.client() as client:
        answer = submit(client)
    trace, workflow = answer.headers["heddle-trace-id"], answer.json()["id"]
    request = line(serving, event="request", trace_id=trace)
    assert (request["status"], request["method"], request["route"]) == (202, "POST", "/v2/consumer/workflows")
    assert (request["workflow_id"], request["account_id"]) == (workflow, 1)
    attempt = line(serving, event="attempt_ended", trace_id=trace)
    assert (attempt["workflow_id"], attempt["outcome"], attempt["engine"]) == (workflow, "succeeded", "pixels")
    assert attempt["job_id"].startswith("job_")


def test_an_error_says_which_lines_are_about_it(serving: Serving) -> None:
    with serving.client() as client:
        answer = client.get("/v2/consumer/workflows/wf_none", headers={"traceparent": CLIENT})
    trace = CLIENT.split("-")[1]
    assert answer.json()["traceId"] == answer.headers["heddle-trace-id"] == trace
    found = line(serving, trace_id=trace)
    assert (found["status"], found["workflow_id"]) == (404, "wf_none")


def test_every_line_has_the_keys(serving: Serving) -> None:
    with serving.client() as client:
        client.get("/health")
    line(serving, path="/health")
    for each in lines(serving):
        assert [key for key in KEYS if not isinstance(each.get(key), str)] == []
        assert each["level"] in ("debug", "info", "warning", "error", "critical")
        assert each["ts"].endswith("Z")


def test_no_line_holds_what_opens_something(serving: Serving) -> None:
    with serving.client() as client:
        picture = client.get("/v2/consumer/workflows", params={"token": "query-token"})
        made = client.post(
            "/v2/consumer/blobs",
            content=b"GIF89a",
            headers={"Content-Type": "image/gif", "X-Api-Key": "hd_" + "k" * 43},
        )
        promised = client.get("/v2/consumer/blobs/upload-url", params={"mimeType": "image/png"}).json()
        client.put(promised["uploadUrl"], content=b"x", headers={"Authorization": "Bearer other-secret"})
        client.get("/v2/consumer/blobs/content/blob_x", params={"sig": "1.forged-signature", "exp": "1"})
        client.get("/marker")
    httpx.get(serving.url + "/api/v1/me", headers={"Authorization": "Bearer hd_" + "w" * 43}, trust_env=False)
    assert picture.status_code < 500
    assert made.status_code < 500
    line(serving, path="/marker")
    line(serving, path="/api/v1/me")
    text = (serving.home.parent / "server.log").read_text()
    sig = promised["uploadUrl"].partition("sig=")[2]
    assert sig
    for secret in (serving.token, "w" * 43, "k" * 43, "other-secret", "query-token", "forged-signature", sig):
        assert secret not in text


def test_as_text_a_quiet_server_says_nothing_of_requests(tmp_path: Path) -> None:
    serving = Serving(tmp_path / "home", {"pixels": "pixels:Pixels"}, slots=1).start()
    try:
        with serving.client() as client:
            assert submit(client).status_code == 202
    finally:
        assert serving.stop() == 0
    assert (tmp_path / "server.log").read_text() == "stopping; running jobs get 20 s (again to stop at once)\n"


# ── forms ─────────────────────────────────────────────────────────────────────


def record(message: str, *args: object, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("heddle.test", logging.WARNING, __file__, 1, message, args, None, "here")
    made.__dict__.update(extra)
    return made


def as_json(made: logging.LogRecord) -> dict[str, Any]:
    text = logs.JsonLines().format(made)
    assert "\n" not in text
    return json.loads(text)


def test_a_traceback_is_one_field() -> None:
    try:
        raise RuntimeError("no\nway")
    except RuntimeError:
        said = as_json(record("it broke", exc_info=sys.exc_info()))
    assert said["message"] == "it broke"
    assert said["exception"].startswith("Traceback (most recent call last):\n")
    assert said["exception"].endswith("RuntimeError: no\nway")


def test_what_is_known_of_the_work_is_said_and_a_record_knows_better() -> None:
    logs.begin(trace_id="t", account_id=1)
    logs.note(workflow_id="wf_1")
    said = as_json(record("x", workflow_id="wf_2", event="an_event", more={"n": 3}))
    assert {k: said.get(k) for k in (*logs.ABOUT, "event", "n")} == {
        "trace_id": "t", "account_id": 1, "workflow_id": "wf_2", "job_id": None, "event": "an_event", "n": 3,
    }  # fmt: skip
    logs.begin()
    assert as_json(record("x"))["event"] == "test_logs.here"


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "\x1b[31mred", "half \ud83d of a character", "nul \0"])
def test_no_message_begins_a_line_of_its_own(text: str) -> None:
    assert as_json(record("said %s", text))["message"].startswith("said ")
    shown = logs.TextLines().format(record("said %s", text))
    assert not set(shown) & {"\n", "\r", "\x1b", "\0"}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("token hd_" + "a" * 43 + ".", "token hd_[redacted]"),
        ("whsec_c2VjcmV0IHNlY3JldA==", "whsec_[redacted]"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer [redacted]"),
        ('{"authorization": "Basic dXNlcjpwYXNz"}', '{"authorization": "Basic [redacted]"}'),
        ("GET /x?exp=1&sig=1.abc_def&b=2", "GET /x?exp=1&sig=[redacted]&b=2"),
        ("https://b.s3/x?X-Amz-Signature=00ff&a=1", "https://b.s3/x?X-Amz-Signature=[redacted]&a=1"),
        ("X-Amz-Credential=AKIA%2F2026", "X-Amz-Credential=[redacted]"),
        ("postgresql://heddle:hunter2@db/heddle", "postgresql://heddle:[redacted]@db/heddle"),
        ("connect password=hunter2 host=db", "connect password=[redacted] host=db"),
        ("https://example.org:8443/path", "https://example.org:8443/path"),
        ("2 tokens of wf_01 at 10:30", "2 tokens of wf_01 at 10:30"),
    ],
)
def test_what_opens_something_is_taken_out(text: str, kept: str) -> None:
    assert logs.redact(text) == kept
    assert as_json(record("%s", text))["message"] == kept
    assert logs.TextLines().format(record("%s", text)).endswith(f": {kept}")
