"""The scribe understands what it can do, says so when it cannot, and never contradicts a prompt."""

# ruff: noqa: E501 - tables

from __future__ import annotations

import json
import socket
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.engines import MOST_OUTPUT
from heddle.engines.scribe import Scribe, tasks
from heddle.engines.scribe.answers import answer
from heddle.engines.sketch.prompt import read
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
        ("enhance: a boat", "enhance", "a boat"),
        ("caption this: a boat at sea", "caption", "a boat at sea"),
        ("negative prompts for anime art", "negative", "anime art"),
        ("make a picture of a horse", "enhance", "a horse"),
        ("I want a picture of a sleeping cat", "enhance", "a sleeping cat"),
        ("a picture of a horse on a wall", "enhance", "a picture of a horse on a wall"),
        ("Write a short story about a lost robot", "story", "a lost robot"),
        ("write a story from these keywords: fox, moon", "story", "fox, moon"),
        ("a story book on a table", "enhance", "a story book on a table"),
        ("tell me about dragons", "describe", "dragons"),
        ("hello!", "about", "hello!"),
        ("Hi there, how are you?", "about", "Hi there, how are you?"),
        ("Who are you?", "about", "Who are you?"),
        ("hello kitty on a bench", "enhance", "hello kitty on a bench"),
        ("tell me a joke", "unable", "tell me a joke"),
        ("Write a haiku about autumn", "unable", "Write a haiku about autumn"),
        ("a letter on a desk", "enhance", "a letter on a desk"),
        ("1 + 1", "unable", "1 + 1"),
        ("make it rhyme", "unable", "make it rhyme"),
    ],
)
def test_what_is_asked(text: str, kind: str, subject: str) -> None:
    found = tasks.find(text, enhance=False, instruction="")
    assert (found.kind, found.subject) == (kind, subject)


def test_a_prompt_is_kept_and_added_to() -> None:
    said = ask("a red fox in the snow at night, watercolor")["text"]
    assert said.startswith("a red fox in the snow at night, watercolor, ")
    assert not any(word in said for word in ("sunset", "morning", "dusk", "ink drawing", "flat design"))


@pytest.mark.parametrize(
    "subject",
    [
        "a cat", "a bedroom with a cat", "a thunderstorm over a lake", "a blizzard in the mountains", "a moonlit lake",
        "a castle, oil on canvas", "a submarine deep under the sea", "an astronaut on the moon", "a spooky horror house",
        "a dog in a library", "a starry sky over hills", "a fox, anime", "a bat in a cave", "two red boats on the left",
        "a rainbow over a barn in summer", "a knight fights a dragon", "black and white photo of a bridge",
    ],
)  # fmt: skip
def test_what_it_adds_contradicts_nothing_as_the_illustrator_reads_it(subject: str) -> None:
    given = read(subject)
    for seed in range(40):
        text = ask(subject, seed=seed)["text"]
        seen = read(text)
        assert seen.wants == given.wants, text
        for aspect in ("time", "style", "season", "backdrop"):
            assert getattr(given, aspect) in {None, getattr(seen, aspect)}, text
        for aspect in ("mood", "weather"):
            assert getattr(given, aspect) in {frozenset(), getattr(seen, aspect)}, text
        assert len(text) > len(subject)


def test_a_story_has_all_key_words_in_it() -> None:
    for seed in range(20):
        text = ask("write a story from key words: fox, moon, two owls", seed=seed)["text"]
        assert all(word in text for word in ("a fox", "the fox", "the moon", "two owls")), text
        assert "a moon" not in text
        assert "morning" not in text
        assert "afternoon" not in text


@pytest.mark.parametrize(
    ("about", "says"),
    [
        ("a lost robot in the rain", "the lost robot"), ("Anna", "Anna"), ("wolves", "the wolves"), ("old glass", "an old glass"),
        ("my dog", "my dog"), ("an owl who cannot fly", "the owl"),
    ],
)  # fmt: skip
def test_a_story_calls_its_hero_as_people_do(about: str, says: str) -> None:
    assert says in ask(f"write a story about {about}")["text"]


def test_names_keep_their_capitals() -> None:
    for seed in range(10):
        assert "Paris in spring" in ask("describe Paris in spring", seed=seed)["text"]
        assert " a castle" in ask("describe: A castle", seed=seed)["text"]


