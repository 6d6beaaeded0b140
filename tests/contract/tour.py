"""One good call of every operation, as a client makes them, and what the server answered."""

from __future__ import annotations

import io
import time
from typing import Any

import httpx
from live import Live
from PIL import Image

TERMINAL = {"succeeded", "failed", "expired", "canceled"}
PATIENCE_S = 90.0


def png(side: int = 64) -> bytes:
    """A picture."""
    file = io.BytesIO()
    Image.new("RGB", (side, side), (180, 60, 20)).save(file, "PNG")
    return file.getvalue()


def image_gen(**wanted: Any) -> dict[str, Any]:
    """The smallest request for a picture."""
    given = {"engine": "sketch", "prompt": "a red fox in fresh snow", "width": 64, "height": 64} | wanted
    return {"steps": [{"$type": "imageGen", "input": given}]}


def submit(client: httpx.Client, **wanted: Any) -> dict[str, Any]:
    """A workflow that was accepted."""
    answer = client.post("/v2/consumer/workflows", json=image_gen(**wanted))
    assert answer.status_code == 202, answer.text
    return answer.json()


def finished(client: httpx.Client, workflow_id: str) -> httpx.Response:
    """Poll as clients do until the workflow has ended."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        answer = client.get(f"/v2/consumer/workflows/{workflow_id}")
        if answer.json()["status"] in TERMINAL:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"{workflow_id} has not ended: {answer.text}")


def shown_while_running(client: httpx.Client) -> httpx.Response:
    """What a job shows that takes a while."""
    film = {"engine": "sketch", "prompt": "a ship at sea", "width": 320, "height": 240, "duration": 10}
    answer = client.post("/v2/consumer/workflows", json={"steps": [{"$type": "videoGen", "input": film}]})
    assert answer.status_code == 202, answer.text
    where = f"/v2/consumer/workflows/{answer.json()['id']}"
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        job = client.get(where).json()["steps"][0]["jobs"][0]
        assert job["status"] not in TERMINAL, job
        if "previewUrl" in job:
            shown = client.get(job["previewUrl"])
            client.delete(where)
            return shown
        time.sleep(0.01)
    raise AssertionError(f"{where} has shown nothing")


def visit(live: Live) -> dict[str, httpx.Response]:
    """operationId -> the answer."""
    with live.client(live.owner) as client, live.client(None) as bare:
        return _blobs(client, bare) | _workflows(client) | _site(client) | _runs(client)


def _blobs(client: httpx.Client, bare: httpx.Client) -> dict[str, httpx.Response]:
    seen = {"uploadBlob": client.post("/v2/consumer/blobs", files={"file": ("fox.png", png(), "image/png")})}
    blob = seen["uploadBlob"].json()
    where = f"/v2/consumer/blobs/{blob['id']}"
    seen["getBlob"] = client.get(where)
    seen["headBlob"] = client.head(where)
    seen["refreshBlob"] = client.post(f"{where}/refresh")
    seen["openBlob"] = bare.get(seen["refreshBlob"].json()["url"])
    for name, method in (("putBlob", "PUT"), ("postBlob", "POST")):
        seen["getBlobUploadUrl"] = client.get("/v2/consumer/blobs/upload-url", params={"mimeType": "image/png"})
        promised = seen["getBlobUploadUrl"].json()
        seen[name] = bare.request(method, promised["uploadUrl"], content=png(), headers=promised["headers"])
    return seen


def _workflows(client: httpx.Client) -> dict[str, httpx.Response]:
    body = image_gen(quantity=2) | {"tags": ["tour"], "callbackUrl": None}
    seen = {"submitWorkflow": client.post("/v2/consumer/workflows", json=body)}
    first = seen["submitWorkflow"].json()["id"]
    seen["getWorkflow"] = finished(client, first)
    where = f"/v2/consumer/workflows/{first}"
    seen["updateWorkflow"] = client.put(where, json={"tags": ["tour", "seen"]})
    patch = [{"op": "add", "path": "/tags/-", "value": "favorite"}]
    seen["patchWorkflow"] = client.patch(where, json=patch, headers={"Content-Type": "application/json-patch+json"})
    seen["getWorkflowLog"] = client.get(f"{where}/log")
    seen["getJobPreview"] = shown_while_running(client)
    second = submit(client)["id"]
    seen["queryWorkflows"] = client.get("/v2/consumer/workflows", params={"take": 1})
    seen["deleteWorkflow"] = client.delete(f"/v2/consumer/workflows/{second}")
    return seen


#: The smallest Arazzo document that calls us.
ARAZZO = {
    "arazzo": "1.0.1",
    "info": {"title": "Look", "version": "1"},
    "sourceDescriptions": [{"name": "api", "url": "civitai-site-api-openapi.yml", "type": "openapi"}],
    "workflows": [
        {
            "workflowId": "look",
            "inputs": {"type": "object", "properties": {"token": {"type": "string"}}},
            "steps": [
                {
                    "stepId": "me",
                    "operationId": "getCurrentUser",
                    "parameters": [{"name": "Authorization", "in": "header", "value": "Bearer {$inputs.token}"}],
                    "outputs": {"name": "$response.body#/username"},
                }
            ],
            "outputs": {"name": "$steps.me.outputs.name"},
        }
    ],
}
_RUNS = "/v2/heddle/arazzo/runs"


def run_of(client: httpx.Client) -> httpx.Response:
    """An Arazzo run that has ended."""
    where = f"{_RUNS}/{client.post(_RUNS, json={'document': ARAZZO}).json()['id']}"
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        answer = client.get(where)
        if answer.json()["status"] not in {"waiting", "running"}:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"{where} has not ended: {answer.text}")


def _runs(client: httpx.Client) -> dict[str, httpx.Response]:
    seen = {
        "createArazzoRun": client.post(_RUNS, json={"document": ARAZZO, "inputs": {}}),
        "getArazzoRun": run_of(client),
    }
    where = f"{_RUNS}/{seen['getArazzoRun'].json()['id']}"
    seen["getArazzoRunEvents"] = client.get(f"{where}/events")
    seen["cancelArazzoRun"] = client.post(f"{where}/cancel")
    seen["queryArazzoRuns"] = client.get(_RUNS, params={"take": 1})
    return seen


def _site(client: httpx.Client) -> dict[str, httpx.Response]:
    return {
        "getModelVersion": client.get("/api/v1/model-versions/1"),
        "getCurrentUser": client.get("/api/v1/me"),
    }
