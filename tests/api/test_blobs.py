"""Upload, check, link, download: over HTTP, against a real database and a real folder."""

from __future__ import annotations

import asyncio
import base64
import errno
import hashlib
import io
import struct
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from heddle import accounts
from heddle import blobs as records
from heddle.api import blobs, incoming, outgoing, problems
from heddle.api.deps import Deps
from heddle.blobs import Promise, Signer, Stored
from heddle.db import Database
from heddle.db.migrate import migrate
from heddle.db.sqlite import SQLite
from heddle.domain import new_id
from heddle.errors import CallerError, Unavailable
from heddle.settings import Settings
from heddle.storage.disk import DiskStorage

BLOBS = "/v2/consumer/blobs"


def picture(size: tuple[int, int] = (9, 4), kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (10, 200, 30)).save(out, kind)
    return out.getvalue()


PNG = picture()


class Caller:
    """A client in the same process, for tests that are written one line after the other."""

    def __init__(self, runner: asyncio.Runner, app: Starlette, token: str = "") -> None:
        self._run = runner.run
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        transport = httpx.ASGITransport(app)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://testserver", headers=headers)

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        if isinstance(options.get("content"), Iterator):
            options["content"] = _later(options["content"])
        return self._run(self._client.request(method, url, **options))

    def get(self, url: str, **options: Any) -> httpx.Response:
        return self.request("GET", url, **options)

    def head(self, url: str, **options: Any) -> httpx.Response:
        return self.request("HEAD", url, **options)

    def put(self, url: str, **options: Any) -> httpx.Response:
        return self.request("PUT", url, **options)

    def post(self, url: str, **options: Any) -> httpx.Response:
        return self.request("POST", url, **options)


async def _later(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    for data in pieces:
        yield data


class Served:
    """The handlers over a database and a folder of their own."""

    def __init__(self, folder: Path, storage: DiskStorage | None = None, **changes: Any) -> None:
        dialect = SQLite(folder / "heddle.sqlite")
        migrate(dialect)
        self.db = Database(dialect)
        self.storage = storage or DiskStorage({"root": str(folder / "blobs")})
        self.tokens = [self.db.apply(_account, name) for name in ("ann", "bob")]
        self.signer = Signer.from_db(self.db)
        # No planner: nothing here plans.
        self.app = _app(Deps(Settings(**changes), self.db, self.storage, self.signer, None))
        self._runner = asyncio.Runner()
        self.client = Caller(self._runner, self.app, self.tokens[0])
        self.bob = Caller(self._runner, self.app, self.tokens[1])
        self.anybody = Caller(self._runner, self.app)

    def close(self) -> None:
        self.db.close()
        self._runner.close()

    def upload(self, data: bytes = PNG, name: str = "a.png", kind: str = "image/png") -> dict[str, Any]:
        response = self.client.post(BLOBS, files={"file": (name, data, kind)})
        assert response.status_code == 201, response.text
        return response.json()

    def promise(self, **query: Any) -> dict[str, Any]:
        response = self.client.get(f"{BLOBS}/upload-url", params={"mimeType": "image/png"} | query)
        assert response.status_code == 200, response.text
        return response.json()

    def keys(self) -> set[str]:
        return set(self.storage.keys(""))

    def files(self) -> list[Path]:
        return [p for p in self.storage._root.rglob("*") if p.is_file()]


def _account(tx: Any, names: list[str]) -> list[str]:
    at = datetime.now(UTC)
    return [accounts.create_token(tx, accounts.create(tx, name, at).id, "test", at)[1] for name in names]


def _app(deps: Deps) -> Starlette:
    app = Starlette(
        routes=[
            Route(BLOBS, blobs.upload_blob, methods=["POST"]),
            Route(f"{BLOBS}/upload-url", blobs.get_blob_upload_url, methods=["GET"]),
            Route(f"{BLOBS}/content/{{blobId}}", blobs.open_blob, methods=["GET"]),
            Route(f"{BLOBS}/upload/{{blobId}}", blobs.put_blob, methods=["PUT", "POST"]),
            Route(f"{BLOBS}/{{blobId}}/refresh", blobs.refresh_blob, methods=["POST"]),
            Route(f"{BLOBS}/{{blobId}}", blobs.head_blob, methods=["HEAD"]),
            Route(f"{BLOBS}/{{blobId}}", blobs.get_blob, methods=["GET"]),
        ],
        exception_handlers={
            CallerError: problems.on_caller_error,
            Unavailable: problems.on_unavailable,
            HTTPException: problems.on_http_error,
        },
    )
    app.state.deps = deps
    return app


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path, max_upload_mb=1)
    yield made
    made.close()


