"""Events on their way out. Owns the table events: who must be told what, in which order, and how that went.

A *line* is the events of one workflow for one endpoint, numbered 0, 1, 2…; at most one event of a line is on offer at
any time. The others are parked: their `next_at` is `NEVER`, so that a look at what is due never wades through them.
When the event on offer ends (delivered or dead) the first one parked behind it is offered.

`next_at` of an event on offer is when to send it. A claim moves it ahead before anything is sent: that is the lease,
and together with `tries` the fence: an outcome counts only while the claim it belongs to stands. A sender that dies
leaves a lease that runs out, and the event is sent again under the same id and number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from heddle import egress
from heddle.db import Row, Tx, marks
from heddle.domain import JSON, from_ms, to_ms

#: When a parked event is due: after every moment that a clock can show.
NEVER = 2**62

#: More events than any server makes between two backups.
SKIPPED = 10**9

State = Literal["waiting", "delivered", "dead"]

_Line = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that an endpoint asked to be told."""

    workflow_id: str
    account_id: int
    endpoint: str
    body: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An event that is due."""

    id: int
    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is due, and when something becomes due after that; None when nothing will."""

    offers: Sequence[Offer]
    next_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Take these offers; whoever takes one sends it before `until`."""

    ids: Sequence[int]
    at: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """An event to be sent now; `tries` counts this one."""

    id: int
    workflow_id: str
    account_id: int
    endpoint: str
    seq: int
    body: JSON
    tries: int
    lease: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How sending went: `waiting` tries again at `at`, the others end the event at `at`."""

    claimed: Claimed
    state: State
    at: datetime
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Send dead events again: these, or all with `ids` None."""

    ids: Sequence[int] | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event as a person reads it."""

    id: int
    workflow_id: str
    account_id: int
    endpoint: str
    seq: int
    state: State
    tries: int
    created_at: datetime | None
    delivered_at: datetime | None
    error: str | None


# ── putting in ────────────────────────────────────────────────────────────────


def append(tx: Tx, events: Sequence[Event], at: datetime) -> None:
    """Number the events behind those that their lines hold already; the first of an idle line is offered at once."""
    if not events:
        return
    stamp = to_ms(at)
    heads = _heads(tx, {event.workflow_id for event in events})
    rows: list[tuple[Any, ...]] = []
    for event in events:
        line = (event.workflow_id, egress.normal(event.endpoint))
        seq, busy = heads.get(line, (0, False))
        heads[line] = (seq + 1, True)
        body = msgspec.json.encode(event.body).decode()
        rows.append((*line, event.account_id, seq, body, NEVER if busy else stamp, stamp))
    tx.many(
        "INSERT INTO events (workflow_id, endpoint, account_id, seq, body, next_at, created_at, state, tries)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', 0)",
        rows,
    )
    tx.wake("outbox")


def _heads(tx: Tx, workflow_ids: set[str]) -> dict[_Line, tuple[int, bool]]:
    """Per line: its next number, and whether an event of it is still on its way."""
    ids = sorted(workflow_ids)
    _lock(tx, ids)
    found = tx.all(
        "SELECT workflow_id, endpoint, MAX(seq) AS last, MAX(CASE state WHEN 'waiting' THEN 1 ELSE 0 END) AS busy"  # noqa: S608
        f" FROM events WHERE workflow_id IN ({marks(ids)}) GROUP BY workflow_id, endpoint",
        ids,
    )
    return {(r["workflow_id"], r["endpoint"]): (r["last"] + 1, bool(r["busy"])) for r in found}


def _lock(tx: Tx, workflow_ids: Sequence[str]) -> None:
    """Keep the lines of these workflows: who appends to a line and who ends its event on offer must see each other.

    A line's first event needs no such care: whoever appends it holds its workflow. What was delivered stays as it is.
    """
    if tx.for_update and workflow_ids:
        tx.all(
            f"SELECT id FROM events WHERE workflow_id IN ({marks(workflow_ids)}) AND state <> 'delivered'"  # noqa: S608
            f" ORDER BY id{tx.for_update}",
            workflow_ids,
        )


