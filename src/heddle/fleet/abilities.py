"""What each engine misses where this runs, asked in a process of its own.

Saying so may take an import that crashes, hangs or fills the memory; then that engine's answer says so, and the
others are asked again without it. `python -m heddle.fleet.abilities` is that process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import msgspec

from heddle import registry
from heddle.settings import child_environment

#: For all engines together.
_PATIENCE_S = 60.0

Targets = dict[str, str]
Options = dict[str, dict[str, Any]]

_lines = msgspec.json.Decoder(tuple[str, list[str]])


def missing(engines: Targets, options: Options) -> dict[str, list[str]]:
    """By the engine's name: sentences that say why it cannot run here; none when it can."""
    found: dict[str, list[str]] = {}
    while left := {name: target for name, target in engines.items() if name not in found}:
        said, end = _ask(left, options)
        found.update(said)
        culprit = next((name for name in left if name not in said), None)
        if culprit is not None:
            found[culprit] = [f"the process that asked it {end}"]
    return found


def _ask(engines: Targets, options: Options) -> tuple[dict[str, list[str]], str]:
    """What the engines said until the process ended, and how it ended."""
    command = [sys.executable, "-P", "-m", "heddle.fleet.abilities"]
    try:
        done = subprocess.run(
            command,
            input=msgspec.json.encode((engines, {name: options[name] for name in options if name in engines})),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(),
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        return _read(late.stdout or b""), f"did not end within {_PATIENCE_S:g} s"
    return _read(done.stdout), f"ended with status {done.returncode}"


def _read(output: bytes) -> dict[str, list[str]]:
    return dict(_lines.decode(line) for line in output.splitlines())


def _look(name: str, target: str) -> list[str]:
    try:
        return [str(sentence) for sentence in registry.engine(name, target).missing()]
    except BaseException as error:  # noqa: BLE001 - engines are strangers' code
        return [f"it cannot be loaded: {type(error).__name__}: {error}"]


def main() -> None:
    # What engines print must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    engines, options = msgspec.json.decode(sys.stdin.buffer.read(), type=tuple[Targets, Options])
    registry.set_options(options)
    for name, target in engines.items():
        answers.write(msgspec.json.encode((name, _look(name, target))) + b"\n")


if __name__ == "__main__":
    main()
