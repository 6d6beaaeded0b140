"""What a run on the server came to, as JSON values. What is not known is absent."""

from __future__ import annotations

from typing import Any

from heddle.arazzo.events import Result


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
