"""Carries out the Arazzo runs of all accounts. Several processes may do so on one database: a run is leased.

A run calls our own API inside this process, as its account, with a token that exists in this process only and only
while it runs; other hosts it calls where the operator allows them, without the token. Whatever dies, another process
(or the next start) takes the run up where its journal ends.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, Protocol, TypeVar

import httpx

from heddle import accounts, domain
from heddle.accounts import Account
from heddle.db import Database
from heddle.domain import JSON
from heddle.errors import HeddleError, Unavailable
from heddle.runs import rows
from heddle.runs.hosts import OURS, RunHosts, Sides
from heddle.runs.results import result_of, within
from heddle.runs.rows import ArazzoRun, JournalFull, LeaseLost
from heddle.runs.threads import apart

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Paths that a run may not call: runs that begin runs would never end, and media are for clients to download.
_REFUSED = ("/v2/heddle/", "/v2/consumer/blobs/content/")
#: And live previews, which are media as well.
_PREVIEW = re.compile(r"/v2/consumer/workflows/[^/]*/jobs/[^/]*/preview")
_ANSWER_S = 130.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How the conductor goes about it, in seconds. Of the runs `at_once`, half may be of one account.

    A run that is stopped gets `patience_s` for what it is computing.
    """

    poll_s: float = 2.0
    beat_s: float = 2.0
    lease_s: float = 20.0
    patience_s: float = 5.0
    at_once: int = 16
    max_steps: int = 10_000
    deadline_s: float = 24 * 3600.0
    most_bytes: int = 4 * 1024 * 1024
    most_journal: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Passes:
    """Tokens that open accounts inside this process, each for as long as one run goes on."""

    known: dict[str, Account] = field(default_factory=dict[str, Account])

    def make(self, account: Account) -> str:
        token = f"run_{secrets.token_urlsafe(32)}"
        self.known[token] = account
        return token

    def end(self, token: str) -> None:
        self.known.pop(token, None)


class Inside(httpx.AsyncBaseTransport):
    """Our own API without a socket, in its own event loop. `address` is what links in its answers begin with."""

    def __init__(self, app: Any, address: str, loop: asyncio.AbstractEventLoop) -> None:
        self._app = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._address = httpx.URL(address)
        self._loop = loop

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if httpx.URL(OURS).host != request.url.host or path.startswith(_REFUSED) or _PREVIEW.match(path):
            raise httpx.ConnectError(f"{request.url} is not what a run on the server may call")
        url = request.url.copy_with(scheme=self._address.scheme, host=self._address.host, port=self._address.port)
        headers = [(name, value) for name, value in request.headers.raw if name.lower() != b"host"]
        sent = httpx.Request(request.method, url, headers=headers, stream=request.stream)
        try:
            async with asyncio.timeout(_ANSWER_S):
                there = asyncio.run_coroutine_threadsafe(self._app.handle_async_request(sent), self._loop)
                return await asyncio.wrap_future(there)
        except TimeoutError as error:
            raise httpx.ReadTimeout("the API took too long") from error


