"""The queue. Owns the tables queued_jobs, queue_lines and queue_engines: unfinished jobs, who holds each by a lease,
and how far everybody has got.

A claim gives an attempt number; (job, attempt) is the fence: whoever comes back with an older one changes nothing.
Finishing a job deletes its row, so the table stays as small as the backlog. Jobs wait in the order of a virtual time
(`fairness.py`) that is stamped once, when they are queued; which of the first ones a claim takes is `matching.py`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from heddle import fairness
from heddle.db import Row, Tx, marks, rows
from heddle.domain import Needs, first_id, to_ms
from heddle.fairness import Front, Stamp
from heddle.matching import SlotReport, Waiting

Pair = tuple[str, int]

#: What a Buzz of work takes, in seconds, before anything was measured.
_S_PER_BUZZ = 0.05

#: How many jobs before one are counted at most, and of how many jobs.
_FAR = 1000
_PLACES = 100

#: How many jobs one claim parks at most, so that none takes long.
_PARK = 2000

#: For how long it counts what a dispatcher said of its slots, in milliseconds.
_SLOTS_MS = 30_000

#: And for how long an engine is waited for whose slots say nothing, as their machine is started anew.
_AWAY_MS = 15 * 60_000

#: The columns of a lease.
_LEASE = "job_id, workflow_id, account_id, attempt, failures, losses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A job that may run."""

    job_id: str
    workflow_id: str
    account_id: int
    engine: str
    band: int
    cost: int
    #: What its account weighs against others.
    weight: float = 1.0
    needs: Needs | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a waiting job stands: how many are before it, and how long they and it will probably run."""

    job_id: str
    engine: str
    memory_mb: int
    before: int
    before_s: float
    own_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What jobs of an engine took: seconds, for so many Buzz."""

    engine: str
    seconds: float
    buzz: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A claimed job. `attempt` counts from 1; `failures` are those the job itself ruined, `losses` the server's."""

    job_id: str
    workflow_id: str
    account_id: int
    attempt: int
    failures: int
    losses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How many jobs of an engine are `ready`, wait for a `later` moment, or are `claimed`; and the oldest one's id."""

    engine: str
    state: str
    jobs: int
    oldest: str


def enqueue(tx: Tx, entries: Sequence[Entry]) -> None:
    """Make jobs claimable at once.

    `run_at` is 0, not the time: a clock that is set back must not hide jobs. Their order is that of their stamps.
    """
    if not entries:
        return
    stamps = _stamps(tx, entries)
    tx.many(
        "INSERT INTO queued_jobs (job_id, workflow_id, account_id, engine, band, cost, needs, memory_mb, starts,"
        " finishes, run_at, attempt, failures, losses) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0)",
        [
            (
                *(e.job_id, e.workflow_id, e.account_id, e.engine, e.band, e.cost),
                *(_needs_text(e.needs), e.needs.memory_mb if e.needs else 0, *stamps[e.job_id]),
            )
            for e in entries
        ],
    )
    tx.wake("queue")


def _stamps(tx: Tx, entries: Sequence[Entry]) -> dict[str, Stamp]:
    """The virtual time of each new job, and every line moved on to its last one's."""
    engines = sorted({e.engine for e in entries})
    clocks, paces = _clocks(tx), _paces(tx)
    starts = {e: fairness.clock(clocks, e, waits=waits) for e, waits in _waits(tx, engines).items()}
    lasts = _take_lines(tx, {(e.account_id, e.band) for e in entries})
    stamps: dict[str, Stamp] = {}
    for e in entries:
        line = (e.account_id, e.band)
        est_s = e.cost * paces.get(e.engine, _S_PER_BUZZ)
        stamps[e.job_id] = fairness.stamp(starts[e.engine], lasts[line], est_s, e.weight, e.band)
        lasts[line] = stamps[e.job_id].finish
    tx.many(
        "UPDATE queue_lines SET last = ? WHERE account_id = ? AND band = ?",
        [(last, *line) for line, last in lasts.items()],
    )
    return stamps


