"""llama.cpp's server with one model, in a child process: `python -m heddle.engines.llama_cpp.server`."""

from __future__ import annotations

import json
import os
import secrets
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from heddle.engines import JobContext, LoadContext
from heddle.engines.llama_cpp.options import Options
from heddle.errors import EngineFailed, JobError
from heddle.settings import child_environment
from heddle.studio import remote

_LOOK_S = 0.1
_END_S = 10.0

#: The line of the child that says where it listens.
_AT = b"HEDDLE-AT "

#: How much of what it wrote last is looked at for why it ended.
_TAIL = 20_000
_MOST_LOG = 1_000_000


class Server:
    """A model in memory: where its server listens, and the key that it wants."""

    def __init__(self, path: str, options: Options, context: LoadContext | JobContext) -> None:
        self.key = secrets.token_urlsafe(24)
        self._path = path
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the child
        asked = {
            "path": path,
            "key": self.key,
            "context": options.context,
            "threads": options.threads,
            "gpu_layers": options.gpu_layers,
        }
        # When this process ends, however it does, the child reads the end of its input, and ends as well.
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", "heddle.engines.llama_cpp.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=child_environment(),
        )
        try:
            self._tell(json.dumps(asked).encode() + b"\n")
            self.url = f"{self._address(options.load_s, context)}/v1"
        except BaseException:
            self.close()
            raise

    @property
    def lives(self) -> bool:
        """Whether it can still answer."""
        return self._child.poll() is None

    def trim(self) -> None:
        """Forget what it wrote, where that is long."""
        if self._log.seek(0, os.SEEK_END) > _MOST_LOG:
            self._log.seek(0)
            self._log.truncate()

    def close(self) -> None:
        """End it. It holds nothing that is not in a file."""
        self._child.kill()
        self._child.wait(_END_S)
        for pipe in (self._child.stdin, self._child.stdout, self._log):
            assert pipe is not None
            try:
                pipe.close()
            except OSError:  # what was not read of its input
                continue

    def _tell(self, line: bytes) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(line)
        self._child.stdin.flush()

    def _address(self, load_s: float, context: LoadContext | JobContext) -> str:
        """Where it listens, as soon as the model is in memory. Raises JobError."""
        assert self._child.stdout is not None
        until, read = time.monotonic() + load_s, b""
        while _AT not in read or not read.endswith(b"\n"):
            context.progress(0.0, "loading")
            if time.monotonic() > until:
                raise JobError(f"{Path(self._path).name!r} did not load within {load_s:g} s", reason="engine_failed")
            if not select.select([self._child.stdout], [], [], _LOOK_S)[0]:
                continue
            piece = os.read(self._child.stdout.fileno(), 65_536)
            if not piece:
                raise EngineFailed(f"llama.cpp cannot load {Path(self._path).name!r}: {self._why()}")
            read += piece
        return read.rpartition(_AT)[2].decode().strip()

    def _why(self) -> str:
        """The last thing that it said which sounds like a reason."""
        self._child.wait(_END_S)
        size = self._log.seek(0, 2)
        self._log.seek(max(0, size - _TAIL))
        lines = [line.strip() for line in self._log.read().decode(errors="replace").splitlines() if line.strip()]
        telling = [line for line in lines if "error" in line.lower()] or lines
        return remote.short(telling[0]) if telling else f"it ended with status {self._child.returncode}"


# ── the child ─────────────────────────────────────────────────────────────────


def main() -> None:
    """Load the model that the first line names, say where it is served, and serve it until the input ends."""
    import xllamacpp  # noqa: PLC0415 # pyright: ignore[reportMissingTypeStubs] - only the child has it in memory

    # What the library prints must not get between.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    asked = json.loads(sys.stdin.buffer.readline())
    library = cast("Any", xllamacpp)
    params = library.CommonParams()
    params.model.path = asked["path"]
    params.api_keys = [asked["key"]]
    params.n_ctx = asked["context"]
    params.n_parallel = 1
    if asked["threads"]:
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = asked["threads"]
    if asked["gpu_layers"] >= 0:
        params.n_gpu_layers = asked["gpu_layers"]
    make = cast("Callable[[Any], Any]", library.Server)
    server = make(params)
    answers.write(_AT + str(server.listening_address).encode() + b"\n")
    sys.stdin.buffer.read()
    # Not `del server`: its threads may be in the middle of an answer that nobody wants.
    os._exit(0)


if __name__ == "__main__":
    main()