class Conductor:
    """Runs until canceled."""

    def __init__(
        self,
        db: Database,
        app: Any,
        passes: Passes,
        address: str,
        *,
        hosts: RunHosts | None = None,
        pace: Pace | None = None,
        now: Callable[[], datetime] = domain.now,
    ) -> None:
        self._db = db
        self._app = app
        self._passes = passes
        self._address = address
        self._hosts = hosts or RunHosts()
        self._pace = pace or Pace()
        self._now = now
        self._wake = asyncio.Event()
        self._running: dict[str, tuple[ArazzoRun, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Take runs up as they come; at the end they are given back."""
        self._db.listen("runs", self._wake.set)
        try:
            while True:
                self._wake.clear()
                try:
                    await self._take()
                except Unavailable as error:
                    log.warning("runs wait for the database: %s", error)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._pace.poll_s):
                        await self._wake.wait()
        finally:
            left = [task for _, task in self._running.values()]
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left, timeout=2 * self._pace.patience_s)

    async def _take(self) -> None:
        free = self._pace.at_once - len(self._running)
        if free <= 0:
            return
        at = self._now()
        if not await self._db.read(rows.waiting, at):
            return
        # A new owner every time: what is left of an earlier claim of ours may no more write than another process.
        owner, share = secrets.token_hex(8), max(1, self._pace.at_once // 2)
        held = {run.id: run.account_id for run, _ in self._running.values()}
        wanted = rows.Claim(owner=owner, at=at, until=self._until(at), most=free, share=share, held=held)
        for run in await self._db.write(rows.claim, wanted):
            task = asyncio.create_task(self._held(run, owner))
            self._running[run.id] = run, task
            task.add_done_callback(partial(self._ended, run.id))

    def _ended(self, run_id: str, task: asyncio.Task[None]) -> None:
        del self._running[run_id]
        self._wake.set()
        error = None if task.cancelled() else task.exception()
        if isinstance(error, LeaseLost):
            log.warning("a run was taken over: %s", error)
        elif error is not None:
            log.error("a run was left where it was: %s", error, exc_info=error)  # its lease runs out

    async def _held(self, run: ArazzoRun, owner: str) -> None:
        """Work and keep the lease, until one of them ends."""
        work = asyncio.create_task(self._carry_out(run, owner))
        beat = asyncio.create_task(self._beat(run, owner))
        try:
            await asyncio.wait({work, beat}, return_when=asyncio.FIRST_COMPLETED)
            if beat.done() and not work.done():
                await self._stopped(work)
                beat.result()  # raises LeaseLost
                await self._end(run, owner, rows.CANCELED, {"reason": "the caller canceled it"})
                return
            await work
        except asyncio.CancelledError:
            await self._stopped(work)
            with suppress(HeddleError):
                back = rows.Lease(run_id=run.id, owner=owner, until=self._now(), back=True)
                await self._db.write(rows.renew, back)
            raise
        finally:
            beat.cancel()
            await asyncio.gather(beat, return_exceptions=True)

    async def _stopped(self, work: asyncio.Task[None]) -> None:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    async def _beat(self, run: ArazzoRun, owner: str) -> None:
        """Ends when the run is to be canceled. Raises LeaseLost when it is somebody else's."""
        while True:
            lease = rows.Lease(run_id=run.id, owner=owner, until=self._until(self._now()))
            try:
                if await self._db.write(rows.renew, lease):
                    return
            except Unavailable as error:
                log.warning("the lease of %s was not renewed: %s", run.id, error)
            await asyncio.sleep(self._pace.beat_s)

    async def _carry_out(self, run: ArazzoRun, owner: str) -> None:
        account = await self._lasting(lambda: self._db.read(accounts.of_id, run.account_id))
        assert account is not None
        token = ""
        try:
            token = self._passes.make(account)
            walk = partial(self._walked, run, owner, token, asyncio.get_running_loop())
            await self._end(run, owner, *await apart(walk, self._pace.patience_s))
        except LeaseLost:
            raise
        except JournalFull as error:
            await self._end(run, owner, "exhausted", {"reason": error.message})
        except HeddleError as error:
            from heddle.arazzo.durable import Unsure  # noqa: PLC0415 - here the runner is there already

            await self._end(
                run, owner, "undecided" if isinstance(error, Unsure) else "failed", {"reason": error.message}
            )
        except Exception:
            log.exception("the run %s met a bug", run.id)  # taken up again, it would meet the same one
            await self._end(run, owner, "failed", {"reason": "the server made a mistake; its log says more"})
        finally:
            self._passes.end(token)

    async def _walked(self, run: ArazzoRun, owner: str, token: str, api: asyncio.AbstractEventLoop) -> tuple[str, JSON]:
        """The whole document, from where its journal ends. It may compute, so it has a thread; the API is in `api`."""
        from heddle.arazzo.budgets import Options  # noqa: PLC0415 - the runner is only imported where there are runs
        from heddle.arazzo.durable import go_on, start  # noqa: PLC0415
        from heddle.arazzo.events import RunEnded  # noqa: PLC0415
        from heddle.arazzo.exchange import Client  # noqa: PLC0415
        from heddle.arazzo.facts import facts_of  # noqa: PLC0415
        from heddle.arazzo.journal import Journal  # noqa: PLC0415
        from heddle.runs.documents import Sources, ready  # noqa: PLC0415

        sources = Sources(run.sources, self._hosts)
        one = ready(run.document, run.workflow, run.inputs, token, sources)
        past = await self._lasting(lambda: self._db.read(rows.records, run.id))
        weight = await self._lasting(lambda: self._db.read(rows.weight, run.id))
        table = _Table(self._db, run.id, owner, len(past), self._lasting, self._pace.most_journal - weight)
        journal = Journal(table, past)
        await go_on(journal, facts_of(one.plan, one.inputs, one.secrets), None)
        options = Options(max_steps=self._pace.max_steps, deadline=self._pace.deadline_s)
        ended: Any = None
        async with Client(self._transport(run, token, api), self._pace.most_bytes) as client:
            _, events = start(one.plan, one.inputs, client, options=options, secrets=one.secrets, journal=journal)
            async for event in events:
                ended = event
        assert isinstance(ended, RunEnded)
        return within(str(ended.result.status), one.secrets.mask(result_of(ended.result)))

    def _transport(self, run: ArazzoRun, token: str, api: asyncio.AbstractEventLoop) -> httpx.AsyncBaseTransport:
        inside = Inside(self._app, self._address, api)
        return Sides(inside, self._hosts, token) if run.sources else inside

    async def _end(self, run: ArazzoRun, owner: str, status: str, result: JSON) -> None:
        status, result = within(status, result)
        end = rows.End(run_id=run.id, owner=owner, status=status, result=result, at=self._now())
        await self._lasting(lambda: self._db.write(rows.end, end))

    async def _lasting(self, asked: Callable[[], Awaitable[T]]) -> T:
        """Ask the database until it is there: a run waits for it, and its lease is kept or taken meanwhile."""
        while True:
            try:
                return await asked()
            except Unavailable as error:
                log.warning("a run waits for the database: %s", error)
            await asyncio.sleep(self._pace.poll_s)

    def _until(self, at: datetime) -> datetime:
        return at + timedelta(seconds=self._pace.lease_s)


class Aside:
    """A conductor in a thread and an event loop of its own: what documents make us compute holds up no request."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor

    async def run(self) -> None:
        """Until canceled, and then until all runs are given back."""
        here = asyncio.get_running_loop()
        began: asyncio.Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = here.create_future()

        async def main() -> None:
            task = asyncio.ensure_future(self._conductor.run())
            here.call_soon_threadsafe(began.set_result, (asyncio.get_running_loop(), task))
            with suppress(asyncio.CancelledError):
                await task

        done = asyncio.ensure_future(asyncio.to_thread(asyncio.run, main()))
        loop, task = await began
        try:
            await asyncio.shield(done)
        except asyncio.CancelledError:
            loop.call_soon_threadsafe(task.cancel)
            await done
            raise


class _Lasting(Protocol):
    async def __call__(self, asked: Callable[[], Awaitable[T]]) -> T: ...


class _Table:
    """A journal in the database."""

    def __init__(self, db: Database, run_id: str, owner: str, number: int, lasting: _Lasting, room: int) -> None:
        self._db = db
        self._run_id = run_id
        self._owner = owner
        self._number = number
        self._lasting = lasting
        self._room = room

    async def append(self, record: Any) -> None:
        """Raises LeaseLost, and JournalFull; how a run ended is always taken."""
        self._room -= len(json.dumps(dict(record)))
        if self._room < 0 and "ended" not in record:
            raise JournalFull("its requests and answers have more bytes than a run may have on the server")
        entry = rows.Entry(run_id=self._run_id, owner=self._owner, number=self._number, body=dict(record))
        tries = count()
        # A try of which the outcome is not known may have been written.
        await self._lasting(lambda: self._db.write(rows.append, replace(entry, again=next(tries) > 0)))
        self._number += 1
