"""Pruning: what ended longer ago than the retention goes, with what it made. What was paid stays in the books.

A finished workflow goes whole: its rows, its events, and the records of its blobs; uploads go by their own age, and
Arazzo runs with their journals. What something unfinished still wants stays, and the workflow that made it. The bytes
go with the next sweep, as bytes that no record names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from heddle import blobs, outbox
from heddle.db import Database, Tx
from heddle.runs import rows as runs
from heddle.workflows import rows

#: Workflows, or uploads, that go in one transaction: few, so that nobody waits long behind them.
BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How much went."""

    workflows: int
    uploads: int
    runs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """What is older than `before`, from the id `after` on."""

    before: datetime
    after: str = ""


#: How many went, and the last id that was looked at; None: there are no more.
_Outcome = tuple[int, str | None]
_Verb = Callable[[Tx, Sequence[_Page]], list[_Outcome]]


def prune(db: Database, at: datetime, retention: timedelta, stopping: Callable[[], bool] = lambda: False) -> Pruned:
    """Remove what is older than the retention, in small transactions. Blocks: call it in a thread."""
    before = at - retention
    return Pruned(
        workflows=_each(db, _workflows, before, stopping),
        uploads=_each(db, _uploads, before, stopping),
        runs=_each(db, _runs, before, stopping),
    )


def _runs(tx: Tx, items: Sequence[_Page]) -> list[_Outcome]:
    return [runs.prune(tx, item.before, item.after, BATCH) for item in items]


def _each(db: Database, verb: _Verb, before: datetime, stopping: Callable[[], bool]) -> int:
    total, after = 0, ""
    while not stopping():
        gone, last = db.apply(verb, _Page(before=before, after=after))
        total += gone
        if last is None:
            break
        after = last
    return total


def _workflows(tx: Tx, pages: Sequence[_Page]) -> list[_Outcome]:
    return [_prune_workflows(tx, page) for page in pages]


def _prune_workflows(tx: Tx, page: _Page) -> _Outcome:
    ended = rows.ended_before(tx, page.before, page.after, BATCH)
    waited_for = outbox.with_waiting(tx, ended)  # an endpoint that was down for so long is still to be told
    ids = _unwanted(tx, [i for i in ended if i not in waited_for])
    blobs.forget(tx, rows.made(tx, ids))
    outbox.forget(tx, ids)
    rows.remove(tx, ids)
    return len(ids), _last(ended)


def _unwanted(tx: Tx, workflow_ids: Sequence[str]) -> list[str]:
    """Those that made nothing which something unfinished is to work on."""
    made = rows.made(tx, workflow_ids)
    blobs.get(tx, made, keep=tx.for_update)  # who asks for one now is seen below, or finds it gone
    if not (wanted := rows.inputs_of_unfinished(tx).intersection(made)):
        return list(workflow_ids)
    return [i for i in workflow_ids if wanted.isdisjoint(rows.made(tx, [i]))]


def _uploads(tx: Tx, pages: Sequence[_Page]) -> list[_Outcome]:
    return [_prune_uploads(tx, page) for page in pages]


def _prune_uploads(tx: Tx, page: _Page) -> _Outcome:
    old = blobs.uploads_before(tx, page.before, page.after, BATCH)
    wanted = rows.inputs_of_unfinished(tx)
    ids = [i for i in old if i not in wanted]
    blobs.forget(tx, ids)
    return len(ids), _last(old)


def _last(ids: Sequence[str]) -> str | None:
    return ids[-1] if len(ids) == BATCH else None
