"""Which waiting job goes to which slot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heddle.fairness import Front
from heddle.matching import Choice, Plan, Policy, Resident, SlotReport, Waiting, choose, explain, filled, reach

NOW = 1000.0
ENGINES = frozenset({"diffusion"})
POLICY = Policy(defer_s=30.0, ahead_s=1.0)


def job(name: str, model: str = "", **more: object) -> Waiting:
    values = {"account_id": 1, "engine": "diffusion", "start": 1.0, "finish": 2.0, "load_s": 10.0, "est_s": 5.0, **more}
    return Waiting(job_id=name, model=model, memory_mb=10 if model else 0, **values)  # type: ignore[arg-type]


def slot(name: str, *models: str, **more: object) -> SlotReport:
    """With room for two models of 10 MB; the first named was used longest ago."""
    residents = tuple(Resident(model=m, memory_mb=10, used_at=float(n)) for n, m in enumerate(models))
    values = {"engines": ENGINES, "memory_mb": 20, "models": residents, **more}
    return SlotReport(name=name, **values)  # type: ignore[arg-type]


def busy(name: str, model: str, for_s: float, **more: object) -> SlotReport:
    resident = Resident(model=model, memory_mb=10, in_use=True)
    return slot(name, models=(resident,), ahead=1, busy_s=for_s, **{"room": 0, **more})


def deal(
    window: Sequence[Waiting],
    slots: Sequence[SlotReport],
    running: Mapping[int, int] | None = None,
    caps: Mapping[int, int] | None = None,
    policy: Policy = POLICY,
) -> Plan:
    return choose(window, slots, running=running or {}, caps=caps or {}, now=NOW, policy=policy)


def given_out(plan: Plan) -> dict[str, str]:
    return {choice.job_id: choice.slot for choice in plan.choices}


# ── residency ─────────────────────────────────────────────────────────────────


def test_jobs_go_out_in_their_order() -> None:
    assert given_out(deal([job("j1"), job("j2"), job("j3")], [slot("a"), slot("b")])).keys() == {"j1", "j2"}


def test_a_slot_that_has_the_model_is_preferred() -> None:
    plan = deal([job("j1", "m")], [slot("a"), slot("b", "m"), slot("c")])
    assert plan.choices == [Choice(job_id="j1", slot="b")]


def test_a_later_job_goes_first_where_its_model_is_and_the_earlier_one_notes_the_time() -> None:
    plan = deal([job("j1", "cold"), job("j2", "warm"), job("j3", "warm")], [slot("a", "warm")])
    assert given_out(plan) == {"j2": "a"}
    assert plan.passed == ["j1"]


def test_who_was_passed_over_long_enough_is_next() -> None:
    early = job("j1", "cold", passed_at=NOW - 30)
    plan = deal([early, job("j2", "warm")], [slot("a", "warm")])
    assert plan.choices == [Choice(job_id="j1", slot="a", loads=True)]


def test_a_moment_before_it_is_not() -> None:
    plan = deal([job("j1", "cold", passed_at=NOW - 29.9), job("j2", "warm")], [slot("a", "warm")])
    assert given_out(plan) == {"j2": "a"}
    assert plan.passed == [], "the time was noted already"


def test_a_slot_for_one_that_was_passed_over_makes_good_and_is_no_new_turn() -> None:
    window = [job("j1", "cold", passed_at=NOW - 30), job("j2", "other"), job("j3", "warm")]
    assert deal(window, [slot("a", "warm")]).passed == []


def test_only_those_whose_turn_it_was_are_passed_over() -> None:
    window = [job("j1", "cold"), job("j2", "rare"), job("j3", "odd"), job("j4", "warm"), job("j5", "warm")]
    assert deal(window, [slot("a", "warm"), slot("b", "warm")]).passed == ["j1", "j2"]


def test_what_was_used_longest_ago_is_evicted() -> None:
    plan = deal([job("j1", "new")], [slot("a", "recent", "more recent", room=0), slot("b", "old", "recent")])
    assert plan.choices == [Choice(job_id="j1", slot="b", loads=True, evict=("old",))]


def test_what_waiting_jobs_need_is_evicted_last() -> None:
    window = [job("j1", "new"), job("j2", "old", account_id=2)]
    plan = deal(window, [slot("a", "old", "recent")], policy=Policy(defer_s=0))
    assert plan.choices == [Choice(job_id="j1", slot="a", loads=True, evict=("recent",))]


def test_free_memory_is_used_before_anything_is_evicted() -> None:
    plan = deal([job("j1", "new")], [slot("a", "old", "recent"), slot("b", "recent")])
    assert plan.choices == [Choice(job_id="j1", slot="b", loads=True)]


def test_a_model_in_use_is_not_evicted() -> None:
    tied = tuple(Resident(model=m, memory_mb=10, in_use=True) for m in ("x", "y"))
    assert deal([job("j1", "new")], [slot("a", models=tied)]).choices == []


def test_a_large_model_goes_only_where_it_fits_and_small_ones_leave_it_the_place() -> None:
    window = [job("j1", "small"), replace(job("j2", "large"), memory_mb=50)]
    plan = deal(window, [slot("big", memory_mb=60), slot("small")])
    assert given_out(plan) == {"j1": "small", "j2": "big"}
    assert deal([replace(job("j3", "huge"), memory_mb=100)], [slot("big", memory_mb=60)]).choices == []


def test_memory_that_is_not_counted_takes_everything() -> None:
    plan = deal([replace(job("j1", "huge"), memory_mb=10**9)], [slot("a", "x", "y", memory_mb=None)])
    assert plan.choices == [Choice(job_id="j1", slot="a", loads=True)]


# ── one load for all who wait for it ──────────────────────────────────────────


def test_a_job_waits_for_a_load_that_is_under_way() -> None:
    plan = deal([job("j1", "m")], [busy("loading", "m", 4), slot("idle")])
    assert (plan.choices, plan.held, plan.passed) == ([], ["j1"], ["j1"])


def test_more_work_than_a_load_takes_is_worth_another_copy() -> None:
    window = [job(f"j{n}", "m") for n in range(3)]
    plan = deal(window, [busy("busy", "m", 4), slot("idle"), slot("idler")])
    assert [c.loads for c in plan.choices] == [True]
    assert plan.held == ["j1", "j2"]


def test_a_load_under_way_is_no_work() -> None:
    resident = Resident(model="m", memory_mb=10, in_use=True, ready_s=60)
    loading = slot("loading", models=(resident,), ahead=1, room=0, busy_s=65)
    assert deal([job("j1", "m")], [loading, slot("idle")]).held == ["j1"]
    working = slot("working", models=(replace(resident, ready_s=0.0),), ahead=1, room=0, busy_s=65)
    assert given_out(deal([job("j1", "m")], [working, slot("idle")])) == {"j1": "idle"}


def test_jobs_for_the_same_cold_model_share_one_load() -> None:
    plan = deal([job("j1", "m"), job("j2", "m")], [slot("a"), slot("b")])
    assert given_out(plan).keys() == {"j1"}
    assert plan.held == ["j2"]


def test_an_overdue_job_waits_for_a_copy_that_is_sooner_free_than_loaded() -> None:
    plan = deal([job("j1", "m", passed_at=NOW - 31)], [busy("a", "m", 4), slot("idle", "other")])
    assert (plan.choices, plan.held) == ([], ["j1"])


def test_but_not_for_ever() -> None:
    plan = deal([job("j1", "m", passed_at=NOW - 60)], [busy("a", "m", 4), slot("idle", "other")])
    assert given_out(plan) == {"j1": "idle"}


def test_nor_for_one_that_is_busy_longer_than_a_load() -> None:
    plan = deal([job("j1", "m")], [busy("a", "m", 60), slot("idle")])
    assert given_out(plan) == {"j1": "idle"}


# ── slots that will be free soon ──────────────────────────────────────────────


def test_a_busy_slot_gets_a_job_to_go_on_with() -> None:
    assert given_out(deal([job("j1", "m")], [busy("a", "m", 0.5, room=1)])) == {"j1": "a"}
    assert given_out(deal([job("j1", "m")], [busy("a", "m", 5, room=1)])) == {}


def test_an_idle_one_is_better() -> None:
    window = [job("j1", "m"), job("j2", "m")]
    assert given_out(deal(window, [busy("a", "m", 0.5, room=1), slot("b", "m")])) == {"j1": "b", "j2": "a"}


def test_an_overdue_job_has_its_model_loaded_beside_the_work() -> None:
    late = job("j1", "cold", passed_at=NOW - 30)
    plan = deal([late], [busy("a", "m", 8, room=1)])
    assert plan.choices == [Choice(job_id="j1", slot="a", loads=True)]
    assert deal([late], [busy("a", "m", 12, room=1)]).choices == [], "it would wait for the work, not the load"
    assert deal([late], [busy("a", "m", 8, room=1, memory_mb=15)]).choices == [], "two do not fit"


def test_a_slot_is_not_robbed_of_the_very_model_that_it_is_for() -> None:
    both = (Resident(model="m", memory_mb=10), Resident(model="x", memory_mb=10, in_use=True))
    slots = [slot("a", models=both, ahead=1, room=1, busy_s=8)]
    plan = deal([job("j1", "m", passed_at=NOW - 90)], slots)
    assert plan.choices == [Choice(job_id="j1", slot="a")]


def test_very_short_jobs_are_laid_out_in_a_row() -> None:
    window = [job(f"j{n}", est_s=0.01) for n in range(50)]
    plan = deal(window, [slot("a", room=33), slot("b", room=33)])
    assert Counter(given_out(plan).values()) == {"a": 25, "b": 25}


# ── caps, and how far the queue has got ───────────────────────────────────────


def test_a_cap_counts_what_runs_and_what_this_claim_gives() -> None:
    window = [job(f"j{n}") for n in range(4)] + [job("k", account_id=2)]
    plan = deal(window, [slot(s) for s in "abcde"], running={1: 1}, caps={1: 3})
    assert given_out(plan).keys() == {"j0", "j1", "k"}
    assert plan.capped == {1}
    assert plan.passed == []


def test_the_front_is_the_first_who_could_go_on() -> None:
    window = [*(job(f"j{n}", start=n, finish=n + 1) for n in (1, 2, 3)), job("k", start=4, finish=6, account_id=2)]
    assert deal(window, [slot("a")]).fronts == {"diffusion": Front(2, 3, served=1 / 2)}
    assert deal(window, [slot(s) for s in "abcd"]).fronts == {"diffusion": Front(6, 6)}, "nobody is left: the end"
    assert deal(window, [slot("a")], caps={1: 1}).fronts == {"diffusion": Front(4, 6, served=1 / 2)}, "not one at a cap"


def test_jobs_that_nothing_can_run_hold_nobody_up() -> None:
    window = [job("j1", engine="other"), job("j2", finish=5.0)]
    plan = deal(window, [slot("a")])
    assert given_out(plan) == {"j2": "a"}
    assert plan.fronts == {"diffusion": Front(5, 5)}


def test_a_claim_looks_further_where_slots_hold_models() -> None:
    assert reach([slot("a", room=2), slot("b", room=0)]) == 16
    assert reach([slot("a", "m"), slot("b")]) == 512
    assert reach([slot(f"s{n}", "m") for n in range(100)]) == 800


def test_slots_after_a_choice_are_as_they_will_report_themselves() -> None:
    window = [job("j1", "new", est_s=3.0), job("j2")]
    given = deal(window, [slot("a", "old", "recent", room=3), slot("b", "x")]).choices
    assert given == [Choice(job_id="j2", slot="a"), Choice(job_id="j1", slot="b", loads=True)]
    after, other = filled([slot("a", "old", "recent", room=3), slot("b", "x")], zip(given, window[::-1], strict=True))
    assert (after.room, after.ahead, after.busy_s, after.models) == (2, 1, 5.0, slot("a", "old", "recent").models)
    assert {(r.model, r.in_use, r.ready_s) for r in other.models} == {("x", False, 0.0), ("new", True, 10.0)}
    assert (other.room, other.ahead, other.busy_s) == (0, 1, 13.0)


def test_what_the_first_choice_evicts_the_second_does_not_count_on() -> None:
    full = slot("a", "old", "older", room=2)
    first = deal([job("j1", "new", est_s=0.1, load_s=0.1)], [full])
    assert first.choices[0].evict == ("old",)
    [after] = filled([full], [(first.choices[0], job("j1", "new", est_s=0.1, load_s=0.1))])
    assert deal([job("j2", "old", load_s=0.0)], [after]).choices == []


# ── why not ───────────────────────────────────────────────────────────────────


def test_every_slot_has_its_reason() -> None:
    window = [job("j0", "warm", account_id=2), replace(job("j1", "m"), memory_mb=15)]
    slots = [
        slot("other engine", engines=frozenset({"speech"})),
        slot("small", memory_mb=12),
        busy("loading", "m", 4),
        slot("warm", "warm"),
        slot("idle"),
    ]
    why = explain("j1", window, slots, running={}, caps={}, now=NOW, policy=POLICY)
    assert [(w.slot, w.code) for w in why] == [
        ("other engine", "engine"),
        ("small", "memory"),
        ("loading", "busy"),
        ("warm", "turn"),
        ("idle", "held"),
    ]
    assert "60 s at most" in why[-1].text


def test_a_cap_is_a_reason_and_so_is_being_next() -> None:
    window = [job("j1"), job("j2")]
    capped = explain("j2", window, [slot("a"), slot("b")], running={}, caps={1: 1}, now=NOW, policy=POLICY)
    assert {w.code for w in capped} == {"turn", "cap"}
    free = explain("j2", window, [slot("a"), slot("b")], running={}, caps={}, now=NOW, policy=POLICY)
    assert {w.code for w in free} == {"turn", "next"}


def test_a_job_that_is_not_in_the_window_is_an_error() -> None:
    with pytest.raises(KeyError):
        explain("nobody", [job("j1")], [slot("a")], running={}, caps={}, now=NOW, policy=POLICY)


# ── whatever comes ────────────────────────────────────────────────────────────

models = st.sampled_from(["", "m1", "m2", "m3", "m4"])
SIZES = {"": 0, "m1": 5, "m2": 10, "m3": 15, "m4": 30}
engines = st.sampled_from(["diffusion", "speech"])


@st.composite
def windows(draw: st.DrawFn) -> list[Waiting]:
    made = draw(st.lists(st.tuples(models, engines, st.integers(1, 4), st.floats(0, 100)), max_size=30))
    late = draw(st.lists(st.sampled_from([None, 0.0, 20.0, 40.0, 90.0]), min_size=len(made), max_size=len(made)))
    return [
        Waiting(
            job_id=f"j{n}",
            account_id=account,
            engine=engine,
            start=float(n),
            finish=float(n + 1),
            model=model,
            memory_mb=SIZES[model],
            load_s=10.0 if model else 0.0,
            est_s=est,
            passed_at=None if ago is None else NOW - ago,
        )
        for n, ((model, engine, account, est), ago) in enumerate(zip(made, late, strict=True))
    ]


@st.composite
def fleets(draw: st.DrawFn) -> list[SlotReport]:
    return [draw(_slots(f"s{n}")) for n in range(draw(st.integers(0, 8)))]


@st.composite
def _slots(draw: st.DrawFn, name: str) -> SlotReport:
    memory = draw(st.sampled_from([12, 40, None]))
    held: list[Resident] = []
    ahead = draw(st.integers(0, 2))
    for model in draw(st.lists(models.filter(bool), unique=True, max_size=3)):
        if sum(r.memory_mb for r in held) + SIZES[model] <= (memory or 999):
            used = draw(st.floats(0, NOW))
            held.append(Resident(model=model, memory_mb=SIZES[model], used_at=used, in_use=ahead > 0 and not held))
    return SlotReport(
        name=name,
        engines=frozenset(draw(st.lists(engines, min_size=1, unique=True))),
        memory_mb=memory,
        models=tuple(held),
        ahead=ahead,
        room=draw(st.integers(0, 3)),
        busy_s=draw(st.floats(0.1, 60)) if ahead else 0.0,
    )


caps_of = st.dictionaries(st.integers(1, 4), st.integers(0, 5))
policies = st.sampled_from([POLICY, Policy(defer_s=0), Policy(defer_s=80, ahead_s=20)])
whatever = given(windows(), fleets(), st.dictionaries(st.integers(1, 4), st.integers(0, 3)), caps_of, policies)


@whatever
@settings(max_examples=150)
def test_nothing_is_given_that_is_not_there(
    window: list[Waiting], slots: list[SlotReport], running: dict[int, int], caps: dict[int, int], policy: Policy
) -> None:
    plan = deal(window, slots, running, caps, policy)
    jobs, places = {w.job_id: w for w in window}, {s.name: s for s in slots}
    assert len({c.job_id for c in plan.choices}) == len(plan.choices)
    room = Counter(c.slot for c in plan.choices)
    assert all(room[name] <= places[name].room for name in room)
    now_running = Counter(running)
    for choice in plan.choices:
        now_running[jobs[choice.job_id].account_id] += 1
        assert jobs[choice.job_id].engine in places[choice.slot].engines
    assert all(now_running[a] <= max(cap, running.get(a, 0)) for a, cap in caps.items())


@whatever
@settings(max_examples=150)
def test_memory_is_never_overfull_and_nothing_in_use_is_evicted(
    window: list[Waiting], slots: list[SlotReport], running: dict[int, int], caps: dict[int, int], policy: Policy
) -> None:
    jobs = {w.job_id: w for w in window}
    held = {s.name: {r.model: r.memory_mb for r in s.models} for s in slots}
    tied = {s.name: {r.model for r in s.models if r.in_use} for s in slots}
    for choice in deal(window, slots, running, caps, policy).choices:
        job, mine = jobs[choice.job_id], held[choice.slot]
        assert not set(choice.evict) & (tied[choice.slot] | {job.model})
        for model in choice.evict:
            del mine[model]
        assert choice.loads is (bool(job.model) and job.model not in mine)
        if job.model:
            mine[job.model] = job.memory_mb
            tied[choice.slot].add(job.model)
        memory = next(s.memory_mb for s in slots if s.name == choice.slot)
        assert memory is None or sum(mine.values()) <= memory


@whatever
@settings(max_examples=150)
def test_no_idle_slot_stays_so_but_for_a_wait_that_ends(
    window: list[Waiting], slots: list[SlotReport], running: dict[int, int], caps: dict[int, int], policy: Policy
) -> None:
    plan = deal(window, slots, running, caps, policy)
    used, taken = {c.slot for c in plan.choices}, given_out(plan)
    idle = [s for s in slots if s.room > 0 and not s.ahead and s.name not in used]
    for waiting in window:
        if waiting.job_id in taken or waiting.account_id in plan.capped:
            continue
        fits = [s for s in idle if waiting.engine in s.engines and waiting.memory_mb <= (s.memory_mb or 999)]
        if not fits:
            continue
        assert waiting.job_id in plan.held
        assert policy.defer_s > 0
        assert waiting.passed_at is not None or waiting.job_id in plan.passed, "its time runs"
        assert waiting.passed_at is None or NOW - waiting.passed_at < 2 * policy.defer_s, "and ends"


@whatever
@settings(max_examples=150)
def test_who_is_overdue_by_far_goes_before_all_who_are_not(
    window: list[Waiting], slots: list[SlotReport], running: dict[int, int], caps: dict[int, int], policy: Policy
) -> None:
    """The bound: nothing that is not overdue has a slot that was idle and that such a job could have had."""
    plan = deal(window, slots, running, caps, policy)
    jobs, places, taken = {w.job_id: w for w in window}, {s.name: s for s in slots}, given_out(plan)
    first = {name: next(c.job_id for c in plan.choices if c.slot == name) for name in taken.values()}

    def late(w: Waiting) -> float:
        return 9.0 if policy.defer_s == 0 else 0.0 if w.passed_at is None else (NOW - w.passed_at) / policy.defer_s

    for waiting in window:
        if late(waiting) < 2 or waiting.job_id in taken or waiting.account_id in plan.capped:
            continue
        for name, other in first.items():
            place = places[name]
            could = waiting.engine in place.engines and waiting.memory_mb <= (place.memory_mb or 999)
            assert place.ahead or not could or late(jobs[other]) >= 1


@whatever
@settings(max_examples=60)
def test_the_same_question_has_the_same_answer_and_every_job_a_reason(
    window: list[Waiting], slots: list[SlotReport], running: dict[int, int], caps: dict[int, int], policy: Policy
) -> None:
    plan = deal(window, slots, running, caps, policy)
    assert plan == deal(window, slots, running, caps, policy)
    for waiting in window:
        why = explain(waiting.job_id, window, slots, running=running, caps=caps, now=NOW, policy=policy)
        assert [w.slot for w in why] == [s.name for s in slots]
        assert any(w.code == "next" for w in why) is (waiting.job_id in given_out(plan))