def _take_lines(tx: Tx, lines: set[tuple[int, int]]) -> dict[tuple[int, int], float]:
    """How far lines have got; nobody else moves them before the commit."""
    ordered = sorted(lines)
    tx.many(
        "INSERT INTO queue_lines (account_id, band, last) VALUES (?, ?, 0) ON CONFLICT (account_id, band) DO NOTHING",
        ordered,
    )
    values, params = rows(ordered)
    accounts = sorted({account for account, _ in ordered})
    found = tx.all(
        "SELECT account_id, band, last FROM queue_lines"  # noqa: S608
        f" WHERE account_id IN ({marks(accounts)}) AND (account_id, band) IN (VALUES {values})"
        f" ORDER BY account_id, band{tx.for_update}",
        [*accounts, *params],
    )
    return {(row["account_id"], row["band"]): row["last"] for row in found}


def _clocks(tx: Tx) -> dict[str, float]:
    return {row["engine"]: row["clock"] for row in tx.all("SELECT engine, clock FROM queue_engines")}


def _paces(tx: Tx) -> dict[str, float]:
    found = tx.all("SELECT engine, s_per_buzz FROM queue_engines WHERE s_per_buzz IS NOT NULL")
    return {row["engine"]: row["s_per_buzz"] for row in found}


def _waits(tx: Tx, engines: Sequence[str]) -> dict[str, bool]:
    """Whether any job of these engines waits."""
    first = "SELECT 1 AS one FROM queued_jobs WHERE owner IS NULL AND engine = ? LIMIT 1"
    return {engine: tx.one(first, (engine,)) is not None for engine in engines}


def window(
    tx: Tx,
    engines: Sequence[str],
    limit: int,
    at: datetime,
    *,
    memory_mb: int | None = None,
    without: Sequence[int] = (),
    lost: Sequence[str] = (),
    overdue: datetime | None = None,
    parked: Mapping[int, int] | None = None,
) -> list[Waiting]:
    """The first jobs of these engines that may run, in fair order, but those of the accounts or jobs left out.

    With `memory_mb`, those that need no more: what fits nowhere must not hide what does. With `overdue`, also those
    that were passed over before that, wherever they stand. `parked` ones are seen of these accounts only, so many of
    each.
    """
    if not engines or limit <= 0:
        return []
    # IS TRUE: no index by engine for this one, or SQLite reads and sorts all that waits instead of the first ones.
    others = "" if memory_mb is None else " AND memory_mb <= ?"
    others += f" AND account_id NOT IN ({marks(without)})" if without else ""
    others += f" AND job_id NOT IN ({marks(lost)})" if lost else ""
    most = [] if memory_mb is None else [memory_mb]
    these = (
        "SELECT job_id, account_id, engine, starts, finishes, cost, needs, passed_at FROM queued_jobs"  # noqa: S608
        f" WHERE owner IS NULL AND run_at <= ? AND (engine IN ({marks(engines)})) IS TRUE{others}"
    )
    given = [to_ms(at), *engines, *most, *without, *lost]
    found = tx.all(f"{these} AND parked = 0 ORDER BY finishes, job_id LIMIT ?", [*given, limit])
    others_found: list[Row] = []
    if overdue is not None and len(found) == limit:  # else all that wait are there
        others_found = tx.all(
            f"{these} AND parked = 0 AND passed_at IS NOT NULL AND passed_at <= ? ORDER BY passed_at LIMIT ?",
            [*given, to_ms(overdue), limit],
        )
    for account_id, most in (parked or {}).items():
        others_found += tx.all(
            f"{these} AND parked = 1 AND account_id = ? ORDER BY finishes, job_id LIMIT ?", [*given, account_id, most]
        )
    paces = _paces(tx) if found or others_found else {}
    jobs = {row["job_id"]: _waiting(row, paces) for row in [*found, *others_found]}
    return sorted(jobs.values(), key=lambda job: (job.finish, job.job_id)) if others_found else list(jobs.values())


