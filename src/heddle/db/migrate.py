"""Numbered migrations: `migrations/NNNN_name.sql`, applied once each, in order, all in one transaction.

They are written for SQLite; PostgreSQL's dialect puts a statement into its own words. One that only a single database
needs begins with `ON POSTGRESQL` or `ON SQLITE`.
"""

from __future__ import annotations

import re
from importlib.resources import files

from heddle.db import Connection, Dialect, Tx
from heddle.domain import now, to_ms
from heddle.errors import UsageError

_NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")

#: Of several processes that start at once, one migrates and the others wait for it.
_BEFORE = (
    "ON POSTGRESQL SET LOCAL lock_timeout = 0",
    "ON POSTGRESQL SELECT pg_advisory_xact_lock(5284871)",
    "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied_at BIGINT NOT NULL)",
)


def migrate(dialect: Dialect) -> list[str]:
    """Bring the schema up to date; returns the migrations that ran. Raises UsageError on a newer database."""
    connection = dialect.connect(write=True)
    try:
        return _run(connection, dialect)
    finally:
        connection.close()


def scripts() -> dict[str, str]:
    """Every migration by name, in order."""
    folder = files("heddle.migrations")
    return {f.name: f.read_text() for f in sorted(folder.iterdir(), key=lambda f: f.name) if _NAME.match(f.name)}


def applied(tx: Tx) -> set[str]:
    """The migrations that ran."""
    return {row["name"] for row in tx.all("SELECT name FROM migrations")}


def _run(connection: Connection, dialect: Dialect) -> list[str]:
    tx = connection.begin()
    try:
        for statement in _BEFORE:
            if own := dialect.schema(statement):
                tx.run(own)
        ran = _apply_missing(tx, dialect)
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
    return ran


def _apply_missing(tx: Tx, dialect: Dialect) -> list[str]:
    known = scripts()
    done = applied(tx)
    if unknown := sorted(done - set(known)):
        raise UsageError(
            f"the database was made by a newer Heddle (it has {unknown[-1]})", "upgrade, or use another HEDDLE_HOME"
        )
    missing = [name for name in known if name not in done]
    for name in missing:
        for statement in _statements(known[name]):
            if own := dialect.schema(statement):
                tx.run(own)
        tx.run("INSERT INTO migrations (name, applied_at) VALUES (?, ?)", (name, to_ms(now())))
    return missing


def _statements(script: str) -> list[str]:
    """A migration holds no strings with semicolons; that is its price for needing no parser."""
    without_comments = re.sub(r"--[^\n]*", "", script)
    return [s.strip() for s in without_comments.split(";") if s.strip()]
