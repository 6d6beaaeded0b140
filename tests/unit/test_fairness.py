"""Virtual time: fair shares whatever anybody submits."""

from __future__ import annotations

import heapq
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle import fairness
from heddle.domain import Priority
from heddle.fairness import BAND_WEIGHTS, Front, Stamp, advance, clock, stamp, stamps

HIGH, NORMAL, LOW = (Priority(p).band for p in ("high", "normal", "low"))
seconds = st.floats(0.01, 100)
weights = st.sampled_from([0.5, 1.0, 2.0])


def test_every_priority_weighs_something() -> None:
    assert set(BAND_WEIGHTS) == {p.band for p in Priority}
    assert BAND_WEIGHTS[HIGH] > BAND_WEIGHTS[NORMAL] > BAND_WEIGHTS[LOW] > 0


def test_a_newcomer_stands_beside_a_backlog_and_not_behind_it() -> None:
    backlog = stamps(0.0, 0.0, [1.0] * 1000, weight=1.0, band=NORMAL)
    assert stamp(backlog[0].start, 0.0, 1.0, 1.0, NORMAL) == backlog[0]


def test_who_was_away_has_saved_nothing_up() -> None:
    assert stamp(500.0, 3.0, 1.0, 1.0, NORMAL) == (500.0, 501.0)


def test_what_is_high_passes_the_accounts_own_backlog_and_what_is_low_waits_longer() -> None:
    own = stamps(0.0, 0.0, [1.0] * 20, weight=1.0, band=NORMAL)
    high, low = (stamp(0.0, 0.0, 1.0, 1.0, band) for band in (HIGH, LOW))
    assert high.finish < own[0].finish < low.finish < own[-1].finish


@given(st.lists(seconds, min_size=1, max_size=20), seconds, seconds, weights)
def test_a_list_is_stamped_like_its_jobs_one_by_one(ests: list[float], now: float, last: float, weight: float) -> None:
    one_by_one: list[Stamp] = []
    latest = last
    for est in ests:
        one_by_one.append(stamp(now, latest, est, weight, NORMAL))
        latest = one_by_one[-1].finish
    assert stamps(now, last, ests, weight, NORMAL) == one_by_one
    assert one_by_one == sorted(one_by_one)
    assert one_by_one[0].start == max(now, last)


def test_an_engine_nobody_waits_for_starts_level_with_the_others() -> None:
    assert clock({}, "a", waits=False) == 0.0
    assert clock({"a": 5.0, "b": 9.0}, "a", waits=True) == 5.0
    assert clock({"a": 5.0, "b": 9.0}, "a", waits=False) == 9.0
    assert clock({"a": 5.0}, "new", waits=True) == 5.0


def test_time_does_not_run_backward() -> None:
    assert advance({"a": 5.0, "b": 1.0}, {"a": Front(2, 3), "c": Front(2, 4)}) == {"a": 5.0, "b": 1.0, "c": 2.0}
    assert advance({"a": 5.0}, {"a": Front(7, 9)}) == {"a": 7.0}


def test_time_goes_on_with_what_is_served_as_far_as_the_first_who_waits() -> None:
    assert advance({"a": 5.0}, {"a": Front(1, 20, served=2)}) == {"a": 7.0}
    assert advance({"a": 5.0}, {"a": Front(1, 6, served=2)}) == {"a": 6.0}


def test_a_stream_of_newcomers_with_short_jobs_does_not_starve_a_long_one() -> None:
    """Each comes once and for a second; the long job takes a hundred, or is of low priority."""
    for long in (stamp(0.0, 0.0, 100.0, 1.0, NORMAL), stamp(0.0, 0.0, 6.0, 1.0, LOW)):
        clocks, newcomers = {"a": 0.0}, 0
        while stamp(clocks["a"], 0.0, 1.0, 1.0, NORMAL).finish <= long.finish:
            newcomers += 1
            clocks = advance(clocks, {"a": Front(*long, served=1.0 / 2)})
        assert 180 <= newcomers <= 200, "one second of two is for the long job: that is its share"


@given(
    st.lists(weights, min_size=2, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.floats(0.5, 10)), min_size=40, max_size=120),
)
def test_among_accounts_that_always_want_more_service_goes_by_weight(
    weights: list[float], submitted: list[tuple[int, float]]
) -> None:
    """At any moment, two backlogged accounts have had the same service per weight, but for a job each."""
    waiting: list[tuple[float, int, int, float]] = []
    lasts = dict.fromkeys(range(len(weights)), 0.0)
    for n, (some, est) in enumerate(submitted):
        account = some % len(weights)
        lasts[account] = stamp(0.0, lasts[account], est, weights[account], NORMAL).finish
        heapq.heappush(waiting, (lasts[account], n, account, est))
    left = Counter(account for _, _, account, _ in waiting)
    served = dict.fromkeys(range(len(weights)), 0.0)
    longest = max(est for *_, est in waiting)
    while all(left[a] for a in served):
        _, _, account, est = heapq.heappop(waiting)
        served[account] += est / weights[account]
        left[account] -= 1
        assert max(served.values()) - min(served.values()) <= 2 * longest / min(weights)


def test_an_estimate_of_nothing_costs_something() -> None:
    assert stamp(0.0, 0.0, 0.0, 1.0, NORMAL).finish == pytest.approx(fairness.LEAST_S)
