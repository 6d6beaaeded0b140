"""A run as lines of JSON, written while it goes on and read again afterwards.

The first line is the header; then comes, in the order of happening, a line for every event and every exchange. Each
has `type`, and `at`, the seconds since the run began. A line is written at once, so a run that is interrupted leaves
a trace that ends early, and is as readable as any other.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from time import perf_counter
from typing import Any, TextIO, cast

import msgspec

from heddle.arazzo.events import (
    ActionTaken,
    Event,
    LeniencyUsed,
    Result,
    RunEnded,
    RunStarted,
    StepEnded,
    StepStarted,
    Uploaded,
    Waiting,
    Warned,
)
from heddle.arazzo.files import FileValue
from heddle.arazzo.recording import Body, Exchange, Recorder
from heddle.errors import UsageError

VERSION = 1

_EVENTS: Mapping[str, type[Event]] = {
    "runStarted": RunStarted,
    "leniencyUsed": LeniencyUsed,
    "warned": Warned,
    "stepStarted": StepStarted,
    "stepEnded": StepEnded,
    "actionTaken": ActionTaken,
    "waiting": Waiting,
    "uploaded": Uploaded,
    "runEnded": RunEnded,
}
_KINDS = {shape: kind for kind, shape in _EVENTS.items()}


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that the run was given. Without `content` it was too large, or secret, and only its hash is known."""

    path: str
    media_type: str
    size: int
    sha256: str
    content: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first line: all that is needed to run the document again in the same way.

    `variables` are those of servers; `credentials` has what stands for those that were given. A run that was `resumed`
    from a checkpoint has its beginning there, and not in the trace.
    """

    document: str
    sha256: str
    workflow: str | None
    inputs: Mapping[str, Any]
    servers: Mapping[str, str] = field(default_factory=dict[str, str])
    server: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict[str, str])
    uploads: Sequence[Mapping[str, Any]] = ()
    credentials: Mapping[str, str] = field(default_factory=dict[str, str])
    leniencies: Sequence[str] = ()
    fall_through: bool = False
    max_steps: int = 10_000
    deadline: float = 3600.0
    first_pause: float = 0.25
    longest_pause: float = 2.0
    bodies: int = 0
    made_up: bool = False
    resumed: bool = False
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    started: str = ""
    heddle: str = ""
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Told:
    """An event, and when it came: in seconds since the run began."""

    at: float
    event: Event


@dataclass(frozen=True, slots=True)
class Trace:
    """What was read. `result` is None for a run that was interrupted, or is still going on."""

    header: Header
    lines: tuple[Told | Exchange, ...]

    @property
    def events(self) -> Iterator[Told]:
        return (line for line in self.lines if isinstance(line, Told))

    @property
    def result(self) -> Result | None:
        return next((told.event.result for told in self.events if isinstance(told.event, RunEnded)), None)

    @property
    def exchanges(self) -> list[Exchange]:
        """Those of the run itself, without the downloads after its end."""
        found: list[Exchange] = []
        for line in self.lines:
            if isinstance(line, Exchange):
                found.append(line)
            elif isinstance(line.event, RunEnded):
                break
        return found


class TraceWriter:
    """Writes lines as they come. A disk that is full does not end the run: `close` raises what went wrong."""

    def __init__(self, path: Path, header: Header) -> None:
        self._path = path
        self._started = perf_counter()
        self._problem: OSError | None = None
        self._file = _opened(path)
        self._write("trace", plain(header))

    def event(self, event: Event, recorder: Recorder) -> None:
        self._write(_KINDS[type(event)], recorder.mask(plain(event)))

    def exchange(self, exchange: Exchange) -> None:
        self._write("exchange", plain(exchange))

    def end(self, saved: Sequence[Any], *, interrupted: bool) -> None:
        """The last line: what was saved, and whether the run came to its end."""
        self._write("end", {"interrupted": interrupted, "saved": saved})

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            self._problem = self._problem or error
        if self._problem is not None:
            raise _not_writable(self._path, self._problem)

    def _write(self, kind: str, fields: Mapping[str, Any]) -> None:
        if self._problem is not None:
            return
        at = round(perf_counter() - self._started, 6)
        try:
            self._file.write(json.dumps({"type": kind, "at": at, **fields}, ensure_ascii=False) + "\n")
            self._file.flush()
        except OSError as error:
            self._problem = error


def private(name: str, flags: int) -> int:
    """An opener of files for their owner's eyes only: they hold what was said."""
    return os.open(name, flags, 0o600)


def _opened(path: Path) -> TextIO:
    try:
        return open(path, "w", encoding="utf-8", errors="backslashreplace", opener=private)
    except OSError as error:
        raise _not_writable(path, error) from error


