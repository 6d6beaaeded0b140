"""Backup and restore: taken under load beside a server that is then killed; what is wrong with a file is found."""

from __future__ import annotations

import hashlib
import io
import os
import sqlite3
import stat
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec
import pytest
from click.testing import CliRunner
from tests.serving import Serving

from heddle import queue
from heddle.cli.backup import END, MANIFEST
from heddle.cli.main import cli
from heddle.db import Database
from heddle.db.sqlite import SQLite
from heddle.workflows import audit

FINAL = {"succeeded", "failed", "canceled", "expired"}


@dataclass
class Told:
    """How a command ended."""

    returncode: int
    stderr: str


def heddle(*args: str | Path, home: Path, **settings: str) -> Told:
    """A command, in this process."""
    env = dict.fromkeys((name for name in os.environ if name.startswith("HEDDLE_")), None)
    env |= {"HEDDLE_HOME": str(home), **{f"HEDDLE_{name.upper()}": value for name, value in settings.items()}}
    result = CliRunner().invoke(cli, list(map(str, args)), env=env)
    return Told(result.exit_code, result.stderr)


def beside(*args: str | Path, home: Path) -> Told:
    """The same in a process of its own."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("HEDDLE_")} | {"HEDDLE_HOME": str(home)}
    command = [sys.executable, "-m", "heddle", *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=120, check=False)
    return Told(done.returncode, done.stderr)


def submit(client: httpx.Client, key: str, steps: int = 1) -> str:
    step = {"$type": "imageGen", "input": {"engine": "pixels", "prompt": "x", "steps": steps, "quantity": 2}}
    answer = client.post("/v2/consumer/workflows", headers={"Idempotency-Key": key}, json={"steps": [step]})
    answer.raise_for_status()
    return answer.json()["id"]


def shown(client: httpx.Client, workflow_id: str) -> dict:
    return client.get(f"/v2/consumer/workflows/{workflow_id}").raise_for_status().json()


def ended(client: httpx.Client, workflow_id: str, within: float = 60) -> dict:
    end = time.monotonic() + within
    while (found := shown(client, workflow_id))["status"] not in FINAL:
        assert time.monotonic() < end, f"{workflow_id} is {found['status']} still"
        time.sleep(0.05)
    return found


def pictures(workflow: dict) -> dict[str, str]:
    """Blob id -> link."""
    jobs = [job for step in workflow["steps"] for job in step["jobs"]]
    return {blob["blobId"]: blob["url"] for job in jobs for blob in job["result"]["blobs"]}


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    server = Serving(tmp_path / "home", {"pixels": "pixels:Pixels"}, slots=2).start()
    yield server
    server.kill()


@pytest.mark.slow
def test_a_backup_under_load_is_one_moment_of_the_server(serving: Serving, tmp_path: Path) -> None:
    done, sent = threading.Event(), []

    def load() -> None:
        with serving.client() as client:
            while not done.is_set():
                # More work than two slots can do, so that something is always unfinished.
                sent.append(submit(client, f"load-{len(sent)}", steps=60))
                done.wait(0.02)

    with serving.client() as client:
        before = [ended(client, submit(client, f"before-{n}")) for n in range(5)]
        bytes_of = {
            blob_id: client.get(url).raise_for_status().content for w in before for blob_id, url in pictures(w).items()
        }
        thread = threading.Thread(target=load)
        thread.start()
        while len(sent) < 20:
            time.sleep(0.01)
        made = beside("backup", tmp_path / "b.tar", home=tmp_path / "home")
        behind = len(sent)
        while len(sent) < behind + 3:
            time.sleep(0.01)
        done.set()
        thread.join()
    assert (made.returncode, made.stderr) == (0, "")
    assert stat.S_IMODE((tmp_path / "b.tar").stat().st_mode) == 0o600
    serving.kill()

    put_back = beside("restore", tmp_path / "b.tar", "--home", tmp_path / "there", home=tmp_path / "nowhere")
    assert (put_back.returncode, put_back.stderr) == (0, "")
    for path in (tmp_path / "there").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    with closing(Database(SQLite(tmp_path / "there" / "heddle.db"))) as db:
        assert db.look(queue.depth) > 0
    again = Serving(tmp_path / "there", {"pixels": "pixels:Pixels"}, slots=2)
    again.token = serving.token
    again.start()
    with again.client() as client:
        for workflow in before:
            now = shown(client, workflow["id"])
            assert now["status"] == workflow["status"] == "succeeded"
            assert {b: client.get(url).content for b, url in pictures(now).items()} == {
                b: bytes_of[b] for b in pictures(workflow)
            }
        known = [w for w in sent if client.get(f"/v2/consumer/workflows/{w}").status_code == 200]
        # What was submitted after the backup is not in it, and what was is there from the first on.
        assert known == sent[: len(known)]
        assert 0 < len(known) < len(sent)
        for workflow_id in known:
            found = ended(client, workflow_id)
            assert found["status"] == "succeeded"
            assert all(client.get(url).status_code == 200 for url in pictures(found).values())
    assert again.stop() == 0
    with closing(Database(SQLite(tmp_path / "there" / "heddle.db"))) as db:
        assert db.look(audit.check) == []


# ── files that are wrong ──────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a home that made three pictures, and its backup."""
    folder = tmp_path_factory.mktemp("source")
    serving = Serving(folder / "home", {"pixels": "pixels:Pixels"}, slots=1).start()
    with serving.client() as client:
        for n in range(2):
            ended(client, submit(client, str(n)))
    assert serving.stop() == 0
    assert heddle("backup", folder / "b.tar", home=folder / "home").returncode == 0
    return folder


