"""Buzz. Owns the tables ledger_entries and balances; entries are only ever appended.

An account's money is in three pockets. `grant` puts Buzz into *available*; `hold` moves it to *held* when a workflow
is submitted; at the workflow's end `settle` moves what was used to *spent* and `refund` moves the rest back. A
workflow has at most one entry of each kind, by a unique key, so nothing can be charged twice. `balances` are the sums
of the entries, kept beside them so that a submit need not add up a history; `check` proves that they agree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from heddle.db import Tx, marks
from heddle.domain import to_ms
from heddle.errors import InsufficientBuzz

#: What an entry does to (available, held, spent).
POCKETS: Mapping[str, tuple[int, int, int]] = {
    "grant": (1, 0, 0),
    "hold": (-1, 1, 0),
    "settle": (0, -1, 1),
    "refund": (1, -1, 0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """The three pockets of an account."""

    available: int
    held: int
    spent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What a workflow may cost at most."""

    account_id: int
    workflow_id: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """How a hold ends: `used` is spent, the rest goes back."""

    account_id: int
    workflow_id: str
    held: int
    used: int


def open_accounts(tx: Tx, account_ids: Sequence[int]) -> None:
    """Give new accounts their empty pockets."""
    tx.many(
        "INSERT INTO balances (account_id, available, held, spent) VALUES (?, 0, 0, 0)", [(i,) for i in account_ids]
    )


def grant(tx: Tx, account_id: int, amount: int, memo: str, at: datetime) -> None:
    """Put Buzz into an account."""
    _append(tx, [("grant", account_id, amount, None, memo)], at)


def hold(tx: Tx, holds: Sequence[Hold], at: datetime) -> list[InsufficientBuzz | None]:
    """Reserve Buzz, in order; who cannot pay gets the refusal as outcome and nothing is written for them."""
    available = _available(tx, {h.account_id for h in holds}, keep=tx.for_update)
    outcomes: list[InsufficientBuzz | None] = []
    paid: list[Hold] = []
    for wanted in holds:
        has = available[wanted.account_id]
        if (refusal := _refusal(wanted, has)) is not None:
            outcomes.append(refusal)
            continue
        available[wanted.account_id] = has - wanted.amount
        paid.append(wanted)
        outcomes.append(None)
    _append(tx, [("hold", h.account_id, h.amount, h.workflow_id, None) for h in paid], at)
    return outcomes


def too_poor(tx: Tx, holds: Sequence[Hold]) -> list[InsufficientBuzz | None]:
    """Who could not pay now, each on their own. A first look that keeps nobody waiting; `hold` decides."""
    available = _available(tx, {h.account_id for h in holds})
    return [_refusal(h, available[h.account_id]) for h in holds]


def settle(tx: Tx, settlements: Sequence[Settlement], at: datetime) -> None:
    """End holds, once each."""
    _available(tx, {s.account_id for s in settlements}, keep=tx.for_update)
    entries: list[_Entry] = []
    for s in settlements:
        entries.append(("settle", s.account_id, s.used, s.workflow_id, None))
        entries.append(("refund", s.account_id, s.held - s.used, s.workflow_id, None))
    _append(tx, entries, at)


def balance(tx: Tx, account_id: int) -> Balance:
    """What an account has."""
    row = tx.one("SELECT available, held, spent FROM balances WHERE account_id = ?", (account_id,))
    if row is None:
        return Balance(available=0, held=0, spent=0)
    return Balance(available=row["available"], held=row["held"], spent=row["spent"])


def totals(tx: Tx) -> Balance:
    """The pockets of all accounts together."""
    row = tx.one("SELECT SUM(available) AS available, SUM(held) AS held, SUM(spent) AS spent FROM balances")
    assert row is not None
    # The sum of no rows is null, and PostgreSQL's sum of integers is a decimal number.
    return Balance(**{pocket: int(row[pocket] or 0) for pocket in ("available", "held", "spent")})


