"""What a dispatcher and a worker say to each other: the same words for every executor.

Frames on a byte stream are a 4-byte big-endian length and a msgpack map; no pickle anywhere.
"""

from __future__ import annotations

from typing import Any, Union

import msgspec

from heddle.domain import Artifact


class Message(msgspec.Struct, frozen=True, tag_field="say", kw_only=True):
    """The base of all."""


# ── to the worker ─────────────────────────────────────────────────────────────


class Hello(Message, tag="hello", frozen=True):
    """First message to a worker process: what it needs to know of its surroundings."""

    slot: str
    engines: dict[str, str]
    storage: str
    storage_options: dict[str, str]
    memory_mb: int = 0


class Run(Message, tag="run", frozen=True):
    """Run one attempt of a job. `inputs` maps blob ids to storage keys; time counts from `Started`."""

    job_id: str
    attempt: int
    engine: str
    payload: dict[str, Any]
    inputs: dict[str, str] = {}
    timeout_s: float = 600.0


class Cancel(Message, tag="cancel", frozen=True):
    """Stop this attempt at the next chance, or drop it when it waits."""

    job_id: str
    attempt: int


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
    """The engine begins this attempt now."""

    job_id: str
    attempt: int
    slot: str = ""


class Progress(Message, tag="progress", frozen=True):
    """How far, 0..1; at most a few per second and job."""

    job_id: str
    attempt: int
    fraction: float
    note: str = ""


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


ToWorker = Union[Hello, Run, Cancel, Ping]  # noqa: UP007 - msgspec wants the union as a value
FromWorker = Union[Ready, Pong, Started, Progress, Log, Done, Failed]  # noqa: UP007

#: What a dispatcher hears of its jobs.
JobEvent = Started | Progress | Log | Done | Failed

_LENGTH = 4
encoder = msgspec.msgpack.Encoder()
to_worker = msgspec.msgpack.Decoder(ToWorker)
from_worker = msgspec.msgpack.Decoder(FromWorker)


def frame(message: Message) -> bytes:
    """A message as bytes for a stream."""
    body = encoder.encode(message)
    return len(body).to_bytes(_LENGTH, "big") + body
