"""What commands share when they talk to a person or a program: usage errors, sizes, durations, JSON."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import click


class Command(click.Command):
    """A command whose exit status 2 means something, so that a wrong command line exits with 1."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            raise _WrongUsage(error.format_message(), error.ctx) from error


class _WrongUsage(click.UsageError):
    exit_code = 1


def is_terminal() -> bool:
    """Whether standard output is looked at by a person."""
    return sys.stdout.isatty()


def json_text(value: Any) -> str:
    """JSON to read. Half of a pair of characters, which an answer may hold and no output can, stays escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)


def size(count: int) -> str:
    """`812 B`, `1.4 MB`."""
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def duration(seconds: float) -> str:
    """`12 ms`, `3.4 s`, `2 min 5 s`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"
