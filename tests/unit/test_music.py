"""music: what an input becomes, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from heddle import registry
from heddle.errors import InvalidRequest
from heddle.settings import Settings
from heddle.steps import Facts, Plan, Result
from heddle.steps.music import KEYS, Music
from heddle.workflows.planning import Look, Planner

ACE = "urn:air:acestep:checkpoint:civitai:1@2"


#: A catalog without models.
EMPTY = Look(find=lambda _: None, facts_of=lambda _: Facts())


def plan(**given: Any) -> Plan:
    return Music().plan({"musicDescription": "a waltz", **given}, lambda _: Facts())


def test_the_smallest_input() -> None:
    assert list(plan(seed=7).payloads) == [
        {
            "operation": "create",
            "durationMs": 60_000,
            "musicDescription": "a waltz",
            "outputFormat": "mp3",
            "seed": 7,
        }
    ]


def test_all_that_the_public_api_has() -> None:
    made = plan(
        lyrics="la la", duration=30, bpm=90, timeSignature=3, key="f# MINOR", language="en", instrumentalWeight=0.85,
        vocalWeight=0.9, steps=8, cfg=1, seed=1, loras={}, quantity=2,
    )  # fmt: skip
    first = made.payloads[0]
    assert (first["bpm"], first["timeSignature"], first["key"], first["lyrics"]) == (90, "3", "F# minor", "la la")
    assert [p["seed"] for p in made.payloads] == [1, 2]
    assert made.family is None
    assert not made.resources


def test_a_prompt_is_a_description() -> None:
    assert Music().plan({"prompt": "jazz"}, lambda _: Facts()).payloads[0]["musicDescription"] == "jazz"


def test_34_keys() -> None:
    assert len(KEYS) == len(set(KEYS)) == 34
    assert {plan(key=key).payloads[0]["key"] for key in KEYS} == set(KEYS)


@pytest.mark.parametrize(
    ("given", "path", "says"),
    [
        ({"musicDescription": ""}, "musicDescription", "at least 1"),
        ({"bpm": 39}, "bpm", "greater"),
        ({"bpm": 201}, "bpm", "less"),
        ({"duration": 200}, "duration", "less"),
        ({"timeSignature": "5"}, "timeSignature", "'2', '3', '4' or '6'"),
        ({"key": "H major"}, "key", "tonic"),
        ({"key": "E# major"}, "key", "tonic"),
        ({"loras": {"x": "strong"}}, "loras.x", "number"),
        ({"model": "nonsense"}, "model", "AIR"),
        ({"cover": {"imageUrl": "https://example.com/a.png"}}, "cover", "film"),
    ],
)
def test_what_is_refused(given: dict[str, Any], path: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        plan(**given)
    assert says in refused.value.fields[path][0]


@pytest.mark.parametrize("given", [{"engine": "ace"}, {"clipModel": ACE}, {"loras": {ACE: 0.5}}, {"model": ACE}])
def test_what_names_ace_step_is_for_it(given: dict[str, Any]) -> None:
    made = plan(**given)
    assert made.family == "ace-step"
    with pytest.raises(InvalidRequest, match=r"'ace-step' cannot run here|is not in the catalog"):
        Planner(Settings())._choose("music", Music(), made, EMPTY)
    chosen = Planner(Settings(stand_in=True))._choose("music", Music(), made, EMPTY)
    assert (chosen.ready.name, chosen.stands_in_for) == ("composer", "ace-step")


def test_prices() -> None:
    engine = registry.engine("composer")
    assert engine.price({"family": "ace-step", "durationMs": 60_000}) == pytest.approx(7.0)
    assert engine.price({"family": "composer", "durationMs": 60_000}) == pytest.approx(2.0)


def test_the_output() -> None:
    results = [
        Result(job=i, role=role, blob={"id": f"blob_{i}{role}"}, output={}) for i in range(2) for role in ("", "midi")
    ]
    assert Music().output(results) == {
        "blob": {"id": "blob_0"},
        "blobs": [{"id": "blob_0"}, {"id": "blob_1"}],
        "midi": {"id": "blob_0midi"},
    }


def test_models_of_ace_step_fit_by_every_name_of_theirs() -> None:
    given = {"musicDescription": "calm", "model": "urn:air:ace:checkpoint:heddle:1@1"}
    made = Music().plan(given, lambda _: Facts())
    assert made.family == "ace-step"
    assert {"ace", "ace-step"} <= set(made.ecosystems)
