"""Texts on a real server: written, judged, and handed on to the step that draws."""

from __future__ import annotations

import io
from typing import Any

import httpx
from PIL import Image
from tests.serving import WORKFLOWS, ended


def submit(client: httpx.Client, *steps: dict[str, Any]) -> httpx.Response:
    return client.post(WORKFLOWS, json={"steps": list(steps)})


def done(client: httpx.Client, *steps: dict[str, Any]) -> list[dict[str, Any]]:
    answer = submit(client, *steps)
    assert answer.status_code == 202, answer.text
    shown = ended(client, answer.json()["id"])
    assert shown["status"] == "succeeded", shown
    return shown["steps"]


def text_gen(prompt: str, **given: Any) -> dict[str, Any]:
    return {"$type": "textGen", "name": "written", "input": {"prompt": prompt, "seed": 7} | given}


def test_a_text_becomes_a_prompt_and_is_judged(client: httpx.Client) -> None:
    reference = {"$ref": "written", "path": "output.text"}
    written, drawn, judged = done(
        client,
        text_gen("a lighthouse on a cliff"),
        {"$type": "imageGen", "name": "drawn", "input": {"prompt": reference, "width": 64, "height": 64, "seed": 1}},
        {"$type": "moderation", "name": "judged", "input": {"text": reference}},
    )
    text = written["output"]["text"]
    assert text == written["output"]["choices"][0]["message"]["content"]
    assert text.startswith("a lighthouse on a cliff, ")
    [blob] = written["jobs"][0]["result"]["blobs"]
    assert blob["mimeType"] == "text/plain"
    assert httpx.get(blob["url"]).text == text
    picture = Image.open(io.BytesIO(httpx.get(drawn["output"]["images"][0]["url"]).content))
    assert picture.info["parameters"].startswith(text)
    assert (judged["output"]["blocked"], judged["output"]["triggeredLabels"]) == (False, [])


def test_an_improved_prompt_is_handed_on_by_its_name(client: httpx.Client) -> None:
    reference = {"$ref": "written", "path": "output.enhancedPrompt"}
    written, judged = done(
        client,
        text_gen("a boat", ecosystem="sdxl", instruction="at night"),
        {"$type": "moderation", "input": {"prompt": reference}},
    )
    assert written["output"]["enhancedPrompt"].startswith("a boat, at night, ")
    assert judged["output"]["blocked"] is False


def test_families_that_are_not_here_say_so(client: httpx.Client) -> None:
    answer = submit(client, text_gen("a boat", engine="llama"))
    assert answer.status_code == 400
    assert "'llama' cannot run here (openai-api: No server is set" in answer.text
    answer = submit(client, text_gen("a boat", model="gpt-4o"))
    assert answer.status_code == 400
    assert "steps[0].input.model" in answer.json()["errors"]


def test_a_text_as_long_as_may_be_is_answered_as_often_as_may_be(client: httpx.Client) -> None:
    written, judged = done(
        client,
        text_gen("狐" * 80_000, n=4),
        {"$type": "moderation", "input": {"text": "behead" + "狐" * 80_000}},
    )
    choices = written["output"]["choices"]
    assert [choice["finishReason"] for choice in choices] == ["length"] * 4
    [blob] = written["jobs"][0]["result"]["blobs"]
    assert "characters of the text were left out" in blob["metadata"]["note"]
    assert judged["output"]["triggeredLabels"] == ["violence"]
