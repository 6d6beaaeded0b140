"""What a worker says of its memory is what is there, also when a load was canceled or went wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from heddle.domain import JSON, Needs
from heddle.engines import JobContext, LoadContext, Made, Offer
from heddle.fleet.messages import Done, Failed, Hello, Message, Run, Shelf
from heddle.fleet.worker import Worker
from heddle.storage.disk import DiskStorage

loading = threading.Event()
go_on = threading.Event()


class Deaf:
    """Never looks whether it is canceled."""

    def offer(self) -> Offer:
        return Offer(step_types=frozenset(), families=frozenset(), operations=frozenset())

    def missing(self) -> list[str]:
        return []

    def price(self, payload: JSON) -> float:
        return 1

    def needs(self, payload: JSON) -> Needs | None:
        return None

    def load(self, model: str, context: LoadContext) -> None:
        assert context.memory_mb == 7
        if model == "broken":
            raise RuntimeError("its file is damaged")
        loading.set()
        go_on.wait(10)

    def unload(self, model: str) -> None:
        return None

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        yield Made(data=b"x", mime="text/plain")


@pytest.fixture
def said() -> SimpleQueue[Message]:
    loading.clear()
    go_on.clear()
    return SimpleQueue()


@pytest.fixture
def worker(tmp_path: Path, said: SimpleQueue[Message]) -> Worker:
    hello = Hello(slot="one", engines={"deaf": f"{__name__}:Deaf"}, storage="", storage_options={})
    made = Worker(hello, DiskStorage({"root": str(tmp_path)}), said.put)
    threading.Thread(target=made.work, daemon=True).start()
    return made


def run(job_id: str, model: str, evict: list[str] | None = None) -> Run:
    return Run(
        job_id=job_id, attempt=1, engine="deaf", payload={}, model=model, memory_mb=7, evict=evict or [], timeout_s=9
    )


def until(said: SimpleQueue[Message], ended: Callable[[Any], bool]) -> list[Message]:
    heard: list[Message] = []
    while not heard or not ended(heard[-1]):
        heard.append(said.get(timeout=20))
    return heard


def shelves(heard: list[Message]) -> list[list[tuple[str, int]]]:
    return [m.models for m in heard if isinstance(m, Shelf)]


def test_a_load_that_was_canceled_too_late_is_there(worker: Worker, said: SimpleQueue[Message]) -> None:
    worker.accept(run("one", "red"))
    assert loading.wait(20)
    worker.cancel(("one", 1))
    go_on.set()
    heard = until(said, lambda m: isinstance(m, Failed))
    assert isinstance(heard[-1], Failed)
    assert heard[-1].reason == "canceled"
    assert shelves(heard) == [[("red", 7)]]


def test_what_made_room_for_a_load_that_failed_is_gone(worker: Worker, said: SimpleQueue[Message]) -> None:
    go_on.set()
    worker.accept(run("one", "red"))
    assert shelves(until(said, lambda m: isinstance(m, Done | Failed))) == [[("red", 7)]]
    worker.accept(run("two", "broken", evict=["red"]))
    assert shelves(until(said, lambda m: isinstance(m, Failed))) == [[]]
