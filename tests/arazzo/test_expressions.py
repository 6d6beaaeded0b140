"""Runtime expressions: the grammar, the values, and texts that hold expressions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.arazzo.expressions import ABSENT, Call, Expression, ExpressionError, Message, Scope, parse
from heddle.arazzo.leniency import Leniency, strict
from heddle.arazzo.templates import Compiler, Literal, Text, Whole


def scope() -> Scope:
    return Scope(
        inputs={"name": "fox", "count": 3, "a.b": "dotted", "who": {"city": {"zip": "1"}}, "nothing": None},
        steps={"one": {"id": "x1", "list": [{"k/e~y": "deep"}]}},
        workflows={"other": {"inputs": {"q": 1}, "outputs": {"r": [10, 20]}}},
        sources={"api": {"url": "api.yaml", "type": "openapi"}},
        outputs={"done": True},
        call=Call(
            "POST",
            "http://h/p?q=1",
            Message({"accept": "a/b"}, {"q": 1}, {"id": "7"}, {"sent": True}),
            Message({"x-rate": "9"}, body={"status": "ok", "": 0, "items": [{"id": 5}], "null": None}),
            201,
        ),
        self_uri="https://example.org/a",
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$url", "http://h/p?q=1"),
        ("$method", "POST"),
        ("$statusCode", 201),
        ("$request.header.Accept", "a/b"),
        ("$request.query.q", 1),
        ("$request.path.id", "7"),
        ("$request.body#/sent", True),
        ("$response.header.X-RATE", "9"),
        ("$response.header.absent", ABSENT),
        ("$response.body", scope().call.response.body),  # type: ignore[union-attr]
        ("$response.body#", scope().call.response.body),  # type: ignore[union-attr]
        ("$response.body#/", 0),
        ("$response.body#/items/0/id", 5),
        ("$response.body#/items/00/id", ABSENT),
        ("$response.body#/items/1", ABSENT),
        ("$response.body#/items/-", ABSENT),
        ("$response.body#/null", None),
        ("$response.body#/status/x", ABSENT),
        ("$response.body.items.0.id", 5),
        ("$inputs.name", "fox"),
        ("$inputs.a.b", "dotted"),
        ("$inputs.who.city.zip", "1"),
        ("$inputs.who#/city/zip", "1"),
        ("$inputs.nothing", None),
        ("$inputs.missing", ABSENT),
        ("$outputs.done", True),
        ("$steps.one.outputs.id", "x1"),
        ("$steps.one.outputs.list#/0/k~1e~0y", "deep"),
        ("$steps.two.outputs.id", ABSENT),
        ("$workflows.other.inputs.q", 1),
        ("$workflows.other.outputs.r#/1", 20),
        ("$sourceDescriptions.api.url", "api.yaml"),
        ("$components.parameters.token", ABSENT),
        ("$self", "https://example.org/a"),
    ],
)
def test_values(text: str, value: Any) -> None:
    expression = parse(text)
    found = expression.value(scope())
    assert found == value
    assert type(found) is type(value)
    assert parse(str(expression)) == expression


def test_without_a_call_there_is_no_answer() -> None:
    empty = Scope(inputs={}, steps={})
    for text in ("$url", "$statusCode", "$response.body#/x", "$request.header.a"):
        assert parse(text).value(empty) is ABSENT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "inputs.x",
        "$",
        "$100 off",
        "$type",
        "$inputs",
        "$inputs.",
        "$inputs.a b",
        "$steps.one",
        "$steps.one.output.x",
        "$steps.a.b.outputs.x",
        "$response.body#x",
        "$response.body#/a~2",
        "$response.header.a b",
        "$statusCodes",
        "$components.things.x",
        "$selfish",
        "$message.payload",
        "$inputs.x\n",
    ],
)
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


_NAME = st.from_regex(r"[A-Za-z0-9_\-]{1,8}", fullmatch=True)
_POINTER = st.lists(st.text(st.characters(exclude_characters="{}", exclude_categories=["Cs"]), max_size=4), max_size=3)


def _pointer_text(tokens: list[str]) -> str:
    return "#" + "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in tokens)


@given(_NAME, _NAME, _POINTER)
def test_a_pointer_leads_where_it_says(step: str, name: str, tokens: list[str]) -> None:
    value: Any = "end"
    for token in reversed(tokens):
        value = {token: value}
    expression = parse(f"$steps.{step}.outputs.{name}{_pointer_text(tokens)}")
    assert expression.value(Scope(inputs={}, steps={step: {name: value}})) == "end"
    assert parse(str(expression)) == expression


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    for candidate in (text, "$" + text, "$inputs." + text, "$response.body#" + text):
        try:
            expression = parse(candidate)
        except ExpressionError:
            continue
        assert isinstance(expression, Expression)
        assert parse(str(expression)) == expression


# Texts with expressions inside

COMPILER = Compiler(Leniency(), {"name", "count", "who", "nothing"}, {"one"})


def rendered(value: Any, compiler: Compiler = COMPILER) -> Any:
    return compiler.value(value).render(scope(), [])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$inputs.count", 3),
        ("{$inputs.count}", 3),
        ("n={$inputs.count}", "n=3"),
        ("{$inputs.name}-{$inputs.count}", "fox-3"),
        ("{$inputs.who}!", '{"city":{"zip":"1"}}!'),
        ("null is {$inputs.nothing}", "null is null"),
        ("Bearer $inputs.name", "Bearer fox"),
        ("$inputs.name-$inputs.count", "fox-3"),
        ("$inputs.name, $inputs.count.", "fox, 3."),
        ("to $steps.one.outputs.id/$inputs.name", "to x1/fox"),
        ("$100 off for $inputs.name", "$100 off for fox"),
        ("$inputs.unknown and more", "$inputs.unknown and more"),
        ("costs $5", "costs $5"),
        ("a {curly} thing", "a {curly} thing"),
        ("$type", "$type"),
        ("$statusCode ok", "201 ok"),
    ],
)
def test_texts(text: str, value: Any) -> None:
    assert rendered(text) == value


def test_what_is_absent_is_left_out() -> None:
    compiler = Compiler(Leniency(), {"name", "missing"}, {"one"})
    absent: list[Expression] = []
    value = {"a": "$inputs.missing", "b": ["$inputs.missing", "x"], "c": {"d": "is {$inputs.missing}"}, "e": None}
    assert compiler.value(value).render(scope(), absent) == {"b": ["x"], "c": {}, "e": None}
    assert [str(one) for one in absent] == ["$inputs.missing"] * 3


def test_only_braces_by_the_letter() -> None:
    compiler = Compiler(strict(), {"name"}, {"one"})
    assert rendered("Bearer $inputs.name", compiler) == "Bearer $inputs.name"
    assert rendered("Bearer {$inputs.name}", compiler) == "Bearer fox"
    with pytest.raises(ExpressionError, match="JSON Pointer"):
        compiler.value("$response.body.a")


@pytest.mark.parametrize("text", ["$steps.two.outputs.id", "x {$steps.two.outputs.id}", "x {$nonsense}"])
def test_what_can_never_resolve_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        COMPILER.value(text)


def test_values_without_expressions_are_literals() -> None:
    assert isinstance(COMPILER.value({"$type": "imageGen", "n": [1, {"a": None}]}), Literal)
    assert isinstance(COMPILER.value("$inputs.name"), Whole)
    assert isinstance(COMPILER.value("a {$inputs.name}"), Text)


@given(st.text(st.characters(exclude_characters="$"), max_size=30))
def test_a_text_without_dollar_stays_itself(text: str) -> None:
    assert rendered(text) == text


@given(st.text(max_size=30))
def test_any_text_can_be_compiled_or_is_refused(text: str) -> None:
    for candidate in (text, f"{text}$inputs.name{text}", f"{{$inputs.name}}{text}"):
        try:
            COMPILER.value(candidate)
        except ExpressionError:
            assert "{$" in candidate or candidate.startswith("$")
