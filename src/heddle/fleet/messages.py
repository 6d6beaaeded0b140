"""What a dispatcher and a worker say to each other: the same words for every executor.

Frames on a byte stream are a 4-byte big-endian length and a msgpack map; no pickle anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Union

import msgspec

from heddle.domain import Artifact

#: The longest frame either side takes. Media travels through storage; a frame holds a payload and little else.
MAX_FRAME = 64 * 1024 * 1024

#: A job and the number of its attempt: what messages about work are addressed by.
Key = tuple[str, int]


class Message(msgspec.Struct, frozen=True, tag_field="say", kw_only=True):
    """The base of all."""


# ── to the worker ─────────────────────────────────────────────────────────────


class Hello(Message, tag="hello", frozen=True):
    """First message to a worker process: what it needs to know of its surroundings.

    `engines` (by name) and `storage` are targets, `module:Attribute`, so that a worker needs no plug-in table.
    """

    slot: str
    engines: dict[str, str]
    storage: str
    storage_options: dict[str, str]
    #: What the operator set for engines, by name.
    engine_options: dict[str, dict[str, Any]] = {}
    memory_mb: int = 0
    #: Where attempts may leave things for the next attempt of their job; empty: below the machine's temporary folder.
    scratch: str = ""
    #: Seconds between two live previews of a job; 0: none are made.
    preview_s: float = 0.0


class Run(Message, tag="run", frozen=True):
    """Run one attempt of a job. `inputs` maps blob ids to storage keys; time counts from `Started`.

    `lookahead` is how many others of its kind may be ahead of it inside a worker: 0 for work that takes a while,
    so that it goes to whichever worker is idle first; more for jobs shorter than the way to a worker.
    """

    job_id: str
    attempt: int
    engine: str
    payload: dict[str, Any]
    inputs: dict[str, str] = {}
    timeout_s: float = 600.0
    lookahead: int = 0
    #: Where it is to run; empty: wherever there is room first.
    slot: str = ""
    #: The model that it needs in memory, its size there, and which models must leave for it.
    model: str = ""
    memory_mb: int = 0
    evict: list[str] = []
    #: How long it will probably run, and how long its model takes to load where it is not in memory.
    est_s: float = 0.0
    load_s: float = 0.0

    @property
    def key(self) -> Key:
        """The attempt."""
        return (self.job_id, self.attempt)


class Cancel(Message, tag="cancel", frozen=True):
    """Stop this attempt at the next chance, or drop it when it waits."""

    job_id: str
    attempt: int


class Fetch(Message, tag="fetch", frozen=True):
    """Load a model beside the running job, if its engine allows that: the next job will want it."""

    engine: str
    model: str
    memory_mb: int = 0


class Ping(Message, tag="ping", frozen=True):
    """Are you there?"""

    n: int


# ── from the worker ───────────────────────────────────────────────────────────


class Ready(Message, tag="ready", frozen=True):
    """The worker can take jobs."""

    slot: str
    pid: int


class Pong(Message, tag="pong", frozen=True):
    """The answer to Ping, from a thread that runs even while an engine works."""

    n: int


class Started(Message, tag="started", frozen=True):
    """The engine begins this attempt now, in one go with others: `together` of them in all, which take their time."""

    job_id: str
    attempt: int
    slot: str = ""
    together: int = 1


class Loading(Message, tag="loading", frozen=True):
    """The model of this attempt is being loaded, and how far that is, 0..1."""

    job_id: str
    attempt: int
    fraction: float = 0.0


class Shelf(Message, tag="shelf", frozen=True):
    """Which models are in the worker's memory now, the least recently used first, and their sizes in MiB."""

    models: list[tuple[str, int]]


class Progress(Message, tag="progress", frozen=True):
    """How far, 0..1; at most a few per second and job."""

    job_id: str
    attempt: int
    fraction: float
    note: str = ""


#: Bytes that a live preview may have.
MOST_PREVIEW = 64 * 1024


class LivePreview(Message, tag="preview", frozen=True):
    """A small picture of what the attempt has so far, in place of the one before."""

    job_id: str
    attempt: int
    data: bytes
    mime: str


class Log(Message, tag="log", frozen=True):
    """A line for operators."""

    job_id: str
    attempt: int
    text: str


class Done(Message, tag="done", frozen=True):
    """The attempt ended well; its artifacts are in storage."""

    job_id: str
    attempt: int
    artifacts: list[Artifact]


class Failed(Message, tag="failed", frozen=True):
    """The attempt ended badly. `reason` is one stable word, `message` a sentence."""

    job_id: str
    attempt: int
    reason: str
    message: str
    retryable: bool = False


ToWorker = Union[Hello, Run, Cancel, Fetch, Ping]  # noqa: UP007 - msgspec wants the union as a value
FromWorker = Union[Ready, Pong, Shelf, Loading, Started, Progress, LivePreview, Log, Done, Failed]  # noqa: UP007

#: What a dispatcher hears of its jobs.
JobEvent = Loading | Started | Progress | LivePreview | Log | Done | Failed

_LENGTH = 4
encoder = msgspec.msgpack.Encoder()
to_worker = msgspec.msgpack.Decoder(ToWorker)
from_worker = msgspec.msgpack.Decoder(FromWorker)


class BadFrame(ValueError):
    """A frame that is longer than any may be, or bytes that are no message of ours."""


def frame(message: Message) -> bytes:
    """A message as bytes for a stream; BadFrame when it is too long."""
    body = encoder.encode(message)
    if len(body) > MAX_FRAME:
        raise BadFrame(f"a message of {len(body)} bytes; the longest may have {MAX_FRAME}")
    return len(body).to_bytes(_LENGTH, "big") + body


class Frames:
    """Cuts a byte stream into the bodies of frames."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[bytearray]:
        """The bodies that `data` completes; BadFrame at a length that cannot be."""
        self._rest += data
        start = 0
        try:
            while (end := self._end(start)) is not None:
                yield self._rest[start + _LENGTH : end]
                start = end
        finally:
            del self._rest[:start]

    def _end(self, start: int) -> int | None:
        """Where the frame at `start` ends; None while it is incomplete."""
        body = start + _LENGTH
        if len(self._rest) < body:
            return None
        length = int.from_bytes(self._rest[start:body], "big")
        if length > MAX_FRAME:
            raise BadFrame(f"a frame of {length} bytes is announced; the longest may have {MAX_FRAME}")
        return body + length if len(self._rest) >= body + length else None
