"""A recorded run in the place of the network: the same answers, no waiting, and a list of what is different now."""

from __future__ import annotations

import asyncio
import difflib
import hashlib
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

import httpx

from heddle.arazzo.durable import OWN_KEY
from heddle.arazzo.events import Event, Result
from heddle.arazzo.masking import MASK, Secrets
from heddle.arazzo.recording import Body, Exchange, Recorder, Sent
from heddle.arazzo.traces import Trace, plain

_LONG = 120
#: What says nothing about the document: who sent it, how long it is.
_UNTOLD = {"host", "user-agent", "content-length", "accept-encoding", "connection"}
_ENCODED_MASK = "%2A%2A%2A"


@dataclass(frozen=True, slots=True)
class Difference:
    """`kind` is document, request, body, answer, missing, unsent or end; `step` is empty where there is none."""

    kind: str
    step: str
    message: str


class ReplayClock:
    """Time that passes only because somebody says so."""

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        return self._now

    def pass_by(self, seconds: float) -> None:
        self._now += seconds

    async def sleep(self, seconds: float) -> None:
        self._now += seconds
        await asyncio.sleep(0)


class Replayer(httpx.AsyncBaseTransport):
    """Answers with what was recorded. Each recorded exchange is given once."""

    def __init__(self, exchanges: Sequence[Exchange], clock: ReplayClock, secrets: Secrets) -> None:
        self.differences: list[Difference] = []
        self._shelf = _Shelf(exchanges)
        self._clock = clock
        self._sent = _Sent(secrets)

    def follow(self, event: Event) -> None:
        """Keep up with the run, to know the step of a request."""
        self._sent.follow(event)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        sent = await self._sent.told(request)
        found = self._shelf.take(sent, self._sent.step)
        if found is None:
            self._differ("request", f"{_named(sent)} was not sent in the recorded run, so there is no answer to it")
            raise httpx.ConnectError("the trace has no answer to this request")
        self.differences += (Difference("request", self._sent.step, text) for text in _changes(found.request, sent))
        self._clock.pass_by(found.seconds)
        return self._answer(found)

    def finish(self, recorded: Result | None, result: Result, mask: Callable[[Any], Any]) -> None:
        """What can be said only when the run is over."""
        for one in self._shelf.left():
            text = f"{_named(one.request)} (number {one.number}) is no longer sent"
            self.differences.append(Difference("unsent", one.step, text))
        if recorded is None:
            self.differences.append(
                Difference("end", "", "the recorded run was interrupted; how it would have ended is not known")
            )
            return
        self.differences += (Difference("end", "", text) for text in _ends(recorded, result, mask))

    def _answer(self, found: Exchange) -> httpx.Response:
        answer, fault = found.answer, found.fault
        if answer is None or (fault is not None and answer.body is None):
            raise _error(fault.kind if fault else "", fault.message if fault else "no answer was recorded")
        body = answer.body
        if fault is None and body is not None and not body.whole:
            self._differ(
                "answer",
                f"the answer to {_named(found.request)} is known in part only ({len(body.content)} of {body.size} "
                "bytes): what reads its body may go another way; record with a larger --trace-bodies",
            )
        headers = [pair for pair in answer.headers if pair[0].lower() not in {"content-encoding", "transfer-encoding"}]
        content = body.content if body else b""
        headers = [(name, str(len(content)) if name.lower() == "content-length" else value) for name, value in headers]
        stream = _Replayed(content, fault.kind if fault else None, fault.message if fault else "")
        encoded = [(name.encode("utf-8", "replace"), value.encode("utf-8", "replace")) for name, value in headers]
        return httpx.Response(answer.status, headers=encoded, stream=stream)

    def _differ(self, kind: str, message: str) -> None:
        self.differences.append(Difference(kind, self._sent.step, message))


class _Shelf:
    """Recorded exchanges, found by what is known of a request. A recording may have ten thousand of them."""

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        self._left = dict(enumerate(exchanges))
        self._places: dict[Hashable, deque[int]] = {}
        for at, one in self._left.items():
            for key in _keys(one.request, one.step):
                self._places.setdefault(key, deque()).append(at)

    def left(self) -> Iterable[Exchange]:
        return self._left.values()

    def take(self, sent: Sent, step: str) -> Exchange | None:
        """The next one if it is the same; else the same one later; else what its step sent; else the same address."""
        first = next(iter(self._left), None)
        if first is not None and _identity(self._left[first].request) == _identity(sent):
            return self._left.pop(first)
        found = next((at for at in map(self._first, _keys(sent, step)) if at is not None), None)
        return None if found is None else self._left.pop(found)

    def _first(self, key: Hashable) -> int | None:
        places = self._places.get(key, deque())
        while places and places[0] not in self._left:
            places.popleft()
        return places[0] if places else None


def _keys(sent: Sent, step: str) -> Iterator[Hashable]:
    """From what fits best to what fits at all."""
    identity = _identity(sent)
    yield "step and request", step, identity
    yield "request", identity
    if step:
        yield "step", step
    yield "address", sent.method, urlsplit(_plain_url(sent.url)).path


def _identity(sent: Sent) -> Hashable:
    return sent.method, _plain_url(sent.url), tuple(sorted(_told_headers(sent).items())), _hash(sent.body)


class _Sent:
    """Requests as a recording tells them, so that the two compare."""

    def __init__(self, secrets: Secrets) -> None:
        self._told: list[Exchange] = []
        self._recorder = Recorder(_Silence(), secrets, self._told.append, cap=1 << 30)

    def follow(self, event: Event) -> None:
        self._recorder.follow(event)

    @property
    def step(self) -> str:
        return self._recorder.step

    async def told(self, request: httpx.Request) -> Sent:
        response = await self._recorder.handle_async_request(request)
        await response.aclose()
        return self._told.pop().request


