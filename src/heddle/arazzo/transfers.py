"""Bytes beside the document: a file put to a URL that a step produced, and outputs that are URLs saved to disk."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import httpx

from heddle.arazzo.exchange import Client, ExchangeError, Sender
from heddle.arazzo.files import FileValue, extension
from heddle.arazzo.journal import Journal
from heddle.arazzo.openapi import origin
from heddle.arazzo.requests import Request
from heddle.errors import HeddleError

_MAX_NAMES = 10_000


class TransferError(HeddleError):
    """An upload or a download that did not work."""


@dataclass(frozen=True, slots=True)
class Upload:
    """Put `file` to the URL in `output` as soon as `step` has produced it."""

    step: str
    output: str
    file: FileValue


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of one URL among the outputs: a file, or the reason why there is none."""

    output: str
    url: str
    path: Path | None
    size: int = 0
    reason: str = ""


async def put(client: Sender, url: Any, file: FileValue, headers: Mapping[str, Any]) -> int:
    """The number of bytes sent. `headers` are those that the server asked for."""
    if not _is_url(url):
        raise TransferError(f"there is no URL to put {file.path} to: the output is {url!r}")
    asked = {str(name): str(value) for name, value in headers.items()}
    if not any(name.lower() == "content-type" for name in asked):
        asked["Content-Type"] = file.media_type
    content = file.read()
    try:
        answer = await client.send(Request("PUT", url, list(asked.items()), content))
    except ExchangeError as error:
        raise TransferError(f"{file.path} could not be uploaded: {error.message}") from error
    if not 200 <= answer.status < 300:
        raise TransferError(
            f"{file.path} was refused with {answer.status}: {answer.content[:200].decode(errors='replace')}"
        )
    return len(content)


async def save_outputs(
    client: Client, outputs: Mapping[str, Any], folder: Path, servers: Collection[str], journal: Journal | None = None
) -> list[Saved]:
    """Download every output that is a URL on one of `servers`; nothing is ever overwritten.

    With a journal, what an earlier life of the run has saved there is left as it is.
    """
    origins = {origin(server) for server in servers}
    saved: list[Saved] = []
    for name, url in _urls(outputs):
        one = _still_there(journal, name, url, folder)
        if one is None:
            one = await _save(client, name, url, folder, origins)
            await _remember(journal, one, folder)
        saved += [one] if one is not None else []
    return saved


def _still_there(journal: Journal | None, name: str, url: str, folder: Path) -> Saved | None:
    record = journal.saved.get(_key(name, url, folder)) if journal is not None else None
    if record is None:
        return None
    path = folder / record["file"]
    with contextlib.suppress(OSError):
        if path.is_file() and path.stat().st_size == record["size"]:
            return Saved(name, url, path, record["size"])
    return None


async def _remember(journal: Journal | None, one: Saved | None, folder: Path) -> None:
    if journal is not None and one is not None and one.path is not None:
        with contextlib.suppress(OSError):  # the file is there, and at worst it is downloaded again
            await journal.save(_key(one.output, one.url, folder), one.path.name, one.size)


def _key(name: str, url: str, folder: Path) -> str:
    """A digest, because a URL may be signed."""
    return hashlib.sha256(f"{folder.absolute()} {name} {url}".encode(errors="replace")).hexdigest()


async def _save(client: Client, name: str, url: str, folder: Path, origins: set[str]) -> Saved | None:
    """The file, or why there is none; None for a URL that holds nothing to save."""
    if origin(url) not in origins:
        return Saved(name, url, None, reason=f"{origin(url)} is not a server of this run")
    try:
        return await _download(client, name, url, folder)
    except (ExchangeError, TransferError) as error:
        reason = error.message
    except httpx.RequestError as error:
        reason = f"the download broke off: {error}"
    except OSError as error:  # the run is over, and a disk that is full takes no result of it back
        reason = f"{folder} cannot be written: {error.strerror or error}"
    return Saved(name, url, None, reason=reason)


async def _download(client: Client, name: str, url: str, folder: Path) -> Saved | None:
    """None where the URL is there to be sent to, and refuses GET."""
    async with client.open(Request("GET", url, [("Accept", "*/*")])) as response:
        if response.status_code == 405:
            return None
        if response.status_code != 200:
            return Saved(name, url, None, reason=f"the server answered {response.status_code}")
        folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - nothing else waits for this loop
        path, file = _fresh(folder, name, extension(response.headers.get("content-type", "")))
        try:
            with file:
                size = await _write(response, file)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Saved(name, url, path, size)


async def _write(response: httpx.Response, file: BinaryIO) -> int:
    size = 0
    async for chunk in response.aiter_bytes():
        size += file.write(chunk)
    return size


def _fresh(folder: Path, name: str, suffix: str) -> tuple[Path, BinaryIO]:
    """A file that did not exist before: `name.png`, else `name-2.png` and so on."""
    for number in range(1, _MAX_NAMES):
        path = folder / f"{name}{'' if number == 1 else f'-{number}'}{suffix}"
        with contextlib.suppress(FileExistsError):
            return path, path.open("xb")
    raise TransferError(f"{folder} is full of files called {name}")


def _urls(outputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in outputs.items():
        values = cast("list[Any]", value) if isinstance(value, list) else [value]
        for item in values:
            if _is_url(item):
                yield name, item


def _is_url(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://"))
