"""audioGen: what an input becomes, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from heddle.errors import InvalidRequest
from heddle.settings import Settings
from heddle.steps import Facts, Plan, Result
from heddle.steps.audio_gen import AudioGen
from heddle.workflows.planning import Look, Planner

#: A catalog without models.
EMPTY = Look(find=lambda _: None, facts_of=lambda _: Facts())


def plan(**given: Any) -> Plan:
    return AudioGen().plan(given, lambda _: Facts())


def test_the_smallest_input() -> None:
    made = plan(prompt="rain", seed=7)
    assert list(made.payloads) == [
        {
            "operation": "create",
            "prompt": "rain",
            "durationMs": 10_000,
            "loop": False,
            "outputFormat": "mp3",
            "seed": 7,
        }
    ]
    assert made.family is None


@pytest.mark.parametrize("name", ["text", "musicDescription"])
def test_other_names_of_the_prompt(name: str) -> None:
    assert plan(**{name: "waves"}).payloads[0]["prompt"] == "waves"


def test_several_sounds_have_seeds_of_their_own() -> None:
    made = plan(prompt="rain", seed=2**63 - 1, quantity=3, duration=2.5, outputFormat="WAV")
    assert [p["seed"] for p in made.payloads] == [2**63 - 1, 0, 1]
    assert {p["durationMs"] for p in made.payloads} == {2500}
    assert {p["outputFormat"] for p in made.payloads} == {"wav"}


@pytest.mark.parametrize(
    ("given", "path", "says"),
    [
        ({}, "prompt", "required"),
        ({"prompt": ""}, "prompt", "at least 1"),
        ({"prompt": "rain", "duration": 0.5}, "duration", "greater"),
        ({"prompt": "rain", "duration": 191}, "duration", "less"),
        ({"prompt": "rain", "quantity": 11}, "quantity", "less"),
        ({"prompt": "rain", "seed": -2}, "seed", "greater"),
        ({"prompt": "rain", "outputFormat": "aac"}, "outputFormat", "mp3"),
        ({"prompt": "rain", "model": "nonsense"}, "model", "AIR"),
        ({"text": "Hello there", "speaker": "ryan"}, "speaker", "`tts`"),
        ({"prompt": "a song", "lyrics": "la la"}, "lyrics", "`music`"),
        ({"elements": []}, "elements", "prompt"),
    ],
)
def test_what_is_refused(given: dict[str, Any], path: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        plan(**given)
    assert says in refused.value.fields[path][0]


def test_a_family_that_cannot_run_here() -> None:
    kind, planner = AudioGen(), Planner(Settings())
    with pytest.raises(InvalidRequest, match="'stable-audio' cannot run here"):
        planner._choose("audioGen", kind, plan(prompt="rain", engine="stable-audio"), EMPTY)
    chosen = Planner(Settings(stand_in=True))._choose(
        "audioGen", kind, plan(prompt="rain", engine="stable-audio-open"), EMPTY
    )
    assert (chosen.ready.name, chosen.stands_in_for) == ("soundscape", "stable-audio")
    assert chosen.ready.engine.price({"family": "stable-audio", "durationMs": 30_000}) == pytest.approx(4.0)
    assert chosen.ready.engine.price({"family": "soundscape", "durationMs": 30_000}) == pytest.approx(1.5)


def test_the_output() -> None:
    results = [Result(job=i, role="", blob={"id": f"blob_{i}"}, output={}) for i in range(2)]
    assert AudioGen().output(results) == {"blob": {"id": "blob_0"}, "blobs": [{"id": "blob_0"}, {"id": "blob_1"}]}
    assert AudioGen().output([]) == {}


def test_models_of_stable_audio_fit_by_every_name_of_theirs() -> None:
    made = AudioGen().plan({"prompt": "rain", "model": "urn:air:stableaudio:checkpoint:heddle:1@1"}, lambda _: Facts())
    assert made.family == "stable-audio"
    assert {"stable-audio", "stableaudio", "stableaudioopen"} <= set(made.ecosystems)


def test_what_families_that_sample_are_told() -> None:
    given = {"prompt": "rain", "engine": "stable-audio", "negativePrompt": "wind", "steps": 50, "cfgScale": 5}
    payload = AudioGen().plan(given, lambda _: Facts()).payloads[0]
    assert (payload["negativePrompt"], payload["steps"], payload["cfgScale"]) == ("wind", 50, 5)
