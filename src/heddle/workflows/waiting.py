"""Why a job waits: where it stands, when it will probably start, and what each slot says to it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from heddle import accounts, matching, queue
from heddle.db import Tx
from heddle.domain import Status, Workflow
from heddle.matching import Policy, SlotReport, Why

#: Estimates are that wrong, more or less: they come from means.
SPREAD = 2.0

#: How many jobs are looked at, at least: a busy fleet reaches for none.
_LOOK = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Of one waiting job. Without `start_at`, no slot that is known of can run it."""

    job_id: str
    before: int
    start_at: datetime | None
    complete_at: datetime | None
    #: Between these two, probably.
    earliest: datetime | None
    latest: datetime | None
    #: What each slot says; only where it was asked for.
    slots: Sequence[Why] = ()


def outlooks(tx: Tx, workflows: Sequence[Workflow], at: datetime) -> dict[str, Outlook]:
    """Of the jobs of these workflows that wait for a slot, by their ids."""
    waiting = [w.id for w in workflows if any(j.status is Status.UNASSIGNED for step in w.steps for j in step.jobs)]
    if not waiting:
        return {}
    places = queue.places(tx, waiting, at)
    slots = queue.slots(tx, at) if places else []
    return {place.job_id: _outlook(place, slots, at) for place in places}


def explained(tx: Tx, workflow: Workflow, at: datetime, policy: Policy) -> dict[str, Outlook]:
    """The same of one workflow, with what each slot says to the first of its jobs."""
    found = outlooks(tx, [workflow], at)
    if found:
        first = next(iter(found))
        slots = queue.slots(tx, at)
        found[first] = replace(found[first], slots=_explain(tx, workflow.account_id, first, slots, at, policy))
    return found


def _outlook(place: queue.Place, slots: Sequence[SlotReport], at: datetime) -> Outlook:
    able = [slot for slot in slots if place.engine in slot.engines and place.memory_mb <= (slot.memory_mb or math.inf)]
    if not able:
        return Outlook(
            job_id=place.job_id, before=place.before, start_at=None, complete_at=None, earliest=None, latest=None
        )
    # The work before it, and what runs now, shared by all that can do it.
    wait_s = (place.before_s + sum(slot.busy_s for slot in able)) / len(able)
    return Outlook(
        job_id=place.job_id,
        before=place.before,
        start_at=at + timedelta(seconds=wait_s),
        complete_at=at + timedelta(seconds=wait_s + place.own_s),
        earliest=at + timedelta(seconds=wait_s / SPREAD),
        latest=at + timedelta(seconds=wait_s * SPREAD),
    )


def _explain(
    tx: Tx, account_id: int, job_id: str, slots: Sequence[SlotReport], at: datetime, policy: Policy
) -> Sequence[Why]:
    """The decision of a claim, told and not carried out."""
    engines = sorted(frozenset[str]().union(*(slot.engines for slot in slots)))
    window = queue.window(tx, engines, max(_LOOK, matching.reach(slots)), at, parked={account_id: _LOOK})
    if all(job.job_id != job_id for job in window):
        return [Why(slot.name, "turn", "others are before it") for slot in slots]
    caps = _caps(tx, {job.account_id for job in window})
    running = queue.running(tx, sorted(caps))
    return matching.explain(job_id, window, slots, running=running, caps=caps, now=at.timestamp(), policy=policy)


def _caps(tx: Tx, account_ids: set[int]) -> Mapping[int, int]:
    return {i: x.max_running for i, x in accounts.limits(tx, sorted(account_ids)).items() if x.max_running}
