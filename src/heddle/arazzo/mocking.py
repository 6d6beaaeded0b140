"""Answers that nobody gave: a transport that makes them up from the OpenAPI descriptions."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

import httpx

from heddle.arazzo.events import Event, StepStarted
from heddle.arazzo.expressions import ABSENT
from heddle.arazzo.openapi import Description, Operation, media_type
from heddle.arazzo.replay import ReplayClock
from heddle.arazzo.samples import Samples
from heddle.arazzo.sources import Linked

SERVER = "http://mock.invalid"
SECONDS = 0.001
"""How long an answer takes, on the clock that does not wait."""


class Mock(httpx.AsyncBaseTransport):
    """Answers every described request with its first good answer, and everything else with 404."""

    def __init__(self, linked: Linked, seed: int, clock: ReplayClock) -> None:
        self._seed = seed
        self._clock = clock
        self._turns: Counter[tuple[str, str]] = Counter()
        self._askers: dict[tuple[str, str], str] = {}
        self._step = ""
        self._routes = [route for description in _descriptions(linked) for route in _routes(description)]

    def follow(self, event: Event) -> None:
        """Keep up with the run, to know which step asks."""
        if isinstance(event, StepStarted):
            self._step = event.step

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self._clock.pass_by(SECONDS)
        turn = self._turn(request.method, str(request.url))
        route = next((one for one in self._routes if one.fits(request)), None)
        if route is None:
            return _of_upload(request) or _answer(
                404, {"message": f"{request.method} {request.url.path} is not described"}
            )
        return route.answer(Samples(route.description.tree.value, SERVER, self._seed), turn)

    def _turn(self, method: str, url: str) -> int:
        """A step that asks again wants to see something move; another step sees what the last one saw."""
        key = method, url
        if self._askers.get(key) == self._step:
            self._turns[key] += 1
        self._askers[key] = self._step
        return self._turns[key]


class _Route:
    """One operation, as a pattern of URLs."""

    def __init__(self, description: Description, operation: Operation, fields: Mapping[str, Any]) -> None:
        self.description = description
        self._method = operation.method
        self._fields = fields
        path = urlsplit(operation.server).path.rstrip("/") + operation.path
        self._segments = [re.split(r"\{[^{}]*\}", segment) for segment in path.split("/")]
        self.variables = path.count("{")

    def fits(self, request: httpx.Request) -> bool:
        path = request.url.raw_path.partition(b"?")[0].decode("ascii", "replace")
        if request.method != self._method:
            return False
        segments = path.split("/")
        return len(segments) == len(self._segments) and all(map(_fits, self._segments, segments))

    def answer(self, samples: Samples, turn: int) -> httpx.Response:
        responses = self._fields.get("responses")
        described = cast("dict[str, Any]", responses) if isinstance(responses, dict) else {}
        status, response = _chosen({str(code): samples.resolved(one) for code, one in described.items()})
        content = response.get("content")
        media = _chosen_media(cast("dict[str, Any]", content) if isinstance(content, dict) else {})
        headers = dict(_headers(response, samples, turn))
        if media is None:
            return _answer(status, ABSENT, headers)
        kind, shape = media
        return _answer(status, samples.of_media(samples.resolved(shape), turn), headers, kind)


def _fits(literals: Sequence[str], segment: str) -> bool:
    """Whether a part of a path is these literals with something between each two. Takes no longer for being odd."""
    first, *rest = literals
    if not rest:
        return segment == first
    last = rest.pop()
    at, end = len(first), len(segment) - len(last)
    if not segment.startswith(first) or not segment.endswith(last):
        return False
    for literal in rest:
        at = segment.find(literal, at + 1, end)
        if at < 0:
            return False
        at += len(literal)
    return at < end


def _descriptions(linked: Linked, seen: frozenset[int] = frozenset()) -> Iterator[Description]:
    yield from linked.descriptions.values()
    for other in linked.others.values():
        if id(other) not in seen:
            yield from _descriptions(other, seen | {id(linked), id(other)})


def _routes(description: Description) -> Sequence[_Route]:
    """`/things/mine` before `/things/{id}`."""
    routes = [_Route(description, operation, fields) for operation, fields in description.operations()]
    return sorted(routes, key=lambda route: route.variables)


def _chosen(responses: Mapping[str, Mapping[str, Any]]) -> tuple[int, Mapping[str, Any]]:
    """The first answer of success, else `2XX` or `default`, else whatever there is."""
    good = sorted(code for code in responses if re.fullmatch(r"2[0-9][0-9]", code))
    if good:
        return int(good[0]), responses[good[0]]
    name = next((code for code in responses if code.upper() == "2XX" or code == "default"), None)
    if name is not None:
        return 200, responses[name]
    other = next((code for code in responses if re.fullmatch(r"[1-5][0-9][0-9]", code)), None)
    return (int(other), responses[other]) if other else (200, {})


def _chosen_media(content: Mapping[str, Any]) -> tuple[str, Any] | None:
    """JSON where it is there."""
    kinds = sorted(content, key=lambda kind: "json" not in kind)
    return (kinds[0], content[kinds[0]]) if kinds else None


def _headers(response: Mapping[str, Any], samples: Samples, turn: int) -> Iterator[tuple[str, str]]:
    described = response.get("headers")
    for name, header in (cast("dict[str, Any]", described) if isinstance(described, dict) else {}).items():
        value = samples.of_media(samples.resolved(header), turn)
        if isinstance(value, (str, int, float)) and re.fullmatch(r"[\x21-\x7e]+", name) and name.lower() not in _OURS:
            yield name, re.sub(r"[^\x20-\x7e]", "?", str(value))


_OURS = {"content-type", "content-length", "content-encoding", "transfer-encoding", "location", "retry-after"}


def _answer(
    status: int, body: Any, headers: Mapping[str, str] | None = None, kind: str = "application/json"
) -> httpx.Response:
    if body is ABSENT:
        return httpx.Response(status, headers=dict(headers or {}))
    plain = media_type(kind)
    is_json = plain == "application/json" or plain.endswith("+json") or not isinstance(body, str)
    content = json.dumps(body, ensure_ascii=False, default=str).encode() if is_json else str(body).encode()
    kind = "application/json" if "*" in kind or not re.fullmatch(r"[\x20-\x7e]+", kind) else kind
    return httpx.Response(status, headers={**(headers or {}), "Content-Type": kind}, content=content)


def _of_upload(request: httpx.Request) -> httpx.Response | None:
    """A made-up link takes what is put there, and gives nothing."""
    made_up = str(request.url).startswith(f"{SERVER}/made-up/")
    return httpx.Response(200 if request.method == "PUT" else 204) if made_up else None
