"""What every test may use: a database in a temporary folder, and an account that can pay."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from heddle.chores import first_run
from heddle.db import Database
from heddle.db.migrate import migrate
from heddle.db.sqlite import SQLite
from heddle.domain import now
from heddle.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=str(tmp_path / "home"), port=0, slots=1, callbacks_private=True)


@pytest.fixture
def db(settings: Settings) -> Iterator[Database]:
    """A migrated database with the owner's account (id 1)."""
    settings.folder.mkdir(parents=True)
    dialect = SQLite(settings.folder / "heddle.db")
    migrate(dialect)
    database = Database(dialect)
    first_run.first_account(database, settings, now())
    yield database
    database.close()
