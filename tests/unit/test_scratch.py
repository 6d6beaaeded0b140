"""What an attempt leaves to the next one: kept for as long as there may be a next one, and then gone."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from heddle.domain import JSON
from heddle.engines import JobContext, Made, Offer
from heddle.errors import EngineFailed
from heddle.fleet.messages import Done, Failed, Hello, Message, Run
from heddle.fleet.scratch import Scratch
from heddle.fleet.worker import Worker
from heddle.storage.disk import DiskStorage

DAY_S = 86_400.0


class Notes:
    """Says what the attempt before it wrote, and ends as it was told."""

    def offer(self) -> Offer:
        return Offer(step_types=frozenset(), families=frozenset(), operations=frozenset())

    def missing(self) -> list[str]:
        return []

    def price(self, payload: JSON) -> float:
        return 1

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        file = context.scratch() / "notes"
        before = file.read_bytes() if file.exists() else b"nothing"
        file.write_bytes(b"attempt %d" % context.attempt)
        if payload["ends"] != "well":
            raise EngineFailed(payload["ends"], retryable=payload["ends"] == "for now")
        yield Made(data=before, mime="text/plain")


@pytest.fixture
def said() -> SimpleQueue[Message]:
    return SimpleQueue()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "home" / "scratch"


@pytest.fixture
def worker(tmp_path: Path, root: Path, said: SimpleQueue[Message]) -> Worker:
    hello = Hello(slot="one", engines={"notes": f"{__name__}:Notes"}, storage="", storage_options={}, scratch=str(root))
    made = Worker(hello, DiskStorage({"root": str(tmp_path / "blobs")}), said.put)
    threading.Thread(target=made.work, daemon=True).start()
    return made


def attempt(worker: Worker, said: SimpleQueue[Message], number: int, ends: str) -> Message:
    worker.accept(Run(job_id="job_1", attempt=number, engine="notes", payload={"ends": ends}))
    while not isinstance(message := said.get(timeout=20), Done | Failed):
        pass
    return message


def test_the_next_attempt_finds_what_was_left(
    worker: Worker, said: SimpleQueue[Message], root: Path, tmp_path: Path
) -> None:
    assert isinstance(attempt(worker, said, 1, "for now"), Failed)
    assert (root / "job_1" / "notes").read_bytes() == b"attempt 1"
    done = attempt(worker, said, 2, "well")
    assert isinstance(done, Done)
    with DiskStorage({"root": str(tmp_path / "blobs")}).open(done.artifacts[0].key) as file:
        assert file.read() == b"attempt 1"


def test_the_end_of_a_job_takes_it_away(worker: Worker, said: SimpleQueue[Message], root: Path) -> None:
    attempt(worker, said, 1, "for now")
    attempt(worker, said, 2, "for good")
    assert list(root.iterdir()) == []


def test_what_is_done_is_kept_until_it_is_surely_recorded(
    worker: Worker, said: SimpleQueue[Message], root: Path
) -> None:
    attempt(worker, said, 1, "well")
    scratch = Scratch(str(root))
    scratch.of("job_2")
    assert (root / "job_1").exists()
    old = (root / "job_1").stat().st_mtime - 3700
    os.utime(root / "job_1", (old, old))
    scratch.of("job_2")
    assert not (root / "job_1").exists()


def test_what_nobody_came_back_for_goes(root: Path) -> None:
    scratch = Scratch(str(root))
    for name, days in (("old", 8), ("young", 6)):
        folder = scratch.of(name)
        (folder / "notes").write_text("x")
        os.utime(folder, (0, time.time() - days * DAY_S))
    scratch.of("new")
    assert sorted(path.name for path in root.iterdir()) == ["new", "young"]


def test_where_the_data_folder_is_not_there_it_is_a_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "file").touch()
    folder = Scratch(str(tmp_path / "file" / "scratch")).of("job_1")
    assert folder == tmp_path / "tmp" / f"heddle-scratch-{os.getuid()}" / "job_1"
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("taken", ["open", "link"])
def test_a_temporary_folder_that_others_could_look_into_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    usual = tmp_path / f"heddle-scratch-{os.getuid()}"
    if taken == "open":
        usual.mkdir()
        usual.chmod(0o777)
    else:
        (tmp_path / "theirs").mkdir(mode=0o700)
        usual.symlink_to(tmp_path / "theirs")
    scratch = Scratch("")
    folder = scratch.of("job_1")
    assert folder.parent.name != usual.name
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    assert scratch.of("job_1") == folder
    assert list(usual.iterdir()) == []
    scratch.drop("job_1")
    assert not folder.exists()


def test_callers_are_not_told_where_weights_lie(worker: Worker, said: SimpleQueue[Message]) -> None:
    weights = {"urn:a": {"path": "/srv/models/fox"}, "urn:b": {"path": "/srv/models/fox/b.safetensors"}}
    told = "'/srv/models/fox/b.safetensors' is broken, and so is /srv/models/fox/unet/a.json"
    worker.accept(Run(job_id="job_1", attempt=1, engine="notes", payload={"ends": told, "weights": weights}))
    while not isinstance(message := said.get(timeout=20), Failed):
        pass
    assert message.message == "'b.safetensors' is broken, and so is fox/unet/a.json"
