"""Owns the tables arazzo_runs and arazzo_records: runs, who has them, and their journals."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from heddle import accounts
from heddle.db import Row, Tx, marks
from heddle.domain import JSON, from_ms, to_ms
from heddle.errors import HeddleError, NotFound, TooManyRequests

#: How many processes may die over a run before it is given up: it may be what they die of.
MOST_CLAIMS = 10

WAITING, RUNNING, CANCELED = "waiting", "running", "canceled"

_TIMES = "canceling, created_at, started_at, ended_at"
_COLUMNS = f"id, account_id, document, workflow, inputs, sources, status, result, {_TIMES}"
_LISTED = (
    "id, account_id, '' AS document, workflow, '{}' AS inputs, '{}' AS sources, status, brief AS result, " + _TIMES
)
#: How much of a reason stands in a list, in characters.
_SHORT = 1000


_DIED = json.dumps({"reason": f"{MOST_CLAIMS} processes died over it"})
_BRIEF = ("sent", "step", "method", "url", "at", "done", "status", "error", "skipped", "ended")


class LeaseLost(HeddleError):
    """Another process has the run now, or nobody needs it any more."""


class JournalFull(HeddleError):
    """A journal has as much in it as one may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArazzoRun:
    """`status` is waiting, running, canceled, or how the runner says that it ended.

    `sources` are those on other hosts: by name an object `{description, server}`.
    """

    id: str
    account_id: int
    document: str
    workflow: str | None
    inputs: JSON
    created_at: datetime
    sources: JSON = field(default_factory=dict[str, Any])
    status: str = WAITING
    result: JSON | None = None
    canceling: bool = False
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """A run that is to begin, where its account has less than `most_open` that are not over."""

    run: ArazzoRun
    most_open: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """`owner` wants up to `most` runs that nobody has, until `until`, and of one account no more than `share`.

    `held` are the runs that its process has already, late or not, and their accounts.
    """

    owner: str
    at: datetime
    until: datetime
    most: int
    share: int = 1000
    held: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A run that `owner` has and wants to keep until `until`; or gives `back` alive, at that moment."""

    run_id: str
    owner: str
    until: datetime
    back: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The next record of a journal. `again`: this owner may have written it already, which is no harm."""

    run_id: str
    owner: str
    number: int
    body: JSON
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a run ended."""

    run_id: str
    owner: str
    status: str
    result: JSON
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """The wish of an account."""

    run_id: str
    account_id: int
    at: datetime


def insert(tx: Tx, items: Sequence[New]) -> list[ArazzoRun | HeddleError]:
    """New runs. Refuses those of an account that has too many open ones."""
    accounts.limits(tx, [item.run.account_id for item in items], keep=tx.for_update)  # others count after this commit
    return [_insert(tx, item.run, item.most_open) for item in items]


def _insert(tx: Tx, item: ArazzoRun, most_open: int) -> ArazzoRun | HeddleError:
    row = tx.one(
        "SELECT COUNT(*) AS open FROM arazzo_runs WHERE account_id = ? AND ended_at IS NULL", (item.account_id,)
    )
    assert row is not None
    if row["open"] >= most_open:
        return TooManyRequests(f"{row['open']} runs are open, and an account may have {most_open}; wait or cancel some")
    tx.run(
        "INSERT INTO arazzo_runs (id, account_id, document, workflow, inputs, sources, status, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            item.id,
            item.account_id,
            item.document,
            item.workflow,
            json.dumps(item.inputs),
            json.dumps(item.sources),
            item.status,
            to_ms(item.created_at),
        ),
    )
    tx.wake("runs")
    return item


def _lock(tx: Tx, run_ids: Sequence[str]) -> None:
    """Take runs before any is changed, in one order: no two transactions wait for each other."""
    if tx.for_update and run_ids:
        ids = sorted(set(run_ids))
        tx.all(f"SELECT id FROM arazzo_runs WHERE id IN ({marks(ids)}) ORDER BY id{tx.for_update}", ids)  # noqa: S608


def get(tx: Tx, run_id: str, account_id: int) -> ArazzoRun:
    """Raises NotFound, also for what belongs to somebody else."""
    found = tx.one(f"SELECT {_COLUMNS} FROM arazzo_runs WHERE id = ? AND account_id = ?", (run_id, account_id))  # noqa: S608
    if found is None:
        raise NotFound(f"there is no run {run_id!r}")
    return _run(found)


def page(tx: Tx, account_id: int, take: int, cursor: str | None) -> list[ArazzoRun]:
    """Newest first, from below the id `cursor`; one more than asked for, where there is one.

    What may be much is left out: documents, inputs, and of results all but the reason.
    """
    before, params = ("AND id < ? ", [cursor]) if cursor else ("", [])
    found = tx.all(
        f"SELECT {_LISTED} FROM arazzo_runs WHERE account_id = ? {before}ORDER BY id DESC LIMIT ?",  # noqa: S608
        [account_id, *params, take + 1],
    )
    return [_run(row) for row in found]


def waiting(tx: Tx, at: datetime) -> bool:
    """Whether there is anything to claim: asked often, and no reason to write."""
    found = tx.one(
        "SELECT 1 AS found FROM arazzo_runs"
        " WHERE ended_at IS NULL AND (lease_until IS NULL OR lease_until <= ?) LIMIT 1",
        (to_ms(at),),
    )
    return found is not None


def claim(tx: Tx, items: Sequence[Claim]) -> list[list[ArazzoRun]]:
    """Give runs that nobody has, or whose owner has not been heard of. Accounts with the fewest that run come first."""
    return [_claim(tx, item) for item in items]


def _claim(tx: Tx, item: Claim) -> list[ArazzoRun]:
    at = to_ms(item.at)
    free = "ended_at IS NULL AND (lease_until IS NULL OR lease_until <= ?)"
    held = sorted(item.held)
    if held:
        free += f" AND id NOT IN ({marks(held)})"
    dead = tx.all(
        f"SELECT id FROM arazzo_runs WHERE {free} AND claims >= ? ORDER BY id{tx.skip_locked}",  # noqa: S608
        (at, *held, MOST_CLAIMS),
    )
    for row in dead:
        tx.run(
            "UPDATE arazzo_runs SET status = ?, result = ?, brief = ?, ended_at = ? WHERE id = ?",
            ("failed", _DIED, _DIED, at, row["id"]),
        )
    ids = _chosen(tx, item, free, held)
    if not ids:
        return []
    found = tx.all(
        f"SELECT {_COLUMNS} FROM arazzo_runs WHERE {free} AND id IN ({marks(ids)}) ORDER BY id{tx.skip_locked}",  # noqa: S608
        (at, *held, *ids),
    )
    if found:
        ids = [row["id"] for row in found]
        tx.run(
            "UPDATE arazzo_runs SET lease_owner = ?, lease_until = ?, status = ?, claims = claims + 1,"  # noqa: S608
            f" started_at = COALESCE(started_at, ?) WHERE id IN ({marks(ids)})",
            (item.owner, to_ms(item.until), RUNNING, at, *ids),
        )
    return [_run(row) for row in found]


def _chosen(tx: Tx, item: Claim, free: str, held: list[str]) -> list[str]:
    """Which are next: every run stands behind those of its account that run, and the older ones that wait."""
    at = to_ms(item.at)
    found = tx.all(
        "SELECT id, account_id FROM (SELECT free.id AS id, free.account_id AS account_id, COALESCE(running, 0)"  # noqa: S608
        " + ROW_NUMBER() OVER (PARTITION BY free.account_id ORDER BY free.id) AS place"
        f" FROM (SELECT id, account_id FROM arazzo_runs WHERE {free}) AS free"
        " LEFT JOIN (SELECT account_id, COUNT(*) AS running FROM arazzo_runs"
        " WHERE ended_at IS NULL AND lease_until > ? GROUP BY account_id) AS busy"
        f" ON busy.account_id = free.account_id) AS queue{_but(item)} ORDER BY place, id LIMIT ?",
        (at, *held, at, *_full(item), item.most),
    )
    here, chosen = Counter(item.held.values()), list[str]()
    for row in found:
        if here[row["account_id"]] < item.share:
            here[row["account_id"]] += 1
            chosen.append(row["id"])
    return chosen


def _full(item: Claim) -> list[int]:
    """Accounts that have their share already."""
    return sorted(account for account, count in Counter(item.held.values()).items() if count >= item.share)


def _but(item: Claim) -> str:
    full = _full(item)
    return f" WHERE account_id NOT IN ({marks(full)})" if full else ""


def renew(tx: Tx, items: Sequence[Lease]) -> list[bool | HeddleError]:
    """Keep runs, or give them back: whether each is to be canceled. LeaseLost for one that is somebody else's now."""
    _lock(tx, [item.run_id for item in items])
    return [_renew(tx, item) for item in items]


