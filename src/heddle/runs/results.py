"""What a run on the server came to, as JSON values. What is not known is absent."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from heddle.domain import JSON

if TYPE_CHECKING:
    from heddle.arazzo.events import Result

#: What a run may come to, as JSON.
MOST_BYTES = 4 * 1024 * 1024


_LONE = re.compile("[\ud800-\udfff]")


def as_text(value: Any) -> Any:
    """The same JSON value, with a sign of replacement for every half of a character, which no answer can hold."""
    if isinstance(value, str):
        return _LONE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {as_text(name): as_text(member) for name, member in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return [as_text(item) for item in value] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]


def within(status: str, result: JSON, most: int = MOST_BYTES) -> tuple[str, JSON]:
    """The end of a run, or its failure where it is too large to be kept."""
    result = as_text(result)
    size = 0
    for part in json.JSONEncoder().iterencode(result):
        size += len(part)
        if size > most:
            return "failed", {"reason": f"it came to more than {most} bytes of JSON; declare fewer or smaller outputs"}
    return status, result


def result_of(result: Result) -> dict[str, Any]:
    ended_by = result.ended_by
    told = {
        "outputs": _plain(dict(result.outputs)),
        "missing": list(result.missing),
        "reason": result.reason or None,
        "endedBy": None if ended_by is None else _present({"step": ended_by.step, "action": ended_by.action}),
        "steps": [
            _present(
                {
                    "stepId": one.step,
                    "runs": one.runs,
                    "ok": one.ok,
                    "statusCode": one.code,
                    "reason": one.reason or None,
                }
            )
            for one in result.steps
        ],
        "warnings": [one.message for one in result.warnings],
        "leniencies": [{"name": one.name, "meaning": one.meaning} for one in result.departures],
        "requests": result.calls,
    }
    return _present(told)


def _present(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _plain(value: Any) -> Any:
    """Bytes are told, not shown."""
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, dict):
        return {str(name): _plain(member) for name, member in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return [_plain(item) for item in value] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]
