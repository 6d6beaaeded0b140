"""A server whose bytes are in a bucket: everything a client does, and what is left when it is killed in the middle."""

from __future__ import annotations

import hashlib
import io
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from tests.fixtures.s3 import KEYS, Front, Service, front_of, running_s3
from tests.serving import Serving

from heddle.chores import sweep
from heddle.cli.home import open_home
from heddle.domain import now
from heddle.settings import Settings
from heddle.storage.s3 import S3Storage

BLOBS = "/v2/consumer/blobs"
WORKFLOWS = "/v2/consumer/workflows"


def picture(seed: int = 0, size: tuple[int, int] = (64, 48)) -> bytes:
    out = io.BytesIO()
    Image.frombytes("RGB", size, random.Random(seed).randbytes(size[0] * size[1] * 3)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running_s3() as service:
        yield service


class Site:
    """A server, its bucket, and a client."""

    def __init__(self, serving: Serving, service: Service, prefix: str) -> None:
        self.serving = serving
        self.service = service
        self.storage = S3Storage(service.options(prefix=prefix))
        self.client = serving.client()

    def run(self, source: str | None = None, **given: Any) -> dict[str, Any]:
        """One small picture."""
        wanted = {"engine": "sketch", "prompt": "a red fox", "width": 64, "height": 64, **given}
        wanted |= {"images": [source]} if source else {}
        answer = self.client.post(WORKFLOWS, json={"steps": [{"$type": "imageGen", "input": wanted}]})
        assert answer.status_code == 202, answer.text
        return answer.json()

    def end(self, workflow: dict[str, Any]) -> dict[str, Any]:
        path = f"{WORKFLOWS}/{workflow['id']}"
        return self.until(lambda: "completedAt" in (found := self.client.get(path).json()) and found)

    def until(self, look: Callable[[], Any]) -> Any:
        end = time.monotonic() + 60
        while not (found := look()):
            assert time.monotonic() < end, "it did not come to pass"
            time.sleep(0.05)
        return found

    def blob(self, workflow: dict[str, Any]) -> dict[str, Any]:
        ended = self.end(workflow)
        assert ended["status"] == "succeeded", ended
        return ended["steps"][0]["jobs"][0]["result"]["blobs"][0]

    def upload(self, data: bytes) -> dict[str, Any]:
        answer = self.client.post(BLOBS, files={"file": ("a.png", data)})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def promise(self, **query: Any) -> dict[str, Any]:
        answer = self.client.get(f"{BLOBS}/upload-url", params={"mimeType": "image/png", **query})
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextmanager
def site(tmp_path: Path, service: Service, **changes: object) -> Iterator[Site]:
    prefix = f"of {tmp_path.name}"
    serving = Serving(tmp_path / "home", slots=1, **service.settings(), s3_prefix=prefix, **changes).start()
    made = Site(serving, service, prefix)
    try:
        yield made
    finally:
        made.client.close()
        serving.stop()
    assert KEYS["secret_key"] not in (tmp_path / "server.log").read_text()
    assert "X-Amz-Signature" not in (tmp_path / "server.log").read_text()


@pytest.fixture
def served(tmp_path: Path, service: Service) -> Iterator[Site]:
    with site(tmp_path, service, log_level="debug") as made:
        yield made


@pytest.fixture
def through(tmp_path: Path, service: Service) -> Iterator[Site]:
    """Bytes pass through the server in both directions."""
    with site(tmp_path, service, s3_direct="off") as made:
        yield made


@pytest.fixture
def straight(tmp_path: Path, service: Service) -> Iterator[Site]:
    """Bytes go past the server in both directions."""
    with site(tmp_path, service, s3_direct_uploads="on", upload_ttl_s=60, max_upload_mb=32) as made:
        yield made


# ── out ───────────────────────────────────────────────────────────────────────


def test_a_picture_is_made_shown_and_used_again(served: Site) -> None:
    blob = served.blob(served.run())
    assert len(list(served.storage.keys("jobs"))) == 1
    sent_on = httpx.get(blob["url"])
    assert (sent_on.status_code, sent_on.content) == (307, b"")
    assert sent_on.headers["location"].startswith(served.service.endpoint)
    seconds = int(re.findall(r"X-Amz-Expires=(\d+)", sent_on.headers["location"])[0])
    assert sent_on.headers["cache-control"] == f"private, max-age={seconds // 2}"
    got = httpx.get(blob["url"], follow_redirects=True)
    assert (got.status_code, got.headers["content-type"]) == (200, "image/png")
    assert got.headers["content-disposition"] == f'inline; filename="{blob["blobId"]}.png"'
    shown = served.client.get(f"{BLOBS}/{blob['blobId']}").json()
    assert hashlib.sha256(got.content).hexdigest() == shown["sha256"]
    part = httpx.get(blob["url"], headers={"Range": "bytes=10-19"}, follow_redirects=True)
    assert (part.status_code, part.content) == (206, got.content[10:20])
    saved = httpx.get(blob["url"], params={**httpx.URL(blob["url"]).params, "download": "1"}, follow_redirects=True)
    assert saved.headers["content-disposition"].startswith("attachment")
    again = served.blob(served.run(source=served.upload(picture())["id"]))
    assert Image.open(io.BytesIO(httpx.get(again["url"], follow_redirects=True).content)).format == "PNG"


def test_what_needs_no_bytes_is_answered_here(served: Site) -> None:
    blob = served.upload(picture())
    head = httpx.head(blob["url"])
    assert (head.status_code, head.headers["content-length"]) == (200, str(blob["sizeBytes"]))
    assert httpx.get(blob["url"], headers={"If-None-Match": head.headers["etag"]}).status_code == 304
    assert httpx.get(blob["url"], headers={"Range": "bytes=999999-"}).status_code == 416
    assert httpx.get(blob["url"] + "x").status_code == 403


def test_a_link_into_the_bucket_ends_with_the_link(tmp_path: Path, service: Service) -> None:
    with site(tmp_path, service, url_ttl_s=30) as short:
        url = short.upload(picture())["url"]
        location = httpx.get(url).headers["location"]
        assert int(re.findall(r"X-Amz-Expires=(\d+)", location)[0]) <= 30


def test_text_is_never_shown_inside_a_page(served: Site) -> None:
    answer = served.client.post(BLOBS, content=b"<script>alert(1)</script>", headers={"Content-Type": "text/plain"})
    got = httpx.get(answer.json()["url"], follow_redirects=True)
    assert got.headers["content-type"] == "text/plain; charset=utf-8"
    assert got.headers["content-disposition"].startswith("attachment")


def test_bytes_can_pass_through_the_server(through: Site) -> None:
    data = picture(1, (1700, 1200))
    assert len(data) > 5 << 20
    url = through.upload(data)["url"]
    got = httpx.get(url)
    assert (got.status_code, got.content == data) == (200, True)
    assert got.headers["x-content-type-options"] == "nosniff"
    part = httpx.get(url, headers={"Range": "bytes=3000000-5200000"})
    assert (part.status_code, part.content == data[3_000_000:5_200_001]) == (206, True)


def test_bytes_that_are_gone_are_not_found(through: Site) -> None:
    url = through.upload(picture())["url"]
    through.storage.delete(*through.storage.keys(""))
    assert httpx.get(url).status_code == 404


def test_the_commands_follow_to_the_bucket(served: Site, tmp_path: Path) -> None:
    serving = served.serving
    command = [sys.executable, "-m", "heddle", "submit", "--prompt", "a fox", "--save", str(tmp_path / "out")]
    env = {**serving._env, "HEDDLE_HOME": str(serving.home)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "out").iterdir()
    assert file.read_bytes().startswith(b"\x89PNG")


# ── in ────────────────────────────────────────────────────────────────────────


def test_an_upload_url_leads_here_unless_asked_otherwise(served: Site) -> None:
    data = picture()
    promise = served.promise(sizeBytes=len(data))
    assert promise["uploadUrl"].startswith(served.serving.url)
    workflow = served.run(source=promise["blobId"])
    answer = httpx.put(promise["uploadUrl"], content=data, headers=promise["headers"])
    assert answer.status_code == 201
    served.blob(workflow)


def test_bytes_sent_to_the_bucket_become_a_blob(straight: Site) -> None:
    data = picture(2, (1900, 1700))
    assert len(data) > 8 << 20
    promise = straight.promise(sizeBytes=len(data))
    assert promise["uploadUrl"].startswith(straight.service.endpoint)
    workflow = straight.run(source=promise["blobId"])
    assert straight.client.get(f"{BLOBS}/{promise['blobId']}").json()["available"] is False
    assert httpx.put(promise["uploadUrl"], content=data, headers=promise["headers"]).status_code == 200
    straight.blob(workflow)  # which nobody has to ask for
    blob = straight.client.get(f"{BLOBS}/{promise['blobId']}").json()
    assert (blob["available"], blob["sha256"]) == (True, hashlib.sha256(data).hexdigest())
    assert (blob["width"], blob["height"], blob["sizeBytes"]) == (1900, 1700, len(data))
    assert list(straight.storage.keys("incoming")) == []
    # The link still takes bytes; the blob is what it was.
    httpx.put(promise["uploadUrl"], content=picture(3), headers=promise["headers"])
    assert httpx.get(blob["url"], follow_redirects=True).content == data
    with closing(open_home(Settings(home=str(straight.serving.home)))) as db:
        assert sweep.left_over(db, straight.storage, now()).orphans == 0
        assert sweep.sweep(db, straight.storage, now() + timedelta(days=2)).orphans == 1
    assert not list(straight.storage.keys("incoming"))


def test_a_look_at_a_blob_notices_its_bytes(straight: Site) -> None:
    data = picture(4)
    promise = straight.promise(sizeBytes=len(data))
    httpx.put(promise["uploadUrl"], content=data, headers=promise["headers"])
    assert straight.until(lambda: straight.client.get(f"{BLOBS}/{promise['blobId']}").json()["available"])


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"<html>" + b"x" * 94, 415, "image/png"),
        (picture(5)[:99] + b"x", 415, ""),
        (picture(5), 400, "made for 100 bytes"),
        (b"", 400, "made for 100 bytes, not for 0"),
    ],
)
def test_what_was_not_promised_is_refused_and_removed(straight: Site, data: bytes, status: int, words: str) -> None:
    promise = straight.promise(sizeBytes=100)
    path = f"{BLOBS}/{promise['blobId']}"
    said: list[httpx.Response] = []

    def refused() -> bool:
        # Unless the server looked first; then it is sent again.
        straight.storage.write(f"incoming/{promise['blobId'][-2:]}/{promise['blobId']}", [data])
        said.append(straight.client.post(f"{path}/refresh"))
        return said[-1].status_code != 409

    straight.until(refused)
    assert (said[-1].status_code, words in said[-1].json()["message"]) == (status, True), said[-1].text
    straight.until(lambda: not list(straight.storage.keys("")))
    assert straight.client.get(path).json()["available"] is False


