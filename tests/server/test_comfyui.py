"""Graphs that go to a ComfyUI server: which ones do, through HTTP to blobs. The server is a double."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from tests import comfy_server
from tests.comfy_server import ComfyServer
from tests.serving import WORKFLOWS, Serving, ended


@pytest.fixture(scope="module")
def double() -> Iterator[ComfyServer]:
    with comfy_server.serving(key="sesame") as double:
        yield double


@pytest.fixture(scope="module")
def client(double: ComfyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    home = tmp_path_factory.mktemp("comfyui") / "home"
    home.mkdir()
    Path(home / "engines.toml").write_text(
        f'[comfyui]\nurl = "{double.url}"\nkey = "sesame"\nbuzz_per_second = 0.5\nusual_s = 14\n'
    )
    serving = Serving(home, slots=1, preview_s=0.1).start()
    with serving.client() as client:
        yield client
    assert serving.stop() == 0


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def drawing(*, steps: int = 4, checkpoint: str = "real.safetensors") -> dict[str, Any]:
    return {
        "4": node("CheckpointLoaderSimple", ckpt_name=checkpoint),
        "5": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "6": node("CLIPTextEncode", text="a fox", clip=["4", 1]),
        "3": node("KSampler", model=["4", 0], seed=1, steps=steps, latent_image=["5", 0], cfg=7.0,
                  positive=["6", 0], negative=["6", 0]),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", images=["8", 0], filename_prefix="a"),
    }  # fmt: skip


def submitted(client: httpx.Client, workflow: dict[str, Any], **more: Any) -> httpx.Response:
    return client.post(WORKFLOWS, json={"steps": [{"$type": "comfy", "input": {"workflow": workflow, **more}}]})


def finished(client: httpx.Client, workflow: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = submitted(client, workflow, **more)
    assert answer.status_code == 202, answer.text
    return ended(client, answer.json()["id"])


def test_a_graph_with_classes_and_a_source_that_only_the_server_knows(
    client: httpx.Client, double: ComfyServer
) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    blob = client.post("/v2/consumer/blobs", files={"file": ("a.png", out.getvalue(), "image/png")}).json()
    graph = {
        "1": node("LoadImage", image=blob["id"]),
        "2": node("Fancy", image=["1", 0], strength=1.0),
        "3": node("SaveImage", images=["2", 0], filename_prefix="x"),
        "4": node("Shout", text="done"),
    }
    shown = finished(client, graph)
    assert shown["status"] == "succeeded", shown
    assert shown["cost"]["total"] == 7
    (made,) = shown["steps"][0]["output"]["blobs"]
    assert (np.asarray(Image.open(io.BytesIO(httpx.get(made["url"]).content))) == 255 - pixels).all()
    assert (made["width"], made["height"]) == (30, 20)


def test_graphs_go_where_their_models_are(client: httpx.Client, double: ComfyServer) -> None:
    before = len(double.runs)
    for checkpoint, engine, runs in (
        ("real.safetensors", None, 1),
        ("sketch.safetensors", None, 0),
        ("real.safetensors", "sketch", 0),
        ("real.safetensors", "comfyui", 1),
    ):
        given = {} if engine is None else {"engine": engine}
        shown = finished(client, drawing(checkpoint=checkpoint), **given)
        assert shown["status"] == "succeeded", shown
        assert len(double.runs) - before == runs
        before = len(double.runs)


def test_what_the_server_says_is_told(client: httpx.Client) -> None:
    shown = finished(client, drawing(checkpoint="sd_xl_foreign.safetensors"))
    assert shown["status"] == "failed"
    assert "workflow.4.inputs.ckpt_name: Value not in list" in str(shown)


def test_files_of_the_server_are_refused_at_submit(client: httpx.Client) -> None:
    graph = {"1": node("LoadImage", image="cat.png"), "2": node("Fancy", image=["1", 0], strength=1.0),
             "3": node("SaveImage", images=["2", 0])}  # fmt: skip
    answer = submitted(client, graph)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["steps[0].input.workflow.1.inputs.image"]


def test_a_cancel_reaches_the_server(client: httpx.Client, double: ComfyServer) -> None:
    double.step_s = 0.05
    workflow_id = submitted(client, drawing(steps=150)).json()["id"]
    ended(client, workflow_id, "processing")
    client.put(f"{WORKFLOWS}/{workflow_id}", json={"status": "canceled"}).raise_for_status()
    assert ended(client, workflow_id)["status"] == "canceled"
    double.step_s = 0
    assert finished(client, drawing())["status"] == "succeeded"  # the one slot is free again
    assert double.running is None


def test_a_server_that_comes_back_is_asked_again(client: httpx.Client, double: ComfyServer) -> None:
    double.step_s = 0.1
    workflow_id = submitted(client, drawing(steps=30)).json()["id"]
    while double.running is None:
        ended(client, workflow_id, "processing")
    double.forget()
    double.step_s = 0
    shown = ended(client, workflow_id)
    assert shown["status"] == "succeeded", shown


def test_a_running_graph_shows_what_its_sampler_shows(double: ComfyServer, client: httpx.Client) -> None:
    file = io.BytesIO()
    Image.new("RGB", (320, 160), (200, 30, 30)).save(file, "JPEG")
    double.preview, double.step_s = file.getvalue(), 0.02
    try:
        workflow_id = submitted(client, drawing(steps=1000)).json()["id"]
        while not (where := client.get(f"{WORKFLOWS}/{workflow_id}").json()["steps"][0]["jobs"][0].get("previewUrl")):
            time.sleep(0.02)
        shown = client.get(where)
        assert shown.status_code == 200
        with Image.open(io.BytesIO(shown.content)) as image:
            assert (image.format, image.size) == ("WEBP", (256, 128))
        client.delete(f"{WORKFLOWS}/{workflow_id}")
    finally:
        double.preview, double.step_s = b"a preview", 0.0
