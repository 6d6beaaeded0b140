"""Loading a model is a phase of its own, one load serves all that wait for it, and what is not used makes room."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving import Serving

pytestmark = pytest.mark.slow


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    engines = {"shelf": "shelf:Shelf", "ahead": "shelf:Ahead"}
    serving = Serving(tmp_path / "home", engines, slots=1, worker_memory_mb=3500)
    with serving.start().client() as client:
        yield client
    assert serving.stop() == 0


def submit(client: httpx.Client, prompt: str, engine: str = "shelf") -> str:
    step = {"engine": engine, "prompt": prompt, "steps": 1}
    answer = client.post("/v2/consumer/workflows", json={"steps": [{"$type": "imageGen", "input": step}]})
    answer.raise_for_status()
    return answer.json()["id"]


def watched(client: httpx.Client, workflow_id: str) -> tuple[dict[str, Any], list[str], list[float]]:
    """The workflow at its end, the statuses it had, and how far it said that it was while preparing."""
    statuses: list[str] = []
    rates: list[float] = []
    end = time.monotonic() + 30
    while time.monotonic() < end:
        shown = client.get(f"/v2/consumer/workflows/{workflow_id}").json()
        if not statuses or statuses[-1] != shown["status"]:
            statuses.append(shown["status"])
        job = shown["steps"][0]["jobs"][0]
        if shown["status"] == "preparing" and job.get("progress") is not None:
            rates.append(job["progress"])
        if shown["status"] in {"succeeded", "failed"}:
            return shown, statuses, rates
        time.sleep(0.01)
    raise AssertionError(statuses)


def test_a_load_is_seen_and_serves_all(client: httpx.Client) -> None:
    first = submit(client, "red fox")
    others = [submit(client, f"red fox {n}") for n in range(3)]
    shown, statuses, _ = watched(client, first)
    assert shown["status"] == "succeeded"
    assert "preparing" in statuses
    assert statuses.index("preparing") < len(statuses) - 1
    for workflow_id in others:
        shown, statuses, _ = watched(client, workflow_id)
        assert shown["status"] == "succeeded"
        assert "preparing" not in statuses


def test_what_is_not_used_makes_room(client: httpx.Client) -> None:
    for prompt in ("red", "blue", "green", "red", "yellow", "none"):
        shown, _, _ = watched(client, submit(client, prompt))
        assert shown["status"] == "succeeded", shown
    workflow_id = submit(client, "red")  # blue had been used least recently when yellow came
    watched(client, workflow_id)
    found = client.get(f"/v2/consumer/workflows/{workflow_id}/log").json()
    assert found["items"][0]["lines"][0] == "has green red yellow"


def test_a_load_that_fails_fails_the_job(client: httpx.Client) -> None:
    shown, _, _ = watched(client, submit(client, "broken"))
    assert shown["status"] == "failed"
    job = shown["steps"][0]["jobs"][0]
    assert "its file is damaged" in job["message"]
    shown, _, _ = watched(client, submit(client, "red"))
    assert shown["status"] == "succeeded"


def test_a_cancel_ends_a_load(client: httpx.Client) -> None:
    workflow_id = submit(client, "red")
    while client.get(f"/v2/consumer/workflows/{workflow_id}").json()["status"] != "preparing":
        time.sleep(0.005)
    client.put(f"/v2/consumer/workflows/{workflow_id}", json={"status": "canceled"}).raise_for_status()
    shown, _, _ = watched(client, submit(client, "blue"))
    assert shown["status"] == "succeeded"


def beside(client: httpx.Client, prompts: list[str], engine: str) -> dict[str, str]:
    """What ran when each model was loaded, as the last of the jobs saw it."""
    ids = [submit(client, f"{prompt} slowly", engine) for prompt in prompts]
    shown = [watched(client, workflow_id)[0] for workflow_id in ids]
    assert [one["status"] for one in shown] == ["succeeded"] * len(prompts)
    return shown[-1]["steps"][0]["jobs"][0]["result"]["blobs"][0]["metadata"]["beside"]


def test_the_next_model_is_loaded_while_the_job_before_runs(client: httpx.Client) -> None:
    assert beside(client, ["red", "blue"], "ahead") == {"red": "", "blue": "red"}


def test_an_engine_that_does_not_allow_it_loads_between_jobs(client: httpx.Client) -> None:
    assert beside(client, ["red", "blue"], "shelf") == {"red": "", "blue": ""}


def test_what_needs_room_is_not_loaded_ahead(client: httpx.Client) -> None:
    """Three fit: the fourth waits until one of them may go."""
    found = beside(client, ["red", "blue", "green", "yellow"], "ahead")
    assert found["yellow"] == ""
    assert found["blue"] == "red"


def test_a_model_that_cannot_be_loaded_ahead_fails_its_own_job(client: httpx.Client) -> None:
    first, second = submit(client, "red slowly", "ahead"), submit(client, "broken", "ahead")
    assert watched(client, first)[0]["status"] == "succeeded"
    shown, _, _ = watched(client, second)
    assert "its file is damaged" in shown["steps"][0]["jobs"][0]["message"]
