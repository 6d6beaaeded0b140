"""tts: what an input becomes, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from heddle import registry
from heddle.errors import InvalidRequest
from heddle.settings import Settings
from heddle.steps import Facts, Plan, Result
from heddle.steps.tts import Tts
from heddle.studio import voices
from heddle.workflows.planning import Look, Planner

LOOK = Look(find=lambda _: None, facts_of=lambda _: Facts())

TOKEN = "\ufdd00:output.text\ufdd1"


def plan(**given: Any) -> Plan:
    return Tts().plan(given, lambda _: Facts())


def test_the_smallest_input() -> None:
    made = plan(text="Hello", seed=7)
    assert list(made.payloads) == [
        {
            "operation": "create",
            "text": "Hello",
            "characters": 5,
            "language": "auto",
            "voice": "default",
            "speed": 1.0,
            "pitch": 1.0,
            "outputFormat": "ogg",
        }
    ]
    assert made.family is None


def test_other_names() -> None:
    [payload] = plan(prompt="Hello", speaker="Ono Anna", outputFormat="MP3", engine="custom").payloads
    assert (payload["text"], payload["voice"], payload["outputFormat"]) == ("Hello", "ono_anna", "mp3")
    assert "family" not in payload


@pytest.mark.parametrize(
    ("given", "tag"),
    [
        ("Auto", "auto"),
        ("english", "en-us"),
        ("en", "en-us"),
        ("en_GB", "en-gb"),
        ("en-AU", "en-us"),
        ("de-AT", "de"),
        ("pt-BR", "pt-br"),
        ("French", "fr"),
        ("zh-Hans-CN", "cmn"),
        ("zh-HK", "yue"),
        ("Latin American  Spanish", "es-419"),
    ],
)
def test_languages(given: str, tag: str) -> None:
    assert plan(text="x", language=given).payloads[0]["language"] == tag


def test_every_language_has_a_name_of_its_own() -> None:
    assert len(set(voices.LANGUAGES.values())) == len(voices.LANGUAGES)
    assert all(voices.language(name) == tag for tag, name in voices.LANGUAGES.items())


def test_values_of_other_steps_pass_unread() -> None:
    [payload] = plan(text=TOKEN, language=TOKEN, voice=TOKEN).payloads
    assert (payload["text"], payload["language"], payload["voice"]) == (TOKEN, TOKEN, TOKEN)
    assert payload["characters"] == 1000


@pytest.mark.parametrize(
    ("given", "path", "says"),
    [
        ({}, "text", "required"),
        ({"text": ""}, "text", "at least 1"),
        ({"text": "x" * 5001}, "text", "at most 5000"),
        ({"text": "x", "language": "xx"}, "language", "pt-br"),
        ({"text": "x", "voice": "bob"}, "voice", "uncle_fu"),
        ({"text": "x", "speed": 2.1}, "speed", "less"),
        ({"text": "x", "pitch": 0.6}, "pitch", "greater"),
        ({"text": "x", "outputFormat": "aac"}, "outputFormat", "ogg"),
        ({"text": "x", "refAudioUrl": "blob_1"}, "refAudioUrl", "voice"),
    ],
)
def test_what_is_refused(given: dict[str, Any], path: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        plan(**given)
    assert says in refused.value.fields[path][0]


@pytest.mark.parametrize(("characters", "buzz"), [(1, 1), (100, 1), (101, 2), (5000, 50)])
def test_the_price(characters: int, buzz: int) -> None:
    made = plan(text="x" * characters)
    assert registry.engine("espeak").price(made.payloads[0]) == buzz


def test_a_family_that_cannot_run_here() -> None:
    wanted = plan(text="Hello", engine="vllm-omni")
    with pytest.raises(InvalidRequest, match="'qwen3-tts' cannot run here"):
        Planner(Settings())._choose("tts", Tts(), wanted, LOOK)
    chosen = Planner(Settings(stand_in=True))._choose("tts", Tts(), wanted, LOOK)
    assert (chosen.ready.name, chosen.stands_in_for) == ("espeak", "qwen3-tts")


def test_the_output() -> None:
    said = {"speaker": "f3", "language": "English", "timeStamps": []}
    blob = {"id": "blob_1"}
    shown = Tts().output([Result(job=0, role="", blob=blob, output=said)])
    assert shown == {"audioBlob": blob, "blob": blob, "modelType": "base", **said}
    assert set(Tts.gives) <= set(shown)
    assert Tts().output([]) == {}
