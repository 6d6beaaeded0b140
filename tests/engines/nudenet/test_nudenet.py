"""`nudenet`: what its finds mean for a picture, and that they are those of the package itself."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image, ImageDraw
from tests.moving import Watcher
from tests.serving import WORKFLOWS, Serving, ended

from heddle import registry
from heddle.engines.nudenet import looking
from heddle.engines.nudenet.options import FINDS, Options
from heddle.errors import EngineFailed, JobError, UsageError

needs_nudenet = pytest.mark.skipif(
    find_spec("nudenet") is None, reason="nudenet is not installed: pip install 'heddle-cloud[moderation]'"
)


def find(name: str, score: float) -> dict[str, Any]:
    return {"class": name, "score": score, "box": [0, 0, 9, 9]}


def picture(kind: str = "PNG", size: tuple[int, int] = (320, 240), **more: Any) -> bytes:
    """A face as a child draws one."""
    image = Image.new("RGB", size, (236, 220, 200))
    draw = ImageDraw.Draw(image)
    draw.ellipse((90, 40, 230, 220), fill=(224, 172, 140))
    draw.ellipse((125, 100, 145, 112), fill=(40, 60, 90))
    draw.ellipse((175, 100, 195, 112), fill=(40, 60, 90))
    draw.arc((130, 140, 190, 190), 20, 160, fill=(160, 60, 60), width=5)
    out = io.BytesIO()
    image.save(out, kind, **more)
    return out.getvalue()


def judge(data: bytes, **options: Any) -> dict[str, Any]:
    engine = registry.engine("nudenet")
    engine.configure(options)
    [made] = engine.run({"media": "blob"}, Watcher(blob=data))
    assert made.mime == "application/json"
    return dict(made.output)


# ── what finds mean ───────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("finds", "level"),
    [
        ([], "pg"),
        ([find("FACE_MALE", 0.9), find("BELLY_EXPOSED", 0.8)], "pg"),
        ([find("MALE_BREAST_EXPOSED", 0.8)], "pg13"),
        ([find("FACE_FEMALE", 0.95), find("FEMALE_BREAST_EXPOSED", 0.6)], "r"),
        ([find("BUTTOCKS_EXPOSED", 0.9), find("FEMALE_GENITALIA_EXPOSED", 0.5)], "x"),
        ([find("FEMALE_GENITALIA_EXPOSED", 0.3)], "pg"),
        ([find("SOMETHING_NEW", 0.9)], "pg"),
    ],
)
def test_the_worst_that_is_sure_decides(finds: list[dict[str, Any]], level: str) -> None:
    assert looking.rated([finds], Options())["nsfwLevel"] == level


def test_a_video_is_as_its_worst_picture_and_labels_are_told_once() -> None:
    looks = [[], [find("FACE_FEMALE", 0.5), find("FACE_FEMALE", 0.9)], [find("ANUS_EXPOSED", 0.7)], []]
    told = looking.rated(looks, Options(blocks=("x",)))
    assert told["labels"] == [{"label": "FACE_FEMALE", "score": 0.9}, {"label": "ANUS_EXPOSED", "score": 0.7}]
    assert (told["isBlocked"], told["blockedReason"]) == (True, "rated x: ANUS_EXPOSED")


def test_the_operator_rates_and_says_how_sure_it_must_be() -> None:
    finds = [[find("FEET_EXPOSED", 0.7)]]
    assert looking.rated(finds, Options.of({"levels": {"FEET_EXPOSED": "r"}}))["nsfwLevel"] == "r"
    assert looking.rated(finds, Options.of({"threshold": 0.8}))["labels"] == []


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"weights": "/nowhere.onnx"}, "weights is '/nowhere.onnx', which is no file"),
        ({"side": 321}, "side is 321"),
        ({"threshold": 0.1}, "threshold is 0.1"),
        ({"levels": {"FEET": "r"}}, "levels names 'FEET'"),
        ({"levels": {"FEET_EXPOSED": "bad"}}, "engines.toml"),
        ({"colour": 1}, "engines.toml"),
    ],
    ids=["weights", "side", "threshold", "find", "level", "option"],
)
def test_options_that_are_wrong_are_named(table: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Options.of(table)


def test_without_the_package_it_says_so_and_is_planned_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heddle.engines.nudenet.find_spec", lambda _: None)
    [said] = registry.engine("nudenet").missing()
    assert "heddle-cloud[moderation]" in said
    assert "AGPL" in said


# ── the package itself ────────────────────────────────────────────────────────


@needs_nudenet
@pytest.mark.parametrize("threshold", [0.25, 0.4])
def test_finds_are_those_of_the_package(tmp_path: Path, threshold: float) -> None:
    from nudenet import NudeDetector  # noqa: PLC0415 # pyright: ignore - it is not everywhere

    file = tmp_path / "face.png"
    file.write_bytes(picture())
    expected = {(found["class"], round(found["score"], 4)) for found in NudeDetector().detect(str(file))}
    told = judge(file.read_bytes(), threshold=threshold)
    assert {(one["label"], one["score"]) for one in told["labels"]} == {e for e in expected if e[1] >= threshold}
    assert {name for name, _ in expected} <= set(FINDS)
    assert expected, "a picture in which nothing is found would prove nothing"


@needs_nudenet
def test_the_list_of_finds_is_the_packages() -> None:
    from nudenet import nudenet  # noqa: PLC0415 # pyright: ignore - it is not everywhere

    assert set(vars(nudenet)["__labels"]) == set(FINDS)


@needs_nudenet
@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF", "BMP"])
def test_every_kind_of_picture_and_size(kind: str) -> None:
    assert judge(picture(kind))["nsfwLevel"] == "pg"
    assert judge(picture(kind, (1, 1)))["labels"] == []
    assert judge(picture(kind, (3, 900)))["labels"] == []


@needs_nudenet
def test_what_cannot_be_looked_at_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="media: this is no picture that can be read"):
        judge(picture()[:60])
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"no weights")
    with pytest.raises(JobError, match="the weights of nudenet cannot be loaded") as caught:
        judge(picture(), weights=str(bad))
    assert caught.value.reason == "engine_unavailable"


@needs_nudenet
def test_no_socket_is_opened(tmp_path: Path) -> None:
    (tmp_path / "face.png").write_bytes(picture())
    script = (
        "import socket\n"
        "def refused(*a, **k): raise AssertionError('a socket')\n"
        "socket.socket.connect = refused\n"
        "from heddle import registry\n"
        "from tests.moving import Watcher\n"
        "data = open('face.png', 'rb').read()\n"
        "[made] = registry.engine('nudenet').run({'media': 'b'}, Watcher(b=data))\n"
        "print(made.output['nsfwLevel'])\n"
    )
    root = str(Path(__file__).parents[3])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    said = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True, env=env
    )
    assert said.stdout.strip() == "pg"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    serving = Serving(tmp_path_factory.mktemp("nudenet") / "home", slots=1).start()
    with serving.client() as client:
        yield client
    assert serving.stop() == 0


@needs_nudenet
def test_from_http_to_the_output(client: httpx.Client) -> None:
    blob = client.post("/v2/consumer/blobs", files={"file": ("a.png", picture(), "image/png")}).json()
    step = {"$type": "moderation", "input": {"engine": "nudenet", "image": blob["id"]}}
    answer = client.post(WORKFLOWS, json={"steps": [step]})
    assert answer.status_code == 202, answer.text
    shown = ended(client, answer.json()["id"])
    assert shown["status"] == "succeeded", shown
    output = shown["steps"][0]["output"]
    assert (output["engine"], output["nsfwLevel"], output["isBlocked"]) == ("nudenet", "pg", False)


def test_a_text_is_not_for_it(client: httpx.Client) -> None:
    step = {"$type": "moderation", "input": {"engine": "nudenet", "text": "a fox"}}
    assert client.post(WORKFLOWS, json={"steps": [step]}).status_code == 400
