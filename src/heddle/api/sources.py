"""Sources of steps that are not blob ids: links to our own blobs, URLs, data: URLs and base64 become blobs.

All of a request is checked with stand-ins first, so that nothing is fetched for one that would be refused anyway.
Bytes from elsewhere come through the guarded client and the media gate, as every upload does.
"""

from __future__ import annotations

import asyncio
import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from heddle import egress, media
from heddle.api import intake
from heddle.api.deps import Deps
from heddle.api.incoming import Incoming
from heddle.contract.base import path as join
from heddle.domain import new_id
from heddle.egress import FetchFailed
from heddle.errors import CallerError, InvalidRequest, TooLarge, UnsupportedMedia
from heddle.steps import takes

#: Sources of one request that are not blob ids.
MOST = 50

#: Fetched at the same time, and how long each may take.
_AT_ONCE = 4
_FETCH_S = 30.0

_ID = re.compile(r"blob_[0-9A-Z]{26}")
_OWN = re.compile(r"/v2/consumer/blobs/(?:content/)?(blob_[0-9A-Z]{26})")

#: Stands for a blob that is still to be made, while the rest of the request is checked.
_STAND_IN = "blob_00000000000000000000000000"


#: Step type -> field pattern -> the media that it may hold.
MediaOf = Mapping[str, Mapping[str, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Given:
    """A source that is not a blob id: where the request has it, and what it says there."""

    at: tuple[str | int, ...]
    value: str
    media: tuple[str, ...]


class Sources:
    """The sources of a submitted request. `media_of` says which fields of each step type hold which media."""

    def __init__(self, raw: Any, media_of: MediaOf, base_url: str) -> None:
        #: Its own: links of ours are replaced in it.
        self._raw = raw
        own = urlsplit(base_url).netloc
        self._given: list[Given] = []
        for at, value, kinds in list(_strings(raw, media_of)):
            if (blob_id := _own(value, own)) is not None:
                _put(raw, at, blob_id)
            elif _is_elsewhere(value):
                self._given.append(Given(at, value, kinds))
        if len(self._given) > MOST:
            raise InvalidRequest.of("steps", f"at most {MOST} sources may be given as URLs or bytes; upload the others")

    @property
    def given(self) -> Sequence[Given]:
        """What is still to be brought in."""
        return self._given

    def checked(self) -> Any:
        """The request with stand-ins for what is still to be brought in."""
        return self._with({one.at: _STAND_IN for one in self._given})

    async def bring(self, parts: Deps, account_id: int) -> Any:
        """The request with blob ids alone. Raises InvalidRequest with every source that cannot be had."""
        limit = asyncio.Semaphore(_AT_ONCE)
        async with egress.Client(allow_private=parts.settings.sources_private, connections=_AT_ONCE) as client:
            made = [_bring(one, parts, client, account_id, limit) for one in self._given]
            found = await asyncio.gather(*made, return_exceptions=True)
        problems: dict[str, list[str]] = {}
        ids: dict[tuple[str | int, ...], str] = {}
        for one, outcome in zip(self._given, found, strict=True):
            if isinstance(outcome, str):
                ids[one.at] = outcome
            elif isinstance(outcome, CallerError | FetchFailed):
                problems[join(one.at)] = [_problem(outcome)]
            else:
                raise outcome
        if problems:
            first = next(iter(problems))
            raise InvalidRequest(f"{first}: {problems[first][0]}", problems)
        return self._with(ids)

    def _with(self, ids: Mapping[tuple[str | int, ...], str]) -> Any:
        if not ids:
            return self._raw
        made = copy.deepcopy(self._raw)
        for at, blob_id in ids.items():
            _put(made, at, blob_id)
        return made


def _problem(error: CallerError | FetchFailed) -> str:
    """What is wrong, without the name of a field: the source's place is the field."""
    if isinstance(error, InvalidRequest) and error.fields:
        return next(iter(error.fields.values()))[0]
    return error.message


def _strings(raw: Any, media_of: MediaOf) -> Iterator[tuple[tuple[str | int, ...], str, tuple[str, ...]]]:
    """Every text in a source field, with its place. What has another shape is left to the request's own check."""
    steps = cast("Mapping[str, Any]", raw).get("steps") if isinstance(raw, Mapping) else None
    for i, step in enumerate(cast("list[Any]", steps) if isinstance(steps, list) else ()):
        if not isinstance(step, Mapping):
            continue
        members = cast("Mapping[str, Any]", step)
        name = members.get("$type")
        fields = media_of.get(name) if isinstance(name, str) else None
        for pattern, kinds in (fields or {}).items():
            for at, value in _matches(members.get("input"), _split(pattern), ("steps", i, "input")):
                yield at, value, kinds


def _split(pattern: str) -> list[str]:
    """`workflow.*.inputs.image` and `images[*]` as parts."""
    return pattern.replace("[*]", ".*").split(".")


def _matches(
    value: Any, pattern: Sequence[str], at: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if not pattern:
        if isinstance(value, str):
            yield at, value
        return
    first, rest = pattern[0], pattern[1:]
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Any]", value)
        for name in members if first == "*" else {first} & members.keys():
            yield from _matches(members[name], rest, (*at, name))
    elif isinstance(value, list) and first == "*":
        for i, item in enumerate(cast("list[Any]", value)):
            yield from _matches(item, rest, (*at, i))


def _put(raw: Any, at: tuple[str | int, ...], value: str) -> None:
    for part in at[:-1]:
        raw = raw[part]
    raw[at[-1]] = value


def _own(value: str, host: str) -> str | None:
    """The blob that a link of ours is to."""
    if not value.startswith(("http://", "https://")):
        return None
    parts = urlsplit(value)
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


async def _bring(one: Given, parts: Deps, client: egress.Client, account_id: int, limit: asyncio.Semaphore) -> str:
    """One source as a blob of the account; its id."""
    async with limit:
        data, said = await _bytes(one.value, parts, client)
        most = parts.settings.max_upload_mb * 1024 * 1024
        incoming = Incoming(most, TooLarge(f"it is larger than the {most} bytes that this server takes"))
        try:
            incoming.add(data)
            arrived = await intake.in_thread(intake.take, parts, incoming, new_id("blob"), said, account_id)
        finally:
            incoming.close()
        if not takes(one.media, arrived.mime):
            await intake.in_thread(intake.discard, parts.storage, arrived.key)
            raise UnsupportedMedia(f"it is {arrived.mime}, and this must be {' or '.join(one.media)}")
        return (await intake.store(parts, arrived)).id


async def _bytes(value: str, parts: Deps, client: egress.Client) -> tuple[bytes, str]:
    """The bytes and the type that somebody gave them, "" when nobody did."""
    if not value.lstrip()[:8].lower().startswith(("http://", "https://")):
        data, said = media.unwrap(value.encode())
        return data, said
    answer = await client.get(value, max_bytes=parts.settings.max_upload_mb * 1024 * 1024, timeout_s=_FETCH_S)
    if answer.status != 200:
        raise FetchFailed(f"{urlsplit(value).hostname} answered with status {answer.status}")
    try:
        return answer.body, media.named(answer.headers.get("content-type", ""))
    except UnsupportedMedia:
        return answer.body, ""  # servers say text/html of anything; the bytes decide
