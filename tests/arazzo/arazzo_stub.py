"""A small HTTP server for tests of the runner, and on it a strict imitation of the seed APIs."""

from __future__ import annotations

import io
import json
import re
import struct
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from python_multipart import parse_form

TOKEN = "token-that-nobody-may-see"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart body as a server sees it."""

    name: str
    filename: str | None
    content: bytes
    content_type: str | None


@dataclass(frozen=True, slots=True)
class Got:
    """A request as it arrived. Header names are in lower case; `at` is in seconds."""

    method: str
    path: str
    raw_query: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(self.raw_query, keep_blank_values=True)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def parts(self) -> list[Part]:
        found: list[Part] = []

        def on_field(one: Any) -> None:
            found.append(Part(one.field_name.decode(), None, one.value or b"", None))

        def on_file(one: Any) -> None:
            one.file_object.seek(0)
            name = one.file_name.decode() if one.file_name else None
            found.append(Part(one.field_name.decode(), name, one.file_object.read(), one.content_type))

        headers = {
            "Content-Type": self.headers["content-type"].encode(),
            "Content-Length": str(len(self.body)).encode(),
        }
        parse_form(headers, io.BytesIO(self.body), on_field, on_file)
        return found


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler answers; `body` that is not bytes travels as JSON."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Got], Reply]


class Stub:
    """A running server. `got` is everything that arrived, in order."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.got: list[Got] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler_class())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler_class(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Requests(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def answer(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                got = Got(self.command, unquote(parts.path), parts.query, headers, body, monotonic())
                stub.got.append(got)
                reply = stub.handler(got)
                content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                content = b"" if reply.body is None else content
                kind = {} if reply.body is None else {"Content-Type": "application/json"}
                lines = [f"HTTP/1.1 {reply.status} X"]
                lines += [f"{name}: {value}" for name, value in {**kind, **reply.headers}.items()]
                lines += [f"Content-Length: {len(content)}", "", ""]
                self.wfile.write("\r\n".join(lines).encode("latin-1") + content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer

            def log_message(self, *args: Any) -> None:
                pass

        return Requests


@contextmanager
def serving(handler: Handler) -> Iterator[Stub]:
    stub = Stub(handler)
    try:
        yield stub
    finally:
        stub.close()


def png(width: int = 2, height: int = 2) -> bytes:
    """A small real PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\x40\x80\xc0" * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Refused(Exception):
    """A request that a strict server answers with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.reply = Reply(status, {"code": "refused", "message": message})


class SeedApi:
    """The seed dialect, strict: what is not exactly right is refused.

    `final` is the state in which every workflow ends; it gets there one state per look.
    """

    def __init__(self, final: str = "succeeded") -> None:
        self.final = final
        self.before = ["unassigned", "preparing", "processing"]
        self.url = ""
        self.blobs: dict[str, bytes | None] = {}
        self.workflows: dict[str, dict[str, Any]] = {}
        self.looks: dict[str, int] = {}

    def __call__(self, got: Got) -> Reply:
        try:
            return self._answer(got)
        except Refused as refused:
            return refused.reply

    def _answer(self, got: Got) -> Reply:
        if got.path.startswith("/bytes/") and got.method == "GET":
            return Reply(200, png(), {"Content-Type": "image/png"})
        if got.path.startswith("/put/"):
            return self._put(got)
        if got.headers.get("authorization") != f"Bearer {TOKEN}":
            raise Refused(401, "who are you?")
        for name, value in got.query:
            if value in ("", "null", "None", "undefined") or "$" in value:
                raise Refused(400, f"{name}={value!r} is not a value")
        return self._route(got)

    def _route(self, got: Got) -> Reply:
        route = got.method, re.sub(r"wf_\w+", "{id}", got.path)
        if route == ("POST", "/v2/consumer/workflows"):
            return self._submit(got)
        if route == ("GET", "/v2/consumer/workflows/{id}"):
            return self._get(got.path.rsplit("/", 1)[1])
        if route == ("POST", "/v2/consumer/blobs"):
            return self._upload(got)
        if route == ("GET", "/v2/consumer/blobs/upload-url"):
            return self._upload_url(got)
        if got.method == "GET" and re.fullmatch(r"/api/v1/model-versions/\d+", got.path):
            return Reply(
                200, {"id": 7, "name": "v1", "baseModel": "SDXL", "air": "urn:air:sdxl:checkpoint:civitai:1@7"}
            )
        raise Refused(404, f"no such thing: {got.method} {got.path}")

    def _submit(self, got: Got) -> Reply:
        if got.headers.get("content-type") != "application/json":
            raise Refused(415, f"JSON was expected, not {got.headers.get('content-type')}")
        body = got.json
        _check_json(body, "")
        for step in body["steps"]:
            self._check_step(step)
        name = f"wf_{len(self.workflows) + 1}"
        self.workflows[name] = body
        self.looks[name] = 0
        return Reply(202, {"id": name, "status": "unassigned", "steps": []})

    def _check_step(self, step: dict[str, Any]) -> None:
        if step.get("$type") != "imageGen":
            raise Refused(400, f"$type is {step.get('$type')!r}")
        given = step["input"]
        kinds = {"prompt": str, "engine": str, "model": str, "negativePrompt": str, "width": int, "height": int}
        kinds |= {
            "steps": int,
            "seed": int,
            "cfgScale": (int, float),
            "strength": (int, float),
            "quantity": int,
            "images": list,
        }
        for name, value in given.items():
            if name not in kinds or not isinstance(value, kinds[name]):
                raise Refused(400, f"input.{name} is {value!r}")
        if not {"prompt", "engine"} <= set(given):
            raise Refused(400, "prompt and engine are required")
        for blob in given.get("images", []):
            if blob not in self.blobs:
                raise Refused(404, f"no blob {blob!r}")

    def _get(self, name: str) -> Reply:
        if name not in self.workflows:
            raise Refused(404, f"no workflow {name!r}")
        self.looks[name] += 1
        states = [*self.before, self.final]
        waits = any(
            self.blobs[blob] is None
            for step in self.workflows[name]["steps"]
            for blob in step["input"].get("images", [])
        )
        if waits:
            states = ["unassigned", "preparing", "preparing", "expired"]
        status = states[min(self.looks[name], len(states)) - 1]
        job: dict[str, Any] = {"id": "job_1", "status": status}
        if status == "succeeded":
            job["result"] = {"blobs": [{"blobId": "blob_out", "url": f"{self.url}/bytes/blob_out?sig=1"}]}
        steps = [{"name": "generate", "status": status, "jobs": [job]}]
        return Reply(200, {"id": name, "status": status, "cost": {"base": 4, "total": 4}, "steps": steps})

    def _upload(self, got: Got) -> Reply:
        if not got.headers.get("content-type", "").startswith("multipart/form-data"):
            raise Refused(415, f"multipart was expected, not {got.headers.get('content-type')}")
        parts = {part.name: part for part in got.parts()}
        file = parts.pop("file", None)
        if file is None or file.filename is None or not file.content.startswith(b"\x89PNG"):
            raise Refused(400, "file: a file part with a PNG was expected")
        if file.content_type != "image/png":
            raise Refused(400, f"file: the part is {file.content_type}")
        moderate = parts.pop("moderate", None)
        if parts or (moderate is not None and moderate.content not in (b"true", b"false")):
            raise Refused(400, f"unexpected parts: {parts or moderate}")
        return Reply(201, {"id": self._new_blob(file.content), "nsfwLevel": 1})

    def _upload_url(self, got: Got) -> Reply:
        query = dict(got.query)
        if set(query) - {"mimeType", "sizeBytes"} or "mimeType" not in query:
            raise Refused(400, f"mimeType and sizeBytes were expected, not {sorted(query)}")
        if not query.get("sizeBytes", "1").isdigit():
            raise Refused(400, f"sizeBytes={query['sizeBytes']!r} is not an integer")
        blob = self._new_blob(None)
        return Reply(
            200,
            {
                "blobId": blob,
                "uploadUrl": f"{self.url}/put/{blob}?sig=2",
                "expiresAt": "2030-01-01T00:00:00Z",
                "headers": {"Content-Type": query["mimeType"], "X-Promise": "kept"},
            },
        )

    def _put(self, got: Got) -> Reply:
        if got.method != "PUT":
            raise Refused(405, "PUT only")
        if "authorization" in got.headers or got.headers.get("x-promise") != "kept":
            raise Refused(400, "these are not the headers that were asked for")
        if got.headers.get("content-type") != "image/png" or not got.body.startswith(b"\x89PNG"):
            raise Refused(415, "a PNG was promised")
        self.blobs[got.path.rsplit("/", 1)[1]] = got.body
        return Reply(200, {})

    def _new_blob(self, content: bytes | None) -> str:
        name = f"blob_{len(self.blobs) + 1}"
        self.blobs[name] = content
        return name


def _check_json(value: Any, way: str) -> None:
    if value is None or (isinstance(value, str) and ("$inputs" in value or value in ("undefined", "null"))):
        raise Refused(400, f"{way} is {value!r}")
    if isinstance(value, dict):
        for name, member in value.items():
            _check_json(member, f"{way}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_json(item, f"{way}[{index}]")


#: A small API for documents that a test writes itself.
DESCRIPTION = {
    "openapi": "3.1.0",
    "info": {"title": "A small API", "version": "1"},
    "servers": [{"url": "https://api.example.org/base"}],
    "paths": {
        "/look": {"get": {"operationId": "look", "responses": {"200": {"description": "ok"}}}},
        "/make": {"post": {"operationId": "make", "responses": {"200": {"description": "ok"}}}},
        "/fetch": {"get": {"operationId": "fetch", "responses": {"200": {"description": "ok"}}}},
        "/things/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {
                "operationId": "thing",
                "parameters": [
                    {"name": "tags", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
                    {"name": "flat", "in": "query", "explode": False, "schema": {"type": "array"}},
                    {"name": "deep", "in": "query", "style": "deepObject", "schema": {"type": "object"}},
                    {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
                    {"name": "mood", "in": "cookie", "schema": {"type": "string"}},
                ],
                "responses": {"200": {"description": "ok"}},
            },
        },
    },
}
