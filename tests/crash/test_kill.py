"""`kill -9` of the server at random moments: what was accepted ends once, the books agree, events keep their order."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving import Serving

from heddle.db import Database
from heddle.db.sqlite import SQLite
from heddle.workflows import audit

KILLS = 55
#: Every so many servers live until what was accepted has ended: a job whose servers all die too soon is given up in the
#: end (`LOST_LIMIT`), as it should be, and how long is too soon depends on the machine.
DRAIN = 5


class Receiver(ThreadingHTTPServer):
    """Counts webhook deliveries per workflow, in the order in which they came first."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: dict[str, list[tuple[int, str]]] = defaultdict(list)
        self.lock = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        seen = (int(self.headers["Heddle-Sequence"]), body["status"])
        with self.server.lock:
            if seen not in self.server.got[body["workflowId"]]:
                self.server.got[body["workflowId"]].append(seen)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Customer(threading.Thread):
    """Submits one workflow after the other, each with a key, and repeats a submit until it is answered."""

    def __init__(self, serving: Serving, callback: str, number: int) -> None:
        super().__init__()
        self.serving, self.callback, self.number = serving, callback, number
        self.accepted: dict[str, str] = {}
        self.done = threading.Event()
        self.random = random.Random(number)

    def run(self) -> None:
        count = 0
        while not self.done.is_set():
            key = f"{self.number}-{count}"
            quantity = self.random.randint(1, 3)
            while not self.done.is_set():
                try:
                    self.accepted[key] = self.submit(key, quantity)
                    count += 1
                    break
                except httpx.HTTPError:
                    self.done.wait(0.02)
            self.done.wait(self.random.random() * 0.05)

    def submit(self, key: str, quantity: int) -> str:
        step = {"engine": "pixels", "prompt": "x", "steps": self.random.randint(1, 40), "quantity": quantity}
        with self.serving.client() as client:
            answer = client.post(
                "/v2/consumer/workflows",
                headers={"Idempotency-Key": key},
                json={
                    "steps": [{"$type": "imageGen", "input": step}],
                    "callbackUrl": self.callback,
                    "callbackEvents": ["workflow:*"],
                },
            )
        answer.raise_for_status()
        return answer.json()["id"]


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    started = Serving(tmp_path / "home", {"pixels": "pixels:Pixels"}, callbacks_private="on", slots=2).start()
    yield started
    started.kill()


@pytest.mark.slow
def test_nothing_is_lost_or_done_twice(tmp_path: Path, receiver: Receiver, serving: Serving) -> None:
    chance = random.Random(7)
    port = int(serving.url.rsplit(":", 1)[1])
    callback = f"http://127.0.0.1:{receiver.server_port}/"
    longest = max(0.5, 2 * _first_job_s(serving, callback))
    customers = [Customer(serving, callback, n) for n in range(3)]
    for customer in customers:
        customer.start()
    for count in range(KILLS):
        if count % DRAIN == DRAIN - 1:
            _drain(serving, customers)
        time.sleep(chance.random() * longest)
        serving.kill()
        serving.start(port)
    for customer in customers:
        customer.done.set()
        customer.join()
    accepted = _accepted(customers)
    assert len(accepted) > KILLS

    with serving.client() as client:
        shown = [_finished(client, wf) for wf in accepted.values()]
        first = shown[0]["steps"][0]["jobs"][0]["result"]["blobs"][0]["url"]
        assert client.get(first).content[:4] == b"\x89PNG"
    assert {w["status"] for w in shown} == {"succeeded"}
    _wait_for_events(receiver, set(accepted.values()))
    serving.stop()

    for w in shown:
        assert [len(j["result"]["blobs"]) for j in w["steps"][0]["jobs"]] == [1] * len(w["steps"][0]["jobs"])
    with closing(Database(SQLite(tmp_path / "home" / "heddle.db"))) as db:
        _check_books(db, accepted)
    for wf in accepted.values():
        _check_events(receiver.got[wf])


def _accepted(customers: Sequence[Customer]) -> dict[str, str]:
    """The workflows that a server has said to have, by their keys."""
    return {key: wf for customer in customers for key, wf in list(customer.accepted.items())}


def _drain(serving: Serving, customers: Sequence[Customer]) -> None:
    with serving.client() as client:
        for workflow_id in _accepted(customers).values():
            _finished(client, workflow_id)


def _first_job_s(serving: Serving, callback: str) -> float:
    """How long a server that has just started takes to end a job, in seconds."""
    began = time.monotonic()
    workflow_id = Customer(serving, callback, 0).submit("first", 1)
    with serving.client() as client:
        _finished(client, workflow_id)
    return time.monotonic() - began


def _finished(client: httpx.Client, workflow_id: str) -> dict[str, Any]:
    for _ in range(1200):
        shown = client.get(f"/v2/consumer/workflows/{workflow_id}").json()
        if shown["status"] in {"succeeded", "failed", "expired", "canceled"}:
            return shown
        time.sleep(0.05)
    raise AssertionError(f"{workflow_id} did not end: {shown}")


def _wait_for_events(receiver: Receiver, workflow_ids: set[str]) -> None:
    for _ in range(1200):
        with receiver.lock:
            ended = {wf for wf, got in receiver.got.items() if any(status == "succeeded" for _, status in got)}
        if workflow_ids <= ended:
            return
        time.sleep(0.05)
    raise AssertionError(f"no end was told for {workflow_ids - ended}")


def _check_books(db: Database, accepted: dict[str, str]) -> None:
    assert db.look(audit.check) == []
    # A submit that was never answered may still have been accepted: it then ended like the others.
    workflows = db.look(lambda tx: tx.all("SELECT id, idempotency_key, status FROM workflows"))
    assert {w["status"] for w in workflows} == {"succeeded"}
    assert len({w["idempotency_key"] for w in workflows}) == len(workflows)
    assert set(accepted.values()) <= {w["id"] for w in workflows}
    twice = db.look(lambda tx: tx.all("SELECT job_id FROM blobs GROUP BY job_id HAVING COUNT(*) > 1"))
    assert twice == []
    left = db.look(lambda tx: tx.all("SELECT job_id FROM queued_jobs"))
    assert left == []


def _check_events(got: list[tuple[int, str]]) -> None:
    assert [seq for seq, _ in got] == list(range(len(got)))
    statuses = [status for _, status in got]
    assert statuses[0] == "unassigned"
    assert statuses[-1] == "succeeded"
    assert "processing" in statuses
    assert statuses.count("succeeded") == 1
