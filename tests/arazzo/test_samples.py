"""Values for JSON Schemas: what the description gives first, and always of the right shape."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from heddle.arazzo.expressions import ABSENT
from heddle.arazzo.samples import Samples

TREE = "#/components/schemas/Tree"
ROOT = {
    "components": {
        "schemas": {
            "Tree": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": TREE}}},
            }
        },
        "examples": {"one": {"value": {"a": 1}}},
    }
}


def sample(schema: Any, turn: int = 0, seed: int = 0) -> Any:
    return Samples(ROOT, "http://mock.invalid", seed).of_schema(schema, turn)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "example": "x", "default": "y"}, "x"),
        ({"type": "string", "examples": ["a", "b"], "default": "y"}, "a"),
        ({"type": "string", "default": "y", "enum": ["z", "y"]}, "y"),
        ({"const": 3}, 3),
        ({"type": "string", "enum": ["p", "q"]}, "p"),
        ({"type": ["null", "integer"]}, 1),
        ({"type": "integer", "minimum": 5, "maximum": 9, "multipleOf": 4}, 8),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "number", "minimum": 0, "maximum": 0.5}, 0.5),
        ({"type": "number", "maximum": 0, "exclusiveMaximum": True}, -0.5),
        ({"type": "string", "maxLength": 3, "minLength": 3, "format": "date"}, "203"),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, [True, True]),
        ({"type": "array", "maxItems": 0}, []),
        ({"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}}]}, {"a": 1, "b": 2}),
        ({"oneOf": [{"type": "null"}, {"const": 7}]}, 7),
        ({"properties": {"a": {"const": 1}, "p": {"writeOnly": True}}}, {"a": 1}),
    ],
    ids=lambda value: str(value)[:60],
)
def test_values(schema: Any, value: Any) -> None:
    assert sample(schema) == value


@pytest.mark.parametrize("schema", [{"$ref": "#/nowhere"}, {"$ref": "other.yaml#/x"}, True, None, {}], ids=str)
def test_a_schema_that_says_nothing_gives_a_text(schema: Any) -> None:
    assert sample(schema).startswith("text-")


@pytest.mark.parametrize("name", ["date-time", "date", "email", "uuid", "uri", "ipv4", "ipv6", "hostname"])
def test_formats(name: str) -> None:
    schema = {"type": "string", "format": name}
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(sample(schema))


def test_media_types() -> None:
    samples = Samples(ROOT, "http://mock.invalid")
    assert samples.of_media({"example": 1, "schema": {"const": 2}}, 0) == 1
    assert samples.of_media({"examples": {"x": {"$ref": "#/components/examples/one"}}}, 0) == {"a": 1}
    assert samples.of_media({"examples": {"x": {"externalValue": "http://x"}}, "schema": {"const": 2}}, 0) == 2
    assert samples.of_media({}, 0) is ABSENT


def test_the_next_one_each_turn_and_another_with_another_seed() -> None:
    schema = {"enum": ["a", "b", "c"]}
    assert [sample(schema, turn) for turn in range(5)] == ["a", "b", "c", "c", "c"]
    assert [sample(schema, turn, seed=1) for turn in range(3)] == ["b", "c", "a"]
    assert sample({"type": "string"}) == sample({"type": "string"})
    assert sample({"type": "string"}) != sample({"type": "string"}, seed=1)


def test_a_schema_inside_itself_comes_to_an_end() -> None:
    tree = sample({"$ref": "#/components/schemas/Tree"})
    depth = 0
    while tree.get("children"):
        tree, depth = tree["children"][0], depth + 1
    assert 1 <= depth <= 8
    endless: dict[str, Any] = {"allOf": []}
    endless["allOf"].append(endless)
    assert isinstance(sample(endless), str)
    wide: dict[str, Any] = {"type": "object", "required": ["a"], "properties": {}}
    wide["properties"]["a"] = wide
    assert sample(wide)["a"]["a"]


def test_a_small_schema_of_billions_of_values() -> None:
    wide: dict[str, Any] = {"type": "object", "properties": {}}
    wide["properties"] |= {f"p{at}": wide for at in range(40)}
    assert len(sample(wide)) == 40
    many: dict[str, Any] = {"allOf": []}
    many["allOf"] += [many] * 40
    assert isinstance(sample(many), str)


schemas = st.recursive(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["string", "integer", "number", "boolean"])},
        optional={
            "minLength": st.integers(0, 5),
            "maxLength": st.integers(5, 9),
            "minimum": st.integers(-9, 3),
            "maximum": st.integers(4, 9),
        },
    ),
    lambda inner: (
        st.builds(lambda one: {"type": "array", "items": one, "minItems": 2}, inner)
        | st.builds(
            lambda one: {"type": "object", "required": sorted(one), "properties": one},
            st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
        )
        | st.builds(lambda one: {"oneOf": [one]}, inner)
    ),
    max_leaves=8,
)


@given(schemas, st.integers(0, 3), st.integers(0, 3))
def test_every_value_fits_its_schema(schema: dict[str, Any], turn: int, seed: int) -> None:
    Draft202012Validator(schema).validate(sample(schema, turn, seed))


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "enum", "allOf", "oneOf", "items", "properties", "required", "minimum", "maxLength"]
            )
            | st.sampled_from(
                ["minItems", "multipleOf", "$ref", "examples", "exclusiveMaximum", "format", "minLength"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(junk)
def test_no_schema_is_too_strange(schema: Any) -> None:
    sample(schema)