def test_who_greets_is_told_who_is_there() -> None:
    assert ask("hello")["text"].startswith("I am scribe, a set of rules and not a language model.")


def test_an_instruction_is_followed_where_the_prompt_leaves_it_open() -> None:
    made = ask("a fox", ecosystem="sdxl", instruction="make it a watercolor at night")
    assert made["enhancedPrompt"].startswith("a fox, at night, watercolor, ")
    kept = ask("a fox at noon, pixel art", ecosystem="sdxl", instruction="make it a watercolor at night")
    assert "night" not in kept["text"]
    assert "watercolor" not in kept["text"]


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


def in_schema(schema: Any, prompt: str = "a cat") -> dict[str, Any]:
    return json.loads(ask(prompt, responseFormat={"type": "json_schema", "jsonSchema": schema})["text"])


@pytest.mark.parametrize(
    "schema",
    [
        {
            "type": "object",
            "properties": {"a": {"type": "string", "minLength": 300, "maxLength": 310}},
            "required": ["a"],
        },
        {
            "$ref": "#/$defs/b",
            "$defs": {"b": {"type": "object", "properties": {"c": {"type": "integer"}}, "required": ["c"]}},
        },
        {"type": "object", "properties": {"a": {"type": "integer", "exclusiveMinimum": 4, "multipleOf": 3}}},
        {"type": "object", "properties": {"a": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}}},
        {"type": "object", "properties": {"a": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}, "required": ["a"]},
        {"allOf": [{"type": "object"}, {"properties": {"a": {"type": "boolean"}}, "required": ["a"]}]},
        {"type": "object", "properties": {"a": True, "pattern": {"type": "string"}}, "required": ["a", "b"]},
        {"type": "object", "properties": {"a": {"type": "array", "prefixItems": [{"type": "integer"}], "minItems": 3}}},
        {"type": "object", "properties": {"next": {"$ref": "#"}, "a": {"type": "string"}}, "required": ["a"]},
    ],
)
def test_schemas_of_many_kinds_are_filled(schema: dict[str, Any]) -> None:
    made = in_schema(schema)
    jsonschema.validate(made, schema)
    assert made


def test_members_are_written_by_their_names() -> None:
    names = ("title", "caption", "tags", "negative_prompt", "style")
    schema: dict[str, Any] = {"type": "object", "properties": {name: {"type": "string"} for name in names}}
    schema["properties"] |= {"tags": {"type": "array", "items": {"type": "string"}}, "style": {"enum": ["oil", "ink"]}}
    made = in_schema(schema, "an old mill by the river, ink")
    assert (made["title"], made["tags"]) == ("An Old Mill by the River", ["old", "mill", "river", "ink"])
    assert (made["caption"], made["style"]) == ("An old mill by the river, ink.", "ink")
    assert made["negative_prompt"].startswith("blurry")


NESTED: dict[str, Any] = {"type": "string"}
for _ in range(6):
    NESTED = {"type": "array", "items": NESTED, "minItems": 90}


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "object", "properties": [1]}, "is no JSON Schema"),
        ({"type": "object", "properties": {"a": {"enum": 5}}}, "is no JSON Schema"),
        ({"schema": 5}, "must be an object"),
        ({"type": "array"}, "no object"),
        ({"type": "object", "properties": {"a": NESTED}}, "more than 1000 values"),
        ({"type": "object", "properties": {"a": {"type": "string", "pattern": "(a+)+$"}}}, "pattern is not supported"),
        ({"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}}, "leads nowhere"),
        ({"type": "object", "allOf": [{"$ref": "#"}]}, "in a circle"),
        ({"type": "object", "allOf": [{"$ref": "#/$defs/a"}] * 21, "$defs": {"a": {}}}, "more than 20 references"),
    ],
)
def test_a_schema_that_is_no_good_is_told(schema: dict[str, Any], why: str) -> None:
    with pytest.raises(EngineFailed, match=why):
        in_schema(schema)


