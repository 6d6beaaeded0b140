"""What a job shows while it runs, through HTTP: to its owner alone, and nothing of it afterwards."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from tests.serving import WORKFLOWS, Serving, ended

from heddle import accounts
from heddle.chores import first_run
from heddle.db import Database, Tx
from heddle.db.sqlite import SQLite
from heddle.domain import now

ENGINES = {"painter": "painter:Painter"}


@pytest.fixture(scope="module")
def painting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    home = tmp_path_factory.mktemp("previews") / "home"
    server = Serving(home, ENGINES, slots=1, preview_s=0.1, retry_backoff_s=0.1).start()
    yield server
    assert server.stop() == 0


@pytest.fixture
def painter(painting: Serving) -> Iterator[httpx.Client]:
    with painting.client() as client:
        yield client


def begin(client: httpx.Client, prompt: str = "a square", steps: int = 100) -> str:
    given = {"engine": "painter", "prompt": prompt, "steps": steps, "width": 64, "height": 64}
    answer = client.post(WORKFLOWS, json={"steps": [{"$type": "imageGen", "input": given}]})
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def job_of(client: httpx.Client, workflow_id: str) -> dict[str, Any]:
    return client.get(f"{WORKFLOWS}/{workflow_id}").json()["steps"][0]["jobs"][0]


def shown(client: httpx.Client, workflow_id: str, but: str = "") -> str:
    """Where the next preview of a job is."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        job = job_of(client, workflow_id)
        assert job["status"] in {"unassigned", "preparing", "processing"}, job
        if job.get("previewUrl", but) != but:
            return job["previewUrl"]
        time.sleep(0.02)
    raise AssertionError(f"{workflow_id} has shown nothing")


def lightness(data: bytes) -> float:
    with Image.open(io.BytesIO(data)) as image:
        return float(np.asarray(image.convert("L")).mean())


def kept(serving: Serving) -> int:
    with closing(Database(SQLite(serving.home / "heddle.db"))) as db:
        row = db.look(lambda tx: tx.one("SELECT COUNT(*) AS n FROM live_previews"))
    assert row is not None
    return row["n"]


def test_a_running_job_shows_what_it_has_and_then_no_more(painting: Serving, painter: httpx.Client) -> None:
    workflow_id = begin(painter, steps=30)
    first = shown(painter, workflow_id)
    answer = painter.get(first)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    assert answer.headers["cache-control"] == "no-store"
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.size == (256, 192)
    assert shown(painter, workflow_id, but=first) != first  # the next one is another address
    done = ended(painter, workflow_id)
    assert done["status"] == "succeeded"
    assert "previewUrl" not in done["steps"][0]["jobs"][0]
    gone = painter.get(first)
    assert (gone.status_code, gone.json()["code"]) == (404, "not_found")
    assert kept(painting) == 0


def test_nobody_else_sees_it(painting: Serving, painter: httpx.Client) -> None:
    workflow_id = begin(painter)
    where = shown(painter, workflow_id)

    def stranger(tx: Tx, names: list[str]) -> list[str]:
        made = [first_run.new_account(tx, name, now(), buzz=10) for name in names]
        return [accounts.create_token(tx, account.id, "tests", now())[1] for account in made]

    with closing(Database(SQLite(painting.home / "heddle.db"))) as db:
        token = db.apply(stranger, "stranger")
    assert httpx.get(where).status_code == 401
    assert httpx.get(where, headers={"Authorization": f"Bearer {token}"}).status_code == 404
    assert painter.get(where.replace("/jobs/job_", "/jobs/job_0")).status_code == 404
    assert painter.get(where).status_code == 200
    painter.delete(f"{WORKFLOWS}/{workflow_id}")
    assert painter.get(where).status_code == 404
    assert kept(painting) == 0


def test_a_cancel_ends_it(painting: Serving, painter: httpx.Client) -> None:
    workflow_id = begin(painter)
    where = shown(painter, workflow_id)
    painter.put(f"{WORKFLOWS}/{workflow_id}", json={"status": "canceled"})
    assert painter.get(where).status_code == 404
    assert kept(painting) == 0


def test_an_attempt_that_is_lost_shows_nothing_more(painting: Serving, painter: httpx.Client) -> None:
    workflow_id = begin(painter, "die", steps=30)
    while job_of(painter, workflow_id)["attempt"] < 2:
        time.sleep(0.02)
    seen = [lightness(painter.get(shown(painter, workflow_id)).content) for _ in range(5)]
    assert all(abs(found - 80) < 8 for found in seen)  # the first attempt was half as light
    painter.delete(f"{WORKFLOWS}/{workflow_id}")
    assert kept(painting) == 0


def test_a_preview_that_cannot_be_made_costs_no_job(painter: httpx.Client) -> None:
    workflow_id = begin(painter, "broken", steps=4)
    assert ended(painter, workflow_id)["status"] == "succeeded"
    [said] = painter.get(f"{WORKFLOWS}/{workflow_id}/log").json()["items"]
    assert said["lines"] == ["there are no live previews: ValueError: the brush broke"]


def test_an_operator_may_want_none(tmp_path: Path) -> None:
    server = Serving(tmp_path / "home", ENGINES, slots=1, preview_s=0).start()
    with server.client() as client:
        workflow_id = begin(client, "broken", steps=4)
        seen = [job_of(client, workflow_id) for _ in range(10)]
        assert ended(client, workflow_id)["status"] == "succeeded"
        assert not any("previewUrl" in job for job in seen)
        assert client.get(f"{WORKFLOWS}/{workflow_id}/log").json()["items"] == []
    assert server.stop() == 0
