"""One simulated run: times as one works them out by hand, and what holds on any trace."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from benchmarks.simulator import bounds
from benchmarks.simulator.compare import FAIR, FIFO, HEDDLE, WISH
from benchmarks.simulator.figures import figures, jain
from benchmarks.simulator.trace import Job, Shape, synthetic
from benchmarks.simulator.world import Fleet, Outcome, Rules, World, _Queue

from heddle.matching import Policy

RULES = [FIFO, FAIR, HEDDLE, WISH]
names = pytest.mark.parametrize("rules", RULES, ids=lambda rules: rules.name)


def job(at: float, model: str = "", account: int = 1, **more: object) -> Job:
    values = {"work_s": 5.0, "est_s": 5.0, "load_s": 10.0, "memory_mb": 10 if model else 0, **more}
    return Job(at=at, account=account, model=model, **values)  # type: ignore[arg-type]


def run(jobs: Sequence[Job], rules: Rules, **fleet: int) -> Outcome:
    return World(jobs, Fleet(**{"gpus": 1, "memory_mb": 20, **fleet}), rules).run()


def test_a_load_comes_before_the_work_and_is_not_repeated() -> None:
    outcome = run([job(0, "m"), job(1, "m")], FIFO)
    assert (outcome.began, outcome.ended, outcome.loads) == ([10, 15], [15, 20], 1)


def test_a_model_that_was_evicted_is_loaded_again() -> None:
    outcome = run([job(n, model) for n, model in enumerate(["a", "b", "a"])], FIFO, memory_mb=10)
    assert (outcome.ended, outcome.loads) == ([15, 30, 45], 3)


def test_two_models_stay_where_two_fit() -> None:
    outcome = run([job(n, model) for n, model in enumerate(["a", "b", "a", "b"])], FIFO)
    assert outcome.loads == 2


def test_heddle_takes_the_job_whose_model_is_there_first() -> None:
    jobs = [job(n, model) for n, model in enumerate(["a", "b", "a", "b"])]
    assert run(jobs, FIFO, memory_mb=10).loads == 4
    assert run(jobs, HEDDLE, memory_mb=10).loads == 2


def test_who_is_passed_over_waits_no_longer_than_the_bound_and_one_job() -> None:
    """Thirty jobs of another account have their model in the only slot."""
    jobs = [*(job(0, "m", account=1) for _ in range(30)), job(1, "rare", account=2)]
    outcome = run(jobs, HEDDLE, memory_mb=10)
    bound = HEDDLE.policy.defer_s
    assert bound <= outcome.longest_deferral_s <= bound + 5
    assert outcome.began[-1] == pytest.approx(15 + bound + 10, abs=5.2)


def test_a_load_beside_the_work_is_hidden() -> None:
    jobs = [job(0, "a", work_s=100.0, est_s=20.0), job(1, "b")]
    alone, ahead = run(jobs, FIFO), run(jobs, FIFO, lookahead=1)
    assert (alone.began[1], ahead.began[1]) == (120, 110)


def test_an_account_at_its_cap_leaves_the_slots_to_others_behind_it() -> None:
    jobs = [*(job(0, account=1) for _ in range(300)), *(job(0, account=2) for _ in range(3))]
    outcome = run(jobs, FIFO, gpus=4, cap=2)
    assert max(outcome.began[300:]) <= 5.1
    moments = sorted(set(outcome.began))
    at_once = max(
        sum(b <= t < e for b, e in zip(outcome.began[:300], outcome.ended[:300], strict=True)) for t in moments
    )
    assert at_once == 2


def test_service_is_shared_by_weight() -> None:
    jobs = sorted(
        (job(0, account=account, weight=weight) for account, weight in [(1, 1.0), (2, 3.0)] for _ in range(100)),
        key=lambda j: j.at,
    )
    outcome = run(jobs, FAIR)
    first = [j.account for j, began in zip(jobs, outcome.began, strict=True) if began < 200]
    assert first.count(2) == pytest.approx(30, abs=1)


def test_high_goes_first_and_low_is_not_starved() -> None:
    """More normal work than there is room for, all the time."""
    jobs = sorted(
        [
            *(job(t, account=t % 5, kind="normal") for t in range(0, 4000, 2)),
            *(job(t, account=10, kind="high", priority="high") for t in range(0, 4000, 100)),
            *(job(t, account=11, kind="low", priority="low") for t in range(0, 4000, 100)),
        ],
        key=lambda j: j.at,
    )
    waits = figures("", run(jobs, HEDDLE, gpus=2), 2, 4000).waits
    assert waits["high"].most < 10 < waits["normal"].p50 < waits["low"].p50
    ended = run(jobs, HEDDLE, gpus=2).ended
    early = [j for j, at in zip(jobs, ended, strict=True) if j.kind == "low" and at < 4000]
    assert early, "some low jobs are done while others still wait"


@names
def test_no_rules_beat_the_bounds(rules: Rules) -> None:
    shape = Shape(gpus=6, models=8, seconds=300, load=1.2)
    jobs = synthetic(shape)
    fleet = Fleet(gpus=6)
    outcome = World(jobs, fleet, rules).run()
    found = figures(rules.name, outcome, 6, 300)
    waits = [began - job.at for job, began in zip(jobs, outcome.began, strict=True)]
    assert found.utilization * 6 * 300 <= bounds.work_by(jobs, 6, 300) + 1e-6
    assert sum(waits) / len(waits) >= bounds.mean_wait(jobs, 6) - 1e-6
    assert outcome.loads >= bounds.loads(jobs)
    assert all(wait >= 0 for wait in waits)


@names
def test_a_slot_runs_one_job_at_a_time(rules: Rules) -> None:
    jobs = synthetic(Shape(gpus=3, models=5, seconds=200, load=1.0))
    outcome = World(jobs, Fleet(gpus=3, lookahead=1), rules).run()
    changes = sorted([(b, 1) for b in outcome.began] + [(e, -1) for e in outcome.ended], key=lambda c: (c[0], c[1]))
    running = most = 0
    for _, change in changes:
        running += change
        most = max(most, running)
    assert most <= 3


def test_the_same_trace_under_the_same_rules_is_the_same_run() -> None:
    jobs = synthetic(Shape(gpus=4, models=5, seconds=200))
    one, other = (World(jobs, Fleet(gpus=4), HEDDLE).run() for _ in range(2))
    assert (one.began, one.loads) == (other.began, other.loads)


def test_bounds_as_worked_out_by_hand() -> None:
    jobs = [job(0, work_s=10.0), job(0, work_s=2.0), job(10, work_s=1.0)]
    # The short one ends after 2 s, the late one after 1 s, and the long one, interrupted by both, after 13 s.
    assert bounds.mean_wait(jobs, 1) == pytest.approx((2 + 1 + 13 - 13) / 3)
    assert bounds.mean_wait(jobs, 2) == 0.0
    assert bounds.work_by(jobs, 1, 5) == 5
    assert bounds.work_by(jobs, 4, 5) == 12
    assert bounds.work_by(jobs, 1, 100) == 13


def test_an_index_of_one_is_equal_shares() -> None:
    jobs = [job(0, account=a, work_s=60.0) for a in (1, 2) for _ in range(3)]
    fair = Outcome(jobs, [0, 60, 120, 0, 60, 120], [60, 120, 180, 60, 120, 180])
    assert jain(fair, 120) == pytest.approx(1.0)
    one_sided = Outcome(jobs, [0, 60, 120, 180, 240, 300], [60, 120, 180, 240, 300, 360])
    assert jain(one_sided, 120) == pytest.approx(0.5)


def test_what_cannot_run_is_said_at_once() -> None:
    with pytest.raises(ValueError, match="'m' needs 10 MB; a slot has 5 MB"):
        run([job(0, "m")], FIFO, memory_mb=5)
    with pytest.raises(ValueError, match="0 GPUs"):
        run([job(0)], FIFO, gpus=0)


def test_a_strict_policy_holds_nothing() -> None:
    assert Policy(defer_s=0).defer_s == 0
    outcome = run([job(0, "a"), job(1, "a")], FIFO, gpus=2)
    assert outcome.loads == 2, "the second does not wait for the first one's load"
    assert not any(map(math.isnan, outcome.ended))


def test_who_is_overdue_is_seen_wherever_it_stands_in_the_queue() -> None:
    jobs = [job(0, "m") for _ in range(900)]
    queue = _Queue(HEDDLE)
    for n, waiting in enumerate(jobs):
        queue.put(n, waiting)
    far = queue.window(900, (), 0.0)[800]
    queue.note([far], jobs, now=7.0)
    assert far.job_id not in {w.job_id for w in queue.window(512, (), 6.9)}
    seen = queue.window(512, (), 7.0)
    assert (len(seen), seen[-1].job_id, seen[-1].passed_at) == (513, far.job_id, 7.0)
    assert queue.window(512, {1}, 7.0) == []
    queue.take([far], jobs)
    assert len(queue.window(512, (), 7.0)) == 512