# ── taking out ────────────────────────────────────────────────────────────────


def due(tx: Tx, at: datetime, limit: int, passing: Sequence[str] = ()) -> list[Offer]:
    """What is due, oldest first, without the endpoints at the origins `passing` (`https://host`)."""
    skip = " AND SUBSTR(endpoint, 1, CAST(? AS INTEGER)) <> ?" * len(passing)
    # With the slash that a normal URL has after its origin, so that https://a does not hide https://ab.
    prefixes = [part for origin in passing for part in (len(origin) + 1, f"{origin}/")]
    found = tx.all(
        f"SELECT id, endpoint FROM events WHERE state = 'waiting' AND next_at <= ?{skip}"  # noqa: S608
        " ORDER BY next_at, id LIMIT ?",
        [to_ms(at), *prefixes, limit],
    )
    return [Offer(id=r["id"], endpoint=r["endpoint"]) for r in found]


def outlook(tx: Tx, at: datetime, limit: int) -> Outlook:
    """What is due, oldest first, and the next moment: one statement, for a deliverer asks often."""
    found = tx.all(
        "SELECT id, endpoint, next_at FROM (SELECT id, endpoint, next_at FROM events"
        " WHERE state = 'waiting' AND next_at <= ? ORDER BY next_at, id LIMIT ?) AS due"
        " UNION ALL SELECT id, endpoint, next_at FROM (SELECT id, endpoint, next_at FROM events"
        " WHERE state = 'waiting' AND next_at > ? AND next_at < ? ORDER BY next_at LIMIT 1) AS later"
        " ORDER BY next_at, id",
        (to_ms(at), limit, to_ms(at), NEVER),
    )
    later = found.pop() if found and found[-1]["next_at"] > to_ms(at) else None
    offers = [Offer(id=r["id"], endpoint=r["endpoint"]) for r in found]
    return Outlook(offers=offers, next_at=from_ms(later["next_at"]) if later else None)


def newest_due(tx: Tx, at: datetime, limit: int) -> list[Offer]:
    """The other end of what is due: fresh events are found here, however long the backlog before them is."""
    found = tx.all(
        "SELECT id, endpoint FROM events WHERE state = 'waiting' AND next_at <= ?"
        " ORDER BY next_at DESC, id DESC LIMIT ?",
        (to_ms(at), limit),
    )
    return [Offer(id=r["id"], endpoint=r["endpoint"]) for r in reversed(found)]


def standing(tx: Tx, at: datetime) -> dict[str, tuple[int, int]]:
    """Events that were not delivered yet: state -> (how many, the earliest moment in milliseconds).

    They are `due`, wait for a `later` moment (a retry, or the end of a lease), are `parked` behind another, or `dead`.
    """
    found = tx.all(
        "SELECT CASE WHEN next_at <= ? THEN 'due' WHEN next_at < ? THEN 'later' ELSE 'parked' END AS state,"
        " COUNT(*) AS n, MIN(next_at) AS first FROM events WHERE state = 'waiting' GROUP BY 1",
        (to_ms(at), NEVER),
    )
    dead = tx.one("SELECT COUNT(*) AS n FROM events WHERE state = 'dead'")
    assert dead is not None
    return {row["state"]: (row["n"], row["first"]) for row in found} | {"dead": (dead["n"], 0)}


def claim(tx: Tx, claims: Sequence[Claim]) -> list[list[Claimed]]:
    """Verb: take offers that are still due. What another sender took in the meantime is left out."""
    return [_claim(tx, wanted) for wanted in claims]


