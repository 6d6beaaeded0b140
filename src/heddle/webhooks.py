"""Webhooks: takes events from the outbox and posts them, in order per workflow and endpoint, signed, until they arrive.

The loop looks at what is due, claims as much as it has hands for, and starts one task per event. An endpoint that is
down costs a hand for as long as a try takes, at most `per_host` of them and only one once its host has stopped
answering; everybody else goes on. Nothing here touches a workflow: a dead endpoint never blocks a run.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from random import SystemRandom

import msgspec

from heddle import accounts, domain, egress, metrics, outbox
from heddle.db import Database
from heddle.domain import JSON
from heddle.egress import Answer, FetchFailed
from heddle.errors import Unavailable
from heddle.outbox import Claim, Claimed, Offer, Outcome
from heddle.settings import Settings

log = logging.getLogger(__name__)

#: Completes a stored body just before it is sent, for what must be fresh (signed links).
Fill = Callable[[JSON], JSON]

#: How many due events one look reads.
_WINDOW = 128
#: A lease outlives the try that it covers by this, so that only a dead sender's lease runs out.
_GRACE_S = 15.0
#: A receiver may ask for a pause of at most this.
_LONGEST_PAUSE_S = 3600.0
#: A look past busy hosts costs what their backlog is long; this is the share of the time that such looks may take.
_LOOK_SHARE = 0.1
_MOST_SILENT = 10_000
_MOST_SECRETS = 10_000
#: What a try is counted as.
_OUTCOMES = {"delivered": "delivered", "waiting": "retried", "dead": "dead"}

_chance = SystemRandom().random


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast, and how many at once."""

    poll_s: float = 1.0
    #: From one look to the next, at least: what becomes due in between is taken together. A quarter in a backlog.
    breath_s: float = 0.04
    first_retry_s: float = 1.0
    longest_retry_s: float = 600.0
    at_once: int = 32
    per_host: int = 4

    def delay(self, tries: int, pause_s: float, chance: float) -> float:
        """Seconds until the next try: doubled each time, or what the receiver asks for; by chance up to 1/5 more."""
        doubled = self.first_retry_s * 2.0 ** min(tries - 1, 32)
        return max(min(doubled, self.longest_retry_s), pause_s) * (1 + chance / 5)


