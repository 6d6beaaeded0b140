"""One workflow through nearly everything: a text becomes a picture, a larger picture, a video, a smoother video; with
speech, its transcript, sounds and music beside it."""

from __future__ import annotations

import io
from typing import Any

import av
import httpx
import numpy as np
import pytest
from PIL import Image
from tests.serving import WORKFLOWS, ended

pytestmark = pytest.mark.slow


def ref(step: str, path: str) -> dict[str, str]:
    return {"$ref": step, "path": path}


FILM: list[dict[str, Any]] = [
    {"$type": "textGen", "name": "idea", "input": {"prompt": "a lighthouse at sunset", "seed": 1}},
    {"$type": "moderation", "name": "judge", "input": {"text": ref("idea", "output.text")}},
    {
        "$type": "imageGen",
        "name": "still",
        "input": {"prompt": ref("idea", "output.text"), "width": 192, "height": 128, "seed": 1},
    },
    {"$type": "upscale", "name": "large", "input": {"image": ref("still", "output.images[0].url")}},
    {
        "$type": "videoGen",
        "name": "film",
        "input": {
            "prompt": "zoom in", "images": [ref("large", "output.blob")], "duration": 1, "fps": 8, "seed": 1,
            "width": 192, "height": 128,
        },
    },
    {"$type": "interpolate", "name": "smooth", "input": {"video": ref("film", "output.video.url")}},
    {"$type": "tts", "name": "speech", "input": {"text": "Good morning. This is a test."}},
    {"$type": "transcribe", "name": "heard", "input": {"media": ref("speech", "output.audioBlob.url")}},
    {"$type": "audioGen", "name": "sea", "input": {"prompt": "waves and seagulls", "duration": 2, "seed": 1}},
    {"$type": "music", "name": "song", "input": {"musicDescription": "calm piano", "duration": 4, "seed": 1}},
]  # fmt: skip


def fetched(blob: dict[str, Any]) -> bytes:
    answer = httpx.get(blob["url"])
    assert answer.status_code == 200
    return answer.content


def frames(data: bytes) -> tuple[int, float]:
    with av.open(io.BytesIO(data), "r") as file:
        return sum(1 for _ in file.decode(video=0)), float(file.streams.video[0].average_rate or 0)


def loudest(data: bytes) -> tuple[float, float]:
    """The highest sample and the seconds of a sound."""
    with av.open(io.BytesIO(data), "r") as file:
        rate = file.streams.audio[0].rate
        pieces = [f.to_ndarray().astype(np.float32) for f in file.decode(audio=0)]
        planar = [p if p.ndim == 2 else p[None] for p in pieces]
    whole = np.concatenate(planar, axis=1)
    return float(np.abs(whole).max()), whole.shape[1] / rate


def test_a_film(client: httpx.Client) -> None:
    answer = client.post(WORKFLOWS, json={"steps": FILM})
    assert answer.status_code == 202, answer.text
    for _ in range(4):  # a busy machine takes its time
        shown = client.get(f"{WORKFLOWS}/{answer.json()['id']}").json()
        if shown["status"] in {"succeeded", "failed"}:
            break
        try:
            shown = ended(client, shown["id"])
        except AssertionError:
            continue
    assert {step["name"]: step["status"] for step in shown["steps"]} == dict.fromkeys(
        (step["name"] for step in FILM), "succeeded"
    )
    output = {step["name"]: step["output"] for step in shown["steps"]}
    assert output["idea"]["text"].startswith("a lighthouse at sunset, ")
    assert output["judge"]["blocked"] is False
    assert Image.open(io.BytesIO(fetched(output["large"]["blob"]))).size == (384, 256)
    assert frames(fetched(output["film"]["video"])) == (8, 8.0)
    assert frames(fetched(output["smooth"]["video"])) == (16, 16.0)
    for name, member, seconds in (("sea", "blob", 2), ("song", "blob", 4)):
        peak, length = loudest(fetched(output[name][member]))
        assert 0.05 < peak < 1.0
        assert length == pytest.approx(seconds, abs=0.1)
    assert fetched(output["song"]["midi"])[:4] == b"MThd"
    assert output["heard"]["language"] == "English"
    assert b"-->" in fetched(output["heard"]["vtt"])
