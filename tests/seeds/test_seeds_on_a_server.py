"""The four seed documents, unmodified, through `heddle run` against a real `heddle serve` with the sketch engine."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.serving import Serving

SEEDS = Path(__file__).parents[3] / "shared" / "seeds" / "arazzo"
POLL = "civitai-image-generation-poll-workflow.yml"
IMG2IMG = "civitai-blob-upload-img2img-workflow.yml"
MODEL = "civitai-model-version-to-generation-workflow.yml"
PRESIGNED = "civitai-presigned-blob-generate-workflow.yml"

pytestmark = pytest.mark.skipif(not SEEDS.is_dir(), reason="the seed documents are not beside this checkout")


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    home = tmp_path_factory.mktemp("seeds") / "home"
    server = Serving(home, {"pixels": "pixels:Pixels"}, callbacks_private="on", upload_ttl_s=3).start()
    yield server
    assert server.stop() == 0


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A picture that is easy to recognize: a red disk on the left of a blue field."""
    y, x = np.mgrid[0:512, 0:640]
    pixels = np.zeros((512, 640, 3), np.uint8)
    pixels[...] = (30, 60, 180)
    pixels[(x - 200) ** 2 + (y - 256) ** 2 < 140**2] = (220, 40, 30)
    file = tmp_path / "source.png"
    Image.fromarray(pixels).save(file)
    return file


def run(serving: Serving, tmp_path: Path, document: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    """`heddle run --json` in a process of its own: exit status and report."""
    done = subprocess.run(
        [
            *RUN,
            str(SEEDS / document),
            "--save",
            str(tmp_path / "out"),
            "--server",
            serving.url,
            "-i",
            f"apiKey={serving.token}",
            *arguments,
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "config")},
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def picture(report: dict[str, Any]) -> np.ndarray:
    file = Path(report["saved"][0]["path"] if isinstance(report["saved"][0], dict) else report["saved"][0])
    with Image.open(io.BytesIO(file.read_bytes())) as image:
        image.load()
        return np.asarray(image.convert("RGB"), np.float64)


RUN = (sys.executable, "-m", "heddle", "run", "--json")
ENGINE, PROMPT = ("-i", "engine=sketch"), ("-i", "prompt=a red fox in the snow")
ALL = ("negativePrompt=trees", "width=640", "height=384", "steps=12", "cfgScale=6.5", "quantity=2")


def test_generation_with_required_inputs(serving: Serving, tmp_path: Path) -> None:
    status, report = run(serving, tmp_path, POLL, *ENGINE, *PROMPT)
    assert status == 0, report
    assert set(report["outputs"]) == {"workflowId", "status", "firstBlobUrl", "cost"}
    assert report["outputs"]["status"] == "succeeded"
    assert picture(report).shape == (1024, 1024, 3)


def test_generation_with_all_inputs(serving: Serving, tmp_path: Path) -> None:
    inputs = [part for value in ALL for part in ("-i", value)]
    status, report = run(serving, tmp_path, POLL, *ENGINE, *PROMPT, *inputs)
    assert status == 0, report
    assert picture(report).shape == (384, 640, 3)
    with serving.client() as client:
        shown = client.get(f"/v2/consumer/workflows/{report['outputs']['workflowId']}").json()
    assert [len(job["result"]["blobs"]) for job in shown["steps"][0]["jobs"]] == [1, 1]


@pytest.mark.parametrize("more", [(), ("-i", "moderate=true")])
def test_image_to_image(serving: Serving, tmp_path: Path, source: Path, more: tuple[str, ...]) -> None:
    status, report = run(serving, tmp_path, IMG2IMG, *ENGINE, *PROMPT, "-i", f"file=@{source}", *more)
    assert status == 0, report
    assert set(report["outputs"]) == {"sourceBlobId", "workflowId", "outputBlobUrl"}
    made = picture(report)
    # Derived from the source: nearer to it than the same prompt without one.
    _, plain = run(serving, tmp_path / "plain", POLL, *ENGINE, *PROMPT, "-i", "width=640", "-i", "height=512")
    original = np.asarray(Image.open(source), np.float64)
    assert made.shape == original.shape
    assert _distance(made, original) < 0.8 * _distance(picture(plain), original)


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(_small(one) - _small(other)).mean())


def _small(pixels: np.ndarray) -> np.ndarray:
    image = Image.fromarray(pixels.astype(np.uint8)).resize((16, 16), Image.Resampling.BOX)
    return np.asarray(image, np.float64)


@pytest.mark.parametrize("more", [(), ("-i", "quantity=2")])
def test_a_catalog_model(serving: Serving, tmp_path: Path, more: tuple[str, ...]) -> None:
    status, report = run(serving, tmp_path, MODEL, *ENGINE, *PROMPT, "-i", "modelVersionId=1", *more)
    assert status == 0, report
    assert report["outputs"]["air"] == "urn:air:sketch:checkpoint:heddle:1@1"
    assert picture(report).shape == (1024, 1024, 3)


CALLBACK = ("-i", "callbackUrl=http://127.0.0.1:9999/hook", "-i", "mimeType=image/png")


def test_presigned_with_the_upload(serving: Serving, tmp_path: Path, source: Path) -> None:
    upload = ("--upload", f"requestUploadUrl.uploadUrl=@{source}")
    size = ("-i", f"sizeBytes={source.stat().st_size}")
    status, report = run(serving, tmp_path, PRESIGNED, *ENGINE, *PROMPT, *CALLBACK, *size, *upload)
    assert status == 0, report
    assert set(report["outputs"]) == {"blobId", "uploadUrl", "workflowId", "outputBlobUrl"}


def test_presigned_without_the_upload_expires(serving: Serving, tmp_path: Path) -> None:
    status, report = run(serving, tmp_path, PRESIGNED, *ENGINE, *PROMPT, *CALLBACK)
    assert status == 2, report
    assert report["outputs"]["outputBlobUrl"] is None
    with serving.client() as client:
        shown = client.get(f"/v2/consumer/workflows/{report['outputs']['workflowId']}").json()
    assert (shown["status"], shown["reason"]) == ("expired", "input_blob_missing")


def test_a_failed_generation_ends_the_run_with_2(serving: Serving, tmp_path: Path) -> None:
    status, report = run(serving, tmp_path, POLL, "-i", "engine=pixels", "-i", "prompt=fail")
    assert status == 2, report
    assert "failed" in json.dumps(report["endedBy"])


def test_a_canceled_generation_ends_the_run_with_2(serving: Serving, tmp_path: Path) -> None:
    with subprocess.Popen(
        [
            *RUN,
            str(SEEDS / POLL),
            "--server",
            serving.url,
            "-i",
            f"apiKey={serving.token}",
            "-i",
            "engine=pixels",
            "-i",
            "prompt=slow",
            "-i",
            "steps=150",
            "-i",
            "quantity=10",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:
        with serving.client() as client:
            canceled = None
            while canceled is None and running.poll() is None:
                items = client.get("/v2/consumer/workflows", params={"take": 1}).json()["items"]
                if items and items[0]["steps"][0]["input"].get("prompt") == "slow":
                    canceled = client.put(f"/v2/consumer/workflows/{items[0]['id']}", json={"status": "canceled"})
        assert canceled is not None
        out, _ = running.communicate(timeout=60)
    assert running.returncode == 2, out


def test_an_engine_that_cannot_run_here_says_what_can(serving: Serving, tmp_path: Path) -> None:
    status, report = run(serving, tmp_path, POLL, "-i", "engine=sdxl", *PROMPT)
    assert status == 1
    assert "HEDDLE_STAND_IN" in json.dumps(report)
