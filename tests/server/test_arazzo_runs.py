"""Arazzo documents that the server runs, on a real server: their end, their events, cancels, and kill -9."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving import WORKFLOWS, Serving, available

EXAMPLES = Path(__file__).parents[2] / "examples"
RUNS = "/v2/heddle/arazzo/runs"
OPEN = {"waiting", "running"}


def document(steps: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """One that calls our Orchestration API."""
    bearer = [{"name": "Authorization", "in": "header", "value": "Bearer {$inputs.apiKey}"}]
    workflow = {
        "workflowId": "main",
        "inputs": {"type": "object", "required": ["apiKey"], "properties": {"apiKey": {"type": "string"}}},
        "parameters": bearer,
        "steps": steps,
        **more,
    }
    url = "https://orchestration.civitai.com/civitai-orchestration-api-openapi.yml"
    return {
        "arazzo": "1.0.1",
        "info": {"title": "A test", "version": "1"},
        "sourceDescriptions": [{"name": "api", "url": url, "type": "openapi"}],
        "workflows": [workflow],
    }


def query(name: str = "list", **more: Any) -> dict[str, Any]:
    return {"stepId": name, "operationId": "queryWorkflows", **more}


DEEP: Any = 1
for _ in range(150):
    DEEP = [DEEP]

#: Polls for ever.
ENDLESS = query(onSuccess=[{"name": "again", "type": "goto", "stepId": "list", "criteria": [{"condition": "true"}]}])


def drawn(n: int, side: int = 64) -> dict[str, Any]:
    payload = {"steps": [{"$type": "imageGen", "input": {"engine": "sketch", "prompt": f"a fox, {n}", "width": side}}]}
    return {
        "stepId": f"draw{n}",
        "operationId": "submitWorkflow",
        "requestBody": {"contentType": "application/json", "payload": payload},
        "outputs": {"id": "$response.body#/id"},
    }


def begin(client: httpx.Client, given: Any, **more: Any) -> dict[str, Any]:
    answer = client.post(RUNS, json={"document": given, **more})
    assert answer.status_code == 202, answer.text
    return answer.json()


def ended(client: httpx.Client, run_id: str, seconds: float = 60) -> dict[str, Any]:
    until = time.monotonic() + seconds
    while (shown := client.get(f"{RUNS}/{run_id}").json())["status"] in OPEN:
        assert time.monotonic() < until, shown
        time.sleep(0.05)
    return shown


def test_an_example_runs_with_the_rights_of_its_account(client: httpx.Client) -> None:
    text = (EXAMPLES / "text-to-image.yaml").read_text()
    run = begin(client, text, inputs={"prompt": "a red fox", "width": 64, "height": 64, "apiKey": "ignored"})
    shown = ended(client, run["id"])
    assert (shown["status"], shown["missing"]) == ("succeeded", []), shown
    assert httpx.get(shown["outputs"]["imageUrl"]).status_code == 200
    events = client.get(f"{RUNS}/{run['id']}/events").json()
    assert events["ended"] is True
    assert events["items"][0]["request"] == "POST /v2/consumer/workflows"
    assert events["items"][0]["status"] == 202
    assert [one["number"] for one in events["items"]] == list(range(1, len(events["items"]) + 1))
    after = client.get(f"{RUNS}/{run['id']}/events", params={"after": 1}).json()
    assert after["items"] == events["items"][1:]


def test_a_failure_is_told(client: httpx.Client) -> None:
    step = {"stepId": "get", "operationId": "getWorkflow"}
    step["parameters"] = [{"name": "workflowId", "in": "path", "value": "wf_none"}]  # type: ignore[assignment]
    shown = ended(client, begin(client, document([step]))["id"])
    assert shown["status"] == "failed"
    assert "the server answered 404" in shown["reason"]
    assert shown["steps"][0]["statusCode"] == 404


def test_a_run_can_be_canceled(client: httpx.Client) -> None:
    run = begin(client, document([ENDLESS]))
    while not client.get(f"{RUNS}/{run['id']}/events").json()["items"]:
        time.sleep(0.02)
    assert client.post(f"{RUNS}/{run['id']}/cancel").status_code == 200
    assert ended(client, run["id"])["status"] == "canceled"
    assert client.post(f"{RUNS}/{run['id']}/cancel").json()["status"] == "canceled"


def test_runs_are_listed_newest_first(client: httpx.Client) -> None:
    made = [begin(client, document([query()]))["id"] for _ in range(3)]
    first = client.get(RUNS, params={"take": 2}).json()
    assert [one["id"] for one in first["items"]] == made[:0:-1]
    second = client.get(RUNS, params={"take": 2, "cursor": first["nextCursor"]}).json()
    assert second["items"][0]["id"] == made[0]


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({}, "document", "Field required"),
        ({"document": "arazzo: 1.0.1"}, "document", "document:1:1"),
        ({"document": "a: [" * 50}, "document", "document:"),
        ({"document": "\x00"}, "document", "no text"),
        ({"document": document([query()]), "inputs": {"a": DEEP}}, "body", "nested deeper"),
        ({"document": document([query()]), "workflow": "other"}, "document", "there is no workflow 'other'"),
        ({"document": document([query()]), "inputs": {"n": 1}}, "inputs", "has no input 'n'"),
        (
            {"document": document([{"stepId": "x", "operationId": "no"}])},
            "document",
            "no source has the operation 'no'",
        ),
    ],
    ids=["nothing", "shape", "depth", "null byte", "deep input", "workflow", "input", "operation"],
)
def test_what_cannot_run_is_refused_at_once(client: httpx.Client, body: Any, field: str, said: str) -> None:
    answer = client.post(RUNS, json=body)
    assert answer.status_code == 400
    assert said in str(answer.json()["fields"][field] if "fields" in answer.json() else answer.json())


@pytest.mark.parametrize(
    "url", ["/etc/passwd", "../../../etc/hosts", "http://127.0.0.1:1/openapi.yml", "file:///etc/passwd"]
)
def test_a_source_that_is_not_ours_is_refused(client: httpx.Client, url: str) -> None:
    given = document([query()])
    given["sourceDescriptions"][0]["url"] = url
    answer = client.post(RUNS, json={"document": given})
    assert answer.status_code == 400
    assert "is no API of this server" in answer.text
    assert "root:" not in answer.text


def test_secrets_are_not_kept(client: httpx.Client, serving: Serving) -> None:
    given = document([query(parameters=[{"name": "tags", "in": "query", "value": "$inputs.password"}])])
    given["workflows"][0]["inputs"]["properties"]["password"] = {"type": "string"}
    answer = client.post(RUNS, json={"document": given, "inputs": {"password": "very-secret"}})
    assert (answer.status_code, "inputs.password" in answer.text) == (400, True)
    login = {"type": "object", "properties": {"phrase": {"type": "string", "format": "password"}}}
    given["workflows"][0]["inputs"]["properties"]["login"] = login
    answer = client.post(RUNS, json={"document": given, "inputs": {"login": {"phrase": "very-secret"}}})
    assert (answer.status_code, "inputs.login" in answer.text) == (400, True)
    run = begin(client, document([query()]), inputs={"apiKey": "my-own-token-of-old"})
    assert ended(client, run["id"])["status"] == "succeeded"
    kept = b"".join(path.read_bytes() for path in serving.home.glob("heddle.db*"))
    assert b"my-own-token-of-old" not in kept
    assert b"run_01" in kept  # the id of a run, so the right files were read
    assert b"Bearer run_" not in kept


def test_a_run_cannot_begin_runs_or_download(client: httpx.Client) -> None:
    for operation, names in (("openBlob", ["blobId"]), ("getJobPreview", ["workflowId", "jobId"])):
        parameters = [{"name": name, "in": "path", "value": "x"} for name in names]
        step = {"stepId": "open", "operationId": operation, "parameters": parameters}
        shown = ended(client, begin(client, document([step]))["id"])
        assert "is not what a run on the server may call" in shown["reason"]


def test_a_request_under_way_comes_again_with_its_status(client: httpx.Client) -> None:
    """Asked for as fast as can be, and always from where the answer before said: nothing is left without an outcome."""
    run = begin(client, document([query(f"list{n}") for n in range(20)]))
    seen, after, over = dict[int, Any](), 0, False
    while not over:
        answer = client.get(f"{RUNS}/{run['id']}/events", params={"after": after}).json()
        seen |= {one["number"]: one.get("status") for one in answer["items"]}
        after, over = answer["next"], answer["ended"]
    assert seen == dict.fromkeys(range(1, 21), 200)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Serving]:
    server = Serving(tmp_path / "home").start()
    yield server
    server.kill()


def test_runs_can_be_switched_off(tmp_path: Path) -> None:
    server = Serving(tmp_path / "home", runs_at_once=0).start()
    try:
        with server.client() as client:
            answer = client.post(RUNS, json={"document": document([query()])})
            assert (answer.status_code, "HEDDLE_RUNS_AT_ONCE is 0" in answer.text) == (403, True)
    finally:
        server.kill()


@pytest.mark.slow
def test_a_run_goes_on_after_kill_9_and_pays_once(own: Serving) -> None:
    """Killed at several moments: every picture is submitted once, and the run comes to its end."""
    count = 10
    steps = [drawn(n) for n in range(count)]
    with own.client() as client:
        before = available(own.home)
        run = begin(client, document(steps, outputs={"last": f"$steps.draw{count - 1}.outputs.id"}))["id"]
    for known in (2, 4, 7):
        with own.client() as client:
            while len(client.get(f"{RUNS}/{run}/events").json()["items"]) < known:
                time.sleep(0.002)
        own.kill()
        own.start()
    with own.client() as client:
        shown = ended(client, run, 90)
        assert shown["status"] == "succeeded", shown
        workflows = client.get(WORKFLOWS, params={"take": 100}).json()["items"]
        assert len(workflows) == count
        assert len(client.get(f"{RUNS}/{run}/events").json()["items"]) == count
        paid = sum(one["cost"]["total"] for one in workflows)
    assert before - available(own.home) <= paid


@pytest.mark.slow
def test_a_run_is_given_back_at_a_soft_end(own: Serving) -> None:
    with own.client() as client:
        run = begin(client, document([ENDLESS]))["id"]
        while not client.get(f"{RUNS}/{run}/events").json()["items"]:
            time.sleep(0.02)
    assert own.stop() == 0
    own.start()
    with own.client() as client:
        seen = len(client.get(f"{RUNS}/{run}/events").json()["items"])
        until = time.monotonic() + 10  # well below the length of a lease
        while len(client.get(f"{RUNS}/{run}/events").json()["items"]) <= seen + 1:
            assert time.monotonic() < until
            time.sleep(0.05)
