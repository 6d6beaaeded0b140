"""Servers that do not do as they should: a clear reason, and another try only where it may help."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest
from tests.engines.openai_api.test_llama import payload
from tests.moving import Watcher

from heddle import registry
from heddle.engines import MOST_OUTPUT
from heddle.engines.openai_api import OpenAIApi
from heddle.errors import JobError, UsageError

MODELS = (200, b'{"data": [{"id": "m"}]}')


@contextmanager
def server(
    status: int, body: bytes, models: tuple[int, bytes] = MODELS, kind: str = "text/event-stream"
) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.say(*models)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.say(status, body)

        def say(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{made.server_port}/v1"
    finally:
        made.shutdown()
        thread.join()
        made.server_close()


def run(url: str, options: Mapping[str, Any] | None = None, **more: Any) -> Mapping[str, Any]:
    engine = OpenAIApi()
    engine.configure({"url": url, **(options or {})})
    [made] = engine.run(payload(**more), Watcher())
    return made.output


def said(*events: str) -> bytes:
    return "".join(f"data: {event}\n\n" for event in events).encode()


def text(content: str) -> str:
    return f'{{"choices": [{{"index": 0, "delta": {{"content": "{content}"}}}}]}}'


@pytest.mark.parametrize(
    ("status", "body", "reason", "retryable", "words"),
    [
        (400, b'{"error": {"message": "no such model"}}', "engine_failed", False, "400: no such model"),
        (400, b'{"error": "bad"}', "engine_failed", False, "400: bad"),
        (404, b"<html>not here</html>", "engine_failed", False, "404: <html>"),
        (429, b'{"error": {"message": "slow down"}}', "engine_unavailable", True, "429: slow down"),
        (503, b"", "engine_unavailable", True, "503"),
        (200, b"data: {broken\n\n", "engine_failed", False, "does not speak chat completions"),
        (200, b"data: [1]\n\n", "engine_failed", False, "does not speak chat completions"),
        (200, b"data: " + b"x" * 1_100_000, "engine_failed", False, "a line without end"),
        (200, said('{"choices": []}'), "engine_unavailable", True, "broke off in the middle"),
        (200, said('{"error": {"message": "out of memory"}}'), "engine_failed", False, "broke off: out of memory"),
    ],
)
def test_refusals(status: int, body: bytes, reason: str, retryable: bool, words: str) -> None:
    with server(status, body) as url, pytest.raises(JobError, match=words) as error:
        run(url)
    assert (error.value.reason, error.value.retryable) == (reason, retryable)


def test_a_server_that_is_not_there() -> None:
    with server(200, b"") as url:
        gone = url
    with pytest.raises(JobError, match="cannot be reached") as error:
        run(gone)
    assert error.value.retryable


def test_a_server_without_models() -> None:
    with server(200, b"", (200, b'{"data": []}')) as url, pytest.raises(JobError, match="name one"):
        run(url)


def test_an_answer_without_end_is_cut() -> None:
    with server(200, said(*[text("x" * 10_000)] * 50)) as url:
        shown = run(url)
        odd = run(url, n=4)
    assert 79_000 < len(shown["text"]) <= 80_000
    assert shown["choices"][0]["finishReason"] == "length"
    assert len(msgspec.json.encode(odd)) < MOST_OUTPUT


def test_an_answer_of_odd_letters_stays_within_what_is_kept() -> None:
    with server(200, said(*[text(r"\u0001\"\\ü🦊" * 1000)] * 50)) as url:
        shown = run(url, enhance=True)
    assert 200_000 < len(msgspec.json.encode(shown)) < MOST_OUTPUT


@pytest.mark.parametrize("kind", ["application/json", "text/html", ""])
def test_what_is_no_stream_is_no_answer(kind: str) -> None:
    body = b'{"choices": [{"message": {"content": "hello"}}]}'
    with server(200, body, kind=kind) as url, pytest.raises(JobError, match="where a text/event-stream was asked for"):
        run(url)


def test_only_models_that_were_named_may_be_asked_for() -> None:
    with server(200, said(text("a"), "[DONE]")) as url:
        named = {"model": "small", "models": {"gpt-4o-mini": "medium"}}
        assert run(url, named)["model"] == "small"
        assert run(url, named, model="gpt-4o-mini")["model"] == "medium"
        assert run(url, named | {"any_model": True}, model="dear")["model"] == "dear"
        with pytest.raises(JobError, match="'dear' is not one of those that may be asked for here: gpt-4o-mini, small"):
            run(url, named, model="dear")


def test_a_price_counts_what_is_read_and_what_may_be_written() -> None:
    engine = OpenAIApi()
    engine.configure({"buzz_per_1000_tokens": 10})
    asked = payload(maxWords=1000, messages=[{"role": "user", "text": "x" * 4000}])
    assert engine.price(asked) == pytest.approx(21)
    assert engine.price(asked | {"n": 4}) == pytest.approx(84)


def test_reasoning_and_empty_pieces_are_passed_over() -> None:
    think = '{"choices": [{"index": 0, "delta": {"reasoning_content": "hm", "content": null}}]}'
    end = '{"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}'
    with server(200, said(think, text("a"), '{"choices": null}', text("b"), end, "[DONE]")) as url:
        shown = run(url)
    assert (shown["text"], shown["usage"]["totalTokens"]) == ("ab", 5)


def test_json_that_is_none_is_a_failure() -> None:
    with server(200, said(text("not json"), "[DONE]")) as url, pytest.raises(JobError, match="is no JSON: 'not json'"):
        run(url, json=True)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"url": "127.0.0.1:8080"}, "url is '127.0.0.1:8080', which is no address"),
        ({"url": 1}, "Expected `str`, got `int`"),
        ({"urls": "http://x"}, "unknown field `urls`"),
        ({"silence_s": 0}, "silence_s is 0"),
        ({"key": "sk-secret\n"}, "key holds a space, a line break"),
    ],
)
def test_options_that_are_wrong(table: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as error:
        OpenAIApi().configure(table)
    assert "sk-secret" not in str(error.value)


def test_tables_of_engines_that_are_not_there_or_have_no_options() -> None:
    with pytest.raises(UsageError, match=r"\[openai\] is no engine"):
        registry.configure({"openai": {}})
    try:
        with pytest.raises(UsageError, match=r"\[sketch\] has no options"):
            registry.configure({"sketch": {}})
    finally:
        registry.configure({})