def refused(response: httpx.Response, status: int, *words: str) -> dict[str, Any]:
    body = response.json()
    assert response.status_code == status, body
    assert body["status"] == status
    for word in words:
        assert word in body["message"], body["message"]
    return body


# ── upload ────────────────────────────────────────────────────────────────────


def test_an_upload_is_answered_with_all_that_is_known(served: Served) -> None:
    before = datetime.now(UTC)
    blob = served.upload()
    assert blob.keys() == {
        "id", "mimeType", "sizeBytes", "url", "urlExpiresAt", "sha256", "nsfwLevel", "createdAt", "available",
        "width", "height",
    }  # fmt: skip
    assert (blob["mimeType"], blob["sizeBytes"], blob["nsfwLevel"], blob["available"]) == (
        "image/png",
        len(PNG),
        0,
        True,
    )
    assert blob["sha256"] == hashlib.sha256(PNG).hexdigest()
    assert (blob["width"], blob["height"]) == (9, 4)
    assert datetime.fromisoformat(blob["urlExpiresAt"]) > before + timedelta(hours=23)
    assert served.anybody.get(blob["url"]).content == PNG


@pytest.mark.parametrize(
    ("part", "mime"),
    [
        (("photo.png", PNG, "image/png"), "image/png"),
        (("photo", PNG), "image/png"),
        (("photo.bin", PNG, "application/octet-stream"), "image/png"),
        (("lies.png", picture(kind="JPEG"), "image/png"), "image/jpeg"),
        ((None, PNG), "image/png"),
        ((None, PNG, "text/plain; charset=utf-8"), "image/png"),
        ((None, base64.b64encode(PNG)), "image/png"),
        ((None, b"data:image/png;base64," + base64.b64encode(PNG)), "image/png"),
        ((None, b"just words"), "text/plain"),
    ],
)
def test_a_file_comes_in_many_shapes(served: Served, part: Any, mime: str) -> None:
    response = served.client.post(BLOBS, files={"file": part})
    assert response.status_code == 201, response.text
    assert response.json()["mimeType"] == mime
    expected = part[1] if mime != "image/png" else PNG
    assert served.anybody.get(response.json()["url"]).content == expected


@pytest.mark.parametrize("text", ["true", "True", "1", "false", "0", "", "null"])
def test_moderate_is_taken_in_every_spelling(served: Served, text: str) -> None:
    response = served.client.post(BLOBS, files={"file": ("a.png", PNG)}, data={"moderate": text})
    assert response.status_code == 201
    assert "nsfwReason" not in response.json()


def test_a_bad_moderate_is_named(served: Served) -> None:
    response = served.client.post(BLOBS, files={"file": ("a.png", PNG)}, data={"moderate": "maybe"})
    assert refused(response, 400, "moderate", "'maybe'")["errors"].keys() == {"moderate"}
    assert not served.files()


def test_raw_bytes_under_their_type_are_an_upload_too(served: Served) -> None:
    response = served.client.post(BLOBS, content=PNG, headers={"Content-Type": "image/png"})
    assert (response.status_code, response.json()["mimeType"]) == (201, "image/png")
    assert served.client.post(BLOBS, content=PNG).json()["mimeType"] == "image/png"
    refused(served.client.post(BLOBS, json={"file": "x"}), 415, "multipart/form-data")
    refused(served.client.post(BLOBS, content=PNG, headers={"Content-Type": "image/svg+xml"}), 415, "image/svg+xml")


def test_a_form_without_a_file_is_named(served: Served) -> None:
    response = served.client.post(BLOBS, files={"other": ("a.png", PNG)})
    assert refused(response, 400, "`file`")["errors"].keys() == {"file"}


@pytest.mark.parametrize("value", [b"http://127.0.0.1:1/a.png", b"https://example.org/a.png"])
def test_an_address_is_refused_with_what_is_taken(served: Served, value: bytes) -> None:
    refused(served.client.post(BLOBS, files={"file": (None, value)}), 400, "file", "data: URL", "base64")


