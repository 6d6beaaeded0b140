"""A server for a command: which one, with whose token, and its answers as plain values."""

from __future__ import annotations

import secrets
import time
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx

from heddle.cli import credentials
from heddle.cli.embedded import embedded, outlives
from heddle.errors import HeddleError, UsageError

ENDS = frozenset({"succeeded", "failed", "expired", "canceled"})

#: How often something is asked for that may be asked for again: over about six seconds.
TRIES = 6

_FIRST_PAUSE_S = 0.2

#: Answers that say nothing about the request: a server or a proxy that is busy or restarts.
_PASSING = frozenset({502, 503, 504})


class Refused(HeddleError):
    """The server answered with an error; the message is its own."""


class Client:
    """One server, one token."""

    def __init__(self, url: str, token: str, *, lasting: bool = True) -> None:
        self.url = url.rstrip("/")
        #: Whether the server goes on when the commands that use it have ended.
        self.lasting = lasting
        self._http = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False
        )
        self._met = False

    def close(self) -> None:
        self._http.close()

    def call(self, method: str, path: str, *, tries: int = 1, **given: Any) -> Any:
        """An answer's JSON. Raises Refused, UsageError. More than one try is for what may be asked for twice."""
        answer = self._answer(method, path, tries, given)
        if answer.is_success:
            return answer.json() if answer.content else None
        raise Refused(_message(answer))

    def _answer(self, method: str, path: str, tries: int, given: Mapping[str, Any]) -> httpx.Response:
        """What the server says at last; a lost connection or a server that is busy is tried again."""
        pause = _FIRST_PAUSE_S
        for left in reversed(range(tries)):
            try:
                answer = self._http.request(method, path, **given)
            except httpx.HTTPError as error:
                # A server that was never there is not waited for, one that went away is.
                self._met = self._met or not isinstance(error, httpx.ConnectError)
                if not left or not self._met:
                    raise UsageError(
                        f"the server {self.url} cannot be reached: {error}", "start one with `heddle serve`"
                    ) from error
            else:
                self._met = True
                if not left or answer.status_code not in _PASSING:
                    return answer
            time.sleep(pause)
            pause *= 2
        raise AssertionError("the last try answers or raises")

    def submit(self, request: Mapping[str, Any]) -> Any:
        """A new workflow; one, also when the answer got lost and it was asked for again."""
        key = {"Idempotency-Key": secrets.token_hex(16)}
        return self.call("POST", "/v2/consumer/workflows", tries=TRIES, json=request, headers=key)

    def upload(self, file: Path) -> str:
        """The blob id of a file."""
        try:
            data = file.read_bytes()
        except OSError as error:
            raise UsageError(f"{file} cannot be read: {error.strerror}") from error
        try:
            return self.call("POST", "/v2/consumer/blobs", files={"file": (file.name, data)})["id"]
        except Refused as error:
            raise Refused(f"{file}: {error.message}") from error

    def download(self, url: str, file: Path) -> int:
        """Save what a signed link points at; the number of bytes. Raises Refused, UsageError, OSError."""
        partial = file.with_name(f".{file.name}.part")
        try:
            with httpx.stream("GET", url, timeout=60, trust_env=False, follow_redirects=True) as answer:
                if not answer.is_success:
                    answer.read()
                    raise Refused(_message(answer))
                with partial.open("wb") as out:
                    for chunk in answer.iter_bytes():
                        out.write(chunk)
            partial.replace(file)
        except httpx.HTTPError as error:
            raise UsageError(f"the download broke off: {error}", "try again") from error
        finally:
            partial.unlink(missing_ok=True)
        return file.stat().st_size

    def follow(self, workflow_id: str, seconds: float) -> Generator[Mapping[str, Any]]:
        """The workflow again and again until it has ended. Raises UsageError when that takes longer."""
        end, pause = time.monotonic() + seconds, 0.05
        while True:
            shown = self.call("GET", f"/v2/consumer/workflows/{workflow_id}", tries=TRIES)
            yield shown
            if shown["status"] in ENDS:
                return
            if time.monotonic() > end:
                raise UsageError(
                    f"{workflow_id} is still {shown['status']} after {seconds:.0f} s",
                    "it goes on; look at it with `heddle ps`",
                )
            time.sleep(pause)
            pause = min(1.0, pause * 1.3)


@contextmanager
def connected(server: str | None, *, lasting: bool = False) -> Generator[Client]:
    """The named server, else the one of the last login, else the one on this data folder, else an embedded one.

    `lasting` leaves out servers that end with the commands that use them.
    """
    stored = credentials.load()
    url = server or stored.default
    if url is None:
        with (
            embedded(lasting=lasting) as (here, token),
            closing(Client(here, token, lasting=outlives())) as client,
        ):
            yield client
        return
    token = stored.token_for(url)
    if token is None:
        raise UsageError(f"there is no token for {url}", f"run `heddle login {url}`")
    with closing(Client(url, token)) as client:
        yield client


def _message(answer: httpx.Response) -> str:
    try:
        said = answer.json()
    except ValueError:
        return f"the server answered {answer.status_code} {answer.reason_phrase}"
    if isinstance(said.get("errors"), dict):
        return "; ".join(f"{path}: {', '.join(problems)}" for path, problems in said["errors"].items())
    return str(said.get("message") or said.get("error") or answer.reason_phrase)