def _claim(tx: Tx, wanted: Claim) -> list[Claimed]:
    if not wanted.ids:
        return []
    found = tx.all(
        f"WITH due AS MATERIALIZED (SELECT id FROM events WHERE id IN ({marks(wanted.ids)})"  # noqa: S608
        f" AND state = 'waiting' AND next_at <= ? ORDER BY id{tx.skip_locked})"
        " UPDATE events SET next_at = ?, tries = tries + 1 WHERE id IN (SELECT id FROM due)"
        " RETURNING id, workflow_id, account_id, endpoint, seq, body, tries, next_at",
        [*wanted.ids, to_ms(wanted.at), to_ms(wanted.until)],
    )
    return [_claimed(row) for row in found]


def settle(tx: Tx, outcomes: Sequence[Outcome]) -> list[None]:
    """Verb: record how sending went. An outcome whose claim has run out and was taken by another is ignored."""
    _lock(tx, sorted({o.claimed.workflow_id for o in outcomes}))
    tx.many(
        "UPDATE events SET state = ?, next_at = ?, delivered_at = ?, error = ?"
        " WHERE id = ? AND state = 'waiting' AND tries = ? AND next_at = ?",
        [_settled(o) for o in outcomes],
    )
    ended = [o for o in outcomes if o.state != "waiting"]
    for at, lines in _by_moment(ended).items():
        _offer_next(tx, lines, at)
    return [None] * len(outcomes)


def release(tx: Tx, claims: Sequence[Claimed]) -> list[None]:
    """Verb: give back claims that were not carried out; they are due since ever, so that they come first."""
    _lock(tx, sorted({c.workflow_id for c in claims}))
    tx.many(
        "UPDATE events SET next_at = created_at WHERE id = ? AND state = 'waiting' AND tries = ? AND next_at = ?",
        [(c.id, c.tries, c.lease) for c in claims],
    )
    tx.wake("outbox")
    return [None] * len(claims)


def _settled(outcome: Outcome) -> tuple[Any, ...]:
    c, stamp = outcome.claimed, to_ms(outcome.at)
    delivered = stamp if outcome.state == "delivered" else None
    return (outcome.state, stamp, delivered, outcome.error, c.id, c.tries, c.lease)


def _by_moment(outcomes: Sequence[Outcome]) -> dict[datetime, list[_Line]]:
    lines: dict[datetime, list[_Line]] = defaultdict(list)
    for outcome in outcomes:
        lines[outcome.at].append((outcome.claimed.workflow_id, outcome.claimed.endpoint))
    return lines


def _offer_next(tx: Tx, lines: Sequence[_Line], at: datetime) -> None:
    """Offer the first event of each line that has none on offer; nobody is woken when no line has more."""
    parked = set(lines) & _parked(tx, sorted({workflow_id for workflow_id, _ in lines}))
    if not parked:
        return
    first = "SELECT MIN(seq) FROM events WHERE workflow_id = ? AND endpoint = ? AND state = 'waiting'"
    offered = "SELECT 1 FROM events WHERE workflow_id = ? AND endpoint = ? AND state = 'waiting' AND next_at < ?"
    tx.many(
        f"UPDATE events SET next_at = ? WHERE workflow_id = ? AND endpoint = ? AND seq = ({first})"  # noqa: S608
        f" AND NOT EXISTS ({offered})",
        [(to_ms(at), *line, *line, *line, NEVER) for line in parked],
    )
    tx.wake("outbox")


def _parked(tx: Tx, workflow_ids: Sequence[str]) -> set[_Line]:
    if not workflow_ids:
        return set()
    found = tx.all(
        "SELECT DISTINCT workflow_id, endpoint FROM events"  # noqa: S608
        f" WHERE workflow_id IN ({marks(workflow_ids)}) AND state = 'waiting' AND next_at = ?",
        [*workflow_ids, NEVER],
    )
    return {(row["workflow_id"], row["endpoint"]) for row in found}


