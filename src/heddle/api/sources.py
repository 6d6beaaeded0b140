"""Sources of steps that are not blob ids: links to our own blobs, URLs, data: URLs and base64 become blobs.

All of a request is checked with stand-ins first, so that nothing is fetched for one that would be refused anyway.
Bytes from elsewhere come through the guarded client and the media gate, as every upload does. Their records are
written with the workflow: a request that is refused in the end leaves bytes that nobody knows of, and takes them back.
A source may stand in the workflow's `arguments`: the reference to it is replaced by the blob then.
"""

from __future__ import annotations

import asyncio
import copy
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast
from urllib.parse import urlsplit

from heddle import egress, media
from heddle.api import intake
from heddle.api.deps import Deps
from heddle.api.incoming import Incoming
from heddle.api.room import Hold
from heddle.blobs import Stored
from heddle.contract.base import LISTED
from heddle.contract.base import path as join
from heddle.domain import new_id
from heddle.egress import FetchFailed
from heddle.errors import CallerError, InvalidRequest, TooLarge, Unavailable, UnsupportedMedia
from heddle.steps import takes
from heddle.workflows import references
from heddle.workflows.references import Arguments, Unresolved

#: Different sources of one request that are not blob ids.
MOST = 50

#: Values that references to arguments may bring in.
_VALUES = 100_000

#: Brought in at the same time for one request, and how long each fetch may take.
_AT_ONCE = 4
_FETCH_S = 30.0

_ID = re.compile(r"blob_[0-9A-Z]{26}")
_OWN = re.compile(r"/v2/consumer/blobs/(?:content/)?(blob_[0-9A-Z]{26})")

#: What a source is read as that is to be brought in.
_ELSEWHERE = ""

#: Step type -> field pattern -> the media that it may hold.
MediaOf = Mapping[str, Mapping[str, tuple[str, ...]]]

#: Where a request has a value.
At = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Given:
    """A source that is not a blob id: what the request says, the media that are taken, and all places of it."""

    value: str
    media: tuple[str, ...]
    places: list[At]


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """A request with blob ids alone, and the bytes that came for it: they lie in storage, and no record names them."""

    raw: Any
    stored: Sequence[Stored] = ()

    def facts(self, blob_id: str) -> Stored | None:
        """What is known of a blob that is still to be recorded."""
        return next((one for one in self.stored if one.blob_id == blob_id), None)

    async def discard(self, parts: Deps) -> None:
        """Take the bytes back."""
        await intake.discard(parts, *(one.key for one in self.stored))


class Sources:
    """The sources of a submitted request. `media_of` says which fields of each step type hold which media."""

    def __init__(self, raw: Any, media_of: MediaOf, base_url: str) -> None:
        #: Stands for blobs that are still to be made while the rest of the request is checked. No caller can name it:
        #: that blob would be taken for one that is coming.
        self.stand_in = new_id("blob")
        #: Its own: links of ours and arguments are put into it.
        self._raw: Any = raw
        # Not `urlsplit`, which raises for some hosts that a caller may name: such a caller only has no links of ours.
        self._host = base_url.partition("://")[2].partition("/")[0]
        self._known: dict[str, str | None] = {}
        self._put_arguments(raw, media_of)
        given: dict[tuple[str, tuple[str, ...]], Given] = {}
        for at, value, kinds in list(_strings(raw, media_of)):
            if (blob_id := self._read(value)) == _ELSEWHERE:
                given.setdefault((value, kinds), Given(value, kinds, [])).places.append(at)
            elif blob_id is not None:
                _put(raw, at, blob_id)
        self._given = list(given.values())
        if len(self._given) > MOST:
            raise InvalidRequest.of("steps", f"at most {MOST} sources may be given as URLs or bytes; upload the others")

    def _read(self, value: str) -> str | None:
        """The blob that a link of ours is to; `_ELSEWHERE` for what is to be brought in; None for all else."""
        if value not in self._known:
            elsewhere = _ELSEWHERE if _is_elsewhere(value) else None
            self._known[value] = _own(value, self._host) or elsewhere
        return self._known[value]

    def _put_arguments(self, raw: Any, media_of: MediaOf) -> None:
        """Arguments that hold sources in another way than as blob ids, in the place of the references to them."""
        values = cast("Mapping[str, Any]", raw).get("arguments") if isinstance(raw, Mapping) else None
        if not isinstance(values, dict):
            return
        members = cast("dict[str, Any]", values)
        arguments, left, used = Arguments(members), _VALUES, set[str]()
        for i, step, pattern, _ in _fields(raw, media_of):
            for at, path, rest in list(_references(step.get("input"), pattern, ("steps", i, "input"))):
                try:
                    found = arguments.at(path)
                except Unresolved:
                    continue  # refused when the request is planned
                if (left := left - found.count) < 0:
                    raise TooLarge(f"with its arguments in place the body has more than {_VALUES} values")
                if any(self._read(value) is not None for _, value in _matches(found.value, rest, ())):
                    _put(raw, at, copy.deepcopy(found.value))
                    used.update(_first(path, members))
        # They may be as long as a body, which what stays in a request may not.
        for name in used - _referred(raw, members):
            members[name] = ""

    @property
    def steps(self) -> frozenset[int]:
        """The steps for which something is still to be brought in."""
        return frozenset(int(at[1]) for one in self._given for at in one.places)

    def checked(self) -> Any:
        """The request with stand-ins for what is still to be brought in."""
        return self._with({at: self.stand_in for one in self._given for at in one.places})

    async def bring(self, parts: Deps, account_id: int) -> Brought:
        """Fetch, check and store. Raises InvalidRequest with every source that cannot be had; then nothing is kept."""
        same: dict[str, list[Given]] = defaultdict(list)
        for one in self._given:
            same[_name(one.value)].append(one)
        async with egress.Client(allow_private=parts.settings.sources_private, connections=_AT_ONCE) as client:
            carrier = _Carrier(parts, client, account_id)
            made = [carrier.bring(listed[0].value, [one.media for one in listed]) for listed in same.values()]
            found = await asyncio.gather(*made, return_exceptions=True)
        brought = Brought(raw=self._raw, stored=carrier.stored)
        try:
            ids = _ids(zip(same.values(), found, strict=True))
        except BaseException:
            await brought.discard(parts)
            raise
        return replace(brought, raw=self._with(ids))

    def _with(self, ids: Mapping[At, str]) -> Any:
        if not ids:
            return self._raw
        made = copy.deepcopy(self._raw)
        for at, blob_id in ids.items():
            _put(made, at, blob_id)
        return made


