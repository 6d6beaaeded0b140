"""The order of steps by `dependsOn`."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.arazzo.expressions import ExpressionError
from heddle.arazzo.order import Circle, StepName, Waiting, in_order, step_name


def order(steps: dict[str, str], uses: dict[str, str] | None = None) -> str:
    """`steps`: what each depends on; one letter per step."""
    given = [
        Waiting(name, tuple(needs), [[f"x {{$steps.{one}.outputs.o}}" for one in (uses or {}).get(name, "")]])
        for name, needs in steps.items()
    ]
    names = list(steps)
    return "".join(names[at] for at in in_order(given))


def test_the_list_is_kept_as_far_as_possible() -> None:
    assert order({"a": "", "b": "", "c": ""}) == "abc"
    assert order({"a": "c", "b": "", "c": ""}) == "bca"
    assert order({"a": "", "b": "d", "c": "", "d": "a"}) == "acdb"


def test_without_depends_on_nothing_moves() -> None:
    assert order({"a": "", "b": ""}, {"a": "b"}) == "ab"


def test_uses_of_outputs_count_beside_depends_on() -> None:
    assert order({"a": "", "b": "", "c": "d", "d": ""}, {"a": "b"}) == "badc"


def test_a_loop_of_uses_is_no_circle() -> None:
    assert order({"a": "c", "b": "", "c": ""}, {"b": "a", "a": "b"}) == "cab"
    assert order({"a": "b", "b": ""}, {"b": "a", "a": "a"}) == "ba"


def test_a_circle() -> None:
    with pytest.raises(Circle) as raised:
        order({"a": "", "b": "c", "c": "b"})
    assert raised.value.steps == [1, 2]
    with pytest.raises(Circle):
        order({"a": "a"})


def test_many_steps_take_no_time() -> None:
    steps = [Waiting(f"s{at}", [f"s{at + 1}"] if at < 9_999 else [], []) for at in range(10_000)]
    started = time.process_time()
    assert list(in_order(steps)) == list(range(9_999, -1, -1))
    assert time.process_time() - started < 1


@given(st.lists(st.sets(st.integers(0, 11)), min_size=1, max_size=12))
def test_every_step_comes_behind_those_it_depends_on(needs: list[set[int]]) -> None:
    steps = [
        Waiting(f"s{at}", [f"s{one}" for one in sorted(before) if one < at], []) for at, before in enumerate(needs)
    ]
    reverse = [
        Waiting(f"s{at}", [f"s{one}" for one in sorted(before) if one > at], []) for at, before in enumerate(needs)
    ]
    for listed in (steps, reverse):
        place = {listed[at].id: n for n, at in enumerate(in_order(listed))}
        assert len(place) == len(listed)
        assert all(place[one] < place[step.id] for step in listed for one in step.depends_on if one in place)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("login", StepName("login")),
        ("$steps.login", StepName("login")),
        ("$workflows.w.steps.s", StepName("s", "w")),
        ("$sourceDescriptions.d.w.steps.s", StepName("s", "$sourceDescriptions.d.w")),
    ],
)
def test_names(text: str, name: StepName) -> None:
    assert step_name(text) == name


@pytest.mark.parametrize("text", ["$workflows.w", "$steps.a.outputs.b", "$sourceDescriptions.d.w", "$x"])
def test_what_names_no_step(text: str) -> None:
    with pytest.raises(ExpressionError, match="names no step"):
        step_name(text)