def park(tx: Tx, account_ids: Sequence[int], up_to: float) -> None:
    """The jobs of accounts at their cap, as far as a claim walked past them, are looked for by account from now on."""
    if account_ids:
        tx.run(
            "WITH these AS MATERIALIZED (SELECT job_id FROM queued_jobs WHERE owner IS NULL AND parked = 0"  # noqa: S608
            f" AND finishes <= ? AND (account_id IN ({marks(account_ids)})) IS TRUE ORDER BY finishes, job_id"
            f" LIMIT ?{tx.skip_locked})"
            " UPDATE queued_jobs SET parked = 1 WHERE job_id IN (SELECT job_id FROM these)",
            [up_to, *account_ids, _PARK],
        )


def parked(tx: Tx) -> list[int]:
    """The accounts that have parked jobs. Reads one row of each, however many it has."""
    some = "SELECT account_id FROM queued_jobs WHERE owner IS NULL AND parked = 1"
    first = "ORDER BY account_id LIMIT 1"  # not MIN: a planner that takes the table for empty reads all of it
    found = tx.all(
        f"WITH RECURSIVE found (id) AS (SELECT ({some} {first})"  # noqa: S608 - constants
        f" UNION ALL SELECT ({some} AND account_id > found.id {first}) FROM found WHERE found.id IS NOT NULL)"
        " SELECT id FROM found WHERE id IS NOT NULL"
    )
    return [row["id"] for row in found]


def take(tx: Tx, owner: str, job_ids: Sequence[str], until: datetime) -> dict[str, Lease]:
    """Give jobs of a window to an owner, but those that another claimer is just taking."""
    if not job_ids:
        return {}
    found = tx.all(
        f"WITH ready AS MATERIALIZED (SELECT job_id FROM queued_jobs WHERE job_id IN ({marks(job_ids)})"  # noqa: S608
        f" AND owner IS NULL ORDER BY job_id{tx.skip_locked})"
        " UPDATE queued_jobs SET owner = ?, lease_until = ?, attempt = attempt + 1, passed_at = NULL, parked = 0"
        f" WHERE job_id IN (SELECT job_id FROM ready) RETURNING {_LEASE}",
        [*job_ids, owner, to_ms(until)],
    )
    return {row["job_id"]: _lease(row) for row in found}


def note_passed(tx: Tx, job_ids: Sequence[str], at: datetime) -> None:
    """Jobs were passed over for the first time."""
    if job_ids:
        tx.run(
            f"WITH these AS MATERIALIZED (SELECT job_id FROM queued_jobs WHERE job_id IN ({marks(job_ids)})"  # noqa: S608
            f" AND owner IS NULL ORDER BY job_id{tx.skip_locked})"
            " UPDATE queued_jobs SET passed_at = ? WHERE job_id IN (SELECT job_id FROM these)",
            [*job_ids, to_ms(at)],
        )


def advance_clocks(tx: Tx, seen: Sequence[Mapping[str, Front]]) -> None:
    """A claim saw, one after the other, how far the queues of engines have got.

    The last thing that a claim does, and once: every claimer moves these rows.
    """
    after = before = _clocks(tx)
    for fronts in seen:
        after = fairness.advance(after, fronts)
    moved = sorted((engine, clock) for engine, clock in after.items() if before.get(engine) != clock)
    tx.many(
        "INSERT INTO queue_engines (engine, clock) VALUES (?, ?)"
        " ON CONFLICT (engine) DO UPDATE SET clock = excluded.clock WHERE queue_engines.clock < excluded.clock",
        moved,
    )


def running(tx: Tx, account_ids: Sequence[int]) -> dict[int, int]:
    """How many jobs of these accounts are claimed."""
    if not account_ids:
        return {}
    found = tx.all(
        "SELECT account_id, COUNT(*) AS n FROM queued_jobs"  # noqa: S608
        f" WHERE owner IS NOT NULL AND account_id IN ({marks(account_ids)}) GROUP BY account_id",
        account_ids,
    )
    return {row["account_id"]: row["n"] for row in found}


