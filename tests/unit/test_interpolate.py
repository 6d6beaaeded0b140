"""interpolate: what an input becomes, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from heddle import prices
from heddle.errors import InvalidRequest
from heddle.steps import Facts, Plan
from heddle.steps.interpolate import Interpolate

CLIP = Facts(mime="video/mp4", width=1000, height=500, duration_ms=4000, fps=24.0)


def plan(facts: Facts | None = None, **given: Any) -> Plan:
    return Interpolate().plan(given, lambda _: facts or Facts())


@pytest.mark.parametrize(
    ("given", "facts", "factor"),
    [
        ({}, None, 2),
        ({"interpolationFactor": 3}, None, 3),
        ({"factor": 3}, None, 3),
        ({"fps": 72}, CLIP, 3),
        ({"fps": 48}, CLIP, 2),
        ({"fps": 48, "factor": 3}, CLIP, 3),
        ({"fps": 60}, Facts(fps=29.97), 2),
    ],
)
def test_the_factor(given: dict[str, Any], facts: Facts | None, factor: int) -> None:
    assert plan(facts, video="v", **given).payloads[0]["interpolationFactor"] == factor


def test_a_rate_of_an_unknown_source_is_looked_at_later() -> None:
    assert plan(video="v", fps=50).payloads[0]["targetFps"] == 50


def test_what_the_result_will_be() -> None:
    payload = plan(CLIP, images=["v"], factor=3).payloads[0]
    assert [payload[name] for name in ("source", "width", "height", "durationMs", "fps")] == ["v", 1000, 500, 4000, 72]


@pytest.mark.parametrize(
    ("given", "facts", "path"),
    [
        ({}, None, "video"),
        ({"video": "a", "images": ["b"]}, None, "images[0]"),
        ({"video": "a", "interpolationFactor": 4}, None, "interpolationFactor"),
        ({"video": "a", "fps": 0}, None, "fps"),
        ({"video": "a", "fps": 60}, CLIP, "fps"),
        ({"video": "a", "outputFormat": "gif"}, None, "outputFormat"),
        ({"video": "a"}, Facts(width=2049, height=100), "video"),
    ],
)
def test_refused(given: dict[str, Any], facts: Facts | None, path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        plan(facts, **given)
    assert path in caught.value.fields


def test_engine_and_model_name_the_same() -> None:
    assert plan(video="v").family is None
    assert plan(video="v", engine="minterpolate").family == "minterpolate"
    assert plan(video="v", model="VFIMamba").family == "vfimamba"


def test_the_price_of_the_model() -> None:
    """The public formula: 96 frames of half a megapixel."""
    assert prices.interpolation(plan(CLIP, video="v").payloads[0]) == pytest.approx(2.188 + 0.29297 * 48)
    assert prices.interpolation(plan(CLIP, video="v", factor=3).payloads[0]) == pytest.approx(0.324 + 0.51379 * 48)


def test_a_rate_that_is_hardly_one_is_priced() -> None:
    """Of a source that is not there yet: the smallest number above 0 is one that the API takes."""
    rows = Interpolate().learn({"source": "v", "targetFps": 5e-324}, lambda _: Facts())
    assert [row["interpolationFactor"] for row in rows] == [2, 3]
    assert all(row["durationMs"] > 0 for row in rows)
