"""Which pictures are learned from when, and the picture of the loss: without torch."""

from __future__ import annotations

import io
import math
from collections import Counter
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from heddle.engines.diffusers.training import request
from heddle.learning import curve
from heddle.learning.batches import Batches, bucket, fitted
from heddle.learning.dataset import Example
from heddle.learning.request import Wanted


def wanted(**more: Any) -> Wanted:
    payload = {
        "family": "sdxl", "steps": 100, "epochs": 3, "batchSize": 2, "learningRate": 0.01, "networkDim": 8,
        "networkAlpha": 4, "flip": False, "shuffleTokens": False, "keepTokens": 0, "samples": [], "seed": 5,
    }  # fmt: skip
    return request.wanted(payload | more)


def examples(*captions: str, repeats: int = 1) -> list[Example]:
    return [Example(name=f"{n}", size=(8, 8), caption=c, repeats=repeats) for n, c in enumerate(captions)]


# ── buckets ───────────────────────────────────────────────────────────────────


@given(
    st.tuples(st.integers(1, 20_000), st.integers(1, 20_000)), st.sampled_from([64, 512, 768, 1024]),
    st.sampled_from([8, 16, 64])
)  # fmt: skip
def test_a_bucket_has_no_more_pixels_than_were_asked_for(size: tuple[int, int], resolution: int, step: int) -> None:
    wide, high = bucket(size, resolution, step)
    assert wide % step == high % step == 0
    assert 0 < wide * high <= resolution**2
    assert max(wide, high) <= 2 * resolution


@pytest.mark.parametrize(
    ("size", "made"),
    [((1000, 1000), (1024, 1024)), ((1920, 1080), (1344, 768)), ((10, 9000), (512, 2048)), ((1, 1), (1024, 1024))],
)
def test_buckets_at_1024(size: tuple[int, int], made: tuple[int, int]) -> None:
    assert bucket(size, 1024, 64) == made


def test_pictures_fill_their_bucket() -> None:
    picture = Image.new("RGB", (30, 10), "red")
    picture.paste("blue", (0, 0, 10, 10))
    cut = fitted(picture, (16, 16))
    assert cut.size == (16, 16)
    assert cut.getpixel((8, 8)) == (255, 0, 0)


# ── order ─────────────────────────────────────────────────────────────────────


def test_every_picture_is_seen_as_often_as_it_repeats() -> None:
    known = [*examples("a", "b"), Example(name="c", size=(8, 8), caption="c", repeats=3)]
    batches = Batches(known, [(8, 8), (8, 8), (8, 16)], wanted(batchSize=2))
    round_ = list(islice(batches, 3))
    assert Counter(seen.example for batch in round_ for seen in batch) == {0: 1, 1: 1, 2: 3}
    assert all(len({(8, 16) if s.example == 2 else (8, 8) for s in batch}) == 1 for batch in round_)


def test_the_order_is_of_the_seed_and_changes_with_each_round() -> None:
    known = examples(*"abcdefgh")

    def order(seed: int) -> list[list[int]]:
        return [[s.example for s in batch] for batch in islice(Batches(known, [(8, 8)] * 8, wanted(seed=seed)), 8)]

    assert order(1) == order(1) != order(2)
    assert order(1)[:4] != order(1)[4:]


def test_words_are_shuffled_but_for_the_first() -> None:
    batches = Batches(
        examples("zlomp, a, b, c, d"), [(8, 8)], wanted(shuffleTokens=True, keepTokens=1, batchSize=1, flip=True)
    )
    seen = [batch[0] for batch in islice(batches, 40)]
    assert all(s.caption.startswith("zlomp, ") and sorted(s.caption) == sorted("zlomp, a, b, c, d") for s in seen)
    assert len({s.caption for s in seen}) > 10
    assert {s.mirrored for s in seen} == {True, False}


# ── epochs and rates ──────────────────────────────────────────────────────────


@given(st.integers(1, 10_000), st.integers(1, 200))
def test_epochs_end_with_the_last_step(steps: int, epochs: int) -> None:
    epochs = min(epochs, steps)
    ends = wanted(steps=steps, epochs=epochs).epoch_ends()
    assert (len(ends), ends[-1]) == (epochs, steps)
    assert all(a < b for a, b in zip([0, *ends], ends, strict=False))


def test_rates() -> None:
    def rates(schedule: str) -> list[float]:
        made = wanted(lrScheduler=schedule)
        return [round(made.rate_at(step), 6) for step in (0, 4, 50, 99)]

    assert rates("constant") == [0.01] * 4
    assert rates("linear") == [0.01, 0.0096, 0.005, 0.0001]
    assert rates("cosine") == [0.01, 0.009961, 0.005, 0.000002]
    assert rates("constant_with_warmup") == [0.002, 0.01, 0.01, 0.01]


@pytest.mark.parametrize(
    ("more", "field", "says"),
    [
        ({"optimizerType": "lion"}, "optimizerType", "'lion' is not one of: adamw, adamw8bit, adam8bit"),
        ({"lrScheduler": "step"}, "lrScheduler", "'step' is not one of: constant"),
        ({"trainTextEncoder": True}, "trainTextEncoder", "text encoders are not trained here"),
        ({"family": "flux1", "minSnrGamma": 5.0}, "minSnrGamma", "is for sd1 and sd2 and sdxl"),
        ({"family": "flux1", "noiseOffset": 0.1}, "noiseOffset", "'flux1' is trained on flow"),
    ],
)
def test_what_cannot_be_done_is_told_at_submit(more: dict[str, Any], field: str, says: str) -> None:
    found = request.problems({"family": "sdxl", **more})
    assert list(found) == [field]
    assert says in found[field]
    assert request.problems({"family": "sdxl", "minSnrGamma": 5.0, "optimizerType": "adamw8bit"}) == {}


# ── the curve ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "losses",
    [[0.5], [0.5] * 10, [0.0, 0.0], [1e-9, 2e-9], [3.0, 1e30, 2.0], [1 / (n + 1) for n in range(10_000)]],
)  # fmt: skip
def test_any_losses_can_be_drawn(losses: list[float]) -> None:
    data = curve.drawn(losses, [len(losses)], "a title " * 30)
    with Image.open(io.BytesIO(data)) as drawn:
        assert drawn.size == curve.SIZE
        colors = drawn.convert("RGB").getcolors(1 << 20)
    assert colors is not None
    assert len(colors) > 3
    assert len(data) < 60_000


def test_the_line_goes_down_where_the_loss_does() -> None:
    losses = [1 - n / 300 for n in range(200)]
    with Image.open(io.BytesIO(curve.drawn(losses, [100, 200], "t"))) as drawn:
        image = drawn.convert("RGB")
    blue = (22, 99, 199)

    def height(x: int) -> float:
        found = [y for y in range(100, 475) if math.dist(image.getpixel((x, y)), blue) < 60]  # type: ignore[arg-type]
        assert found
        return sum(found) / len(found)

    assert height(150) < height(500) < height(900)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(5, 10))
def test_ticks_are_few_and_inside(low: float, span: float, most: int) -> None:
    found = curve.ticks(low, low + span, most)
    assert 1 <= len(found) <= most + 1
    assert all(low - span / 1e3 <= value <= low + span * 1.001 for value in found)
