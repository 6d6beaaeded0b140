"""Which database the settings name."""

from __future__ import annotations

from heddle.db import Dialect
from heddle.db.sqlite import SQLite
from heddle.errors import UsageError
from heddle.settings import Settings

#: The database file in the data folder.
FILE = "heddle.db"


def choose(settings: Settings) -> Dialect:
    """SQLite in the data folder, or the PostgreSQL of HEDDLE_DATABASE. Raises UsageError when it cannot be reached."""
    if not settings.database:
        return SQLite(settings.folder / FILE)
    try:
        from heddle.db.postgres import PostgreSQL  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UsageError(
            f"HEDDLE_DATABASE names a PostgreSQL, and its driver is missing: {error}",
            "pip install 'heddle-cloud[postgres]'",
        ) from error
    server = PostgreSQL(settings.database, writers=settings.database_writers)
    server.check()
    return server
