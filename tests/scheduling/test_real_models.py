"""Twenty requests in turns for three real models on two slots: a model is loaded once where it stays, and no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving import ENDS, WORKFLOWS, Serving
from tests.torch import WITHOUT, needs_torch

from heddle.db import Database
from heddle.db.sqlite import SQLite

if WITHOUT is None:
    from tests.torch import tiny

pytestmark = [needs_torch, pytest.mark.slow]

MODELS = {"sd1": "SD 1.5", "sdxl": "SDXL 1.0", "flux1": "Flux.1 D"}
#: Of a slot in which two of these models fit, with what a picture takes beside each of them, and of one for one.
FOR_TWO_MB, FOR_ONE_MB = 6000, 3000
REQUESTS = 20


@pytest.fixture
def serving(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    """A machine that says that it has two GPUs, so that there are two slots for engines with models."""
    said = tmp_path / "bin" / "nvidia-smi"
    said.parent.mkdir()
    said.write_text("#!/bin/sh\necho '0, 81559'\necho '1, 81559'\n")
    said.chmod(0o755)
    monkeypatch.setenv("PATH", f"{said.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    home = tmp_path / "home"
    home.mkdir()
    (home / "engines.toml").write_text('[diffusers]\ndevice = "cpu"\n')
    settings = {"slots": 1, "devices": "0,1", "device_memory_mb": request.param, "starting_buzz": 10**6}
    # The first jobs wait for PyTorch, on a busy machine longer than anybody is passed over by default.
    server = Serving(home, **settings, callbacks_private="on", defer_s=600)
    yield server.start()
    assert server.stop() == 0


def add(home: Path, kind: str) -> str:
    """Into the catalog; the AIR."""
    command = [sys.executable, "-m", "heddle", "models", "add", str(tiny.folder(kind)), "--type", "Checkpoint"]
    env = os.environ | {"HEDDLE_HOME": str(home)}
    done = subprocess.run(
        [*command, "--base-model", MODELS[kind], "--json"], env=env, capture_output=True, check=True, timeout=120
    )
    return json.loads(done.stdout)["air"]


def submit(client: httpx.Client, air: str, seed: int) -> str:
    given = {"model": air, "prompt": "a red fox", "width": 64, "height": 64, "steps": 2, "seed": seed}
    # Nobody listens: what would be told stays in the database.
    told = {"callbackUrl": "http://127.0.0.1:1024/", "callbackEvents": ["job:*"]}
    body = {"steps": [{"$type": "imageGen", "input": given}], **told}
    answer = client.post(WORKFLOWS, json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def ended(client: httpx.Client, workflow_id: str) -> dict[str, Any]:
    """A worker imports PyTorch first, which may take a minute on a busy machine."""
    for _ in range(2400):
        shown = client.get(f"{WORKFLOWS}/{workflow_id}").json()
        if shown["status"] in ENDS:
            assert shown["status"] == "succeeded", shown
            return shown
        time.sleep(0.05)
    raise AssertionError(shown)


def asked(home: Path, statement: str) -> list[dict[str, Any]]:
    """Rows of the server's database."""
    db = Database(SQLite(home / "heddle.db"))
    rows = db.look(lambda tx: tx.all(statement))
    db.close()
    return [dict(row) for row in rows]


def loads(home: Path) -> list[str]:
    """The jobs whose worker said that it must load their model first: each says so once, however long it takes."""
    bodies = [json.loads(row["body"]) for row in asked(home, "SELECT body FROM events ORDER BY id")]
    return [body["jobId"] for body in bodies if body["status"] == "preparing"]


def shelves(home: Path) -> dict[str, set[str]]:
    """The kinds of the models that each worker said last that it has in memory."""
    rows = asked(home, "SELECT name, report FROM queue_slots WHERE name LIKE 'gpu-%'")
    return {row["name"]: {one["model"].split(":")[0] for one in json.loads(row["report"])["models"]} for row in rows}


@pytest.mark.parametrize(
    ("serving", "at_once"),
    [(FOR_TWO_MB, True), (FOR_TWO_MB, False), (FOR_ONE_MB, True)],
    ids=["at once", "one by one", "at once, room for one"],
    indirect=["serving"],
)
def test_no_load_is_needless(serving: Serving, at_once: bool) -> None:
    """Where nobody is passed over for a model that is at hand, the first case takes eight loads and the last four."""
    airs = [add(serving.home, kind) for kind in MODELS]
    ids: list[str] = []
    with serving.client() as client:
        for n in range(REQUESTS):
            ids.append(submit(client, airs[n % 3], n))
            if not at_once:
                ended(client, ids[-1])
        jobs = [ended(client, workflow_id)["steps"][0]["jobs"][0] for workflow_id in ids]
    assert len(loads(serving.home)) == len(MODELS)
    had = [kind for kinds in shelves(serving.home).values() for kind in kinds]
    assert len(set(had)) == len(had), "none is there twice"
    assert {job["result"]["blobs"][0]["metadata"]["engine"] for job in jobs} == {"diffusers"}