@pytest.mark.parametrize("way", ["$ref", "$id"])
def test_a_schema_fetches_nothing(way: str) -> None:
    """The engine runs inside the server's network; a schema is a stranger's."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/secret"
        part = {"$ref": address, "default": 1} if way == "$ref" else {"$id": address, "$ref": "#/x", "default": 1}
        with pytest.raises(EngineFailed, match=r"\$ref"):
            in_schema({"type": "object", "properties": {"a": part}})
        with pytest.raises(BlockingIOError):
            listening.accept()


def test_a_cut_keeps_its_lines() -> None:
    whole = ask("suggest two variations of a boat")["text"]
    most = len(whole.split()) - 1
    assert ask("suggest two variations of a boat", maxTokens=most)["text"] == whole.rpartition(" ")[0]
    assert "\n2. " in whole.rpartition(" ")[0]


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("gpt-4o", "gpt"),
        ("meta-llama/Llama-3-8B", "llama"),
        ("urn:air:qwen:llm:civitai:1@2", "qwen"),
        ("scribe", "scribe"),
        ("phi-4", "other"),
    ],
)
def test_a_model_asks_for_its_family(model: str, family: str) -> None:
    plan = TextGen().plan({"prompt": "a cat", "model": model, "seed": 1}, lambda _: Facts())
    assert (plan.family, plan.asked) == (family, ("model", model))


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
        ({"prompt": "a", "responseFormat": {"type": "json_schema"}}, "responseFormat.jsonSchema"),
        ({"prompt": "a", "responseFormat": {"type": "xml"}}, "responseFormat.type"),
    ],
)
def test_bad_fields_are_named(given: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        TextGen().plan(given, lambda _: Facts())
    assert path in caught.value.fields


@given(st.text(min_size=1, max_size=500).filter(str.strip), st.integers(0, 2**32))
def test_any_text_gets_an_answer(text: str, seed: int) -> None:
    made = ask(text, seed=seed)
    assert made["text"]
    json.dumps(made)


# ── no more than an engine may give ───────────────────────────────────────────


@pytest.mark.parametrize("text", ["a fox, " * 14_000, "狐" * 99_000, "\x01\\" * 49_000])
@pytest.mark.parametrize("asked", ["", "ten variations of ", "describe ", "caption: ", "tags: "])
@pytest.mark.parametrize("json_too", [False, True])
def test_a_long_text_is_answered_with_what_fits(asked: str, text: str, json_too: bool) -> None:
    more: dict[str, Any] = {"responseFormat": {"type": "json_object"}} if json_too else {}
    said = ask(asked + text, n=4, negativePrompt="\x01" * 10_000, **more)
    assert len(json.dumps(said, ensure_ascii=False).encode()) <= MOST_OUTPUT
    assert len(said["choices"]) == 4
    if said["cut"]:
        assert len(json.dumps(said, ensure_ascii=False).encode()) > MOST_OUTPUT / 3, "no more is left out than needed"
    ends = {choice["finishReason"] for choice in said["choices"]}
    assert ends == ({"length"} if said["cut"] and not json_too else {"stop"})


def test_what_was_left_out_is_told() -> None:
    [payload] = TextGen().plan({"prompt": "a fox, " * 14_000, "n": 4, "seed": 1}, lambda _: Facts()).payloads
    context = Told()
    [made] = Scribe().run(payload, context)
    assert "characters of the text were left out" in made.metadata["note"]
    assert context.said == [made.metadata["note"]]
    assert "cut" not in made.output


def test_an_answer_that_cannot_be_small_says_so() -> None:
    names = [f"p{i}" for i in range(400)]
    schema = {
        "type": "object",
        "properties": {n: {"type": "string", "minLength": 2000} for n in names},
        "required": names,
    }
    with pytest.raises(EngineFailed, match="ask for fewer"):
        ask("a fox", responseFormat={"type": "json_schema", "jsonSchema": schema})


class Told:
    """Keeps what an engine says."""

    job_id, attempt = "job_1", 1

    def __init__(self) -> None:
        self.said: list[str] = []

    def preview(self, draw: object) -> None: ...

    def progress(self, fraction: float, note: str = "") -> None:
        pass

    def log(self, text: str) -> None:
        self.said.append(text)

    def check(self) -> None:
        pass

    def read(self, blob_id: str) -> bytes:
        raise AssertionError(blob_id)
