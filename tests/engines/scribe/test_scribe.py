"""The scribe understands what it can do, says so when it cannot, and never contradicts a prompt."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.engines.scribe import tasks
from heddle.engines.scribe.answers import answer
from heddle.errors import EngineFailed, InvalidRequest
from heddle.steps import Facts
from heddle.steps.text_gen import TextGen


def ask(prompt: str = "a cat", **more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"prompt": prompt, "seed": 1} | more
    [payload] = TextGen().plan(given, lambda _: Facts()).payloads
    return answer(payload)


@pytest.mark.parametrize(
    ("text", "kind", "subject"),
    [
        ("a cat", "enhance", "a cat"),
        ("Improve this prompt: a cat on a roof", "enhance", "a cat on a roof"),
        ("Write a title for: the old mill by the river", "title", "the old mill by the river"),
        ("give me tags for a red bridge in fog", "tags", "a red bridge in fog"),
        ("suggest three variations of a boat at sea", "variations", "a boat at sea"),
        ("Write a negative prompt for a portrait", "negative", "a portrait"),
        ("Write a short description of a market at night", "describe", "a market at night"),
        ("describe a garden", "describe", "a garden"),
        ("caption: two dogs", "caption", "two dogs"),
        ("What is the capital of France?", "unable", "What is the capital of France?"),
        ("translate this to German", "unable", "translate this to German"),
        ("a title fight between two boxers", "enhance", "a title fight between two boxers"),
    ],
)
def test_what_is_asked(text: str, kind: str, subject: str) -> None:
    found = tasks.find(text, enhance=False, instruction="")
    assert (found.kind, found.subject) == (kind, subject)


def test_a_prompt_is_kept_and_added_to() -> None:
    said = ask("a red fox in the snow at night, watercolor")["text"]
    assert said.startswith("a red fox in the snow at night, watercolor, ")
    assert not any(word in said for word in ("sunset", "morning", "dusk", "ink drawing", "flat design"))


def test_the_seed_decides() -> None:
    assert ask(seed=1) == ask(seed=1)
    assert len({ask(seed=seed)["text"] for seed in range(12)}) > 6


def test_a_temperature_of_nothing_always_says_the_same() -> None:
    assert len({ask(seed=seed, temperature=0)["text"] for seed in range(5)}) == 1


def test_choices_differ_and_are_counted() -> None:
    made = ask(n=3)
    assert [choice["index"] for choice in made["choices"]] == [0, 1, 2]
    assert len({choice["message"]["content"] for choice in made["choices"]}) > 1
    assert made["usage"]["totalTokens"] == made["usage"]["promptTokens"] + made["usage"]["completionTokens"]


def test_stop_and_length() -> None:
    assert ask("a cat", stop=",")["text"] == "a cat"
    short = ask("a cat", maxTokens=3)
    assert (len(short["text"].split()), short["choices"][0]["finishReason"]) == (3, "length")


def test_messages_and_their_parts() -> None:
    parts = [{"type": "text", "text": "a boat"}, {"type": "image_url", "image_url": {"url": "x"}}]
    said = ask(prompt=None, messages=[{"role": "system", "content": "be kind"}, {"role": "user", "content": parts}])
    assert said["text"].startswith("a boat")


def test_json_mode() -> None:
    made = ask("suggest two variations of a boat", responseFormat={"type": "json_object"})
    assert json.loads(made["text"]) == made["parsed"]
    assert len(made["parsed"]["items"]) == 2


def test_a_schema_is_filled_and_kept() -> None:
    schema = {
        "type": "object",
        "properties": {
            "title": {"type": "string", "maxLength": 40},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 3},
            "mood": {"enum": ["calm", "wild"]},
            "count": {"type": "integer", "minimum": 3, "maximum": 9},
            "nested": {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]},
        },
        "required": ["title", "tags", "mood", "count", "nested"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "jsonSchema": {"name": "x", "schema": schema}}
    jsonschema.validate(json.loads(ask("a cat", responseFormat=wanted)["text"]), schema)


def test_a_schema_that_it_cannot_fill_is_told() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^[0-9]{9}$"}}, "required": ["a"]}
    with pytest.raises(EngineFailed, match="cannot fill"):
        ask("a cat", responseFormat={"type": "json_schema", "jsonSchema": schema})


def test_an_answer_says_what_it_is_when_it_cannot() -> None:
    assert ask("What is the capital of France?")["text"].startswith("I am scribe, a set of rules")


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"prompt": "a", "messages": [{"role": "user", "content": "b"}]}, "body"),
        ({}, "body"),
        ({"messages": [{"role": "system", "content": "b"}]}, "messages"),
        ({"prompt": "a", "temperature": 3}, "temperature"),
        ({"prompt": "a", "n": 9}, "n"),
        ({"prompt": "a", "responseFormat": {"type": "xml"}}, "responseFormat.type"),
    ],
)
def test_bad_fields_are_named(given: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        TextGen().plan(given, lambda _: Facts())
    assert path in caught.value.fields


@given(st.text(min_size=1, max_size=500), st.integers(0, 2**32))
def test_any_text_gets_an_answer(text: str, seed: int) -> None:
    made = ask(text, seed=seed)
    assert made["text"]
    json.dumps(made)
