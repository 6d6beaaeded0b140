"""Which waiting job goes to which slot, and why one does not. Pure: the claim, `ps --why` and the simulator share it.

Jobs come in fair order (see `fairness.py`). A slot that has a job's model at hand may take that job before its turn,
because loading a model often takes longer than the job. The one that is passed over so, or held because its model is
being loaded elsewhere, notes the time; `Policy.defer_s` later it is overdue and gets the next slot that can run it.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from heddle.fairness import Front

#: Busy slots that are asked for memory before a job is left to wait.
_TRIES = 16

#: Jobs that a claim looks at: so many per place, and at least so many where slots hold models. Measured with the
#: simulator: with 64 a busy fleet loads twice as often as with 512, and beyond that little is gained.
PER_PLACE = 8
_LEAST = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A job that may run. An account is told apart by its id only."""

    job_id: str
    account_id: int
    engine: str
    #: Its stamp; the window is in the order of `finish`.
    start: float
    finish: float
    #: What must be in a slot's memory, its size, and how long loading it takes; empty: nothing. Names the engine's
    #: model, so that two engines that read the same file have two of them.
    model: str = ""
    memory_mb: int = 0
    load_s: float = 0.0
    #: How long it will probably run, without a load.
    est_s: float = 1.0
    #: When it was first passed over.
    passed_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """A model in a slot's memory, or on its way there: then for `ready_s` more seconds.

    What is `in_use`, by a job that runs or waits in the slot, is not evicted.
    """

    model: str
    memory_mb: int = 0
    used_at: float = 0.0
    in_use: bool = False
    ready_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotReport:
    """What a slot is and has."""

    name: str
    engines: frozenset[str]
    #: None: memory is not counted, everything fits.
    memory_mb: int | None = None
    models: tuple[Resident, ...] = ()
    #: How many attempts it has, how many more it takes, and how long those that it has will probably need.
    ahead: int = 0
    room: int = 1
    busy_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How far speed may go before fairness."""

    #: How long a job may be passed over, and twice of it wait for a copy of its model that is nearer than a load.
    #: 0: never.
    defer_s: float = 10.0
    #: A busy slot with room gets a job whose model it has when it is free within this time.
    ahead_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A job for a slot. `loads`: its model is not there yet, and `evict` must go first."""

    job_id: str
    slot: str
    loads: bool = False
    evict: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a claim does."""

    choices: Sequence[Choice]
    #: Jobs that were passed over for the first time: note the time.
    passed: Sequence[str]
    #: Jobs that a slot could run now and that wait for a copy of their model instead.
    held: Sequence[str]
    #: By engine, how far its queue has got: for `fairness.advance`.
    fronts: Mapping[str, Front]
    #: Accounts that are at their cap: look again without them when slots stay idle and the window was full.
    capped: frozenset[int]


Code = Literal["engine", "memory", "busy", "cap", "held", "turn", "next"]


@dataclass(frozen=True, slots=True)
class Why:
    """Why a slot does not run a job now: a word for programs and a sentence."""

    slot: str
    code: Code
    text: str


def reach(slots: Iterable[SlotReport]) -> int:
    """How many jobs a claim should look at."""
    reports = list(slots)
    least = _LEAST if any(report.models for report in reports) else 0
    return max(least, PER_PLACE * sum(max(0, report.room) for report in reports))


def largest(slots: Iterable[SlotReport]) -> int | None:
    """The memory of the largest slot; None: where memory is not counted, everything fits."""
    sizes = [slot.memory_mb for slot in slots]
    return None if None in sizes else max((size for size in sizes if size is not None), default=None)


def choose(
    window: Sequence[Waiting],
    slots: Sequence[SlotReport],
    *,
    running: Mapping[int, int],
    caps: Mapping[int, int],
    now: float,
    policy: Policy,
) -> Plan:
    """Deal the window, which is in fair order, out to the slots.

    Idle slots first: for whoever is overdue; then for jobs whose model is at hand; then for the others in order, each
    evicting what was used least recently. Then slots that will be free soon: for the first two, and for others whose
    model has room there, so that it is loaded beside the work of the job before it.
    """
    deal = _Deal(window, slots, running, caps, now, policy)
    for idle in (True, False):
        deal.open(idle=idle)
        deal.overdue()
        deal.warm()
        if idle:
            deal.cold()
        else:
            deal.beside()
    return deal.plan()


def filled(slots: Iterable[SlotReport], choices: Iterable[tuple[Choice, Waiting]]) -> list[SlotReport]:
    """The slots with the jobs that were chosen for them, for a second choice before they report again."""
    mine: dict[str, list[tuple[Choice, Waiting]]] = defaultdict(list)
    for choice, job in choices:
        mine[choice.slot].append((choice, job))
    return [_filled(slot, mine[slot.name]) if slot.name in mine else slot for slot in slots]


def _filled(slot: SlotReport, given: Sequence[tuple[Choice, Waiting]]) -> SlotReport:
    models = {r.model: r for r in slot.models}
    loading_s = 0.0
    for choice, job in given:
        for model in choice.evict:
            del models[model]
        if not job.model:
            continue
        loading_s += job.load_s if choice.loads else 0.0
        before = Resident(model=job.model, memory_mb=job.memory_mb, ready_s=loading_s)
        models[job.model] = replace(models.get(job.model, before), in_use=True)
    return replace(
        slot,
        models=tuple(models.values()),
        ahead=slot.ahead + len(given),
        room=slot.room - len(given),
        busy_s=slot.busy_s + loading_s + sum(job.est_s for _, job in given),
    )


def explain(
    job_id: str,
    window: Sequence[Waiting],
    slots: Sequence[SlotReport],
    *,
    running: Mapping[int, int],
    caps: Mapping[int, int],
    now: float,
    policy: Policy,
) -> list[Why]:
    """For each slot, why it does not run this job, which is in the window. The same decision, told."""
    job = {w.job_id: w for w in window}[job_id]
    plan = choose(window, slots, running=running, caps=caps, now=now, policy=policy)
    # Where a slot takes several, one of them is named: the job itself, if it is among them.
    taken = {c.slot: c.job_id for c in sorted(plan.choices, key=lambda c: c.job_id == job_id)}
    state: Code = "turn"
    text = "waits for its turn"
    if any(choice.job_id == job_id for choice in plan.choices):
        text = "the job gets another slot"
    elif job.account_id in plan.capped:
        state, text = "cap", f"the account runs {caps[job.account_id]} jobs at a time"
    elif job_id in plan.held:
        copies = ", ".join(slot.name for slot in slots if any(r.model == job.model for r in slot.models))
        left = 2 * policy.defer_s - (0.0 if job.passed_at is None else now - job.passed_at)
        state, text = "held", f"{job.model!r} is in {copies}: waits for that, {max(0.0, left):.0f} s at most"
    return [
        _never(job, slot) or _taken(job, slot, taken.get(slot.name)) or Why(slot.name, state, text) for slot in slots
    ]


def _never(job: Waiting, slot: SlotReport) -> Why | None:
    if job.engine not in slot.engines:
        return Why(slot.name, "engine", f"runs {', '.join(sorted(slot.engines)) or 'nothing'}, not {job.engine!r}")
    if slot.memory_mb is not None and slot.memory_mb < job.memory_mb:
        return Why(slot.name, "memory", f"has {slot.memory_mb} MB; {job.model!r} needs {job.memory_mb} MB")
    return None


def _taken(job: Waiting, slot: SlotReport, by: str | None) -> Why | None:
    if by == job.job_id:
        return Why(slot.name, "next", "takes it next")
    if by is not None:
        return Why(slot.name, "turn", f"goes to {by} first")
    if slot.ahead:
        return Why(slot.name, "busy", f"is busy for about {slot.busy_s:.0f} s")
    return None


@dataclass(slots=True, eq=False)
class _Place:
    """A slot with room, as the deal goes on. `version` tells which entries of the heaps are stale."""

    name: str
    kind: _Kind
    models: dict[str, Resident]
    free_mb: float
    room: int
    ahead: int
    busy_s: float
    version: int = 0

    def fits(self, memory_mb: int) -> bool:
        return self.free_mb + sum(r.memory_mb for r in self.models.values() if not r.in_use) >= memory_mb


#: Sorted by what comes first; the two numbers before the place keep places from being compared.
_Entry = tuple[float, float, float, int, int, _Place]


@dataclass(slots=True, eq=False)
class _Kind:
    """Places that can run the same jobs."""

    engines: frozenset[str]
    memory_mb: float
    places: list[_Place] = field(default_factory=list["_Place"])
    by_memory: list[_Entry] = field(default_factory=list["_Entry"])
    by_age: list[_Entry] = field(default_factory=list["_Entry"])
    #: How many of its places are up for this round.
    open: int = 0
    #: How many jobs were taken here that had not been passed over before.
    turns: int = 0

    def takes(self, job: Waiting) -> bool:
        return job.engine in self.engines and job.memory_mb <= self.memory_mb


class _Deal:
    """The state of one choice."""

    def __init__(
        self,
        window: Sequence[Waiting],
        slots: Sequence[SlotReport],
        running: Mapping[int, int],
        caps: Mapping[int, int],
        now: float,
        policy: Policy,
    ) -> None:
        self._window = window
        self._caps = caps
        self._now = now
        self._policy = policy
        self._running = {account: running.get(account, 0) for account in {w.account_id for w in window}}
        self._left = dict(enumerate(window))
        self._choices: list[Choice] = []
        self._held: set[int] = set()
        self._kinds = _kinds(slots)
        self._kinds_of: dict[tuple[str, int], list[_Kind]] = {}
        self._warm: dict[str, list[_Entry]] = {}
        self._open = 0
        self._idle = True
        self._ticket = 0
        self._horizon = max([policy.ahead_s, *(w.load_s for w in window)])
        self._any_late = any(self._late(w) >= 1 for w in window)
        self._count_models(slots)

    def _count_models(self, slots: Iterable[SlotReport]) -> None:
        """By model: seconds of work that wait for it, its copies, and the seconds of work that these have."""
        self._queued: dict[str, float] = defaultdict(float)
        for job in self._window:
            if not (self._caps and self._full(job)):
                self._queued[job.model] += job.est_s
        self._ahead: dict[str, float] = defaultdict(float)
        self._copies: dict[str, int] = defaultdict(int)
        self._busy: dict[str, float] = defaultdict(float)
        for slot in slots:
            wanted = [r.model for r in slot.models if r.model in self._queued]
            if not wanted:
                continue
            work_s = max(0.0, slot.busy_s - max([r.ready_s for r in slot.models]))
            for model in wanted:
                self._copies[model] += 1
                self._busy[model] += work_s

    # ── the passes ────────────────────────────────────────────────────────────

    def open(self, *, idle: bool) -> None:
        """Begin a round with the slots that do nothing, or with all that have room."""
        self._idle = idle
        self._open = 0
        self._warm = {}
        for kind in self._kinds:
            kind.by_memory, kind.by_age, kind.open = [], [], 0
            for place in kind.places:
                self._offer(place)

    def overdue(self) -> None:
        """Whoever waited long enough gets any slot; up to twice the time, one that will be sooner than a load."""
        if not self._any_late:
            return
        for at, job in self._waiting():
            late = self._late(job)
            if late < 1 or self._take_warm(at, job, max(self._policy.ahead_s, job.load_s)):
                continue
            self._ahead[job.model] += job.est_s
            if late < 2 and self._copy_within(job, self._ahead[job.model] - job.est_s):
                self._held.add(at)
            else:
                self._take_cold(at, job)

    def _late(self, job: Waiting) -> float:
        """How often the time for which it may be passed over is up."""
        if self._policy.defer_s <= 0:
            return math.inf
        return 0.0 if job.passed_at is None else (self._now - job.passed_at) / self._policy.defer_s

    def warm(self) -> None:
        for at, job in self._waiting():
            if job.model:
                self._take_warm(at, job, self._policy.ahead_s)
            else:
                self._take_cold(at, job)

    def cold(self) -> None:
        """The others, unless a copy is sooner free than loaded."""
        for at, job in self._waiting():
            if not job.model or not any(kind.open for kind in self._kinds_for(job)):
                continue
            if self._copy_within(job, self._queued[job.model]):
                self._held.add(at)
            else:
                self._take_cold(at, job)

    def beside(self) -> None:
        """The others behind what runs, where nothing has to make room: the model is loaded meanwhile."""
        for at, job in self._waiting():
            if not job.model or self._copy_within(job, self._queued[job.model]):
                continue
            kinds = (kind for kind in self._kinds_for(job) if kind.open)
            roomy = (place for kind in kinds if (place := _first(kind.by_memory)) is not None)
            limit = max(self._policy.ahead_s, job.load_s)
            place = next((p for p in roomy if p.free_mb >= job.memory_mb and p.busy_s <= limit), None)
            if place is not None:
                self._take(at, job, place, evict=())

    def _waiting(self) -> Iterator[tuple[int, Waiting]]:
        """What may still be taken, in order, as long as there is somewhere to go."""
        for at, job in list(self._left.items()):
            if not self._open:
                return
            if not (self._caps and self._full(job)):
                yield at, job

    def _full(self, job: Waiting) -> bool:
        cap = self._caps.get(job.account_id)
        return cap is not None and self._running[job.account_id] >= cap

    def _copy_within(self, job: Waiting, ahead_s: float) -> bool:
        """Whether the copies of its model have less work, with so much more, than another load would take.

        A load that is under way is no work: whoever wants the model waits for it.
        """
        copies = self._copies.get(job.model, 0)
        return copies > 0 and (self._busy[job.model] + ahead_s) / copies <= job.load_s

    # ── places ────────────────────────────────────────────────────────────────

    def _offer(self, place: _Place) -> None:
        """Put a place up for this round, if it takes part."""
        if place.room <= 0 or place.busy_s > self._horizon or (self._idle and place.ahead):
            return
        kind = place.kind
        kind.open += 1
        self._open += 1
        self._ticket += 1
        ticket, version = self._ticket, place.version
        oldest = min((r for r in place.models.values() if not r.in_use), key=lambda r: r.used_at, default=None)
        wanted = 0.0 if oldest is None else float(self._queued.get(oldest.model, 0.0) > 0)
        age = -math.inf if oldest is None else oldest.used_at
        heapq.heappush(kind.by_age, (place.busy_s, wanted, age, ticket, version, place))
        heapq.heappush(kind.by_memory, (place.busy_s, -place.free_mb, age, ticket, version, place))
        for model in place.models:
            if model in self._queued:
                entry = (place.busy_s, float(len(place.models)), age, ticket, version, place)
                heapq.heappush(self._warm.setdefault(model, []), entry)

    def _take_warm(self, at: int, job: Waiting, limit: float) -> bool:
        if not job.model:
            return False
        heap = self._warm.get(job.model, [])
        place = _first(heap)
        if place is None or place.busy_s > limit or job.engine not in place.kind.engines:
            return False
        self._take(at, job, place, evict=())
        return True

    def _take_cold(self, at: int, job: Waiting) -> bool:
        limit = max(self._policy.ahead_s, job.load_s)
        for kind in self._kinds_for(job):
            place = self._place_for(kind, job, limit)
            if place is not None:
                evict = () if job.model in place.models else self._victims(place, job.memory_mb)
                self._take(at, job, place, evict=evict)
                return True
        return False

    def _place_for(self, kind: _Kind, job: Waiting, limit: float) -> _Place | None:
        """One with free memory, or the one whose oldest model was used least recently."""
        roomy = _first(kind.by_memory) if job.model else None
        if roomy is not None and roomy.free_mb >= job.memory_mb and roomy.busy_s <= limit:
            return roomy
        tried: list[_Entry] = []
        found = None
        while found is None and len(tried) < _TRIES and (place := _first(kind.by_age)) and place.busy_s <= limit:
            if place.fits(job.memory_mb):
                found = place
            else:
                tried.append(heapq.heappop(kind.by_age))
        for entry in tried:
            heapq.heappush(kind.by_age, entry)
        return found

    def _kinds_for(self, job: Waiting) -> list[_Kind]:
        """The smallest first, so that large slots stay free for what needs them."""
        key = (job.engine, job.memory_mb)
        if key not in self._kinds_of:
            self._kinds_of[key] = [kind for kind in self._kinds if kind.takes(job)]
        return self._kinds_of[key]

    def _victims(self, place: _Place, memory_mb: int) -> tuple[str, ...]:
        free, victims = place.free_mb, list[str]()
        idle = (r for r in place.models.values() if not r.in_use)
        for resident in sorted(idle, key=lambda r: (self._queued.get(r.model, 0.0) > 0, r.used_at)):
            if free >= memory_mb:
                break
            free += resident.memory_mb
            victims.append(resident.model)
        return tuple(victims)

    def _take(self, at: int, job: Waiting, place: _Place, *, evict: tuple[str, ...]) -> None:
        loads = bool(job.model) and job.model not in place.models
        self._choices.append(Choice(job_id=job.job_id, slot=place.name, loads=loads, evict=evict))
        self._held.discard(at)
        del self._left[at]
        self._running[job.account_id] += 1
        self._queued[job.model] -= job.est_s
        self._busy[job.model] += job.est_s
        for model in evict:
            place.free_mb += place.models.pop(model).memory_mb
            self._copies[model] -= 1
        if loads:
            place.free_mb -= job.memory_mb
            self._copies[job.model] += 1
        if job.model:
            place.models[job.model] = Resident(model=job.model, memory_mb=job.memory_mb, used_at=self._now, in_use=True)
        place.room -= 1
        place.ahead += 1
        place.busy_s += job.est_s + (job.load_s if loads else 0.0)
        place.version += 1
        self._open -= 1
        place.kind.open -= 1
        if job.passed_at is None:
            place.kind.turns += 1
        self._offer(place)

    # ── what came of it ───────────────────────────────────────────────────────

    def plan(self) -> Plan:
        waiting = {at: job for at, job in self._left.items() if not self._full(job)}
        return Plan(
            choices=self._choices,
            passed=self._passed(),
            held=[self._window[at].job_id for at in sorted(self._held) if at in waiting],
            fronts=self._fronts(waiting),
            capped=frozenset(job.account_id for job in self._left.values() if self._full(job)),
        )

    def _passed(self) -> list[str]:
        """Whose turn it was, and who did not get a slot: with n slots given away, the turn of the first n jobs.

        A slot for a job that was passed over earlier is no new turn: it makes good for one that was taken early.
        """
        passed: list[str] = []
        turns = sum(kind.turns for kind in self._kinds)
        for at, job in enumerate(self._window):
            if job.passed_at is not None or (at in self._left and self._full(job)):
                continue
            kind = next((k for k in self._kinds_for(job) if k.turns > 0), None) if turns else None
            if kind is not None:
                kind.turns -= 1
                turns -= 1
            if at in self._left and (kind is not None or at in self._held):
                passed.append(job.job_id)
        return passed

    def _fronts(self, waiting: Mapping[int, Waiting]) -> dict[str, Front]:
        """Where each engine's queue begins now, or where it ended."""
        accounts: dict[str, set[int]] = defaultdict(set)
        served: dict[str, float] = defaultdict(float)
        ends: dict[str, float] = defaultdict(float)
        firsts: dict[str, Waiting] = {}
        for at, job in enumerate(self._window):
            if at not in self._left:
                served[job.engine] += job.finish - job.start
                ends[job.engine] = max(job.finish, ends[job.engine])
            elif at in waiting and self._kinds_for(job):
                firsts.setdefault(job.engine, job)
            else:
                continue
            accounts[job.engine].add(job.account_id)
        return {
            engine: Front(firsts[engine].start, firsts[engine].finish, served[engine] / len(wanting))
            if engine in firsts
            else Front(ends[engine], ends[engine])
            for engine, wanting in accounts.items()
        }


def _first(heap: list[_Entry]) -> _Place | None:
    """The first place of a heap, past the entries that are stale."""
    while heap:
        *_, version, place = heap[0]
        if place.version == version:
            return place
        heapq.heappop(heap)
    return None


def _kinds(slots: Iterable[SlotReport]) -> list[_Kind]:
    """The smallest first."""
    kinds: dict[tuple[frozenset[str], float], _Kind] = {}
    for slot in slots:
        memory = math.inf if slot.memory_mb is None else float(slot.memory_mb)
        key = (slot.engines, memory)
        kind = kinds.get(key) or kinds.setdefault(key, _Kind(engines=slot.engines, memory_mb=memory))
        if slot.room > 0:
            kind.places.append(_place(slot, kind))
    return sorted(kinds.values(), key=lambda kind: kind.memory_mb)


def _place(slot: SlotReport, kind: _Kind) -> _Place:
    return _Place(
        name=slot.name,
        kind=kind,
        models={r.model: r for r in slot.models},
        free_mb=kind.memory_mb - sum(r.memory_mb for r in slot.models),
        room=slot.room,
        ahead=slot.ahead,
        busy_s=slot.busy_s,
    )