def note_paces(tx: Tx, paces: Sequence[Pace]) -> list[None]:
    """Verb: remember what work takes; the new counts for a fifth."""
    known = _paces(tx)
    seen: dict[str, float] = {}
    for pace in paces:
        if pace.buzz > 0:
            now = pace.seconds / pace.buzz
            before = seen.get(pace.engine, known.get(pace.engine, now))
            seen[pace.engine] = before + (now - before) / 5
    tx.many(
        "INSERT INTO queue_engines (engine, clock, s_per_buzz) VALUES (?, 0, ?)"
        " ON CONFLICT (engine) DO UPDATE SET s_per_buzz = excluded.s_per_buzz",
        sorted(seen.items()),
    )
    return [None] * len(paces)


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """What the slots of one dispatcher are and have now."""

    dispatcher: str
    slots: Sequence[SlotReport]
    at: datetime


def report_slots(tx: Tx, items: Sequence[Census]) -> list[None]:
    """Verb: instead of what the same dispatchers said before; what others said long ago is forgotten."""
    latest = {item.dispatcher: item for item in items}
    names = sorted(latest)
    oldest = to_ms(max(item.at for item in items)) - _SLOTS_MS
    tx.run(f"DELETE FROM queue_slots WHERE dispatcher IN ({marks(names)}) OR at < ?", [*names, oldest])  # noqa: S608
    tx.many(
        "INSERT INTO queue_slots (dispatcher, name, report, at) VALUES (?, ?, ?, ?)",
        [
            (name, slot.name, msgspec.json.encode(slot).decode(), to_ms(item.at))
            for name, item in sorted(latest.items())
            for slot in item.slots
        ],
    )
    _note_seen(tx, [(slot, to_ms(item.at)) for item in latest.values() for slot in item.slots])
    return [None] * len(items)


def _note_seen(tx: Tx, seen: Sequence[tuple[SlotReport, int]]) -> None:
    """Each engine that a slot can run was there now; a slot that does not count memory fits all."""
    found: dict[str, tuple[int, int | None]] = {}
    for slot, at in seen:
        for engine in slot.engines:
            before_at, before_mb = found.get(engine, (0, 0))
            both = None if before_mb is None or slot.memory_mb is None else max(before_mb, slot.memory_mb)
            found[engine] = (max(before_at, at), both)
    tx.many(
        "INSERT INTO queue_engines (engine, clock, seen_at, seen_mb) VALUES (?, 0, ?, ?)"
        " ON CONFLICT (engine) DO UPDATE SET seen_at = excluded.seen_at, seen_mb = CASE"
        " WHEN queue_engines.seen_mb IS NULL OR excluded.seen_mb IS NULL THEN NULL"
        " WHEN queue_engines.seen_mb > excluded.seen_mb THEN queue_engines.seen_mb ELSE excluded.seen_mb END",
        [(engine, at, mb) for engine, (at, mb) in sorted(found.items())],
    )


def slots(tx: Tx, at: datetime) -> list[SlotReport]:
    """What every dispatcher said lately of its slots."""
    found = tx.all("SELECT report FROM queue_slots WHERE at >= ? ORDER BY dispatcher, name", (to_ms(at) - _SLOTS_MS,))
    return [_slot_report.decode(row["report"]) for row in found]


@dataclass(frozen=True, slots=True)
class Room:
    """What the slots have for jobs of an engine."""

    #: Whether any of them runs it.
    able: bool
    #: The most memory that one has for models; None: memory is not counted.
    memory_mb: int | None = None


def room(tx: Tx, engine: str, at: datetime) -> Room | None:
    """What the slots that are there have for an engine; None while nobody knows: none has said anything yet, or those
    that could run it were there a moment ago."""
    found = slots(tx, at)
    able = [slot.memory_mb for slot in found if engine in slot.engines]
    if able:
        counted = [memory_mb for memory_mb in able if memory_mb is not None]
        return Room(able=True, memory_mb=max(counted) if len(counted) == len(able) else None)
    away = "SELECT 1 AS one FROM queue_engines WHERE engine = ? AND seen_at >= ?"
    if not found or tx.one(away, (engine, to_ms(at) - _AWAY_MS)) is not None:
        return None
    return Room(able=False)


