"""The loop: against a model whose answers are known, because what it paints is normally distributed."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from heddle.engines.mini import plan, samplers, sampling, windows
from heddle.engines.mini.sampling import Floats, Knobs, Told

MEAN, SPREAD = 0.5, 0.55
TOLD = Told(np.zeros((2, 40, 144), np.float32), np.zeros((2, 144), np.float32), np.zeros((2, 1, 1, 40), np.float32))


def best(x: Floats, level: float) -> Floats:
    """What is most likely clean in x."""
    share = (1 - level) * SPREAD**2 / ((1 - level) ** 2 * SPREAD**2 + level**2)
    return (MEAN + share * (x - (1 - level) * MEAN)).astype(np.float32)


def painter(x: Floats, level: Floats, plans: Floats, told: Told) -> Floats:
    assert len(x) == len(level) == len(plans) == len(told.features)
    return best(x, float(level[0]))


def painted(seeds: list[int], knobs: Knobs, told: Told = TOLD) -> Floats:
    plans = np.zeros((len(seeds), plan.CHANNELS, 16, 16), np.float32)
    return sampling.latents(painter, plans, told, told, seeds, knobs)


@pytest.mark.parametrize("sampler", sampling.SAMPLERS)
def test_every_sampler_comes_to_what_was_learned(sampler: str) -> None:
    near = painted([1, 2], Knobs(steps=60, sampler=sampler))
    far = painted([1, 2], Knobs(steps=6, sampler=sampler))
    assert near.dtype == np.float32
    assert abs(near.mean() - MEAN) < 0.05
    assert SPREAD * 0.85 < near.std() < SPREAD * 1.05
    assert abs(near.std() - SPREAD) < abs(far.std() - SPREAD)


def test_solvers_of_the_second_order_need_fewer_steps() -> None:
    def off(sampler: str) -> float:
        return abs(painted([1, 2], Knobs(steps=16, sampler=sampler)).std() - SPREAD)

    assert off("dpmpp_2m") < off("euler") / 2
    assert off("heun") < off("euler") / 2


def test_a_seed_is_the_same_picture_whatever_is_made_beside_it() -> None:
    for sampler in sampling.SAMPLERS:
        knobs = Knobs(steps=4, sampler=sampler)
        both = painted([7, 8], knobs)
        one = Told(*(values[:1] for values in TOLD))
        assert np.array_equal(painted([8], knobs, one)[0], both[1])
        assert not np.array_equal(both[0], both[1])


def test_stages_and_steps_draw_different_noise() -> None:
    drawn = [sampling.noise([1], stream, (4, 8, 8)).ravel() for stream in range(8)]
    for at, row in enumerate(drawn):
        assert all(abs(np.corrcoef(row, other)[0, 1]) < 0.3 for other in drawn[:at])


def test_guidance_leads_away_from_what_it_is_not_to_be() -> None:
    def of_text(x: Floats, level: Floats, told: Told) -> Floats:
        return np.broadcast_to(told.pooled[:, :1, None, None], x.shape).astype(np.float32)

    said = TOLD._replace(pooled=TOLD.pooled + 1)
    predict = sampling.guided(of_text, said, TOLD, 3.0)
    assert np.all(predict(np.zeros((2, 22, 16, 16), np.float32), 0.5) == 3)
    alone = sampling.guided(of_text, said, TOLD, 1.0)
    assert np.all(alone(np.zeros((2, 22, 16, 16), np.float32), 0.5) == 1)


def test_levels_fall_from_the_start_to_nothing() -> None:
    for start in (1.0, 0.7, 0.1):
        levels = sampling.levels(5, 3.0, start)
        assert math.isclose(levels[0], start)
        assert levels[-1] == 0
        assert all(low < high for high, low in pairwise(levels))
    assert sampling.levels(4, 3.0)[1] > sampling.levels(4, 1.0)[1] == 0.75


@pytest.mark.parametrize("cells", [16, 17, 24, 25, 40, 64, 256])
def test_windows_cover_a_side_and_overlap_by_half_at_least(cells: int) -> None:
    starts = windows.starts(cells)
    assert (starts[0], starts[-1]) == (0, cells - 16)
    assert all(0 < after - before <= 8 for before, after in pairwise(starts))


def test_windows_that_agree_leave_no_seam() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 24, 16, 44)).astype(np.float32)
    predict = sampling.joined(lambda part, level, y, left: part[:, :, y : y + 16, left : left + 16] * level, 16, 44)
    assert np.allclose(predict(x, 0.5), x * 0.5, atol=1e-6)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("", "euler"), ("Automatic", "euler"), ("Euler", "euler"), ("euler", "euler"), ("eulerA", "euler_a"),
        ("Euler a", "euler_a"), ("euler_ancestral", "euler_a"), ("euler_a", "euler_a"), ("Heun", "heun"),
        ("DPM++ 2M", "dpmpp_2m"), ("dpM2M", "dpmpp_2m"), ("dpmpp_2m", "dpmpp_2m"), ("dpm++2m", "dpmpp_2m"),
    ],
)  # fmt: skip
def test_samplers_are_known_by_the_names_of_four_programs(asked: str, name: str) -> None:
    chosen = samplers.choose(asked)
    assert (chosen.name, chosen.approximation) == (name, "")
    assert chosen.name in sampling.SAMPLERS


@pytest.mark.parametrize(
    "asked", ["DPM++ 2M Karras", "dpM2MKarras", "dpmpp_2m karras", "dpm++2m+karras", "Euler Simple"]
)
def test_a_schedule_is_the_models_own_and_that_is_said(asked: str) -> None:
    chosen = samplers.choose(asked)
    assert repr(asked) in chosen.approximation
    assert "own schedule" in chosen.approximation


@pytest.mark.parametrize("asked", ["LMS", "dpmpp_2m_sde", "DPM++ 2M SDE", "ddim", "euler bongtangent", "dpm2", "ユリ"])
def test_other_samplers_are_refused_with_the_list(asked: str) -> None:
    with pytest.raises(samplers.UnknownSampler, match=r"Euler, Euler a, Heun, DPM\+\+ 2M") as error:
        samplers.choose(asked)
    assert repr(asked) in str(error.value)
