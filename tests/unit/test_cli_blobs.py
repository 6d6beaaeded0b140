"""`heddle blobs`, on a folder and on a bucket, beside a server that runs."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.fixtures.s3 import Service, running_s3

from heddle import blobs, server, settings
from heddle.blobs import Blob, Promise, Stored
from heddle.chores import first_run, sweep
from heddle.cli.home import open_home
from heddle.cli.main import cli
from heddle.db import Database, Tx
from heddle.domain import new_id, now
from heddle.storage import Storage

Heddle = Callable[..., Result]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running_s3() as service:
        yield service


@pytest.fixture(params=["disk", "s3"])
def heddle(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Heddle:
    monkeypatch.setenv("HEDDLE_HOME", str(tmp_path / "home"))
    if request.param == "s3":
        service: Service = request.getfixturevalue("service")
        given = {**service.settings(), "s3_prefix": secrets.token_hex(8)}
        for name, value in given.items():
            monkeypatch.setenv(f"HEDDLE_{name.upper()}", str(value))
    return lambda *args: CliRunner().invoke(cli, ["blobs", *args])


class Kept:
    """The data folder as a running server holds it."""

    def __init__(self) -> None:
        chosen = settings.read()
        self.db: Database = open_home(chosen)
        first_run.first_account(self.db, chosen, now())
        self.storage: Storage = server.open_storage(chosen)

    def store(self, data: bytes) -> str:
        """A blob with its bytes; the key."""
        blob_id = new_id("blob")
        key = blobs.upload_key(blob_id)
        self.storage.write(key, [data])
        digest = hashlib.sha256(data).hexdigest()
        item = Stored(blob_id=blob_id, account_id=1, key=key, mime="text/plain", size=len(data), sha256=digest)
        self.db.apply(lambda tx, items: blobs.store(tx, items, now()), item)
        return key

    def promise(self, until: datetime) -> None:
        item = Promise(blob_id=new_id("blob"), account_id=1, mime="text/plain", size=1, upload_until=until)
        self.db.apply(lambda tx, items: blobs.promise(tx, items, now()), item)


@pytest.fixture
def kept(heddle: Heddle) -> Iterator[Kept]:
    made = Kept()
    with closing(made.db):
        yield made


def test_gc_takes_what_is_old_and_says_so(heddle: Heddle, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    used = kept.store(b"used")
    orphans = [blobs.upload_key(new_id("blob")), f"jobs/aa/{new_id('blob')}"]
    for key in orphans:
        kept.storage.write(key, [b"x" * (1 << 20)])
    kept.promise(now())
    nothing = "0 values that no record names, 0 unfinished writes (0 bytes), 0 promises that nobody kept\n"
    assert heddle("gc").stdout == f"removed: {nothing}"
    monkeypatch.setattr(sweep, "GRACE", timedelta(seconds=-1))
    found = "2 values that no record names, 0 unfinished writes (2.0 MiB), 1 promise that nobody kept\n"
    assert heddle("gc", "--dry-run").stdout == f"would remove: {found}"
    assert set(kept.storage.keys("")) == {used, *orphans}
    assert heddle("gc").stdout == f"removed: {found}"
    assert set(kept.storage.keys("")) == {used}
    assert heddle("gc").stdout == f"removed: {nothing}"


def test_verify_reads_every_byte(heddle: Heddle, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heddle.cli.blobs._PAGE", 3)
    keys = [kept.store(bytes([n]) * 1000) for n in range(10)]
    done = heddle("verify")
    assert (done.exit_code, done.stdout) == (0, "10 blobs, 10000 bytes: all there, byte by byte\n")
    kept.storage.delete(keys[0])
    kept.storage.write(keys[4], [b"short"])
    kept.storage.write(keys[9], [b"y" * 1000])
    done = heddle("verify")
    assert (done.exit_code, done.stdout) == (1, "")
    *complaints, last = done.stderr.splitlines()
    assert last == "3 of 10 blobs are not what was recorded"
    assert [line.partition(": ")[2][:29] for line in complaints] == [
        "its bytes are missing",
        "it has 5 bytes and should hav",
        "its SHA-256 is " + hashlib.sha256(b"y" * 1000).hexdigest()[:14],
    ]
    assert [key in line for key, line in zip((keys[0], keys[4], keys[9]), complaints, strict=True)] == [True] * 3
    assert "2 of 10" in heddle("verify", "--sizes").stderr


def test_verify_does_not_mind_what_is_pruned_meanwhile(
    heddle: Heddle, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.store(b"stays")
    key = kept.store(b"goes")
    kept.storage.delete(key)
    assert heddle("verify").exit_code == 1
    listed = blobs.stored

    def then_pruned(tx: Tx, after: str, limit: int) -> list[Blob]:
        found = listed(tx, after, limit)
        kept.db.apply(lambda tx, ids: [blobs.forget(tx, ids)], key.rpartition("/")[2].partition(".")[0])
        return found

    monkeypatch.setattr(blobs, "stored", then_pruned)
    assert heddle("verify").stdout == "1 blob, 5 bytes: all there, byte by byte\n"


def test_an_empty_home_is_fine(heddle: Heddle) -> None:
    assert heddle("verify").stdout == "0 blobs, 0 bytes: all there, byte by byte\n"
    assert heddle("gc", "--dry-run").exit_code == 0


def test_a_bucket_that_is_not_there_is_a_sentence(heddle: Heddle, monkeypatch: pytest.MonkeyPatch) -> None:
    if settings.read().storage == "s3":
        monkeypatch.setenv("HEDDLE_S3_BUCKET", "never-made")
        done = heddle("verify")
        assert (done.exit_code, done.stderr.count("\n")) == (1, 2)
        assert "HEDDLE_S3_BUCKET is 'never-made'" in done.stderr
