"""Work that a document makes up, done in a process of its own: one second of computing, one GiB of memory, no more.

Python cannot stop a search or a query from outside. Where one is harmless by its looks it is done where it is asked
for; every other comes here, and pays for the start of a process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from typing import Any

from heddle.arazzo.conditions import Undecidable
from heddle.errors import HeddleError

SECONDS = 1.0
MAX_BYTES = 1 << 30
#: The process measures its own second of computing; this is for one that does not even get to start.
_PATIENCE = 20.0
_PROGRAM = (
    "import json, sys; asked = json.load(sys.stdin); sys.path[:] = asked['path'];"
    "from heddle.arazzo.bounded import answer; answer(asked)"
)


def call(where: str, *arguments: Any) -> Any:
    """What `module:function` gives for arguments that JSON knows; raises what it raises, or Undecidable."""
    module, _, name = where.partition(":")
    asked = {"path": sys.path, "module": module, "function": name, "arguments": arguments}
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _PROGRAM],
            input=json.dumps(asked).encode(),
            capture_output=True,
            timeout=_PATIENCE,
            check=True,
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        raise Undecidable(f"{_shown(arguments[0])} was not answered within {SECONDS:g} s") from error
    answered = json.loads(done.stdout)
    if "error" not in answered:
        return answered["value"]
    kind = getattr(import_module(answered["module"]), answered["error"])
    raise kind(answered["message"])


def answer(asked: dict[str, Any]) -> None:
    """The other side: do what is asked, write it, and be ended when it takes too long."""
    work = getattr(import_module(asked["module"]), asked["function"])
    _limit()
    try:
        answered = {"value": work(*asked["arguments"])}
    except HeddleError as error:
        kind = type(error)
        answered = {"error": kind.__name__, "module": kind.__module__, "message": error.message}
    except (MemoryError, RecursionError):
        message = f"{_shown(asked['arguments'][0])} takes more memory than it may"
        answered = {"error": "Undecidable", "module": Undecidable.__module__, "message": message}
    sys.stdout.write(json.dumps(answered))


def _limit() -> None:
    import resource  # noqa: PLC0415 - not there on every system
    import signal  # noqa: PLC0415

    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _shown(text: Any) -> str:
    shown = str(text)
    return repr(shown if len(shown) <= 80 else f"{shown[:79]}…")
