"""The weights that are shipped, on captions that nothing learned from, as the frozen checker sees them.

`benchmarks/mini_quality.py` has the whole table; bounds here are looser, because captions are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from heddle.engines.mini import weights
from heddle.engines.mini.codec import Pixels
from heddle.engines.mini.sampling import Knobs
from tests.torch import WITHOUT, needs_torch

if WITHOUT is None:
    from benchmarks.mini_quality import Bench, Painting, distances, negative
    from training.cli import KEPT

pytestmark = [needs_torch, pytest.mark.slow]

COUNT = 40
LEAST = {"object": 0.85, "color": 0.75, "count": 0.65, "position": 0.7, "background": 0.9, "style": 0.85}


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(KEPT, COUNT)


@pytest.fixture(scope="module")
def painting() -> Painting:
    return Painting(weights.SHIPPED, Knobs())


@pytest.fixture(scope="module")
def images(bench: Bench, painting: Painting) -> Sequence[Pixels]:
    return painting.pictures(bench.texts, 1)


def test_pictures_show_what_was_asked_for(bench: Bench, images: Sequence[Pixels]) -> None:
    made = bench.scores(images)
    assert {name: made[name] for name, least in LEAST.items() if made[name] < least} == {}


def test_captions_of_others_score_at_the_floor(bench: Bench, images: Sequence[Pixels]) -> None:
    assert bench.scores(images, shift=1)["object"] <= 0.15


def test_a_negative_prompt_takes_a_thing_away_and_leaves_the_other(bench: Bench, painting: Painting) -> None:
    before, after, kept = negative(bench, painting, 8)
    assert before >= 6
    assert after * 2 <= before
    assert kept >= 6


def test_the_stronger_the_farther_from_the_source(painting: Painting, images: Sequence[Pixels], bench: Bench) -> None:
    rows = distances(painting, bench.texts[4:8], images[:4], (0.2, 0.5, 0.7, 0.9, 1.0))
    assert all(one < other for one, other in pairwise(rows)), rows


def test_words_that_it_does_not_know_and_none_are_painted(painting: Painting) -> None:
    for image in painting.pictures(["", "a dragon eating pizza", "zxq " * 60], 3):
        assert image.shape == (256, 256, 3)
        assert image.std() > 1


def test_the_same_seed_is_the_same_picture_and_another_is_another(painting: Painting) -> None:
    [one, other] = [painting.pictures(["two red cars in the city"], seed)[0] for seed in (5, 6)]
    assert np.array_equal(painting.pictures(["two red cars in the city"], 5)[0], one)
    assert not np.array_equal(one, other)
