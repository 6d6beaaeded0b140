"""Advance: what moves a workflow after it was submitted. Each verb is one transaction over a list.

`claim` a job, `start` it, `finish` it, `renew` its lease, take back those that were `lost`; bytes `arrive` that a
step waited for, or never come and the workflow is `expire`d. All of them end in `roll`, which works out the statuses
of steps and workflows from their jobs, settles the Buzz of what ended, and emits the events.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from heddle import accounts, blobs, ledger, matching, queue
from heddle.blobs import Blob, Stored
from heddle.db import Tx
from heddle.domain import Artifact, Needs, Status, Step, Workflow, now, roll_up, roll_up_steps
from heddle.errors import CallerError
from heddle.fairness import Front
from heddle.matching import Choice, Policy, SlotReport, Waiting, choose
from heddle.queue import Lease, Pair
from heddle.workflows import events, following, pricing, rows, trained
from heddle.workflows.events import Change
from heddle.workflows.rows import JobEnd, JobState
from heddle.workflows.submit import entries
from heddle.workflows.trained import Trained

#: How often a job may be lost with its server or machine, through no fault of its own, before it is given up.
LOST_LIMIT = 20

#: For how many places parked jobs are looked at whose account is not bounded any more.
_PARKED = 64

#: Expired promises and lost leases taken in one transaction.
_SWEEP = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A dispatcher asks for work for its slots; `short_slots` are the same with the room that short jobs find there."""

    owner: str
    slots: Sequence[SlotReport]
    short_slots: Sequence[SlotReport] = ()
    lease_s: float
    at: datetime
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A claimed job with all that is needed to run it. `inputs` maps blob ids to storage keys."""

    job_id: str
    workflow_id: str
    attempt: int
    engine: str
    payload: dict[str, Any]
    inputs: dict[str, str]
    timeout_s: float
    cost: int
    #: The slot that matching chose, what it has to have in memory, and what must leave it for that.
    slot: str
    needs: Needs | None = None
    evict: Sequence[str] = ()
    traceparent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """An engine began an attempt."""

    job_id: str
    attempt: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an attempt ended badly. A `blameless` one was ended by the server itself and may be repeated at once."""

    reason: str
    message: str
    retryable: bool = False
    blameless: bool = False
    #: The server or machine vanished, rather than handing the attempt back.
    lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An attempt ended: with artifacts, or with a failure."""

    job_id: str
    attempt: int
    at: datetime
    started_at: datetime | None = None
    artifacts: Sequence[Artifact] = ()
    #: Those of them that are to be in the catalog, copied to where they stay.
    trained: Sequence[Trained] = ()
    failure: Failure | None = None
    log: Sequence[str] = ()
    max_attempts: int = 3
    backoff_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """A dispatcher says which of its attempts are alive."""

    owner: str
    pairs: Sequence[Pair]
    lease_s: float
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Look for lost leases; `not_by` also takes every lease of other owners, for a server that is alone."""

    at: datetime
    not_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplaced:
    """Look for jobs that have waited longer than `bound` while no slot that is there could run them."""

    at: datetime
    bound: timedelta


# ── the life of an attempt ────────────────────────────────────────────────────


def claim(tx: Tx, claims: Sequence[Claim]) -> list[list[Attempt]]:
    """Give each claimer up to its limit of jobs."""
    caps = _Caps(tx)
    seen: list[Mapping[str, Front]] = []
    found = [_claim(tx, c, caps, seen) for c in claims]
    queue.advance_clocks(tx, seen)
    return found


def _claim(tx: Tx, wanted: Claim, caps: _Caps, seen: list[Mapping[str, Front]]) -> list[Attempt]:
    taken, all_taken = _match(tx, wanted, wanted.slots, caps, seen)
    if wanted.short_slots and not all_taken:
        taken += _match(tx, wanted, _fuller(wanted.short_slots, taken), caps, seen)[0]
    return _attempts(tx, taken)


class _Taken(NamedTuple):
    """A job that a claim took: where it goes, by which lease, and as what it waited."""

    choice: Choice
    lease: Lease
    job: Waiting