def test_a_url_without_a_size_leads_here(straight: Site) -> None:
    assert straight.promise()["uploadUrl"].startswith(straight.serving.url)
    over = straight.client.get(f"{BLOBS}/upload-url", params={"mimeType": "image/png", "sizeBytes": 33 << 20})
    assert over.status_code == 413


# ── trouble ───────────────────────────────────────────────────────────────────


@pytest.fixture
def front(service: Service) -> Iterator[Front]:
    with front_of(service) as front:
        yield front


@pytest.mark.slow
def test_a_server_killed_in_the_middle_of_an_upload(tmp_path: Path, service: Service, front: Front) -> None:
    """The second part never gets through: the upload is in the middle for as long as it takes to kill the server."""
    held, release = threading.Event(), threading.Event()

    def trouble(method: str, path: str) -> None:
        if method == "PUT" and "partNumber=2" in path:
            held.set()
            release.wait(60)

    with site(tmp_path, front.service) as here:
        kept = here.upload(picture())
        front.trouble = trouble
        sender = threading.Thread(target=_send, args=(here, b"words " * 4_000_000))
        sender.start()
        try:
            assert held.wait(60)
            here.serving.kill()
        finally:
            release.set()
            sender.join()
        front.trouble = lambda _method, _path: None
        assert len(list(here.storage.partials(now() + timedelta(days=1)))) == 1
        here.serving.start()
        with closing(open_home(Settings(home=str(here.serving.home)))) as db:
            found = sweep.left_over(db, here.storage, now())
            assert (found.orphans, found.partials) == (0, 1)
            assert found.size >= 8 << 20
            assert sweep.sweep(db, here.storage, now()) == found
        assert list(here.storage.partials(now() + timedelta(days=1))) == []
        assert [kept["id"] in key for key in here.storage.keys("")] == [True]