@pytest.mark.parametrize("name", ["../../etc/passwd", "..\\..\\x.png", "/abs.png", "a\x00b.png", "x" * 3000 + ".png"])
def test_a_file_name_never_becomes_a_path(served: Served, name: str) -> None:
    blob = served.upload(name=name)
    (path,) = served.files()
    assert path.name.startswith(blob["id"])
    assert name not in served.anybody.get(blob["url"]).headers["content-disposition"]


def test_too_large_is_refused_whole_and_piecewise(served: Served) -> None:
    big = b"x" * (1024 * 1024 + 1)
    refused(served.client.post(BLOBS, content=big, headers={"Content-Type": "text/plain"}), 413, "1048576")
    refused(served.client.post(BLOBS, files={"file": ("a.txt", big)}), 413)
    chunked = served.client.post(BLOBS, content=iter([big[:600_000]] * 2), headers={"Content-Type": "text/plain"})
    refused(chunked, 413)
    fits = served.client.post(BLOBS, files={"file": ("a.txt", big[:-1])})
    assert fits.status_code == 201
    assert len(served.files()) == 1


def form(*parts: bytes, end: bytes = b"--B--\r\n") -> dict[str, Any]:
    return {
        "content": b"".join(b"--B\r\n" + part + b"\r\n" for part in parts) + end,
        "headers": {"Content-Type": "multipart/form-data; boundary=B"},
    }


def named(name: bytes, data: bytes) -> bytes:
    return b'Content-Disposition: form-data; name="' + name + b'"; filename="f"\r\n\r\n' + data


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (form(named(b"file", PNG), end=b""), "cut off"),
        (form(named(b"file", PNG), named(b"file", PNG)), "twice"),
        (form(named(b"file", b"")), "empty"),
        (form(*[named(b"x", b"")] * 17), "16 parts"),
        (form(b"X: " + b"y" * 8000 + b"\r\n\r\nz"), "form"),
        (form(b"\r\n".join([b"X: y"] * 50) + b"\r\n\r\nz"), "form"),
        (form(b"no colon here\r\n\r\nz"), "form"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, "boundary"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=" + "b" * 300}}, "boundary"),
        ({"content": b"nothing of the kind", "headers": {"Content-Type": "multipart/form-data; boundary=B"}}, "form"),
    ],
)
def test_a_broken_form_is_refused(served: Served, body: dict[str, Any], words: str) -> None:
    refused(served.client.post(BLOBS, **body), 400, words)
    assert not served.files()


def test_fields_beside_the_file_cannot_fill_the_memory(served: Served) -> None:
    filler = named(b"other", b"x" * 1_200_000)
    refused(served.client.post(BLOBS, **form(filler, named(b"file", PNG))), 413)


def test_a_compressed_body_is_refused(served: Served) -> None:
    response = served.client.post(BLOBS, content=PNG, headers={"Content-Type": "image/png", "Content-Encoding": "gzip"})
    refused(response, 415, "Content-Encoding")