def _match(
    tx: Tx, wanted: Claim, slots: Sequence[SlotReport], caps: _Caps, seen: list[Mapping[str, Front]]
) -> tuple[list[_Taken], bool]:
    """Choose jobs for slots and give them to the owner; `seen` gets how far the queues are.

    Also says whether nothing is left of what these slots can run and their accounts may.

    Again while there is room: without those whose accounts are at their cap, who make way for the ones behind them,
    and without the jobs that another claimer was faster to take.
    """
    capped, hiding, lost = frozenset[int](), frozenset[int](), set[str]()
    taken: list[_Taken] = []
    all_taken = matching.reach(slots) > 0
    until = wanted.at + timedelta(seconds=wanted.lease_s)
    while window := _window(tx, wanted, slots, caps, capped=capped, lost=lost):
        bounds = caps.of({job.account_id for job in window})
        running = queue.running(tx, sorted(bounds))
        at = wanted.at.timestamp()
        plan = choose(window, slots, running=running, caps=bounds, now=at, policy=wanted.policy)
        leases = queue.take(tx, wanted.owner, [choice.job_id for choice in plan.choices], until)
        queue.note_passed(tx, plan.passed, wanted.at)
        seen.append(plan.fronts)
        jobs = {job.job_id: job for job in window}
        chosen = [_Taken(c, leases[c.job_id], jobs[c.job_id]) for c in plan.choices if c.job_id in leases]
        taken += chosen
        others = not plan.capped <= capped and len(window) >= matching.reach(slots)
        all_taken = len(chosen) == len(window) < matching.reach(slots)
        slots = _fuller(slots, chosen)
        beaten = {choice.job_id for choice in plan.choices} - set(leases)
        capped |= plan.capped
        hiding |= plan.capped if others else frozenset()
        lost |= beaten
        if not (beaten or others) or not any(slot.room > 0 for slot in slots):
            break
    if hiding:
        caps.park(hiding, window[-1].finish if window else math.inf)
    return taken, all_taken and not caps.parked()


def _window(
    tx: Tx, wanted: Claim, slots: Sequence[SlotReport], caps: _Caps, *, capped: frozenset[int], lost: set[str]
) -> list[Waiting]:
    """What a claim chooses from: what a full slot alone can run must not hide what others could begin now."""
    reach, slots = matching.reach(slots), [slot for slot in slots if slot.room > 0]
    return queue.window(
        tx,
        sorted(frozenset[str]().union(*(slot.engines for slot in slots))),
        reach,
        wanted.at,
        memory_mb=matching.largest(slots),
        without=sorted(capped),
        lost=sorted(lost),
        overdue=wanted.at - timedelta(seconds=wanted.policy.defer_s),
        parked={i: min(reach, most) for i, most in caps.parked().items() if i not in capped},
    )


class _Caps:
    """How many jobs accounts may run at once, for the claims of one transaction.

    It takes the rows that claims decide by, so that two claimers do not fill the same room: those of the first look
    together, in order, and later ones only where nobody else has them. Whoever holds some and waits for others may
    wait for ever; an account that another claimer has counts as full until the next claim.
    """

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._known: dict[int, int | None] = {}
        self._holds = False
        self._parked: list[int] | None = None

    def of(self, account_ids: set[int]) -> dict[int, int]:
        """Of those that are bounded."""
        self._known |= dict.fromkeys(account_ids - set(self._known)) | self._take(account_ids - set(self._known))
        return {i: cap for i in sorted(account_ids) if (cap := self._known[i]) is not None}

    def _take(self, account_ids: set[int]) -> dict[int, int | None]:
        bounded = _bounds(self._tx, sorted(account_ids))
        if not bounded:
            return {}
        keep = self._tx.skip_locked if self._holds else self._tx.for_update
        mine = accounts.limits(self._tx, sorted(bounded), keep=keep)
        self._holds = True
        return {i: (mine[i].max_running or None) if i in mine else 0 for i in bounded}

    def parked(self) -> dict[int, int]:
        """Accounts with parked jobs and room for some, and how many of them are worth a look."""
        if self._parked is None:
            self._parked = queue.parked(self._tx)
        if not (ids := self._parked):
            return {}
        bounds, running = _bounds(self._tx, ids), queue.running(self._tx, ids)
        room = {i: bounds[i] - running.get(i, 0) if i in bounds else _PARKED for i in ids}
        return {i: matching.PER_PLACE * places for i, places in room.items() if places > 0}

    def park(self, account_ids: frozenset[int], up_to: float) -> None:
        """What these have waiting up to there makes way for what is behind it."""
        queue.park(self._tx, sorted(account_ids), up_to)
        self._parked = None


