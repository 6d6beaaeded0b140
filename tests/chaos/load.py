"""The load: two accounts, each with several clients that ask until they are answered, and remember what they asked."""

from __future__ import annotations

import io
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from PIL import Image

from tests.chaos.receivers import Receivers

WORKFLOWS = "/v2/consumer/workflows"
BLOBS = "/v2/consumer/blobs"

#: How long a client waits for one answer. A frozen process keeps none.
_PATIENCE = httpx.Timeout(3.0)
#: How long it goes on asking.
_GIVE_UP_S = 120.0

ENDED = frozenset({"succeeded", "failed", "canceled", "expired"})
_WELL = frozenset({"succeeded"})


@dataclass(slots=True)
class Wish:
    """What was asked for under one key, what may become of it, and what was answered."""

    key: str
    account: int
    kind: str
    jobs: int = 0
    may_end: frozenset[str] = _WELL
    workflow_id: str = ""
    deleted: bool = False
    #: A final status that a client was shown.
    seen: str = ""
    #: The id and the bytes of the picture that it starts from.
    source: str = ""
    endpoint: str = ""
    events: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who pays."""

    id: int
    token: str


class Unanswered(Exception):
    """Nobody answered for as long as a client goes on asking."""


class Schedule:
    """Tickets at a steady rate; after a hold-up the clients catch up."""

    def __init__(self, count: int, rate: float) -> None:
        self._count, self._rate = count, rate
        self._next = 0
        self._start = time.monotonic()
        self._lock = threading.Lock()
        self.stop = threading.Event()

    def ticket(self) -> int | None:
        """The next number when it is due; None when there is none any more."""
        with self._lock:
            number = self._next
            if number >= self._count:
                return None
            self._next += 1
        due = self._start + number / self._rate
        return None if self.stop.wait(max(0.0, due - time.monotonic())) else number


class Client(threading.Thread):
    """One connection to each replica, kept alive; one wish after the other."""

    def __init__(self, name: str, account: Account, urls: Callable[[], Sequence[str]], load: Load) -> None:
        super().__init__(name=name)
        self.account = account
        self.wishes: list[Wish] = []
        self.faults: list[str] = []
        self.counts: Counter[str] = Counter()
        self.sources: dict[str, bytes] = {}
        self._urls = urls
        self._load = load
        self._chance = random.Random(f"{load.seed} {name}")
        self._http = httpx.Client(timeout=_PATIENCE, headers={"Authorization": f"Bearer {account.token}"})

    def run(self) -> None:
        with self._http:
            while (number := self._load.schedule.ticket()) is not None:
                kind = self._chance.choices(list(_KINDS), [weight for weight, _ in _KINDS.values()])[0]
                wish = Wish(f"{self._load.seed}-{number}", self.account.id, kind)
                try:
                    _KINDS[kind][1](self, wish)
                except Unanswered as error:
                    self.faults.append(f"{wish.key} ({kind}): {error}")
                except Exception as error:  # noqa: BLE001 - a client that ends early would make the test weaker
                    self.faults.append(f"{wish.key} ({kind}): {type(error).__name__}: {error}")

    # ── asking ────────────────────────────────────────────────────────────────

    def ask(self, method: str, path: str, *good: int, **more: Any) -> httpx.Response:
        """Ask one replica after the other until one answers; an answer that is none of the good ones is a fault."""
        end = time.monotonic() + _GIVE_UP_S
        said = "nobody listens"
        while time.monotonic() < end:
            try:
                answer = self._http.request(method, self._chance.choice(self._urls()) + path, **more)
            except httpx.TransportError as error:
                self.counts["requests without an answer"] += 1
                said = f"{type(error).__name__}: {error}"
                time.sleep(0.05)
                continue
            if answer.status_code == 503:
                self.counts["requests put off (503)"] += 1
                said = answer.text
                time.sleep(0.2)
                continue
            if answer.status_code not in good:
                self.faults.append(f"{method} {path}: {answer.status_code} {answer.text}")
            return answer
        raise Unanswered(f"{method} {path} was not answered in {_GIVE_UP_S:g} s: {said}")

    def submit(
        self, wish: Wish, words: str = "plain", *, steps: int = 1, images: Sequence[str] = (), chained: bool = False
    ) -> dict[str, Any]:
        """Returns what was sent. In a chain each step starts from a picture of the one before, and the words are the
        first one's."""
        before = [{"$ref": f"${n - 1}", "path": "output.images[0].url"} for n in range(steps)]
        quantities = [self._chance.choice((1, 1, 2)) for _ in range(steps)]
        given: list[dict[str, Any]] = [
            {
                "engine": "plates",
                "prompt": f"{wish.key} {n} {'plain' if chained and n else words}",
                "steps": self._chance.randint(1, 30),
                "quantity": quantity,
                "images": [before[n]] if chained and n else list(images),
            }
            for n, quantity in enumerate(quantities)
        ]
        wish.jobs = sum(quantities)
        wish.endpoint, wish.events = self._load.endpoint(self._chance)
        body: dict[str, Any] = {"steps": [{"$type": "imageGen", "input": one} for one in given], "tags": [wish.kind]}
        if wish.endpoint:
            body |= {"callbackUrl": wish.endpoint, "callbackEvents": wish.events}
        self.wishes.append(wish)
        self.send(wish, body)
        if self._chance.random() < 0.1:  # as a client does that lost the answer
            self.send(wish, body)
        return body

    def send(self, wish: Wish, body: dict[str, Any]) -> None:
        answer = self.ask("POST", WORKFLOWS, 202, headers={"Idempotency-Key": wish.key}, json=body)
        if answer.status_code != 202:
            return
        workflow_id = answer.json()["id"]
        if wish.workflow_id not in {"", workflow_id}:
            self.faults.append(f"{wish.key}: submitted as {wish.workflow_id}, and again as {workflow_id}")
        wish.workflow_id = workflow_id

    def look(self, wish: Wish) -> str:
        status = self.ask("GET", f"{WORKFLOWS}/{wish.workflow_id}", 200).json().get("status", "")
        if wish.seen and status != wish.seen:
            self.faults.append(f"{wish.key}: was shown as {wish.seen}, and then as {status}")
        if status in ENDED:
            wish.seen = status
        return status

    def picture(self) -> bytes:
        pixels = Image.frombytes("RGB", (64, 64), self._chance.randbytes(3) * 64 * 64)
        file = io.BytesIO()
        pixels.save(file, "PNG")
        return file.getvalue()

    # ── kinds of wishes ───────────────────────────────────────────────────────

    def plain(self, wish: Wish) -> None:
        self.submit(wish)

    def slow(self, wish: Wish) -> None:
        self.submit(wish, "slow")

    def pair(self, wish: Wish) -> None:
        self.submit(wish, steps=2)

    def chain(self, wish: Wish) -> None:
        self.submit(wish, self._chance.choice(("plain", "slow", "retry")), steps=3, chained=True)

    def broken(self, wish: Wish) -> None:
        """A chain whose first step fails: the others never run."""
        wish.may_end = frozenset({"failed"})
        self.submit(wish, "fail", steps=2, chained=True)

    def retry(self, wish: Wish) -> None:
        self.submit(wish, "retry")

    def fail(self, wish: Wish) -> None:
        wish.may_end = frozenset({"failed"})
        self.submit(wish, "fail")

    def watch(self, wish: Wish) -> None:
        self.submit(wish)
        for _ in range(5):
            self.look(wish)

    def cancel(self, wish: Wish) -> None:
        wish.may_end = frozenset({"succeeded", "canceled"})
        self.submit(wish, "slow")
        answer = self.ask("PUT", f"{WORKFLOWS}/{wish.workflow_id}", 200, json={"status": "canceled"})
        wish.seen = answer.json().get("status", "")
        if wish.seen not in wish.may_end:
            self.faults.append(f"{wish.key}: {wish.seen} after a cancel")

    def delete(self, wish: Wish) -> None:
        wish.may_end = frozenset({"succeeded", "canceled"})
        body = self.submit(wish, "slow")
        # 404: the first try was carried out, and its answer was lost.
        self.ask("DELETE", f"{WORKFLOWS}/{wish.workflow_id}", 204, 404)
        wish.deleted = True
        self.send(wish, body)  # a copy that was held up on its way

    def variant(self, wish: Wish) -> None:
        source = self.picture()
        answer = self.ask("POST", BLOBS, 201, content=source, headers={"Content-Type": "image/png"})
        wish.source = answer.json()["id"]
        self.sources[wish.source] = source
        self.submit(wish, images=[wish.source])

    def late(self, wish: Wish) -> None:
        """Submitted before its picture is there."""
        source, promise = self.picture(), self.promise(wish)
        self.submit(wish, images=[wish.source])
        path = promise["uploadUrl"].removeprefix("http://").partition("/")[2]
        answer = self.ask("PUT", f"/{path}", 201, 409, 403, 404, content=source, headers=promise["headers"])
        if answer.status_code in {403, 404}:  # held up for so long that the time was over
            wish.may_end = frozenset({"expired"})
        else:
            self.sources[wish.source] = source

    def never(self, wish: Wish) -> None:
        """Its picture never comes."""
        wish.may_end = frozenset({"expired"})
        self.promise(wish)
        self.submit(wish, images=[wish.source])

    def promise(self, wish: Wish) -> dict[str, Any]:
        answer = self.ask("GET", f"{BLOBS}/upload-url?mimeType=image/png", 200)
        promise: dict[str, Any] = answer.json()
        wish.source = promise["blobId"]
        return promise


