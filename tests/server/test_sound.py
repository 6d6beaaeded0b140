"""Sounds and music on a real server: links, previews, file names, outputs, refusals."""

from __future__ import annotations

from typing import Any

import httpx
from tests.serving import WORKFLOWS as PATH
from tests.serving import ended


def submit(client: httpx.Client, *steps: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(PATH, json={"steps": list(steps)})
    assert answer.status_code == 202, answer.text
    return ended(client, answer.json()["id"])


def test_a_sound_and_a_piece_of_music(client: httpx.Client) -> None:
    shown = submit(
        client,
        {"$type": "audioGen", "input": {"prompt": "rain, then a bell", "duration": 2.5, "seed": 1, "quantity": 2}},
        {"$type": "music", "input": {"musicDescription": "slow jazz", "duration": 4, "lyrics": "la", "seed": 1}},
    )
    assert shown["status"] == "succeeded"
    sounds, music = shown["steps"]
    assert [len(job["result"]["blobs"]) for job in sounds["jobs"]] == [1, 1]
    assert [blob["durationMs"] for job in sounds["jobs"] for blob in job["result"]["blobs"]] == [2500, 2500]
    assert sounds["output"]["blob"]["duration"] == 2.5
    assert len(sounds["output"]["blobs"]) == 2
    assert music["output"]["blob"]["duration"] == 4

    heard = httpx.get(sounds["output"]["blob"]["url"])
    assert heard.headers["content-type"] == "audio/mpeg"
    notes = httpx.get(music["output"]["midi"]["url"])
    assert notes.content.startswith(b"MThd")
    assert notes.headers["content-type"] == "audio/midi"
    assert notes.headers["content-disposition"].endswith('.mid"')
    wave = httpx.get(sounds["output"]["blob"]["previewUrl"])
    assert (wave.status_code, wave.headers["content-type"]) == (200, "image/webp")


def test_what_belongs_to_other_step_types(client: httpx.Client) -> None:
    steps = [
        {"$type": "audioGen", "input": {"text": "hello", "speaker": "ryan"}},
        {"$type": "music", "input": {"musicDescription": "pop", "engine": "ace-step"}},
    ]
    answer = client.post(PATH, json={"steps": steps})
    assert answer.status_code == 400
    problems = answer.json()["errors"]
    assert "`tts`" in problems["steps[0].input.speaker"][0]
    assert "'ace-step' cannot run here" in problems["steps[1].input.engine"][0]