def signature(secret: str, event_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header of Standard Webhooks; `secret` is `whsec_` and base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{event_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


class Deliverer:
    """Runs until canceled. Several may run on one database: claims are leases."""

    def __init__(
        self,
        db: Database,
        settings: Settings,
        fill: Fill,
        *,
        client: egress.Client | None = None,
        pace: Pace | None = None,
        now: Callable[[], datetime] = domain.now,
        chance: Callable[[], float] = _chance,
    ) -> None:
        self._db = db
        self._settings = settings
        self._fill = fill
        self._pace = pace or Pace()
        self._client = client or egress.Client(
            allow_private=settings.callbacks_private, connections=2 * self._pace.at_once
        )
        self._now = now
        self._chance = chance
        self._wake = asyncio.Event()
        self._sending: dict[asyncio.Task[None], Claimed] = {}
        self._busy: Counter[str] = Counter()
        self._silent: set[str] = set()
        self._look_again = 0.0
        #: Whether something may be due that waits for a hand or for its host: who ends then wakes us.
        self._held = True
        self._next_at: datetime | None = None
        self._looked = 0.0
        self._secrets: dict[int, str] = {}

    async def run(self) -> None:
        """Deliver until canceled; then what was under way is given back, to be sent again."""
        self._db.listen("outbox", self._wake.set)
        try:
            while True:
                self._wake.clear()
                try:
                    await self._start_due()
                    await self._rest()
                except Unavailable as error:
                    log.warning("webhooks wait for the database: %s", error)
                    await asyncio.sleep(self._pace.poll_s)
        finally:
            await self._stop()

    # ── which ─────────────────────────────────────────────────────────────────

    async def _start_due(self) -> None:
        # Until we know better, so that an end while we look is not missed.
        self._held = True
        self._next_at = None
        self._looked = time.monotonic()
        free = self._pace.at_once - len(self._sending)
        at = self._now()
        offers = await self._choose(at, free) if free > 0 else []
        if not offers:
            return
        until = at + timedelta(seconds=self._settings.webhook_timeout_s + _GRACE_S)
        wanted = Claim(ids=[offer.id for offer in offers], at=at, until=until)
        for claimed in await self._db.write(outbox.claim, wanted):
            self._start(claimed)

    async def _choose(self, at: datetime, free: int) -> list[Offer]:
        """As many due events as there are free hands, hosts that wait for nothing else first.

        The oldest are looked at first. When they are all for hosts at their bound, fresh events are found at the
        other end, and what lies between by a longer look now and then.
        """
        outlook = await self._db.read(outbox.outlook, at, _WINDOW)
        offers, self._next_at = outlook.offers, outlook.next_at
        chosen = self._fitting(offers, free)
        # With a free hand left over nothing is: an end is then no reason to look.
        self._held = len(chosen) < len(offers) or len(offers) == _WINDOW
        if len(chosen) < free and len(offers) == _WINDOW:
            offers = _merged(offers, await self._db.read(outbox.newest_due, at, _WINDOW))
            chosen = self._fitting(offers, free)
        if len(chosen) < free and len(offers) > _WINDOW:
            chosen = self._fitting(_merged(offers, await self._look_past(offers, at)), free)
        return chosen

    def _fitting(self, offers: Sequence[Offer], free: int) -> list[Offer]:
        under_way = Counter(self._busy)
        fitting: list[tuple[int, Offer]] = []
        for offer in offers:
            host = egress.origin(offer.endpoint)
            if under_way[host] < self._bound(host):
                fitting.append((under_way[host], offer))
                under_way[host] += 1
        fitting.sort(key=lambda pair: pair[0])
        return [offer for _, offer in fitting[:free]]

    async def _look_past(self, offers: Sequence[Offer], at: datetime) -> list[Offer]:
        """What is due behind the backlog of hosts that are at their bound; nothing when we looked a moment ago."""
        started = time.monotonic()
        if started < self._look_again:
            return []
        hosts = sorted({egress.origin(offer.endpoint) for offer in offers})
        found = await asyncio.to_thread(self._db.look, outbox.due, at, _WINDOW, hosts)
        ended = time.monotonic()
        self._look_again = ended + (ended - started) / _LOOK_SHARE
        return found

    def _bound(self, host: str) -> int:
        return 1 if host in self._silent else self._pace.per_host

    async def _rest(self) -> None:
        """Until a commit or an ended try wakes us, the next event is due, or the poll; but a breath at least."""
        seconds = self._pace.poll_s
        if self._next_at is not None:
            seconds = min(seconds, (self._next_at - self._now()).total_seconds())
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        breath_s = self._pace.breath_s / 4 if self._held else self._pace.breath_s
        if (left := self._looked + breath_s - time.monotonic()) > 0:
            await asyncio.sleep(left)

    # ── one event ─────────────────────────────────────────────────────────────

    def _start(self, claimed: Claimed) -> None:
        self._busy[egress.origin(claimed.endpoint)] += 1
        task = asyncio.create_task(self._deliver(claimed))
        self._sending[task] = claimed
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        claimed = self._sending.pop(task)
        host = egress.origin(claimed.endpoint)
        self._busy[host] -= 1
        if self._busy[host] == 0:
            del self._busy[host]
        if self._held:
            self._wake.set()
        if not task.cancelled() and (error := task.exception()):
            # Its lease runs out, and it is sent again.
            log.error("event %d was not recorded: %s", claimed.id, error, exc_info=error)

    async def _deliver(self, claimed: Claimed) -> None:
        began = time.monotonic()
        try:
            body = msgspec.json.encode(self._fill(claimed.body))
            secret = await self._secret(claimed.account_id)
            outcome = self._judge(claimed, await self._post(claimed, body, secret))
        except FetchFailed as error:
            self._hear(claimed.endpoint, answered=False)
            outcome = self._failed(claimed, error.message)
        except Exception as error:
            # An event that cannot even be written must end as a dead letter, not hold up its line for good.
            log.exception("event %d could not be sent", claimed.id, extra={"workflow_id": claimed.workflow_id})
            outcome = self._failed(claimed, f"could not be sent: {type(error).__name__}: {error}")
        metrics.webhook_seconds.observe(time.monotonic() - began)
        metrics.webhook_deliveries.labels(_OUTCOMES[outcome.state]).inc()
        await self._db.write(outbox.settle, outcome)
        if outcome.state == "waiting":  # sooner, maybe, than what we sleep until
            self._wake.set()

    async def _secret(self, account_id: int) -> str:
        """Read once: the secret of an account stays as it was made."""
        if account_id not in self._secrets:
            if len(self._secrets) >= _MOST_SECRETS:
                self._secrets.clear()
            self._secrets[account_id] = await self._db.read(accounts.webhook_secret, account_id)
        return self._secrets[account_id]

    async def _post(self, claimed: Claimed, body: bytes, secret: str) -> Answer:
        event_id, timestamp = f"evt_{claimed.id}", int(self._now().timestamp())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": event_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(secret, event_id, timestamp, body),
            "Heddle-Sequence": str(claimed.seq),
        }
        return await self._client.post(claimed.endpoint, body, headers, timeout_s=self._settings.webhook_timeout_s)

    def _judge(self, claimed: Claimed, answer: Answer) -> Outcome:
        self._hear(claimed.endpoint, answered=True)
        if 200 <= answer.status < 300:
            return Outcome(claimed=claimed, state="delivered", at=self._now())
        if answer.status == 410:
            return self._dead(claimed, "answered 410: the endpoint is gone")
        if 300 <= answer.status < 400:
            return self._failed(
                claimed, f"answered {answer.status}: redirects are not followed, give the final address"
            )
        return self._failed(claimed, f"answered {answer.status}", _pause_s(answer, self._now()))

    def _failed(self, claimed: Claimed, error: str, pause_s: float = 0.0) -> Outcome:
        if claimed.tries >= self._settings.webhook_tries:
            return self._dead(claimed, error)
        wait = timedelta(seconds=self._pace.delay(claimed.tries, pause_s, self._chance()))
        return Outcome(claimed=claimed, state="waiting", at=self._now() + wait, error=error)

    def _dead(self, claimed: Claimed, error: str) -> Outcome:
        host = egress.origin(claimed.endpoint)
        extra = {"event": "webhook_dead", "workflow_id": claimed.workflow_id, "account_id": claimed.account_id}
        log.warning("event %d for %s is dead after %d tries: %s", claimed.id, host, claimed.tries, error, extra=extra)
        return Outcome(claimed=claimed, state="dead", at=self._now(), error=error)

    def _hear(self, endpoint: str, *, answered: bool) -> None:
        """Remember which hosts do not answer at all: they hold a hand for the whole time limit."""
        if answered:
            self._silent.discard(egress.origin(endpoint))
            return
        if len(self._silent) >= _MOST_SILENT:
            self._silent.clear()
        self._silent.add(egress.origin(endpoint))

    async def _stop(self) -> None:
        under_way = dict(self._sending)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        # Counts only for those that were interrupted before their outcome was recorded.
        await asyncio.gather(*(self._db.write(outbox.release, claimed) for claimed in under_way.values()))
        await self._client.aclose()


def _merged(offers: Sequence[Offer], more: Sequence[Offer]) -> list[Offer]:
    return list({offer.id: offer for offer in [*offers, *more]}.values())


def _pause_s(answer: Answer, at: datetime) -> float:
    """What `Retry-After` asks for, within reason; 0 when it asks for nothing that can be read."""
    asked = answer.headers.get("retry-after", "").strip()
    if asked.isdecimal():
        return min(float(asked), _LONGEST_PAUSE_S)
    try:
        moment = parsedate_to_datetime(asked)
    except ValueError:
        return 0.0
    seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - at).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_PAUSE_S)
