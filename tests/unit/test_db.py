"""Group commit: one transaction for many, one refusal for one, nothing half done."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence

import psycopg
import pytest

from heddle.db import Database, Dialect, Tx, marks
from heddle.db.migrate import migrate, scripts
from heddle.errors import HeddleError, NotFound, Unavailable, UsageError

batches: list[int] = []


def put(tx: Tx, names: Sequence[str]) -> list[str | HeddleError]:
    batches.append(len(names))
    good = [n for n in names if n != "refused"]
    tx.many("INSERT INTO signing_keys (name, value) VALUES (?, 'x')", [(n,) for n in good])
    return [NotFound("no") if n == "refused" else n for n in names]


def count(tx: Tx) -> int:
    row = tx.one("SELECT COUNT(*) AS n FROM signing_keys")
    assert row is not None
    return row["n"]


def test_items_that_wait_share_a_commit(db: Database) -> None:
    async def main() -> list[str]:
        return await asyncio.gather(*(db.write(put, f"n{i}") for i in range(500)))

    batches.clear()
    assert asyncio.run(main()) == [f"n{i}" for i in range(500)]
    assert db.look(count) == 500
    assert len(batches) < 50


def test_a_refusal_is_one_callers_own(db: Database) -> None:
    async def main() -> list[object]:
        return await asyncio.gather(*(db.write(put, n) for n in ("a", "refused", "b")), return_exceptions=True)

    a, refused, b = asyncio.run(main())
    assert (a, b) == ("a", "b")
    assert isinstance(refused, NotFound)
    assert db.look(count) == 2


def test_a_bug_in_one_item_does_not_fail_its_neighbors(db: Database) -> None:
    async def main() -> list[object]:
        await db.write(put, "same")
        return await asyncio.gather(*(db.write(put, n) for n in ("same", "c", "d")), return_exceptions=True)

    same, c, d = asyncio.run(main())
    assert isinstance(same, sqlite3.IntegrityError | psycopg.errors.UniqueViolation)
    assert (c, d) == ("c", "d")
    assert db.look(count) == 3


def test_what_many_ask_is_answered_together(db: Database) -> None:
    """On a server; where a question costs no hop it is answered at once. A refusal, or a bug, is one asker's own."""
    asked: list[int] = []

    def named(tx: Tx, names: Sequence[str]) -> list[str | HeddleError]:
        asked.append(len(names))
        if "bug" in names:
            raise RuntimeError("in the middle")
        known = {row["name"] for row in tx.all(f"SELECT name FROM signing_keys WHERE name IN ({marks(names)})", names)}
        return [n if n in known else NotFound(n) for n in names]

    async def main() -> list[object]:
        await asyncio.gather(*(db.write(put, f"n{i}") for i in range(300)))
        names = [f"n{i}" for i in range(300)] + ["unknown", "bug", "n0"]
        return await asyncio.gather(*(db.ask(named, n) for n in names), return_exceptions=True)

    *found, unknown, bug, again = asyncio.run(main())
    assert [*found, again] == [f"n{i}" for i in range(300)] + ["n0"]
    assert isinstance(unknown, NotFound)
    assert isinstance(bug, RuntimeError)
    assert max(asked) > 50 if db.shared else max(asked) == 1


def test_a_question_that_leaves_somebody_out_fails_and_may_be_asked_again(db: Database) -> None:
    complete = False

    def half(tx: Tx, names: Sequence[str]) -> list[str]:
        return list(names) if complete else list(names)[1:]

    async def main() -> tuple[list[object], list[str]]:
        nonlocal complete
        async with asyncio.timeout(30):
            failed = await asyncio.gather(*(db.ask(half, str(n)) for n in range(9)), return_exceptions=True)
            complete = True
            return failed, await asyncio.gather(*(db.ask(half, str(n)) for n in range(9)))

    failed, answered = asyncio.run(main())
    assert all(isinstance(error, RuntimeError) for error in failed)
    assert answered == [str(n) for n in range(9)]


def test_a_failed_verb_leaves_nothing(db: Database) -> None:
    def half(tx: Tx, items: Sequence[str]) -> list[str]:
        tx.run("INSERT INTO signing_keys (name, value) VALUES ('half', 'x')")
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        asyncio.run(db.write(half, "x"))
    assert db.look(count) == 0


def test_wake_ups_come_after_the_commit(db: Database) -> None:
    seen: list[int] = []

    def wake(tx: Tx, items: Sequence[str]) -> list[str]:
        tx.wake("queue")
        return put(tx, items)  # type: ignore[return-value]

    async def main() -> None:
        told = asyncio.Event()
        db.listen("queue", lambda: (seen.append(db.look(count)), told.set()))
        await db.write(wake, "w")
        await asyncio.wait_for(told.wait(), 5)

    asyncio.run(main())
    assert seen[0] == 1


@pytest.mark.parametrize("new_dialect", ["sqlite"], indirect=True)
def test_a_full_disk_is_unavailable_and_passes(db: Database) -> None:
    """A real SQLITE_FULL: the database may not grow, then may."""

    def limit(tx: Tx, pages: Sequence[int]) -> list[int]:
        return [tx.one(f"PRAGMA max_page_count={n}")["max_page_count"] for n in pages]  # type: ignore[index]

    def fill(tx: Tx, items: Sequence[str]) -> list[str]:
        tx.many(
            "INSERT INTO signing_keys (name, value) VALUES (?, ?)",
            [(f"{i}{n}", "x" * 4000) for i in items for n in range(50)],
        )
        return list(items)

    async def main() -> None:
        await db.write(put, "before")
        await db.write(limit, 1)
        with pytest.raises(Unavailable):
            await db.write(fill, "big")
        assert db.trouble is not None
        assert "full" in db.trouble
        assert db.look(count) == 1
        await db.write(limit, 1_000_000)
        await db.write(fill, "big")
        assert db.trouble is None

    asyncio.run(main())
    assert db.look(count) == 51


def test_readers_cannot_write(db: Database) -> None:
    with pytest.raises(Unavailable):
        db.look(lambda tx: tx.run("DELETE FROM signing_keys"))


def test_migrations_run_once_and_refuse_a_newer_database(dialect: Dialect, db: Database) -> None:
    assert migrate(dialect) == []
    assert next(iter(scripts())) == "0001_first.sql"
    db.apply(lambda tx, names: [tx.run("INSERT INTO migrations VALUES (?, 0)", (n,)) for n in names], "9999_new.sql")
    with pytest.raises(UsageError, match="newer"):
        migrate(dialect)
