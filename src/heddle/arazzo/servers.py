"""The servers that a description names, and the variables in their URLs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from heddle.errors import UsageError

_VARIABLE = re.compile(r"\{([^{}]+)\}")


def first_server(holder: Mapping[str, Any], given: Mapping[str, str]) -> str | None:
    """The first server of a description, a path or an operation: variables as given, else at their defaults."""
    server = _first(holder)
    if server is None:
        return None
    described = _object(server.get("variables"))
    return _VARIABLE.sub(
        lambda match: _value(match[1], _object(described.get(match[1])), given), str(server.get("url", "/"))
    )


def variables(holders: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Names of the variables of first servers."""
    for server in map(_first, holders):
        yield from _VARIABLE.findall(str(server.get("url", "/"))) if server else ()


def given_for(source: str, texts: Mapping[str, str]) -> dict[str, str]:
    """Of `--server-var`: what was given for every source, and over it what was given for this one."""
    mark = f"{source}."
    own = {name.removeprefix(mark): value for name, value in texts.items() if name.startswith(mark)}
    return {**texts, **own}


def _value(name: str, described: Mapping[str, Any], given: Mapping[str, str]) -> str:
    if name not in given:
        return str(described.get("default", ""))
    allowed = described.get("enum")
    listed = [str(one) for one in cast("list[Any]", allowed)] if isinstance(allowed, list) else [given[name]]
    if given[name] not in listed:
        raise UsageError(f"--server-var {name} is {given[name]!r}", f"the description knows: {', '.join(listed)}")
    return given[name]


def _first(holder: Mapping[str, Any]) -> dict[str, Any] | None:
    servers = holder.get("servers")
    listed = cast("list[Any]", servers) if isinstance(servers, list) else []
    return _object(listed[0]) if listed and isinstance(listed[0], dict) else None


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
