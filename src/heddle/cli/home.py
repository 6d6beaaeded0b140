"""The data folder, for commands that work on it directly. They work beside a running server: SQLite arbitrates."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from heddle import accounts, settings
from heddle.accounts import Account
from heddle.db import Database, Tx, dialects
from heddle.db.migrate import migrate
from heddle.errors import Unavailable, UsageError
from heddle.settings import Settings, private_folder

T = TypeVar("T")

_NO_ROOM = "make room on the disk, or set HEDDLE_HOME to a folder on another one"
_DAMAGED = "put a copy of it back or move it away, or set HEDDLE_HOME to another folder"

#: What to do, by SQLite's primary result code.
_HINTS = {
    sqlite3.SQLITE_ERROR: "it may be another program's; set HEDDLE_HOME to another folder",
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_FULL: _NO_ROOM,
    sqlite3.SQLITE_IOERR: "check that the disk has room and is sound, or set HEDDLE_HOME to a folder on another one",
    sqlite3.SQLITE_BUSY: "another process is writing to it; try again",
    sqlite3.SQLITE_LOCKED: "another process is writing to it; try again",
}


def open_home(settings: Settings) -> Database:
    """The database of the data folder, made and migrated as needed. Raises UsageError."""
    with usable(settings.folder):
        dialect = dialects.choose(settings)
        migrate(dialect)
        return Database(dialect)


@contextmanager
def usable(folder: Path) -> Generator[None]:
    """Make the data folder; what then goes wrong with it or its database becomes a UsageError with a hint that fits."""
    try:
        private_folder(folder)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise UsageError(
                f"this user cannot write to the data folder {folder}", "check its owner and mode, or set HEDDLE_HOME"
            )
        yield
    except OSError as error:
        hint = _NO_ROOM if error.errno == errno.ENOSPC else "set HEDDLE_HOME to a folder that this user can write to"
        why = "it is not a folder" if folder.is_file() else error.strerror
        raise UsageError(f"the data folder {folder} cannot be used: {why}", hint) from error
    except (sqlite3.Error, Unavailable) as error:
        cause = error if isinstance(error, sqlite3.Error) else error.__cause__ or error
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        hint = _HINTS.get(code, "check the folder's owner, or set HEDDLE_HOME")
        raise UsageError(f"the database {folder / dialects.FILE} cannot be opened: {cause}", hint) from error


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
