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


@pytest.mark.parametrize(
    ("given", "family", "ecosystems"),
    [
        ({"engine": "wan2.1"}, "wan", ("wanvideo1_3b_t2v", "wanvideo14b_t2v", "wanvideo")),
        ({"engine": "wan2.2", "firstFrame": "b"}, "wan", ("wanvideo-22-i2v-a14b",)),
        ({"engine": "wan", "version": "v2.2-5b", "images": ["b"]}, "wan", ("wanvideo-22-ti2v-5b",)),
        ({"engine": "ltx2"}, "ltx2", ("ltxv2",)),
        ({"engine": "ltx"}, "ltx2", ("ltxv2", "ltxv")),
        ({"engine": "ltx2.3"}, "ltx2.3", ("ltxv23",)),
        ({"engine": "hunyuan"}, "hunyuan", ("hyv1", "hunyuanvideo15")),
        ({"model": "urn:air:ltxv:checkpoint:heddle:1@1"}, "lightricks", ("ltxv",)),
        ({"engine": "mine", "model": "urn:air:mochi:checkpoint:heddle:1@1"}, "mine", ("mochi",)),
        ({"engine": "mine"}, "mine", ()),
        ({}, None, ()),
    ],
)
def test_whose_models_fit(given: dict[str, Any], family: str | None, ecosystems: tuple[str, ...]) -> None:
    made = plan(**given)
    assert (made.family, tuple(made.ecosystems)) == (family, ecosystems)


def test_a_model_that_is_named_may_be_for_texts_or_pictures() -> None:
    made = plan(model="urn:air:wanvideo14b_t2v:checkpoint:heddle:1@1", firstFrame="b")
    assert made.family == "wan"
    assert {"wanvideo14b_t2v", "wanvideo14b_i2v_480p", "wanvideo-22-i2v-a14b"} <= set(made.ecosystems)


def test_a_first_and_a_last_frame() -> None:
    made = plan(firstFrame="a", lastFrame="b")
    assert [(source.path, source.blob_id) for source in made.sources] == [("firstFrame", "a"), ("lastFrame", "b")]
    assert (made.operation, made.payloads[0]["images"], made.payloads[0]["lastFrame"]) == ("variant", ["a"], "b")
    for bad, path in (({"lastFrame": "b"}, "lastFrame"), ({"firstFrame": "a", "images": ["c"]}, "firstFrame")):
        with pytest.raises(InvalidRequest) as caught:
            plan(**bad)
        assert path in caught.value.fields


def test_sound_is_left_to_the_family_unless_it_is_asked_for() -> None:
    assert "generateAudio" not in plan(engine="ltx2").payloads[0]
    assert plan(engine="ltx2", generateAudio=False).payloads[0]["generateAudio"] is False
