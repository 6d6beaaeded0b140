"""A run that survives its process: it writes a journal, and goes on from one.

Three small parts stand between the engine and the world: a sender that knows the answers of the past, a clock on which
the past takes the time that it took, and a reader of events that stays silent until something new happens.
"""

from __future__ import annotations

import re
import secrets as randomness
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

import httpx

from heddle.arazzo.budgets import Clock, Options, SystemClock
from heddle.arazzo.events import Event, RunEnded, RunStarted, Status, StepEnded, StepStarted, Waiting
from heddle.arazzo.exchange import Answer, ExchangeError, Sender, Skipped
from heddle.arazzo.facts import Facts, differences, remembered
from heddle.arazzo.hosts import HostRefused
from heddle.arazzo.journal import Exchange, Journal, JournalError, JournalFile, answer_of, record_of
from heddle.arazzo.masking import Secrets
from heddle.arazzo.openapi import without_user
from heddle.arazzo.plan import Plan
from heddle.arazzo.requests import Part, Request
from heddle.arazzo.runner import Run
from heddle.errors import UsageError

_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, HostRefused, httpx.InvalidURL, ValueError)
"""The last two for what is no URL."""

OWN_KEY = re.compile(r"[0-9a-f]{16}-[0-9]+")
"""What an Idempotency-Key looks like that no document gave: the name of the run, and the number of the request."""

_Content: TypeAlias = tuple[str, str, bytes | None, list[Part] | None]
"""What makes two requests the same to a server that takes keys."""


class UnderWay(StrEnum):
    """What to do about a request of which nobody knows whether it was carried out."""

    AGAIN = "again"
    SKIP = "skip"


class Unsure(UsageError):
    """A request was under way when the run died, and sending it again might do its work twice."""


async def begin(journal: Journal, facts: Facts) -> None:
    """A new run. Raises UsageError where the journal has one already."""
    if journal.head is not None:
        raise UsageError(
            "the checkpoint holds a run already", "go on with it by --resume, or remove the file to begin anew"
        )
    await journal.begin(randomness.token_hex(8), facts)


async def go_on(journal: Journal, facts: Facts, under_way: UnderWay | None) -> None:
    """Check that the run may go on. Raises UsageError with what differs, and Unsure where somebody has to decide."""
    if journal.head is None:
        await journal.begin(randomness.token_hex(8), facts)  # it died before it had sent anything
        return
    changed = differences(journal.head["facts"], facts)
    if changed:
        raise UsageError(
            f"the checkpoint is that of another run: {'; '.join(changed)}",
            "run it with what it began with, or begin a new run with another file",
        )
    last = journal.pending()
    if last is None:
        return
    if under_way is UnderWay.SKIP:
        await journal.outcome(len(journal.exchanges) - 1, {"skipped": True, "at": last.at})
    elif under_way is None and not last.harmless:
        raise Unsure(
            f"the step {last} {_how_it_ended(last)}; sending it again might do its work twice",
            "look at the server; then --resume-step again sends it once more, --resume-step skip goes on without its "
            "answer",
        )


def _how_it_ended(last: Exchange) -> str:
    if last.outcome is None:
        return "was under way when the run stopped, and whether the server carried it out is not known"
    if "error" in last.outcome:
        return f"failed without an answer ({last.outcome['error']}), and whether the server carried it out is not known"
    return f"failed, although the server answered {last.outcome['status']}"


@asynccontextmanager
async def opened(
    path: Path, facts: Facts, *, resume: bool = False, under_way: UnderWay | None = None
) -> AsyncGenerator[Journal]:
    """The journal of a run in a file. Raises UsageError where the run may not begin, or not go on."""
    if resume and not path.is_file():  # noqa: ASYNC240 - one look, before anything runs
        raise UsageError(f"there is no checkpoint {path} to go on from", "leave --resume out to begin")
    with JournalFile(path) as file:
        journal = Journal(file, file.read())
        if resume:
            await go_on(journal, facts, under_way)
        else:
            await begin(journal, facts)
        yield journal


def inputs_in(path: Path) -> dict[str, Any]:
    """What need not be given again to go on: every input but secrets."""
    if not path.is_file():
        return {}
    with JournalFile(path) as file:
        head = Journal(file, file.read()).head
    return {} if head is None else remembered(head["facts"])


def start(
    plan: Plan,
    inputs: Mapping[str, Any],
    client: Sender,
    *,
    options: Options,
    secrets: Secrets,
    journal: Journal | None = None,
    clock: Clock | None = None,
) -> tuple[Run, AsyncIterator[Event]]:
    """A run and its events, with a journal or without."""
    if journal is None:
        plain = Run(plan, inputs, client, options=options, secrets=secrets, clock=clock)
        return plain, plain.events()
    durable = Durable(journal, client, secrets, clock)
    kept = Run(plan, inputs, durable, options=options, secrets=secrets, clock=durable.clock)
    return kept, durable.follow(kept.events())


