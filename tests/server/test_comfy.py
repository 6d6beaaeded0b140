"""Graphs on a real server: uploads and other steps as sources, results and their files, refusals."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import httpx
import numpy as np
from PIL import Image
from tests.serving import WORKFLOWS, ended

BLOBS = "/v2/consumer/blobs"


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def drawing(checkpoint: str = "sketch.safetensors") -> dict[str, Any]:
    links = {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}
    return {
        "3": node("KSampler", **links, seed=5, steps=8, cfg=7, sampler_name="euler", scheduler="normal", denoise=1),
        "4": node("CheckpointLoaderSimple", ckpt_name=checkpoint),
        "5": node("EmptyLatentImage", width=128, height=64, batch_size=1),
        "6": node("CLIPTextEncode", text="a red fox", clip=["4", 1]),
        "7": node("CLIPTextEncode", text="", clip=["4", 1]),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", images=["8", 0]),
    }


def inverting(image: object) -> dict[str, Any]:
    return {
        "1": node("LoadImage", image=image),
        "2": node("ImageInvert", image=["1", 0]),
        "3": node("SaveImage", images=["2", 0]),
    }


def submit(client: httpx.Client, *steps: dict[str, Any]) -> httpx.Response:
    return client.post(WORKFLOWS, json={"steps": list(steps)})


def comfy(workflow: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"$type": "comfy", "name": "graph", "input": {"workflow": workflow, **more}}


def finished(client: httpx.Client, *steps: dict[str, Any]) -> dict[str, Any]:
    answer = submit(client, *steps)
    assert answer.status_code == 202, answer.text
    shown = ended(client, answer.json()["id"])
    assert shown["status"] == "succeeded", shown
    return shown


def opened(url: str) -> Image.Image:
    return Image.open(io.BytesIO(httpx.get(url).content))


def test_a_graph_is_run_as_often_as_asked(client: httpx.Client) -> None:
    graph = drawing() | {"10": node("PreviewImage", images=["8", 0])}
    shown = finished(client, comfy(graph, quantity=2))
    step = shown["steps"][0]
    assert [blob["type"] for blob in step["output"]["blobs"]] == ["image", "image"]
    assert [len(job["result"]["blobs"]) for job in step["jobs"]] == [2, 2]
    pictures = [opened(blob["url"]) for blob in step["output"]["blobs"]]
    assert [picture.size for picture in pictures] == [(128, 64)] * 2
    seeds = [json.loads(picture.text["prompt"])["3"]["inputs"]["seed"] for picture in pictures]  # type: ignore[attr-defined]
    assert seeds == [5, 6]
    assert shown["cost"]["total"] == 3


def test_uploads_are_sources(client: httpx.Client) -> None:
    source = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(source).save(out, "PNG")
    uploaded = client.post(BLOBS, files={"file": ("a.png", out.getvalue(), "image/png")}).json()
    for graph, more in (
        (inverting(uploaded["id"]), {}),
        (inverting("images[0]"), {"images": [uploaded["id"]]}),
        (inverting("example.png"), {"images": [uploaded["id"]]}),
        (inverting(f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"), {}),
    ):
        (blob,) = finished(client, comfy(graph, **more))["steps"][0]["output"]["blobs"]
        assert (np.asarray(opened(blob["url"])) == 255 - source).all()


def test_a_graph_works_on_what_another_step_made_and_feeds_the_next(client: httpx.Client) -> None:
    first = {"$type": "imageGen", "name": "first",
             "input": {"engine": "sketch", "prompt": "a boat", "width": 96, "height": 64}}  # fmt: skip
    graph = comfy(inverting({"$ref": "first", "path": "output.images[0].url"}))
    after = comfy(inverting({"$ref": "graph", "path": "output.blobs[0]"})) | {"name": "after"}
    shown = finished(client, first, graph, after)
    pictures = [
        np.asarray(opened(blob["url"]))
        for step in shown["steps"]
        for blob in step["output"].get("images", step["output"].get("blobs"))
    ]
    assert (pictures[1] == 255 - pictures[0]).all()
    assert (pictures[2] == pictures[0]).all()


def test_a_text_of_another_step_may_be_a_prompt(client: httpx.Client) -> None:
    graph = drawing()
    graph["6"]["inputs"]["text"] = {"$ref": "$arguments", "path": "what"}
    answer = client.post(WORKFLOWS, json={"steps": [comfy(graph)], "arguments": {"what": "a castle"}})
    (blob,) = ended(client, answer.json()["id"])["steps"][0]["output"]["blobs"]
    assert opened(blob["url"]).text["parameters"].startswith("a castle")  # type: ignore[attr-defined]


def test_all_problems_of_a_graph_come_at_once(client: httpx.Client) -> None:
    graph = drawing()
    graph["3"]["inputs"] |= {"latent_image": ["50", 0], "steps": 0}
    answer = submit(client, comfy(graph))
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {
        "steps[0].input.workflow.3.inputs.latent_image",
        "steps[0].input.workflow.3.inputs.steps",
    }


def test_a_model_of_others_is_refused_with_the_ways_out(client: httpx.Client) -> None:
    answer = submit(client, comfy(drawing("v1-5-pruned-emaonly.safetensors")))
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["steps[0].input.workflow.4.inputs.ckpt_name"]
    assert "HEDDLE_STAND_IN" in answer.text
    shown = finished(client, comfy(drawing("v1-5-pruned-emaonly.safetensors"), engine="sketch"))
    (blob,) = shown["steps"][0]["output"]["blobs"]
    assert "Stand-in for: v1-5-pruned-emaonly.safetensors" in opened(blob["url"]).text["parameters"]  # type: ignore[attr-defined]
