"""A trace of what really ran, from a database. Accounts and models become numbers: no name or prompt leaves it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from heddle import accounts
from heddle.db import Database, Dialect
from heddle.domain import Needs
from heddle.workflows import rows
from heddle.workflows.rows import Ran

from .trace import Job

_PAGE = 5000


def connect(where: str) -> Dialect:
    """A connection string of PostgreSQL, or the path of a SQLite file. Raises FileNotFoundError."""
    if where.startswith(("postgresql://", "postgres://")):
        from heddle.db.postgres import PostgreSQL  # noqa: PLC0415 - an extra

        return PostgreSQL(where)
    from heddle.db.sqlite import SQLite  # noqa: PLC0415 - as its sister

    if not Path(where).is_file():
        raise FileNotFoundError(f"{where} is no file; name the heddle.db of a data folder, or a postgresql://...")
    return SQLite(Path(where))


def record(db: Database) -> list[Job]:
    """Every job that succeeded, as the trace knows it; empty when none did."""
    found = sorted(_ran(db), key=lambda ran: ran.submitted_at)
    ids = sorted({ran.account_id for ran in found})
    weights = {n: limits.weight for n, limits in db.look(accounts.limits, ids).items()}
    numbers = {n: place for place, n in enumerate(dict.fromkeys(ran.account_id for ran in found))}
    models = {name: f"model-{n:03}" for n, name in enumerate(dict.fromkeys(_needs(ran).model for ran in found)) if name}
    paces = _paces(found)
    return [
        Job(
            at=round((ran.submitted_at - found[0].submitted_at).total_seconds(), 3),
            account=numbers[ran.account_id],
            weight=weights.get(ran.account_id, 1.0),
            priority=ran.priority,
            engine=ran.engine,
            model=models.get(_needs(ran).model, ""),
            memory_mb=_needs(ran).memory_mb,
            load_s=_needs(ran).load_s,
            work_s=_seconds(ran),
            est_s=round(ran.cost * paces[ran.engine], 3),
        )
        for ran in found
    ]


def _ran(db: Database) -> Iterator[Ran]:
    after = ""
    while page := db.look(rows.ran, after, _PAGE):
        yield from page
        after = page[-1].job_id


def _paces(found: Sequence[Ran]) -> dict[str, float]:
    """Per engine, the seconds that a Buzz took: what a job was thought to take is its price times this."""
    seconds, costs = defaultdict[str, float](float), defaultdict[str, int](int)
    for ran in found:
        seconds[ran.engine] += _seconds(ran)
        costs[ran.engine] += ran.cost
    return {engine: seconds[engine] / max(1, costs[engine]) for engine in seconds}


def _seconds(ran: Ran) -> float:
    return max(0.0, (ran.completed_at - ran.started_at).total_seconds())


def _needs(ran: Ran) -> Needs:
    return ran.needs or Needs()
