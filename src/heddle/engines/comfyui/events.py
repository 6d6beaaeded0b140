"""What a ComfyUI server tells of a run through its WebSocket: events, and pictures of a sampler on its way."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Any, Self
from urllib.parse import quote

import msgspec
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from heddle.studio import remote

_OPEN_S = 10.0

#: One message: a preview of a large picture is a few MiB.
_MOST = 64 * 1024 * 1024

#: The event that stands for a picture of a sampler on its way; its bytes are the member `picture`.
PREVIEW = "preview"
#: What a message in bytes is, by its first number: a picture, whose format is the second one.
_IS_PREVIEW, _NUMBERS = (1).to_bytes(4, "big"), 8


class Events:
    """A socket, for one run. Where it cannot be had or breaks off, there are no events: the run looks itself."""

    def __init__(self, url: str, client_id: str, headers: Mapping[str, str]) -> None:
        self._where = f"ws{url.removeprefix('http')}/ws?clientId={quote(client_id)}"
        self._headers = dict(headers)
        self._open = ExitStack()
        self._socket: ClientConnection | None = None

    def __enter__(self) -> Self:
        with suppress(OSError, WebSocketException):
            self._socket = self._open.enter_context(
                connect(
                    self._where,
                    additional_headers=self._headers,
                    open_timeout=_OPEN_S,
                    close_timeout=1,
                    max_size=_MOST,
                    compression=None,
                    proxy=None,
                )
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    @property
    def there(self) -> bool:
        """Whether anything may still come."""
        return self._socket is not None

    def next(self, prompt_id: str, timeout_s: float) -> tuple[str, dict[str, Any]] | None:
        """The next event of this run and its data; None when there is none in that time, or of others.

        A preview does not say whose it is. It is of the run that is at work, for a server runs one at a time.
        """
        if self._socket is None:
            return None
        try:
            message = self._socket.recv(timeout_s)
        except TimeoutError:
            return None
        except (OSError, WebSocketException):
            self._close()
            return None
        return _event(message, prompt_id) if isinstance(message, str) else _preview(message)

    def _close(self) -> None:
        self._socket = None
        self._open.close()


def _preview(message: bytes) -> tuple[str, dict[str, Any]] | None:
    return (PREVIEW, {"picture": message[_NUMBERS:]}) if message.startswith(_IS_PREVIEW) else None


def _event(message: str, prompt_id: str) -> tuple[str, dict[str, Any]] | None:
    try:
        found = msgspec.json.decode(message)
    except msgspec.DecodeError:
        return None
    data = remote.members(remote.members(found).get("data"))
    # A server tells one client of other clients' runs as well, and of an earlier run after the next began.
    return (str(remote.members(found).get("type")), data) if data.get("prompt_id") == prompt_id else None
