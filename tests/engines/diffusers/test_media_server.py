"""The whole way: models are added to the catalog, a server runs them, blobs come out."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from PIL import Image
from tests.engines.diffusers.media import tiny
from tests.serving import WORKFLOWS, Serving, ended
from tests.torch import needs_torch, tiny_audio, tiny_video

pytestmark = [needs_torch, pytest.mark.slow]


def add(home: Path, folder: Path, base_model: str) -> str:
    """As an operator does it; the AIR."""
    command = [sys.executable, "-m", "heddle", "models", "add", str(folder), "--type", "Checkpoint"]
    done = subprocess.run(
        [*command, "--base-model", base_model, "--json"],
        env=os.environ | {"HEDDLE_HOME": str(home)},
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)["air"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, dict[str, str]]]:
    home = tmp_path_factory.mktemp("server") / "home"
    serving = Serving(home, devices="cpu", slots=1, stand_in="on").start()
    models = {
        "wan": add(home, tiny(tiny_video.wan), "Wan Video 1.3B t2v"),
        "pictures": add(home, tiny(tiny_video.wan, pictures=True, two=True), "Wan Video 2.2 I2V-A14B"),
        "ltx2": add(home, tiny(tiny_video.ltx2), "LTXV2"),
        "ace": add(home, tiny(tiny_audio.ace_step, turbo=True), "ACE Audio"),
        "stable": add(home, tiny(tiny_audio.stable_audio), "Stable Audio"),
    }
    with serving.client() as client:
        yield client, models
    assert serving.stop() == 0


def made(client: httpx.Client, kind: str, **given: Any) -> dict[str, Any]:
    """The output of a step that succeeded."""
    answer = client.post(WORKFLOWS, json={"steps": [{"$type": kind, "input": given}]})
    assert answer.status_code == 202, answer.text
    for _ in range(6):  # loading PyTorch takes its time on a busy machine
        try:
            shown = ended(client, answer.json()["id"])
            break
        except AssertionError:
            continue
    assert shown["status"] == "succeeded", shown
    return shown["steps"][0]["output"]


def opened(blob: dict[str, Any]) -> av.container.InputContainer:
    answer = httpx.get(blob["url"])
    assert answer.status_code == 200
    return av.open(io.BytesIO(answer.content))


SMALL = {"duration": 1, "fps": 9, "width": 70, "height": 64, "steps": 2, "seed": 5}


def test_videos(served: tuple[httpx.Client, dict[str, str]]) -> None:
    client, models = served
    first = made(client, "videoGen", engine="wan2.1", prompt="a cat", **SMALL)["video"]
    assert (first["width"], first["height"]) == (70, 64)
    with opened(first) as file:
        assert sum(1 for _ in file.decode(video=0)) == 9
        assert file.metadata["comment"]
        assert models["wan"] in file.metadata["comment"], "the one of the catalog was taken"
    assert httpx.get(first["previewUrl"]).headers["content-type"] == "image/webp"
    loud = made(client, "videoGen", engine="ltx2", prompt="a cat", **SMALL)["video"]
    with opened(loud) as file:
        assert len(file.streams.audio) == 1


def test_a_video_between_two_pictures_of_another_step(served: tuple[httpx.Client, dict[str, str]]) -> None:
    client, models = served
    out = io.BytesIO()
    Image.new("RGB", (80, 64), "blue").save(out, "PNG")
    blob = client.post("/v2/consumer/blobs", files={"file": ("a.png", out.getvalue(), "image/png")}).json()
    given = {"model": models["pictures"], "firstFrame": blob["id"], "lastFrame": blob["id"]}
    video = made(client, "videoGen", prompt="a cat", **SMALL, **given)["video"]
    with opened(video) as file:
        assert models["pictures"] in file.metadata["comment"]


def test_music_and_sounds(served: tuple[httpx.Client, dict[str, str]]) -> None:
    client, models = served
    song = made(
        client, "music", engine="ace", musicDescription="calm", lyrics="la la", bpm=90, key="A minor", duration=1,
        outputFormat="wav", steps=2,
    )["blob"]  # fmt: skip
    with opened(song) as file:
        assert sum(frame.samples for frame in file.decode(audio=0)) == 8000
    sound = made(client, "audioGen", model=models["stable"], prompt="rain", duration=1, steps=2)["blob"]
    with opened(sound) as file:
        assert file.streams.audio[0].rate == 8000


def test_what_a_model_cannot_do_is_refused_at_submit(served: tuple[httpx.Client, dict[str, str]]) -> None:
    client, models = served
    for kind, given, field in (
        ("videoGen", {"engine": "wan", "model": models["pictures"], "prompt": "a cat"}, "images"),
        ("audioGen", {"model": models["stable"], "prompt": "rain", "duration": 60}, "duration"),
    ):
        answer = client.post(WORKFLOWS, json={"steps": [{"$type": kind, "input": given}]})
        assert answer.status_code == 400, answer.text
        assert f"steps[0].input.{field}" in answer.json()["errors"]


def test_a_version_without_weights_is_stood_in_for(served: tuple[httpx.Client, dict[str, str]]) -> None:
    client, _ = served
    video = made(client, "videoGen", engine="wan2.5", prompt="a boat", duration=1, fps=4, width=64, height=64)["video"]
    with opened(video) as file:
        assert '"standInFor": "wan"' in file.metadata["comment"]