def places(tx: Tx, workflow_ids: Sequence[str], at: datetime) -> list[Place]:
    """Where the waiting jobs of these workflows stand in the queue, in its order. Counts no further than `_FAR`."""
    if not workflow_ids:
        return []
    mine = tx.all(
        "SELECT job_id, workflow_id, account_id, engine, finishes, cost, memory_mb FROM queued_jobs"  # noqa: S608
        f" WHERE owner IS NULL AND workflow_id IN ({marks(workflow_ids)}) ORDER BY finishes, job_id",
        workflow_ids,
    )
    paces = _paces(tx) if mine else {}
    told = Counter[str]()
    lines: dict[int, _Line] = {}
    found: list[Place] = []
    for row in mine:
        told[row["workflow_id"]] += 1
        if told[row["workflow_id"]] > _PLACES:
            continue
        line = lines.setdefault(row["account_id"], _Line())
        here = (row["finishes"], row["job_id"])
        for between in _between(tx, row["account_id"], (line.last, here), at, _FAR - line.before):
            line.before += between["n"]
            line.before_s += between["cost"] * paces.get(between["engine"], _S_PER_BUZZ)
        line.last = here
        found.append(
            Place(
                job_id=row["job_id"],
                engine=row["engine"],
                memory_mb=row["memory_mb"],
                before=line.before,
                before_s=line.before_s,
                own_s=row["cost"] * paces.get(row["engine"], _S_PER_BUZZ),
            )
        )
    return found


@dataclass(slots=True)
class _Line:
    """What stands before an account's place, counted so far."""

    last: tuple[float, str] = (-1.0, "")
    before: int = 0
    before_s: float = 0.0


def _between(
    tx: Tx, account_id: int, places: tuple[tuple[float, str], tuple[float, str]], at: datetime, most: int
) -> list[Row]:
    """How many jobs stand from one place up to another, and what they cost, by engine.

    What is parked stands before the other jobs of its account, and before nobody else's.
    """
    if most <= 0:
        return []
    first, end = places
    these = (
        "SELECT engine, cost FROM queued_jobs WHERE owner IS NULL AND run_at <= ?"
        " AND (finishes, job_id) >= (?, ?) AND (finishes, job_id) < (?, ?)"
    )
    given = [to_ms(at), *first, *end]
    return tx.all(
        f"SELECT engine, COUNT(*) AS n, SUM(cost) AS cost FROM ({these} AND parked = 0"  # noqa: S608
        f" UNION ALL {these} AND parked = 1 AND account_id = ? LIMIT ?) AS these GROUP BY engine",
        [*given, *given, account_id, most],
    )


def renew(tx: Tx, owner: str, pairs: Sequence[Pair], until: datetime) -> set[Pair]:
    """Extend leases; returns those that are still held. The others were canceled or taken away: stop them."""
    if not pairs:
        return set()
    these, params = _these(pairs)
    _lock(tx, these, params)
    kept = tx.all(
        f"UPDATE queued_jobs SET lease_until = ? WHERE owner = ? AND {these}"  # noqa: S608
        " RETURNING job_id, attempt",
        [to_ms(until), owner, *params],
    )
    return {(row["job_id"], row["attempt"]) for row in kept}


def held(tx: Tx, owner: str) -> set[Pair]:
    """What an owner holds now."""
    found = tx.all("SELECT job_id, attempt FROM queued_jobs WHERE owner = ?", (owner,))
    return {(row["job_id"], row["attempt"]) for row in found}


def finish(tx: Tx, pairs: Sequence[Pair]) -> dict[Pair, Lease]:
    """Take ended attempts out; returns those that held the lease. The others are fenced: discard their results."""
    if not pairs:
        return {}
    these, params = _these(pairs)
    _lock(tx, these, params)
    ended = tx.all(
        f"DELETE FROM queued_jobs WHERE owner IS NOT NULL AND {these}"  # noqa: S608
        f" RETURNING {_LEASE}",
        params,
    )
    return {(row["job_id"], row["attempt"]): _lease(row) for row in ended}