def check(tx: Tx) -> list[str]:
    """Prove the ledger: every complaint in one sentence, empty when all is right."""
    return [*_check_balances(tx), *_check_entries(tx)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What was held for a workflow, and what of it was settled and refunded since."""

    held: int = 0
    settled: int = 0
    refunded: int = 0

    @property
    def closed(self) -> int:
        """What is held no more."""
        return self.settled + self.refunded


def moved(tx: Tx) -> dict[str, Moved]:
    """Per workflow."""
    found = tx.all(
        "SELECT workflow_id, SUM(CASE kind WHEN 'hold' THEN amount ELSE 0 END) AS held,"
        " SUM(CASE kind WHEN 'settle' THEN amount ELSE 0 END) AS settled,"
        " SUM(CASE kind WHEN 'refund' THEN amount ELSE 0 END) AS refunded"
        " FROM ledger_entries WHERE workflow_id IS NOT NULL GROUP BY workflow_id"
    )
    return {
        row["workflow_id"]: Moved(held=int(row["held"]), settled=int(row["settled"]), refunded=int(row["refunded"]))
        for row in found
    }


_Entry = tuple[str, int, int, str | None, str | None]


def _append(tx: Tx, entries: Sequence[_Entry], at: datetime) -> None:
    """Append entries and move the balances by them; entries of nothing are left out."""
    real = [e for e in entries if e[2] > 0]
    if not real:
        return
    moves: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for kind, account_id, amount, _, _ in real:
        for pocket, sign in enumerate(POCKETS[kind]):
            moves[account_id][pocket] += sign * amount
    stamp = to_ms(at)
    tx.many(
        "INSERT INTO ledger_entries (kind, account_id, amount, workflow_id, memo, n, created_at)"
        " VALUES (?, ?, ?, ?, ?, 0, ?)",
        [(*e, stamp) for e in real],
    )
    tx.many(
        "UPDATE balances SET available = available + ?, held = held + ?, spent = spent + ? WHERE account_id = ?",
        [(*moved, account_id) for account_id, moved in sorted(moves.items())],
    )


def _refusal(wanted: Hold, has: int) -> InsufficientBuzz | None:
    if wanted.amount <= has:
        return None
    return InsufficientBuzz(f"this costs {wanted.amount} Buzz and the account has {has}")


def _available(tx: Tx, account_ids: set[int], *, keep: str = "") -> dict[int, int]:
    """What accounts have. With `tx.for_update` nobody else moves it before the commit; in one order, so that two
    never wait for each other."""
    ids = sorted(account_ids)
    if not ids:
        return {}
    found = tx.all(
        f"SELECT account_id, available FROM balances WHERE account_id IN ({marks(ids)})"  # noqa: S608
        f" ORDER BY account_id{keep}",
        ids,
    )
    return dict.fromkeys(ids, 0) | {row["account_id"]: row["available"] for row in found}


def _check_balances(tx: Tx) -> list[str]:
    sums = tx.all(
        "SELECT b.account_id AS account, b.available AS available, b.held AS held, b.spent AS spent,"
        " COALESCE(SUM(CASE kind WHEN 'grant' THEN amount WHEN 'refund' THEN amount WHEN 'hold' THEN -amount"
        " ELSE 0 END), 0) AS a,"
        " COALESCE(SUM(CASE kind WHEN 'hold' THEN amount WHEN 'grant' THEN 0 ELSE -amount END), 0) AS h,"
        " COALESCE(SUM(CASE kind WHEN 'settle' THEN amount ELSE 0 END), 0) AS s"
        " FROM balances b LEFT JOIN ledger_entries e ON e.account_id = b.account_id"
        " GROUP BY b.account_id, b.available, b.held, b.spent"
    )
    return [
        f"account {r['account']}: balance {(r['available'], r['held'], r['spent'])} but its entries add up to"
        f" {(r['a'], r['h'], r['s'])} (available, held, spent)"
        for r in sums
        if (r["available"], r["held"], r["spent"]) != (r["a"], r["h"], r["s"])
    ]


def _check_entries(tx: Tx) -> list[str]:
    open_ = tx.all(
        "SELECT workflow_id, SUM(CASE kind WHEN 'hold' THEN amount ELSE 0 END) AS held,"
        " SUM(CASE kind WHEN 'hold' THEN 0 ELSE amount END) AS ended FROM ledger_entries"
        " WHERE workflow_id IS NOT NULL GROUP BY workflow_id"
        " HAVING SUM(CASE kind WHEN 'hold' THEN 0 ELSE amount END) NOT IN"
        " (0, SUM(CASE kind WHEN 'hold' THEN amount ELSE 0 END))"
    )
    return [f"workflow {r['workflow_id']}: {r['held']} Buzz held but {r['ended']} settled and refunded" for r in open_]
