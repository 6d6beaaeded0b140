"""The example package is installed as its page says, found by its entry point, and runs on a real server."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image
from tests.serving import WORKFLOWS, Serving, ended

PACKAGE = Path(__file__).parents[2] / "examples" / "heddle-mandala"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package in it; built with what is here, so nothing is fetched."""
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run(
        [*command, "--target", str(folder), str(PACKAGE)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def client(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")]))
        server = Serving(tmp_path_factory.mktemp("server") / "home").start()
    with server.client() as client:
        yield client
    assert server.stop() == 0


def submitted(client: httpx.Client, prompt: str) -> dict[str, object]:
    given = {"engine": "mandala", "prompt": prompt, "width": 256, "height": 256, "seed": 3}
    answer = client.post(WORKFLOWS, json={"steps": [{"$type": "imageGen", "input": given}]})
    assert answer.status_code == 202, answer.text
    return ended(client, answer.json()["id"])


def test_it_draws(client: httpx.Client) -> None:
    shown = submitted(client, "quiet evening")
    assert shown["status"] == "succeeded"
    [image] = shown["steps"][0]["output"]["images"]
    picture = Image.open(io.BytesIO(httpx.get(image["url"]).content))
    assert picture.size == (256, 256)
    assert len(picture.getcolors(1 << 16) or ()) > 8


def test_it_says_what_it_cannot_make(client: httpx.Client) -> None:
    job = submitted(client, "123")["steps"][0]["jobs"][0]
    assert (job["reason"], job["message"]) == ("engine_failed", "prompt: '123' has no letter to draw from")


def test_doctor_knows_it(installed: Path, tmp_path: Path) -> None:
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")]),
        "HEDDLE_HOME": str(tmp_path),
        "HEDDLE_PORT": "0",
    }
    done = subprocess.run(
        [sys.executable, "-m", "heddle", "doctor", "--json"], capture_output=True, text=True, env=env, check=False
    )
    assert "mandala" in json.loads(done.stdout)["stepTypes"]["imageGen"]["engines"]
