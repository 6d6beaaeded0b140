"""Inputs: types from text, defaults, one error that names everything, and secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heddle.arazzo.files import FileValue, extension, file_value, guess_type
from heddle.arazzo.inputs import InputSchema
from heddle.arazzo.masking import Secrets
from heddle.errors import UsageError

SCHEMA = {
    "type": "object",
    "required": ["prompt", "apiKey"],
    "properties": {
        "prompt": {"type": "string", "minLength": 1, "description": "What to draw."},
        "apiKey": {"type": "string"},
        "width": {"type": "integer", "maximum": 2048},
        "cfg": {"type": "number"},
        "fast": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "meta": {"type": "object"},
        "maybe": {"type": ["integer", "null"]},
        "code": {"$ref": "#/components/inputs/code"},
        "loose": {},
        "size": {"type": "integer", "default": 512},
    },
}
ROOT = {"components": {"inputs": {"code": {"type": "string", "format": "password"}}}}


def schema(**fields: Any) -> InputSchema:
    return InputSchema({**SCHEMA, **fields}, ROOT)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("prompt", "12", "12"),
        ("width", "12", 12),
        ("width", "12.0", 12),
        ("cfg", "6.5", 6.5),
        ("cfg", "6", 6),
        ("fast", "true", True),
        ("tags", '["a"]', ["a"]),
        ("meta", '{"a": 1}', {"a": 1}),
        ("maybe", "null", None),
        ("loose", "5", "5"),
        ("code", "0042", "0042"),
        ("unknown", "x", "x"),
    ],
)
def test_text_takes_the_type_of_the_schema(name: str, text: str, value: Any) -> None:
    found = schema().parse(name, text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text"), [("width", "wide"), ("width", "1.5"), ("fast", "1"), ("tags", "a"), ("cfg", "true")]
)
def test_text_of_another_type_is_refused(name: str, text: str) -> None:
    with pytest.raises(UsageError, match=f"the input '{name}' is '{text}', which is not an? "):
        schema().parse(name, text)


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(UsageError) as raised:
        schema().bind({})
    assert raised.value.message == "2 required inputs are missing: prompt (What to draw.); apiKey (string)"


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(UsageError) as raised:
        schema().bind({"promt": "x"})
    assert (raised.value.message, raised.value.hint) == ("the document has no input 'promt'", "did you mean 'prompt'?")
    assert schema(additionalProperties=True).bind({"promt": "x", "prompt": "y", "apiKey": "k"})["promt"] == "x"


def test_everything_wrong_is_told_and_defaults_are_filled_in() -> None:
    with pytest.raises(UsageError, match=r"prompt: .*; width: 4000 is greater"):
        schema().bind({"prompt": "", "apiKey": "k", "width": 4000})
    assert schema().bind({"prompt": "x", "apiKey": "k"})["size"] == 512


def test_a_file_fits_where_text_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n")
    bound = schema().bind({"prompt": file_value(path), "apiKey": "k"})
    assert isinstance(bound["prompt"], FileValue)
    with pytest.raises(UsageError, match="is not text"):
        bound["prompt"].text()
    with pytest.raises(UsageError, match="there is no file"):
        file_value(tmp_path / "b.png")


@pytest.mark.parametrize(
    ("name", "kind"), [("a.PNG", "image/png"), ("a.mp4", "video/mp4"), ("a.zzz", "application/octet-stream")]
)
def test_types_are_guessed_from_names(name: str, kind: str) -> None:
    assert guess_type(name) == kind


@pytest.mark.parametrize(
    ("kind", "suffix"), [("image/jpeg; q=1", ".jpg"), ("application/octet-stream", ".bin"), ("x/y", ".bin")]
)
def test_extensions_come_from_types(kind: str, suffix: str) -> None:
    assert extension(kind) == suffix


@pytest.mark.parametrize(("name", "secret"), [("apiKey", True), ("code", True), ("prompt", False), ("width", False)])
def test_secrets_are_known_by_name_or_format(name: str, secret: bool) -> None:
    assert schema().is_secret(name) is secret


def test_references_that_lead_nowhere() -> None:
    with pytest.raises(UsageError, match="not in this document"):
        InputSchema({"$ref": "#/components/inputs/gone"}, ROOT)
    with pytest.raises(UsageError, match="refer to themselves"):
        InputSchema({"$ref": "#/a"}, {"a": {"$ref": "#/a"}})


def test_masking_reaches_every_form() -> None:
    secrets = Secrets(['key"with/odd', "ab", ""])
    masked = secrets.mask({"a": 'Bearer key"with/odd', "b": ["x?k=key%22with%2Fodd", "cab"], "c": 'say \\"key\\\\"'})
    assert masked == {"a": "Bearer ***", "b": ["x?k=***", "cab"], "c": 'say \\"key\\\\"'}
    assert secrets.mask('{"k": "key\\"with/odd"}') == '{"k": "***"}'
    assert secrets.mask("ab") == "***"
    assert secrets.mask(5) == 5


def test_secrets_are_found_however_deep_they_lie() -> None:
    word = {"type": "string", "format": "password"}
    described = {
        "$defs": {"login": {"allOf": [{"properties": {"phrase": word}}, {"$ref": "#/$defs/login"}]}},
        "properties": {
            "login": {"$ref": "#/$defs/login"},
            "words": {"type": "array", "items": word},
            "others": {"type": "object", "additionalProperties": {"anyOf": [word, {"type": "null"}]}},
            "broken": {"properties": {"x": {"$ref": "#/nowhere"}}},
        },
    }
    values = {
        "login": {"phrase": "a", "name": "shown", "pinToken": 8765},
        "words": ["b", "c"],
        "others": {"x": "d"},
        "broken": {"x": "shown"},
        "apiKey": {"deep": ["e", True]},
        "key": "f",
    }
    assert list(InputSchema(described, {}).secrets(values, {"key"})) == ["a", 8765, "b", "c", "d", "e", "f"]
