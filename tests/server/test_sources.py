"""Sources that are not blob ids: URLs, data: URLs, base64 and our own links; sound and video are looked into."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from tests.elsewhere import Elsewhere, png
from tests.serving import WORKFLOWS, Serving, ended

from heddle.studio import audio, video


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    made = Elsewhere()
    yield made
    made.close()


def post(client: httpx.Client, image: Any, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
    given = {"engine": "sketch", "prompt": "a fox", "images": [image], "strength": 0.1} | more
    return client.post(WORKFLOWS, json={"steps": [{"$type": "imageGen", "input": given}]}, headers=headers)


def source_of(client: httpx.Client, answer: httpx.Response) -> dict[str, Any]:
    """The blob that the source became."""
    assert answer.status_code == 202, answer.text
    shown = ended(client, answer.json()["id"])
    assert shown["status"] == "succeeded"
    [blob_id] = shown["steps"][0]["input"]["images"]
    return client.get(f"/v2/consumer/blobs/{blob_id}").json()


@pytest.mark.parametrize("path", ["/a.png", "/odd"])
def test_a_picture_from_a_url(client: httpx.Client, elsewhere: Elsewhere, path: str) -> None:
    blob = source_of(client, post(client, elsewhere.url + path))
    assert (blob["mimeType"], blob["sizeBytes"]) == ("image/png", len(png()))


def test_a_picture_as_a_data_url_and_as_base64(client: httpx.Client) -> None:
    text = base64.b64encode(png()).decode()
    for given in (f"data:image/png;base64,{text}", text):
        assert source_of(client, post(client, given))["sizeBytes"] == len(png())


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "AVIF"])
def test_what_uploads_take_every_step_for_pictures_can_use(client: httpx.Client, kind: str) -> None:
    file = io.BytesIO()
    Image.open(io.BytesIO(png())).save(file, kind)
    answer = client.post(
        "/v2/consumer/blobs", content=file.getvalue(), headers={"Content-Type": f"image/{kind.lower()}"}
    )
    source = answer.json()["id"]
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": source}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
    }
    small = {"prompt": "a fox", "width": 64, "height": 64}
    shown(
        client,
        {"$type": "upscale", "input": {"image": source}},
        {"$type": "upscale", "input": {"media": source}},
        {"$type": "imageGen", "input": small | {"images": [source]}},
        {"$type": "videoGen", "input": small | {"sourceImage": source, "duration": 1, "fps": 2}},
        {"$type": "moderation", "input": {"image": source}},
        {"$type": "comfy", "input": {"workflow": graph}},
    )


def test_a_link_of_ours_is_the_blob_itself(client: httpx.Client) -> None:
    blob = client.post("/v2/consumer/blobs", files={"file": ("a.png", png(), "image/png")}).json()
    assert source_of(client, post(client, blob["url"]))["id"] == blob["id"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("{url}/nothing", "answered with status 404"),
        ("{url}/empty", "it is empty"),
        ("{url}/page", "it is text/plain, and this must be image"),
        ("http://127.0.0.1:1/a.png", "port 1 is not"),
        ("http://127.0.0.1:1025/a.png", "127.0.0.1"),
        ("http://169.254.169.254/latest/meta-data", "169.254.169.254"),
        ("http://[foo", "'http://[foo' has no usable host name"),
        ("http://a\u2100b/x", "is not a URL"),
        ("data:image/png;base64,%%%", "not valid base64"),
        ("data:image/png;base64," + base64.b64encode(png()[:60]).decode(), "not a readable image/png"),
        ("data:text/plain,hello", "this must be image"),
        ("nothing of the kind", "there is no blob 'nothing of the kind'"),
    ],
)
def test_a_source_that_cannot_be_had_names_its_field(
    client: httpx.Client, elsewhere: Elsewhere, given: str, says: str
) -> None:
    answer = post(client, given.format(url=elsewhere.url))
    assert answer.status_code == 400
    assert says in answer.json()["errors"]["steps[0].input.images[0]"][0]


def test_a_host_that_is_no_address_keeps_nobody_from_submitting(client: httpx.Client) -> None:
    text = base64.b64encode(png()).decode()
    assert post(client, text, {"Host": "[::::]"}).status_code == 202


def test_nothing_is_fetched_for_a_request_that_is_refused_anyway(client: httpx.Client, elsewhere: Elsewhere) -> None:
    answer = post(client, f"{elsewhere.url}/a.png", width=7)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["steps[0].input.width"])
    assert elsewhere.asked == []


def test_the_same_key_fetches_once(client: httpx.Client, elsewhere: Elsewhere) -> None:
    key = {"Idempotency-Key": "sources-once"}
    first, second = (post(client, f"{elsewhere.url}/a.png", key) for _ in range(2))
    assert first.json()["id"] == second.json()["id"]
    assert elsewhere.asked == ["/a.png"]


def test_private_addresses_are_refused_unless_allowed(tmp_path: Path, elsewhere: Elsewhere) -> None:
    server = Serving(tmp_path / "home").start()
    with server.client() as client:
        answer = post(client, f"{elsewhere.url}/a.png")
    assert server.stop() == 0
    assert answer.status_code == 400
    assert elsewhere.asked == []


def test_so_many_sources_are_fetched_and_no_more(client: httpx.Client, elsewhere: Elsewhere) -> None:
    steps = [draw([f"{elsewhere.url}/a.png?{i}"]) for i in range(51)]
    answer = client.post(WORKFLOWS, json={"steps": steps})
    assert (answer.status_code, elsewhere.asked) == (400, [])
    assert "at most 50 sources may be given as URLs or bytes" in answer.json()["errors"]["steps"][0]
    graphs = {
        "$type": "comfy",
        "input": {"workflow": {}, "images": [f"{elsewhere.url}/{i}.png" for i in range(21)]},
    }
    answer = client.post(WORKFLOWS, json={"steps": [graphs]})
    assert "at most 20 items" in answer.json()["errors"]["steps[0].input.images"][0]
    assert elsewhere.asked == []


# ── sources in arguments ──────────────────────────────────────────────────────


def draw(image: Any, **more: Any) -> dict[str, Any]:
    return {
        "$type": "imageGen",
        "input": {"engine": "sketch", "prompt": "a fox", "images": image, "strength": 0.1} | more,
    }


def argument(path: str) -> dict[str, str]:
    return {"$ref": "$arguments", "path": path}


def shown(client: httpx.Client, *steps: dict[str, Any], **arguments: Any) -> list[dict[str, Any]]:
    """The inputs of the steps once they have succeeded."""
    answer = client.post(WORKFLOWS, json={"steps": list(steps), "arguments": arguments})
    assert answer.status_code == 202, answer.text
    done = ended(client, answer.json()["id"])
    assert done["status"] == "succeeded", done
    return [step["input"] for step in done["steps"]]


def test_a_source_in_an_argument_is_fetched_once_for_all_that_refer_to_it(
    client: httpx.Client, elsewhere: Elsewhere
) -> None:
    one, whole, text = shown(
        client,
        draw([argument("pictures[0]")]),
        draw(argument("pictures")),
        {"$type": "moderation", "input": {"text": argument("pictures[0]")}},
        pictures=[f"{elsewhere.url}/a.png"],
    )
    assert elsewhere.asked == ["/a.png"]
    assert one["images"] == whole["images"]
    assert client.get(f"/v2/consumer/blobs/{one['images'][0]}").json()["sizeBytes"] == len(png())
    assert text["text"] == argument("pictures[0]")


def test_bytes_and_links_of_ours_in_arguments(client: httpx.Client) -> None:
    blob = client.post("/v2/consumer/blobs", files={"file": ("a.png", png(), "image/png")}).json()
    noise = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (400, 400, 3), np.uint8)).save(noise, "PNG")
    given = base64.b64encode(noise.getvalue()).decode()
    assert len(given) > 256 * 1024, "longer than what is kept with a workflow"
    for value, size in ((blob["url"], len(png())), (given, len(noise.getvalue()))):
        [made] = shown(client, draw([argument("a.b")]), a={"b": value})
        assert client.get(f"/v2/consumer/blobs/{made['images'][0]}").json()["sizeBytes"] == size
    [made] = shown(client, draw([argument("id")]), id=blob["id"])
    assert made["images"] == [argument("id")], "what is a blob id already stays as it came"


def test_a_graph_and_a_whole_input_may_be_arguments(client: httpx.Client, elsewhere: Elsewhere) -> None:
    url = f"{elsewhere.url}/a.png"
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": url}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
    }
    comfy, drawn = shown(
        client,
        {"$type": "comfy", "input": {"workflow": argument("graph")}},
        {"$type": "imageGen", "input": argument("input")},
        graph=graph,
        input=draw([url])["input"],
    )
    assert comfy["workflow"]["1"]["inputs"]["image"] == drawn["images"][0]
    assert elsewhere.asked == ["/a.png"]


def test_a_bad_source_in_an_argument_names_every_field(client: httpx.Client, elsewhere: Elsewhere) -> None:
    steps = [draw([argument("a")]), draw([argument("b")]), draw(argument("none")), draw([argument("page")])]
    given = {"a": f"{elsewhere.url}/nothing", "b": "data:text/plain,hello", "page": f"{elsewhere.url}/page"}
    answer = client.post(WORKFLOWS, json={"steps": steps, "arguments": given})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["steps[2].input.images"], "nothing is fetched for what is refused anyway"
    assert elsewhere.asked == []
    del steps[2]
    answer = client.post(WORKFLOWS, json={"steps": steps, "arguments": given})
    problems = answer.json()["errors"]
    assert "answered with status 404" in problems["steps[0].input.images[0]"][0]
    assert "this must be image" in problems["steps[1].input.images[0]"][0]
    assert "this must be image" in problems["steps[2].input.images[0]"][0]


def test_many_references_to_a_large_argument_are_refused(client: httpx.Client) -> None:
    step = draw([argument("all")] * 3000)
    answer = client.post(WORKFLOWS, json={"steps": [step], "arguments": {"all": ["https://a.test/"] + ["x"] * 5000}})
    assert answer.status_code == 413
    assert "with its arguments in place the body has more than 100000 values" in answer.json()["message"]


# ── sound and video are looked into when they come ────────────────────────────


def clip(seconds: float = 1.0) -> bytes:
    frames = [np.full((48, 64, 3), i, np.uint8) for i in range(round(seconds * 12))]
    return video.write(frames, fps=Fraction(12))


def sound(seconds: float = 1.0) -> bytes:
    return audio.encode(np.zeros((round(seconds * 8000), 1), np.float32), 8000, "wav")


def upload(client: httpx.Client, data: bytes, kind: str) -> httpx.Response:
    return client.post("/v2/consumer/blobs", content=data, headers={"Content-Type": kind})


def test_a_broken_video_is_refused_when_it_is_uploaded(client: httpx.Client) -> None:
    assert upload(client, clip(), "video/mp4").status_code == 201
    answer = upload(client, clip()[:200], "video/mp4")
    assert answer.status_code == 415
    assert "not a readable video/mp4" in answer.json()["message"]


def test_a_sound_that_is_too_long_is_refused(client: httpx.Client) -> None:
    assert upload(client, sound(19), "audio/wav").status_code == 201
    answer = upload(client, sound(21), "audio/wav")
    assert answer.status_code == 413
    assert answer.json()["message"] == "it lasts 21 s; at most 20 s are taken"
