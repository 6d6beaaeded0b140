"""The crew of an executor: attempts in one line, and slots whose workers take them.

What `local` and `ray` share. They differ in where a worker process lives, so each brings its own `Hand`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from heddle import registry, storage
from heddle.errors import Unavailable
from heddle.fleet import Limits, Sink
from heddle.fleet.messages import (
    BadFrame,
    Cancel,
    Done,
    Failed,
    Fetch,
    FromWorker,
    Hello,
    JobEvent,
    Key,
    LivePreview,
    Loading,
    Log,
    Ping,
    Progress,
    Run,
    Shelf,
    Started,
    frame,
)
from heddle.fleet.process import Exit, StartFailed
from heddle.fleet.together import HANDED_BACK
from heddle.matching import Resident, SlotReport
from heddle.settings import Settings

log = logging.getLogger(__name__)

#: How often an attempt that never began is handed to a new worker after its worker died.
_SENDS = 3

_CANCELED = ("canceled", "the job was canceled")


class NotNow(Exception):
    """There is no worker for this slot at the moment, which is nobody's fault; ask again in `wait_s`."""

    def __init__(self, why: str, wait_s: float) -> None:
        super().__init__(why)
        self.wait_s = wait_s


class Hand(Protocol):
    """One worker as its crew sees it, from its start to its end. Used in the event loop only."""

    name: str
    #: The engines that can run where the worker is; None while nobody has said.
    able: frozenset[str] | None

    async def start(self, hello: Hello, timeout_s: float) -> None:
        """Come up, or raise StartFailed or NotNow and leave nothing behind."""
        ...

    async def gone(self) -> Exit:
        """Wait for the end. Who stops waiting ends the worker, unless it was left."""
        ...

    def send(self, body: bytes) -> None:
        """Send a frame; one that cannot arrive any more is dropped."""
        ...

    def kill(self, fault: str = "") -> None:
        """End the worker and what it started; nothing that it says from now on is heard."""
        ...

    def leave(self) -> None:
        """The executor closes, and this worker is idle: end it, or leave it to the next executor."""
        ...

    def look(self) -> None:
        """Notice a death that nothing else shows. Called at every ping."""
        ...


#: Makes the next worker of a slot: from the slot's name, and who is to get every message after `Ready`.
Hire = Callable[[str, Callable[[FromWorker], None]], Hand]


@dataclass(frozen=True, slots=True)
class Place:
    """A slot that differs from the others: its worker's address space, and the memory that models may take there."""

    name: str
    #: 0: no limit.
    limit_mb: int
    memory_mb: int


@dataclass(slots=True, eq=False)
class _Attempt:
    """An accepted run that has not ended."""

    run: Run
    body: bytes = b""
    sends: int = 0
    slot: _Slot | None = None
    started: bool = False
    #: Whether its model, and what had to make room for it, are as they should be: its engine is at work.
    running: bool = False
    canceled: bool = False
    alarm: asyncio.TimerHandle | None = None
    began: float | None = None

    def left_s(self, now: float) -> float:
        """How long it will probably be; one that is past its estimate, another tenth of what it took."""
        so_far = 0.0 if self.began is None else now - self.began
        return max(self.run.est_s - so_far, so_far / 10)

    @property
    def key(self) -> Key:
        return self.run.key

    def failed(self, reason: str, message: str, *, retryable: bool = False) -> Failed:
        run = self.run
        return Failed(job_id=run.job_id, attempt=run.attempt, reason=reason, message=message, retryable=retryable)

    def disarm(self) -> None:
        if self.alarm is not None:
            self.alarm.cancel()
            self.alarm = None


class _Slot:
    """A place for one worker. `sent` holds, in order, the attempts that its worker has."""

    def __init__(self, place: Place) -> None:
        self.name = place.name
        self.place = place
        self.sent: dict[Key, _Attempt] = {}
        self.worker: Hand | None = None
        self.unanswered = 0
        #: Whether this worker began any attempt.
        self.worked = False
        #: Whether the first start is over, well or badly.
        self.tried = False
        self.given_up = False
        #: Whether there is no worker to be had at the moment.
        self.resting = False
        #: What its worker has in memory: model -> (size, when it was last used).
        self.models: dict[str, tuple[int, float]] = {}
        #: What its worker was told to load beside the running job.
        self.fetching = ""

    @property
    def counts(self) -> bool:
        """Whether attempts may be promised a place here: it has a worker, or is about to."""
        return not (self.given_up or self.resting)

    def can(self, engine: str) -> bool:
        """Whether its worker can run this; yes, while nobody has said."""
        return self.worker is None or self.worker.able is None or engine in self.worker.able

    def has_room(self, run: Run) -> bool:
        """An idle worker takes anything; a busy one only what is short, behind what is short."""
        depth = min((other.run.lookahead for other in self.sent.values()), default=run.lookahead)
        return self.worker is not None and len(self.sent) <= min(depth, run.lookahead)


