"""One worker process as its executor sees it: starts it, carries frames, collects what it prints, buries it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import msgspec

from heddle.fleet.messages import BadFrame, Frames, FromWorker, Hello, Ready, frame, from_worker
from heddle.settings import child_environment

log = logging.getLogger(__name__)

_READ = 65_536
_LINE = 2000
_LINES_PER_S = 200
#: How long a killed process may take to vanish (one inside a driver call may never) before it is written off.
_BURIAL_S = 10.0


class StartFailed(Exception):
    """A worker process did not come up."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended. `code` is negative for a signal, None when the process could not be buried.

    `planned`: somebody asked for it, so that nothing is wrong.
    """

    code: int | None
    last_line: str = ""
    fault: str = ""
    planned: bool = False

    def __str__(self) -> str:
        words = f"the worker {self.fault or self._how()}"
        return f"{words}: {self.last_line}" if self.last_line else words

    def _how(self) -> str:
        if self.code is None:
            return "could not be ended"
        if self.code >= 0:
            return f"ended itself with status {self.code}"
        return f"was ended by signal {_signal_name(-self.code)}"


def _signal_name(number: int) -> str:
    """Most of the real-time signals have a number only."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


#: Takes a line that a process printed.
Printed = Callable[[str], None]


class Output:
    """What a process prints, as lines for operators. A flood is thinned; the latest lines are kept."""

    def __init__(self, name: str, printed: Printed) -> None:
        self._name = name
        self._printed = printed
        self._rest = b""
        self._latest: deque[bytes] = deque(maxlen=20)
        #: The first line of what Python says of a crash in C; a deep stack comes after it.
        self._fatal = b""
        self._second = 0
        self._lines = 0

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line)
        if len(self._rest) > _LINE:
            self._line(self._rest)
            self._rest = b""

    def last(self) -> str:
        """The line that says most about a crash: the latest, or that of a fatal error in C."""
        latest = [self._fatal] if self._fatal else [self._rest, *reversed(self._latest)]
        return next((line for raw in latest if (line := _clean(raw))), "")

    def _line(self, raw: bytes) -> None:
        if not raw.strip():
            return
        self._latest.append(raw[:_LINE])
        if raw.startswith(b"Fatal Python error"):
            self._fatal = raw
        second = int(time.monotonic())
        self._lines = 1 if second != self._second else self._lines + 1
        self._second = second
        if self._lines < _LINES_PER_S:
            self._printed(f"{self._name}: {_clean(raw)}")
        elif self._lines == _LINES_PER_S:
            self._printed(f"{self._name} prints more than {_LINES_PER_S} lines a second; the rest is dropped")


