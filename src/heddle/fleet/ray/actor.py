"""The actor of one slot: keeps a worker process on its node, and passes on what that and a dispatcher say.

The engine runs in a child process, as with the executor `local`, so that a crash, a hang or a full memory costs a
process and not the actor, and Ray's own connections are out of an engine's reach. Bytes of our own messages go in
and out; no class of ours is pickled. One dispatcher at a time holds the actor (a claim with a lease, renewed by
whatever it says); everything said under an older claim is refused.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Union

import msgspec

from heddle import __version__
from heddle.domain import new_id
from heddle.fleet.abilities import missing
from heddle.fleet.messages import (
    Cancel,
    Done,
    Failed,
    Frames,
    FromWorker,
    Hello,
    JobEvent,
    Key,
    Message,
    Pong,
    Run,
    encoder,
    frame,
    to_worker,
)
from heddle.fleet.process import StartFailed, WorkerProcess

log = logging.getLogger(__name__)

#: How often the lease of a claim is looked at.
_LOOK_S = 0.5


class Claim(Message, tag="claim", frozen=True):
    """A dispatcher wants the actor. `n` orders an owner's claims; `over` names a driver that is known to be dead."""

    owner: str
    n: int
    job: str
    hello: Hello
    config: str
    lease_s: float
    start_s: float
    cancel_s: float
    version: str = __version__
    over: str = ""


class Claimed(Message, tag="claimed", frozen=True):
    """It is yours; everything else that you say starts with `session`."""

    session: str
    node: str


class Taken(Message, tag="taken", frozen=True):
    """Another dispatcher holds it, whose driver has the Ray job id `job`."""

    owner: str
    job: str


class Stale(Message, tag="stale", frozen=True):
    """This actor was made by another version, or with other resources."""

    version: str
    config: str


class Unfit(Message, tag="unfit", frozen=True):
    """The worker process could not be started."""

    why: str


class Printed(Message, tag="printed", frozen=True):
    """A line that an engine printed."""

    line: str


class Ended(Message, tag="ended", frozen=True):
    """The worker process is gone; the words of `process.Exit`."""

    code: int | None
    last_line: str = ""
    fault: str = ""
    planned: bool = False


#: Of so many different questions the answers are kept: dispatchers, and whoever looks at a fleet, may ask differently.
_MOST_ASKED = 8


class Report(Message, tag="report", frozen=True):
    """What a slot is and can. `engines` says by name what each misses; `models` are those in its memory."""

    slot: str
    node: str
    version: str
    owner: str
    running: list[Key]
    engines: dict[str, list[str]]
    models: list[str]
    memory_mb: int


Answer = Union[Claimed, Taken, Stale, Unfit]  # noqa: UP007 - msgspec wants the union as a value
FromActor = Union[FromWorker, Printed, Ended]  # noqa: UP007

answers = msgspec.msgpack.Decoder(Answer)
from_actor = msgspec.msgpack.Decoder(FromActor)
reports = msgspec.msgpack.Decoder(Report)
_claims = msgspec.msgpack.Decoder(Claim)