def bomb() -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 6, 0, 0, 0)
    body = zlib.compress(b"\0" * 10_000_000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_a_picture_that_unpacks_to_gigabytes_is_refused(served: Served) -> None:
    refused(served.client.post(BLOBS, files={"file": ("a.png", bomb())}), 413, "pixels")
    assert not served.files()


def test_a_page_dressed_as_a_picture_is_refused(served: Served) -> None:
    response = served.client.post(BLOBS, files={"file": ("a.png", b"<svg onload=alert(1)>", "image/png")})
    refused(response, 415, "image/png", "text/plain")


def test_a_polyglot_goes_out_as_what_it_begins_with(served: Served) -> None:
    blob = served.upload(PNG + b"<script>alert(1)</script>")
    response = served.anybody.get(blob["url"])
    assert response.headers["content-type"] == "image/png"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in response.headers["content-security-policy"]


# ── records ───────────────────────────────────────────────────────────────────


def test_a_blob_can_be_asked_for(served: Served) -> None:
    blob = served.upload()
    got = served.client.get(f"{BLOBS}/{blob['id']}")
    assert got.status_code == 200
    assert got.json() | {"url": "", "urlExpiresAt": ""} == blob | {"url": "", "urlExpiresAt": ""}
    head = served.client.head(f"{BLOBS}/{blob['id']}")
    assert (head.status_code, head.content, head.headers["x-nsfw-level"]) == (200, b"", "0")
    refreshed = served.client.post(f"{BLOBS}/{blob['id']}/refresh")
    assert refreshed.status_code == 200
    assert served.anybody.get(refreshed.json()["url"]).content == PNG


@pytest.mark.parametrize("verb", ["get", "head", "refresh"])
def test_what_is_not_yours_does_not_exist(served: Served, verb: str) -> None:
    mine = served.upload()["id"]
    for blob_id in (mine, new_id("blob"), "blob_x", "%00", "..%5c..%5cx", "é" * 30):
        path = f"{BLOBS}/{blob_id}"
        for who, status in ((served.bob, 404), (served.anybody, 401)):
            response = who.post(f"{path}/refresh") if verb == "refresh" else who.request(verb, path)
            assert response.status_code == status


def test_a_promised_blob_is_shown_without_a_link(served: Served) -> None:
    promised = served.promise(sizeBytes=len(PNG))
    got = served.client.get(f"{BLOBS}/{promised['blobId']}")
    assert got.status_code == 200
    assert got.json().keys() == {"id", "mimeType", "sizeBytes", "nsfwLevel", "createdAt", "available"}
    assert got.json()["available"] is False
    assert served.client.head(f"{BLOBS}/{promised['blobId']}").status_code == 200
    refused(served.client.post(f"{BLOBS}/{promised['blobId']}/refresh"), 409, "no bytes yet")
    url = served.signer.url("http://testserver", promised["blobId"], datetime.now(UTC) + timedelta(hours=1))
    refused(served.anybody.get(url), 404)


# ── upload URLs ───────────────────────────────────────────────────────────────


def test_an_upload_url_says_what_to_send(served: Served) -> None:
    promised = served.promise(mimeType="IMAGE/PNG; x=1", sizeBytes=str(len(PNG)))
    assert promised.keys() == {"blobId", "uploadUrl", "expiresAt", "headers"}
    assert promised["headers"] == {"Content-Type": "image/png"}
    expires_at = datetime.fromisoformat(promised["expiresAt"])
    assert timedelta(minutes=14) < expires_at - datetime.now(UTC) < timedelta(minutes=15, seconds=1)
    assert served.client.get(f"{BLOBS}/upload-url", params={"mimeType": "image/png", "sizeBytes": ""}).is_success


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ({}, 400, "mimeType"),
        ({"mimeType": ""}, 400, "mimeType"),
        ({"mimeType": "text/html"}, 400, "mimeType"),
        ({"mimeType": "application/octet-stream"}, 400, "mimeType"),
        ({"mimeType": "$inputs.mimeType"}, 400, "mimeType"),
        ({"mimeType": "image/png", "sizeBytes": "0"}, 400, "sizeBytes"),
        ({"mimeType": "image/png", "sizeBytes": "-5"}, 400, "sizeBytes"),
        ({"mimeType": "image/png", "sizeBytes": "many"}, 400, "sizeBytes"),
        ({"mimeType": "image/png", "sizeBytes": "1048577"}, 413, "sizeBytes"),
        ({"mimeType": "image/png", "sizeBytes": "9" * 5000}, 400, "sizeBytes"),
    ],
)
def test_a_bad_wish_is_named(served: Served, query: dict[str, str], status: int, field: str) -> None:
    body = refused(served.client.get(f"{BLOBS}/upload-url", params=query), status, field)
    if status == 400:
        assert body["errors"].keys() == {field}


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("declare", [True, False])
def test_a_promise_is_kept_without_a_token(served: Served, method: str, declare: bool) -> None:
    promised = served.promise(**({"sizeBytes": len(PNG)} if declare else {}))
    response = served.anybody.request(method, promised["uploadUrl"], content=PNG, headers=promised["headers"])
    assert response.status_code == 201, response.text
    assert response.json()["id"] == promised["blobId"]
    got = served.client.get(f"{BLOBS}/{promised['blobId']}").json()
    assert (got["available"], got["sha256"], got["width"]) == (True, hashlib.sha256(PNG).hexdigest(), 9)
    assert served.anybody.get(got["url"]).content == PNG


