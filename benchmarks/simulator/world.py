"""Queue, slots and clock of one simulated run. The decisions are the product's own; this only lets time pass."""

from __future__ import annotations

import heapq
import math
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Literal

from heddle import fairness
from heddle.fairness import Front, Stamp
from heddle.matching import Choice, Policy, Resident, SlotReport, Waiting, choose, reach

from .trace import Job

#: A report about how long a slot is busy may be so old.
_STALE_S = 1.0

#: Reads of the queue in one claim, when accounts at their cap fill the window.
_ROUNDS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is compared: an order, a policy, and whether loads take time."""

    name: str
    order: Literal["arrival", "fair"] = "fair"
    policy: Policy = field(default_factory=Policy)
    free_loads: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Slots that are all alike."""

    gpus: int
    memory_mb: int = 48_000
    lookahead: int = 0
    #: Between two claims, when many slots fall free: as long as the claim of a busy server takes.
    claim_s: float = 0.1
    #: Jobs that an account may run at once; 0: any number.
    cap: int = 0


@dataclass(slots=True)
class Outcome:
    """What became of a trace: when each of its jobs began and ended, and the loads."""

    jobs: Sequence[Job]
    began: list[float]
    ended: list[float]
    loads: int = 0
    #: The longest from being passed over to being claimed.
    longest_deferral_s: float = 0.0


@dataclass(slots=True, eq=False)
class _Attempt:
    n: int
    ready: bool = True


class _Slot:
    """One GPU: what it runs, what waits in it, and its memory."""

    def __init__(self, name: str, fleet: Fleet, engines: frozenset[str]) -> None:
        self.name = name
        self.line: list[_Attempt] = []
        self.running = False
        self.until = 0.0
        self.loader_free = 0.0
        #: Size, last use, and when it is loaded.
        self.models: dict[str, tuple[int, float, float]] = {}
        self._fleet = fleet
        self._engines = engines
        self._report: SlotReport | None = None
        self._reported = 0.0

    def changed(self) -> None:
        self._report = None

    def report(self, now: float, world: World) -> SlotReport:
        if self._report is None or (self.line and now - self._reported > _STALE_S):
            self._report = self._look(now, world)
            self._reported = now
        return self._report

    def _look(self, now: float, world: World) -> SlotReport:
        jobs = [world.jobs[a.n] for a in self.line]
        used = {job.model for job in jobs}
        busy = sum(job.est_s for job in jobs)
        if self.running:
            busy -= min(now - world.outcome.began[self.line[0].n], 0.7 * jobs[0].est_s)
        elif jobs:
            busy += max(0.0, self.loader_free - now)
        return SlotReport(
            name=self.name,
            engines=self._engines,
            memory_mb=self._fleet.memory_mb,
            models=tuple(
                Resident(model=m, memory_mb=mb, used_at=at, in_use=m in used, ready_s=max(0.0, ready - now))
                for m, (mb, at, ready) in self.models.items()
            ),
            ahead=len(self.line),
            room=1 + self._fleet.lookahead - len(self.line),
            busy_s=busy,
        )