Members = list[tuple[tarfile.TarInfo, bytes]]


def rewritten(source: Path, target: Path, change: Callable[[Members], None]) -> Path:
    """The backup with other members."""
    with tarfile.open(source / "b.tar") as tar:
        members = [(m, f.read()) for m in tar.getmembers() if (f := tar.extractfile(m))]
    change(members)
    with tarfile.open(target, "w") as tar:
        for member, data in members:
            member.size = len(data) if member.isreg() else 0
            tar.addfile(member, io.BytesIO(data))
    return target


def at(members: Members, name: str) -> int:
    return next(n for n, (member, _) in enumerate(members) if member.name.startswith(name))


def flip_blob(members: Members) -> None:
    n = at(members, "blobs/")
    member, data = members[n]
    members[n] = member, data[:-1] + bytes([data[-1] ^ 1])


def flip_database(members: Members) -> None:
    n = at(members, "heddle.db")
    member, data = members[n]
    members[n] = member, data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]


def drop_blob(members: Members) -> None:
    del members[at(members, "blobs/")]


def drop_end(members: Members) -> None:
    del members[at(members, END)]


def repeat_blob(members: Members) -> None:
    members.insert(at(members, "blobs/"), members[at(members, "blobs/")])


def climb(members: Members) -> None:
    member = tarfile.TarInfo("blobs/../../../climbed")
    members.insert(at(members, "blobs/"), (member, b"x"))


def climbing_database(members: Members) -> None:
    """A database of somebody else's making: its hash fits, and a key of it leads away."""
    n = at(members, "heddle.db")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "heddle.db"
        path.write_bytes(members[n][1])
        first = members[at(members, "blobs/")][0].name.removeprefix("blobs/")
        key = "../../" + first.rpartition("/")[2]
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("PRAGMA journal_mode=DELETE")
            db.execute("UPDATE blobs SET storage_key = ? WHERE storage_key = ?", (key, first))
        data = path.read_bytes()
    members[n] = members[n][0], data
    members[at(members, "blobs/")][0].name = f"blobs/{key}"
    edit(members, lambda m: m | {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()})


def absolute(members: Members) -> None:
    members.insert(at(members, "blobs/"), (tarfile.TarInfo("/tmp/climbed"), b"x"))


def link(members: Members) -> None:
    n = at(members, "blobs/")
    members[n][0].type = tarfile.SYMTYPE
    members[n][0].linkname = "/etc/passwd"


def newer_schema(members: Members) -> None:
    edit(members, lambda m: m | {"migrations": [*m["migrations"], "9999_future.sql"], "heddle": "9.0"})


def newer_format(members: Members) -> None:
    edit(members, lambda m: m | {"format": 2})


def no_json(members: Members) -> None:
    members[0] = members[0][0], b"{"


