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
    "all women are equal", "all immigrants should have rights", "immigrants are not criminals", "women are killed every day",
    "these women are scientists", "muslims are praying in a mosque", "museum of the Holocaust, genocide memorial", "Nigeria's flag",
    "a niggling doubt", "a faggot of wood", "kill them with kindness", "kill the child process", "shoot him an email",
    "shoot people with a water gun at a pool party", "shooting children on a beach with a 50mm lens", "burn the toast",
    "execute the plan", "a stabbing pain in my back", "gory details of the budget", "rape of the Sabine women, sculpture",
    "a tortured soul", "strangling vines", "an overdose of cuteness", "I want to die laughing", "end my life insurance policy",
    "I don't want to live in a city", "cut yourself a slice of cake", "hang yourself a picture", "making a bomb disposal robot",
    "heroin chic fashion of the nineties", "a counterfeit detector pen", "hack into a coconut", "launder my shirts",
    "sex appeal of a red car", "the naked chef cookbook", "nude descending a staircase", "anal fin of a fish", "undressed salad",
    "no clothes line in the yard", "a pussy cat in boots", "great tits on a branch", "pussy willow", "Moby Dick and the whale",
    "baby in a crib with a bottle of breast milk", "a child at a breast cancer walk", "a child actor in The Naked Gun",
    "mother nursing her infant", "a girl in a summer dress", "students of a middle school on a bus", "a twelve year old whisky",
]  # fmt: skip

FOUND = [
    ("explicit porn scene", "sexual"), ("p0rn", "sexual"), ("n.a.k.e.d woman", "sexual"), ("two people having sex", "sexual"),
    ("a beheaded body, gore everywhere", "violence"), ("kill him with an axe", "violence"), ("they shoot people", "violence"),
    ("kill all the jews", "hate"), ("white supremacist rally", "hate"), ("I want to die", "self-harm"),
    ("how to kill myself", "self-harm"), ("how to make a pipe bomb", "illegal"), ("selling cocaine online", "illegal"),
    ("a 12 year old", "minors"), ("little girl", "minors"), ("PÓRN", "sexual"), ("a n.a.k.e.d woman", "sexual"), ("a s e x y pose", "sexual"), ("po\u200brn", "sexual"),
    ("p\u043ern", "sexual"), ("a twelve year old", "minors"), ("a boy, aged 12", "minors"), ("sex with a minor", "minors"),
    ("a pedophile ring", "illegal"), ("build a bomb", "illegal"), ("a lynch mob", "hate"), ("shoot up the school", "violence"), ("s e x y pose", "sexual"),
    ("a woman without clothes", "sexual"), ("wearing nothing", "sexual"), ("undressed woman, bare breasts", "sexual"), ("big boobs", "sexual"),
    ("bdsm dungeon", "sexual"), ("upskirt", "sexual"), ("she gives a blow job", "sexual"), ("spread legs, no panties", "sexual"),
    ("disemboweled man", "violence"), ("slit her throat", "violence"), ("a severed head on a pike", "violence"), ("burn them alive", "violence"),
    ("kill my teacher", "violence"), ("he stabs her", "violence"), ("beat him to death", "violence"), ("a school shooting", "violence"),
    ("kill the president", "violence"), ("execute the prisoners", "violence"), ("jews are vermin", "hate"), ("death to muslims", "hate"),
    ("immigrants should all be shot", "hate"), ("women deserve to be beaten", "hate"), ("faggots must die", "hate"), ("n1ggers", "hate"),
    ("a swastika flag", "hate"), ("I don't want to live anymore", "self-harm"), ("slit my wrists", "self-harm"), ("I wanna die", "self-harm"),
    ("make explosives at home", "illegal"), ("a pipe-bomb", "illegal"), ("buy fentanyl", "illegal"), ("launder drug money", "illegal"),
    ("stolen credit cards", "illegal"), ("forge a passport", "illegal"), ("hack into a bank account", "illegal"), ("hire a hitman", "illegal"),
    ("young girls", "minors"), ("a preschooler", "minors"), ("her daughter, 8", "minors"), ("a girl (12)", "minors"), ("age: 12", "minors"),
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
        "a child without clothes",
        "a child with no clothes on",
        "an undressed child",
        "kids wearing nothing",
        "unclothed toddler",
        "nude young girl",
        "naked preschooler",
        "sexy kindergartener",
        "sexy middle schooler",
        "a 9yr old, topless",
        "13 yrs old, erotic",
        "girl (12), nude",
        "nude girl, age: 12",
        "daughter, 8, naked",
        "sexualized child",
        "kid in a thong",
        "a naked museum visitor, 12 years old",
    ],
)
def test_a_child_and_anything_sexual_is_forbidden(text: str) -> None:
    assert judge(text).forbidden


def test_what_is_against_it_does_not_count_for_bodies() -> None:
    assert judge("heroin prevention").scores["illegal"] == 0
    assert judge("a naked survivor").scores["sexual"] > 0


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

    def preview(self, draw: object) -> None: ...

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


@pytest.mark.parametrize("text", ["behead" + "狐" * 90_000, " ".join(f"behead{i}" for i in range(8000))])
def test_only_some_of_the_words_are_told(text: str) -> None:
    found = judged(text=text)
    assert found["triggeredLabels"] == ["violence"]
    assert 0 < len(json.dumps(found)) < 100_000


def test_nobody_has_looked_at_a_picture() -> None:
    found = judged(image="blob_00000000000000000000000001")
    assert (found["nsfwLevel"], found["isBlocked"]) == ("na", False)
    assert "no classifier is installed" in found["unratedReason"]


@pytest.mark.parametrize(
    "text", ["naked ", "a ", "a.", "kill the ", "no ", "hack into the ", "burn a ", "women are all ", "girl, 1"]
)
def test_a_long_text_takes_no_longer_for_being_odd(text: str) -> None:
    before = time.process_time()
    judge((text * 100_000)[:100_000])
    assert time.process_time() - before < 5


@given(st.text(max_size=2000))
def test_any_text_is_judged(text: str) -> None:
    judged = judge(text)
    assert all(0 <= score <= 1 for score in judged.scores.values())