class _Queue:
    """Jobs that wait, a line per account and priority, read in the order of their stamps."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._lines: dict[tuple[int, int], OrderedDict[str, Waiting]] = {}
        self._lasts: dict[tuple[int, int], float] = {}
        self._clocks: dict[str, float] = {}
        self._waits: Counter[str] = Counter()
        self._passed: dict[str, Waiting] = {}

    def put(self, n: int, job: Job) -> None:
        key = (job.account, job.band) if self._rules.order == "fair" else (0, 0)
        stamp = self._stamp(key, job) if self._rules.order == "fair" else Stamp(job.at, job.at)
        waiting = Waiting(
            job_id=f"{n:09}",
            account_id=job.account,
            engine=job.engine,
            start=stamp.start,
            finish=stamp.finish,
            model=job.model,
            memory_mb=job.memory_mb,
            load_s=0.0 if self._rules.free_loads else job.load_s,
            est_s=job.est_s,
        )
        self._lines.setdefault(key, OrderedDict())[waiting.job_id] = waiting
        self._waits[job.engine] += 1

    def _stamp(self, key: tuple[int, int], job: Job) -> Stamp:
        clock = fairness.clock(self._clocks, job.engine, waits=self._waits[job.engine] > 0)
        stamp = fairness.stamp(clock, self._lasts.get(key, 0.0), job.est_s, job.weight, job.band)
        self._lasts[key] = stamp.finish
        return stamp

    def window(self, size: int, without: Iterable[int], overdue: float) -> list[Waiting]:
        """The first jobs, and as many that were passed over before `overdue`; but none of these accounts."""
        skip = set(without)
        lines = (self._of(line, skip) for (account, _), line in self._lines.items() if account not in skip)
        first = islice(heapq.merge(*lines, key=_turn), size)
        # In the order in which they were passed over.
        passed = (w for w in self._passed.values() if w.account_id not in skip)
        late = islice((w for w in passed if w.passed_at is not None and w.passed_at <= overdue), size)
        found = {w.job_id: w for w in chain(first, late)}
        return sorted(found.values(), key=_turn)

    def _of(self, line: OrderedDict[str, Waiting], skip: set[int]) -> Iterator[Waiting]:
        return (w for w in line.values() if w.account_id not in skip) if skip else iter(line.values())

    def take(self, jobs: Iterable[Waiting], jobs_of: Sequence[Job]) -> None:
        for waiting in jobs:
            key = self._key(waiting, jobs_of)
            del self._lines[key][waiting.job_id]
            self._passed.pop(waiting.job_id, None)
            if not self._lines[key]:
                del self._lines[key]
            self._waits[waiting.engine] -= 1

    def note(self, jobs: Iterable[Waiting], jobs_of: Sequence[Job], now: float) -> None:
        for waiting in jobs:
            noted = self._passed[waiting.job_id] = replace(waiting, passed_at=now)
            self._lines[self._key(waiting, jobs_of)][waiting.job_id] = noted

    def advance(self, fronts: Mapping[str, Front]) -> None:
        self._clocks = fairness.advance(self._clocks, fronts)

    def _key(self, waiting: Waiting, jobs_of: Sequence[Job]) -> tuple[int, int]:
        if self._rules.order != "fair":
            return (0, 0)
        job = jobs_of[int(waiting.job_id)]
        return (job.account, job.band)


class World:
    """One trace under one set of rules."""

    def __init__(self, jobs: Sequence[Job], fleet: Fleet, rules: Rules) -> None:
        self.jobs = jobs
        self.outcome = Outcome(jobs, [math.nan] * len(jobs), [math.nan] * len(jobs))
        self._fleet = fleet
        self._rules = rules
        engines = frozenset(job.engine for job in jobs)
        self._slots = {f"gpu-{n:04}": _Slot(f"gpu-{n:04}", fleet, engines) for n in range(fleet.gpus)}
        self._queue = _Queue(rules)
        self._running: Counter[int] = Counter()
        self._events: list[tuple[float, int, str, _Slot | None, _Attempt | None]] = []
        self._tickets = 0
        self._claim_due = False
        self._look_due = False
        self._last_claim = -fleet.claim_s

    def run(self) -> Outcome:
        _check(self.jobs, self._fleet)
        arrivals = 0
        while arrivals < len(self.jobs) or self._events:
            if self._events and (arrivals == len(self.jobs) or self._events[0][0] <= self.jobs[arrivals].at):
                now, _, what, slot, attempt = heapq.heappop(self._events)
                self._happen(now, what, slot, attempt)
            else:
                job = self.jobs[arrivals]
                self._queue.put(arrivals, job)
                self._want_claim(job.at)
                arrivals += 1
        assert not any(map(math.isnan, self.outcome.ended)), "a job was never run"
        return self.outcome

    def _at(self, when: float, what: str, slot: _Slot | None = None, attempt: _Attempt | None = None) -> None:
        self._tickets += 1
        heapq.heappush(self._events, (when, self._tickets, what, slot, attempt))

    def _want_claim(self, now: float) -> None:
        if not self._claim_due:
            self._claim_due = True
            self._at(max(now, self._last_claim + self._fleet.claim_s), "claim")

    def _happen(self, now: float, what: str, slot: _Slot | None, attempt: _Attempt | None) -> None:
        if what == "claim":
            self._claim_due = False
            self._last_claim = now
            self._claim(now)
        elif what == "look":
            self._look_due = False
            self._want_claim(now)
        elif slot is not None and attempt is not None and what == "loaded":
            attempt.ready = True
            self._begin(slot, now)
        elif slot is not None:
            self._end(slot, now)

    # ── slots ─────────────────────────────────────────────────────────────────

    def _assign(self, choice: Choice, now: float) -> None:
        slot = self._slots[choice.slot]
        n = int(choice.job_id)
        job = self.jobs[n]
        attempt = _Attempt(n)
        for model in choice.evict:
            del slot.models[model]
        ready = now
        if choice.loads:
            self.outcome.loads += 1
            attempt.ready = False
            ready = max(now, slot.loader_free) + (0.0 if self._rules.free_loads else job.load_s)
            slot.loader_free = ready
            self._at(ready, "loaded", slot, attempt)
        elif job.model:
            ready = slot.models[job.model][2]
        if job.model:
            slot.models[job.model] = (job.memory_mb, now, ready)
        assert sum(mb for mb, *_ in slot.models.values()) <= self._fleet.memory_mb
        slot.line.append(attempt)
        assert len(slot.line) <= 1 + self._fleet.lookahead
        self._running[job.account] += 1
        self._begin(slot, now)

    def _begin(self, slot: _Slot, now: float) -> None:
        slot.changed()
        if slot.running or not slot.line or not slot.line[0].ready:
            return
        n = slot.line[0].n
        job = self.jobs[n]
        slot.running = True
        self.outcome.began[n] = now
        if job.model:
            slot.models[job.model] = (job.memory_mb, now, now)
        self._at(now + job.work_s, "end", slot, slot.line[0])

    def _end(self, slot: _Slot, now: float) -> None:
        attempt = slot.line.pop(0)
        job = self.jobs[attempt.n]
        self.outcome.ended[attempt.n] = now
        self._running[job.account] -= 1
        slot.running = False
        if job.model in slot.models:
            slot.models[job.model] = (job.memory_mb, now, now)
        self._begin(slot, now)
        self._want_claim(now)

    # ── claims ────────────────────────────────────────────────────────────────

    def _claim(self, now: float) -> None:
        """As the product does: read a window, choose, and read again without accounts at their cap."""
        without: frozenset[int] = frozenset()
        later = False
        for _ in range(_ROUNDS):
            reports = [slot.report(now, self) for slot in self._slots.values()]
            size = reach(reports)
            overdue = now - self._rules.policy.defer_s
            window = self._queue.window(size, without, overdue) if any(r.room > 0 for r in reports) else []
            if not window:
                break
            caps = {w.account_id: self._fleet.cap for w in window} if self._fleet.cap else {}
            plan = choose(window, reports, running=self._running, caps=caps, now=now, policy=self._rules.policy)
            by_id = {w.job_id: w for w in window}
            self._queue.advance(plan.fronts)
            self._queue.note([by_id[i] for i in plan.passed], self.jobs, now)
            taken = [by_id[choice.job_id] for choice in plan.choices]
            self._queue.take(taken, self.jobs)
            self._longest(taken, now)
            for choice in plan.choices:
                self._assign(choice, now)
            later = bool(plan.held) or (self._fleet.lookahead > 0 and len(window) > len(taken))
            without |= plan.capped
            if len(window) < size or not plan.capped:
                break
        if later and not self._look_due:
            # A wait for a copy ends, and a busy slot is free soon, also when nothing else happens.
            self._look_due = True
            self._at(now + _STALE_S, "look")

    def _longest(self, taken: Iterable[Waiting], now: float) -> None:
        waits = (now - w.passed_at for w in taken if w.passed_at is not None)
        self.outcome.longest_deferral_s = max(self.outcome.longest_deferral_s, *waits, 0.0)


def _turn(waiting: Waiting) -> tuple[float, str]:
    return (waiting.finish, waiting.job_id)


def _check(jobs: Sequence[Job], fleet: Fleet) -> None:
    large = [job for job in jobs if job.memory_mb > fleet.memory_mb]
    if large:
        job = large[0]
        raise ValueError(f"{job.model!r} needs {job.memory_mb} MB; a slot has {fleet.memory_mb} MB")
    if fleet.gpus < 1:
        raise ValueError(f"{fleet.gpus} GPUs; at least 1 is needed")
