"""A runner of Arazzo documents. It speaks HTTP only and knows nothing of the server it talks to.

The way of a run, file by file:
`tree` (text to values with places) → `document` (the shape) → `plan` (every expression and criterion compiled, every
operation found) → `runner` (the engine: an event stream) → `requests` and `exchange` (one HTTP call).
`expressions`, `conditions` and `criteria` are the three small languages; `leniency` names every departure from the
specification that published documents need.

From Python: `load`, `run`, `arun` and `stream`, see docs/arazzo-python.md. They are imported when they are used, so
that importing this package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heddle.arazzo.budgets import Options
    from heddle.arazzo.document import Document
    from heddle.arazzo.events import Event, Result, Status
    from heddle.arazzo.session import Target, arun, load, run, stream

__all__ = ["Document", "Event", "Options", "Result", "Status", "Target", "arun", "load", "run", "stream"]

_HOMES = {
    "Document": "document",
    "Event": "events",
    "Options": "budgets",
    "Result": "events",
    "Status": "events",
    "Target": "session",
    "arun": "session",
    "load": "session",
    "run": "session",
    "stream": "session",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
