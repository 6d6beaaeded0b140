"""From a request to a blob: folders in the catalog, a server, and the workers that load them."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from tests.engines.transformers.conftest import noise
from tests.engines.transformers.test_classifier import PICTURES, picture
from tests.serving import ENDS, WORKFLOWS, Serving
from tests.torch import needs_torch

pytestmark = [needs_torch, pytest.mark.slow]


def add(home: Path, folder: Path, base_model: str, kind: str = "Checkpoint") -> str:
    """Into the catalog; its AIR."""
    command = [sys.executable, "-m", "heddle", "models", "add", str(folder), "--type", kind, "--base-model", base_model]
    env = os.environ | {"HEDDLE_HOME": str(home)}
    done = subprocess.run([*command, "--json"], env=env, check=True, capture_output=True, timeout=120)
    return json.loads(done.stdout)["air"]


def ended(client: httpx.Client, workflow_id: str) -> dict[str, Any]:
    """A worker imports PyTorch first, which may take half a minute on a busy machine."""
    for _ in range(1200):
        shown = client.get(f"{WORKFLOWS}/{workflow_id}").json()
        if shown["status"] in ENDS:
            return shown
        time.sleep(0.25)
    raise AssertionError(shown)


def test_every_engine_makes_a_blob(tiny: Callable[..., Path], tmp_path: Path) -> None:
    home = tmp_path / "home"
    add(home, tiny("whisper"), "Whisper")
    add(home, tiny("vits", speakers=3), "VITS")
    add(home, tiny("llama"), "Llama", "LLM")
    add(home, tiny("picture_judge", PICTURES), "Classifier")
    sound = "data:audio/wav;base64," + base64.b64encode(noise(4)).decode()
    image = "data:image/png;base64," + base64.b64encode(picture((200, 40, 30))).decode()
    steps: list[dict[str, Any]] = [
        {"$type": "transcribe", "input": {"engine": "whisper", "media": sound, "language": "de"}},
        {"$type": "tts", "name": "said", "input": {"engine": "vits", "text": "a red fox", "voice": "2"}},
        {"$type": "textGen", "input": {"engine": "llama", "prompt": "a fox", "maxTokens": 8, "seed": 1}},
        {"$type": "moderation", "input": {"engine": "classifier", "image": image}},
        {"$type": "moderation", "input": {"text": "a fox"}},
    ]
    server = Serving(home).start()
    try:
        with server.client() as client:
            answer = client.post(WORKFLOWS, json={"steps": steps})
            assert answer.status_code == 202, answer.text
            shown = ended(client, answer.json()["id"])
            assert shown["status"] == "succeeded", shown
            heard, said, written, judged, ruled = (step["output"] for step in shown["steps"])
            assert heard["language"] == "German"
            assert {"text", "timeStamps", "srt", "vtt"} <= heard.keys()
            assert said["speaker"] == "2"
            assert httpx.get(said["audioBlob"]["url"]).content[:4] == b"OggS"
            [blob] = shown["steps"][2]["jobs"][0]["result"]["blobs"]
            assert httpx.get(blob["url"]).text == written["text"]
            assert judged["nsfwLevel"] in {"pg", "r", "xxx"}
            assert (judged["engine"], ruled["engine"]) == ("classifier", "rules")

            steps[0]["input"]["language"] = "tlh"
            refused = client.post(WORKFLOWS, json={"steps": steps[:1]})
            assert refused.status_code == 400
            assert "is not one that this model knows" in refused.json()["errors"]["steps[0].input.language"][0]
    finally:
        server.stop()


def test_every_kind_of_voice_is_heard(tiny: Callable[..., Path], tmp_path: Path) -> None:
    """With the model that its kind names; what cannot be is refused at submit; a cancel ends a sentence."""
    home = tmp_path / "home"
    server = Serving(home).start()
    try:
        with server.client() as client:

            def answer(**given: Any) -> httpx.Response:
                step = {"$type": "tts", "input": {"text": "A red fox. Two foxes!", "outputFormat": "wav", **given}}
                return client.post(WORKFLOWS, json={"steps": [step]})

            absent = answer(engine="bark").json()
            assert "the catalog has no model for 'bark'" in str(absent["errors"]), absent
            folder = tmp_path / "speecht5"
            shutil.copytree(tiny("speecht5", voices=("slt",)), folder)
            model = add(home, folder, "SpeechT5")
            (folder / "vocoder").rename(tmp_path / "vocoder")
            assert "has no vocoder" in str(answer(engine="speecht5").json()["errors"])
            (tmp_path / "vocoder").rename(folder / "vocoder")
            voices = {"speecht5": "slt", "bark": "v2/en_speaker_6", "csm": "3"}
            add(home, tiny("bark", voices=("v2/en_speaker_6",)), "Bark")
            add(home, tiny("csm"), "CSM")
            for engine, voice in voices.items():
                named = {"model": model} if engine == "speecht5" else {}
                submitted = answer(engine=engine, voice=voice, **named)
                assert submitted.status_code == 202, submitted.text
                shown = ended(client, submitted.json()["id"])
                assert shown["status"] == "succeeded", shown
                output = shown["steps"][0]["output"]
                sound, rate = soundfile.read(io.BytesIO(httpx.get(output["audioBlob"]["url"]).content))
                assert (rate, output["speaker"]) == (16_000 if engine == "speecht5" else 24_000, voice)
                assert len(sound) / rate == pytest.approx(output["timeStamps"][-1]["endTime"], abs=0.002)
                assert 0.01 < np.sqrt(np.mean(sound**2)) < 0.5

            wrong = answer(engine="bark", voice="ann")
            assert "'ann' is not one of this model's" in str(wrong.json()["errors"]["steps[0].input.voice"])
            assert "is a model for 'speecht5'" in str(answer(engine="csm", model=model).json()["errors"])

            long = answer(engine="csm", text="A red fox. " * 400).json()["id"]
            while client.get(f"{WORKFLOWS}/{long}").json()["status"] != "processing":
                time.sleep(0.02)
            client.put(f"{WORKFLOWS}/{long}", json={"status": "canceled"}).raise_for_status()
            assert ended(client, long)["status"] == "canceled"
            assert ended(client, answer(engine="csm").json()["id"])["status"] == "succeeded"
    finally:
        server.stop()
