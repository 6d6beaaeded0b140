"""Simple conditions: what they mean, what is refused, and that the parser survives everything."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.arazzo.conditions import (
    Binary,
    ConditionError,
    Constant,
    Member,
    Node,
    Not,
    Undecidable,
    equal,
    ordered,
    parse_condition,
    truth,
)
from heddle.arazzo.expressions import Call, Message, Scope

SCOPE = Scope(
    inputs={"n": 5, "word": "Fox", "flag": False, "digits": "10"},
    steps={},
    call=Call(
        "GET",
        "http://h",
        Message(),
        Message({"x": "y"}, body={"status": "Running", "items": [{"id": 7}], "none": None, "a-b": 1, "ok": True}),
        200,
    ),
)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("$statusCode == 200", True),
        ("$statusCode==200", True),
        ("$statusCode != 200", False),
        ("$statusCode >= 200 && $statusCode < 300", True),
        ("$statusCode < 200 || $statusCode > 299", False),
        ("200 == $statusCode", True),
        ("$statusCode == '200'", True),
        ("$statusCode > '99'", True),
        ("$inputs.digits < 9", False),
        ("$inputs.digits < '9'", False),
        ("'abc' < 'ABD'", True),
        ("$response.body#/status == 'running'", True),
        ("$response.body#/status == 'RUN' || $response.body#/status == 'running'", True),
        ("$response.body#/none == null", True),
        ("$response.body#/absent == null", True),
        ("$response.body#/absent != 'x'", True),
        ("$response.body#/absent < 3", False),
        ("null == null", True),
        ("null != null", False),
        ("null == false", False),
        ("null == 0", False),
        ("null == ''", False),
        ("true == 1", False),
        ("true == 'TRUE'", True),
        ("false == 'true'", False),
        ("$response.body#/ok", True),
        ("!$response.body#/ok", False),
        ("!$inputs.flag", True),
        ("!!$inputs.flag", False),
        ("!$inputs.flag && $response.body#/ok", True),
        ("!($inputs.flag || $response.body#/ok)", False),
        ("true || false && false", True),
        ("(true || false) && false", False),
        ("1 < 2 == true", True),
        ("$response.body#/items/0/id == 7", True),
        ("$response.body.items[0].id == 7", True),
        ("$response.body['items'][0]['id'] == 7", True),
        ("($response.body).a-b == 1", True),
        ("$response.body.items[9].id == null", True),
        ("$response.body.items[$inputs.n] == null", True),
        ("$inputs.word == 'it''s'", False),
        ("'it''s' == 'IT''S'", True),
        ("{$inputs.n} == 5", True),
        ("-1.5e1 == -15", True),
        ("$response.header.X == 'y'", True),
        ("true", True),
        ("false", False),
        ("null", False),
        ('$inputs.word == "fox"', True),
    ],
)
def test_answers(text: str, answer: bool) -> None:
    assert truth(parse_condition(text).value(SCOPE)) is answer


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a value was expected at column 1"),
        ("$statusCode ==", "a value was expected at column 15"),
        ("$statusCode = 200", "'=' was not expected at column 13"),
        ("$statusCode === 200", "'=' was not expected at column 15"),
        ("$statusCode == 200 and true", "'and' was not expected at column 20"),
        ("($statusCode == 200", "')' was expected"),
        ("$statusCode == 200)", "')' was not expected"),
        ("$response.body#/s == running", "'running' needs single quotes to be a text at column 22"),
        ("'open", "was not expected at column 1"),
        ("$nonsense == 1", "'$nonsense' is not a runtime expression"),
        ("$steps.a.x == 1", "write $steps.<stepId>.outputs.<name>"),
        ("a.b", "needs single quotes"),
        ("($response.body). == 1", "a name was expected"),
        ("__import__('os')", "needs single quotes"),
        ("(" * 100 + "1" + ")" * 100, "too deeply nested"),
        ("!" * 100 + "true", "too deeply nested"),
    ],
)
def test_refusals_say_where(text: str, said: str) -> None:
    with pytest.raises(ConditionError) as raised:
        parse_condition(text)
    assert said in str(raised.value)


def test_double_quotes_ask_first() -> None:
    with pytest.raises(ConditionError, match="single quotes"):
        parse_condition('"a" == "a"', lambda: False)


@pytest.mark.parametrize("text", ["'abc' < 5", "$response.body > 3", "$response.body#/items >= 'x'", "true < 2"])
def test_what_has_no_order_is_undecidable(text: str) -> None:
    with pytest.raises(Undecidable):
        parse_condition(text).value(SCOPE)


def test_the_right_side_is_looked_at_only_when_it_must() -> None:
    assert truth(parse_condition("false && 'abc' < 5").value(SCOPE)) is False
    assert truth(parse_condition("true || 'abc' < 5").value(SCOPE)) is True


@pytest.mark.parametrize(
    ("value", "passes"), [(0, False), ("", False), (1, True), ("no", True), ([], True), ({}, True)]
)
def test_truth_of_what_the_specification_leaves_open(value: Any, passes: bool) -> None:
    assert truth(value) is passes


_CONSTANTS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
).map(Constant)
_TREES = st.recursive(
    _CONSTANTS,
    lambda inner: (
        st.builds(Binary, st.sampled_from(["&&", "||", "==", "!=", "<", "<=", ">", ">="]), inner, inner)
        | st.builds(Not, inner)
        | st.builds(Member, inner, st.integers(0, 3).map(Constant))
    ),
    max_leaves=8,
)


@given(_TREES)
def test_a_written_tree_reads_back_as_itself(tree: Node) -> None:
    assert parse_condition(str(tree)) == tree


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    for candidate in (text, f"$statusCode {text}", f"({text})"):
        try:
            tree = parse_condition(candidate)
        except ConditionError:
            continue
        with contextlib.suppress(Undecidable):
            truth(tree.value(SCOPE))


_VALUES = st.none() | st.booleans() | st.integers(-50, 50) | st.sampled_from(["a", "A", "5", "05", "true", "", "x"])


@given(_VALUES, _VALUES)
def test_equality_is_mutual_and_order_is_a_mirror(left: Any, right: Any) -> None:
    assert equal(left, right) == equal(right, left)
    assert equal(left, left)
    try:
        assert ordered("<", left, right) == ordered(">", right, left)
    except Undecidable:
        with pytest.raises(Undecidable):
            ordered(">", right, left)
