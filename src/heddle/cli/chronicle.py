"""What a run said and did, kept for those who want it whole: `--trace FILE`, and the reports har and html."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx

from heddle import __version__
from heddle.arazzo.budgets import Options
from heddle.arazzo.events import Event, Result, RunEnded
from heddle.arazzo.exchange import MAX_ANSWER_BYTES
from heddle.arazzo.files import FileValue
from heddle.arazzo.masking import Secrets
from heddle.arazzo.plan import Plan
from heddle.arazzo.recording import Exchange, Recorder
from heddle.arazzo.sources import Servers
from heddle.arazzo.traces import Header, Told, TraceWriter, kept, masked, plain
from heddle.arazzo.transfers import Saved
from heddle.cli import auth
from heddle.errors import UsageError

_UNITS = {"": 1, "k": 1024, "m": 1024 * 1024}


@dataclass(slots=True)
class Story:
    """All of a run, in the order of happening."""

    started: datetime
    lines: list[Told | Exchange] = field(default_factory=list[Told | Exchange])

    @property
    def exchanges(self) -> list[Exchange]:
        return [line for line in self.lines if isinstance(line, Exchange)]


class Chronicle:
    """A narrator that records. `header` is for the trace; without `path` there is none, only the story.

    The story stays in memory until the end, so that it is kept only where somebody reads it: `tells`.
    """

    def __init__(self, secrets: Secrets, cap: int, path: Path | None, header: Header | None, *, tells: bool) -> None:
        self.story = Story(datetime.now(UTC))
        self._secrets = secrets
        self._cap = cap
        self._tells = tells
        self._started = perf_counter()
        self._trace = (path, header) if path is not None and header is not None else None
        self._writer: TraceWriter | None = None
        self._recorder: Recorder | None = None
        self._ended = False

    def begin(self) -> None:
        """Open the trace, which takes the place of what was there: not before it is sure that the run begins."""
        if self._trace is not None:
            self._writer = TraceWriter(*self._trace)

    def over(self, transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        """The transport of the run, recorded."""
        self._recorder = Recorder(transport, self._secrets, self._exchange, self._cap)
        self._started = perf_counter()
        self.story.started = datetime.now(UTC)
        return self._recorder

    def mask(self, value: Any) -> Any:
        """With what answers brought masked too."""
        return self._recorder.mask(value) if self._recorder else self._secrets.mask(value)

    def masked_story(self) -> Story:
        """With every secret masked that is known now: a token may be known as one only after it was told."""
        return Story(self.story.started, [self._masked(line) for line in self.story.lines])

    def _masked(self, line: Told | Exchange) -> Told | Exchange:
        if isinstance(line, Told):
            return Told(line.at, masked(line.event, self.mask))
        return self._recorder.again(line) if self._recorder else line

    def note(self, text: str) -> None:
        pass

    def event(self, event: Event) -> None:
        if self._recorder is not None:
            self._recorder.follow(event)
            if self._writer is not None:
                self._writer.event(event, self._recorder)
        self._ended = self._ended or isinstance(event, RunEnded)
        if self._tells:
            self.story.lines.append(Told(perf_counter() - self._started, event))

    def end(self, result: Result, saved: Sequence[Saved]) -> None:
        if self._writer is not None:
            self._writer.end(self.mask(plain(list(saved))), interrupted=not self._ended)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _exchange(self, exchange: Exchange) -> None:
        if self._tells:
            self.story.lines.append(exchange)
        if self._writer is not None:
            self._writer.exchange(exchange)


def header_of(
    path: Path,
    plan: Plan,
    given: Mapping[str, Any],
    secrets: Secrets,
    *,
    servers: Servers,
    sources: Mapping[str, Path],
    options: Options,
    cap: int,
    made_up: bool,
    resumed: bool = False,
) -> Header:
    """What a replay must know, with every secret masked."""
    inputs = {
        name: _kept(plan, name, value, cap) if isinstance(value, FileValue) else secrets.mask(plain(value))
        for name, value in given.items()
    }
    uploads = [{"step": one.step, "output": one.output, "file": plain(kept(one.file, cap))} for one in options.uploads]
    return Header(
        document=str(path),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        workflow=plan.main.id,
        inputs=inputs,
        servers=secrets.mask(dict(servers.named)),
        server=secrets.mask(servers.default),
        sources={name: str(place) for name, place in sources.items()},
        uploads=uploads,
        credentials=auth.stand_ins(plan),
        leniencies=sorted(plan.leniency.allowed),
        fall_through=options.fall_through,
        max_steps=options.max_steps,
        deadline=options.deadline,
        first_pause=options.first_pause,
        longest_pause=options.longest_pause,
        bodies=cap,
        made_up=made_up,
        resumed=resumed,
        variables=secrets.mask(dict(servers.variables)),
        started=datetime.now(UTC).isoformat(),
        heddle=__version__,
    )


def _kept(plan: Plan, name: str, file: FileValue, cap: int) -> Mapping[str, Any]:
    return {"$file": plain(kept(file, cap, secret=plan.is_secret(name)))}


def size_of(text: str) -> int:
    """`64k`, `1m`, `0`, `all`. Raises UsageError."""
    match = re.fullmatch(r"([0-9]{1,9})([km]?)", text.lower())
    size = MAX_ANSWER_BYTES if text == "all" else int(match[1]) * _UNITS[match[2]] if match else None
    if size is None:
        raise UsageError(f"--trace-bodies {text!r} is no size", "for example 64k, 2m, 0, or all")
    return min(size, MAX_ANSWER_BYTES)


def check(path: Path | None, bodies: str) -> None:
    """Raises UsageError before anything is sent."""
    size_of(bodies)
    if path is not None and (not path.parent.is_dir() or path.is_dir()):
        where = path if path.is_dir() else path.parent
        raise UsageError(f"the trace {path} cannot be written", f"{where} is {'a' if path.is_dir() else 'no'} folder")