def _bounds(tx: Tx, account_ids: Sequence[int]) -> dict[int, int]:
    return {i: x.max_running for i, x in accounts.limits(tx, account_ids).items() if x.max_running}


def _bounded(tx: Tx, account_ids: set[int]) -> bool:
    """Whether one of these accounts may run only so many jobs at once."""
    return bool(_bounds(tx, sorted(account_ids)))


def _fuller(slots: Sequence[SlotReport], taken: Sequence[_Taken]) -> list[SlotReport]:
    """The slots with what was just chosen for them."""
    return matching.filled(slots, [(one.choice, one.job) for one in taken])


def _attempts(tx: Tx, taken: Sequence[_Taken]) -> list[Attempt]:
    jobs = rows.claimed(tx, [one.lease.job_id for one in taken])
    sources = blobs.get(tx, sorted({blob_id for job in jobs.values() for blob_id in job.inputs}))
    return [
        Attempt(
            job_id=lease.job_id,
            workflow_id=lease.workflow_id,
            attempt=lease.attempt,
            engine=job.engine,
            payload=job.payload,
            inputs={b: sources[b].key for b in job.inputs if b in sources},
            timeout_s=job.timeout_s,
            cost=job.cost,
            slot=choice.slot,
            needs=job.needs,
            evict=choice.evict,
            traceparent=job.traceparent,
        )
        for choice, lease, _ in taken
        for job in (jobs[lease.job_id],)
    ]


def start(tx: Tx, items: Sequence[Started]) -> list[bool]:
    """Jobs are `processing`; False for an attempt that no longer holds its lease."""
    held = _held(tx, [(i.job_id, i.attempt) for i in items])
    begun = [i for i in items if (i.job_id, i.attempt) in held]
    if begun:
        rows.set_jobs(tx, [(i.job_id, Status.PROCESSING, i.attempt, i.at, None) for i in begun])
        moved = {i.job_id: held[i.job_id, i.attempt].workflow_id for i in begun}
        roll(tx, moved, max(i.at for i in begun))
    return [(i.job_id, i.attempt) in held for i in items]


def prepare(tx: Tx, items: Sequence[Started]) -> list[bool]:
    """Jobs are `preparing`: what they need is being loaded; False for an attempt that no longer holds its lease."""
    held = _held(tx, [(i.job_id, i.attempt) for i in items])
    # One that has begun meanwhile stays what it is.
    begun = rows.processing(tx, [i.job_id for i in items])
    mine = [i for i in items if (i.job_id, i.attempt) in held and i.job_id not in begun]
    if mine:
        rows.set_jobs(tx, [(i.job_id, Status.PREPARING, i.attempt, None, None) for i in mine])
        roll(tx, {i.job_id: held[i.job_id, i.attempt].workflow_id for i in mine}, max(i.at for i in mine))
    return [(i.job_id, i.attempt) in held for i in items]


def _held(tx: Tx, pairs: Sequence[Pair]) -> dict[Pair, Lease]:
    """Those of the pairs that hold their lease, in workflows that nobody else moves meanwhile."""
    found = queue.leases(tx, pairs)
    if rows.lock(tx, [lease.workflow_id for lease in found.values()]):
        return queue.leases(tx, pairs)
    return found


def finish(tx: Tx, items: Sequence[Ended]) -> list[bool]:
    """Record how attempts ended; False for one that was fenced: its result is discarded."""
    held = _held(tx, [(i.job_id, i.attempt) for i in items])
    mine = [i for i in items if (i.job_id, i.attempt) in held]
    if not mine:
        return [False] * len(items)
    again = [(i, after) for i in mine if (after := _next_try(i, held[i.job_id, i.attempt])) is not None]
    repeated = {(i.job_id, i.attempt) for i, _ in again}
    final = [i for i in mine if (i.job_id, i.attempt) not in repeated]
    queue.release(tx, [after for _, after in again])
    queue.finish(tx, [(i.job_id, i.attempt) for i in final])
    if _bounded(tx, {held[i.job_id, i.attempt].account_id for i in final}):
        tx.wake("queue")  # one more of its jobs may run, and who asked before this commit was told no
    _record(tx, again=[i for i, _ in again], final=final, held=held)
    return [(i.job_id, i.attempt) in held for i in items]


