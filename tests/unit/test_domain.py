"""Statuses: the transition table, and rolling up."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.domain import ACTIVE, TERMINAL, TRANSITIONS, Status, roll_up, roll_up_steps

statuses = st.sampled_from(Status)
S = Status


def test_the_seven() -> None:
    assert [s.value for s in Status] == [
        "unassigned", "preparing", "processing", "succeeded", "failed", "expired", "canceled",
    ]  # fmt: skip


def test_terminal_is_final() -> None:
    for end, other in itertools.product(TERMINAL, Status):
        assert not end.may_become(other)
    for active in ACTIVE:
        assert all(active.may_become(end) for end in TERMINAL)


@pytest.mark.parametrize(
    ("jobs", "step"),
    [
        ([S.UNASSIGNED], S.UNASSIGNED),
        ([S.UNASSIGNED, S.PROCESSING], S.PROCESSING),
        ([S.SUCCEEDED, S.UNASSIGNED], S.PROCESSING),
        ([S.PREPARING, S.PREPARING], S.PREPARING),
        ([S.SUCCEEDED, S.FAILED], S.SUCCEEDED),
        ([S.FAILED, S.CANCELED], S.FAILED),
        ([S.EXPIRED, S.CANCELED], S.EXPIRED),
        ([S.CANCELED], S.CANCELED),
    ],
)
def test_a_step_from_its_jobs(jobs: list[Status], step: Status) -> None:
    assert roll_up(jobs) is step


@given(st.lists(statuses, min_size=1))
def test_a_whole_ends_exactly_when_all_its_parts_have(parts: list[Status]) -> None:
    ended = all(p.terminal for p in parts)
    assert roll_up(parts).terminal is ended
    assert roll_up_steps(parts).terminal is ended


@given(st.lists(statuses, min_size=1))
def test_a_workflow_succeeds_only_when_every_step_does(parts: list[Status]) -> None:
    assert (roll_up_steps(parts) is S.SUCCEEDED) is (set(parts) == {S.SUCCEEDED})


@given(statuses, statuses)
def test_only_the_table_decides(one: Status, other: Status) -> None:
    assert one.may_become(other) is (other in TRANSITIONS[one])
