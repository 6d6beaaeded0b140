"""The file `engines.toml`: what the operator set for engines, a table each."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from heddle.errors import UsageError
from heddle.settings import Settings


def read(settings: Settings) -> dict[str, dict[str, Any]]:
    """The tables of `engines.toml`, by the engines' names. Raises UsageError."""
    path = Path(settings.engines_file).expanduser() if settings.engines_file else settings.folder / "engines.toml"
    try:
        found = tomllib.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError) as error:
        if not settings.engines_file:
            return {}
        raise UsageError(f"HEDDLE_ENGINES_FILE is {str(path)!r}, which is not there", "make it, or unset it") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}", "give this user the right to read it") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"{path} is not TOML: {error}", 'write it as [engine] and lines such as url = "https://…"'
        ) from error
    for name, table in found.items():
        if not isinstance(table, dict):
            raise UsageError(f"{path}: {name!r} stands outside of a table", "put it under [engine]")
    return found


# ── what engines do with their tables ─────────────────────────────────────────

_Options = TypeVar("_Options", bound=msgspec.Struct)


def take(kind: type[_Options], engine: str, table: Mapping[str, Any]) -> _Options:
    """A table as an engine's options. Raises UsageError that names the option."""
    try:
        return msgspec.convert(dict(table), kind)
    except msgspec.ValidationError as error:
        known = ", ".join(kind.__struct_fields__)
        raise UsageError(f"[{engine}] in engines.toml: {error}", f"its options are: {known}") from error


def check_address(engine: str, name: str, value: str, example: str) -> None:
    """Raises UsageError unless it is the address of a server, or empty."""
    if not re.fullmatch(r"(https?://[^\s?#@/]+(/[^\s?#@]*)?)?", value):
        raise UsageError(f"[{engine}] {name} is {value!r}, which is no address of an API", f'write it as "{example}"')


def check_secret(engine: str, name: str, value: str) -> None:
    """Raises UsageError, without the value, unless it can be sent in a header."""
    if not re.fullmatch(r"[\x21-\x7e]*", value):
        raise UsageError(
            f"[{engine}] {name} holds a space, a line break or a letter that no key has", "write it on one line"
        )


def check_range(engine: str, name: str, value: float, low: float, high: float) -> None:
    """Raises UsageError unless it lies between the two."""
    if not low <= value <= high:
        raise UsageError(f"[{engine}] {name} is {value:g}", f"set it to {low:,} to {high:,}")