#: What clients do, and how often.
_KINDS: dict[str, tuple[int, Callable[[Client, Wish], None]]] = {
    "plain": (48, Client.plain),
    "pair": (6, Client.pair),
    "chain": (8, Client.chain),
    "broken": (2, Client.broken),
    "slow": (4, Client.slow),
    "retry": (5, Client.retry),
    "fail": (5, Client.fail),
    "watch": (5, Client.watch),
    "cancel": (5, Client.cancel),
    "delete": (4, Client.delete),
    "variant": (5, Client.variant),
    "late": (2, Client.late),
    "never": (1, Client.never),
}


class Load:
    """All clients of all accounts."""

    def __init__(
        self,
        accounts: Sequence[Account],
        urls: Callable[[], Sequence[str]],
        receivers: Receivers,
        *,
        seed: int,
        workflows: int,
        rate: float,
        clients: int = 4,
    ) -> None:
        self.seed = seed
        self.schedule = Schedule(workflows, rate)
        self._receivers = receivers
        self.clients = [Client(f"client {a.id}-{n}", a, urls, self) for a in accounts for n in range(clients)]

    def start(self) -> Load:
        for client in self.clients:
            client.start()
        return self

    def stop(self) -> None:
        """No more tickets; every client ends what it is at."""
        self.schedule.stop.set()
        for client in self.clients:
            client.join(_GIVE_UP_S + 60)

    @property
    def running(self) -> bool:
        return any(client.is_alive() for client in self.clients)

    @property
    def wishes(self) -> list[Wish]:
        return [wish for client in self.clients for wish in list(client.wishes)]

    @property
    def accepted(self) -> int:
        return sum(1 for wish in self.wishes if wish.workflow_id)

    @property
    def faults(self) -> list[str]:
        return [fault for client in self.clients for fault in client.faults]

    @property
    def counts(self) -> Counter[str]:
        return sum((client.counts for client in self.clients), Counter[str]())

    @property
    def sources(self) -> dict[str, bytes]:
        return {blob_id: source for client in self.clients for blob_id, source in client.sources.items()}

    def endpoint(self, chance: random.Random) -> tuple[str, list[str]]:
        """Who is told of a workflow, and what of it; one in ten tells nobody."""
        r = self._receivers
        receiver = chance.choices((r.steady, r.failing, r.hanging, None), (55, 25, 10, 10))[0]
        if receiver is None:
            return "", []
        return receiver.url, chance.choice((["workflow:*"], ["workflow:*"], ["workflow:*", "step:*", "job:*"]))