def release(tx: Tx, leases: Iterable[tuple[Lease, datetime | None]]) -> None:
    """Hand attempts back, each with its new counts and the time of its next try (None: at once)."""
    given = [
        (lease.failures, lease.losses, 0 if at is None else to_ms(at), lease.job_id, lease.attempt)
        for lease, at in leases
    ]
    if not given:
        return
    these, params = _these([(job_id, attempt) for *_, job_id, attempt in given])
    _lock(tx, these, params)
    tx.many(
        "UPDATE queued_jobs SET owner = NULL, lease_until = NULL, progress = NULL, failures = ?, losses = ?, run_at = ?"
        " WHERE job_id = ? AND attempt = ?",
        given,
    )
    tx.wake("queue")


def leases(tx: Tx, pairs: Sequence[Pair], *, lock: bool = False) -> dict[Pair, Lease]:
    """Those of the pairs that hold their lease. `lock`: until the end of `tx`."""
    if not pairs:
        return {}
    these, params = _these(pairs)
    if lock:
        _lock(tx, these, params)
    found = tx.all(
        f"SELECT {_LEASE} FROM queued_jobs"  # noqa: S608
        f" WHERE owner IS NOT NULL AND {these}",
        params,
    )
    return {(row["job_id"], row["attempt"]): _lease(row) for row in found}


def lost(tx: Tx, at: datetime, limit: int, *, not_by: str | None = None) -> list[Lease]:
    """Leases that ran out; with `not_by`, every lease of another owner (the embedded server, which is alone)."""
    if not_by is not None:
        found = tx.all(
            f"SELECT {_LEASE} FROM queued_jobs WHERE owner IS NOT NULL AND owner <> ? LIMIT ?",  # noqa: S608
            (not_by, limit),
        )
    else:
        found = tx.all(
            f"SELECT {_LEASE} FROM queued_jobs"  # noqa: S608
            " WHERE owner IS NOT NULL AND lease_until < ? ORDER BY lease_until LIMIT ?",
            (to_ms(at), limit),
        )
    return [_lease(row) for row in found]


def remove(tx: Tx, workflow_ids: Sequence[str]) -> None:
    """Take every job of these workflows out, running ones too: their results will be fenced."""
    if not workflow_ids:
        return
    these = f"workflow_id IN ({marks(workflow_ids)})"
    _lock(tx, these, workflow_ids)
    tx.run(f"DELETE FROM queued_jobs WHERE {these}", workflow_ids)  # noqa: S608
    tx.wake("leases")


def note_progress(tx: Tx, items: Sequence[tuple[str, int, float]]) -> list[None]:
    """Keep how far running jobs are; never the truth, only for those who look."""
    latest = {(job_id, attempt): fraction for job_id, attempt, fraction in items}
    these, params = _these(sorted(latest))
    _lock(tx, these, params)
    tx.many(
        "UPDATE queued_jobs SET progress = ? WHERE job_id = ? AND attempt = ? AND owner IS NOT NULL",
        [(fraction, *pair) for pair, fraction in latest.items()],
    )
    return [None] * len(items)


def progress(tx: Tx, workflow_ids: Sequence[str]) -> dict[str, float]:
    """How far the running jobs of these workflows are."""
    if not workflow_ids:
        return {}
    found = tx.all(
        "SELECT job_id, progress FROM queued_jobs"  # noqa: S608
        f" WHERE progress IS NOT NULL AND workflow_id IN ({marks(workflow_ids)})",
        workflow_ids,
    )
    return {row["job_id"]: row["progress"] for row in found}


def depth(tx: Tx) -> int:
    """How many jobs wait or run."""
    row = tx.one("SELECT COUNT(*) AS n FROM queued_jobs")
    return row["n"] if row else 0


def waiting(tx: Tx) -> int:
    """How many jobs wait, counted no further than `_FAR`."""
    row = tx.one("SELECT COUNT(*) AS n FROM (SELECT 1 FROM queued_jobs WHERE owner IS NULL LIMIT ?) AS ready", (_FAR,))
    return row["n"] if row else 0