def _next_try(item: Ended, lease: Lease) -> tuple[Lease, datetime | None] | None:
    """What the queue gets back and when it may run again; None when the job has ended."""
    if item.failure is None or not item.failure.retryable:
        return None
    if item.failure.blameless and not item.failure.lost:
        return lease, None
    if item.failure.blameless:
        # Not at once: where no worker comes up, the next try would end as soon.
        losses = lease.losses + 1
        return None if losses >= LOST_LIMIT else (replace(lease, losses=losses), _later(item, losses))
    failures = lease.failures + 1
    if failures >= item.max_attempts:
        return None
    return replace(lease, failures=failures), item.at + timedelta(seconds=item.backoff_s * 2 ** (failures - 1))


def _later(item: Ended, losses: int) -> datetime | None:
    """When an attempt that was lost may be tried again; one whose server vanished was away for its lease already."""
    if item.failure is None or item.failure.reason == "attempt_lost":
        return None
    return item.at + timedelta(seconds=item.backoff_s * losses)


def _record(tx: Tx, *, again: Sequence[Ended], final: Sequence[Ended], held: Mapping[Pair, Lease]) -> None:
    final = [_with_models(tx, i, held[i.job_id, i.attempt].account_id) for i in final]
    ends = [(i, Status.SUCCEEDED if i.failure is None else Status.FAILED) for i in final]
    # Asked of the rows and not of the dispatcher: a start that it wrote may stand behind this end in the same commit.
    told = rows.processing(tx, [i.job_id for i in final])
    rows.set_jobs(
        tx,
        [
            *((i.job_id, Status.UNASSIGNED, i.attempt, None, None) for i in again),
            *((i.job_id, status, i.attempt, i.started_at, i.at) for i, status in ends),
        ],
    )
    rows.set_results(
        tx,
        [
            (i.job_id, i.artifacts, i.failure and i.failure.reason, i.failure and i.failure.message, i.log)
            for i in [*again, *final]
        ],
    )
    moved = {i.job_id: held[i.job_id, i.attempt].workflow_id for i in [*again, *final]}
    made = [i for i, status in ends if status is Status.SUCCEEDED]
    at = max(i.at for i in [*again, *final])
    blobs.record(tx, [(held[i.job_id, i.attempt].account_id, i.job_id, a) for i in made for a in i.artifacts], at)
    reasons = {i.job_id: i.failure.reason for i in final if i.failure}
    roll(
        tx,
        moved,
        at,
        reasons=reasons,
        started={i.job_id: i.started_at for i in final if i.started_at},
        untold=frozenset(i.job_id for i in final if i.started_at and i.job_id not in told),
    )


def _with_models(tx: Tx, item: Ended, account_id: int) -> Ended:
    """What was trained is in the catalog from this commit on."""
    if not item.trained:
        return item
    return replace(item, artifacts=trained.add(tx, item.trained, item.artifacts, account_id, item.at))


def renew(tx: Tx, items: Sequence[Renewal]) -> list[set[Pair]]:
    """Extend leases; each outcome is the set that is still held."""
    return [queue.renew(tx, i.owner, i.pairs, i.at + timedelta(seconds=i.lease_s)) for i in items]


def lost(tx: Tx, sweeps: Sequence[Sweep]) -> list[int]:
    """Put jobs whose lease ran out back into the queue; give up those that were lost too often."""
    return [_lost(tx, sweep) for sweep in sweeps]