def _renew(tx: Tx, item: Lease) -> bool | HeddleError:
    kept = tx.run(
        "UPDATE arazzo_runs SET lease_until = ?, lease_owner = ?,"
        " claims = CASE WHEN claims > 0 THEN claims - ? ELSE 0 END"
        " WHERE id = ? AND lease_owner = ? AND ended_at IS NULL",
        (to_ms(item.until), None if item.back else item.owner, int(item.back), item.run_id, item.owner),
    )
    row = tx.one("SELECT canceling FROM arazzo_runs WHERE id = ?", (item.run_id,))
    return bool(row["canceling"]) if kept and row is not None else LeaseLost(f"{item.run_id} has another owner")


def append(tx: Tx, items: Sequence[Entry]) -> list[HeddleError | None]:
    """Add to journals. LeaseLost where the run is somebody else's, or the number is taken."""
    _lock(tx, [item.run_id for item in items])
    return [_append(tx, item) for item in items]


def _append(tx: Tx, item: Entry) -> HeddleError | None:
    held = tx.one(
        "SELECT claims FROM arazzo_runs WHERE id = ? AND lease_owner = ? AND ended_at IS NULL",
        (item.run_id, item.owner),
    )
    if held is None or not (_write(tx, item) or (item.again and _written(tx, item))):
        return LeaseLost(f"{item.run_id} has another owner")
    if held["claims"] and "done" in item.body:  # it is not what processes die of; a request that is sent again may be
        tx.run("UPDATE arazzo_runs SET claims = 0 WHERE id = ?", (item.run_id,))
    return None