class SlotActor:
    """Ray runs its methods in one event loop."""

    def __init__(self, name: str, config: str) -> None:
        import ray as untyped_ray  # noqa: PLC0415 - whoever only needs the words of this file does without

        ray: Any = untyped_ray
        self._name = name
        self._node: str = ray.get_runtime_context().get_node_id()
        self._config = config
        self._claiming = asyncio.Lock()
        self._holder: Claim | None = None
        self._session = ""
        self._retiring = False
        self._heard_at = 0.0
        self._process: WorkerProcess | None = None
        self._hello: Hello | None = None
        #: The latest of each kind that the worker said of itself: every dispatcher needs to know.
        self._standing: dict[type[Message], Message] = {}
        self._running: set[Key] = set()
        self._idle = asyncio.Event()
        self._frames = Frames()
        self._outbox: list[bytes] = []
        self._said = 0
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        #: What engines miss here, by what was asked: which ones, and with which options.
        self._engines: dict[bytes, dict[str, list[str]]] = {}

    # ── a dispatcher comes and goes ───────────────────────────────────────────

    async def claim(self, body: bytes) -> bytes:
        """Take the actor from nobody, from a dead driver, or from the same owner's earlier claim."""
        async with self._claiming:
            return encoder.encode(await self._answer(_claims.decode(body)))

    async def _answer(self, wanted: Claim) -> Answer:
        holder = self._holder
        if self._retiring:
            return Taken(owner="", job="")
        if holder is not None and not _yields(holder, wanted):
            return Taken(owner=holder.owner, job=holder.job)
        if (wanted.version, wanted.config) != (__version__, self._config):
            return Stale(version=__version__, config=self._config)
        self._release()
        await self._stop_attempts(wanted.cancel_s)
        try:
            await self._employ(wanted)
        except StartFailed as error:
            return Unfit(why=str(error))
        self._holder, self._session = wanted, new_id("hold")
        self._heard_at = time.monotonic()
        self._frames = Frames()
        self._outbox.clear()
        self._said = 0
        for message in self._standing.values():
            self._tell(message)
        self._start(self._watch(self._session))
        return Claimed(session=self._session, node=self._node)

    async def leave(self, session: str) -> None:
        """The dispatcher needs the actor no more. Its worker process stays, with whatever models it has loaded."""
        if session == self._session:
            self._release()

    async def retire(self) -> bool:
        """Take nothing more; whether something still runs. When nothing does, the dispatcher is told that it is over.

        Attempts that it sends meanwhile are not begun, so that it gives them to another slot then.
        """
        self._retiring = True
        if not self._running and self._session:
            self._tell(Ended(code=None, fault="was drained", planned=True))
        return bool(self._running)

    async def forget(self, owner: str, n: int) -> None:
        """Whoever made this claim does not wait for the answer any more."""
        async with self._claiming:
            if self._holder is not None and (self._holder.owner, self._holder.n) == (owner, n):
                self._release()

    def _release(self) -> None:
        self._holder, self._session = None, ""
        self._news.set()

    async def _watch(self, session: str) -> None:
        """A dispatcher that says nothing for the length of its lease is gone: its jobs belong to others by now."""
        while session == self._session and self._holder is not None:
            if time.monotonic() - self._heard_at > self._holder.lease_s:
                log.warning("%s: %s was silent for its whole lease", self._name, self._holder.owner)
                async with self._claiming:
                    if session == self._session:
                        cancel_s = self._holder.cancel_s
                        self._release()
                        await self._stop_attempts(cancel_s)
                return
            await asyncio.sleep(_LOOK_S)

    async def _stop_attempts(self, cancel_s: float) -> None:
        """Nobody wants their results; the process survives if they stop by themselves."""
        if self._process is None or not self._running:
            return
        for job_id, attempt in self._running:
            self._process.send(frame(Cancel(job_id=job_id, attempt=attempt)))
        self._idle.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(cancel_s):
                await self._idle.wait()
        if self._running:
            await self._end("was killed: its dispatcher is gone")

    # ── the worker process ────────────────────────────────────────────────────

    async def _employ(self, wanted: Claim) -> None:
        """Have a process that was told the same."""
        if self._process is not None and self._hello == wanted.hello:
            return
        await self._end("was replaced")
        self._standing.clear()
        process = WorkerProcess(self._name, self._hear, self._print)
        await process.start(wanted.hello, wanted.start_s)
        self._process, self._hello = process, wanted.hello
        self._start(self._mourn(process))

    async def _end(self, fault: str) -> Ended:
        process, self._process = self._process, None
        self._running.clear()
        if process is None:
            return Ended(code=None, fault=fault)
        process.kill(fault)
        end = await process.gone()
        return Ended(code=end.code, last_line=end.last_line, fault=end.fault)

    async def _mourn(self, process: WorkerProcess) -> None:
        end = await process.gone()
        if process is self._process:
            self._process = None
            self._running.clear()
            self._idle.set()
            self._tell(Ended(code=end.code, last_line=end.last_line, fault=end.fault))

    def _hear(self, message: FromWorker) -> None:
        if isinstance(message, Done | Failed):
            self._running.discard((message.job_id, message.attempt))
            if not self._running:
                self._idle.set()
        elif not isinstance(message, JobEvent | Pong):
            self._standing[type(message)] = message
        self._tell(message)

    def _print(self, line: str) -> None:
        self._tell(Printed(line=line))

    def _tell(self, message: Message) -> None:
        if self._session:
            self._outbox.append(frame(message))
            self._news.set()

    # ── what passes through ───────────────────────────────────────────────────

    async def say(self, session: str, body: bytes) -> bool:
        """Frames for the worker; False when the session is over."""
        if session != self._session:
            return False
        self._heard_at = time.monotonic()
        for part in self._frames.feed(body):
            message = to_worker.decode(part)
            if isinstance(message, Run):
                if self._retiring or self._process is None:
                    continue
                self._running.add((message.job_id, message.attempt))
            self._forward(frame(message))
        return True

    def _forward(self, body: bytes) -> None:
        if self._process is not None:
            # A ping comes now and then, so this looks as often.
            self._process.look()
            self._process.send(body)

    async def hear(self, session: str) -> tuple[int, bytes] | None:
        """Frames from the worker as soon as there are any, numbered because a dispatcher asks more than once at a time.

        None when the session is over.
        """
        while session == self._session:
            if self._outbox:
                body = b"".join(self._outbox)
                self._outbox.clear()
                self._said += 1
                return self._said, body
            self._news.clear()
            await self._news.wait()
        return None

    async def kill(self, session: str, fault: str) -> bytes:
        """End the worker process, and the session with it."""
        if session != self._session:
            return encoder.encode(Ended(code=None, fault="has another dispatcher"))
        self._release()
        return encoder.encode(await self._end(fault))

    # ── about itself ──────────────────────────────────────────────────────────

    async def report(self, engines: dict[str, str], options: dict[str, dict[str, Any]]) -> bytes:
        """Engines are asked once, in a process of their own: what they import may crash or fill the memory."""
        asked = encoder.encode((engines, options))
        if asked not in self._engines:
            if len(self._engines) >= _MOST_ASKED:
                self._engines.clear()
            self._engines[asked] = await asyncio.to_thread(missing, engines, options)
        return encoder.encode(
            Report(
                slot=self._name,
                node=self._node,
                version=__version__,
                owner=self._holder.owner if self._holder else "",
                running=sorted(self._running),
                engines=self._engines[asked],
                models=[name for said in self._standing.values() for name, _ in getattr(said, "models", [])],
                memory_mb=self._process.memory_mb() if self._process else 0,
            )
        )

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _yields(holder: Claim, wanted: Claim) -> bool:
    """Whether a claim gives way to another."""
    if holder.owner == wanted.owner:
        return wanted.n > holder.n
    return wanted.over == holder.job
