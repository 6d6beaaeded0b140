"""A duty that one process does for all is done by one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from heddle.chores import duties
from heddle.chores.duties import Turn
from heddle.db import Database, Dialect
from heddle.domain import now

HOUR = timedelta(hours=1)


def test_one_of_many_takes_a_turn(dialect: Dialect) -> None:
    at = now()
    processes = [Database(dialect) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda db: db.apply(duties.take, Turn(name="sweep", at=at, every=HOUR)), processes))
    for db in processes:
        db.close()
    assert sorted(taken) == [False, False, False, True]


def test_a_turn_comes_again_after_its_time(db: Database) -> None:
    at = now()

    def take(minutes: float, name: str = "sweep") -> bool:
        return db.apply(duties.take, Turn(name=name, at=at + timedelta(minutes=minutes), every=HOUR))

    assert [take(0), take(59), take(60), take(61)] == [True, False, True, False]
    assert take(61, "another")