def _send(here: Site, data: bytes) -> None:
    with suppress(httpx.HTTPError):
        httpx.post(
            here.serving.url + BLOBS,
            content=data,
            headers={"Content-Type": "text/plain", "Authorization": f"Bearer {here.serving.token}"},
            timeout=60,
        )


def test_a_bucket_in_trouble_is_not_the_callers_fault(tmp_path: Path, service: Service, front: Front) -> None:
    with site(tmp_path, front.service, retry_backoff_s=0) as here:
        front.trouble = lambda _method, _path: "forbidden"
        answer = here.client.post(BLOBS, files={"file": ("a.png", picture())})
        assert (answer.status_code, answer.json()["message"]) == (503, "the bucket refused PutObject: AccessDenied")
        ended = here.end(here.run())
        assert (ended["status"], ended["steps"][0]["jobs"][0]["reason"]) == ("failed", "storage_failed")
        front.trouble = lambda _method, _path: None
        here.blob(here.run())


def test_a_start_without_its_bucket_is_refused_and_shows_no_token(tmp_path: Path, service: Service) -> None:
    wanted = {**service.settings(), "s3_bucket": "never-made"}
    with pytest.raises(AssertionError, match="HEDDLE_S3_BUCKET is 'never-made', and there is no such bucket"):
        Serving(tmp_path / "home", slots=1, **wanted).start()
    serving = Serving(tmp_path / "home", slots=1, **service.settings()).start()
    try:
        assert serving.token
    finally:
        serving.stop()