def _write(tx: Tx, item: Entry) -> int:
    return tx.run(
        "INSERT INTO arazzo_records (run_id, number, body, brief) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (item.run_id, item.number, json.dumps(item.body), json.dumps(_brief(item.body))),
    )


def _written(tx: Tx, item: Entry) -> bool:
    found = tx.one("SELECT body FROM arazzo_records WHERE run_id = ? AND number = ?", (item.run_id, item.number))
    return found is not None and found["body"] == json.dumps(item.body)


def records(tx: Tx, run_id: str) -> list[JSON]:
    """The journal of a run."""
    found = tx.all("SELECT body FROM arazzo_records WHERE run_id = ? ORDER BY number", (run_id,))
    return [json.loads(row["body"]) for row in found]


def weight(tx: Tx, run_id: str) -> int:
    """How many bytes the journal of a run has; its JSON is ASCII."""
    found = tx.one("SELECT SUM(LENGTH(body)) AS bytes FROM arazzo_records WHERE run_id = ?", (run_id,))
    return int(found["bytes"] or 0) if found is not None else 0


def briefs(tx: Tx, run_id: str) -> list[JSON]:
    """The journal without what answers said, which may be much."""
    found = tx.all("SELECT brief FROM arazzo_records WHERE run_id = ? ORDER BY number", (run_id,))
    return [json.loads(row["brief"]) for row in found]


def end(tx: Tx, items: Sequence[End]) -> list[HeddleError | None]:
    """Runs that are over."""
    _lock(tx, [item.run_id for item in items])
    return [_end(tx, item) for item in items]


def _end(tx: Tx, item: End) -> HeddleError | None:
    ended = tx.run(
        "UPDATE arazzo_runs SET status = ?, result = ?, brief = ?, ended_at = ?, lease_owner = NULL,"
        " lease_until = NULL WHERE id = ? AND lease_owner = ? AND ended_at IS NULL",
        (item.status, json.dumps(item.result), _short(item.result), to_ms(item.at), item.run_id, item.owner),
    )
    return None if ended else LeaseLost(f"{item.run_id} has another owner")


def _short(result: JSON) -> str | None:
    reason = result.get("reason")
    return json.dumps({"reason": str(reason)[:_SHORT]}) if reason else None


def cancel(tx: Tx, items: Sequence[Cancel]) -> list[ArazzoRun | HeddleError]:
    """One that waits ends at once; one that runs is ended by its owner; one that is over stays as it is."""
    _lock(tx, [item.run_id for item in items])
    return [_cancel(tx, item) for item in items]


def _cancel(tx: Tx, item: Cancel) -> ArazzoRun | HeddleError:
    tx.run(
        "UPDATE arazzo_runs SET canceling = 1 WHERE id = ? AND account_id = ? AND ended_at IS NULL",
        (item.run_id, item.account_id),
    )
    tx.run(
        "UPDATE arazzo_runs SET status = ?, ended_at = ? WHERE id = ? AND account_id = ? AND status = ?",
        (CANCELED, to_ms(item.at), item.run_id, item.account_id, WAITING),
    )
    try:
        return get(tx, item.run_id, item.account_id)
    except NotFound as error:
        return error


def _brief(body: JSON) -> JSON:
    return {name: body[name] for name in _BRIEF if name in body}


def prune(tx: Tx, before: datetime, after: str, most: int) -> tuple[int, str | None]:
    """Remove runs that ended before `before`, from the id `after` on; the last id, None when there are no more."""
    found = tx.all(
        "SELECT id FROM arazzo_runs WHERE ended_at < ? AND id > ? ORDER BY id LIMIT ?", (to_ms(before), after, most)
    )
    ids = [row["id"] for row in found]
    if not ids:
        return 0, None
    _lock(tx, ids)
    tx.run(f"DELETE FROM arazzo_records WHERE run_id IN ({marks(ids)})", ids)  # noqa: S608
    tx.run(f"DELETE FROM arazzo_runs WHERE id IN ({marks(ids)})", ids)  # noqa: S608
    return len(ids), ids[-1]


def _run(row: Row) -> ArazzoRun:
    result: Any = row["result"]
    return ArazzoRun(
        id=row["id"],
        account_id=row["account_id"],
        document=row["document"],
        workflow=row["workflow"],
        inputs=json.loads(row["inputs"]),
        sources=json.loads(row["sources"]),
        status=row["status"],
        result=None if result is None else json.loads(result),
        canceling=bool(row["canceling"]),
        created_at=_time(row["created_at"]),
        started_at=from_ms(row["started_at"]),
        ended_at=from_ms(row["ended_at"]),
    )


def _time(value: int) -> datetime:
    found = from_ms(value)
    assert found is not None
    return found
