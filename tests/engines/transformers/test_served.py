"""From a request to a blob: folders in the catalog, a server, and the workers that load them."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.engines.transformers.conftest import noise
from tests.engines.transformers.test_classifier import PICTURES, picture
from tests.serving import ENDS, WORKFLOWS, Serving
from tests.torch import needs_torch

pytestmark = [needs_torch, pytest.mark.slow]


def add(home: Path, folder: Path, base_model: str, kind: str = "Checkpoint") -> None:
    command = [sys.executable, "-m", "heddle", "models", "add", str(folder), "--type", kind, "--base-model", base_model]
    subprocess.run(command, env=os.environ | {"HEDDLE_HOME": str(home)}, check=True, capture_output=True, timeout=120)


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
