"""A server for a command: which one, with whose token, and its answers as plain values."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from heddle.cli import credentials
from heddle.cli.embedded import embedded
from heddle.errors import HeddleError, UsageError

ENDS = frozenset({"succeeded", "failed", "expired", "canceled"})


class Refused(HeddleError):
    """The server answered with an error; the message is its own."""


class Client:
    """One server, one token."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False
        )

    def call(self, method: str, path: str, **given: Any) -> Any:
        """An answer's JSON. Raises Refused, UsageError."""
        try:
            answer = self._http.request(method, path, **given)
        except httpx.HTTPError as error:
            raise UsageError(
                f"the server {self.url} cannot be reached: {error}", "start one with `heddle serve`"
            ) from error
        if answer.is_success:
            return answer.json() if answer.content else None
        raise Refused(_message(answer))

    def upload(self, file: Path) -> str:
        """The blob id of a file."""
        try:
            data = file.read_bytes()
        except OSError as error:
            raise UsageError(f"{file} cannot be read: {error.strerror}") from error
        return self.call("POST", "/v2/consumer/blobs", files={"file": (file.name, data)})["id"]

    def download(self, url: str, file: Path) -> int:
        """Save what a signed link points at; the number of bytes."""
        with httpx.stream("GET", url, timeout=60, trust_env=False) as answer:
            if not answer.is_success:
                answer.read()
                raise Refused(_message(answer))
            partial = file.with_name(f".{file.name}.part")
            with partial.open("wb") as out:
                for chunk in answer.iter_bytes():
                    out.write(chunk)
            partial.replace(file)
        return file.stat().st_size

    def follow(self, workflow_id: str, seconds: float) -> Generator[Mapping[str, Any]]:
        """The workflow again and again until it has ended. Raises UsageError when that takes longer."""
        end, pause = time.monotonic() + seconds, 0.05
        while True:
            shown = self.call("GET", f"/v2/consumer/workflows/{workflow_id}")
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
        with embedded(lasting=lasting) as (here, token):
            yield Client(here, token)
        return
    token = stored.token_for(url)
    if token is None:
        raise UsageError(f"there is no token for {url}", f"run `heddle login {url}`")
    yield Client(url, token)


def _message(answer: httpx.Response) -> str:
    try:
        said = answer.json()
    except ValueError:
        return f"the server answered {answer.status_code} {answer.reason_phrase}"
    if isinstance(said.get("errors"), dict):
        return "; ".join(f"{path}: {', '.join(problems)}" for path, problems in said["errors"].items())
    return str(said.get("message") or said.get("error") or answer.reason_phrase)