class Durable:
    """The parts of one run around its journal, which must have begun."""

    def __init__(self, journal: Journal, client: Sender, secrets: Secrets, clock: Clock | None = None) -> None:
        self._journal = journal
        self._client = client
        self._secrets = secrets
        self._again = journal.pending()
        self._past = journal.exchanges[:-1] if self._again else list(journal.exchanges)
        self._position = 0
        self._step = ""
        self._alone = False
        self._before = 0
        self._failed = False
        self._unsure: dict[str, tuple[_Content, str]] = {}
        self._awake = not self._past
        self.clock = _Timeline(clock or SystemClock(), live=not self._past)

    async def send(self, request: Request) -> Answer:
        """The recorded answer, else a new one, which is recorded."""
        number, self._position = self._position, self._position + 1
        if number < len(self._past):
            return self._recorded(number, request)
        if self._again is not None:
            self.clock.passes(self._again.at)
        self.clock.live()
        return await self._sent(number, request)

    async def follow(self, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
        """The events of the run from where it goes on; its start and its end are always told."""
        async for event in events:
            await self._note(event)
            if self._awake or isinstance(event, (RunStarted, RunEnded)):
                yield event

    async def _note(self, event: Event) -> None:
        if isinstance(event, StepStarted):
            self._step, self._before, self._alone = event.step, self._position, True
        elif isinstance(event, StepEnded) and self._alone:
            # The step itself, and none inside it; only what it sent can be what the run failed of.
            self._failed = not event.ok and self._position > self._before
            self._alone = False
        elif isinstance(event, RunEnded):
            status = event.result.status
            await self._journal.ended(status, failed=status is Status.FAILED and self._failed)
        if self._position >= len(self._past) and isinstance(
            event, StepStarted if self._again else (StepStarted, Waiting)
        ):
            self._awake = True

    def _recorded(self, number: int, request: Request) -> Answer:
        past = self._past[number]
        url = self._told(request.url)
        if (past.step, past.method, past.url) != (self._step, request.method, url):
            raise JournalError(
                f"the checkpoint does not fit: request {number + 1} was that of {past}, and now it is "
                f"that of {self._step!r} ({request.method} {url})"
            )
        outcome = past.outcome
        self._key_of(number, request)
        if outcome is not None and "error" not in outcome:
            self._unsure.pop(self._step, None)
        self.clock.passes(past.at if outcome is None else outcome["at"])
        if number + 1 == len(self._past) and self._again is None:
            self.clock.live()  # before a request that is made again, no pause is made again
        if outcome is None:
            raise TimeoutError  # only a time-out of the engine's own leaves a request without a record of its end
        if outcome.get("skipped"):
            raise Skipped(f"{past} was left without its answer when the run went on")
        if "error" in outcome:
            raise ExchangeError(outcome["error"])
        return answer_of(outcome)

    async def _sent(self, number: int, request: Request) -> Answer:
        self._add_key(number, request)
        keyed = any(name.lower() == "idempotency-key" for name, _ in request.headers)
        url = self._told(request.url)
        await self._journal.sent(number, Exchange(self._step, request.method, url, keyed, self.clock.now()))
        try:
            answer = await self._client.send(request)
        except ExchangeError as error:
            unsent = isinstance(error.__cause__, _NEVER_LEFT)
            told = self._secrets.mask(error.message)
            await self._journal.outcome(number, {"at": self.clock.now(), "error": told, "unsent": unsent})
            raise
        await self._journal.outcome(number, record_of(answer, self.clock.now(), self._told(answer.url)))
        self._unsure.pop(self._step, None)
        return answer

    def _told(self, url: str) -> str:
        """As it may be written down, and the same when the run goes on with other secrets."""
        return self._secrets.mask(without_user(url))

    def _add_key(self, number: int, request: Request) -> None:
        """Where the server takes a key and the document gives none, the same request gets the same key every time."""
        key = self._key_of(number, request)
        if key is not None:
            request.headers.append(("Idempotency-Key", key))

    def _key_of(self, number: int, request: Request) -> str | None:
        """As long as a step has no answer to a request, the same request is another try of it, with the same key."""
        if not request.takes_key or any(name.lower() == "idempotency-key" for name, _ in request.headers):
            return None
        content = request.method, request.url, request.content, request.parts
        before, key = self._unsure.get(self._step, (None, ""))
        key = key if before == content else f"{self._journal.run}-{number}"
        self._unsure[self._step] = content, key
        return key


class _Timeline:
    """The time of a run over all its lives, from zero; what lay between two lives does not count."""

    def __init__(self, inner: Clock, *, live: bool) -> None:
        self._inner = inner
        self._passed = 0.0
        self._since = inner.now() if live else None

    def now(self) -> float:
        return self._passed if self._since is None else self._passed + self._inner.now() - self._since

    async def sleep(self, seconds: float) -> None:
        if self._since is not None:
            await self._inner.sleep(seconds)

    def passes(self, at: float) -> None:
        """It is as late as it was then; no matter once time passes by itself."""
        if self._since is None:
            self._passed = max(self._passed, at)

    def live(self) -> None:
        """From now on time passes by itself."""
        if self._since is None:
            self._since = self._inner.now()
