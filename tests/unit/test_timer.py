"""The timer's duties: none ends the server, none delays its end, none runs at every start."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from heddle import blobs
from heddle.chores import sweep, timer
from heddle.chores.sweep import Swept
from heddle.chores.timer import Timer
from heddle.db import Database
from heddle.domain import new_id, now
from heddle.settings import Settings
from heddle.storage.disk import DiskStorage


class Walked(DiskStorage):
    """A storage on a disk that says when it is walked, and may fail or be slow at it."""

    def __init__(self, root: Path, error: OSError | None = None, endless: bool = False) -> None:
        super().__init__({"root": str(root)})
        self.walking = threading.Event()
        self._error, self._endless = error, endless

    def keys(self, prefix: str) -> Iterator[str]:
        self.walking.set()
        if self._error:
            raise self._error
        while self._endless:
            yield "uploads/no-key-of-ours"
        yield from super().keys(prefix)


async def until(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 10)


def test_a_duty_that_fails_is_told_and_tried_again(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    storage = Walked(tmp_path / "blobs", PermissionError(13, "Permission denied"))
    monkeypatch.setattr(timer, "SWEEP_S", 0.01)

    async def go() -> None:
        running = asyncio.create_task(Timer(db, storage, Settings()).run())
        for _ in range(2):
            storage.walking.clear()
            await until(storage.walking)
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    with caplog.at_level(logging.WARNING):
        asyncio.run(go())
    assert "_sweep was put off: [Errno 13] Permission denied" in caplog.text


def test_a_start_does_not_begin_with_the_hourly_sweep(db: Database, tmp_path: Path) -> None:
    storage = Walked(tmp_path / "blobs")

    async def go() -> None:
        running = asyncio.create_task(Timer(db, storage, Settings()).run())
        assert not await asyncio.to_thread(storage.walking.wait, 0.3)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(go())


def test_a_sweep_under_way_does_not_delay_the_end(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Walked(tmp_path / "blobs", endless=True)
    monkeypatch.setattr(timer, "SWEEP_S", 0.01)

    async def go() -> None:
        running = asyncio.create_task(Timer(db, storage, Settings()).run())
        await until(storage.walking)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    finished = threading.Thread(target=asyncio.run, args=(go(),), daemon=True)
    finished.start()
    finished.join(10)
    assert not finished.is_alive()


def test_a_stopped_sweep_removes_nothing(db: Database, tmp_path: Path) -> None:
    storage = Walked(tmp_path / "blobs")
    key = blobs.upload_key(new_id("blob"))
    storage.write(key, [b"bytes that nobody recorded"])
    partial = tmp_path / "blobs" / ".half.part"
    partial.write_bytes(b"half")
    os.utime(partial, (0, 0))
    later = now() + timedelta(days=2)
    sweep.sweep(db, storage, later, lambda: True)
    assert (storage.size(key), partial.exists()) == (26, True)
    swept = sweep.sweep(db, storage, later)
    assert swept == Swept(orphans=1, partials=1, size=30)
