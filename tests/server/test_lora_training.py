"""From a zip of pictures to a LoRA in the catalog, on a real server; and the same after its worker was killed."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image, ImageDraw
from tests.serving import ENDS, WORKFLOWS, Serving
from tests.torch import needs_torch

pytestmark = [needs_torch, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    from tests.torch import tiny  # noqa: PLC0415 - torch

    home = tmp_path_factory.mktemp("training") / "home"
    # Imports of torch on a busy machine take longer than anything else here.
    server = Serving(home, slots=1, worker_memory_mb=0, retry_backoff_s=0.1).start()
    command = [sys.executable, "-m", "heddle", "models", "add", str(tiny.folder("sd1"))]
    command += ["--type", "Checkpoint", "--base-model", "SD 1.5", "--name", "Tiny"]
    subprocess.run(command, check=True, env={**os.environ, "HEDDLE_HOME": str(home)}, capture_output=True)
    yield server
    server.stop()


@pytest.fixture
def client(serving: Serving) -> Iterator[httpx.Client]:
    with serving.client() as client:
        yield client


def dataset() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for n in range(3):
            picture = io.BytesIO()
            image = Image.new("RGB", (48, 40), (30, 120, 60))
            ImageDraw.Draw(image).ellipse((4 + n, 6, 40, 30), fill=(220, 40, 20))
            image.save(picture, "PNG")
            archive.writestr(f"{n}.png", picture.getvalue())
            archive.writestr(f"{n}.txt", "a red disk")
        archive.writestr("broken.png", b"nonsense")
    return out.getvalue()


def submit(client: httpx.Client, blob_id: str, **more: Any) -> str:
    given = {
        "engine": "sd1", "trainingData": {"type": "zip", "sourceUrl": blob_id}, "loraName": "Red disk",
        "triggerWord": "zlomp", "steps": 12, "epochs": 3, "lr": 0.01, "networkDim": 4, "resolution": 64, "seed": 5,
        "samples": {"prompts": ["zlomp"]},
    }  # fmt: skip
    answer = client.post(WORKFLOWS, json={"steps": [{"$type": "training", "input": given | more}]})
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def until(condition: Callable[[], Any], within_s: float = 600) -> Any:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError("it took too long")


def ended(client: httpx.Client, workflow_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        shown = client.get(f"{WORKFLOWS}/{workflow_id}").json()
        return shown if shown["status"] in ENDS else None

    return until(look)


def upload(client: httpx.Client) -> str:
    answer = client.post("/v2/consumer/blobs", content=dataset(), headers={"Content-Type": "application/zip"})
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()["id"]


def workers(serving: Serving) -> list[int]:
    """The processes that run engines."""
    assert serving.process is not None
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if b"heddle.fleet.worker" in line and parent == serving.process.pid:
                found.append(int(entry.name))
    return found


def picture(client: httpx.Client, **more: Any) -> bytes:
    """The pixels of one with the trigger word."""
    given = {"engine": "sd1", "prompt": "zlomp", "steps": 2, "seed": 1, "width": 64, "height": 64, **more}
    answer = client.post(WORKFLOWS, json={"steps": [{"$type": "imageGen", "input": given}]})
    assert answer.status_code == 202, answer.text
    shown = ended(client, answer.json()["id"])
    assert shown["status"] == "succeeded", shown
    return Image.open(io.BytesIO(httpx.get(shown["steps"][0]["output"]["images"][0]["url"]).content)).tobytes()


def test_a_training_and_one_whose_worker_was_killed(client: httpx.Client, serving: Serving) -> None:
    blob_id = upload(client)
    first = submit(client, blob_id)
    scratch = serving.home / "scratch"
    until(lambda: list(scratch.glob("*/epoch-1")) or client.get(f"{WORKFLOWS}/{first}").json()["status"] in ENDS)
    for pid in workers(serving):
        os.kill(pid, signal.SIGKILL)
    shown = ended(client, first)
    assert shown["status"] == "succeeded", shown
    step = shown["steps"][0]
    assert step["jobs"][0]["attempt"] == 2, "it was not killed in the middle"
    output = step["output"]
    assert [e["epochNumber"] for e in output["epochs"]] == [1, 2, 3]
    assert all(len(e["samples"]) == 1 and e["air"].startswith("urn:air:sd1:lora:heddle:") for e in output["epochs"])
    assert output["air"] == output["epochs"][-1]["air"]
    assert (output["images"], output["skippedCount"]) == (3, 1)
    curve = httpx.get(output["lossCurve"]["url"])
    assert Image.open(io.BytesIO(curve.content)).format == "PNG"

    version = client.get(f"/api/v1/model-versions/{output['air'].rpartition('@')[2]}").json()
    assert (version["name"], version["baseModel"], version["trainedWords"]) == ("epoch 3", "SD 1.5", ["zlomp"])
    assert version["files"][0]["hashes"]["SHA256"]

    plain = picture(client)
    assert picture(client, additionalNetworks=[{"air": output["air"], "strength": 0}]) == plain
    assert picture(client, additionalNetworks=[{"air": output["air"], "strength": 1}]) != plain

    whole = ended(client, submit(client, blob_id))
    again = whole["steps"][0]["output"]
    assert whole["steps"][0]["jobs"][0]["attempt"] == 1
    # Content has one name: the files are the same, byte for byte.
    assert [e["air"] for e in again["epochs"]] == [e["air"] for e in output["epochs"]]


def test_what_cannot_be_done_is_refused_at_submit(client: httpx.Client) -> None:
    blob_id = upload(client)
    for more, field in (
        ({"optimizerType": "prodigy"}, "optimizerType"),
        ({"engine": "sdxl"}, "engine"),
        ({"continueFrom": "urn:air:sd1:lora:heddle:7@7"}, "continueFrom"),
        ({"trainTextEncoder": True}, "trainTextEncoder"),
    ):
        step = {"$type": "training", "input": {"engine": "sd1", "images": [blob_id], **more}}
        answer = client.post(WORKFLOWS, json={"steps": [step]})
        assert answer.status_code == 400, more
        assert f"steps[0].input.{field}" in answer.text