def test_a_promise_is_kept_by_a_client_that_names_no_type(served: Served) -> None:
    assert served.anybody.put(served.promise()["uploadUrl"], content=PNG).status_code == 201


def test_a_second_upload_is_refused_and_changes_nothing(served: Served) -> None:
    promised = served.promise()
    assert served.anybody.put(promised["uploadUrl"], content=PNG).status_code == 201
    refused(served.anybody.put(promised["uploadUrl"], content=picture((50, 50))), 409, "already")
    assert served.anybody.get(served.client.get(f"{BLOBS}/{promised['blobId']}").json()["url"]).content == PNG
    assert len(served.files()) == 1


@pytest.mark.parametrize(
    ("content", "headers", "status", "words"),
    [
        (PNG, {"Content-Type": "image/jpeg"}, 415, ("image/png", "image/jpeg")),
        (PNG, {"Content-Type": "text/html"}, 415, ("image/png", "text/html")),
        (PNG, {"Content-Type": "multipart/form-data; boundary=x"}, 415, ("image/png",)),
        (picture(kind="JPEG"), {}, 415, ("not image/png", "image/jpeg")),
        (b"<html>", {}, 415, ("not image/png",)),
        (b"", {}, 400, ("empty",)),
        (PNG[:-20], {}, 415, ("readable",)),
        (b"x" * 1_048_577, {}, 413, ("1048576",)),
    ],
)
def test_other_bytes_than_promised_are_refused(
    served: Served, content: bytes, headers: dict[str, str], status: int, words: tuple[str, ...]
) -> None:
    promised = served.promise()
    refused(served.anybody.put(promised["uploadUrl"], content=content, headers=headers), status, *words)
    assert not served.files()
    # The promise still stands: a wrong try does not use it up.
    assert served.anybody.put(promised["uploadUrl"], content=PNG).status_code == 201


@pytest.mark.parametrize("off", [-1, 1, 5000])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_promised_size_is_exact(served: Served, off: int, chunked: bool) -> None:
    promised = served.promise(sizeBytes=len(PNG) + off)
    content: Any = iter([PNG[:10], PNG[10:]]) if chunked else PNG
    refused(served.anybody.put(promised["uploadUrl"], content=content), 400, str(len(PNG) + off))
    assert not served.files()


def changed(url: str, **query: str | None) -> str:
    parts = urlsplit(url)
    old = dict(parse_qsl(parts.query, keep_blank_values=True)) | query
    return parts._replace(query=urlencode({k: v for k, v in old.items() if v is not None})).geturl()


@pytest.mark.parametrize(
    "change",
    [
        {"exp": "9999999999"},
        {"exp": None},
        {"type": "text/plain"},
        {"type": None},
        {"size": "5"},
        {"size": None},
        {"sig": None},
        {"sig": "1.AAAA"},
        {"sig": "\ud7ff"},
    ],
)
def test_a_changed_upload_url_is_refused(served: Served, change: dict[str, str | None]) -> None:
    promised = served.promise(sizeBytes=len(PNG))
    refused(served.anybody.put(changed(promised["uploadUrl"], **change), content=PNG), 403, "signature")
    other = served.promise()["blobId"]
    moved = promised["uploadUrl"].replace(promised["blobId"], other)
    refused(served.anybody.put(moved, content=PNG), 403, "signature")


def test_a_link_to_read_is_none_to_write(served: Served) -> None:
    promised = served.promise()
    read = served.signer.url("", promised["blobId"], datetime.now(UTC) + timedelta(hours=1))
    refused(served.anybody.put(read.replace("/content/", "/upload/"), content=PNG), 403)


def test_an_expired_upload_url_is_refused(served: Served) -> None:
    blob_id, past = new_id("blob"), datetime.now(UTC) - timedelta(seconds=2)
    promise = Promise(blob_id=blob_id, account_id=1, mime="image/png", size=None, upload_until=past)
    served.db.apply(lambda tx, items: records.promise(tx, items, past), promise)
    refused(
        served.anybody.put(served.signer.upload_url("", blob_id, "image/png", None, past), content=PNG), 403, "expired"
    )


