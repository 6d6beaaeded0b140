"""Stored webhook bodies get fresh links, for what the workflow's own jobs made and for nothing else."""

from __future__ import annotations

from typing import Any

from heddle.workflows import events


def body(**step: Any) -> dict[str, Any]:
    blob = {"blobId": "blob_mine", "url": "", "previewBlobId": "blob_small", "previewUrl": ""}
    jobs = [{"id": "job_1", "result": {"blobs": [blob]}}]
    return {"$type": "workflow", "details": {"steps": [{"name": "0", "jobs": jobs, **step}]}}


def link(blob_id: str) -> str:
    return f"https://here/{blob_id}?sig=1"


def test_blobs_and_their_previews_are_linked_wherever_they_are_shown() -> None:
    output = {"images": [{"id": "blob_mine", "url": "", "previewUrl": ""}]}
    [step] = events.fill(body(output=output), link)["details"]["steps"]
    assert step["output"]["images"][0] == {
        "id": "blob_mine",
        "url": link("blob_mine"),
        "previewUrl": link("blob_small"),
    }
    assert step["jobs"][0]["result"]["blobs"][0]["previewUrl"] == link("blob_small")


def test_a_blob_that_a_caller_or_an_engine_wrote_there_is_not_linked() -> None:
    theirs = {"blobId": "blob_of_somebody_else", "url": "x"}
    [step] = events.fill(body(input=theirs, output={"choices": [theirs]}), link)["details"]["steps"]
    assert (step["input"], step["output"]) == (theirs, {"choices": [theirs]})


def test_a_body_without_blobs_stays_as_it_is() -> None:
    plain = {"$type": "workflow", "status": "succeeded"}
    assert events.fill(plain, link) == plain
