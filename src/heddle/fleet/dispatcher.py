"""The dispatcher: claims jobs as slots fall free, hands them to the executor, and records how they end.

It holds nothing that matters: what it has claimed is in the queue with a lease, and whoever dies, the lease brings
the job back. The executor's events arrive in the event loop; writes are group-committed and tried again while the
database cannot take them, because a result that an engine has worked for must not be lost to a full disk.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from heddle import metrics, queue, registry
from heddle.db import Database
from heddle.domain import Needs, new_id, now
from heddle.errors import Unavailable
from heddle.fleet import Executor
from heddle.fleet.journal import Journal
from heddle.fleet.messages import (
    MOST_PREVIEW,
    Done,
    Failed,
    JobEvent,
    LivePreview,
    Loading,
    Log,
    Progress,
    Run,
    Started,
)
from heddle.fleet.paces import Paces
from heddle.fleet.together import HANDED_BACK
from heddle.matching import Policy, SlotReport
from heddle.settings import Settings
from heddle.storage import Storage
from heddle.studio import previews
from heddle.workflows import advance, live_previews, trained
from heddle.workflows.advance import Attempt, Ended, Failure
from heddle.workflows.trained import Trained

log = logging.getLogger(__name__)

#: The guarantee behind the wake-ups, in seconds.
POLL_S = 1.0

#: A start is written when the job has run this long; most cheap jobs end before, and one write tells both.
START_DELAY_S = 0.03

#: How often it is written what work takes, and how often it is looked whether the slots have changed.
PACE_S = 10.0
SLOTS_S = 2.0

#: How often the progress of one job is written.
PROGRESS_S = 1.0

_LOG_LINES = 200


@dataclass(slots=True)
class _Held:
    """An attempt in the executor's hands."""

    attempt: Attempt
    journal: Journal
    started_at: datetime | None = None
    loading: bool = False
    start: asyncio.TimerHandle | None = None
    progress_at: float = 0.0
    preview_at: float = 0.0
    log: list[str] = field(default_factory=list[str])


