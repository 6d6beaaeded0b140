"""Steps that feed each other, on a real server: what a step gives, previews, and references by HTTP."""

from __future__ import annotations

import io
from typing import Any

import httpx
from PIL import Image
from tests.serving import WORKFLOWS, Serving, ended


def submit(client: httpx.Client, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = client.post(WORKFLOWS, json={"steps": list(steps), **more})
    assert answer.status_code == 202, answer.text
    return answer.json()


def image_gen(name: str, **given: Any) -> dict[str, Any]:
    sizes = {"engine": "sketch", "width": 512, "height": 256}
    return {"$type": "imageGen", "name": name, "input": sizes | given}


def opened(url: str) -> Image.Image:
    answer = httpx.get(url)
    assert answer.status_code == 200
    return Image.open(io.BytesIO(answer.content))


def test_a_picture_becomes_the_source_of_the_next(client: httpx.Client) -> None:
    source = {"$ref": "first", "path": "output.images[1].url"}
    submitted = submit(
        client,
        image_gen("first", prompt="a red fox", quantity=2, seed=7, width=1024, height=512),
        {
            "$type": "imageGen",
            "name": "second",
            "input": {"engine": "sketch", "prompt": "a red fox at night", "images": [source]},
        },
    )
    shown = ended(client, submitted["id"])
    assert [step["status"] for step in shown["steps"]] == ["succeeded", "succeeded"]
    first, second = shown["steps"]
    assert second["input"]["images"] == [source]
    assert [image["type"] for image in first["output"]["images"]] == ["image", "image"]
    assert first["output"]["images"][1]["id"] == first["jobs"][1]["result"]["blobs"][0]["blobId"]
    # The size of the source that it did not see at submit.
    assert opened(second["output"]["images"][0]["url"]).size == (1024, 512)


def test_a_large_picture_has_a_preview_and_a_blurhash(client: httpx.Client) -> None:
    shown = ended(client, submit(client, image_gen("a", prompt="a lighthouse", width=1024))["id"])
    [image] = shown["steps"][0]["output"]["images"]
    preview = opened(image["previewUrl"])
    assert (preview.format, preview.size) == ("WEBP", (450, 113))
    assert len(image["blurhash"]) >= 6
    [blob] = shown["steps"][0]["jobs"][0]["result"]["blobs"]
    assert client.get(f"/v2/consumer/blobs/{blob['previewBlobId']}").json()["mimeType"] == "image/webp"


def test_a_small_picture_is_its_own_preview(client: httpx.Client) -> None:
    shown = ended(client, submit(client, image_gen("a", prompt="a hut", width=256))["id"])
    assert "previewUrl" not in shown["steps"][0]["output"]["images"][0]


def test_a_failed_source_cancels_those_that_follow(client: httpx.Client, serving: Serving) -> None:
    broken = {"$type": "imageGen", "name": "broken", "input": {"engine": "pixels", "prompt": "fail", "steps": 1}}
    after = {"$ref": "broken", "path": "output.images[0]"}
    submitted = submit(client, broken, image_gen("after", prompt="y", images=[after]))
    shown = ended(client, submitted["id"])
    assert (shown["status"], shown["cost"]["total"]) == ("failed", 0)
    assert [step["status"] for step in shown["steps"]] == ["failed", "canceled"]
    assert shown["steps"][1]["jobs"][0]["reason"] == "source_failed"


def test_arguments_by_http(client: httpx.Client) -> None:
    step = image_gen("a", prompt={"$ref": "$arguments", "path": "prompt"}, width=64, height=64)
    shown = ended(client, submit(client, step, arguments={"prompt": "a boat"})["id"])
    assert shown["status"] == "succeeded"
