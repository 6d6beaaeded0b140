"""Why a job waits: its position, when it will start, and what each slot says, in the API and in `heddle ps --why`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving import Serving

pytestmark = pytest.mark.slow


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    engines = {"pixels": "pixels:Pixels", "hang": "pixels:Hang"}
    server = Serving(tmp_path / "home", engines, slots=1, lookahead=0, devices="none").start()
    yield server
    assert server.stop() == 0


def submit(client: httpx.Client, engine: str = "pixels") -> str:
    step = {"engine": engine, "prompt": "x", "steps": 50}
    answer = client.post("/v2/consumer/workflows", json={"steps": [{"$type": "imageGen", "input": step}]})
    answer.raise_for_status()
    return answer.json()["id"]


def shown(client: httpx.Client, workflow_id: str, **params: str) -> dict[str, Any]:
    answer = client.get(f"/v2/consumer/workflows/{workflow_id}", params=params)
    answer.raise_for_status()
    return answer.json()


def until(client: httpx.Client, workflow_id: str, status: str) -> None:
    end = time.monotonic() + 30
    while shown(client, workflow_id)["status"] != status:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_waiting_job_says_why(serving: Serving) -> None:
    with serving.client() as client:
        measured = submit(client)
        until(client, measured, "succeeded")
        busy = submit(client, "hang")
        until(client, busy, "processing")
        waiting = [submit(client) for _ in range(3)]
        job = shown(client, waiting[2])["steps"][0]["jobs"][0]
        assert job["queuePosition"]["support"] == "available"
        assert job["queuePosition"]["precedingJobs"] == 2
        assert "slots" not in job["heddle"]["waiting"]
        end = time.monotonic() + 20
        while "startAt" not in job["queuePosition"] and time.monotonic() < end:  # the slots are told of every 2 s
            time.sleep(0.2)
            job = shown(client, waiting[2])["steps"][0]["jobs"][0]
        position, waits = job["queuePosition"], job["heddle"]["waiting"]
        assert position["startAt"] <= position["completeAt"]
        earliest, latest = (datetime.fromisoformat(waits[f"{x}Start"]) for x in ("earliest", "latest"))
        assert earliest <= datetime.fromisoformat(position["startAt"]) <= latest
        said = what_slots_say(client, waiting[0])
        while said != [("local-0", "busy")] and time.monotonic() < end:
            time.sleep(0.2)
            said = what_slots_say(client, waiting[0])
        assert said == [("local-0", "busy")]
        listed = client.get("/v2/consumer/workflows").json()["items"]
        assert all("queuePosition" not in w["steps"][0]["jobs"][0] for w in listed)
        assert client.get(f"/v2/consumer/workflows/{waiting[0]}", params={"why": "perhaps"}).status_code == 400
        running = shown(client, busy)["steps"][0]["jobs"][0]
        assert "queuePosition" not in running

        told = ps(serving, "--why")
        assert "2 jobs before it; starts between" in told
        assert "local-0: is busy" in told
        assert json.loads(ps(serving, "--why", "--json"))[0]["steps"][0]["jobs"][0]["queuePosition"]
        client.put(f"/v2/consumer/workflows/{busy}", json={"status": "canceled"}).raise_for_status()
        for workflow_id in waiting:
            until(client, workflow_id, "succeeded")


def what_slots_say(client: httpx.Client, workflow_id: str) -> list[tuple[str, str]]:
    job = shown(client, workflow_id, why="true")["steps"][0]["jobs"][0]
    return [(says["slot"], says["code"]) for says in job["heddle"]["waiting"]["slots"]]


def ps(serving: Serving, *options: str) -> str:
    env = {k: v for k, v in os.environ.items() if not k.startswith("HEDDLE_")}
    env["XDG_CONFIG_HOME"] = str(serving.home.parent / "config")
    heddle = [sys.executable, "-m", "heddle"]
    subprocess.run([*heddle, "login", serving.url], env=env, input=serving.token, text=True, timeout=60, check=True)
    command = [*heddle, "ps", "--server", serving.url, *options]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_limits_are_set_and_shown(tmp_path: Path) -> None:
    env = {k: v for k, v in os.environ.items() if not k.startswith("HEDDLE_")} | {"HEDDLE_HOME": str(tmp_path / "h")}

    def heddle(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "heddle", *words]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)

    assert heddle("accounts", "create", "alice").returncode == 0
    said = heddle("accounts", "limit", "alice", "--running", "4", "--open", "20", "--weight", "2.5").stdout
    assert said == "alice weighs 2.5, may run 4 jobs at once and have 20 workflows under way\n"
    assert heddle("accounts", "limit", "alice", "--running", "0").stdout.count("any number of jobs") == 1
    assert "20 workflows" in heddle("accounts", "limit", "alice").stdout
    assert "no account named" in heddle("accounts", "limit", "bob").stderr
    assert heddle("accounts", "limit", "alice", "--weight", "0").returncode == 2