def _clean(raw: bytes) -> str:
    """Text that is safe on a terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in raw[:_LINE].decode(errors="replace").rstrip())


#: For NumPy, unless the operator says otherwise: its threads wait for one another by spinning, which takes the other
#: slots' processors, and how many there are would change the last bits of what a training makes.
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}


class WorkerProcess(asyncio.Protocol):
    """`heard` gets every message after `Ready`; `ended` is set once the process is gone.

    `subprocess.Popen` and a look at it now and then, instead of asyncio's own subprocesses: those put a thread
    beside every child, and wait for its pipes to close, which a grandchild may prevent.
    """

    def __init__(
        self,
        name: str,
        heard: Callable[[FromWorker], None],
        printed: Printed = log.info,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._environment = environment
        self.able: frozenset[str] | None = None
        self._heard = heard
        self._loop = asyncio.get_running_loop()
        self._frames = Frames()
        self._output = Output(name, printed)
        self._outbox: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._fault = ""
        self._deaf = False
        self._burying = False
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self.ended: asyncio.Future[Exit] = self._loop.create_future()

    async def start(self, hello: Hello, timeout_s: float) -> None:
        """Come up, or raise StartFailed and leave nothing behind."""
        try:
            ours = self._spawn()
        except OSError as error:
            raise StartFailed(f"the worker process could not be started: {error}") from error
        ours.setblocking(False)
        try:
            await self._loop.create_unix_connection(lambda: self, sock=ours)
            self.send(frame(hello))
            await asyncio.wait({self._ready, self.ended}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            self.kill()
            await self.gone()
            ours.close()
            raise
        if not self._ready.done():
            self.kill(f"was not ready within {timeout_s:g} s")
            raise StartFailed(str(await self.gone()))

    async def gone(self) -> Exit:
        """Wait for the end. Who stops waiting ends the process, so that none is left without a keeper."""
        try:
            await asyncio.wait({self.ended})
        except asyncio.CancelledError:
            self.kill()
            await asyncio.wait({self.ended})
            raise
        return self.ended.result()

    def _spawn(self) -> socket.socket:
        """Start it and return our end of the channel. In a session of its own: what engines start dies with it, and
        Ctrl-C reaches the server alone."""
        with ExitStack() as ours, ExitStack() as theirs:
            channel, their_channel = socket.socketpair()
            ours.callback(channel.close)
            theirs.callback(their_channel.close)
            output, their_output = os.pipe()
            ours.callback(os.close, output)
            theirs.callback(os.close, their_output)
            command = [sys.executable, "-P", "-X", "faulthandler", "-m", "heddle.fleet.worker"]
            self._process = subprocess.Popen(
                [*command, str(their_channel.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=their_output,
                stderr=their_output,
                pass_fds=[their_channel.fileno()],
                start_new_session=True,
                env=_ONE_THREAD | child_environment(self._environment),
            )
            ours.pop_all()
        os.set_blocking(output, False)
        self._output_fd = output
        self._loop.add_reader(output, self._read_output)
        return channel

    @property
    def pid(self) -> int:
        return self._process.pid

    def memory_mb(self) -> int:
        """What it has in memory now; 0 when nobody can tell."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return 0
        return pages * os.sysconf("SC_PAGESIZE") // 2**20

    def send(self, body: bytes) -> None:
        """Send a frame. All of one turn of the event loop leave together."""
        if not self._outbox:
            self._loop.call_soon(self._flush)
        self._outbox.append(body)

    def _flush(self) -> None:
        body, self._outbox = b"".join(self._outbox), []
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(body)

    def kill(self, fault: str = "") -> None:
        """End the process and what it started; nothing that it says from now on is heard."""
        self._deaf = True
        self._fault = self._fault or fault
        if self._transport is not None:
            self._transport.abort()
        self._bury()

    def leave(self) -> None:
        """A child does not outlive its executor."""
        self.kill()

    def _signal(self) -> None:
        # Until the leader is reaped the group's number cannot belong to strangers.
        if self._process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def look(self) -> None:
        """Notice a death that the channel does not show, because a grandchild holds it open."""
        how = os.WEXITED | os.WNOHANG | os.WNOWAIT
        with suppress(ChildProcessError):
            if self._process.returncode is None and os.waitid(os.P_PID, self._process.pid, how) is not None:
                self.kill()

    # ── asyncio.Protocol ──────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of asyncio.Transport without being one.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        try:
            for body in self._frames.feed(data):
                if self._deaf:
                    return
                self._hear(from_worker.decode(body))
        except (BadFrame, msgspec.DecodeError) as error:
            self.kill(f"sent something that is no message ({error})")

    def _hear(self, message: FromWorker) -> None:
        if isinstance(message, Ready):
            if not self._ready.done():
                self._ready.set_result(None)
        else:
            self._heard(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self._deaf = True
        self._bury()

    # ── its end ───────────────────────────────────────────────────────────────

    def _bury(self) -> None:
        """Make sure of the end, then wait for it. Once, whoever noticed first."""
        if not self._burying:
            self._burying = True
            self._signal()
            self._reap(0.001, self._loop.time() + _BURIAL_S)

    def _reap(self, wait_s: float, deadline: float) -> None:
        """It is about to end, so looking now and then is enough."""
        code = self._process.poll()
        if code is None and self._loop.time() < deadline:
            self._loop.call_later(wait_s, self._reap, min(wait_s * 2, 0.05), deadline)
            return
        self._finish(code)

    def _finish(self, code: int | None) -> None:
        self._read_output()
        if self._output_fd >= 0:
            self._close_output()
        if not self.ended.done():
            self.ended.set_result(Exit(code, self._output.last(), self._fault))

    # ── what it prints ────────────────────────────────────────────────────────

    def _read_output(self) -> None:
        """Read once; the loop calls again while there is more, so a flood cannot keep it busy."""
        if self._output_fd < 0:
            return
        try:
            data = os.read(self._output_fd, _READ)
        except BlockingIOError:
            return
        if data:
            self._output.feed(data)
        else:
            self._close_output()

    def _close_output(self) -> None:
        self._loop.remove_reader(self._output_fd)
        os.close(self._output_fd)
        self._output_fd = -1
