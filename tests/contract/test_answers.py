"""Real answers of every operation, held against our own document with nothing undescribed allowed."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from schemas import answer_schema, closed, problems
from tour import finished, png, submit

from heddle.api import openapi
from heddle.api.app import OPERATIONS

DOCUMENT = openapi.build(OPERATIONS)
CLOSED = closed(DOCUMENT)


@pytest.mark.parametrize("op", OPERATIONS, ids=lambda op: op.id)
def test_the_good_answer_is_as_described(op: Any, answers: dict[str, httpx.Response]) -> None:
    answer = answers[op.id]
    assert answer.status_code == op.status, answer.text
    schema = answer_schema(CLOSED, op.id, op.status)
    if schema is None:
        assert op.id in {"openBlob", "headBlob", "deleteWorkflow", "getJobPreview"}
        return
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert problems(CLOSED, schema, answer.json()) == []


def test_the_schemas_would_notice(answers: dict[str, httpx.Response]) -> None:
    schema = answer_schema(CLOSED, "getWorkflow", 200)
    assert schema is not None
    good = answers["getWorkflow"].json()
    assert problems(CLOSED, schema, good | {"extra": 1})
    assert problems(CLOSED, schema, good | {"status": "scheduled"})
    assert problems(CLOSED, schema, good | {"createdAt": "yesterday"})
    assert problems(CLOSED, schema, {k: v for k, v in good.items() if k != "cost"})


def test_what_is_unknown_is_absent(answers: dict[str, httpx.Response]) -> None:
    def nulls(value: Any, where: str) -> list[str]:
        if isinstance(value, dict):
            return [path for k, v in value.items() for path in nulls(v, f"{where}/{k}")]
        if isinstance(value, list):
            return [path for i, v in enumerate(value) for path in nulls(v, f"{where}/{i}")]
        return [where] if value is None else []

    for name, answer in answers.items():
        if answer.content.startswith(b"{") and not name.startswith("query"):
            assert nulls(answer.json(), name) == []


def test_a_finished_workflow_leads_to_its_pictures(answers: dict[str, httpx.Response], nobody: httpx.Client) -> None:
    shown = answers["getWorkflow"].json()
    assert shown["status"] == "succeeded"
    assert shown["cost"]["total"] >= 1
    assert len(shown["steps"][0]["jobs"]) == 2
    for job in shown["steps"][0]["jobs"]:
        blob = job["result"]["blobs"][0]
        picture = nobody.get(blob["url"])
        assert picture.status_code == 200
        assert picture.headers["content-type"] == blob["mimeType"]
        assert (blob["width"], blob["height"]) == (64, 64)


def test_a_page_says_how_to_go_on(owner: httpx.Client) -> None:
    tag = "pages"
    for _ in range(3):
        made = submit(owner)["id"]
        owner.put(f"/v2/consumer/workflows/{made}", json={"tags": [tag]})
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None and len(seen) < 10:
        asked = {"take": "2", "tags": tag, "cursor": cursor, "status": ""}
        page = owner.get("/v2/consumer/workflows", params=asked).json()
        assert page["next"] == page["nextCursor"]
        seen += [item["id"] for item in page["items"]]
        cursor = page["nextCursor"]
    assert len(seen) == 3
    assert seen == sorted(seen, reverse=True)


def test_a_workflow_waits_for_a_promised_picture_and_then_runs(owner: httpx.Client, nobody: httpx.Client) -> None:
    promised = owner.get("/v2/consumer/blobs/upload-url", params={"mimeType": "image/png", "sizeBytes": ""}).json()
    waiting = submit(owner, images=[promised["blobId"]])
    assert waiting["status"] in {"unassigned", "preparing"}
    before = owner.get(f"/v2/consumer/blobs/{promised['blobId']}").json()
    assert before["available"] is False
    assert "url" not in before
    assert nobody.put(promised["uploadUrl"], content=png(), headers=promised["headers"]).status_code == 201
    assert finished(owner, waiting["id"]).json()["status"] == "succeeded"


def test_the_same_idempotency_key_submits_once(owner: httpx.Client) -> None:
    body = {"steps": [{"$type": "imageGen", "input": {"engine": "sketch", "prompt": "x", "width": 64, "height": 64}}]}
    key = {"Idempotency-Key": "only-once"}
    first = owner.post("/v2/consumer/workflows", json=body, headers=key)
    again = owner.post("/v2/consumer/workflows", json=body, headers=key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json()["id"] == first.json()["id"]


def test_names_with_two_kinds_of_members_are_read_as_documented(owner: httpx.Client) -> None:
    step = {"$type": "imageGen", "input": {"prompt": "x", "width": 64, "height": 64}, "futureMember": {"a": 1}}
    answer = owner.post("/v2/consumer/workflows", json={"steps": [step], "metadata": {"ignored": True}})
    assert answer.status_code == 202


@pytest.mark.parametrize("timeout", [30, 1.5, 1, "00:10:00", "1.00:00:00", "PT10M", "PT1H30M", "PT1.5S"])
def test_a_timeout_may_be_seconds_or_text(owner: httpx.Client, timeout: object) -> None:
    step = {"$type": "imageGen", "input": {"prompt": "x", "width": 64, "height": 64}, "timeout": timeout}
    assert owner.post("/v2/consumer/workflows", json={"steps": [step]}).status_code == 202


def test_a_list_is_asked_for_by_a_few_tags(owner: httpx.Client) -> None:
    path = "/v2/consumer/workflows"
    tags = [f"tag-{i}" for i in range(50)]
    made = owner.post(path, json={"steps": [{"$type": "imageGen", "input": {"prompt": "x"}}], "tags": tags}).json()
    assert [w["id"] for w in owner.get(path, params={"tags": tags}).json()["items"]] == [made["id"]]
    # The same tag many times is one tag.
    assert [w["id"] for w in owner.get(path, params={"tags": ["tag-7"] * 1100}).json()["items"]] == [made["id"]]
    for many in (",".join(f"tag-{i}" for i in range(1100)), "x" * 201):
        answer = owner.get(path, params={"tags": many})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
        assert {name.partition("[")[0] for name in answer.json()["errors"]} == {"tags"}


def test_any_text_can_be_drawn(owner: httpx.Client) -> None:
    texts = ["²", "(fox:³)", "狐狸", "🦊", "((((", "\u202efox", "9" * 5000, "fox " * 2000, "\x01", "<svg>&amp;</svg>"]
    made = [submit(owner, prompt=text)["id"] for text in texts]
    ends = {text: finished(owner, workflow).json() for text, workflow in zip(texts, made, strict=True)}
    assert {text[:20]: end["status"] for text, end in ends.items()} == {text[:20]: "succeeded" for text in texts}
