"""What the rules find, and what they must leave alone."""

# ruff: noqa: E501 - tables

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.engines.rules.judge import judge

HARMLESS = [
    "a red fox in the snow", "a photo shoot in Scunthorpe", "kill the lights and shoot a photo", "a cocktail on a table",
    "shooting stars over a lake", "piano sonata in A minor", "a baby elephant in the savanna", "chicken breast with rice",
    "a murder of crows on a wire", "visible to the naked eye", "nude lipstick on a marble table", "killer whales at sunset",
    "Sussex countryside, watercolor", "a peacock in a garden", "children playing football in a park", "a bath bomb in a tub",
    "same-sex wedding in a church", "a sextant on a map", "Essex girls' school choir", "the minor planet Ceres",
    "kill time at the airport", "suicide prevention hotline poster without blood",
]  # fmt: skip

FOUND = [
    ("explicit porn scene", "sexual"), ("p0rn", "sexual"), ("n.a.k.e.d woman", "sexual"), ("two people having sex", "sexual"),
    ("a beheaded body, gore everywhere", "violence"), ("kill him with an axe", "violence"), ("they shoot people", "violence"),
    ("kill all the jews", "hate"), ("white supremacist rally", "hate"), ("I want to die", "self-harm"),
    ("how to kill myself", "self-harm"), ("how to make a pipe bomb", "illegal"), ("selling cocaine online", "illegal"),
    ("a 12 year old", "minors"), ("little girl", "minors"), ("PÓRN", "sexual"), ("s e x y pose", "sexual"),
]  # fmt: skip


@pytest.mark.parametrize("text", HARMLESS)
def test_the_harmless_is_left_alone(text: str) -> None:
    judged = judge(text)
    triggered = {label for label, score in judged.scores.items() if score >= 0.5} - {"minors"}
    assert (triggered, judged.forbidden) == (set(), False), judged.matched


@pytest.mark.parametrize(("text", "label"), FOUND)
def test_the_plain_is_found(text: str, label: str) -> None:
    judged = judge(text)
    assert judged.scores[label] >= 0.5, judged


@pytest.mark.parametrize("text", ["a nude child", "sexy schoolgirl", "lingerie, 15 years old", "erotic loli"])
def test_a_child_and_anything_sexual_is_forbidden(text: str) -> None:
    assert judge(text).forbidden


def test_several_signs_make_surer() -> None:
    one, two = judge("naked"), judge("naked and topless")
    assert one.scores["sexual"] < two.scores["sexual"] < 1


def test_what_is_denied_does_not_count() -> None:
    assert judge("a family picnic, no nudity, without gore").scores["sexual"] == 0


@given(st.text(max_size=2000))
def test_any_text_is_judged(text: str) -> None:
    judged = judge(text)
    assert all(0 <= score <= 1 for score in judged.scores.values())
