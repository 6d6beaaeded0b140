"""Other programs' servers over HTTP: one client, and what goes wrong there as a job's error.

For engines whose work is done by a server that the operator set up. Addresses are the operator's, so they are not
looked at; what a server says is short and on one line in what callers read, and keys are in nothing that is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import httpx

from heddle.errors import EngineFailed, JobError

_CONNECT_S = 10.0

#: Statuses of a server that may be able to answer later.
LATER = frozenset({408, 409, 425, 429, 500, 502, 503, 504})

_TOLD = 300


def client(url: str, *, silence_s: float, key: str = "", headers: Mapping[str, str] | None = None) -> httpx.Client:
    """A connection to the server at `url`, which may say nothing for so long."""
    # As it is: a stream is read line by line, and a proxy that packs it would hold lines back.
    sent = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {key}"} if key else {}) | dict(headers or {})
    return httpx.Client(
        base_url=url.rstrip("/"),
        headers=sent,
        timeout=httpx.Timeout(silence_s, connect=_CONNECT_S),
        trust_env=False,
        follow_redirects=False,
    )


class Speaking:
    """Errors of the connection as the job's; `language` is what the server should speak."""

    def __init__(self, client: httpx.Client, language: str) -> None:
        self._where = client.base_url.netloc.decode()
        self._language = language

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, httpx.TimeoutException):
            raise away(f"the server at {self._where} said nothing for too long") from error
        if isinstance(error, httpx.HTTPError):
            # Of what was sent, nothing may be told: the key is in it.
            text = "it cannot be asked so" if isinstance(error, httpx.LocalProtocolError) else str(error)
            raise away(f"the server at {self._where} cannot be reached: {text}") from error
        if isinstance(error, ValueError):
            raise EngineFailed(f"the server at {self._where} does not speak {self._language}: {error}") from error


def away(message: str) -> JobError:
    """Another attempt may help."""
    return JobError(message, reason="engine_unavailable", retryable=True)


def check(answer: httpx.Response, engine: str, reason: Callable[[httpx.Response], str], option: str = "key") -> None:
    """Raises JobError unless it is one of 200 to 299. `reason` reads what the server says of it, and `option` is the
    one that says who asks."""
    if answer.is_success:
        return
    said = f"the server answered {answer.status_code}: {short(reason(answer))}"
    if answer.status_code in LATER:
        raise away(said)
    if answer.status_code in {401, 403}:
        raise JobError(f"{said}; check {option} under [{engine}] in engines.toml", reason="engine_unavailable")
    raise EngineFailed(said)


def said(error: Any) -> str:
    """The message of an error that may be an object with one."""
    return short(cast("dict[str, Any]", error).get("message", "") if isinstance(error, dict) else error)


def members(value: object) -> dict[str, Any]:
    """A value of an answer as an object; one without members where it is something else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """A value of an answer as a list; an empty one where it is something else."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def short(value: object) -> str:
    """On one line, and not too long."""
    text = " ".join(str(value).split())
    return text if len(text) <= _TOLD else f"{text[:_TOLD]}…"


def read(answer: httpx.Response, most: int, what: str, tick: Callable[[], None] | None = None) -> bytes:
    """The body of a streamed answer, at most so many bytes; `tick` is called on the way. Raises EngineFailed."""
    pieces: list[bytes] = []
    size = 0
    for piece in answer.iter_bytes(1 << 18):
        size += len(piece)
        if size > most:
            raise EngineFailed(f"{what} has more than {most} bytes")
        pieces.append(piece)
        if tick is not None:
            tick()
    return b"".join(pieces)
