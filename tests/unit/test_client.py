"""The command line against a server that is busy, drops connections, or is not there."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from heddle.cli import credentials
from heddle.cli.credentials import Credentials
from heddle.cli.main import cli

SHOWN = {
    "id": "wf_1",
    "status": "succeeded",
    "steps": [{"$type": "imageGen", "name": "image", "status": "succeeded", "jobs": []}],
    "cost": {"total": 1},
    "tags": [],
    "createdAt": "2026-01-01T00:00:00Z",
    "completedAt": "2026-01-01T00:00:01Z",
}


class Flaky(ThreadingHTTPServer):
    """Answers each request with the next of `script`: a status, or None for a connection that is dropped."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.script: Sequence[int | None] = ()
        self.seen: list[tuple[str, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        assert isinstance(self.server, Flaky)
        self.server.seen.append((self.command, self.headers["Idempotency-Key"]))
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        status = self.server.script[0]
        self.server.script = self.server.script[1:]
        self.close_connection = True
        if status is not None:
            body = json.dumps(SHOWN if status < 400 else {"message": "busy"}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    do_GET = do_POST = _answer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the standard library names it
        """Nothing to say."""


@pytest.fixture
def flaky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flaky]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    server = Flaky()
    credentials.save(Credentials().with_token(server.url, "hd_x"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_lost_answer_to_a_submit_is_asked_for_again_with_the_same_key(flaky: Flaky) -> None:
    flaky.script = [None, 503, 202]
    done = CliRunner().invoke(cli, ["submit", "-p", "a fox", "--no-wait"])
    assert (done.exit_code, done.stdout) == (0, "wf_1\n"), done.output
    assert [method for method, _ in flaky.seen] == ["POST"] * 3
    keys = {key for _, key in flaky.seen}
    assert len(keys) == 1
    assert None not in keys


def test_a_poll_that_fails_now_and_then_does_not_end_the_wait(flaky: Flaky) -> None:
    flaky.script = [202, 503, None, 200]
    done = CliRunner().invoke(cli, ["submit", "-p", "a fox"])
    assert done.exit_code == 0, done.output
    assert [method for method, _ in flaky.seen] == ["POST", "GET", "GET", "GET"]


def test_a_server_that_stays_busy_is_told(flaky: Flaky, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heddle.cli.client._FIRST_PAUSE_S", 0.001)
    flaky.script = [503] * 6
    done = CliRunner().invoke(cli, ["submit", "-p", "a fox"])
    assert (done.exit_code, done.stderr, flaky.script) == (1, "heddle: busy\n", [])


def test_a_refusal_is_final(flaky: Flaky) -> None:
    flaky.script = [400]
    assert CliRunner().invoke(cli, ["submit", "-p", "a fox"]).exit_code == 1
    assert flaky.script == []


def test_a_server_that_is_not_there_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    credentials.save(Credentials().with_token(url, "hd_x"))
    begun = time.monotonic()
    done = CliRunner().invoke(cli, ["submit", "-p", "a fox"])
    assert done.exit_code == 1
    assert "cannot be reached" in done.stderr
    assert time.monotonic() - begun < 3
