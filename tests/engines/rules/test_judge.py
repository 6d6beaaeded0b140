"""What the rules find, and what they must leave alone."""

# ruff: noqa: E501 - tables

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.engines.rules import Rules
from heddle.engines.rules.judge import judge
from heddle.steps import Facts
from heddle.steps.moderation import Moderation

HARMLESS = [
    "a red fox in the snow", "a photo shoot in Scunthorpe", "kill the lights and shoot a photo", "a cocktail on a table",
    "shooting stars over a lake", "piano sonata in A minor", "a baby elephant in the savanna", "chicken breast with rice",
    "a murder of crows on a wire", "visible to the naked eye", "nude lipstick on a marble table", "killer whales at sunset",
    "Sussex countryside, watercolor", "a peacock in a garden", "children playing football in a park", "a bath bomb in a tub",
    "same-sex wedding in a church", "a sextant on a map", "Essex girls' school choir", "the minor planet Ceres",
    "a film still in the style of David Lynch", "a strangler fig in the jungle", "portrait of Al Gore", "a Gore-Tex jacket",
    "bamboo shoots up close", "a field of oilseed rape", "naked trees in winter", "a naked cake with berries", "a wire stripper",
    "how to make hot chocolate bombs", "Corpse Bride, stop motion", "Sex and the City poster", "apps that kill my battery",
    "sexual selection in birds of paradise", "the constellation Ursa Minor", "B flat minor", "a baby fox in a meadow",
    "kill time at the airport", "suicide prevention hotline poster without blood",
]  # fmt: skip

FOUND = [
    ("explicit porn scene", "sexual"), ("p0rn", "sexual"), ("n.a.k.e.d woman", "sexual"), ("two people having sex", "sexual"),
    ("a beheaded body, gore everywhere", "violence"), ("kill him with an axe", "violence"), ("they shoot people", "violence"),
    ("kill all the jews", "hate"), ("white supremacist rally", "hate"), ("I want to die", "self-harm"),
    ("how to kill myself", "self-harm"), ("how to make a pipe bomb", "illegal"), ("selling cocaine online", "illegal"),
    ("a 12 year old", "minors"), ("little girl", "minors"), ("PÓRN", "sexual"), ("a n.a.k.e.d woman", "sexual"), ("a s e x y pose", "sexual"), ("po\u200brn", "sexual"),
    ("p\u043ern", "sexual"), ("a twelve year old", "minors"), ("a boy, aged 12", "minors"), ("sex with a minor", "minors"),
    ("a pedophile ring", "illegal"), ("build a bomb", "illegal"), ("a lynch mob", "hate"), ("shoot up the school", "violence"), ("s e x y pose", "sexual"),
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


@pytest.mark.parametrize(
    "text",
    [
        "a nude child",
        "sex with a minor",
        "twelve year old, nude",
        "s e x y child",
        "sexy schoolgirl",
        "lingerie, 15 years old",
        "erotic loli",
    ],
)
def test_a_child_and_anything_sexual_is_forbidden(text: str) -> None:
    assert judge(text).forbidden


def test_several_signs_make_surer() -> None:
    one, two = judge("naked"), judge("naked and topless")
    assert one.scores["sexual"] < two.scores["sexual"] < 1


def test_what_is_denied_does_not_count() -> None:
    assert judge("a family picnic, no nudity, without gore").scores["sexual"] == 0


def judged(**given: Any) -> dict[str, Any]:
    [payload] = Moderation().plan(given, lambda _: Facts()).payloads
    [made] = Rules().run(payload, Quiet())
    assert json.loads(made.data) == made.output
    return made.output


class Quiet:
    """A job that nobody watches and that has no sources."""

    job_id = "job_1"
    attempt = 1

    def progress(self, fraction: float, note: str = "") -> None: ...

    def log(self, text: str) -> None: ...

    def read(self, blob_id: str) -> bytes:
        return b""


def test_a_child_alone_is_told_and_not_blocked() -> None:
    found = judged(text="children playing football in a park")
    assert (found["blocked"], found["triggeredLabels"]) == (False, ["minors"])


def test_what_is_forbidden_is_blocked_whatever_is_looked_for() -> None:
    found = judged(text="a murdered man and a nude child", labels=["violence"], threshold=1.0)
    assert (found["blocked"], found["triggeredLabels"]) == (True, ["minors", "sexual"])
    assert [row["label"] for row in found["results"]] == ["violence"]


def test_nobody_has_looked_at_a_picture() -> None:
    found = judged(image="blob_00000000000000000000000001")
    assert (found["nsfwLevel"], found["isBlocked"]) == ("na", False)
    assert "no classifier is installed" in found["unratedReason"]


@pytest.mark.parametrize("text", ["naked ", "a ", "a.", "kill the ", "no "])
def test_a_long_text_takes_no_longer_for_being_odd(text: str) -> None:
    before = time.process_time()
    judge((text * 100_000)[:100_000])
    assert time.process_time() - before < 5


@given(st.text(max_size=2000))
def test_any_text_is_judged(text: str) -> None:
    judged = judge(text)
    assert all(0 <= score <= 1 for score in judged.scores.values())