class Dispatcher:
    """One per process. `alone` says that no other dispatcher shares the database."""

    def __init__(
        self,
        db: Database,
        executor: Executor,
        settings: Settings,
        *,
        alone: bool = True,
        storage: Storage | None = None,
    ) -> None:
        self._db = db
        self._executor = executor
        self._settings = settings
        self._alone = alone
        self._owner = new_id("disp")
        self._lookaheads = _lookaheads()
        self._policy = Policy(defer_s=settings.defer_s)
        self._paces = Paces()
        self._storage = storage
        self._held: dict[queue.Pair, _Held] = {}
        #: Attempts that are done, whose models are on their way to where they stay.
        self._moving: set[queue.Pair] = set()
        self._wake = asyncio.Event()
        self._check = asyncio.Event()
        self._writes: set[asyncio.Future[bool]] = set()
        self._closing = False
        #: Held while jobs are on their way from the queue to the executor.
        self._claiming = asyncio.Lock()

    async def run(self) -> None:
        """Until canceled."""
        self._db.listen("queue", self._wake.set)
        self._db.listen("leases", self._check.set)
        await self._first_look()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._claim_forever())
            group.create_task(self._renew_forever())
            group.create_task(self._tell_paces())
            group.create_task(self._tell_slots())

    async def _first_look(self) -> None:
        """Whatever a server before us held is nobody's now."""
        while True:
            try:
                await self._take_back(advance.Sweep(at=now(), not_by=self._owner if self._alone else None))
                return
            except Exception as error:  # noqa: BLE001 - see `_put_off`
                _put_off("look for lost jobs", error)
                await asyncio.sleep(POLL_S)

    async def start(self) -> None:
        """Bring the executor up. Raises Unavailable."""
        await self._executor.start(self._hear)

    async def close(self, grace_s: float) -> None:
        """Let running jobs end, hand back the others, and write how they ended."""
        self._closing = True
        async with self._claiming:  # what was claimed a moment ago is to be handed back, not left to its lease
            pass
        await self._executor.close(grace_s)
        # With those that are tried again: a database that is away for a moment must not cost the results.
        until = time.monotonic() + grace_s + 5
        while self._writes and (left := until - time.monotonic()) > 0:
            await asyncio.wait(set(self._writes), timeout=left, return_when=asyncio.FIRST_COMPLETED)

    # ── claiming ──────────────────────────────────────────────────────────────

    async def _claim_forever(self) -> None:
        while True:
            self._wake.clear()
            try:
                async with self._claiming:
                    at, several = now(), not self._closing and await self._claim()
                nap = 0.0 if several else await self._nap(at)
            except Exception as error:  # noqa: BLE001 - see `_put_off`
                _put_off("claim jobs", error)
                nap = POLL_S
            if nap > 0:
                await _wait(self._wake, nap)

    async def _nap(self, claimed_at: datetime) -> float:
        """Until the next job's time comes (a retry with back-off) that had not come at the claim; a second at most."""
        if self._executor.free() <= 0:
            return POLL_S
        at = await self._db.read(queue.next_at, claimed_at)
        return POLL_S if at is None else min(POLL_S, max(0.005, at / 1000 - now().timestamp()))

    async def _claim(self) -> bool:
        """Claim what the executor takes. Whatever comes into the queue, or makes room here, wakes for the next one.

        True when it took several: then more may wait than it looked at, and it pays to look again.
        """
        slots, short = self._executor.slots(), self._short_slots()
        if not any(slot.room > 0 for slot in [*slots, *short]):
            return False
        wanted = advance.Claim(
            owner=self._owner,
            slots=slots,
            short_slots=short,
            lease_s=self._settings.lease_s,
            at=now(),
            policy=self._policy,
        )
        attempts = await self._db.write(advance.claim, wanted)
        for attempt in attempts:
            self._hand_over(attempt)
        return len(attempts) > 1

    def _short_slots(self) -> list[SlotReport]:
        """The slots with the room that jobs find in them which are shorter than the way to a worker."""
        if not self._lookaheads:
            return []
        short = frozenset(self._lookaheads)
        slots = self._executor.slots(max(self._lookaheads.values()))
        return [replace(slot, engines=slot.engines & short) for slot in slots]

    def _hand_over(self, attempt: Attempt) -> None:
        self._held[attempt.job_id, attempt.attempt] = _Held(attempt, Journal(attempt, now()))
        needs = attempt.needs or Needs()
        self._executor.run(
            Run(
                job_id=attempt.job_id,
                attempt=attempt.attempt,
                engine=attempt.engine,
                payload=attempt.payload,
                inputs=attempt.inputs,
                timeout_s=attempt.timeout_s,
                lookahead=self._lookaheads.get(attempt.engine, 0),
                slot=attempt.slot if needs.model else "",
                model=needs.model,
                memory_mb=needs.memory_mb,
                evict=list(attempt.evict),
                est_s=self._paces.estimate(attempt.engine, attempt.cost),
                load_s=needs.load_s,
            )
        )

    async def _tell_paces(self) -> None:
        """What work takes, for those who estimate: soon at first, then now and then."""
        pause = 1.0
        while True:
            await asyncio.sleep(pause)
            pause = min(PACE_S, pause * 2)
            try:
                for pace in self._paces.take():
                    await self._db.write(queue.note_paces, pace)
                if (demand := getattr(self._executor, "demand", None)) is not None:
                    demand(await self._db.read(queue.waiting))
            except Exception as error:  # noqa: BLE001 - see `_put_off`
                _put_off("note how fast jobs run", error)

    async def _tell_slots(self) -> None:
        """What the slots have, for those who ask why a job waits: when it changed, and now and then."""
        said: list[SlotReport] = []
        again = 0.0
        while True:
            slots = self._executor.slots()
            if [replace(s, busy_s=0.0) for s in slots] != said or time.monotonic() >= again:
                said, again = [replace(s, busy_s=0.0) for s in slots], time.monotonic() + PACE_S
                try:
                    await self._db.write(
                        queue.report_slots, queue.Census(dispatcher=self._owner, slots=slots, at=now())
                    )
                except Exception as error:  # noqa: BLE001 - see `_put_off`
                    _put_off("tell what the slots have", error)
            await asyncio.sleep(SLOTS_S)

    # ── keeping ───────────────────────────────────────────────────────────────

    async def _renew_forever(self) -> None:
        """Renew on time whatever else happens: a busy stream of cancels must not let leases run out."""
        every = self._settings.lease_s / 3
        due = time.monotonic() + every
        while True:
            self._check.clear()
            await _wait(self._check, max(0.0, due - time.monotonic()))
            try:
                if time.monotonic() >= due:
                    due = time.monotonic() + every
                    await self._renew()
                    await self._take_back(advance.Sweep(at=now()))
                else:
                    await self._look()
            except Exception as error:  # noqa: BLE001 - see `_put_off`
                _put_off("look after running jobs", error)

    async def _renew(self) -> None:
        pairs = sorted(self._executor.alive() & set(self._held) | self._moving)
        renewal = advance.Renewal(owner=self._owner, pairs=pairs, lease_s=self._settings.lease_s, at=now())
        kept = await self._db.write(advance.renew, renewal)
        self._stop_all_but(kept | (set(self._held) | self._moving) - set(pairs))

    async def _look(self) -> None:
        """What is claimed while the queue is asked is not in the answer."""
        asked = set(self._held) | self._moving
        kept = await self._db.read(queue.held, self._owner)
        self._stop_all_but(kept | (set(self._held) | self._moving) - asked)

    def _stop_all_but(self, kept: set[queue.Pair]) -> None:
        """What we hold and the queue does not was canceled, or given to somebody else."""
        for job_id, attempt in set(self._held) - kept:
            self._executor.cancel(job_id, attempt)
        self._moving &= kept

    # ── hearing ───────────────────────────────────────────────────────────────

    def _hear(self, event: JobEvent) -> None:
        held = self._held.get((event.job_id, event.attempt))
        if held is None:
            return
        match event:
            case Loading():
                self._note_load(held, event)
            case Started():
                held.started_at = now()
                held.journal.started(held.started_at)
                loop = asyncio.get_running_loop()
                held.start = loop.call_later(START_DELAY_S, self._write_start, event.job_id, event.attempt)
            case Progress():
                held.journal.progressed(event, now())
                self._note(held, event)
            case LivePreview():
                self._note_preview(held, event)
            case Log():
                held.log = [*held.log, event.text][-_LOG_LINES:]
            case Done() | Failed():
                self._end(held, event)

    def _write_start(self, job_id: str, attempt: int) -> None:
        held = self._held.get((job_id, attempt))
        if held is None or held.started_at is None:
            return
        held.start = None
        self._keep(self._db.put(advance.start, advance.Started(job_id=job_id, attempt=attempt, at=held.started_at)))

    def _note_load(self, held: _Held, event: Loading) -> None:
        """A load takes seconds, so its beginning is written at once; then how far it is."""
        if not held.loading:
            held.loading = True
            self._keep(
                self._db.put(advance.prepare, advance.Started(job_id=event.job_id, attempt=event.attempt, at=now()))
            )
        self._note(held, event)

    def _note(self, held: _Held, event: Progress | Loading) -> None:
        clock = asyncio.get_running_loop().time()
        if clock - held.progress_at < PROGRESS_S:
            return
        held.progress_at = clock
        self._keep(self._db.put(queue.note_progress, (event.job_id, event.attempt, event.fraction)))

    def _note_preview(self, held: _Held, event: LivePreview) -> None:
        """Not more often than they are wanted, and only what is one, whatever a worker says."""
        clock, apart = asyncio.get_running_loop().time(), self._settings.preview_s
        right = event.mime in previews.MIMES and len(event.data) <= MOST_PREVIEW
        if not right or apart <= 0 or clock - held.preview_at < apart / 2:
            return
        held.preview_at = clock
        shown = live_previews.Shown(
            job_id=event.job_id, attempt=event.attempt, data=event.data, mime=event.mime, at=now()
        )
        self._keep(self._db.put(live_previews.keep, shown))

    def _end(self, held: _Held, event: Done | Failed) -> None:
        del self._held[event.job_id, event.attempt]
        if held.start is not None:
            held.start.cancel()
        self._wake.set()
        at = now()
        held.journal.ended(event, at)
        if isinstance(event, Done) and held.started_at is not None:
            self._paces.note(held.attempt.engine, (at - held.started_at).total_seconds(), held.attempt.cost)
        ended = Ended(
            job_id=event.job_id,
            attempt=event.attempt,
            at=at,
            started_at=held.started_at,
            artifacts=event.artifacts if isinstance(event, Done) else (),
            failure=_failure(event) if isinstance(event, Failed) else None,
            log=held.log,
            max_attempts=self._settings.max_attempts,
            backoff_s=self._settings.retry_backoff_s,
        )
        if self._storage is not None and trained.of(ended.artifacts):
            self._moving.add((ended.job_id, ended.attempt))
            self._writes.add(moved := asyncio.ensure_future(self._move(self._storage, held.attempt, ended)))
            moved.add_done_callback(self._writes.discard)
        else:
            self._record(ended)

    async def _move(self, storage: Storage, attempt: Attempt, ended: Ended) -> bool:
        """Copy the models of an attempt to where they stay, then record its end. Its lease goes on meanwhile, and
        like a result that the database cannot take, it is tried again until it is done or nobody wants it any more."""
        pair = (ended.job_id, ended.attempt)
        folder = self._settings.folder / "models"
        models: list[Trained] = []
        while pair in self._moving:
            try:
                models = await asyncio.to_thread(trained.fetch, storage, folder, attempt.payload, ended.artifacts)
            except (OSError, Unavailable) as error:
                log.warning("cannot copy the models of job %s, trying again: %s", ended.job_id, error)
                await asyncio.sleep(POLL_S)
                continue
            except Exception:
                log.exception("the models of job %s cannot be added to the catalog", ended.job_id)
            self._record(replace(ended, trained=models))
            break
        return True

    def _record(self, ended: Ended) -> None:
        future = self._db.put(advance.finish, ended)
        about = {"job_id": ended.job_id}
        self._writes.add(future)

        def written(done: asyncio.Future[bool]) -> None:
            self._writes.discard(done)
            error = done.exception()
            if not isinstance(error, Unavailable):
                self._moving.discard((ended.job_id, ended.attempt))
                if ended.trained and (error is not None or not done.result()):
                    trained.drop(ended.trained)
            if isinstance(error, Unavailable):
                log.warning("cannot record job %s, trying again: %s", ended.job_id, error.message, extra=about)
                self._writes.add(again := asyncio.ensure_future(self._record_later(ended)))
                again.add_done_callback(self._writes.discard)
            elif error is not None and ended.trained:
                # Hours of work do not go because of a name in the catalog.
                log.error("the models of job %s are not in the catalog", ended.job_id, exc_info=error, extra=about)
                self._record(replace(ended, trained=()))
            elif error is not None and ended.failure is None:
                log.error("the result of job %s could not be recorded", ended.job_id, exc_info=error, extra=about)
                failure = Failure(
                    reason="record_failed", message="the result could not be recorded; see the server's log"
                )
                self._record(replace(ended, artifacts=(), failure=failure))
            elif error is not None:
                log.error("the end of job %s could not be recorded", ended.job_id, exc_info=error, extra=about)

        future.add_done_callback(written)

    async def _record_later(self, ended: Ended) -> bool:
        await asyncio.sleep(POLL_S)
        self._record(ended)
        return False

    def _keep(self, future: asyncio.Future[object]) -> None:
        """A write nobody waits for: say so when it fails."""
        future.add_done_callback(_tell_failure)

    async def _take_back(self, item: advance.Sweep) -> None:
        """Put lost jobs back into the queue, batch by batch."""
        while (taken := await self._db.write(advance.lost, item)) > 0:
            metrics.leases_lost.inc(taken)


def _put_off(what: str, error: Exception) -> None:
    """A round of a loop went wrong, and the next one comes. One row that is not as it should be must not end every
    dispatcher, one after the other."""
    log.warning("cannot %s: %s", what, error, exc_info=not isinstance(error, Unavailable))


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Until the event or the time. Not `wait_for`: before Python 3.12 it may swallow a cancel that meets the event."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _lookaheads() -> dict[str, int]:
    """Engines whose jobs are so short that a worker should have a row of them."""
    offers = {name: registry.engine(name).offer() for name in registry.targets("engines")}
    return {name: offer.lookahead for name, offer in offers.items() if offer.lookahead}


def _failure(event: Failed) -> Failure:
    return Failure(
        reason=event.reason,
        message=event.message,
        retryable=event.retryable,
        blameless=event.reason in {"worker_stopped", "no_worker", HANDED_BACK},
        lost=event.reason == "no_worker",
    )


def _tell_failure(done: asyncio.Future[object]) -> None:
    error = done.exception()
    if error is not None:
        log.warning("a note about a running job was not written: %s", error)
