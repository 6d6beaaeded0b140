"""The tokens of servers that `heddle login` was told about, in one file that only its owner may read (0600)."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from heddle import settings
from heddle.errors import UsageError


@dataclass(frozen=True, slots=True)
class Credentials:
    """Tokens by origin (scheme, host and port); `default` is the server of the last login, as it was given."""

    default: str | None = None
    tokens: dict[str, str] = field(default_factory=dict[str, str])

    def token_for(self, url: str) -> str | None:
        return self.tokens.get(origin_of(url))

    def with_token(self, url: str, token: str) -> Credentials:
        """The same after a login; that server becomes the default."""
        return Credentials(url.rstrip("/"), {**self.tokens, origin_of(url): token})

    def without(self, url: str) -> Credentials:
        """The same after a logout."""
        origin = origin_of(url)
        tokens = {known: token for known, token in self.tokens.items() if known != origin}
        gone = self.default is not None and origin_of(self.default) == origin
        return replace(self, tokens=tokens, default=None if gone else self.default)


def load(path: Path | None = None) -> Credentials:
    """What is stored; nothing when there is no file."""
    file = path or settings.credentials_file()
    try:
        data: Any = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Credentials()
    except (OSError, ValueError) as error:
        raise UsageError(f"the credentials file {file} cannot be read", "delete it and log in again") from error
    if not isinstance(data, dict):
        raise UsageError(f"the credentials file {file} is not an object", "delete it and log in again")
    fields = cast("dict[str, Any]", data)
    tokens = cast("dict[str, Any]", fields.get("tokens") or {})
    default = fields.get("default")
    return Credentials(
        default if isinstance(default, str) else None, {str(origin): str(token) for origin, token in tokens.items()}
    )


def save(credentials: Credentials, path: Path | None = None) -> Path:
    """Replace the file; it is never readable by others, not even while it is written."""
    file = path or settings.credentials_file()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    text = json.dumps({"default": credentials.default, "tokens": credentials.tokens}, indent=2) + "\n"
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        partial.replace(file)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()
        raise
    return file


def token_for(url: str) -> str | None:
    """The stored token of the server at `url`."""
    return load().token_for(url)


def origin_of(url: str) -> str:
    """`https://host:port` of a URL, in lower case, without the port that the scheme implies."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"{url!r} is not a URL: {error}", "it looks like http://127.0.0.1:8765") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{url!r} is not the URL of a server", "it looks like http://127.0.0.1:8765")
    try:
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{url!r} has a port that is not a number", "it looks like http://127.0.0.1:8765") from error
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    implied = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" if port in (None, implied) else f"{parts.scheme}://{host}:{port}"
