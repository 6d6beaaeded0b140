"""From `heddle models add` over HTTP to a blob, and what is refused on the way."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from tests.moving import texture
from tests.serving import WORKFLOWS, Serving, ended
from tests.torch import WITHOUT

if WITHOUT is not None or find_spec("spandrel") is None:
    pytest.skip(WITHOUT or "spandrel is not installed: ./scripts/setup torch", allow_module_level=True)

# What cannot be imported without PyTorch comes after the look for it.
from tests.torch import tiny_upscaler

from heddle.settings import environment

pytestmark = pytest.mark.slow


def add(home: Path, file: Path, kind: str = "upscaler") -> str:
    """The AIR of a model that was added."""
    done = subprocess.run(
        [sys.executable, "-m", "heddle", "models", "add", str(file), "--type", kind, "--base-model", "Other", "--json"],
        env=environment(HEDDLE_HOME=str(home)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [air] = set(re.findall(r'"(urn:air:[^"]+)"', done.stdout))
    return air


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spandrel") / "home"


@pytest.fixture(scope="module")
def models(home: Path) -> dict[str, str]:
    folder = home.parent / "models"
    torn = tiny_upscaler.write(folder / "torn.safetensors", 2)
    made = {
        "four": add(home, tiny_upscaler.write(folder / "four.safetensors", 4)),
        "two": add(home, tiny_upscaler.write(folder / "two.safetensors", 2, seed=2)),
        "torn": add(home, torn),
        "checkpoint": add(home, tiny_upscaler.write(folder / "other.safetensors", 2, seed=3), "checkpoint"),
    }
    torn.write_bytes(torn.read_bytes()[:-10])
    return made


@pytest.fixture(scope="module")
def client(home: Path, models: dict[str, str]) -> Iterator[httpx.Client]:
    serving = Serving(home, slots=1).start()
    with serving.client() as made:
        yield made
    assert serving.stop() == 0


def upload(client: httpx.Client, pixels: np.ndarray) -> str:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    answer = client.post("/v2/consumer/blobs", content=out.getvalue(), headers={"content-type": "image/png"})
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()["id"]


def submit(client: httpx.Client, **given: Any) -> httpx.Response:
    return client.post(WORKFLOWS, json={"steps": [{"$type": "upscale", "input": given}]})


def picture(client: httpx.Client, **given: Any) -> tuple[np.ndarray, dict[str, Any]]:
    answer = submit(client, **given)
    assert answer.status_code == 202, answer.text
    shown = ended(client, answer.json()["id"])
    assert shown["status"] == "succeeded", shown
    blob = shown["steps"][0]["output"]["blob"]
    return np.asarray(Image.open(io.BytesIO(client.get(blob["url"]).content))), blob


def test_a_picture_by_the_model_that_is_named_and_by_the_first(client: httpx.Client, models: dict[str, str]) -> None:
    source = upload(client, texture(40, 1))
    by_two, blob = picture(client, image=source, model=models["two"])
    assert by_two.shape == (80, 80, 3)
    assert (blob["width"], blob["height"]) == (80, 80)
    by_first, _ = picture(client, image=source, engine="spandrel", scaleFactor=4)
    assert by_first.shape == (160, 160, 3)
    named, _ = picture(client, image=source, model=models["four"], scaleFactor=4)
    assert (by_first == named).all()


@pytest.mark.parametrize(
    ("model", "says"),
    [("torn", "is cut off"), ("checkpoint", "this must be a upscaler"), ("none", "is not in the catalog")],
)
def test_a_model_that_cannot_be_used_is_refused_at_submit(
    client: httpx.Client, models: dict[str, str], model: str, says: str
) -> None:
    source = upload(client, texture(40, 1))
    answer = submit(client, image=source, model=models.get(model, "urn:air:other:upscaler:heddle:9@9"))
    assert answer.status_code == 400, answer.text
    [said] = answer.json()["errors"]["steps[0].input.model"]
    assert says in said