class _Silence(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(204, stream=_Replayed(b"", None, ""))


class _Replayed(httpx.AsyncByteStream):
    """A recorded body, and the way in which it broke off."""

    def __init__(self, content: bytes, fault: str | None, message: str) -> None:
        self._content = content
        self._fault = fault
        self._message = message

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content
        if self._fault is not None:
            raise _error(self._fault, self._message)


def _error(kind: str, message: str) -> Exception:
    """The same error once more: what went wrong by itself may go right the second time, also in a replay."""
    if kind in {"TimeoutError", "CancelledError"}:  # the time limit of a step, or of the run
        return TimeoutError(message)
    shape = getattr(httpx, kind, None)
    known = isinstance(shape, type) and issubclass(shape, httpx.TransportError)
    return cast("type[httpx.TransportError]", shape)(message) if known else httpx.ConnectError(message)


def _changes(recorded: Sent, sent: Sent) -> Iterator[str]:
    """What is different about a request, a sentence each."""
    if (recorded.method, _plain_url(recorded.url)) != (sent.method, _plain_url(sent.url)):
        yield f"{_named(sent)} is sent instead of {_named(recorded)}"
    before, now = _told_headers(recorded), _told_headers(sent)
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            yield f"{_named(sent)}: the header {name} is {_quoted(now.get(name))}, and was {_quoted(before.get(name))}"
    if _hash(recorded.body) != _hash(sent.body):
        yield f"{_named(sent)}: another body: {_body_change(recorded.body, sent.body)}"


def _told_headers(sent: Sent) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for name, value in sent.headers:
        if name.lower() not in _UNTOLD and not _is_own_key(name, value):
            found.setdefault(name.lower(), []).append(value)
    return {name: ", ".join(values) for name, values in found.items()}


def _is_own_key(name: str, value: str) -> bool:
    """Whether a run with a checkpoint gave it; it is another one each time, and a replay gives none."""
    return name.lower() == "idempotency-key" and OWN_KEY.fullmatch(value) is not None


def _plain_url(url: str) -> str:
    """A masked value is masked, whether it came before or after the encoding."""
    return url.replace(_ENCODED_MASK, MASK).replace(_ENCODED_MASK.lower(), MASK)


def _hash(body: Body | None) -> str:
    """Of the body with masked values in one form."""
    if body is None:
        return ""
    if not body.whole or _ENCODED_MASK.encode() not in body.content:
        return body.sha256
    return hashlib.sha256(body.content.replace(_ENCODED_MASK.encode(), MASK.encode())).hexdigest()


def _body_change(before: Body | None, now: Body | None) -> str:
    """The first member of a JSON body that changed, else the first line, else the sizes."""
    if before is None or now is None:
        return "there was none" if before is None else "there is none any more"
    old, new = before.text, now.text
    if old is None or new is None or not before.whole:
        return f"{now.size} bytes, and {before.size} were recorded"
    try:
        members = list(_members(json.loads(old), json.loads(new), ""))
    except (ValueError, RecursionError):
        members = []
    return "; ".join(members[:3]) or _first_line(old, new)


def _members(before: Any, now: Any, way: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        old, new = cast("dict[str, Any]", before), cast("dict[str, Any]", now)
        for name in dict.fromkeys((*old, *new)):
            yield from _members(old.get(name), new.get(name), f"{way}/{name}")
    elif (
        isinstance(before, list)
        and isinstance(now, list)
        and len(cast("list[Any]", before)) == len(cast("list[Any]", now))
    ):
        for at, (old, new) in enumerate(zip(cast("list[Any]", before), cast("list[Any]", now), strict=True)):
            yield from _members(old, new, f"{way}/{at}")
    elif before != now:
        yield f"{way or '/'} is {_quoted(now)}, and was {_quoted(before)}"


def _first_line(old: str, new: str) -> str:
    changed = (line for line in difflib.ndiff(old.splitlines(), new.splitlines()) if line.startswith(("+", "-")))
    return _quoted(next(changed, ""))


def _ends(recorded: Result, result: Result, mask: Callable[[Any], Any]) -> Iterator[str]:
    if recorded.status is not result.status:
        why = f": {mask(result.reason)}" if result.reason else ""
        yield f"it ends as {result.status}, and was {recorded.status}{why}"
    elif _ended(recorded) != _ended(result):
        yield f"it is ended by {_ended(result)}, and was by {_ended(recorded)}"
    before, now = dict(recorded.outputs), mask(plain(result.outputs))
    for name in dict.fromkeys((*before, *now)):
        if (name in before, before.get(name)) != (name in now, now.get(name)):
            yield f"the output {name} is {_quoted(now.get(name))}, and was {_quoted(before.get(name))}"


def _ended(result: Result) -> str:
    by = result.ended_by
    if by is None:
        return "nothing"
    return f"the step {by.step}" if by.action is None else f"the action {by.action} of the step {by.step}"


def _named(sent: Sent) -> str:
    return f"{sent.method} {_plain_url(sent.url)}"


def _quoted(value: Any) -> str:
    text = "absent" if value is None else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


def compare_document(trace: Trace, content: bytes) -> list[Difference]:
    """Whether the document is still the one that was recorded."""
    if hashlib.sha256(content).hexdigest() == trace.header.sha256:
        return []
    return [Difference("document", "", "the document has changed since the recording")]
