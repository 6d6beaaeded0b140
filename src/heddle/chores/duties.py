"""Duties that one process of a deployment does for all, now and then. Owns the table duties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from heddle.db import Tx
from heddle.domain import to_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A process wants to do a duty, and nobody shall do it again before `every`."""

    name: str
    at: datetime
    every: timedelta


def take(tx: Tx, turns: Sequence[Turn]) -> list[bool]:
    """Verb: whether each may; of several that ask at once, one does. A process that dies over it skips one turn."""
    tx.many(
        "INSERT INTO duties (name, next_at) VALUES (?, 0) ON CONFLICT (name) DO NOTHING",
        [(name,) for name in sorted({turn.name for turn in turns})],
    )
    return [_take(tx, turn) for turn in turns]


def _take(tx: Tx, turn: Turn) -> bool:
    at = to_ms(turn.at)
    taken = tx.run(
        "UPDATE duties SET next_at = ? WHERE name = ? AND next_at <= ?", (to_ms(turn.at + turn.every), turn.name, at)
    )
    return taken == 1
