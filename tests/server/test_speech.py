"""Speech on a real server: a text is read out, and what was read out is written down."""

from __future__ import annotations

import io
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from tests.serving import WORKFLOWS as PATH
from tests.serving import ended

from heddle.studio import audio


def ref(step: str, path: str) -> dict[str, str]:
    return {"$ref": step, "path": path}


def submit(client: httpx.Client, *steps: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(PATH, json={"steps": list(steps)})
    assert answer.status_code == 202, answer.text
    return ended(client, answer.json()["id"])


def fetched(blob: dict[str, Any]) -> httpx.Response:
    answer = httpx.get(blob["url"])
    assert answer.status_code == 200
    return answer


def test_what_is_read_out_is_written_down(client: httpx.Client) -> None:
    said = "The north wind and the sun were arguing about which of them was stronger."
    media, language = ref("say", "output.audioBlob.url"), ref("say", "output.language")
    shown = submit(
        client,
        {"$type": "tts", "name": "say", "input": {"text": said, "voice": "f2", "speed": 0.8}},
        {"$type": "transcribe", "name": "hear", "input": {"mediaUrl": media, "language": language}},
        {"$type": "tts", "name": "again", "input": {"text": ref("hear", "output.text"), "speaker": "ryan"}},
    )
    assert [step["status"] for step in shown["steps"]] == ["succeeded"] * 3
    say, hear, again = (step["output"] for step in shown["steps"])

    sound = fetched(say["audioBlob"])
    assert sound.headers["content-type"] == "audio/ogg"
    assert soundfile.info(io.BytesIO(sound.content)).duration == pytest.approx(say["audioBlob"]["duration"], abs=0.002)
    assert fetched({"url": say["audioBlob"]["previewUrl"]}).headers["content-type"] == "image/webp"
    assert (say["modelType"], say["speaker"], say["language"]) == ("base", "f2", "English")
    assert [word["text"] for word in say["timeStamps"]] == said.rstrip(".").split()

    assert "wind" in hear["text"]
    assert hear["language"] == "English"
    assert hear["timeStamps"][-1]["endTime"] <= say["audioBlob"]["duration"]
    assert fetched(hear["srt"]).text.startswith("1\n00:00:0")
    assert fetched(hear["vtt"]).headers["content-type"].startswith("text/vtt")
    assert again["speaker"] == "ryan"


def test_where_nothing_is_said(client: httpx.Client) -> None:
    silence = audio.encode(np.zeros((16_000, 1), np.float32), 16_000, "wav")
    blob = client.post("/v2/consumer/blobs", content=silence, headers={"Content-Type": "audio/wav"}).json()
    shown = submit(client, {"$type": "transcribe", "input": {"audio": blob["id"]}})
    assert shown["status"] == "succeeded", shown
    output = shown["steps"][0]["output"]
    assert (output["text"], output["timeStamps"]) == ("", [])
    assert fetched(output["srt"]).content == b""
    assert fetched(output["vtt"]).text == "WEBVTT\n\n"


def test_a_language_that_turns_out_to_be_another(client: httpx.Client) -> None:
    media, language = ref("say", "output.audioBlob"), ref("say", "output.language")
    shown = submit(
        client,
        {"$type": "tts", "name": "say", "input": {"text": "Guten Morgen, wie geht es dir?"}},
        {"$type": "transcribe", "name": "hear", "input": {"media": media, "language": language}},
    )
    assert [step["status"] for step in shown["steps"]] == ["succeeded", "failed"]
    assert "German" in shown["steps"][1]["jobs"][0]["message"]


def test_what_is_refused(client: httpx.Client) -> None:
    steps = [
        {"$type": "tts", "name": "a", "input": {"text": "x", "language": "Klingonish"}},
        {"$type": "tts", "name": "b", "input": {"text": "x", "voice": "bob"}},
        {"$type": "transcribe", "name": "c", "input": {"media": ref("d", "output.blob"), "language": "de"}},
        {"$type": "tts", "name": "d", "input": {"text": "x"}},
    ]
    answer = client.post(PATH, json={"steps": steps})
    assert answer.status_code == 400
    problems = answer.json()["errors"]
    assert "pt-br" in problems["steps[0].input.language"][0]
    assert "vivian" in problems["steps[1].input.voice"][0]
    assert "English" in problems["steps[2].input.language"][0]
