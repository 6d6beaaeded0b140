"""What is made here plays in a browser: right size and length, frames that go on, sound that sounds, no error."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import av
import httpx
import numpy as np
import pytest
from tests import chromium
from tests.serving import FIXTURES, WORKFLOWS, ended

pytestmark = pytest.mark.slow

SIZE, FPS, SECONDS = (192, 128), 12, 1.0
SOUNDS = ("ogg", "mp3", "wav", "flac")
#: Levels of 255 that a sixteenth of a picture may be off, on average: a browser rounds colors its own way.
TOLERANCE = 3.0


def film(name: str, **more: Any) -> dict[str, Any]:
    given = {"prompt": "a red sailboat on the sea at sunset, pan right", "duration": SECONDS, "fps": FPS, "seed": 3}
    return {"$type": "videoGen", "name": name, "input": given | {"width": SIZE[0], "height": SIZE[1]} | more}


def steps() -> list[dict[str, Any]]:
    made = [film(f"film_{kind}", outputFormat=kind) for kind in ("mp4", "webm", "gif")]
    # From 720 lines on, players guess the colors of a file that does not tell.
    made.append(film("tall_mp4", width=1280, height=720, fps=6))
    for kind in ("mp4", "webm"):
        source = {"video": {"$ref": f"film_{kind}", "path": "output.video.url"}, "outputFormat": kind}
        made.append({"$type": "interpolate", "name": f"smooth_{kind}", "input": source})
        made.append({"$type": "upscale", "name": f"large_{kind}", "input": source | {"scaleFactor": 2}})
    for kind in SOUNDS:
        last = {"outputFormat": kind, "seed": 1}
        made += [
            {"$type": "tts", "name": f"speech_{kind}", "input": {"text": "Good morning, all of you."} | last},
            {"$type": "music", "name": f"song_{kind}", "input": {"prompt": "solo piano", "duration": 1} | last},
            {"$type": "audioGen", "name": f"sound_{kind}", "input": {"prompt": "rain", "duration": 1} | last},
        ]
    return made


def blobs(client: httpx.Client) -> dict[str, dict[str, Any]]:
    """The main blob of each step."""
    answer = client.post(WORKFLOWS, json={"steps": steps()})
    assert answer.status_code == 202, answer.text
    shown = ended(client, answer.json()["id"])
    assert shown["status"] == "succeeded", shown
    outputs = {step["name"]: step["output"] for step in shown["steps"]}
    return {name: next(o[k] for k in ("video", "audioBlob", "blob") if k in o) for name, o in outputs.items()}


def kind_of(name: str) -> str:
    if name.endswith("_gif"):
        return "picture"
    return "sound" if name.rpartition("_")[2] in SOUNDS else "video"


def frames(data: bytes) -> list[np.ndarray]:
    with av.open(io.BytesIO(data), "r") as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


def grid(frame: np.ndarray) -> np.ndarray:
    """The mean color of each sixteenth, row by row."""
    rows = [part for row in np.array_split(frame, 4, axis=0) for part in np.array_split(row, 4, axis=1)]
    return np.concatenate([part.mean(axis=(0, 1)) for part in rows])


def off(look: list[float], frame: np.ndarray) -> float:
    return float(np.abs(np.asarray(look) - grid(frame)).mean())


def shape(name: str) -> tuple[int, int, int, int]:
    """Width, height, frames per second and frames, as they were asked for."""
    if name.startswith("tall"):
        return 1280, 720, 6, math.ceil(SECONDS * 6)
    scale, factor = (2 if name.startswith("large") else 1), (2 if name.startswith("smooth") else 1)
    return SIZE[0] * scale, SIZE[1] * scale, FPS * factor, math.ceil(SECONDS * FPS) * factor


def check_video(seen: dict[str, Any], data: bytes) -> None:
    width, height, fps, count = shape(seen["name"])
    assert (seen["width"], seen["height"]) == (width, height)
    assert seen["duration"] == pytest.approx(SECONDS, abs=1.5 / fps)
    # A busy machine leaves frames out; those that it shows go forward, up to the end.
    assert len(set(seen["times"])) >= count // 3
    assert seen["times"] == sorted(seen["times"])
    assert seen["times"][-1] >= SECONDS * 0.8
    decoded = frames(data)
    assert len(decoded) == count
    for at, look in zip(seeks(seen["name"]), seen["looks"], strict=True):
        assert off(look, decoded[int(at * fps)]) < TOLERANCE
    assert off(seen["looks"][0], decoded[-1]) > TOLERANCE


def seeks(name: str) -> list[float]:
    """The middle of a frame near the beginning, of one in the middle, and of one near the end."""
    _, _, fps, count = shape(name)
    return [(i + 0.5) / fps for i in (1, count // 2, count - 2)]


def check_picture(seen: dict[str, Any], data: bytes) -> None:
    width, height, _, count = shape(seen["name"])
    assert (seen["width"], seen["height"], seen["animated"]) == (width, height, True)
    assert seen["duration"] == pytest.approx(SECONDS, abs=0.01)
    decoded = frames(data)
    assert len(seen["looks"]) == len(decoded) == count
    assert max(off(look, frame) for look, frame in zip(seen["looks"], decoded, strict=True)) < TOLERANCE
    assert off(seen["looks"][0], decoded[-1]) > TOLERANCE


def check_sound(seen: dict[str, Any], blob: dict[str, Any]) -> None:
    # MP3 comes in frames of 26 ms, with some before and after.
    assert seen["duration"] == pytest.approx(blob["duration"], abs=0.08)
    assert seen["decoded"] == pytest.approx(blob["duration"], abs=0.08)
    assert seen["at"] == pytest.approx(seen["duration"], abs=0.05)
    assert seen["channels"] == (1 if seen["name"].startswith("speech") else 2)
    assert 0.02 < seen["loudness"] < 0.5


def test_everything_plays(client: httpx.Client) -> None:
    if chromium.program() is None:
        pytest.skip("there is no Chromium; a package `chromium` brings it")
    made = blobs(client)
    media = [
        {"name": name, "kind": kind_of(name), "url": blob["url"], "seeks": seeks(name)} for name, blob in made.items()
    ]
    page = (FIXTURES / "playback.html").read_text().replace("MEDIA", json.dumps(media), 1)
    found = {seen["name"]: seen for seen in chromium.found(page)}
    assert set(found) == set(made)
    assert {name: seen["error"] for name, seen in found.items() if "error" in seen} == {}
    for name, seen in found.items():
        kind = kind_of(name)
        if kind == "sound":
            check_sound(seen, made[name])
        else:
            (check_video if kind == "video" else check_picture)(seen, httpx.get(made[name]["url"]).content)
