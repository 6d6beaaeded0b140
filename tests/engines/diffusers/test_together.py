"""Jobs of several users in one call: each gets the picture that it would have got alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from tests.engines.diffusers.conftest import draw, payload, pixels
from tests.moving import Watcher
from tests.torch import WITHOUT, needs_torch

from heddle.engines.diffusers import Diffusers, samplers
from heddle.engines.diffusers.families import FAMILIES
from heddle.errors import UsageError

if WITHOUT is None:
    from tests.torch import tiny

pytestmark = needs_torch

JOBS = [
    {"prompt": "a red fox", "seed": 7},
    {"prompt": "two boats, and a lighthouse behind them", "seed": 8},
    {"prompt": "", "seed": 2**62},
]
KINDS = ["sd1", "sdxl", "sd3", "flux1", "flux1-kontext", "flux2-klein", "z-image", "qwen", "chroma"]


@pytest.fixture(scope="module")
def engine() -> Diffusers:
    made = Diffusers()
    made.configure({"device": "cpu", "batch": 4})
    return made


def together(engine: Diffusers, jobs: Sequence[dict[str, Any]]) -> list[Any]:
    assert len({engine.batch(job) for job in jobs}) == 1
    return list(engine.run_together(jobs, Watcher()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("negative", [False, True], ids=["", "negative"])
def test_each_picture_is_that_of_a_job_alone(engine: Diffusers, kind: str, negative: bool) -> None:
    if negative and not FAMILIES[kind].negative:
        return
    jobs = [payload(kind, tiny.folder(kind), **job) for job in JOBS]
    if negative:
        jobs = [job | {"negativePrompt": word} for job, word in zip(jobs, ("rain", "fog at night", "x"), strict=True)]
    alone = [draw(engine, job) for job in jobs]
    for one, other, job in zip(together(engine, jobs), alone, jobs, strict=True):
        near(one, other, job)
        assert one.mime == other.mime
        assert one.metadata["batch"] == len(jobs)
        assert "Batch size: 3" in one.metadata["parameters"]
        assert "batch" not in other.metadata


@pytest.mark.parametrize("name", samplers.names(flow=False))
def test_a_sampler_draws_for_each_or_is_run_alone(engine: Diffusers, name: str) -> None:
    jobs = [payload("sd1", tiny.folder("sd1"), sampler=name, **job) for job in JOBS[:2]]
    if engine.batch(jobs[0]) is not None:
        near(together(engine, jobs)[1], draw(engine, jobs[1]), jobs[1])


@pytest.mark.parametrize("name", samplers.names(flow=True))
def test_a_sampler_of_flow_models_too(engine: Diffusers, name: str) -> None:
    jobs = [payload("flux1", tiny.folder("flux1"), sampler=name, **job) for job in JOBS[:2]]
    if engine.batch(jobs[0]) is not None:
        near(together(engine, jobs)[1], draw(engine, jobs[1]), jobs[1])


def near(one: Any, other: Any, job: dict[str, Any]) -> None:
    """The same but for rounding: sums over several pictures are added up in another order."""
    assert one.metadata["seed"] == other.metadata["seed"] == job["seed"]
    difference = np.abs(pixels(one.data).astype(int) - pixels(other.data))
    assert difference.max() <= 2
    assert np.mean(difference > 0) < 0.02
    assert pixels(other.data).std() > 1


def test_what_goes_together(engine: Diffusers) -> None:
    job = payload("sd1", tiny.folder("sd1"))
    key = engine.batch(job)
    assert key is not None
    assert engine.batch(job | {"prompt": "x", "seed": 1, "outputFormat": "jpeg"}) == key
    for other in ({"steps": 4}, {"cfgScale": 5.0}, {"width": 128}, {"sampler": "ddim"}, {"negativePrompt": "rain"}):
        assert engine.batch(job | other) not in {key, None}
    for alone in ({"operation": "variant", "images": ["b"]}, {"width": 1024, "height": 1024}, {"sampler": "DPM++ SDE"}):
        assert engine.batch(job | alone) is None
    assert Diffusers().batch(job) is None


def test_the_operator_says_how_many() -> None:
    engine = Diffusers()
    assert engine.offer().lookahead is None
    engine.configure({"batch": 4})
    assert engine.offer().lookahead == 7
    with pytest.raises(UsageError, match="batch is 0"):
        engine.configure({"batch": 0})
    with pytest.raises(UsageError, match="batch_pixels is 1"):
        engine.configure({"batch_pixels": 1})


def test_memory_is_counted_for_all_of_them() -> None:
    job = payload("sd1", tiny.folder("sd1"))
    sizes: list[int] = []
    for options in ({}, {"batch": 4, "batch_pixels": 1024 * 1024}):
        engine = Diffusers()
        engine.configure({"device": "cpu", **options})
        needs = engine.needs(job)
        assert needs is not None
        sizes.append(needs.memory_mb)
    assert sizes[1] > 2 * sizes[0]
