"""What a run has done, written down while it does it: a request before it leaves, its answer before it is used.

A run that goes on walks the document again from its beginning and takes the answers that are here instead of sending.
So the journal needs no picture of the run's inner state: outputs, loops, retries and nested Arazzo workflows come about
again, in the same way.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias

from heddle.arazzo.exchange import Answer
from heddle.errors import HeddleError, UsageError

VERSION = 1
_BEGINNING = b'{"heddle":"arazzo-run",'

_NO_FACTS: Mapping[str, Any] = {"parts": {}, "servers": {}, "inputs": {}}

Record: TypeAlias = Mapping[str, Any]
"""One line of a journal, as JSON values."""


class JournalError(HeddleError):
    """A journal that cannot be read, or does not belong to the run that it is given to."""


class Store(Protocol):
    """Where records are kept, in their order."""

    async def append(self, record: Record) -> None:
        """Durable when this returns."""
        ...


class JournalFile:
    """Records as lines of JSON in a file that only its owner may read, and only one run at a time may use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = -1
        self._whole: int | None = None

    def __enter__(self) -> Self:
        """Raises UsageError where the file cannot be opened or another run has it."""
        try:
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UsageError(f"the checkpoint {self._path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._handle)
            raise UsageError(f"another run is using the checkpoint {self._path}", "wait until it has ended") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._handle)

    def read(self) -> list[Record]:
        """Every whole line. What a run left half written when it died does not count."""
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if not content.startswith(_BEGINNING[: len(content)]):
            raise JournalError(f"{self._path} is not a checkpoint of heddle run")
        try:
            records = [json.loads(line) for line in whole.splitlines()]
        except ValueError as error:
            raise JournalError(f"the checkpoint {self._path} is damaged: {error}") from error
        self._whole = len(whole) if len(whole) < len(content) else None
        return records

    async def append(self, record: Record) -> None:
        """Blocks for the moment that the disk takes."""
        if self._whole is not None:
            os.ftruncate(self._handle, self._whole)
            self._whole = None
        line = memoryview(json.dumps(record, separators=(",", ":")).encode() + b"\n")
        while line:
            line = line[os.write(self._handle, line) :]
        os.fdatasync(self._handle)


@dataclass(slots=True)
class Exchange:
    """A request and its outcome, None while nothing is known of it. `keyed`: sent twice, it is carried out once."""

    step: str
    method: str
    url: str
    keyed: bool
    at: float
    outcome: Record | None = None

    @property
    def harmless(self) -> bool:
        """Whether the request may be sent again without asking anybody."""
        outcome = self.outcome or {}
        refused = 400 <= outcome.get("status", 0) < 500
        return self.keyed or self.method in ("GET", "HEAD", "OPTIONS") or refused or bool(outcome.get("unsent"))

    def __str__(self) -> str:
        return f"{self.step!r} ({self.method} {self.url})"


class Journal:
    """What is in a store so far, and what is added to it. `head` is None where no run has begun yet."""

    def __init__(self, store: Store, records: Sequence[Record]) -> None:
        self._store = store
        self.head: Record | None = None
        self.exchanges: list[Exchange] = []
        self.saved: dict[str, Record] = {}
        self._failed = False
        for record in records:
            self._take(record)

    async def begin(self, run: str, facts: Record) -> None:
        """`run` names the run for ever; `facts` are what it is a run of."""
        await self._write({"heddle": "arazzo-run", "version": VERSION, "run": run, "facts": facts})

    @property
    def run(self) -> str:
        return "" if self.head is None else self.head["run"]

    def pending(self) -> Exchange | None:
        """The last request, if it was under way when the run died or is what the run failed of."""
        last = self.exchanges[-1] if self.exchanges else None
        return last if last is not None and (last.outcome is None or self._failed) else None

    async def sent(self, number: int, exchange: Exchange) -> None:
        """Before the request leaves. A number that was used before is a request that is sent again."""
        fields = {name: getattr(exchange, name) for name in ("step", "method", "url", "keyed", "at")}
        await self._write({"sent": number, **fields})

    async def outcome(self, number: int, record: Record) -> None:
        await self._write({"done": number, **record})

    async def ended(self, status: str, *, failed: bool) -> None:
        """`failed`: at the last request, so that going on means to send that again."""
        await self._write({"ended": status, "failed": failed})

    async def save(self, key: str, file: str, size: int) -> None:
        """What was downloaded is not downloaded again; `key` says what it was, and where it went."""
        await self._write({"saved": key, "file": file, "size": size})

    async def _write(self, record: Record) -> None:
        await self._store.append(record)
        self._take(record)

    def _take(self, record: Record) -> None:
        try:
            self._note(record)
        except (KeyError, IndexError, TypeError) as error:
            raise JournalError(f"a record of the checkpoint cannot be read: {error!r}") from error

    def _note(self, record: Record) -> None:
        if "heddle" in record:
            if record["version"] != VERSION:
                raise JournalError(f"the checkpoint has version {record['version']}; this heddle reads {VERSION}")
            self.head = {**record, "facts": {**_NO_FACTS, **record["facts"]}}
        elif self.head is None:
            raise JournalError("this is not a checkpoint of heddle run: its first line names no run")
        elif "sent" in record:
            self._failed = False
            del self.exchanges[record["sent"] :]
            fields = {name: record[name] for name in ("step", "method", "url", "keyed", "at")}
            self.exchanges.append(Exchange(**fields))
        elif "done" in record:
            self._failed = False
            self.exchanges[record["done"]].outcome = record
        elif "saved" in record:
            self.saved[record["saved"]] = {"file": record["file"], "size": record["size"]}
        elif "ended" in record:
            self._failed = record["failed"]


def record_of(answer: Answer, at: float, url: str) -> Record:
    """An answer as JSON values; what is not UTF-8 text as base64. `url` is that of the answer, without secrets."""
    try:
        body = {"text": answer.content.decode("utf-8")}
    except UnicodeDecodeError:
        body = {"base64": base64.b64encode(answer.content).decode("ascii")}
    return {
        "at": at,
        "status": answer.status,
        "headers": answer.headers,
        "url": url,
        "seconds": answer.seconds,
        **body,
    }


def answer_of(record: Record) -> Answer:
    """The answer that was recorded."""
    content = base64.b64decode(record["base64"]) if "base64" in record else record["text"].encode()
    return Answer(record["status"], record["headers"], content, record["url"], record["seconds"])
