"""The file `engines.toml`: what the operator set for engines, a table each."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

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
