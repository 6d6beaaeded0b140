"""One call of a function in a child process with limits on memory, processor time, wall time and output.

    text = sandbox.call("heddle.studio.probe:probe", {"data": data}, report=context.progress)

The argument and the result are plain values (msgpack: numbers, text, bytes, lists, dicts). The function is called as
`function(argument, report)`; what it reports arrives at the caller's `report`, through which a cancel comes back: when
`report` raises, the child is killed. The child has no environment of ours, no core dumps, and ends with its parent.

What is too much for one result comes bit by bit: `stream` gives what a generator in the child yields.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, NoReturn, cast

import msgspec

from heddle.errors import JobError

#: Takes a fraction, 0..1; raises to stop the call.
Report = Callable[[float], None]

#: How FFmpeg may open foreign bytes: as what the media gate takes. Others of its formats open files and connections.
FOREIGN = {"format_whitelist": "mov,mp4,m4a,matroska,webm,mp3,wav,ogg,flac,gif", "protocol_whitelist": "file,pipe"}

_MIB = 1024 * 1024
_TICK_S = 0.2
_LENGTH = 8
_LAST_WORDS = 2000
_BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); from heddle.studio.sandbox import main; main()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a child may use. Memory is address space, of which an interpreter with FFmpeg takes half a GiB idle."""

    memory_mb: int = 3072
    cpu_s: int = 300
    wall_s: float = 600.0
    output_mb: int = 512


def call(
    target: str, argument: Mapping[str, Any], *, limits: Limits | None = None, report: Report | None = None
) -> Any:
    """The result of `module:function`. Raises the JobError that it raised, or one that says which limit it hit."""
    bounds = limits or Limits()
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as words:
        given.write(msgspec.msgpack.encode(argument))
        given.seek(0)
        with _start(target, bounds, given, words) as child:
            try:
                return _Conversation(child, bounds, report, words).result()
            finally:  # before the end of the `with`, which waits for it
                child.kill()


def stream(
    target: str, argument: Mapping[str, Any], *, limits: Limits | None = None, report: Report | None = None
) -> Generator[Any]:
    """What the generator `module:function` yields, one by one; the child waits for whoever takes it.

    The limits on output and wall time are those of each value, and of the time that it is waited for. Close it, or let
    it run out; the child is gone then.
    """
    bounds = limits or Limits()
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as words:
        given.write(msgspec.msgpack.encode(argument))
        given.seek(0)
        with _start(target, bounds, given, words) as child:
            try:
                yield from _Conversation(child, bounds, report, words).values()
            finally:
                child.kill()


def _start(target: str, limits: Limits, given: IO[bytes], words: IO[bytes]) -> subprocess.Popen[bytes]:
    wanted = {"target": target, "memory_mb": limits.memory_mb, "cpu_s": limits.cpu_s, "output_mb": limits.output_mb}
    return subprocess.Popen(
        [sys.executable, "-I", "-c", _BOOT, json.dumps(sys.path), json.dumps(wanted)],
        stdin=given,
        stdout=subprocess.PIPE,
        stderr=words,
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        bufsize=0,
    )