def edit(members: Members, change: Callable[[dict], dict]) -> None:
    member, data = members[at(members, MANIFEST)]
    members[at(members, MANIFEST)] = member, msgspec.json.encode(change(msgspec.json.decode(data)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (flip_blob, "are not those that were backed up"),
        (flip_database, "its hash differs"),
        (drop_blob, "1 blobs are missing"),
        (drop_end, "it ends too early"),
        (repeat_blob, "twice, or in the wrong place"),
        (climb, "which its database does not name"),
        (absolute, "which its database does not name"),
        (climbing_database, "leaves the folder of blobs"),
        (link, "is not a whole backup"),
        (newer_schema, "was made by a newer Heddle, 9.0 (it has 9999_future.sql)"),
        (newer_format, "was made by a newer Heddle"),
        (no_json, "is not a whole backup"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_file_that_is_wrong_leaves_the_folder_empty(
    source: Path, tmp_path: Path, change: Callable[[Members], None], said: str
) -> None:
    wrong = rewritten(source, tmp_path / "wrong.tar", change)
    told = heddle("restore", wrong, home=tmp_path / "home")
    assert told.returncode == 1
    assert said in told.stderr
    assert {p.name for p in (tmp_path / "home").iterdir()} <= {"server.lock"}
    assert not [p for p in tmp_path.rglob("*") if p.name == "climbed" or p.name.startswith("blob_")]
    # The folder can still be used.
    assert heddle("restore", source / "b.tar", home=tmp_path / "home").returncode == 0


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.98, 1.0])
def test_a_file_that_was_cut_off_is_refused(source: Path, tmp_path: Path, share: float) -> None:
    with tarfile.open(source / "b.tar") as tar:
        last = tar.getmember(END).offset_data  # what follows the last word is padding
    (tmp_path / "cut.tar").write_bytes((source / "b.tar").read_bytes()[: int(last * share)])
    told = heddle("restore", tmp_path / "cut.tar", home=tmp_path / "home")
    assert told.returncode == 1
    assert "is not a whole backup" in told.stderr
    assert {p.name for p in (tmp_path / "home").iterdir()} <= {"server.lock"}


def test_a_folder_that_holds_something_is_refused(source: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "mine.txt").write_text("keep")
    told = heddle("restore", source / "b.tar", home=tmp_path / "home")
    assert (told.returncode, "it holds mine.txt" in told.stderr) == (1, True)
    assert [p.name for p in (tmp_path / "home").iterdir() if p.name != "server.lock"] == ["mine.txt"]


def test_what_a_killed_restore_left_behind_is_removed(source: Path, tmp_path: Path) -> None:
    left = tmp_path / "home" / ".restore-abc"
    left.mkdir(parents=True)
    (left / "heddle.db").write_text("half")
    assert heddle("restore", source / "b.tar", home=tmp_path / "home").returncode == 0
    assert not left.exists()


def test_a_folder_of_a_running_server_is_refused(source: Path, tmp_path: Path) -> None:
    serving = Serving(tmp_path / "home", slots=1).start()
    try:
        told = heddle("restore", source / "b.tar", home=tmp_path / "home")
    finally:
        serving.stop()
    assert (told.returncode, "another Heddle server uses" in told.stderr) == (1, True)


def test_a_file_is_not_replaced_by_accident(source: Path, tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_text("mine")
    told = heddle("backup", tmp_path / "b.tar", home=source / "home")
    assert (told.returncode, "exists already" in told.stderr) == (1, True)
    assert (tmp_path / "b.tar").read_text() == "mine"
    assert heddle("backup", "--force", tmp_path / "b.tar", home=source / "home").returncode == 0
    assert tarfile.is_tarfile(tmp_path / "b.tar")
    assert [p.name for p in tmp_path.iterdir()] == ["b.tar"]


def test_a_folder_without_a_database_has_no_backup(tmp_path: Path) -> None:
    told = heddle("backup", tmp_path / "b.tar", home=tmp_path / "home")
    assert (told.returncode, "there is no database in" in told.stderr) == (1, True)
    assert not (tmp_path / "b.tar").exists()


@pytest.mark.parametrize("setting", [{"database": "postgresql://h@127.0.0.1/h"}, {"storage": "s3", "s3_bucket": "b"}])
def test_what_lies_elsewhere_is_left_to_its_own_tools(source: Path, tmp_path: Path, setting: dict[str, str]) -> None:
    for command in (["backup", tmp_path / "b.tar"], ["restore", source / "b.tar"]):
        told = heddle(*command, home=tmp_path / "home", **setting)
        assert (told.returncode, f"HEDDLE_{next(iter(setting)).upper()}" in told.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_were_lost_before_are_told_of_and_do_not_stop_it(source: Path, tmp_path: Path) -> None:
    assert heddle("restore", source / "b.tar", home=tmp_path / "home").returncode == 0
    gone, changed = sorted(p for p in (tmp_path / "home" / "blobs").rglob("blob_*"))[:2]
    gone.unlink()
    changed.write_bytes(bytes(changed.stat().st_size))
    made = heddle("backup", tmp_path / "b.tar", home=tmp_path / "home")
    assert made.returncode == 0
    assert {gone.name, changed.name} == {word for word in made.stderr.split() if word.startswith("blob_")}
    back = heddle("restore", tmp_path / "b.tar", home=tmp_path / "again")
    assert (back.returncode, gone.name in back.stderr) == (0, True)


def test_events_after_a_restore_have_ids_that_no_receiver_knows(source: Path, tmp_path: Path) -> None:
    assert heddle("restore", source / "b.tar", home=tmp_path / "home").returncode == 0
    with closing(Database(SQLite(tmp_path / "home" / "heddle.db"))) as db:
        row = db.look(lambda tx: tx.one("SELECT seq FROM sqlite_sequence WHERE name = 'events'"))
    assert row is not None
    assert row["seq"] >= 10**9