def _not_writable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"the trace {path} cannot be written: {error.strerror or error}")


def kept(file: FileValue, cap: int, *, secret: bool = False) -> Kept:
    """A file as a trace tells it."""
    content = file.read()
    whole = len(content) <= cap and not secret
    text = base64.b64encode(content).decode() if whole else None
    return Kept(
        str(file.path), file.media_type, len(content), "" if secret else hashlib.sha256(content).hexdigest(), text
    )


def plain(value: Any) -> Any:  # noqa: PLR0911 - a case per type
    """As JSON has it. Bytes among outputs are told by size and hash."""
    if isinstance(value, Body):
        return _plain_body(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, (type, FileValue)):
        names = [one.name for one in dataclasses.fields(value)]
        return {_camel(name): plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(name): plain(member) for name, member in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in cast("Sequence[Any]", value)]
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


def _plain_body(body: Body) -> dict[str, Any]:
    told: dict[str, Any] = {"size": body.size, "sha256": body.sha256, "whole": body.whole}
    if body.text is not None:
        return told | {"text": body.text}
    return told | {"base64": base64.b64encode(body.content).decode()}


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda match: f"_{match[0].lower()}", name)


def masked(event: Event, mask: Callable[[Any], Any]) -> Event:
    """The same, with every secret masked."""
    fields = mask(plain(event))
    return _converted(fields, type(event))


def read_trace(path: Path) -> Trace:
    """Raises UsageError for what is no trace, with the number of the line. A last line that was cut off is left out."""
    try:
        with path.open(encoding="utf-8") as file:
            texts = file.read().split("\n")
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}", "`heddle run DOCUMENT --trace FILE` writes one") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no trace: it is not text") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    reader = _Reader(path)
    whole, cut = texts[:-1], texts[-1]
    lines = [reader.line(number, text) for number, text in enumerate(whole, 1) if text]
    if cut and not lines:
        lines = [reader.line(1, cut)]
    if not lines or not isinstance(lines[0], Header):
        raise UsageError(f"{path} is no trace", "`heddle run DOCUMENT --trace FILE` writes one")
    return Trace(lines[0], tuple(line for line in lines[1:] if isinstance(line, (Told, Exchange))))


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path

    def line(self, number: int, text: str) -> Header | Told | Exchange | None:
        """None for a type that this version does not know."""
        try:
            fields = json.loads(text, parse_constant=_no_number)
            if not isinstance(fields, dict):
                raise self._problem(number, "it is no object")
            return self._read(number, cast("dict[str, Any]", fields))
        except (ValueError, RecursionError, binascii.Error, msgspec.MsgspecError) as error:
            raise self._problem(number, str(error)) from error

    def _read(self, number: int, fields: dict[str, Any]) -> Header | Told | Exchange | None:
        kind = fields.pop("type", None)
        if kind == "trace":
            self._check_version(fields.get("version"))
            return _converted(fields, Header)
        if kind == "exchange":
            return _exchange(fields)
        if number == 1:
            raise self._problem(number, "a trace begins with its header")
        if not isinstance(kind, str) or kind not in _EVENTS:
            return None
        at = msgspec.convert(fields.pop("at", 0.0), float)
        return Told(at, _converted(fields, _EVENTS[kind]))

    def _check_version(self, version: Any) -> None:
        if version != VERSION:
            raise UsageError(f"{self._path} is a trace of version {version!r}", f"this Heddle reads version {VERSION}")

    def _problem(self, number: int, problem: str) -> UsageError:
        return UsageError(f"{self._path}:{number}: this is no line of a trace: {problem}")


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _exchange(fields: dict[str, Any]) -> Exchange:
    for holder in (fields.get("request"), fields.get("answer")):
        if isinstance(holder, dict):
            cast("dict[str, Any]", holder)["body"] = _body(cast("dict[str, Any]", holder).get("body"))
    return _converted(fields, Exchange)


def _body(fields: Any) -> Any:
    """Its text or base64 as `content`, which msgspec reads from base64."""
    if not isinstance(fields, dict):
        return None
    body = cast("dict[str, Any]", fields)
    text = body.pop("text", None)
    encoded = body.pop("base64", "")
    body["content"] = base64.b64encode(str(text).encode()).decode() if text is not None else encoded
    return body


def _converted(fields: Mapping[str, Any], shape: Any) -> Any:
    names = {one.name for one in dataclasses.fields(shape)}
    known = {_snake(name): value for name, value in fields.items() if _snake(name) in names}
    if shape is RunEnded and isinstance(known.get("result"), dict):
        return RunEnded(_converted(cast("dict[str, Any]", known["result"]), Result))
    return msgspec.convert(known, shape, dec_hook=_made)


def _made(shape: type, value: Any) -> Any:
    return shape(value)