def with_waiting(tx: Tx, workflow_ids: Sequence[str]) -> set[str]:
    """Those of the workflows that somebody is still to be told of."""
    if not workflow_ids:
        return set()
    found = tx.all(
        "SELECT DISTINCT workflow_id FROM events WHERE state = 'waiting'"  # noqa: S608
        f" AND workflow_id IN ({marks(workflow_ids)})",
        workflow_ids,
    )
    return {row["workflow_id"] for row in found}


def forget(tx: Tx, workflow_ids: Sequence[str]) -> None:
    """Remove all that was told of workflows which are removed themselves: their numbers would begin anew."""
    if workflow_ids:
        tx.run(f"DELETE FROM events WHERE workflow_id IN ({marks(workflow_ids)})", workflow_ids)  # noqa: S608


# ── looking, and sending again ────────────────────────────────────────────────


def replay(tx: Tx, requests: Sequence[Replay]) -> list[int]:
    """Verb: dead events wait again, with fresh tries and their old ids and numbers; how many of them there were."""
    return [_replay(tx, request) for request in requests]


def _replay(tx: Tx, request: Replay) -> int:
    if request.ids is not None and not request.ids:
        return 0
    which, ids = ("", []) if request.ids is None else (f" AND id IN ({marks(request.ids)})", list(request.ids))
    dead = tx.all(f"SELECT workflow_id FROM events WHERE state = 'dead'{which}", ids)  # noqa: S608
    _lock(tx, sorted({r["workflow_id"] for r in dead}))
    found = tx.all(
        f"UPDATE events SET state = 'waiting', tries = 0, next_at = ? WHERE state = 'dead'{which}"  # noqa: S608
        " RETURNING workflow_id, endpoint",
        [NEVER, *ids],
    )
    lines = sorted({(r["workflow_id"], r["endpoint"]) for r in found})
    _offer_next(tx, lines, request.at)
    return len(found)


def skip_ids(tx: Tx, items: Sequence[None]) -> list[None]:
    """After a restore: events made between the backup and now had ids that receivers may remember; use none again."""
    top = tx.one("SELECT COALESCE(MAX(id), 0) AS id FROM events")
    assert top is not None
    tx.run(
        "INSERT INTO events (id, workflow_id, account_id, endpoint, seq, body, state, tries, next_at, created_at)"
        " VALUES (?, '', 0, '', 0, '', 'dead', 0, 0, 0)",
        (top["id"] + SKIPPED,),
    )
    tx.run("DELETE FROM events WHERE id = ?", (top["id"] + SKIPPED,))
    return [None] * len(items)


def entries(tx: Tx, state: State | None = None, workflow_id: str | None = None, limit: int = 100) -> list[Entry]:
    """The newest events, newest first."""
    wanted = [("state = ?", state), ("workflow_id = ?", workflow_id)]
    given = [(sql, value) for sql, value in wanted if value is not None]
    where = "WHERE " + " AND ".join(sql for sql, _ in given) if given else ""
    found = tx.all(
        f"SELECT * FROM events {where} ORDER BY id DESC LIMIT ?",  # noqa: S608 - the conditions are those above
        [*(value for _, value in given), limit],
    )
    return [_entry(row) for row in found]


def _claimed(row: Row) -> Claimed:
    return Claimed(
        id=row["id"],
        workflow_id=row["workflow_id"],
        account_id=row["account_id"],
        endpoint=row["endpoint"],
        seq=row["seq"],
        body=msgspec.json.decode(row["body"]),
        tries=row["tries"],
        lease=row["next_at"],
    )


def _entry(row: Row) -> Entry:
    return Entry(
        id=row["id"],
        workflow_id=row["workflow_id"],
        account_id=row["account_id"],
        endpoint=row["endpoint"],
        seq=row["seq"],
        state=row["state"],
        tries=row["tries"],
        created_at=from_ms(row["created_at"]),
        delivered_at=from_ms(row["delivered_at"]),
        error=row["error"],
    )