def unplaced(tx: Tx, at: datetime, before: datetime, limit: int) -> list[str]:
    """Workflows of jobs that were made before a moment and wait, though no slot since then could have run them.

    A slot that is away for a while, as its machine is started anew, does not count against what waits for it.
    """
    known = tx.all("SELECT engine, seen_at, seen_mb FROM queue_engines WHERE seen_at IS NOT NULL")
    if max((row["seen_at"] for row in known), default=0) < to_ms(at) - _SLOTS_MS:
        return []  # no dispatcher says anything: nobody knows what slots there are
    able = [row for row in known if row["seen_at"] >= to_ms(before)]
    bounded = [(row["engine"], row["seen_mb"]) for row in able if row["seen_mb"] is not None]
    too_large = "".join(" OR (engine = ? AND memory_mb > ?)" for _ in bounded)
    engines = [row["engine"] for row in able]
    found = tx.all(
        "SELECT DISTINCT workflow_id FROM queued_jobs WHERE owner IS NULL AND job_id < ?"  # noqa: S608
        f" AND (engine NOT IN ({marks(engines)}){too_large}) LIMIT ?",
        [first_id("job", before), *engines, *(value for pair in bounded for value in pair), limit],
    )
    return [row["workflow_id"] for row in found]


def standing(tx: Tx, at: datetime) -> list[Standing]:
    """What waits and what runs, by engine. Reads the whole table, which is as long as the backlog."""
    found = tx.all(
        "SELECT engine, CASE WHEN owner IS NOT NULL THEN 'claimed' WHEN run_at > ? THEN 'later' ELSE 'ready' END"
        " AS state, COUNT(*) AS n, MIN(job_id) AS oldest FROM queued_jobs GROUP BY 1, 2",
        (to_ms(at),),
    )
    return [Standing(engine=r["engine"], state=r["state"], jobs=r["n"], oldest=r["oldest"]) for r in found]


def next_at(tx: Tx, after: datetime) -> int | None:
    """When the next job that waits for its time may run, in milliseconds; None when none does."""
    row = tx.one(
        "SELECT MIN(run_at) AS at FROM queued_jobs WHERE owner IS NULL AND run_at > 0 AND run_at > ?", (to_ms(after),)
    )
    return row["at"] if row else None


def _lock(tx: Tx, these: str, params: Sequence[Any]) -> None:
    """Take rows in the order of their ids, so that two who change several never wait for each other."""
    if tx.for_update:
        tx.all(f"SELECT job_id FROM queued_jobs WHERE {these} ORDER BY job_id{tx.for_update}", params)  # noqa: S608


def _these(pairs: Sequence[Pair]) -> tuple[str, list[Any]]:
    """The condition for a list of pairs. The ids stand there twice, because SQLite finds no index for pairs alone."""
    values, params = rows(pairs)
    ids = [job_id for job_id, _ in pairs]
    return f"job_id IN ({marks(ids)}) AND (job_id, attempt) IN (VALUES {values})", [*ids, *params]


def _needs_text(needs: Needs | None) -> str | None:
    return None if needs is None else msgspec.json.encode(needs).decode()


_needs = msgspec.json.Decoder(Needs)
_slot_report = msgspec.json.Decoder(SlotReport)


def _waiting(row: Row, paces: Mapping[str, float]) -> Waiting:
    needs = Needs() if row["needs"] is None else _needs.decode(row["needs"])
    return Waiting(
        job_id=row["job_id"],
        account_id=row["account_id"],
        engine=row["engine"],
        start=row["starts"],
        finish=row["finishes"],
        model=needs.model,
        memory_mb=needs.memory_mb,
        load_s=needs.load_s,
        est_s=row["cost"] * paces.get(row["engine"], _S_PER_BUZZ),
        passed_at=None if row["passed_at"] is None else row["passed_at"] / 1000,
    )


def _lease(row: Row) -> Lease:
    return Lease(
        job_id=row["job_id"],
        workflow_id=row["workflow_id"],
        account_id=row["account_id"],
        attempt=row["attempt"],
        failures=row["failures"],
        losses=row["losses"],
    )