def _ids(outcomes: Iterable[tuple[Sequence[Given], Stored | BaseException]]) -> dict[At, str]:
    """The blob id for each place. Raises InvalidRequest with all places for which there is none."""
    ids: dict[At, str] = {}
    problems: dict[str, list[str]] = {}
    trouble: list[BaseException] = []
    for listed, outcome in outcomes:
        if isinstance(outcome, CallerError | FetchFailed):
            problems |= {join(at): [_problem(outcome)] for one in listed for at in one.places[:LISTED]}
        elif isinstance(outcome, BaseException):
            trouble.append(outcome)
        else:
            ids |= {at: outcome.blob_id for one in listed for at in one.places}
            problems |= {
                join(at): [_unfit(outcome.mime, [one.media])]
                for one in listed
                if not takes(one.media, outcome.mime)
                for at in one.places[:LISTED]
            }
    # What passes by itself is said last: whoever tries again should not then hear of a mistake.
    for error in sorted(trouble, key=lambda e: isinstance(e, Unavailable)):
        if not (problems and isinstance(error, Unavailable)):
            raise error
    if problems:
        first = next(iter(problems))
        raise InvalidRequest(f"{first}: {problems[first][0]}", problems)
    return ids


def _unfit(mime: str, wanted: Sequence[tuple[str, ...]]) -> str:
    return f"it is {mime}, and this must be {' or '.join(dict.fromkeys(kind for kinds in wanted for kind in kinds))}"


def _problem(error: CallerError | FetchFailed) -> str:
    """What is wrong, without the name of a field: the source's place is the field."""
    if isinstance(error, InvalidRequest) and error.fields:
        return next(iter(error.fields.values()))[0]
    return error.message


def _fields(raw: Any, media_of: MediaOf) -> Iterator[tuple[int, Mapping[str, Any], list[str], tuple[str, ...]]]:
    """Every pattern of every step: the number of the step, the step, the pattern in parts, the media."""
    steps = cast("Mapping[str, Any]", raw).get("steps") if isinstance(raw, Mapping) else None
    for i, step in enumerate(cast("list[Any]", steps) if isinstance(steps, list) else ()):
        if not isinstance(step, Mapping):
            continue
        members = cast("Mapping[str, Any]", step)
        name = members.get("$type")
        fields = media_of.get(name) if isinstance(name, str) else None
        for pattern, kinds in (fields or {}).items():
            yield i, members, _split(pattern), kinds


def _strings(raw: Any, media_of: MediaOf) -> Iterator[tuple[At, str, tuple[str, ...]]]:
    """Every text in a source field, with its place. What has another shape is left to the request's own check."""
    for i, step, pattern, kinds in _fields(raw, media_of):
        for at, value in _matches(step.get("input"), pattern, ("steps", i, "input")):
            yield at, value, kinds


def _split(pattern: str) -> list[str]:
    """`workflow.*.inputs.image` and `images[*]` as parts."""
    return pattern.replace("[*]", ".*").split(".")


def _matches(value: Any, pattern: Sequence[str], at: At) -> Iterator[tuple[At, str]]:
    if not pattern:
        if isinstance(value, str):
            yield at, value
        return
    for part, item in _inside(value, pattern[0]):
        yield from _matches(item, pattern[1:], (*at, part))