def _lost(tx: Tx, sweep: Sweep) -> int:
    leases = queue.lost(tx, sweep.at, _SWEEP, not_by=sweep.not_by)
    if rows.lock(tx, [lease.workflow_id for lease in leases]):  # another may have taken them back, or renewed them
        still = {lease.job_id for lease in queue.lost(tx, sweep.at, _SWEEP, not_by=sweep.not_by)}
        leases = [lease for lease in leases if lease.job_id in still]
    given_up = Failure(reason="attempts_lost", message=f"{LOST_LIMIT} attempts were lost with their server or machine")
    again = Failure(
        reason="attempt_lost",
        message="the attempt was lost with its server",
        retryable=True,
        blameless=True,
        lost=True,
    )
    finish(
        tx,
        [
            Ended(
                job_id=lease.job_id,
                attempt=lease.attempt,
                at=sweep.at,
                failure=given_up if lease.losses + 1 >= LOST_LIMIT else again,
            )
            for lease in leases
        ],
    )
    return len(leases)


# ── inputs ────────────────────────────────────────────────────────────────────


def arrive(tx: Tx, items: Sequence[Stored]) -> list[Blob | CallerError]:
    """Uploads are complete: record them and release the steps that waited for them."""
    at = now()
    outcomes = blobs.store(tx, items, at)
    ids = [o.id for o in outcomes if isinstance(o, Blob)]
    ready: dict[str, set[int]] = defaultdict(set)
    for workflow_id, step in rows.arrived(tx, ids) if ids else []:
        ready[workflow_id].add(step)
    _release(tx, ready, at)
    return outcomes


def _release(tx: Tx, ready: Mapping[str, set[int]], at: datetime) -> None:
    """The inputs of steps are there: queue their jobs, unless they follow steps that have not ended."""
    if not ready:
        return
    found = rows.get(tx, list(ready))
    jobs = [(w, job) for w in found for s in w.steps if s.index in ready[w.id] for job in s.jobs]
    rows.set_jobs(tx, [(job.id, Status.UNASSIGNED, 0, None, None) for _, job in jobs])
    free = {w.id: {i for i in ready[w.id] if following.may_run(w.steps[i], w.steps)} for w in found}
    ends = _enqueue(tx, free, at)
    rows.end_waiting(tx, ends)
    roll(tx, {job.id: w.id for w, job in jobs}, at, reasons={end.job_id: end.reason for end in ends})


def _enqueue(tx: Tx, free: Mapping[str, set[int]], at: datetime) -> list[JobEnd]:
    """Queue the jobs of steps, with what they refer to filled in, at the price that their sources make; how those end
    for which that cannot be done."""
    ends = following.fill(tx, free, at)
    failed = {end.job_id for end in ends}
    pricing.again(tx, [w.steps[i] for w in rows.get(tx, list(free)) for i in sorted(free[w.id])])
    released = rows.get(tx, list(free))
    limits = accounts.limits(tx, [w.account_id for w in released])
    mine = [e for w in released for e in entries(w, limits[w.account_id].weight, frozenset(free[w.id]))]
    queue.enqueue(tx, [entry for entry in mine if entry.job_id not in failed])
    return ends


def expire(tx: Tx, moments: Sequence[datetime]) -> list[int]:
    """End workflows whose promised inputs never came; how many."""
    return [_expire(tx, at) for at in moments]


def _expire(tx: Tx, at: datetime) -> int:
    promised = [b.id for b in blobs.expired_promises(tx, at, _SWEEP)]
    waiting = rows.waiting_for(tx, promised, _SWEEP)
    end(
        tx,
        waiting,
        status=Status.EXPIRED,
        reason="input_blob_missing",
        message="an input blob was promised by an upload URL, but its bytes did not come before the URL expired",
        at=at,
    )
    if len(waiting) < _SWEEP:  # else more wait for them: the next round finds them by their promises
        blobs.forget(tx, promised)
    return len(waiting)


def unplaced(tx: Tx, items: Sequence[Unplaced]) -> list[int]:
    """End workflows that wait for what no slot could ever give them; how many. Without any slot nobody can tell."""
    return [_unplaced(tx, item) for item in items]


def _unplaced(tx: Tx, item: Unplaced) -> int:
    found = queue.unplaced(tx, item.at, item.at - item.bound, _SWEEP)
    message = f"no slot that could run it was there for {item.bound.total_seconds():g} s"
    end(tx, found, status=Status.EXPIRED, reason="no_slot", message=message, at=item.at)
    return len(found)


# ── rolling up ────────────────────────────────────────────────────────────────


