"""The bucket in trouble: what is tried again, what is said, and what is never said."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tests.fixtures.s3 import KEYS, Front, Service, front_of, running_s3

from heddle import settings
from heddle.domain import now
from heddle.errors import Unavailable, UsageError
from heddle.storage import options
from heddle.storage.s3 import S3Storage

KEY = "uploads/aa/value"
LARGE = bytes(20 << 20)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running_s3() as service:
        yield service


@pytest.fixture
def front(service: Service) -> Iterator[Front]:
    with front_of(service) as front:
        yield front


@pytest.fixture
def storage(front: Front, request: pytest.FixtureRequest) -> S3Storage:
    return S3Storage(front.service.options(prefix=request.node.name))


def read(storage: S3Storage) -> bytes:
    with storage.open(KEY) as file:
        return file.read()


# ── what passes ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", ["PUT", "HEAD", "GET"])
def test_a_busy_service_is_asked_again(front: Front, storage: S3Storage, method: str) -> None:
    front.first(2, "busy", method)
    storage.write(KEY, [b"value"])
    assert read(storage) == b"value"
    assert sum(got == method for got, _ in front.seen) == 3


def test_an_answer_that_breaks_off_is_read_again(front: Front, storage: S3Storage) -> None:
    storage.write(KEY, [LARGE])
    front.first(2, "cut", "GET")
    assert read(storage) == LARGE


@pytest.mark.parametrize("first", ["lost", "gone"])
def test_a_value_whose_last_answer_was_lost(front: Front, storage: S3Storage, first: str) -> None:
    """Asked again, a service knows nothing of an upload that it completed; nor of one that somebody removed."""
    troubles = iter([first, *["gone"] * 10])
    front.trouble = lambda method, path: next(troubles) if method == "POST" and "uploadId" in path else None
    if first == "lost":
        assert storage.write(KEY, [LARGE]) == len(LARGE)
        assert read(storage) == LARGE
    else:
        with pytest.raises(Unavailable, match="CompleteMultipartUpload: NoSuchUpload"):
            storage.write(KEY, [LARGE])
        assert storage.size(KEY) is None


# ── what does not ─────────────────────────────────────────────────────────────


def test_a_service_that_stays_busy(front: Front, storage: S3Storage) -> None:
    front.first(10_000, "busy")
    with pytest.raises(Unavailable, match="the bucket refused PutObject: SlowDown"):
        storage.write(KEY, [b"value"])
    assert len(front.seen) == 4


def test_a_refusal_is_a_sentence(front: Front, storage: S3Storage) -> None:
    storage.write(KEY, [b"value"])
    file = storage.open(KEY)
    front.first(10_000, "forbidden")
    for act in (
        lambda: storage.write(KEY, [b"new"]),
        lambda: storage.write(KEY, [LARGE]),
        lambda: storage.delete(KEY),
        lambda: storage.delete(KEY, "other"),
        lambda: list(storage.keys("uploads")),
        lambda: list(storage.partials(now())),
        file.read,
    ):
        with pytest.raises(Unavailable, match="AccessDenied"):
            act()
    for act in (lambda: storage.open(KEY), lambda: storage.size(KEY)):
        with pytest.raises(Unavailable, match="the bucket refused HeadObject"):
            act()
    front.first(0, "forbidden")
    assert read(storage) == b"value"


def test_a_large_write_that_is_refused_is_taken_back(front: Front, storage: S3Storage) -> None:
    parts = iter(range(1, 100))
    front.trouble = lambda method, path: "forbidden" if method == "PUT" and next(parts) == 2 else None
    with pytest.raises(Unavailable, match="UploadPart: AccessDenied"):
        storage.write(KEY, [LARGE])
    assert list(storage.partials(now() + timedelta(days=1))) == []
    assert storage.size(KEY) is None


def test_nobody_there(service: Service) -> None:
    storage = S3Storage(service.options(endpoint="http://127.0.0.1:9"))
    for act in (lambda: storage.write(KEY, [b"x"]), lambda: storage.open(KEY), lambda: list(storage.keys(""))):
        with pytest.raises(Unavailable, match="the bucket cannot be reached"):
            act()


def test_a_bucket_that_is_gone_is_not_a_missing_value(service: Service) -> None:
    storage = S3Storage(service.options(bucket="never-made"))
    for act in (lambda: storage.open(KEY), lambda: storage.size(KEY), lambda: storage.write(KEY, [b"x"])):
        with pytest.raises(Unavailable):
            act()


def test_a_value_that_changes_is_not_read_half_and_half(storage: S3Storage) -> None:
    storage.write(KEY, [b"a" * (1 << 20)])
    with storage.open(KEY) as file:
        assert file.read(10) == b"a" * 10
        storage.write(KEY, [b"b" * (1 << 20)])
        with pytest.raises(Unavailable, match="PreconditionFailed"):
            file.read()


# ── at the start ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bucket": ""}, "HEDDLE_S3_BUCKET is empty"),
        ({"bucket": "never-made"}, "HEDDLE_S3_BUCKET is 'never-made', and there is no such bucket"),
        ({"bucket": "No Name"}, "bucket 'No Name'"),
        ({"endpoint": "http://127.0.0.1:9"}, "http://127.0.0.1:9 cannot be used: the bucket cannot be reached"),
        ({"access_key": ""}, "HEDDLE_S3_ACCESS_KEY is empty"),
        ({"secret_key": ""}, "HEDDLE_S3_SECRET_KEY is empty"),
    ],
)
def test_what_cannot_work_names_the_setting(service: Service, changes: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        S3Storage(service.options(**changes)).check()
    assert "HEDDLE_S3" in caught.value.message + caught.value.hint or "none of them" in caught.value.hint


def test_credentials_that_are_refused_or_missing(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    front.first(10, "forbidden")
    with pytest.raises(UsageError, match="does not let these credentials") as caught:
        S3Storage(front.service.options()).check()
    assert "HEDDLE_S3_SECRET_KEY" in caught.value.hint
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(UsageError, match="there are no credentials"):
        S3Storage(front.service.options(access_key="", secret_key="")).check()


def test_the_usual_credentials_of_aws_will_do(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    S3Storage(service.options(access_key="", secret_key="")).check()


def test_without_the_library_there_is_a_hint() -> None:
    code = (
        "import sys; sys.modules['boto3'] = None\n"
        "from heddle.storage.s3 import S3Storage\n"
        "from heddle.errors import UsageError\n"
        "try: S3Storage({'bucket': 'b'})\n"
        "except UsageError as error: print(error.message, '|', error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "HEDDLE_STORAGE is 's3', and boto3 is not installed | run `pip install 'heddle-cloud[s3]'`" in done.stdout


# ── links ─────────────────────────────────────────────────────────────────────


def test_a_link_brings_the_headers_it_was_made_with(storage: S3Storage) -> None:
    storage.write(KEY, [b"value"])
    headers = {
        "Content-Type": "image/png",
        "Content-Disposition": 'inline; filename="a.png"',
        "Cache-Control": "private",
    }
    url = storage.download_url(KEY, 77, headers)
    query = parse_qs(urlsplit(url).query)
    assert query["X-Amz-Expires"] == ["77"]
    assert query["X-Amz-SignedHeaders"] == ["host"]
    answer = httpx.get(url)
    assert answer.content == b"value"
    assert {name: answer.headers[name] for name in headers} == headers


def test_a_link_to_send_to_is_bound_to_type_and_size(storage: S3Storage) -> None:
    url = storage.upload_url(KEY, 60, "image/png", 3)
    signed = parse_qs(urlsplit(url).query)["X-Amz-SignedHeaders"][0].split(";")
    assert {"content-length", "content-type", "host"} == set(signed)
    assert httpx.put(url, content=b"abc", headers={"Content-Type": "image/png"}).status_code == 200
    assert read(storage) == b"abc"


def test_links_name_the_public_address(service: Service) -> None:
    storage = S3Storage(service.options(public_endpoint="https://pictures.example.org/s3"))
    assert storage.download_url(KEY, 9, {}).startswith(f"https://pictures.example.org/s3/{service.bucket}/{KEY}?")


# ── secrets ───────────────────────────────────────────────────────────────────


def test_no_secret_is_shown(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    given: dict[str, Any] = service.settings()
    chosen = settings.read({f"HEDDLE_{name.upper()}": str(value) for name, value in given.items()})
    assert options(chosen)["secret_key"] == KEYS["secret_key"]
    assert KEYS["secret_key"] not in repr(chosen)
    assert chosen.shown("s3_secret_key") == chosen.shown("s3_access_key") == "(set)"
    assert settings.Settings().shown("s3_secret_key") == ""
    assert "secret_key" not in options(settings.Settings(s3_secret_key="x"))
    with caplog.at_level(logging.DEBUG):
        storage = S3Storage(options(chosen))
        storage.write(KEY, [b"x"])
        url = storage.download_url(KEY, 60, {})
    assert parse_qs(urlsplit(url).query)["X-Amz-Signature"][0] not in caplog.text
    assert KEYS["secret_key"] not in caplog.text
    assert "Authorization" not in caplog.text
