"""What every test may use: a database, of each kind in turn, and an account that can pay."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from heddle.chores import first_run
from heddle.db import Database, Dialect
from heddle.db.migrate import migrate
from heddle.db.postgres import PostgreSQL
from heddle.db.sqlite import SQLite
from heddle.domain import now
from heddle.settings import Settings
from tests.postgres import Postgres, binaries
from tests.torch import WITHOUT


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=str(tmp_path / "home"), port=0, slots=1, callbacks_private=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server with the database `base`, migrated and empty, as a template."""
    if binaries() is None:
        pytest.skip("there is no PostgreSQL to start")
    server = Postgres()
    try:
        server.start()
        server.sql("CREATE DATABASE base")
        migrate(PostgreSQL(server.dsn("base")))
        yield server
    finally:
        server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def new_dialect(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Dialect]]:
    """Makes migrated databases without an account, of each kind."""
    if request.param == "sqlite":

        def make_file() -> Dialect:
            path = tmp_path / "home" / "heddle.db"
            path.parent.mkdir(exist_ok=True)
            for old in path.parent.glob("heddle.db*"):
                old.unlink()
            migrate(SQLite(path))
            return SQLite(path)

        yield make_file
        return
    server: Postgres = request.getfixturevalue("postgres")
    made: list[str] = []

    def make_database() -> Dialect:
        made.append(server.create("base"))
        return PostgreSQL(made[-1], writers=3)

    yield make_database
    for dsn in made:
        server.drop(dsn)


@pytest.fixture
def dialect(new_dialect: Callable[[], Dialect]) -> Dialect:
    """A migrated database without an account, of each kind."""
    return new_dialect()


@pytest.fixture
def new_database(dialect: Dialect) -> Iterator[Callable[[], Database]]:
    """Makes databases over the one of this test, as so many processes would; closes them."""
    made: list[Database] = []

    def make() -> Database:
        made.append(Database(dialect))
        return made[-1]

    yield make
    for database in made:
        database.close()


@pytest.fixture
def db(new_database: Callable[[], Database], settings: Settings) -> Database:
    """A migrated database with the owner's account (id 1)."""
    database = new_database()
    first_run.first_account(database, settings, now())
    return database


#: What a continuous integration machine may lack; every other skip there hides a test that should have run.
MAY_LACK = (
    "curl and jq",
    "openssl is not installed",
    "node is not installed",
    "there is no caddy",
    "nudenet is not installed",  # its license is not for everybody
    "there is no package index",
    "there is no systemd-analyze",
    "it cannot look at another root",
)

_skipped: list[str] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of several processes that take file after file, none is left with a long one at the end: slow files go first."""
    if hasattr(config, "workerinput"):
        slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
        items.sort(key=lambda item: (-slow[item.path], item.path))


class _Lacking(pytest.Module):
    """A module of tests that cannot even be imported here."""

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        pytest.skip(WITHOUT or "")


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Modules marked `needs_torch` may import it, and whatever needs it, at the top."""
    if WITHOUT and "needs_torch" in module_path.read_text(encoding="utf-8"):
        return _Lacking.from_parent(parent, path=module_path)
    return None


def pytest_collectreport(report: pytest.CollectReport) -> None:
    _note(report)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _note(report)


def _note(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and isinstance(report.longrepr, tuple) and not any(n in report.longrepr[2] for n in MAY_LACK):
        _skipped.append(f"{report.nodeid}: {report.longrepr[2]}")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Of several processes, one hears what all others skipped: it is told of tests, and not of whole modules."""
    _skipped.extend(getattr(node, "workeroutput", {}).get("skipped", ()))


def pytest_sessionfinish(session: pytest.Session) -> None:
    told: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["skipped"] = _skipped
    elif os.environ.get("CI") and _skipped:
        print("\nskipped, and must not be in continuous integration:", *sorted(set(_skipped)), sep="\n  ")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