def end(tx: Tx, workflow_ids: Sequence[str], *, status: Status, reason: str, message: str, at: datetime) -> None:
    """End whatever is unfinished in these workflows; running attempts are fenced by losing their queue rows."""
    if not workflow_ids:
        return
    rows.lock(tx, workflow_ids)
    before = rows.states(tx, workflow_ids)
    rows.end_jobs(tx, workflow_ids, status=status, reason=reason, message=message, at=at)
    queue.remove(tx, workflow_ids)
    moved = {job.id: job.workflow_id for jobs in before.values() for job in jobs if not job.status.terminal}
    roll(tx, moved, at, reasons=dict.fromkeys(moved, reason))


def roll(
    tx: Tx,
    moved: Mapping[str, str],
    at: datetime,
    *,
    reasons: Mapping[str, str] | None = None,
    started: Mapping[str, datetime] | None = None,
    untold: frozenset[str] = frozenset(),
) -> None:
    """Bring steps and workflows in line with their jobs. `moved`: job id -> workflow id, for those that changed.

    `untold` are those that ended before their start was written: subscribers hear of both, in order.
    """
    latest = _bring(tx, moved, at, reasons=reasons or {}, started=started or {}, untold=untold)
    rolls = list(latest)
    while latest:
        moved, why = _follow(tx, latest, at)
        latest = _bring(tx, moved, at, reasons=why, started={}, untold=frozenset())
        rolls += latest
    ledger.settle(tx, [r.settlement() for r in rolls if r.ended], at)
    events.emit(tx, [change for r in rolls for change in r.events()], at)


def _bring(
    tx: Tx,
    moved: Mapping[str, str],
    at: datetime,
    *,
    reasons: Mapping[str, str],
    started: Mapping[str, datetime],
    untold: frozenset[str],
) -> list[_Roll]:
    ids = sorted(set(moved.values()))
    heads, jobs = rows.heads(tx, ids), rows.states(tx, ids)
    mine: dict[str, set[str]] = defaultdict(set)
    for job_id, workflow_id in moved.items():
        mine[workflow_id].add(job_id)
    rolls = [_Roll(heads[i], jobs[i], mine[i], at, reasons=reasons, started=started, untold=untold) for i in ids]
    rows.set_steps(tx, [change for r in rolls for change in r.step_changes()])
    rows.set_workflows(tx, [change for r in rolls for change in r.workflow_changes()])
    return rolls


def _follow(tx: Tx, rolls: Sequence[_Roll], at: datetime) -> tuple[dict[str, str], dict[str, str]]:
    """What follows the steps that just ended is queued, or ends with them: the jobs that ended, and their reasons."""
    free = {r.id: freed for r in rolls if (freed := following.freed(r.steps, r.ended_steps))}
    doom = {r.id: doomed for r in rolls if (doomed := following.doomed(r.steps, r.ended_steps))}
    ends = _enqueue(tx, free, at) if free else []
    ends += [end for r in rolls if r.id in doom for end in following.ends(r.id, doom[r.id], r.unfinished, at)]
    rows.end_waiting(tx, ends)
    return {end.job_id: end.workflow_id for end in ends}, {end.job_id: end.reason for end in ends}