class _Conversation:
    """What the parent hears, until there is a result."""

    def __init__(self, child: subprocess.Popen[bytes], limits: Limits, report: Report | None, words: IO[bytes]) -> None:
        assert child.stdout is not None
        self._child = child
        self._pipe = child.stdout
        self._limits = limits
        self._report = report
        self._words = words
        self._until = time.monotonic() + limits.wall_s
        self._heard = bytearray()
        self._fraction = 0.0

    def result(self) -> Any:
        while True:
            kind, value = self._next()
            if kind == "result":
                return value
            self._fraction = float(value)
            self._tell()

    def values(self) -> Iterator[Any]:
        while True:
            self._until = time.monotonic() + self._limits.wall_s
            kind, value = self._next()
            if kind == "result":
                return
            if kind == "value":
                yield value
            else:
                self._fraction = float(value)
                self._tell()

    def _next(self) -> tuple[str, Any]:
        while (message := self._message()) is None:
            self._hear()
        kind, value = cast("tuple[str, Any]", tuple(msgspec.msgpack.decode(message)))
        if kind == "error":
            raise JobError(value[1], reason=value[0])
        return kind, value

    def _message(self) -> bytes | None:
        """The first whole message of what was heard."""
        if len(self._heard) < _LENGTH:
            return None
        end = _LENGTH + int.from_bytes(self._heard[:_LENGTH], "big")
        if end > self._limits.output_mb * _MIB:
            raise JobError(f"the result is larger than {self._limits.output_mb} MiB", reason="media_limit")
        if len(self._heard) < end:
            return None
        message = bytes(self._heard[_LENGTH:end])
        del self._heard[:end]
        return message

    def _hear(self) -> None:
        ready, _, _ = select.select([self._pipe], [], [], _TICK_S)
        if time.monotonic() > self._until:
            raise JobError(f"it took longer than {self._limits.wall_s:g} s", reason="media_limit")
        if not ready:
            self._tell()
            return
        piece = self._pipe.read(_MIB)
        if not piece:
            self._ended()
        self._heard += piece

    def _tell(self) -> None:
        if self._report is not None:
            self._report(self._fraction)

    def _ended(self) -> NoReturn:
        """The child is gone without a result: say which limit it was, as far as that can be told."""
        status = self._child.wait()
        if status == -signal.SIGXCPU:
            raise JobError(f"it took more than {self._limits.cpu_s} s of processor time", reason="media_limit")
        self._words.seek(0)
        last = self._words.read()[-_LAST_WORDS:].decode("utf-8", "replace").strip().rpartition("\n")[2]
        if "MemoryError" in last or "Cannot allocate memory" in last:
            raise JobError(f"it needs more than {self._limits.memory_mb} MiB of memory", reason="media_limit")
        how = f"signal {-status}" if status < 0 else f"status {status}"
        # A signal may have come from outside, as when the machine's memory ends: another attempt may have better luck.
        raise JobError(
            f"a media process ended with {how}{f': {last}' if last else ''}",
            reason="media_failed",
            retryable=status < 0,
        )


# ── the child ─────────────────────────────────────────────────────────────────


def main() -> None:
    """Be the child: `sys.argv[1]` says what to call, the argument comes from standard input."""
    wanted = json.loads(sys.argv[1])
    say = _voice()
    _limit(wanted["memory_mb"], wanted["cpu_s"], wanted["output_mb"])
    try:
        module, _, name = wanted["target"].partition(":")
        function = getattr(importlib.import_module(module), name)
        argument = msgspec.msgpack.decode(sys.stdin.buffer.read())

        def report(fraction: float) -> None:
            say("progress", float(fraction))

        result = function(argument, report)
        if isinstance(result, Generator):
            for value in cast("Generator[Any]", result):
                say("value", value)
            result = None
        say("result", result)
    except JobError as error:
        say("error", [error.reason, error.message])
    except MemoryError:
        say("error", ["media_limit", f"it needs more than {wanted['memory_mb']} MiB of memory"])
    # Not `sys.exit`: threads of native libraries would keep the process.
    os._exit(0)


def _voice() -> Callable[[str, Any], None]:
    """Speaks to the parent; what native code prints goes to the error stream."""
    pipe = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)

    def say(kind: str, value: Any) -> None:
        body = memoryview(msgspec.msgpack.encode([kind, value]))
        pipe.write(len(body).to_bytes(_LENGTH, "big"))
        while body:
            body = body[pipe.write(body) :]

    return say


def _limit(memory_mb: int, cpu_s: int, output_mb: int) -> None:
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    for what, wanted in (
        (resource.RLIMIT_AS, memory_mb * _MIB),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, output_mb * _MIB),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        bound = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(what, (bound, hard))
