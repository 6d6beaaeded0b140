"""The files that a command line names. One that is written must be none of the others."""

from __future__ import annotations

import os
import stat
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import NamedTuple

from heddle.errors import UsageError


class Place(NamedTuple):
    """A file, and what it is to the command."""

    what: str
    path: Path


def check_apart(read: Iterable[Place], written: Iterable[Place]) -> None:
    """Raises UsageError where a file would be written in the place of another."""
    taken = {_identity(one.path): one for one in read}
    for one in written:
        identity = _identity(one.path)
        other = taken.setdefault(identity, one) if identity else one
        if other is not one:
            raise UsageError(f"{one.what} {one.path} would take the place of {other.what}", "name another file")


def _identity(path: Path) -> Hashable:
    """The same for all names of a file, and None for what is written to without being replaced, such as a terminal."""
    try:
        found = path.stat()
    except OSError:
        return os.path.realpath(path)
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode) else None