def test_a_forgotten_promise_is_no_place_for_bytes(served: Served) -> None:
    promised = served.promise()
    served.db.apply(lambda tx, ids: [records.forget(tx, ids)], promised["blobId"])
    refused(served.anybody.put(promised["uploadUrl"], content=PNG), 404, "upload URL")


# ── uploads that misbehave ────────────────────────────────────────────────────


async def call(app: Starlette, method: str, url: str, receive: Any, headers: dict[str, str]) -> tuple[int, bytes]:
    """Speak ASGI by hand: the only way to hold back or break off a body at will."""
    parts = urlsplit(url)
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()] + [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, send)
    return sent[0]["status"], b"".join(m.get("body", b"") for m in sent[1:])


def messages(*items: dict[str, Any]) -> Any:
    left = iter(items)

    async def receive() -> dict[str, Any]:
        for item in left:
            return item
        await asyncio.Event().wait()
        raise AssertionError

    return receive


def piece(data: bytes) -> dict[str, Any]:
    return {"type": "http.request", "body": data, "more_body": True}


GONE = {"type": "http.disconnect"}


def test_a_connection_that_breaks_leaves_nothing(served: Served) -> None:
    promised = served.promise(sizeBytes=len(PNG))
    broken = messages(piece(PNG[:20]), GONE)
    status, body = asyncio.run(call(served.app, "PUT", promised["uploadUrl"], broken, {}))
    assert (status, b"closed before" in body) == (400, True)
    token = {"Authorization": f"Bearer {served.tokens[0]}", "Content-Type": "multipart/form-data; boundary=B"}
    cut = messages(piece(form(named(b"file", PNG))["content"][:80]), GONE)
    assert asyncio.run(call(served.app, "POST", BLOBS, cut, token))[0] == 400
    assert not served.files()
    assert served.anybody.put(promised["uploadUrl"], content=PNG).status_code == 201


def test_an_upload_that_stalls_is_given_up(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "STALL_S", 0.02)
    promised = served.promise()
    status, body = asyncio.run(call(served.app, "PUT", promised["uploadUrl"], messages(piece(PNG[:20])), {}))
    assert (status, b"stalled" in body) == (400, True)
    assert not served.files()


def test_an_upload_may_not_outlast_its_link(served: Served) -> None:
    """Bytes keep coming, so it never stalls; the link's end ends it."""
    blob_id, soon = new_id("blob"), datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    promise = Promise(blob_id=blob_id, account_id=1, mime="text/plain", size=None, upload_until=soon)
    served.db.apply(lambda tx, items: records.promise(tx, items, soon), promise)

    async def drip() -> dict[str, Any]:
        await asyncio.sleep(0.005)
        return piece(b"x")

    url = served.signer.upload_url("", blob_id, "text/plain", None, soon)
    status, _ = asyncio.run(asyncio.wait_for(call(served.app, "PUT", url, drip, {}), 5))
    assert status in {400, 403}
    assert not served.files()


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", BLOBS), ("PUT", f"{BLOBS}/upload/{new_id('blob')}?exp=9999999999&sig=1.x")],
    ids=["POST", "PUT"],
)
def test_nobody_reads_the_body_of_a_stranger(served: Served, method: str, path: str) -> None:
    async def receive() -> dict[str, Any]:
        raise AssertionError("the body was asked for")

    headers = {"Content-Type": "multipart/form-data; boundary=B", "Authorization": "Bearer wrong"}
    assert asyncio.run(call(served.app, method, path, receive, headers))[0] in {401, 403}


