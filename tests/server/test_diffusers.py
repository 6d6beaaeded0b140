"""From HTTP to a blob with a model of the catalog: a picture from text, from a picture, and within a mask."""

from __future__ import annotations

import base64
import io
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from tests.engines.diffusers.conftest import encoded, mask, picture
from tests.serving import ENDS, WORKFLOWS, Serving
from tests.torch import WITHOUT, needs_torch

if WITHOUT is None:
    from tests.engines.diffusers import extras
    from tests.torch import tiny

pytestmark = [needs_torch, pytest.mark.slow]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    home = tmp_path_factory.mktemp("diffusers") / "home"
    home.mkdir()
    (home / "engines.toml").write_text('[diffusers]\ndevice = "cpu"\n')
    server = Serving(home, preview_s=0.1).start()
    try:
        add(server, "sd1", "SD 1.5")
        yield server
    finally:
        status = server.stop()
    assert status == 0


def add(server: Serving, kind: str, base_model: str) -> None:
    """To the catalog, as an operator does."""
    command = [sys.executable, "-m", "heddle", "models", "add", str(tiny.folder(kind)), "--type", "checkpoint"]
    command += ["--base-model", base_model, "--name", kind]
    subprocess.run(command, env={**os.environ, "HEDDLE_HOME": str(server.home)}, check=True)


def add_file(server: Serving, path: Path, kind: str) -> str:
    """What is added to a model; its AIR."""
    command = [sys.executable, "-m", "heddle", "models", "add", str(path), "--type", kind, "--base-model", "SD 1.5"]
    environment = {**os.environ, "HEDDLE_HOME": str(server.home)}
    said = subprocess.run([*command, "--name", path.stem], env=environment, check=True, capture_output=True, text=True)
    found = re.search(r"urn:air:\S+", said.stdout)
    assert found is not None, said.stdout
    return found[0]


def drawn(client: httpx.Client, **given: Any) -> tuple[dict[str, Any], np.ndarray]:
    step = {"$type": "imageGen", "input": {"engine": "sd1", "prompt": "a fox", "seed": 5, "steps": 3, **given}}
    answer = client.post(WORKFLOWS, json={"steps": [step]})
    assert answer.status_code == 202, answer.text
    shown = finished(client, answer.json()["id"])
    assert shown["status"] == "succeeded", shown
    [blob] = shown["steps"][0]["output"]["images"]
    data = httpx.get(blob["url"], follow_redirects=True).content
    return blob, np.asarray(Image.open(io.BytesIO(data)))


def finished(client: httpx.Client, workflow_id: str) -> dict[str, Any]:
    """The first job waits for the libraries and the model, which takes a while where others compute as well."""
    for _ in range(6000):
        shown = client.get(f"{WORKFLOWS}/{workflow_id}").json()
        if shown["status"] in ENDS:
            return shown
        time.sleep(0.05)
    raise AssertionError(f"{workflow_id} is {shown['status']}")


def uri(image: Image.Image) -> str:
    return f"data:image/png;base64,{base64.b64encode(encoded(image)).decode()}"


def test_the_pictures_of_several_users_come_out_of_one_call(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "engines.toml").write_text('[diffusers]\ndevice = "cpu"\nbatch = 4\n')
    server = Serving(home).start()
    try:
        add(server, "sd1", "SD 1.5")
        with server.client() as client:
            drawn(client, width=64, height=64)  # the model is in memory now
            given = {"engine": "sd1", "steps": 40, "width": 64, "height": 64}
            steps = [{"$type": "imageGen", "input": {**given, "prompt": f"a fox, {n}", "seed": n}} for n in range(7)]
            answers = [client.post(WORKFLOWS, json={"steps": [step]}) for step in steps]
            ends = [finished(client, answer.json()["id"]) for answer in answers]
            assert {end["status"] for end in ends} == {"succeeded"}
            batches = [end["steps"][0]["jobs"][0]["result"]["blobs"][0]["metadata"].get("batch", 1) for end in ends]
            assert max(batches) > 1
            assert max(batches) <= 4
            costs = {end["cost"]["total"] for end in ends}
            assert len(costs) == 1, "a place in a call is no other price"
    finally:
        assert server.stop() == 0


def test_from_text_and_again_by_the_seed(serving: Serving) -> None:
    with serving.client() as client:
        _, first = drawn(client, width=64, height=64)
        _, again = drawn(client, width=64, height=64)
    assert first.shape == (64, 64, 3)
    assert np.array_equal(first, again)


def test_from_a_picture_and_within_a_mask(serving: Serving) -> None:
    source = picture()
    with serving.client() as client:
        _, whole = drawn(client, width=64, height=64, images=[uri(source)], strength=0.7)
        _, part = drawn(client, width=64, height=64, images=[uri(source)], strength=0.7, mask=uri(mask()))
    assert whole.shape == part.shape == (64, 64, 3)
    assert not np.array_equal(whole, part)


def test_what_cannot_be_done_is_said_at_submit(serving: Serving) -> None:
    refused = {
        "sampler": {"sampler": "DPM fast"},
        "engine": {"engine": "sdxl"},
        "strength": {"images": [uri(picture())], "strength": 0.01, "steps": 10},
    }
    with serving.client() as client:
        for field, given in refused.items():
            step = {"$type": "imageGen", "input": {"engine": "sd1", "prompt": "a fox", **given}}
            answer = client.post(WORKFLOWS, json={"steps": [step]})
            assert answer.status_code == 400, answer.text
            assert f"steps[0].input.{field}" in answer.text


def test_what_is_added_to_the_model(serving: Serving, tmp_path: Path) -> None:
    lora = add_file(serving, extras.lora("sd1", tmp_path / "lora.safetensors"), "lora")
    control = add_file(serving, extras.control("sd1", tmp_path / "control.safetensors"), "controlnet")
    vae = add_file(serving, extras.vae("sd1", tmp_path / "vae.safetensors"), "vae")
    given = {
        "additionalNetworks": [{"air": lora, "strength": 0.5}],
        "vae": vae,
        "controlNets": [{"model": control, "image": uri(picture()), "preprocessor": "canny"}],
    }
    with serving.client() as client:
        _, base = drawn(client, width=64, height=64)
        for name, value in given.items():
            _, one = drawn(client, width=64, height=64, **{name: value})
            assert not np.array_equal(one, base), name
        blob, _ = drawn(client, width=64, height=64, **given)
        _, again = drawn(client, width=64, height=64)
        step = {"$type": "imageGen", "input": {"engine": "sd1", "prompt": "a fox", "vae": lora}}
        answer = client.post(WORKFLOWS, json={"steps": [step]})
    assert np.array_equal(again, base)
    assert "steps[0].input.vae" in answer.text
    assert blob["id"]


def test_a_picture_is_seen_while_it_is_drawn(client: httpx.Client) -> None:
    drawn(client)  # the model is loaded
    step = {
        "$type": "imageGen",
        "input": {"engine": "sd1", "prompt": "a fox", "steps": 100, "width": 256, "height": 192},
    }
    workflow_id = client.post(WORKFLOWS, json={"steps": [step]}).json()["id"]
    while "previewUrl" not in (job := client.get(f"{WORKFLOWS}/{workflow_id}").json()["steps"][0]["jobs"][0]):
        assert job["status"] not in ENDS, job
        time.sleep(0.02)
    shown = client.get(job["previewUrl"])
    with Image.open(io.BytesIO(shown.content)) as image:
        assert (image.format, image.size) == ("WEBP", (256, 192))
    assert finished(client, workflow_id)["status"] == "succeeded"
    assert client.get(job["previewUrl"]).status_code == 404
