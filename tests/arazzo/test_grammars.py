"""Both grammars: whatever is written down of a tree reads back as the same tree."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from heddle.arazzo.conditions import Binary, Constant, Member, Node, Not, Reference, parse_condition, references
from heddle.arazzo.expressions import (
    Body,
    CallField,
    Component,
    Expression,
    Input,
    MessageField,
    Output,
    Scope,
    SelfUri,
    SourceField,
    StepOutput,
    WorkflowField,
    parse,
)
from heddle.arazzo.leniency import strict
from heddle.arazzo.templates import Compiler, Literal, Text, Whole, expressions_in

_ANY = st.characters(exclude_characters="{}", exclude_categories=["Cs"])
_NAME = st.from_regex(r"[A-Za-z0-9._\-]{1,8}", fullmatch=True)
_ID = st.from_regex(r"[A-Za-z0-9_\-]{1,8}", fullmatch=True)
_TOKEN = st.from_regex(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,8}", fullmatch=True)
_POINTER = st.none() | st.lists(st.text(_ANY, max_size=5), max_size=3).map(tuple)
_SIDE = st.sampled_from(["request", "response"])

EXPRESSIONS: st.SearchStrategy[Expression] = st.one_of(
    st.builds(CallField, st.sampled_from(["url", "method", "statusCode"])),
    st.builds(MessageField, _SIDE, st.just("header"), _TOKEN),
    st.builds(MessageField, _SIDE, st.sampled_from(["query", "path"]), st.text(_ANY, min_size=1, max_size=8)),
    st.builds(Body, _SIDE, _POINTER),
    st.builds(Body, _SIDE, st.lists(_ID, min_size=1, max_size=3).map(tuple), st.just(True)),
    st.builds(Input, _NAME, _POINTER),
    st.builds(Output, _NAME, _POINTER),
    st.builds(StepOutput, _ID, _NAME, _POINTER),
    st.builds(WorkflowField, _ID, st.sampled_from(["inputs", "outputs"]), _NAME, _POINTER),
    st.builds(SourceField, _ID, st.text(_ANY, min_size=1, max_size=8)),
    st.builds(Component, st.sampled_from(["parameters", "successActions", "failureActions"]), _NAME),
    st.just(SelfUri()),
)
_NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
_CONSTANTS = st.none() | st.booleans() | _NUMBERS | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
_LEAVES = _CONSTANTS.map(Constant) | EXPRESSIONS.map(Reference)
_WORDS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_\-]{0,6}", fullmatch=True)
TREES: st.SearchStrategy[Node] = st.recursive(
    _LEAVES,
    lambda inner: (
        st.builds(Binary, st.sampled_from(["&&", "||", "==", "!=", "<", "<=", ">", ">="]), inner, inner)
        | st.builds(Not, inner)
        | st.builds(Member, inner, st.integers(0, 9).map(Constant) | _WORDS.map(Constant) | inner)
    ),
    max_leaves=10,
)


@given(EXPRESSIONS)
def test_an_expression_reads_back(expression: Expression) -> None:
    assert parse(str(expression)) == expression


@given(TREES)
def test_a_condition_reads_back(tree: Node) -> None:
    again = parse_condition(str(tree))
    assert again == tree
    assert list(references(again)) == list(references(tree))


@given(st.lists(st.text(_ANY, min_size=1, max_size=6) | EXPRESSIONS, max_size=5))
def test_a_text_with_expressions_reads_back(parts: list[str | Expression]) -> None:
    """The text between braces is kept as it is, and every expression inside is found, in order."""
    known = [one for one in parts if not isinstance(one, (str, StepOutput)) and not getattr(one, "dotted", False)]
    texts = [one if isinstance(one, str) else f"{{{one}}}" for one in parts if isinstance(one, str) or one in known]
    compiled = Compiler(strict(), (), ()).text("".join(texts))
    if isinstance(compiled, Text):
        assert "".join(one if isinstance(one, str) else f"{{{one}}}" for one in compiled.parts) == "".join(texts)
    assert isinstance(compiled, (Literal, Text, Whole))
    if not isinstance(compiled, Whole):
        assert list(expressions_in(compiled)) == known


@given(EXPRESSIONS, st.dictionaries(_NAME, st.integers(), max_size=3))
def test_an_expression_has_a_value_or_none_of_it(expression: Expression, values: dict[str, Any]) -> None:
    expression.value(Scope(inputs=values, steps={"a": values}, outputs=values))
