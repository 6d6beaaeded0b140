"""From a zip of pictures to a LoRA of `mini` in the catalog, and to a picture with it, on a real server."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import Image
from tests.engines.mini.conftest import write_weights
from tests.engines.mini_training.test_training import dataset
from tests.serving import WORKFLOWS, Serving, ended

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    home = tmp_path_factory.mktemp("mini-training") / "home"
    home.mkdir()
    (home / "engines.toml").write_text(f'[mini]\nweights = "{write_weights(home.parent / "mini.safetensors")}"\n')
    server = Serving(home, slots=1).start()
    with server.client() as client:
        yield client
    server.stop()


def submit(client: httpx.Client, kind: str, **given: Any) -> dict[str, Any]:
    answer = client.post(WORKFLOWS, json={"steps": [{"$type": kind, "input": given}]})
    assert answer.status_code == 202, answer.text
    shown = ended(client, answer.json()["id"])
    assert shown["status"] == "succeeded", shown
    return shown["steps"][0]["output"]


def picture(client: httpx.Client, **more: Any) -> bytes:
    """The pixels of one with the trigger word."""
    output = submit(client, "imageGen", engine="mini", prompt="zlomp", steps=2, seed=1, **more)
    return Image.open(io.BytesIO(httpx.get(output["images"][0]["url"]).content)).tobytes()


def test_a_training_and_a_picture_with_it(client: httpx.Client) -> None:
    answer = client.post("/v2/consumer/blobs", content=dataset(2), headers={"Content-Type": "application/zip"})
    assert answer.status_code in {200, 201}, answer.text
    given = {
        "engine": "mini", "trainingData": {"type": "zip", "sourceUrl": answer.json()["id"]}, "loraName": "Red disk",
        "triggerWord": "zlomp", "steps": 3, "epochs": 2, "lr": 0.01, "networkDim": 4, "seed": 5,
        "samples": {"prompts": ["zlomp"]},
    }  # fmt: skip
    output = submit(client, "training", **given)
    assert [len(epoch["samples"]) for epoch in output["epochs"]] == [1, 1]
    assert output["air"].startswith("urn:air:mini:lora:heddle:")
    assert Image.open(io.BytesIO(httpx.get(output["lossCurve"]["url"]).content)).format == "PNG"
    version = client.get(f"/api/v1/model-versions/{output['air'].rpartition('@')[2]}").json()
    assert (version["name"], version["baseModel"], version["trainedWords"]) == ("epoch 2", "Mini", ["zlomp"])

    plain = picture(client)
    assert picture(client, additionalNetworks=[{"air": output["air"], "strength": 0}]) == plain
    assert picture(client, additionalNetworks=[{"air": output["air"], "strength": 1}]) != plain

    more = submit(client, "training", **given | {"continueFrom": output["air"], "steps": 1, "epochs": 1})
    assert more["air"] != output["air"]
