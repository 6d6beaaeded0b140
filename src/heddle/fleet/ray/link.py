"""The dispatcher's end of one actor: the `Hand` that lives somewhere in a Ray cluster.

One call at a time brings frames to the actor, all that gathered while the last one was on its way; two wait for
frames from it. So a burst of small messages costs a few calls and not one each.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from typing import Any

import msgspec
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayError, RayTaskError

from heddle import registry
from heddle.domain import new_id
from heddle.fleet.crew import NotNow
from heddle.fleet.messages import BadFrame, Frames, FromWorker, Hello, encoder
from heddle.fleet.process import Exit, StartFailed
from heddle.fleet.ray.actor import Claim, Claimed, Ended, Printed, Stale, Taken, Unfit, answers, from_actor, reports
from heddle.fleet.ray.cluster import Cluster, Silent, first_line, new_name

log = logging.getLogger(__name__)

#: How soon a slot without an actor looks again.
_AGAIN_S = 2.0
#: How soon an actor that another dispatcher holds is asked again.
_TAKEN_S = 5.0
#: How soon an actor that is coming up is asked again.
_ASK_S = 0.2
#: How long an actor may take to end its worker before it is ended itself.
_KILL_S = 5.0
_LEAVE_S = 3.0
#: Calls that listen at a time: while the answer of one is on its way, the next is there already.
_EARS = 2
#: Ray puts longer arguments into its object store, which may block.
_LONG = 64 * 1024


class Gone:
    """The actor was ended for good."""


class Roster:
    """What the links of one dispatcher share: the cluster, and who of it holds which actor."""

    def __init__(self, cluster: Cluster, job: str, lease_s: float, cancel_s: float) -> None:
        self.cluster = cluster
        self.held: set[str] = set()
        #: The actor that each slot of the crew had last: it is asked first, and without the GCS.
        self.last: dict[str, tuple[str, Any]] = {}
        self.most = 0
        self._taken: dict[str, float] = {}
        self._job = job
        self._owner = new_id("crew")
        self._claims = 0
        self._lease_s = lease_s
        self._cancel_s = cancel_s

    def claim(self, hello: Hello, start_s: float) -> Claim:
        self._claims += 1
        return Claim(
            owner=self._owner,
            n=self._claims,
            job=self._job,
            hello=hello,
            config=self.cluster.config,
            lease_s=self._lease_s,
            start_s=start_s,
            cancel_s=self._cancel_s,
        )

    async def candidates(self, place: str) -> AsyncIterator[str]:
        """Actors that nobody here holds, then a new one if there is room; each is held until it is given back."""
        last, _ = self.last.get(place, ("", None))
        if last and last not in self.held:
            self.held.add(last)
            yield last
        if await self.cluster.paused():
            return
        known = set(names := await self.cluster.names())
        for name in names:
            if name not in self.held and not self._is_taken(name):
                self.held.add(name)
                yield name
        known |= self.held
        if len(known) < self.most:
            name = new_name(known)
            self.held.add(name)
            yield name

    def note_taken(self, name: str) -> None:
        """Somebody else has it: not to be asked again at once, by this slot or another."""
        self._taken[name] = time.monotonic() + _TAKEN_S

    def _is_taken(self, name: str) -> bool:
        return self._taken.get(name, 0.0) > time.monotonic()


class RayWorker:
    """Claims an actor, and is its voice and ear until the session ends."""

    def __init__(self, roster: Roster, name: str, heard: Callable[[FromWorker], None]) -> None:
        self.name = name
        self.able: frozenset[str] | None = None
        self._place = name
        self._roster = roster
        self._heard = heard
        self._loop = asyncio.get_running_loop()
        self._actor: Any = None
        self._slot = ""
        self._session = ""
        self._frames = Frames()
        #: What came before its turn, by number, and the number whose turn it is.
        self._early: dict[int, bytes] = {}
        self._next = 1
        self._outbox: list[bytes] = []
        self._news = asyncio.Event()
        self._deaf = False
        self._tasks: list[asyncio.Task[None]] = []
        self._asking: asyncio.Task[None] | None = None
        self._parting: asyncio.Task[None] | None = None
        self.ended: asyncio.Future[Exit] = self._loop.create_future()

    # ── coming up ─────────────────────────────────────────────────────────────

    async def start(self, hello: Hello, timeout_s: float) -> None:
        try:
            async for name in self._roster.candidates(self._place):
                if await self._hold(name, hello, timeout_s):
                    return
        except Silent as error:
            raise StartFailed(str(error)) from error
        raise NotNow("no actor to be had: all are taken, or the cluster has no room", _AGAIN_S)

    async def _hold(self, name: str, hello: Hello, timeout_s: float) -> bool:
        """Claim one actor; False when somebody else has it."""
        self._slot = name
        held = False
        try:
            async with asyncio.timeout(timeout_s):
                held = await self._claim(name, self._roster.claim(msgspec.structs.replace(hello, slot=name), timeout_s))
        except TimeoutError:
            raise NotNow(f"{name} does not come up: no room for it, or its node is lost", _AGAIN_S) from None
        finally:
            if not held:
                self._roster.held.discard(name)
        return held

    async def _claim(self, name: str, claim: Claim) -> bool:
        replaced = False
        known, actor = self._roster.last.pop(self._place, ("", None))
        if known != name:
            actor = None
        while True:
            actor = actor or await self._roster.cluster.actor(name)
            match await _ask(actor, claim):
                case Claimed(session=session, node=node):
                    self._roster.last[self._place] = (name, actor)
                    self._begin(actor, session, node)
                    return True
                case Taken(owner=owner, job=job) if claim.over == job or not await self._roster.cluster.is_over(job):
                    log.debug("%s is held by %s", name, owner or "nobody for long: it is drained")
                    self._roster.note_taken(name)
                    return False
                case Taken(job=job):
                    claim = msgspec.structs.replace(claim, over=job)
                    continue
                case Stale(version=version, config=config) if replaced:
                    raise StartFailed(
                        f"{name} runs Heddle {version} with {config}; this is {claim.version} with {claim.config}: "
                        "install the same version on every node"
                    )
                case Stale():
                    replaced = True
                    log.info("%s is of another version or has other resources; it is replaced", name)
                    await self._roster.cluster.kill(actor, for_good=True)
                    actor = None
                case Unfit(why=why):
                    raise StartFailed(why)
                case Gone() if not replaced:
                    return False
                case Gone():
                    actor = None
                case _:
                    pass
            await asyncio.sleep(_ASK_S)

    def _begin(self, actor: Any, session: str, node: str) -> None:
        self.name = f"{self._slot} on {node[:8]}"
        self._actor = actor
        self._session = session
        works = [self._say(), *(self._hear() for _ in range(_EARS))]
        self._tasks = [asyncio.create_task(self._guard(work)) for work in works]
        # Not among the tasks that end with the session: to give up waiting for a call is to cancel it in the actor.
        self._asking = asyncio.create_task(self._ask_able())

    async def _ask_able(self) -> None:
        """Which engines can run on the actor's node; it says so once it has asked them. Until then all may be tried."""
        with suppress(RayError, msgspec.DecodeError):
            body = await self._actor.report.remote(dict(registry.targets("engines")), registry.options())
            said = reports.decode(body).engines
            self.able = frozenset(name for name, missing in said.items() if not missing)

    # ── talking ───────────────────────────────────────────────────────────────

    def send(self, body: bytes) -> None:
        self._outbox.append(body)
        self._news.set()

    def look(self) -> None:
        """A dead actor fails the call that listens to it."""

    async def _guard(self, work: Coroutine[Any, Any, str]) -> None:
        """However talking ends, the worker is lost."""
        try:
            why = await work
        except (RayError, BadFrame, msgspec.DecodeError, Silent) as error:
            why = f"is lost: {first_line(error)}"
        except Exception as error:
            log.exception("%s: the link failed", self.name)
            why = f"is lost: {type(error).__name__}: {error}"
        self._end(Exit(None, fault=why))

    async def _say(self) -> str:
        while True:
            await self._news.wait()
            self._news.clear()
            body = b"".join(self._outbox)
            self._outbox.clear()
            if not await (self._call_long(body) if len(body) > _LONG else self._actor.say.remote(self._session, body)):
                return "has another dispatcher"

    async def _call_long(self, body: bytes) -> bool:
        say = self._actor.say
        return await (await self._roster.cluster.calls(lambda: say.remote(self._session, body)))

    async def _hear(self) -> str:
        while (said := await self._actor.hear.remote(self._session)) is not None:
            n, body = said
            self._early[n] = body
            while (body := self._early.pop(self._next, None)) is not None:
                self._next += 1
                for part in self._frames.feed(body):
                    self._take(part)
        return "has another dispatcher"

    def _take(self, part: bytearray) -> None:
        if self._deaf:
            return
        match from_actor.decode(part):
            case Printed(line=line):
                log.info("%s", line)
            case Ended() as end:
                self._end(_exit(end))
            case message:
                self._heard(message)

    # ── the end ───────────────────────────────────────────────────────────────

    def kill(self, fault: str = "") -> None:
        self._part(self._bury(fault))

    def leave(self) -> None:
        self._part(self._let_go())

    def _part(self, work: Coroutine[Any, Any, None]) -> None:
        self._deaf = True
        if self._parting is None and not self.ended.done():
            self._parting = asyncio.create_task(work)
        else:
            work.close()

    async def gone(self) -> Exit:
        try:
            await asyncio.wait({self.ended})
        except asyncio.CancelledError:
            self.kill()
            await asyncio.wait({self.ended})
            raise
        return self.ended.result()

    async def _bury(self, fault: str) -> None:
        """Have the actor end its worker; if it cannot, end the actor. Ray starts it anew."""
        end = Exit(None, fault=fault)
        try:
            async with asyncio.timeout(_KILL_S):
                said = await self._actor.kill.remote(self._session, fault)
            end = _exit(msgspec.msgpack.decode(said, type=Ended))
        except (TimeoutError, RayError) as error:
            log.warning("%s does not end its worker, so it is ended itself: %s", self.name, first_line(error))
            await self._bury_actor()
        finally:
            self._end(end)

    async def _bury_actor(self) -> None:
        try:
            await self._roster.cluster.kill(self._actor)
        except Silent as error:
            log.warning("%s could not be ended: %s", self.name, error)

    async def _let_go(self) -> None:
        try:
            async with asyncio.timeout(_LEAVE_S):
                await self._actor.leave.remote(self._session)
        except (TimeoutError, RayError) as error:
            log.warning("%s was not told that it is free: %s", self.name, first_line(error))
        finally:
            self._end(Exit(None, fault="was left"))

    def _end(self, end: Exit) -> None:
        self._deaf = True
        self._roster.held.discard(self._slot)
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        if not self.ended.done():
            self.ended.set_result(end)


async def _ask(actor: Any, claim: Claim) -> object:
    """What an actor says to a claim; None while it is being started, Gone when there is another of its name."""
    try:
        return answers.decode(await actor.claim.remote(encoder.encode(claim)))
    except asyncio.CancelledError:
        actor.forget.remote(claim.owner, claim.n)
        raise
    except ActorUnavailableError:
        return None
    except ActorDiedError as error:
        if "creation" in str(error) or "__init__" in str(error):
            raise StartFailed(f"the actor cannot be made: {first_line(error)}") from error
        return Gone()
    except RayTaskError as error:
        raise StartFailed(f"the actor failed: {first_line(error)}") from error


def _exit(end: Ended) -> Exit:
    return Exit(end.code, end.last_line, end.fault, planned=end.planned)
