"""The step type and the engine that docs/architecture/08-seams.md builds do what the chapter says."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image
from tests.docs.pages import BLOCKS

from heddle.engines import Engine, Made
from heddle.errors import InvalidRequest
from heddle.steps import StepType


class Context:
    """A job that reads one picture and notes how far it is."""

    job_id = "job_1"
    attempt = 1

    def __init__(self, picture: bytes) -> None:
        self.picture = picture
        self.heard: list[float] = []

    def preview(self, draw: object) -> None: ...

    def progress(self, fraction: float, note: str = "") -> None:
        self.heard.append(fraction)

    def log(self, text: str) -> None:
        raise AssertionError(text)

    def read(self, blob_id: str) -> bytes:
        assert blob_id == "blob_1"
        return self.picture


@pytest.fixture(scope="module")
def chapter() -> dict[str, Any]:
    names: dict[str, Any] = {}
    for block in BLOCKS:
        if block.page.endswith("08-seams.md") and block.language == "python":
            exec(compile(block.text, str(block), "exec"), names)
    return names


def test_the_two_fit_together(chapter: dict[str, Any]) -> None:
    kind: StepType = chapter["Upscale"]()
    engine: Engine = chapter["Enlarge"]()
    plan = kind.plan({"image": "blob_1", "factor": 3}, lambda _: None)
    assert plan.operation in engine.offer().operations
    assert (engine.missing(), engine.price(plan.payloads[0])) == ([], 3.0)
    raw = io.BytesIO()
    Image.new("RGB", (20, 10), "red").save(raw, "PNG")
    context = Context(raw.getvalue())
    (made,) = engine.run(plan.payloads[0], context)
    assert isinstance(made, Made)
    assert Image.open(io.BytesIO(made.data)).size == (made.width, made.height) == (60, 30)
    assert context.heard == sorted(context.heard)


def test_bad_fields_are_named(chapter: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        chapter["Upscale"]().plan({"factor": 9}, lambda _: None)
    assert set(refused.value.fields) == {"image", "factor"}
