"""videoGen: what an input becomes, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from heddle import prices
from heddle.errors import InvalidRequest
from heddle.steps import Facts, Plan
from heddle.steps.video_gen import VideoGen


def plan(facts: Facts | None = None, **given: Any) -> Plan:
    return VideoGen().plan({"prompt": "a boat", **given}, lambda _: facts or Facts())


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ({}, (640, 384)),
        ({"width": 641, "height": 480}, (640, 480)),
        ({"aspectRatio": "16:9"}, (656, 368)),
        ({"aspectRatio": "9:16", "resolution": "720p"}, (720, 1280)),
        ({"width": 640, "aspectRatio": "1:1"}, (640, 640)),
    ],
)
def test_sizes(given: dict[str, Any], size: tuple[int, int]) -> None:
    payload = plan(**given).payloads[0]
    assert (payload["width"], payload["height"]) == size


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"prompt": ""}, "prompt"),
        ({"duration": 31}, "duration"),
        ({"duration": 0}, "duration"),
        ({"width": 1281}, "width"),
        ({"quantity": 5}, "quantity"),
        ({"duration": 30, "fps": 61}, "fps"),
        ({"images": ["a"], "sourceImage": "b"}, "sourceImage"),
        ({"aspectRatio": "9:1"}, "aspectRatio"),
        ({"outputFormat": "gif", "duration": 30, "width": 1280, "height": 720}, "outputFormat"),
    ],
)
def test_refused(given: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        plan(**given)
    assert path in caught.value.fields


def test_a_gif_of_usual_size_is_taken() -> None:
    assert plan(outputFormat="gif", width=1280, height=720).payloads[0]["outputFormat"] == "gif"


def test_one_job_per_video_and_a_source() -> None:
    made = plan(quantity=3, seed=7, sourceImage="b", frameRate=12)
    assert [p["seed"] for p in made.payloads] == [7, 8, 9]
    assert (made.operation, made.sources[0].path, made.payloads[0]["fps"]) == ("variant", "sourceImage", 12)


@pytest.mark.parametrize("family", prices.VIDEO)
def test_every_family_has_a_price(family: str) -> None:
    assert prices.video({**plan(engine=family).payloads[0], "family": family}) > 0


def test_public_prices() -> None:
    assert prices.video(plan(engine="wan2.5", duration=5, width=832, height=480).payloads[0]) == 500
