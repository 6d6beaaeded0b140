"""Numbered migrations: `migrations/NNNN_name.sql`, applied once each, in order, all in one transaction."""

from __future__ import annotations

import re
from importlib.resources import files

from heddle.db import Connection, Dialect, Tx
from heddle.domain import now, to_ms
from heddle.errors import UsageError

_NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")


def migrate(dialect: Dialect) -> list[str]:
    """Bring the schema up to date; returns the migrations that ran. Raises UsageError on a newer database."""
    connection = dialect.connect(write=True)
    try:
        return _run(connection, dialect.serial)
    finally:
        connection.close()


def scripts() -> dict[str, str]:
    """Every migration by name, in order."""
    folder = files("heddle.migrations")
    return {f.name: f.read_text() for f in sorted(folder.iterdir(), key=lambda f: f.name) if _NAME.match(f.name)}


def applied(tx: Tx) -> set[str]:
    """The migrations that ran."""
    return {row["name"] for row in tx.all("SELECT name FROM migrations")}


def _run(connection: Connection, serial: str) -> list[str]:
    tx = connection.begin()
    try:
        tx.run("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied_at BIGINT NOT NULL)")
        ran = _apply_missing(tx, serial)
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
    return ran


def _apply_missing(tx: Tx, serial: str) -> list[str]:
    known = scripts()
    done = applied(tx)
    if unknown := sorted(done - set(known)):
        raise UsageError(
            f"the database was made by a newer Heddle (it has {unknown[-1]})", "upgrade, or use another HEDDLE_HOME"
        )
    missing = [name for name in known if name not in done]
    for name in missing:
        for statement in _statements(known[name].replace("{serial}", serial)):
            tx.run(statement)
        tx.run("INSERT INTO migrations (name, applied_at) VALUES (?, ?)", (name, to_ms(now())))
    return missing


def _statements(script: str) -> list[str]:
    """A migration holds no strings with semicolons; that is its price for needing no parser."""
    without_comments = re.sub(r"--[^\n]*", "", script)
    return [s.strip() for s in without_comments.split(";") if s.strip()]
