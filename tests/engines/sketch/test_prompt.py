"""Reading: words in, a reading out, and never an error."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heddle.engines.sketch.backdrops import backdrops
from heddle.engines.sketch.color import oklch
from heddle.engines.sketch.lexicon import lexicon
from heddle.engines.sketch.objects import catalog
from heddle.engines.sketch.prompt import read, read_negative
from heddle.engines.sketch.styles import STYLES
from heddle.engines.sketch.words import COLORS
from heddle.engines.sketch.words import STYLES as STYLE_WORDS


def counts(prompt: str) -> dict[str, int]:
    return {want.kind: want.count for want in read(prompt).wants}


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a cat", {"cat": 1}),
        ("three red balloons", {"balloon": 3}),
        ("a dozen birds", {"bird": 12}),
        ("a pair of kittens", {"cat": 2}),
        ("7 mice", {"mouse": 7}),
        ("a flock of birds", {"bird": 11}),
        ("two cats and a dog", {"cat": 2, "dog": 1}),
        ("an automobile", {"car": 1}),
        ("a hot air balloon and a balloon", {"hot air balloon": 1, "balloon": 1}),
        ("2girls, 1boy", {"woman": 2, "man": 1}),
        ("a cat next to a tree, the cat is black", {"cat": 1, "tree": 1}),
        ("(masterpiece:1.2), best quality, 8k, [a (fox:1.4)] BREAK <lora:style:0.8>", {"fox": 1}),
        ("forest without birds", {}),
        ("an orange", {"orange": 1}),
        ("an orange cat", {"cat": 1}),
    ],
)
def test_counts(prompt: str, expected: dict[str, int]) -> None:
    assert counts(prompt) == expected


def test_each_color_goes_to_its_own_thing() -> None:
    house, car = read("a red house next to a dark blue car").wants
    assert house.colors == (COLORS["red"],)
    assert house.relation == ("beside", 1)
    assert oklch(car.colors[0])[0] < oklch(COLORS["blue"])[0]
    assert abs(oklch(car.colors[0])[2] - oklch(COLORS["blue"])[2]) < 25


def test_color_after_its_noun_and_two_colors() -> None:
    assert read("a ball, red").wants[0].colors == (COLORS["red"],)
    assert read("red and blue balloons").wants[0].colors == (COLORS["red"], COLORS["blue"])


def test_garments_hair_and_eyes_belong_to_the_person() -> None:
    [woman] = read("a woman with blonde hair in a red dress").wants
    assert woman.colors == (COLORS["red"],)
    assert dict(woman.traits)["hair"] == COLORS["blonde"]


@pytest.mark.parametrize(
    ("prompt", "name", "value"),
    [
        ("a boat on the ocean", "backdrop", "sea"),
        ("a cat at night", "time", "night"),
        ("a barn at sunrise", "time", "dawn"),
        ("a house in winter", "season", "winter"),
        ("an oil painting of a horse", "style", "oil"),
        ("pixel art tree", "style", "pixel art"),
        ("a cat, blue background", "backdrop_color", COLORS["blue"]),
        ("a tree under a pink sky", "sky_color", COLORS["pink"]),
        ("portrait of a man", "close", True),
    ],
)
def test_setting(prompt: str, name: str, value: object) -> None:
    assert getattr(read(prompt), name) == value


def test_weather_and_mood() -> None:
    found = read("a gloomy village in the rain and fog")
    assert {"rain", "fog"} <= found.weather
    assert "gloomy" in found.mood


def test_positions() -> None:
    left, right = read("a cat on the left, a dog on the right").wants
    assert (left.position, right.position) == ("left", "right")


def test_negative_prompt_names_what_goes() -> None:
    gone = read_negative("people, trees, blurry, clouds").without
    assert {"man", "woman", "child", "tree", "pine tree", "cloud"} <= gone


def test_unknown_words_are_kept_not_refused() -> None:
    assert read("zxqv blorf cat").unknown == ("zxqv", "blorf")


def test_there_is_enough_to_draw() -> None:
    assert len(catalog()) >= 40
    assert len(backdrops()) >= 12
    assert len(STYLES) >= 6
    assert set(STYLE_WORDS.values()) <= set(STYLES)


def test_every_thing_and_backdrop_answers_to_its_name() -> None:
    book = lexicon()
    for name in catalog():
        if not name.startswith(("portrait of", "distant")):
            assert book[name].value == name
    for row in catalog().values():
        assert row.home is None or row.home in backdrops(), row.name


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_read(prompt: str) -> None:
    read(prompt)
    read_negative(prompt)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([*list(lexicon()), ",", "(", ":1.2)", "999", "-1"]), max_size=30))
def test_any_known_words_are_read(words: list[str]) -> None:
    found = read(" ".join(words))
    for want in found.wants:
        assert 1 <= want.count <= 48
        assert want.relation is None or 0 <= want.relation[1] < len(found.wants)
