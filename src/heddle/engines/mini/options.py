"""The table `[mini]` of `engines.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from heddle import options
from heddle.errors import UsageError


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator may set."""

    #: Threads of one picture. One is the best use of a machine that draws several; more make one picture come sooner.
    threads: int = 1
    #: A file of weights instead of the shipped one, as `python -m training pack` writes it.
    weights: str = ""

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Options:
        """Raises UsageError that names the option."""
        found = options.take(cls, "mini", table)
        options.check_range("mini", "threads", found.threads, 1, 64)
        if found.weights and not Path(found.weights).expanduser().is_file():
            raise UsageError(f"[mini] weights is {found.weights!r}, which is no file", "write the path of one that is")
        return found
