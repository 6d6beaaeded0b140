"""Logs: the form of a line, what it says about where it belongs, and what it must never hold.

A line of HEDDLE_LOG_FORMAT=json has the keys `ts`, `level`, `logger`, `event`, `message`, and where they are known
`trace_id`, `workflow_id`, `job_id`, `account_id` and `exception`. Messages may change, keys and events do not.
"""

from __future__ import annotations

import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import msgspec

#: What a line may belong to.
ABOUT = ("trace_id", "workflow_id", "job_id", "account_id")

#: Libraries that tell of every request they make.
_CHATTY = ("httpx", "httpcore", "uvicorn.error", "urllib3", "botocore", "boto3", "ray")

#: They tell of every request and every job, which is for programs; people ask for it.
_STEADY = ("heddle.access", "heddle.jobs")

#: Whoever has one of these can act for somebody: in front what stays, then what goes.
_SECRETS = re.compile(
    r"(?P<keep>\b(?:hd_|whsec_)"
    r"|\bbearer\s+|\bauthorization['\"]?\s*[:=]\s*['\"]?basic\s+"
    r"|(?:[?&]|\b)(?:sig|x-amz-signature|x-amz-credential|x-amz-security-token|token|secret|password)=[\"']?"
    r"|://[^\s/:@\"]*:(?=[^\s/@\"]+@))"
    r"[^\s&\"'\\,;@]+",
    re.IGNORECASE,
)

#: A line is one line: what somebody else put into a message begins no other.
_CONTROL = {n: f"\\x{n:02x}" for n in (*range(9), *range(11, 32), 127)} | {10: "\\n"}

_about: ContextVar[dict[str, Any] | None] = ContextVar("heddle_log_about", default=None)


def begin(**about: str | int) -> None:
    """A new piece of work in this task: what its lines belong to."""
    _about.set(dict(about))


def note(**about: str | int) -> None:
    """More is known now; nothing happens outside a piece of work."""
    known = _about.get()
    if known is not None:
        known.update(about)


def configure(level: str, form: str) -> None:
    """Have the root logger write such lines to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _STEADY if form == "text" and level != "debug" else ():
        logging.getLogger(name).setLevel(logging.WARNING)


def redact(text: str) -> str:
    """The same without what opens anything."""
    return _SECRETS.sub(r"\g<keep>[redacted]", text)


class TextLines(logging.Formatter):
    """For people."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        record.message = record.message.translate(_CONTROL)
        trace = _belongs(record).get("trace_id")
        return super().formatMessage(record) + (f" [trace {trace}]" if trace else "")

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class JsonLines(logging.Formatter):
    """For programs."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": getattr(record, "event", None) or f"{record.module}.{record.funcName.strip('_')}",
            "message": record.getMessage(),
            **_belongs(record),
            **getattr(record, "more", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode({key: _clean(value) for key, value in line.items()}).decode()


def _belongs(record: logging.LogRecord) -> dict[str, Any]:
    said = {name: value for name in ABOUT if (value := getattr(record, name, None)) is not None}
    return {**(_about.get() or {}), **said}


def _clean(value: Any) -> Any:
    """Text without secrets, and without halves of characters, which no JSON can hold."""
    return redact(value).encode("utf-8", "replace").decode() if isinstance(value, str) else value