class Crew:
    """Attempts wait here, in one line, and go to whichever worker is idle first.

    So a short job never stands behind a long one while another worker is idle, a waiting one is canceled on the
    spot, and a worker's death touches nothing but what it ran. The price is one message's way (about 0.2 ms) between
    two jobs; jobs for which that matters have a `Run.lookahead` and are queued inside the worker.
    """

    def __init__(self, settings: Settings, limits: Limits, hire: Hire) -> None:
        self._limits = limits
        self._lookahead = settings.lookahead
        self._hello = _hello(settings)
        self._hire = hire
        self._slots: list[_Slot] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._attempts: dict[Key, _Attempt] = {}
        self._line: deque[_Attempt] = deque()
        self._pings = 0
        self._ticking: asyncio.TimerHandle | None = None
        self._advancing = False
        self._closing = False
        self._changed = asyncio.Event()
        self._sink: Sink = _unheard

    # ── the protocol of an executor ───────────────────────────────────────────

    async def start(self, sink: Sink, places: Iterable[str | Place]) -> None:
        """Bring up one worker for every place; raises Unavailable when none can start."""
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        for place in places:
            self.add(place)
        self._ticking = self._loop.call_later(self._limits.ping_s, self._tick)
        try:
            await self._until(self._settled)
        except asyncio.CancelledError:
            await self.close(0)
            raise
        if self._slots and all(slot.given_up for slot in self._slots):
            await self.close(0)
            raise Unavailable(f"none of {len(self._slots)} worker processes could be started; the log says why")

    def add(self, place: str | Place) -> None:
        """One slot more; a name alone is one like all others."""
        usual = self._hello.memory_mb
        slot = _Slot(Place(place, usual, usual) if isinstance(place, str) else place)
        self._slots.append(slot)
        self._keepers.append(asyncio.create_task(self._keep(slot), name=slot.name))

    def free(self, lookahead: int | None = None) -> int:
        if self._closing:
            return 0
        ahead = self._lookahead if lookahead is None else lookahead
        slots = sum(slot.counts for slot in self._slots)
        return max(0, slots * (1 + ahead) - len(self._attempts))

    def slots(self, lookahead: int | None = None) -> list[SlotReport]:
        """What each slot has and takes; together they take as many as `free` says."""
        if self._closing:
            return []
        depth = 1 + (self._lookahead if lookahead is None else lookahead)
        here = {slot.name: [*slot.sent.values()] for slot in self._slots if slot.counts}
        for attempt in self._line:
            able = [slot.name for slot in self._for(attempt.run) if slot.name in here]
            where = attempt.run.slot or min(able or here, key=lambda name: len(here[name]), default="")
            here.setdefault(where, []).append(attempt)
        now = self._loop.time()
        return [self._report(slot, here[slot.name], depth, now) for slot in self._slots if slot.counts]

    def _report(self, slot: _Slot, attempts: Sequence[_Attempt], depth: int, now: float) -> SlotReport:
        models = _residents(slot, attempts, now)
        return SlotReport(
            name=slot.name,
            engines=self._able(slot),
            memory_mb=slot.place.memory_mb or None,
            models=models,
            ahead=len(attempts),
            room=depth - len(attempts),
            busy_s=sum(attempt.left_s(now) for attempt in attempts) + max((m.ready_s for m in models), default=0.0),
        )

    def _able(self, slot: _Slot) -> frozenset[str]:
        """What the slot's worker can run; all there is, until it is known."""
        known = None if slot.worker is None else slot.worker.able
        return frozenset(self._hello.engines) if known is None else known

    def run(self, run: Run) -> None:
        if run.key in self._attempts:
            raise ValueError(f"attempt {run.attempt} of {run.job_id!r} is here already")
        attempt = self._attempts[run.key] = _Attempt(run)
        try:
            attempt.body = frame(run)
        except BadFrame as error:
            self._loop.call_soon(self._end, attempt, attempt.failed("too_large", f"the job is too large: {error}"))
            return
        self._line.append(attempt)
        self._change()

    def cancel(self, job_id: str, attempt: int) -> None:
        held = self._attempts.get((job_id, attempt))
        if held is None or held.canceled:
            return
        held.canceled = True
        if held.slot is None:
            self._loop.call_soon(self._end, held, held.failed(*_CANCELED))
        elif held.slot.worker is not None:
            held.slot.worker.send(frame(Cancel(job_id=job_id, attempt=attempt)))
            if held.started:
                self._give_grace(held)

    def alive(self) -> frozenset[Key]:
        return frozenset(
            attempt.key for attempt in self._attempts.values() if attempt.slot is None or attempt.slot.unanswered < 2
        )

    async def close(self, grace_s: float) -> None:
        self._closing = True
        for attempt in list(self._line):
            self._stop(attempt)
        try:
            async with asyncio.timeout(grace_s):
                await self._until(lambda: not self._attempts)
        except TimeoutError:
            pass
        finally:
            await self._dismiss()

    @property
    def size(self) -> int:
        """How many slots there are, with and without a worker."""
        return len(self._slots)

    @property
    def busy(self) -> int:
        """How many attempts are here."""
        return len(self._attempts)

    # ── an attempt ────────────────────────────────────────────────────────────

    def _advance(self) -> None:
        """Hand out the line, in order, as far as there is room."""
        self._advancing = False
        if self._closing or not any(slot.counts for slot in self._slots):
            self._clear_line()
        waiting: list[_Attempt] = []
        while self._line:
            attempt = self._line[0]
            roomy = [slot for slot in self._for(attempt.run) if slot.has_room(attempt.run)]
            if not roomy and not attempt.run.slot and self._alike():
                break
            self._line.popleft()
            if roomy:
                self._send(attempt, min(roomy, key=lambda slot: len(slot.sent)))
            elif any(slot.counts for slot in self._for(attempt.run)):
                waiting.append(attempt)  # for a slot that can run it; others may pass
            else:
                gone = f"the slot {attempt.run.slot!r} is gone"
                self._end(attempt, attempt.failed("worker_stopped", gone, retryable=True))
        self._line.extendleft(reversed(waiting))
        self._look_ahead()

    def _alike(self) -> bool:
        """Whether all slots can run the same, so that whoever finds no room is passed by nobody."""
        return len({slot.worker.able for slot in self._slots if slot.worker is not None}) <= 1

    def _for(self, run: Run) -> list[_Slot]:
        """The slots that it may go to: its own; else those that can run it; else all: there it fails and says why."""
        if run.slot:
            return [slot for slot in self._slots if slot.name == run.slot]
        return [slot for slot in self._slots if slot.can(run.engine)] or self._slots

    def _look_ahead(self) -> None:
        """While a worker is busy it may load what the next job in its line wants, where that has room beside the rest.

        The claim that chose the slot counted the sizes: whom nobody must make room for fits.
        """
        for slot in self._slots:
            after = next((a.run for a in self._line if a.run.slot == slot.name), None)
            at_work = bool(slot.sent) and all(attempt.running for attempt in slot.sent.values())
            if slot.worker is None or not at_work or after is None or after.evict:
                continue  # what is to make room does so before its job starts
            if after.model not in {"", slot.fetching, *slot.models, *(a.run.model for a in slot.sent.values())}:
                slot.fetching = after.model
                slot.worker.send(frame(Fetch(engine=after.engine, model=after.model, memory_mb=after.memory_mb)))

    def _clear_line(self) -> None:
        """Hand back what waits: it is nobody's fault when the executor stops, or there are no workers to be had."""
        for attempt in list(self._line):
            if self._closing:
                self._stop(attempt)
            elif any(slot.resting for slot in self._slots):
                self._end(attempt, attempt.failed("worker_stopped", "there is no worker at the moment", retryable=True))
            else:
                self._end(attempt, attempt.failed("no_worker", "no worker process can be started", retryable=True))

    def _send(self, attempt: _Attempt, slot: _Slot) -> None:
        assert slot.worker is not None
        attempt.slot = slot
        attempt.sends += 1
        slot.sent[attempt.key] = attempt
        slot.worker.send(attempt.body)

    def _heard(self, slot: _Slot, message: FromWorker) -> None:
        slot.unanswered = 0
        if isinstance(message, Shelf):
            slot.models = {model: (size, self._loop.time()) for model, size in message.models}
            slot.fetching = "" if slot.fetching in slot.models else slot.fetching
        if not isinstance(message, JobEvent):
            return
        attempt = slot.sent.get((message.job_id, message.attempt))
        if attempt is None:
            # The last words of a thread that an engine left behind.
            return
        match message:
            case Started():
                self._begin(attempt, message.together)
                attempt.running = True
                self._tell(message)
                self._change()
            case Loading():
                self._load(attempt)
                self._tell(message)
            case Progress() | LivePreview() | Log():
                self._tell(message)
            case Done() | Failed():
                self._end(attempt, message)

    def _load(self, attempt: _Attempt) -> None:
        """A load counts as work: it may hang as well, and whoever loses it has lost something."""
        if not attempt.started:
            self._begin(attempt)

    def _begin(self, attempt: _Attempt, together: int = 1) -> None:
        attempt.disarm()
        attempt.started = True
        attempt.began = self._loop.time()
        if attempt.slot is not None:
            attempt.slot.worked = True
        if attempt.canceled:
            self._give_grace(attempt)
        else:
            attempt.alarm = self._loop.call_later(attempt.run.timeout_s * together, self._overstayed, attempt)

    def _overstayed(self, attempt: _Attempt) -> None:
        took = f"the attempt did not end within {attempt.run.timeout_s:g} s"
        self._kill(attempt, attempt.failed("timeout", took))

    def _give_grace(self, attempt: _Attempt) -> None:
        attempt.disarm()
        attempt.alarm = self._loop.call_later(self._limits.cancel_s, self._kill, attempt, attempt.failed(*_CANCELED))

    def _kill(self, attempt: _Attempt, end: Failed) -> None:
        """End a running attempt by ending its worker. What is made in one go with it is lost at no fault of its own."""
        assert attempt.slot is not None
        for other in [other for other in attempt.slot.sent.values() if other.running and other is not attempt]:
            self._end(other, other.failed(HANDED_BACK, "its worker was ended for another job", retryable=True))
        worker, attempt.slot.worker = attempt.slot.worker, None
        if worker is not None:
            log.warning("%s is killed: %s of %s: %s", worker.name, attempt.key, attempt.run.engine, end.reason)
            worker.kill(f"was killed: {end.reason}")
        self._end(attempt, end)

    def _end(self, attempt: _Attempt, end: Done | Failed) -> None:
        """The one way out for an attempt. Whoever canceled it hears that it was canceled, however it ended."""
        if self._attempts.pop(attempt.key, None) is None:
            return
        attempt.disarm()
        if attempt.slot is not None:
            del attempt.slot.sent[attempt.key]
        elif attempt in self._line:
            self._line.remove(attempt)
        self._tell(attempt.failed(*_CANCELED) if attempt.canceled else end)
        self._change()

    def _stop(self, attempt: _Attempt) -> None:
        self._end(attempt, attempt.failed("worker_stopped", "the server is stopping", retryable=True))

    def _tell(self, event: JobEvent) -> None:
        try:
            self._sink(event)
        except Exception:
            # A fault of the listener must not look like a fault of the worker that spoke.
            log.exception("the sink did not take %r", event)

    # ── a slot ────────────────────────────────────────────────────────────────

    async def _keep(self, slot: _Slot) -> None:
        """Keep a worker in the slot, whatever happens to it."""
        failures = 0
        while not self._closing:
            try:
                useful, why = await self._employ(slot)
            except NotNow as later:
                await self._rest(slot, later)
                continue
            except Exception as error:
                # Whatever it is, a slot without a keeper would be lost, and every attempt in it.
                log.exception("%s: its keeper failed", slot.name)
                useful, why = False, f"the worker's keeper failed: {type(error).__name__}: {error}"
                self._abandon(slot, why)
            failures = 0 if useful else failures + 1
            if failures and not self._closing:
                await self._back_off(slot, failures, why)

    async def _employ(self, slot: _Slot) -> tuple[bool, str]:
        """One worker from its start to its end: whether it was of use, and how it ended."""
        worker = self._hire(slot.name, lambda message: self._heard(slot, message))
        try:
            hello = msgspec.structs.replace(self._hello, slot=slot.name, memory_mb=slot.place.limit_mb)
            await worker.start(hello, self._limits.start_s)
        except StartFailed as error:
            return False, str(error)
        born = self._loop.time()
        self._up(slot, worker)
        end = await worker.gone()
        self._down(slot, str(end))
        # One that comes up and falls without having done anything is no better than one that does not come up.
        return end.planned or slot.worked or self._loop.time() - born > self._limits.start_s, str(end)

    def _abandon(self, slot: _Slot, why: str) -> None:
        if slot.worker is not None:
            slot.worker.kill(why)
        self._down(slot, why)

    def _up(self, slot: _Slot, worker: Hand) -> None:
        slot.worker = worker
        slot.fetching = ""
        slot.unanswered = 0
        slot.worked = False
        slot.given_up = slot.resting = False
        slot.tried = True
        self._change()

    def _down(self, slot: _Slot, end: str) -> None:
        """The worker is gone: what it ran is lost, what it had not begun goes back to the head of the line."""
        slot.worker = None
        slot.models = {}
        for attempt in reversed(list(slot.sent.values())):
            if attempt.started or attempt.canceled or attempt.sends == _SENDS:
                self._end(attempt, attempt.failed("worker_died", end, retryable=True))
            else:
                del slot.sent[attempt.key]
                attempt.slot = None
                self._line.appendleft(attempt)
        log.log(logging.DEBUG if self._closing else logging.INFO, "%s: %s", slot.name, end)
        self._change()

    async def _rest(self, slot: _Slot, later: NotNow) -> None:
        if not slot.resting:
            log.info("%s: %s", slot.name, later)
        slot.resting = slot.tried = True
        self._change()
        await asyncio.sleep(later.wait_s)

    async def _back_off(self, slot: _Slot, failures: int, why: str) -> None:
        slot.resting = False
        slot.given_up = failures >= self._limits.starts
        wait_s = self._limits.given_up_s if slot.given_up else self._limits.backoff_s * 2 ** (failures - 1)
        log.error("%s: %s (%d in a row); trying again in %g s", slot.name, why, failures, wait_s)
        slot.tried = True
        self._change()
        await asyncio.sleep(wait_s)

    def _tick(self) -> None:
        """Ping everybody. Silence is counted in pings, not in seconds: when this process itself was held up, the
        answers may lie unread, and no worker is to blame."""
        self._ticking = self._loop.call_later(self._limits.ping_s, self._tick)
        self._pings += 1
        ping = frame(Ping(n=self._pings))
        for slot in self._slots:
            if slot.worker is None:
                continue
            if slot.unanswered * self._limits.ping_s >= self._limits.hang_s:
                self._give_up_on(slot, slot.worker)
                continue
            slot.unanswered += 1
            slot.worker.look()
            slot.worker.send(ping)

    def _give_up_on(self, slot: _Slot, worker: Hand) -> None:
        silence = f"the worker did not answer for {self._limits.hang_s:g} s"
        slot.worker = None
        worker.kill("was killed: it hung")
        for attempt in [attempt for attempt in slot.sent.values() if attempt.started]:
            self._end(attempt, attempt.failed("worker_hung", silence, retryable=True))

    async def _dismiss(self) -> None:
        """End the workers, or leave the idle ones to whom they belong."""
        if self._ticking is not None:
            self._ticking.cancel()
        for slot in self._slots:
            if slot.worker is not None and not slot.sent:
                slot.worker.leave()
        for attempt in list(self._attempts.values()):
            self._stop(attempt)
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    # ── waiting for change ────────────────────────────────────────────────────

    def _settled(self) -> bool:
        if any(slot.worker is None and not slot.tried for slot in self._slots):
            return False
        return any(slot.worker or slot.resting for slot in self._slots) or all(slot.given_up for slot in self._slots)

    def _change(self) -> None:
        """Something is different: look at the line again in the next turn of the loop, once for all that changed."""
        self._changed.set()
        if not self._advancing:
            self._advancing = True
            self._loop.call_soon(self._advance)

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()