def _references(value: Any, pattern: Sequence[str], at: At) -> Iterator[tuple[At, str, Sequence[str]]]:
    """References to arguments on the way of a pattern: where, to which path, and what is left of the pattern."""
    if (path := references.argument_path(value)) is not None:
        yield at, path, pattern
    elif pattern:
        for part, item in _inside(value, pattern[0]):
            yield from _references(item, pattern[1:], (*at, part))


def _inside(value: Any, part: str) -> Iterator[tuple[str | int, Any]]:
    """What a part of a pattern leads to. A reference is one thing."""
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Any]", value)
        if "$ref" not in members:
            yield from members.items() if part == "*" else ((n, members[n]) for n in {part} & members.keys())
    elif isinstance(value, list) and part == "*":
        yield from enumerate(cast("list[Any]", value))


def _first(path: str, arguments: Mapping[str, Any]) -> set[str]:
    """The argument that a path begins with; all of them for the empty path."""
    parts = references.split(path)
    return {str(parts[0])} if parts else set(arguments)


def _referred(raw: Any, arguments: Mapping[str, Any]) -> set[str]:
    """The arguments that references are still to."""
    found, waiting = set[str](), [cast("Mapping[str, Any]", raw).get("steps")]
    while waiting:
        value = waiting.pop()
        if (path := references.argument_path(value)) is not None:
            found |= _first(path, arguments)
        elif isinstance(value, Mapping):
            waiting.extend(cast("Mapping[str, Any]", value).values())
        elif isinstance(value, list):
            waiting.extend(cast("list[Any]", value))
    return found


def _put(raw: Any, at: At, value: Any) -> None:
    for part in at[:-1]:
        raw = raw[part]
    raw[at[-1]] = value


def _own(value: str, host: str) -> str | None:
    """The blob that a link of ours is to."""
    if not value.startswith(("http://", "https://")):
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None  # refused as an address
    found = _OWN.fullmatch(parts.path) if parts.netloc == host else None
    return found[1] if found else None


def _is_elsewhere(value: str) -> bool:
    """Whether a text is an address or holds bytes itself; everything else is taken for a blob id."""
    start = value[:32].lstrip().lower()
    if start.startswith(("http://", "https://", "data:")):
        return True
    if _ID.fullmatch(value) or not value.isascii():
        return False
    raw = value.encode()
    return media.unwrap(raw)[0] is not raw


def _is_address(value: str) -> bool:
    return value[:32].lstrip().lower().startswith(("http://", "https://"))


def _name(value: str) -> str:
    """The same for two texts that mean the same source."""
    return egress.normal(value) if _is_address(value) else value


class _Carrier:
    """Brings in the sources of one request. The same bytes are stored once, wherever they came from."""

    def __init__(self, parts: Deps, client: egress.Client, account_id: int) -> None:
        self._parts = parts
        self._client = client
        self._account_id = account_id
        self._most = parts.settings.max_upload_mb * 1024 * 1024
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._locks: dict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._stored: dict[tuple[str, str], Stored] = {}

    @property
    def stored(self) -> Sequence[Stored]:
        """What is there now."""
        return list(self._stored.values())

    async def bring(self, value: str, wanted: Sequence[tuple[str, ...]]) -> Stored:
        """One source; `wanted` are the media that its places take."""
        async with self._at_once:
            incoming = Incoming(
                self._most, TooLarge(f"it is larger than the {self._most} bytes that this server takes")
            )
            try:
                with self._parts.room.hold(self._account_id) as hold:
                    said = await self._receive(value, incoming, hold)
                    hold.keep(incoming.size)
                    return await self._keep(incoming, said, wanted)
            finally:
                incoming.close()

    async def _receive(self, value: str, incoming: Incoming, hold: Hold) -> str:
        """Get the bytes; the type that somebody gave them, "" when nobody did."""
        if not _is_address(value):
            await hold.expect(len(value))
            data, said = await intake.in_thread(media.unwrap, value.encode())
            incoming.add(data)
            return said
        into = egress.Into(expect=hold.expect, add=incoming.add)
        async with self._parts.room.place(self._account_id):
            answer = await self._client.get(value, max_bytes=self._most, timeout_s=_FETCH_S, into=into)
        if answer.status != 200:
            raise FetchFailed(f"{urlsplit(value).hostname} answered with status {answer.status}")
        try:
            return media.named(answer.headers.get("content-type", ""))
        except UnsupportedMedia:
            return ""  # servers say text/html of anything; the bytes decide

    async def _keep(self, incoming: Incoming, said: str, wanted: Sequence[tuple[str, ...]]) -> Stored:
        if incoming.size == 0:
            raise UnsupportedMedia("it is empty; there is nothing to keep")
        found = await intake.look(self._parts, incoming, said)
        if not any(takes(kinds, found.mime) for kinds in wanted):
            raise UnsupportedMedia(_unfit(found.mime, wanted))
        same = (incoming.sha256, found.mime)
        async with self._locks[same]:
            if same not in self._stored:
                self._stored[same] = await intake.keep(self._parts, incoming, found, new_id("blob"), self._account_id)
            return self._stored[same]