class _Roll:
    """One workflow being brought in line with its jobs."""

    def __init__(
        self,
        head: Workflow,
        jobs: Sequence[JobState],
        moved: set[str],
        at: datetime,
        *,
        reasons: Mapping[str, str],
        started: Mapping[str, datetime],
        untold: frozenset[str],
    ) -> None:
        self._before = head
        self._jobs = jobs
        self._moved = [job for job in jobs if job.id in moved]
        self._reasons = reasons
        self._untold = [job for job in self._moved if job.id in untold]
        self._started = {job.step: started[job.id] for job in self._moved if job.id in started}
        self._at = at
        self._steps = [self._roll_step(step) for step in head.steps]
        self._after = self._roll_workflow()

    @property
    def ended(self) -> bool:
        """Whether the workflow became final just now."""
        return self._after.status.terminal and not self._before.status.terminal

    @property
    def id(self) -> str:
        """The workflow's."""
        return self._before.id

    @property
    def steps(self) -> Sequence[Step]:
        """As they are now, without jobs."""
        return self._steps

    @property
    def ended_steps(self) -> frozenset[int]:
        """Those that became final just now."""
        both = zip(self._before.steps, self._steps, strict=True)
        return frozenset(s.index for before, s in both if s.status.terminal and not before.status.terminal)

    @property
    def unfinished(self) -> list[JobState]:
        """The jobs that have not ended."""
        return [job for job in self._jobs if not job.status.terminal]

    def _roll_step(self, step: Step) -> Step:
        if step.status.terminal:
            return step
        status = roll_up(job.status for job in self._jobs if job.step == step.index)
        assert status is step.status or step.status.may_become(status)
        begun = step.started_at or self._started.get(step.index)
        if begun is None and status is Status.PROCESSING:
            begun = self._at
        return replace(step, status=status, started_at=begun, completed_at=self._at if status.terminal else None)

    def _roll_workflow(self) -> Workflow:
        before = self._before
        if before.status.terminal:
            return before
        status = roll_up_steps(step.status for step in self._steps)
        assert status is before.status or before.status.may_become(status)
        begun = min((s.started_at for s in self._steps if s.started_at), default=None)
        return replace(
            before,
            status=status,
            steps=self._steps,
            started_at=before.started_at or begun,
            completed_at=self._at if status.terminal else None,
            reason=self._reason(status),
        )

    def _reason(self, status: Status) -> str | None:
        if not status.terminal or status is Status.SUCCEEDED:
            return None
        own = (j.reason for j in self._jobs if j.status is not Status.SUCCEEDED and j.reason)
        return next(own, self._before.reason)

    def step_changes(self) -> Iterable[tuple[str, int, Status, datetime | None, datetime | None]]:
        for before, after in zip(self._before.steps, self._steps, strict=True):
            if before.status is not after.status:
                yield after.workflow_id, after.index, after.status, after.started_at, after.completed_at

    def workflow_changes(self) -> Iterable[tuple[str, Status, datetime | None, datetime | None, str | None]]:
        w = self._after
        if w.status is not self._before.status:
            yield w.id, w.status, w.started_at, w.completed_at, w.reason

    def settlement(self) -> ledger.Settlement:
        """What succeeded is spent, the rest goes back."""
        used = sum(job.cost for job in self._jobs if job.status is Status.SUCCEEDED)
        w = self._after
        return ledger.Settlement(account_id=w.account_id, workflow_id=w.id, held=w.cost, used=used)

    def events(self) -> Iterable[Change]:
        """In the order a reader expects: jobs, their steps, the workflow; `processing` before an end."""
        w = self._after
        if not w.callbacks:
            return
        yield from self._late_starts()
        for job in self._moved:
            yield Change(
                kind="job",
                workflow=w,
                status=job.status,
                step=self._steps[job.step],
                job_id=job.id,
                reason=self._reasons.get(job.id),
            )
        for before, after in zip(self._before.steps, self._steps, strict=True):
            if before.status is not after.status:
                yield Change(kind="step", workflow=w, status=after.status, step=after)
        if w.status is not self._before.status:
            yield Change(kind="workflow", workflow=w, status=w.status, reason=w.reason)

    def _late_starts(self) -> Iterable[Change]:
        """What a quick job's start would have told."""
        w, quick = self._after, {job.step for job in self._untold}
        for job in self._untold:
            step = self._steps[job.step]
            yield Change(kind="job", workflow=w, status=Status.PROCESSING, step=step, job_id=job.id)
        for before, after in zip(self._before.steps, self._steps, strict=True):
            if after.index in quick and Status.PROCESSING not in {before.status, after.status}:
                yield Change(kind="step", workflow=w, status=Status.PROCESSING, step=after)
        if quick and Status.PROCESSING not in {self._before.status, w.status}:
            yield Change(kind="workflow", workflow=w, status=Status.PROCESSING)


__all__ = [
    "Attempt",
    "Claim",
    "Ended",
    "Failure",
    "Renewal",
    "Started",
    "Sweep",
    "Unplaced",
    "arrive",
    "claim",
    "end",
    "expire",
    "finish",
    "lost",
    "renew",
    "roll",
    "start",
    "unplaced",
]