def _unheard(event: JobEvent) -> None:
    """The sink of an executor that was not started."""


def _hello(settings: Settings) -> Hello:
    return Hello(
        slot="",
        engines=dict(registry.targets("engines")),
        storage=registry.targets("storages")[settings.storage],
        storage_options=storage.options(settings),
        engine_options=registry.options(),
        memory_mb=settings.worker_memory_mb,
        scratch=str(settings.folder / "scratch"),
        preview_s=settings.preview_s,
    )


def _residents(slot: _Slot, attempts: Sequence[_Attempt], now: float) -> tuple[Resident, ...]:
    """What a slot has in memory, and what is on its way there: that will be ready when the loads before it are done."""
    coming = {a.run.model: a.run.memory_mb for a in attempts if a.run.model}
    ready: dict[str, float] = {}
    for attempt in attempts:
        if (model := attempt.run.model) and model not in slot.models and model not in ready:
            left_s = attempt.run.load_s - (0.0 if attempt.began is None else now - attempt.began)
            ready[model] = max(ready.values(), default=0.0) + max(0.0, left_s)
    leaving = {model for a in attempts for model in a.run.evict} - set(coming)
    here = {model: size for model, (size, _) in slot.models.items() if model not in leaving}
    return tuple(
        Resident(
            model=m,
            memory_mb=size,
            used_at=slot.models.get(m, (0, 0.0))[1],
            in_use=m in coming,
            ready_s=ready.get(m, 0.0),
        )
        for m, size in (here | coming).items()
    )
