"""upscale: what an input becomes, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from heddle import prices
from heddle.errors import InvalidRequest
from heddle.steps import Facts, Plan, Result
from heddle.steps.upscale import Upscale

PICTURE = Facts(mime="image/png", width=800, height=600)
CLIP = Facts(mime="video/mp4", width=640, height=360, duration_ms=5000, fps=24.0)


def plan(facts: Facts | None = None, **given: Any) -> Plan:
    return Upscale().plan(given, lambda _: facts or Facts())


@pytest.mark.parametrize(
    ("given", "facts", "kind"),
    [
        ({"image": "b"}, None, "image"),
        ({"video": "b"}, None, "video"),
        ({"images": ["b"]}, PICTURE, "image"),
        ({"images": ["b"]}, CLIP, "video"),
        ({"media": "b"}, CLIP, "video"),
        ({"media": "b"}, None, None),
    ],
)
def test_the_source_by_any_name(given: dict[str, Any], facts: Facts | None, kind: str | None) -> None:
    made = plan(facts, **given)
    assert (made.payloads[0]["source"], made.payloads[0].get("kind")) == ("b", kind)
    assert [s.blob_id for s in made.sources] == ["b"]


def test_what_the_result_will_be() -> None:
    payload = plan(CLIP, video="b", scaleFactor=3).payloads[0]
    assert [payload[name] for name in ("width", "height", "durationMs", "fps")] == [1920, 1080, 5000, 24.0]
    payload = plan(PICTURE, image="b", numberOfRepeats=3).payloads[0]
    assert (payload["width"], payload["height"]) == (6400, 4800)


@pytest.mark.parametrize(
    ("given", "facts", "path"),
    [
        ({}, None, "image"),
        ({"image": "a", "video": "b"}, None, "video"),
        ({"image": "a", "scaleFactor": 5}, None, "scaleFactor"),
        ({"image": "a", "scaleFactor": 1}, None, "scaleFactor"),
        ({"image": "a", "numberOfRepeats": 4}, None, "numberOfRepeats"),
        ({"images": ["a", "b"]}, None, "images"),
        ({"image": "a", "outputFormat": "tiff"}, None, "outputFormat"),
        ({"image": "a", "outputFormat": "mp4"}, None, "outputFormat"),
        ({"video": "a", "outputFormat": "png"}, None, "outputFormat"),
        ({"image": "a", "scaleFactor": 4, "numberOfRepeats": 2}, PICTURE, "scaleFactor"),
        ({"image": "a"}, Facts(mime="image/png", width=4090, height=4090), "scaleFactor"),
        ({"video": "a", "scaleFactor": 4}, Facts(mime="video/mp4", width=641, height=360), "scaleFactor"),
        ({"image": "a", "model": "best"}, None, "model"),
        ({"image": "a", "model": "urn:air:other:upscaler:civitai:1@2", "upscaler": "resample"}, None, "model"),
    ],
)
def test_refused(given: dict[str, Any], facts: Facts | None, path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        plan(facts, **given)
    assert path in caught.value.fields


def test_a_model_is_of_the_family_of_upscaling_models() -> None:
    made = plan(image="a", model="urn:air:other:upscaler:civitai:147759@164821")
    assert made.family == "esrgan"
    assert [r.air for r in made.resources] == ["urn:air:other:upscaler:civitai:147759@164821"]
    assert plan(image="a", upscaler="lanczos").family == "lanczos"
    assert plan(image="a").family is None


def test_the_output_has_the_name_of_what_it_is() -> None:
    def shown(kind: str) -> dict[str, Any]:
        blob = {"id": "b", "type": kind}
        return Upscale().output([Result(job=0, role="", blob=blob, output={})])

    assert set(shown("image")) == {"blob"}
    assert set(shown("video")) == {"video"}


@pytest.mark.parametrize(("side", "repeats", "price"), [(1024, 1, 4), (2048, 1, 10), (512, 1, 2), (512, 2, 4)])
def test_the_price_of_a_model(side: int, repeats: int, price: float) -> None:
    facts = Facts(mime="image/png", width=side, height=side)
    assert prices.upscale(plan(facts, image="a", numberOfRepeats=repeats).payloads[0]) == price
