"""imageGen: what an input becomes, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle import prices
from heddle.errors import InvalidRequest
from heddle.steps import Facts, Plan
from heddle.steps.image_gen import ImageGen
from heddle.workflows.pricing import share


def plan(source: tuple[int, int] | None = None, **given: Any) -> Plan:
    return ImageGen().plan(
        {"prompt": "a fox", **given}, lambda _: Facts(width=source[0], height=source[1]) if source else Facts()
    )


@pytest.mark.parametrize(
    ("given", "source", "size"),
    [
        ({}, None, (1024, 1024)),
        ({"engine": "sd1"}, None, (512, 512)),
        ({"width": 640, "height": 480}, None, (640, 480)),
        ({"width": 640}, None, (640, 1024)),
        ({"aspectRatio": "16:9"}, None, (1360, 768)),
        ({"aspectRatio": "16:9", "width": 800}, None, (800, 450)),
        ({"images": ["blob_1"]}, (1024, 768), (1024, 768)),
        ({"images": ["blob_1"]}, (4000, 3000), (1184, 880)),
        ({"images": ["blob_1"]}, (40, 30), (1184, 880)),
        ({"images": ["blob_1"], "height": 600}, (1024, 768), (800, 600)),
        ({"images": ["blob_1"]}, None, (1024, 1024)),
    ],
)
def test_sizes(given: dict[str, Any], source: tuple[int, int] | None, size: tuple[int, int]) -> None:
    payload = plan(source, **given).payloads[0]
    assert (payload["width"], payload["height"]) == size


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"prompt": ""}, "prompt"),
        ({"width": 63}, "width"),
        ({"height": 2049}, "height"),
        ({"width": "wide"}, "width"),
        ({"quantity": 11}, "quantity"),
        ({"quantity": 0}, "quantity"),
        ({"steps": 0}, "steps"),
        ({"cfgScale": 31}, "cfgScale"),
        ({"seed": -2}, "seed"),
        ({"clipSkip": 0}, "clipSkip"),
        ({"aspectRatio": "wide"}, "aspectRatio"),
        ({"aspectRatio": "9:1"}, "aspectRatio"),
        ({"images": ["a", "b"]}, "images"),
        ({"strength": 0.5}, "strength"),
        ({"images": ["a"], "strength": 1.5}, "strength"),
        ({"additionalNetworks": [{"strength": 1}]}, "additionalNetworks[0].air"),
        ({"outputFormat": "bmp"}, "outputFormat"),
        ({"model": "not an air"}, "model"),
    ],
)
def test_refusals_name_the_field(given: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        plan(**given)
    assert list(refusal.value.fields) == [path]


def test_every_bad_field_is_named() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        ImageGen().plan({"width": 1, "height": 1, "quantity": 99}, lambda _: Facts())
    assert set(refusal.value.fields) == {"prompt", "width", "height", "quantity"}


def test_pictures_have_seeds_of_their_own() -> None:
    assert [p["seed"] for p in plan(quantity=3, seed=7).payloads] == [7, 8, 9]
    assert plan(seed=-1).payloads != plan(seed=-1).payloads


@pytest.mark.parametrize(
    ("engine", "operation"), [("sketch", "variant"), ("flux1", "edit"), ("sdxl", "variant"), ("qwen", "edit")]
)
def test_what_a_source_picture_means(engine: str, operation: str) -> None:
    assert plan(engine=engine).operation == "create"
    assert plan(engine=engine, images=["blob_1"]).operation == operation


def test_the_published_price_of_an_sdxl_pair() -> None:
    """1024², 30 steps, two pictures: 24 Buzz, as the public API's own example says."""
    payloads = plan(engine="sdxl", steps=30, quantity=2, sampler="DPM++ 2M Karras").payloads
    assert share([prices.image(p) for p in payloads]) == [12, 12]


@pytest.mark.parametrize(
    ("given", "buzz"),
    [
        ({"engine": "sd1"}, 4),
        ({"engine": "sketch", "width": 2000, "height": 1000}, 2),
        ({"engine": "flux1", "steps": 10, "cfgScale": 1}, 5),
        ({"engine": "flux1", "steps": 10}, 10),
        ({"engine": "flux1", "steps": 10, "images": ["blob_1"]}, 20),
        ({"engine": "qwen", "width": 1328, "height": 1328}, 30),
        ({"engine": "qwen", "width": 1024, "height": 1024, "images": ["blob_1"]}, 40),
        ({"engine": "z-image"}, 8),
        ({"engine": "gemini"}, 60),
    ],
)
def test_prices(given: dict[str, Any], buzz: float) -> None:
    assert prices.image(plan(**given).payloads[0]) == pytest.approx(buzz)


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=10))
def test_shares_are_whole_and_add_up(parts: list[float]) -> None:
    costs = share(parts)
    assert sum(costs) >= max(1, sum(parts) - 1e-6)
    assert sum(costs) <= max(1, sum(parts) + 1)
    assert all(cost >= 0 for cost in costs)
    assert all(abs(cost - part) <= 2 for cost, part in zip(costs, parts, strict=True)) or sum(parts) < 1


@pytest.mark.parametrize(
    ("ecosystem", "family"),
    [
        ("zimageturbo", "z-image"),
        ("zimagebase", "z-image"),
        ("flux1kontext", "flux1"),
        ("fluxkrea", "flux1"),
        ("sd3_5m", "sd3"),
        ("qwen2", "qwen"),
        ("sdxl", "sdxl"),
        ("nowhere", "nowhere"),
    ],
)
def test_a_model_alone_names_its_family(ecosystem: str, family: str) -> None:
    made = plan(model=f"urn:air:{ecosystem}:checkpoint:civitai:1@2")
    assert (made.family, made.payloads[0]["family"]) == (family, family)
    known = prices.IMAGE.get(family, prices.IMAGE["sketch"])
    assert made.payloads[0]["steps"] == known.steps