def test_of_two_uploads_at_once_one_wins(served: Served) -> None:
    promised = served.promise()
    contents = [picture((30, 30)), picture((31, 31))]

    async def race() -> list[httpx.Response]:
        started = asyncio.Barrier(2)

        async def slowly(data: bytes) -> AsyncIterator[bytes]:
            yield data[:10]
            await started.wait()  # both are past every early check
            yield data[10:]

        transport = httpx.ASGITransport(served.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await asyncio.gather(*(client.put(promised["uploadUrl"], content=slowly(c)) for c in contents))

    responses = asyncio.run(race())
    assert sorted(r.status_code for r in responses) == [201, 409]
    winner = next(c for c, r in zip(contents, responses, strict=True) if r.status_code == 201)
    blob = served.client.get(f"{BLOBS}/{promised['blobId']}").json()
    assert served.anybody.get(blob["url"]).content == winner
    assert blob["sha256"] == hashlib.sha256(winner).hexdigest()
    assert len(served.files()) == 1, "the loser's bytes were taken back"


class FullDisk(DiskStorage):
    """Runs out of space after the first piece."""

    full = True

    def write(self, key: str, chunks: Iterable[bytes]) -> int:
        return super().write(key, self._until_full(chunks) if self.full else chunks)

    def _until_full(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            yield chunk[: len(chunk) // 2]
            raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_our_trouble_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    storage = FullDisk({"root": str(tmp_path / "blobs")})
    served = Served(tmp_path, storage)
    promised = served.promise()
    for response in (
        served.client.post(BLOBS, files={"file": ("a.png", PNG)}),
        served.anybody.put(promised["uploadUrl"], content=PNG),
    ):
        refused(response, 503, "No space left on device")
        assert response.headers["retry-after"]
    assert not served.files()
    assert served.client.get(f"{BLOBS}/{promised['blobId']}").json()["available"] is False
    storage.full = False
    assert served.anybody.put(promised["uploadUrl"], content=PNG).status_code == 201
    served.close()


def test_a_temporary_folder_without_space_is_our_trouble_too(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past a MiB an upload goes to a real file; /dev/full refuses every byte as a full disk does."""
    with open("/dev/full", "r+b", buffering=0) as full:
        monkeypatch.setattr(incoming, "SpooledTemporaryFile", lambda **_: full)
        refused(served.client.post(BLOBS, files={"file": ("a.png", PNG)}), 503, "No space left")


# ── download ──────────────────────────────────────────────────────────────────


def test_a_download_says_everything_about_itself(served: Served) -> None:
    blob = served.upload()
    response = served.anybody.get(blob["url"])
    headers = response.headers
    assert (response.status_code, response.content) == (200, PNG)
    assert headers["content-type"] == "image/png"
    assert headers["content-length"] == str(len(PNG))
    assert headers["etag"] == f'"{hashlib.sha256(PNG).hexdigest()}"'
    assert headers["accept-ranges"] == "bytes"
    assert headers["content-disposition"] == f'inline; filename="{blob["id"]}.png"'
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert headers["access-control-allow-origin"] == "*"
    age = int(headers["cache-control"].rpartition("max-age=")[2])
    assert headers["cache-control"].startswith("private")
    assert 0 < age <= 86_400 + 300
    assert parsedate_to_datetime(headers["last-modified"]) <= datetime.now(UTC)
    head = served.anybody.head(blob["url"])
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(PNG)))
    assert head.headers["etag"] == headers["etag"]


def test_what_is_not_shown_in_place_is_saved(served: Served) -> None:
    picture_url, text_url = served.upload()["url"], served.upload(b"<b>hi</b>", "a.txt", "text/plain")["url"]
    assert served.anybody.get(picture_url + "&download=1").headers["content-disposition"].startswith("attachment")
    response = served.anybody.get(text_url)
    assert response.headers["content-disposition"].startswith("attachment")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"


def test_known_bytes_are_not_sent_again(served: Served) -> None:
    url = served.upload()["url"]
    first = served.anybody.get(url).headers
    for known in (first["etag"], f'"x", W/{first["etag"]}', "*"):
        response = served.anybody.get(url, headers={"If-None-Match": known})
        assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", first["etag"])
        assert "content-length" not in response.headers
    assert served.anybody.get(url, headers={"If-None-Match": '"x"'}).status_code == 200
    assert served.anybody.get(url, headers={"If-Modified-Since": first["last-modified"]}).status_code == 304
    for since in ("Thu, 01 Jan 1970 00:00:00 GMT", "nonsense"):
        assert served.anybody.get(url, headers={"If-Modified-Since": since}).status_code == 200
    both = {"If-None-Match": '"x"', "If-Modified-Since": first["last-modified"]}
    assert served.anybody.get(url, headers=both).status_code == 200


@pytest.mark.parametrize("change", [{"exp": "9999999999"}, {"exp": None}, {"sig": None}, {"sig": "1.AAAA"}])
def test_a_changed_link_is_refused(served: Served, change: dict[str, str | None]) -> None:
    blob, other = served.upload(), served.upload()
    refused(served.anybody.get(changed(blob["url"], **change)), 403, "signature")
    refused(served.anybody.get(blob["url"].replace(blob["id"], other["id"])), 403, "signature")


def test_an_expired_link_is_refused_and_an_unknown_blob_not_found(served: Served) -> None:
    blob_id, now = served.upload()["id"], datetime.now(UTC)
    refused(served.anybody.get(served.signer.url("", blob_id, now - timedelta(seconds=1))), 403, "expired")
    refused(served.anybody.get(served.signer.url("", new_id("blob"), now + timedelta(hours=1))), 404)


def test_lost_bytes_are_not_found(served: Served) -> None:
    blob = served.upload()
    (path,) = served.files()
    path.write_bytes(PNG[:10])
    refused(served.anybody.get(blob["url"]), 404, "no longer in storage")
    path.unlink()
    refused(served.anybody.get(blob["url"]), 404, "no longer in storage")


DATA = bytes(i * i % 251 for i in range(5_000))


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, str]]:
    served = Served(tmp_path_factory.mktemp("long"))
    served.storage.write("uploads/aa/x", [DATA])
    blob = Stored(blob_id=new_id("blob"), account_id=1, key="uploads/aa/x", mime="video/mp4", size=5_000, sha256="ab")
    served.db.apply(lambda tx, items: records.store(tx, items, datetime.now(UTC)), blob)
    yield served, served.signer.url("http://testserver", blob.blob_id, datetime.now(UTC) + timedelta(hours=1))
    served.close()


numbers = st.one_of(st.integers(0, 6_000), st.integers(0, 10**17))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(first=st.none() | numbers, last=st.none() | numbers, small=st.integers(250, 3_000))
@example(first=0, last=0, small=300)
@example(first=4_999, last=None, small=300)
@example(first=5_000, last=None, small=300)
@example(first=None, last=0, small=300)
@example(first=None, last=5_000, small=4_999)
def test_a_range_is_a_slice(
    long: tuple[Served, str], first: int | None, last: int | None, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against bytes slicing, with pieces so small that many answers take several."""
    monkeypatch.setattr(outgoing, "PIECE", small)
    served, url = long
    text = f"{'' if first is None else first}-{'' if last is None else last}"
    response = served.anybody.get(url, headers={"Range": f"bytes={text}"})
    if (first is None and last is None) or (first is not None and last is not None and last < first):
        assert (response.status_code, response.content) == (200, DATA)  # not a range: ignored
        return
    start = max(0, 5_000 - (last or 0)) if first is None else first
    stop = 5_000 if first is None or last is None else min(5_000, last + 1)
    if not DATA[start:stop]:
        assert response.status_code == 416
        assert response.headers["content-range"] == "bytes */5000"
        return
    assert (response.status_code, response.content) == (206, DATA[start:stop])
    assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/5000"
    assert response.headers["content-length"] == str(stop - start)


@pytest.mark.parametrize("text", ["bytes=0-1,3-4", "items=0-1", "bytes=a-b", "bytes", "bytes=1-2-3", "bytes=٣-", ""])
def test_other_ranges_are_answered_with_the_whole(long: tuple[Served, str], text: str) -> None:
    served, url = long
    response = served.anybody.get(url, headers={"Range": text.encode()})
    assert (response.status_code, response.content) == (200, DATA)


def test_a_range_of_something_older_is_the_whole(long: tuple[Served, str]) -> None:
    served, url = long
    first = served.anybody.get(url).headers
    for validator, status in (
        (first["etag"], 206),
        (first["last-modified"], 206),
        ('"x"', 200),
        ("W/" + first["etag"], 200),
    ):
        response = served.anybody.get(url, headers={"Range": "bytes=0-9", "If-Range": validator})
        assert response.status_code == status
    assert served.anybody.head(url, headers={"Range": "bytes=0-9"}).headers["content-length"] == "5000"


def test_a_long_body_whose_end_is_lost_breaks_off(long: tuple[Served, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "PIECE", 1_000)
    served, url = long
    served.storage.write("uploads/aa/x", [DATA[:2_500]])
    try:
        with pytest.raises(RuntimeError, match="2500 bytes early"):
            served.anybody.get(url)
    finally:
        served.storage.write("uploads/aa/x", [DATA])
