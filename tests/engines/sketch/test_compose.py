"""Composing: scenes follow readings, at any shape of frame."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heddle.engines.sketch.compose import compose
from heddle.engines.sketch.lexicon import lexicon
from heddle.engines.sketch.objects import catalog
from heddle.engines.sketch.palette import Influence, palette
from heddle.engines.sketch.prompt import read, read_negative
from heddle.engines.sketch.scene import Placed, Scene
from heddle.engines.sketch.svg import draw


def scene(prompt: str, negative: str = "", width: int = 512, height: int = 512, seed: int = 1, **more: Any) -> Scene:
    left_out = read_negative(negative) if negative else None
    return compose(read(prompt), width=width, height=height, seed=seed, negative=left_out, **more)


@pytest.mark.parametrize(("prompt", "kind", "count"), [
    ("three red balloons over the beach", "balloon", 3), ("five fish", "fish", 5), ("a dozen birds", "bird", 12),
    ("two moons", "moon", 2), ("one cloud over a hill", "cloud", 1), ("twenty sheep on a meadow", "sheep", 20),
])  # fmt: skip
def test_counts_arrive_in_the_scene(prompt: str, kind: str, count: int) -> None:
    for seed in range(4):
        assert scene(prompt, seed=seed).count(kind) == count


def test_negative_prompt_removes() -> None:
    assert scene("a cat and a dog").count("dog") == 1
    without = scene("a cat and a dog", "dog, clouds, sun")
    assert without.count("dog") == 0
    assert without.count("cat") == 1
    assert not [placed for placed in without.heavens if placed.kind in ("cloud", "sun")]
    assert scene("a cat, rain", "rain").weather == frozenset()


@pytest.mark.parametrize("seed", range(6))
def test_left_and_right(seed: int) -> None:
    made = scene("a cat on the left, a dog on the right, meadow", seed=seed, width=768)
    places = {placed.kind: placed.x / made.width for placed in made.things}
    assert places["cat"] < 0.45 < 0.55 < places["dog"]


@pytest.mark.parametrize("seed", range(6))
def test_relations(seed: int) -> None:
    made = {placed.kind: placed for placed in scene("a cat on a chair", seed=seed).things}
    chair, cat = made["chair"], made["cat"]
    assert abs(cat.x - chair.x) < chair.height * 0.5
    assert chair.y - chair.height < cat.y < chair.y - chair.height * 0.3
    made = {placed.kind: placed for placed in scene("a bird above a house", seed=seed).things}
    assert made["bird"].y < made["house"].y - made["house"].height * 0.9
    made = {placed.kind: placed for placed in scene("a dog in front of a house", seed=seed).things}
    assert made["dog"].order > made["house"].order or made["dog"].y > made["house"].y


def test_sizes() -> None:
    small, large = (scene(f"a {size} tree and a cow").things for size in ("tiny", "giant"))
    heights = [{placed.kind: placed.height for placed in things} for things in (small, large)]
    assert heights[0]["tree"] / heights[0]["cow"] < 0.6 * heights[1]["tree"] / heights[1]["cow"]


def test_the_seed_changes_the_composition_and_repeats_it() -> None:
    assert scene("a fox in a forest", seed=5) == scene("a fox in a forest", seed=5)
    assert scene("a fox in a forest", seed=5) != scene("a fox in a forest", seed=6)


def test_unknown_words_shape_palette_and_composition() -> None:
    one, other = scene("a tree zxqv"), scene("a tree blorf")
    assert one.palette != other.palette
    assert (one.things[0].x, one.things[0].y) != (other.things[0].x, other.things[0].y)


def test_networks_lean_on_the_palette_and_strength_zero_does_not() -> None:
    plain = scene("a house in a meadow")
    air = "urn:air:sdxl:lora:civitai:1@2"
    assert scene("a house in a meadow", influences=(Influence(air=air, strength=0.0),)) == plain
    strong = scene("a house in a meadow", influences=(Influence(air=air, strength=1.0),))
    assert strong.palette != plain.palette
    assert strong == scene("a house in a meadow", influences=(Influence(air=air, strength=1.0),))


def test_a_low_cfg_scale_lets_colors_drift() -> None:
    strict, loose = scene("a red car", cfg_scale=7.0), scene("a red car", cfg_scale=1.0)
    assert strict.things[0].colors != loose.things[0].colors


@pytest.mark.parametrize(("width", "height"), [(2048, 512), (512, 2048), (2048, 64), (64, 2048), (64, 64), (1024, 768)])
def test_things_stay_in_frames_of_any_shape(width: int, height: int) -> None:
    for prompt in (
        "a castle",
        "a cat and two dogs",
        "a whale",
        "a tree next to a house next to a car",
        "a flock of birds",
    ):
        made = scene(prompt, width=width, height=height)
        for placed in made.things:
            wide = placed.height * catalog()[placed.kind].wide
            assert -0.06 * made.width <= placed.x - wide / 2
            assert placed.x + wide / 2 <= 1.06 * made.width
            assert -0.1 * made.height <= placed.y - placed.height
            assert placed.y <= 1.02 * made.height


def test_a_scene_needs_no_prompt() -> None:
    colors = palette(time="sunset", weather=frozenset(), season="summer", mood=frozenset(), backdrop="sea", seed=3)
    boat = Placed(kind="sailboat", x=400, y=700, height=300, afloat=True, grounded=False)
    made = Scene(width=1000, height=1000, backdrop="sea", palette=colors, things=(boat,), time="sunset")
    assert made.count("sailboat") == 1
    drawn = draw(made, 128, 128)
    assert drawn.startswith("<svg")
    assert draw(made, 128, 128) == drawn


def test_a_moment_moves_the_scene() -> None:
    made = scene("a sailboat on the sea")
    assert draw(replace(made, moment=1.0), 128, 128) != draw(made, 128, 128)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(list(lexicon())), max_size=14),
    st.integers(64, 2048), st.integers(64, 2048), st.integers(0, 2**63 - 1),
)  # fmt: skip
def test_every_reading_becomes_a_drawing(words: list[str], width: int, height: int, seed: int) -> None:
    made = scene(" ".join(words), "people, clouds", width=width, height=height, seed=seed)
    assert len(made.things) <= 64
    assert draw(made, 64, 64).endswith("</svg>")
