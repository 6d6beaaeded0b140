"""The engine `openai-images` against a double of the API; no real server of it can be had here."""

from __future__ import annotations

import base64
import io
import json
import select
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.moving import Watcher
from tests.serving import WORKFLOWS, Serving, ended

from heddle.engines import Made
from heddle.engines.openai_images import OpenAIImages
from heddle.errors import JobCanceled, JobError, UsageError


def png(width: int = 64, height: int = 48, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(noise).save(out, kind)
    return out.getvalue()


class Double:
    """Answers as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.answer: Any = {"data": [{"b64_json": base64.b64encode(png()).decode(), "revised_prompt": "a red fox"}]}
        self.kind = "application/json"
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.release = threading.Event()
        self.release.set()
        #: The caller hung up while it waited for the answer.
        self.left = threading.Event()
        self.url = ""

    def handler(self) -> type[BaseHTTPRequestHandler]:
        double = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                double.asked.append((self.path, dict(self.headers), body))
                if not double.release.is_set():
                    self.wait()
                data = double.answer if isinstance(double.answer, bytes) else json.dumps(double.answer).encode()
                self.say(double.status, double.kind, data)

            def wait(self) -> None:
                until = time.monotonic() + 20
                while not double.release.wait(0.02) and time.monotonic() < until:
                    if select.select([self.connection], [], [], 0)[0] and not self.connection.recv(1, socket.MSG_PEEK):
                        double.left.set()
                        return

            def do_GET(self) -> None:
                double.asked.append((self.path, dict(self.headers), b""))
                self.say(200, "image/png", png(32, 32))

            def say(self, status: int, kind: str, data: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                try:
                    self.wfile.write(data)
                except OSError:  # nobody waits any more
                    return

            def log_message(self, *_: object) -> None:
                return

        return Handler


@pytest.fixture
def double() -> Iterator[Double]:
    double = Double()
    server = ThreadingHTTPServer(("127.0.0.1", 0), double.handler())
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    double.url = f"http://127.0.0.1:{server.server_port}/v1"
    yield double
    double.release.set()
    server.shutdown()
    thread.join()
    server.server_close()


def payload(**more: Any) -> dict[str, Any]:
    return {"prompt": "a fox", "width": 64, "height": 48, "seed": 7, "steps": 20, "cfgScale": 7.0, "networks": [],
            "images": [], "outputFormat": "png", "operation": "create", **more}  # fmt: skip


def run(double: Double, watcher: Watcher | None = None, options: dict[str, Any] | None = None, **more: Any) -> Made:
    engine = OpenAIImages()
    engine.configure({"url": double.url, "key": "sesame", **(options or {})})
    [made] = engine.run(payload(**more), watcher or Watcher())
    return made


def test_a_picture(double: Double) -> None:
    made = run(double, options={"model": "gpt-image-1", "more": {"quality": "high"}})
    assert (made.data, made.mime, made.width, made.height) == (png(), "image/png", 64, 48)
    assert made.metadata["revisedPrompt"] == "a red fox"
    assert "seed" not in made.metadata
    ((path, headers, body),) = double.asked
    assert path == "/v1/images/generations"
    assert headers["Authorization"] == "Bearer sesame"
    assert json.loads(body) == {"prompt": "a fox", "n": 1, "size": "64x48", "model": "gpt-image-1", "quality": "high"}


def test_what_a_server_may_be_told(double: Double) -> None:
    air = "urn:air:openai:checkpoint:openai:gpt-image@1"
    made = run(double, options={"seeds": True, "ask_base64": True, "models": {air: "big"}}, model=air)
    asked = json.loads(double.asked[0][2])
    assert (asked["seed"], asked["response_format"], asked["model"]) == (7, "b64_json", "big")
    assert made.metadata["seed"] == 7


def test_another_file_format(double: Double) -> None:
    made = run(double, outputFormat="jpeg")
    assert made.mime == "image/jpeg"
    assert Image.open(io.BytesIO(made.data)).format == "JPEG"


def test_a_link_is_followed_without_the_key(double: Double) -> None:
    double.answer = {"data": [{"url": f"{double.url}/files/1.png"}]}
    made = run(double)
    assert (made.width, made.height) == (32, 32)
    path, headers, _ = double.asked[1]
    assert path == "/v1/files/1.png"
    assert "Authorization" not in headers


def test_edits(double: Double) -> None:
    run(double, Watcher(blob_1=png(20, 20)), images=["blob_1"])
    run(double, Watcher(blob_1=png(20, 20), blob_2=png(kind="JPEG")), images=["blob_1", "blob_2"])
    (path, _, one), (_, _, two) = double.asked
    assert path == "/v1/images/edits"
    assert b'name="image"; filename="0.png"' in one
    assert png(20, 20) in one
    assert two.count(b'name="image[]"') == 2
    assert b'filename="1.jpg"' in two


@pytest.mark.parametrize(
    ("status", "answer", "reason", "retryable", "words"),
    [
        (400, {"error": {"message": "size is not supported"}}, "engine_failed", False, "400: size is not supported"),
        (400, b"<html>", "engine_failed", False, "400: <html>"),
        (401, {"error": {"message": "no"}}, "engine_unavailable", False, r"check key under \[openai-images\]"),
        (429, {"error": {"message": "slow"}}, "engine_unavailable", True, "429: slow"),
        (200, {"data": []}, "engine_failed", False, "without a picture"),
        (200, {"data": [{}]}, "engine_failed", False, "neither a picture nor a link"),
        (200, {"data": [{"b64_json": "@@@"}]}, "engine_failed", False, "not base64"),
        (200, {"data": [{"b64_json": "aGVsbG8="}]}, "engine_failed", False, "no picture that can be read"),
        (200, b"{}", "engine_failed", False, "does not speak OpenAI's images API"),
        (200, b"no json", "engine_failed", False, "does not speak OpenAI's images API"),
    ],
)
def test_refusals(double: Double, status: int, answer: Any, reason: str, retryable: bool, words: str) -> None:
    double.status, double.answer = status, answer
    with pytest.raises(JobError, match=words) as error:
        run(double)
    assert (error.value.reason, error.value.retryable) == (reason, retryable)


def test_a_cancel_does_not_wait_for_the_picture(double: Double) -> None:
    class Impatient(Watcher):
        def preview(self, draw: object) -> None: ...

        def progress(self, fraction: float, note: str = "") -> None:
            super().progress(fraction, note)
            if len(self.reported) == 3:
                raise JobCanceled("enough")

    double.release.clear()
    with pytest.raises(JobCanceled):
        run(double, Impatient())
    assert double.left.wait(2), "the server was not told"
    double.release.set()


def test_a_server_that_is_not_there(double: Double) -> None:
    with pytest.raises(JobError, match="cannot be reached") as error:
        run(double, options={"url": "http://127.0.0.1:9/v1"})
    assert error.value.retryable


def test_what_the_api_has_no_word_for() -> None:
    engine = OpenAIImages()
    engine.configure({"url": "http://127.0.0.1:9/v1", "sizes": ["1024x1024"]})
    assert engine.problems(payload(width=1024, height=1024)) == {}
    asked = payload(negativePrompt="x", sampler="euler", networks=[{"air": "urn:a"}], model="urn:air:a:b:c:d@1")
    assert set(engine.problems(asked)) == {"negativePrompt", "sampler", "additionalNetworks", "width", "model"}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"url": "x"}, "url is 'x'"),
        ({"sizes": ["1024"]}, "'1024' is no size"),
        ({"price_factor": -1}, "price_factor is -1"),
        ({"size": 1}, "unknown field `size`"),
    ],
)
def test_options_that_are_wrong(table: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        OpenAIImages().configure(table)


def test_a_workflow_by_http(double: Double, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "engines.toml").write_text(f'[openai-images]\nurl = "{double.url}"\nprice_factor = 0.1\n')
    serving = Serving(home, slots=1).start()
    try:
        with serving.client() as client:
            given = {"engine": "openai", "prompt": "a fox", "width": 64, "height": 64}
            answer = client.post(WORKFLOWS, json={"steps": [{"$type": "imageGen", "input": given}]})
            shown = ended(client, answer.json()["id"])
            assert shown["status"] == "succeeded", shown
            assert shown["cost"]["total"] == 10
            assert shown["steps"][0]["jobs"][0]["engine"] == "openai-images"
            refused = client.post(
                WORKFLOWS, json={"steps": [{"$type": "imageGen", "input": {**given, "negativePrompt": "a dog"}}]}
            )
            assert refused.status_code == 400
            assert list(refused.json()["errors"]) == ["steps[0].input.negativePrompt"]
    finally:
        serving.stop()
