"""What a training makes is in the catalog from the commit on that ends its job: once, whatever happens around it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import struct
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.drafts import draft, slots

from heddle import blobs
from heddle.catalog import entries, places
from heddle.catalog.entries import Entry
from heddle.db import Database, Tx
from heddle.domain import Artifact, Workflow, new_id, now
from heddle.fleet.dispatcher import Dispatcher
from heddle.fleet.messages import Done
from heddle.settings import Settings
from heddle.storage.disk import DiskStorage
from heddle.workflows import advance, rows, submit, trained
from heddle.workflows.advance import Attempt, Failure
from heddle.workflows.trained import MIME, Trained

PAYLOAD: dict[str, Any] = {
    "family": "sdxl",
    "name": "Fuchs / Ära",
    "triggerWord": "fuchs",
    "model": "urn:air:sdxl:checkpoint:heddle:5@6",
    "weights": {"urn:air:sdxl:checkpoint:heddle:5@6": {"baseModel": "Pony"}},
}


@pytest.fixture
def storage(tmp_path: Path) -> DiskStorage:
    return DiskStorage({"root": str(tmp_path / "blobs")})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


def weights(content: bytes) -> bytes:
    header = json.dumps({"w": {"dtype": "U8", "shape": [len(content)], "data_offsets": [0, len(content)]}}).encode()
    return struct.pack("<Q", len(header)) + header + content


def artifact(storage: DiskStorage, data: bytes, mime: str = MIME, **output: Any) -> Artifact:
    blob_id = new_id("blob")
    key = f"jobs/{blob_id[-2:]}/{blob_id}"
    size = storage.write(key, [data])
    digits = hashlib.sha256(data).hexdigest()
    return Artifact(blob_id=blob_id, key=key, mime=mime, size=size, sha256=digits, output=output)


def begin(db: Database) -> tuple[Workflow, Attempt]:
    """A job that runs."""
    made = db.apply(submit.submit, draft(now(), [1]))
    assert isinstance(made, Workflow)
    [attempt] = db.apply(advance.claim, advance.Claim(owner="me", slots=slots(1), lease_s=30, at=now()))
    return made, attempt


def end(db: Database, attempt: Attempt, artifacts: Sequence[Artifact], models: Sequence[Trained], **more: Any) -> bool:
    item = advance.Ended(
        job_id=attempt.job_id, attempt=attempt.attempt, at=now(), artifacts=artifacts, trained=models, **more
    )
    return db.apply(advance.finish, item)


def shown(db: Database, workflow: Workflow) -> list[dict[str, Any]]:
    """What the artifacts of its job say."""
    [found] = db.look(rows.get, [workflow.id])
    return [dict(a.output) for a in found.steps[0].jobs[0].artifacts]


def trained_entries(db: Database) -> list[Entry]:
    return [entry for entry in db.look(entries.every) if entry.files]


def test_epochs_are_versions_of_one_model(db: Database, storage: DiskStorage, folder: Path) -> None:
    workflow, attempt = begin(db)
    made = [artifact(storage, weights(b"one"), epoch=1), artifact(storage, b"png", "image/png", epoch=1),
            artifact(storage, weights(b"two"), epoch=2)]  # fmt: skip
    assert end(db, attempt, made, trained.fetch(storage, folder, PAYLOAD, made))
    first, second = trained_entries(db)
    assert first.model == second.model
    assert (first.model.name, first.model.creator) == ("Fuchs / Ära", "owner")
    assert [e.version.name for e in (first, second)] == ["epoch 1", "epoch 2"]
    assert (first.version.base_model, first.version.trained_words) == ("Pony", ("fuchs",))
    assert first.version.air.startswith("urn:air:sdxl:lora:heddle:")
    assert [o.get("air") for o in shown(db, workflow)] == [first.version.air, None, second.version.air]
    place = db.look(places.of_air, second.version.air)
    assert place is not None
    assert place.path is not None
    assert Path(place.path).read_bytes() == weights(b"two")
    assert Path(place.path).name == "Fuchs----ra-0002.safetensors"
    assert second.files[0].hashes["SHA256"] == hashlib.sha256(weights(b"two")).hexdigest().upper()


def test_the_same_file_again_has_the_same_name(db: Database, storage: DiskStorage, folder: Path) -> None:
    """A training that is done again with its seed makes the same bytes, which are in the catalog once."""
    airs: list[str] = []
    for _ in range(2):
        workflow, attempt = begin(db)
        made = [artifact(storage, weights(b"same"), epoch=1)]
        assert end(db, attempt, made, trained.fetch(storage, folder, PAYLOAD, made))
        airs += [o["air"] for o in shown(db, workflow)]
    assert airs[0] == airs[1]
    assert len(trained_entries(db)) == 1


def test_an_attempt_that_was_fenced_adds_nothing(db: Database, storage: DiskStorage, folder: Path) -> None:
    _, attempt = begin(db)
    made = [artifact(storage, weights(b"one"), epoch=1)]
    models = trained.fetch(storage, folder, PAYLOAD, made)
    assert end(db, attempt, made, models)
    assert not end(db, attempt, made, models)
    assert len(trained_entries(db)) == 1


def test_a_failure_adds_nothing(db: Database, storage: DiskStorage, folder: Path) -> None:
    _, attempt = begin(db)
    assert end(db, attempt, [], [], failure=Failure(reason="engine_failed", message="no"))
    assert trained_entries(db) == []


def test_what_is_no_model_is_left_out(
    db: Database, storage: DiskStorage, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    workflow, attempt = begin(db)
    made = [artifact(storage, b"no model at all", epoch=1), artifact(storage, weights(b"one"), epoch=2)]
    assert end(db, attempt, made, trained.fetch(storage, folder, PAYLOAD, made))
    assert ["air" in o for o in shown(db, workflow)] == [False, True]
    assert "is not added to the catalog" in caplog.text
    assert len(list(folder.iterdir())) == 1


def test_a_copy_that_fails_leaves_nothing_behind(storage: DiskStorage, folder: Path) -> None:
    made = [artifact(storage, weights(b"one"), epoch=1), artifact(storage, weights(b"two"), epoch=2)]
    storage.delete(made[1].key)
    with pytest.raises(KeyError):
        trained.fetch(storage, folder, PAYLOAD, made)
    assert list(folder.iterdir()) == []


def test_two_that_end_at_once_take_two_numbers(
    new_database: Callable[[], Database], db: Database, storage: DiskStorage, folder: Path
) -> None:
    """Of several processes, where the database has several writers."""
    ends: list[tuple[Database, Workflow, Attempt, list[Artifact], list[Trained]]] = []
    for n in range(4):
        workflow, attempt = begin(db)
        made = [artifact(storage, weights(b"model %d" % n), epoch=1)]
        ends.append((new_database(), workflow, attempt, made, trained.fetch(storage, folder, PAYLOAD, made)))
    together = threading.Barrier(len(ends))

    def finish(one: tuple[Database, Workflow, Attempt, list[Artifact], list[Trained]]) -> None:
        together.wait(30)
        assert end(one[0], one[2], one[3], one[4])

    threads = [threading.Thread(target=finish, args=(one,)) for one in ends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({entry.model.id for entry in trained_entries(db)}) == len(ends)
    assert len({o["air"] for _, workflow, *_ in ends for o in shown(db, workflow)}) == len(ends)


def test_the_sweep_takes_copies_that_no_entry_names(db: Database, storage: DiskStorage, folder: Path) -> None:
    _, attempt = begin(db)
    made = [artifact(storage, weights(b"kept"), epoch=1)]
    kept = trained.fetch(storage, folder, PAYLOAD, made)
    assert end(db, attempt, made, kept)
    [lost] = trained.fetch(storage, folder, PAYLOAD, [artifact(storage, weights(b"lost"), epoch=1)])
    own = folder / "mine"
    own.mkdir()
    for place in folder.iterdir():
        os.utime(place, (0, 0))
    [young] = trained.fetch(storage, folder, PAYLOAD, [artifact(storage, weights(b"young"), epoch=1)])
    assert trained.sweep(db, folder, now()) == 1
    assert not lost.file.path.exists()
    assert all(path.exists() for path in (kept[0].file.path, young.file.path, own))
    assert trained.sweep(db, folder, now() + 2 * timedelta(days=1)) == 1
    assert trained.sweep(db, folder / "nowhere", now()) == 0


# ── the dispatcher ────────────────────────────────────────────────────────────


class Taker:
    """An executor that takes one job and tells nobody."""

    def __init__(self) -> None:
        self.runs: list[Any] = []
        self.took = asyncio.Event()
        self.sink: Any = None
        self.canceled: list[Any] = []

    async def start(self, sink: Any) -> None:
        self.sink = sink

    def free(self, lookahead: int | None = None) -> int:
        return 0 if self.runs else 1

    def slots(self, lookahead: int | None = None) -> Any:
        return slots(self.free())

    def run(self, run: Any) -> None:
        self.runs.append(run)
        self.took.set()

    def cancel(self, job_id: str, attempt: int) -> None:
        self.canceled.append((job_id, attempt))

    def alive(self) -> frozenset[Any]:
        return frozenset()

    async def close(self, grace_s: float) -> None:
        pass


class Forgetful(DiskStorage):
    """Has nothing at first."""

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self.asked = 0

    def open(self, key: str) -> Any:
        self.asked += 1
        if self.asked == 1:
            raise OSError(28, "No space left on device")
        return super().open(key)


def test_the_dispatcher_copies_first_and_tries_again(
    settings: Settings, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heddle.fleet.dispatcher.POLL_S", 0.01)
    storage = Forgetful({"root": str(tmp_path / "blobs")})
    made = [artifact(storage, weights(b"one"), epoch=1)]

    async def main() -> Workflow:
        executor = Taker()
        dispatcher = Dispatcher(db, executor, settings, alone=False, storage=storage)
        await dispatcher.start()
        running = asyncio.create_task(dispatcher.run())
        workflow = await db.write(submit.submit, draft(now(), [1]))
        assert isinstance(workflow, Workflow)
        async with asyncio.timeout(30):
            await executor.took.wait()
        run = executor.runs[0]
        executor.sink(Done(job_id=run.job_id, attempt=run.attempt, artifacts=made))
        await dispatcher.close(20)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return workflow

    workflow = asyncio.run(main())
    assert storage.asked == 2
    [entry] = trained_entries(db)
    [output] = shown(db, workflow)
    assert output == {"epoch": 1, "air": entry.version.air}
    assert entry.files[0].path is not None
    assert entry.files[0].path.is_relative_to(settings.folder / "models")
    assert db.look(blobs.get, [made[0].blob_id])


def test_copies_of_a_job_that_was_canceled_meanwhile_are_removed(
    settings: Settings, db: Database, tmp_path: Path
) -> None:
    storage = DiskStorage({"root": str(tmp_path / "blobs")})
    made = [artifact(storage, weights(b"one"), epoch=1)]

    async def main() -> None:
        executor = Taker()
        dispatcher = Dispatcher(db, executor, settings, alone=False, storage=storage)
        await dispatcher.start()
        running = asyncio.create_task(dispatcher.run())
        workflow = await db.write(submit.submit, draft(now(), [1]))
        assert isinstance(workflow, Workflow)
        async with asyncio.timeout(30):
            await executor.took.wait()

        def cancel(tx: Tx, items: Sequence[str]) -> list[None]:
            advance.end(tx, items, status=rows.Status.CANCELED, reason="canceled", message="", at=now())
            return [None for _ in items]

        await db.write(cancel, workflow.id)
        run = executor.runs[0]
        executor.sink(Done(job_id=run.job_id, attempt=run.attempt, artifacts=made))
        await dispatcher.close(20)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())
    assert trained_entries(db) == []
    folder = settings.folder / "models"
    assert not folder.exists() or list(folder.iterdir()) == []
