"""The embedded dialect: SQLite in WAL mode with synchronous=FULL, so that what was answered survives a power cut."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from heddle.db import Connection, Row, Topic, Tx
from heddle.errors import HeddleError, Unavailable

#: How long a writer waits for another process (a command beside the server).
_BUSY_MS = 10_000

_PASSING = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
)


class SQLite:
    """One file."""

    writers = 1
    shared = False

    def __init__(self, path: Path) -> None:
        self._path = path

    def connect(self, *, write: bool) -> Connection:
        # check_same_thread: a connection is used by one thread only, but closed by the thread that shuts down.
        raw = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, cached_statements=512)
        raw.row_factory = sqlite3.Row
        raw.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=FULL")
        raw.execute("PRAGMA foreign_keys=ON")
        raw.execute("PRAGMA cache_size=-65536")
        if not write:
            raw.execute("PRAGMA query_only=ON")
        return SQLiteConnection(raw)

    def translate(self, error: Exception) -> HeddleError | None:
        code = getattr(error, "sqlite_errorcode", None)
        if isinstance(error, sqlite3.Error) and code is not None and code & 0xFF in _PASSING:
            return Unavailable(f"the database cannot take this now: {error}")
        return None

    def passing(self, error: Exception) -> bool:
        return False

    def schema(self, statement: str) -> str | None:
        if statement.startswith("ON POSTGRESQL"):
            return None
        own = statement.removeprefix("ON SQLITE").strip()
        return own.replace("{serial}", "INTEGER PRIMARY KEY AUTOINCREMENT").replace("{bytes}", "BLOB")

    def wires(self, heard: Callable[[Topic], None]) -> None:
        return None


class SQLiteConnection:
    """Both the connection and its transaction: SQLite has one per connection."""

    for_update = skip_locked = for_share = ""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw
        self._woken: set[Topic] = set()

    def begin(self) -> Tx:
        self._raw.execute("BEGIN IMMEDIATE")
        return self

    def commit(self) -> frozenset[Topic]:
        self._raw.execute("COMMIT")
        woken = frozenset(self._woken)
        self._woken.clear()
        return woken

    def rollback(self) -> None:
        self._woken.clear()
        if self._raw.in_transaction:
            self._raw.execute("ROLLBACK")

    def snapshot(self) -> Tx:
        self._raw.execute("BEGIN")
        return self

    def close(self) -> None:
        self._raw.close()

    def run(self, sql: str, params: Sequence[Any] = ()) -> int:
        return self._raw.execute(sql, params).rowcount

    def many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        self._raw.executemany(sql, rows)

    def one(self, sql: str, params: Sequence[Any] = ()) -> Row | None:
        return cast("Row | None", self._raw.execute(sql, params).fetchone())

    def all(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        return cast("list[Row]", self._raw.execute(sql, params).fetchall())

    def wake(self, topic: Topic) -> None:
        self._woken.add(topic)
