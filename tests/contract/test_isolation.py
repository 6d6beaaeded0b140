"""Two accounts: whatever one of them does with an id of the other, there is nothing there."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tour import image_gen, png, run_of, submit

from heddle.api.app import OPERATIONS

WORKFLOWS, BLOBS = "/v2/consumer/workflows", "/v2/consumer/blobs"

#: What is sent where something must be.
BODIES: dict[str, Any] = {
    "updateWorkflow": {"status": "canceled"},
    "patchWorkflow": [{"op": "add", "path": "/tags/-", "value": "mine"}],
}

#: How ids begin.
STARTS = {"workflow": "wf", "job": "job", "blob": "blob", "run": "run"}

#: Every operation with the id of something that belongs to an account.
WITH_ID = [op for op in OPERATIONS if op.auth == "bearer" and set(op.params) & {"workflowId", "blobId", "runId"}]


@pytest.fixture(scope="module")
def ids(live: Any) -> dict[str, str]:
    """What the owner has: a workflow with a job, and a blob."""
    with live.client(live.owner) as owner:
        blob = owner.post(BLOBS, files={"file": ("a.png", png(), "image/png")}).json()
        made, run = submit(owner), run_of(owner).json()
        job = made["steps"][0]["jobs"][0]
        return {"workflowId": made["id"], "jobId": job["id"], "blobId": blob["id"], "runId": run["id"]}


def _call(client: httpx.Client, op: Any, ids: dict[str, str]) -> httpx.Response:
    body = BODIES.get(op.id)
    return client.request(op.method, op.path.format(**ids), **({} if body is None else {"json": body}))


@pytest.mark.parametrize("op", WITH_ID, ids=lambda op: op.id)
def test_another_account_finds_nothing_there(stranger: httpx.Client, ids: dict[str, str], op: Any) -> None:
    nothing = {f"{name}Id": f"{start}_{'0' * 26}" for name, start in STARTS.items()}
    theirs, missing = _call(stranger, op, ids), _call(stranger, op, nothing)
    assert (theirs.status_code, missing.status_code) == (404, 404)
    # The answers are the same but for the id: nobody learns that there is something.
    assert _anonymous(theirs, ids) == _anonymous(missing, nothing)


#: What is there for a while only is looked for where it is: what is deleted, and what a job shows while it runs.
LASTING = [op for op in WITH_ID if op.id not in {"deleteWorkflow", "getJobPreview"}]


@pytest.mark.parametrize("op", LASTING, ids=lambda op: op.id)
def test_its_own_account_finds_it(owner: httpx.Client, ids: dict[str, str], op: Any) -> None:
    assert _call(owner, op, ids).status_code == op.status


def test_everything_with_an_id_was_tried() -> None:
    names = {op.id for op in WITH_ID}
    assert names >= {"getWorkflow", "updateWorkflow", "patchWorkflow", "deleteWorkflow", "getWorkflowLog"}
    assert names >= {"getBlob", "headBlob", "refreshBlob"}
    assert names >= {"getArazzoRun", "getArazzoRunEvents", "cancelArazzoRun"}


def test_nobody_changed_anything(owner: httpx.Client, stranger: httpx.Client) -> None:
    made = submit(owner)
    where = f"{WORKFLOWS}/{made['id']}"
    assert stranger.delete(where).status_code == 404
    assert stranger.put(where, json={"tags": ["theirs"]}).status_code == 404
    shown = owner.get(where).json()
    assert shown["tags"] == []
    assert shown["status"] != "canceled"


def test_lists_and_filters_show_only_ones_own(owner: httpx.Client, stranger: httpx.Client) -> None:
    body = image_gen() | {"tags": ["shared-tag"]}
    mine = owner.post(WORKFLOWS, json=body).json()["id"]
    theirs = stranger.post(WORKFLOWS, json=body).json()["id"]

    def asked(client: httpx.Client) -> list[str]:
        return [item["id"] for item in client.get(WORKFLOWS, params={"tags": "shared-tag"}).json()["items"]]

    assert asked(owner) == [mine]
    assert asked(stranger) == [theirs]
    # A cursor is a place in one's own list, whoever's id it is.
    page = stranger.get(WORKFLOWS, params={"cursor": mine, "take": 100}).json()
    assert {item["id"] for item in page["items"]} <= {theirs} | set(_all(stranger))


def _all(client: httpx.Client) -> list[str]:
    return [item["id"] for item in client.get(WORKFLOWS, params={"take": 100}).json()["items"]]


def test_a_blob_of_another_is_no_source(owner: httpx.Client, stranger: httpx.Client) -> None:
    blob = owner.post(BLOBS, files={"file": ("a.png", png(), "image/png")}).json()["id"]
    promised = owner.get(f"{BLOBS}/upload-url", params={"mimeType": "image/png"}).json()["blobId"]
    messages: list[str] = []
    for source in (blob, promised, f"blob_{'0' * 26}"):
        answer = stranger.post(WORKFLOWS, json=image_gen(images=[source]))
        assert answer.status_code == 400
        assert list(answer.json()["errors"]) == ["steps[0].input.images[0]"]
        messages.append(answer.json()["message"].replace(source, "?"))
    assert len(set(messages)) == 1


def test_the_same_idempotency_key_of_two_accounts_is_two_keys(owner: httpx.Client, stranger: httpx.Client) -> None:
    key = {"Idempotency-Key": "both-use-this"}
    made = [c.post(WORKFLOWS, json=image_gen(), headers=key).json()["id"] for c in (owner, stranger)]
    assert len(set(made)) == 2


def test_the_same_bytes_of_two_accounts_are_two_blobs(owner: httpx.Client, stranger: httpx.Client) -> None:
    form = {"file": ("a.png", png(66), "image/png")}
    first, second = (c.post(BLOBS, files=form).json() for c in (owner, stranger))
    assert first["sha256"] == second["sha256"]
    assert first["id"] != second["id"]
    assert stranger.get(f"{BLOBS}/{first['id']}").status_code == 404


def test_each_token_shows_its_own_account(owner: httpx.Client, stranger: httpx.Client) -> None:
    assert owner.get("/api/v1/me").json()["id"] != stranger.get("/api/v1/me").json()["id"]
    assert stranger.get("/api/v1/me").json()["username"] == "stranger"


def _anonymous(answer: httpx.Response, ids: dict[str, str]) -> str:
    text = answer.text
    for known in ids.values():
        text = text.replace(known, "?")
    if text:
        text = text.replace(answer.json()["traceId"], "?")
    return text
