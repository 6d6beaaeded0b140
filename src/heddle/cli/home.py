"""The data folder, for commands that work on it directly. They work beside a running server: SQLite arbitrates."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from typing import TypeVar

from heddle import accounts, settings
from heddle.accounts import Account
from heddle.db import Database, Tx
from heddle.db.migrate import migrate
from heddle.db.sqlite import SQLite
from heddle.errors import UsageError
from heddle.settings import Settings, private_folder

T = TypeVar("T")

#: The database file in the data folder.
DATABASE = "heddle.db"


def open_home(settings: Settings) -> Database:
    """The database of the data folder, made and migrated as needed. Raises UsageError."""
    folder = settings.folder
    try:
        private_folder(folder)
    except OSError as error:
        raise UsageError(f"the data folder {folder} cannot be made: {error.strerror}", "set HEDDLE_HOME") from error
    path = folder / DATABASE
    try:
        migrate(SQLite(path))
    except sqlite3.Error as error:
        raise UsageError(
            f"the database {path} cannot be opened: {error}", "check the folder's owner, or set HEDDLE_HOME"
        ) from error
    return Database(SQLite(path))


@contextmanager
def home() -> Generator[Database]:
    """The data folder that the environment names, for the length of one command."""
    before = os.umask(0o077)  # whatever is kept is for the owner's eyes
    try:
        with closing(open_home(settings.read())) as db:
            yield db
    finally:
        os.umask(before)


def commit(db: Database, change: Callable[[Tx], T]) -> T:
    """Run one change in a transaction of its own."""

    def verb(tx: Tx, items: Sequence[None]) -> list[T]:
        return [change(tx) for _ in items]

    return db.apply(verb, None)


def account_of(tx: Tx, username: str | None) -> Account:
    """The named account, or the owner's when no name is given. Raises UsageError."""
    known = accounts.every(tx)
    if not known:
        raise UsageError("there is no account yet", "start `heddle serve` once, or run `heddle accounts create NAME`")
    if username is None:
        return known[0]
    found = accounts.of_username(tx, username)
    if found is None:
        names = ", ".join(a.username for a in known[:10])
        raise UsageError(f"there is no account named {username!r}", f"the accounts here: {names}")
    return found
