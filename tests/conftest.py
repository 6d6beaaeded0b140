"""What every test may use: a database in a temporary folder, and an account that can pay."""

from __future__ import annotations

import os
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


#: What a continuous integration machine may lack; every other skip there hides a test that should have run.
MAY_LACK = ("curl and jq", "openssl is not installed", "node is not installed")

_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and isinstance(report.longrepr, tuple) and not any(n in report.longrepr[2] for n in MAY_LACK):
        _skipped.append(f"{report.nodeid}: {report.longrepr[2]}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if os.environ.get("CI") and _skipped:
        print("\nskipped, and must not be in continuous integration:", *_skipped, sep="\n  ")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
