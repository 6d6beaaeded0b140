"""The settings, read once. The only file that touches the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import msgspec

from heddle.errors import UsageError

_WORDS = {"on": "true", "yes": "true", "off": "false", "no": "false"}


def _setting(default: Any, doc: str) -> Any:
    """One setting: its default and one sentence; the reference page is made from these."""
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting `x` is the environment variable `HEDDLE_X`."""

    home: str = _setting("~/.heddle", "The data folder: database, blobs, keys. One server process at a time.")
    host: str = _setting("127.0.0.1", "The address to listen on; anything but loopback needs a token to exist.")
    port: int = _setting(8765, "The port to listen on; 0 takes a free one.")
    public_url: str = _setting("", "The address that clients see, for signed links; empty: taken from the request.")
    storage: str = _setting("disk", "Where bytes live: the name of a storage plug-in.")
    executor: str = _setting("local", "How a job gets to a process: the name of an executor plug-in.")
    slots: int = _setting(0, "Worker processes on this machine; 0: one per CPU core, at most four.")
    lookahead: int = _setting(
        1, "Jobs that a slot may hold beyond the one it runs, so that it never waits for the disk."
    )
    worker_memory_mb: int = _setting(4096, "Address space of one worker process in MiB; 0: no limit.")
    lease_s: float = _setting(30.0, "How long a claimed job stays claimed without a sign of life.")
    step_timeout_s: float = _setting(600.0, "How long one attempt of a job may run.")
    max_attempts: int = _setting(
        3, "Attempts that a job may ruin before it ends `failed`; those lost with the server do not count."
    )
    retry_backoff_s: float = _setting(1.0, "The wait before a job's second attempt; doubles each time.")
    stand_in: bool = _setting(False, "Let `sketch` stand in for model families that cannot run here.")
    starting_buzz: int = _setting(1_000_000, "What a new account is granted.")
    upload_ttl_s: float = _setting(900.0, "How long an upload URL lives, and a step waits for its bytes.")
    url_ttl_s: float = _setting(86_400.0, "How long a signed download link lives.")
    max_upload_mb: int = _setting(64, "The largest upload in MiB.")
    max_body_mb: int = _setting(16, "The largest JSON body in MiB.")
    max_pixels: int = _setting(64_000_000, "The largest picture taken in, in pixels.")
    callbacks_private: bool = _setting(
        False, "Development: allow webhooks to loopback and private addresses, and plain http."
    )
    webhook_tries: int = _setting(40, "Deliveries of one event before it is dead-lettered: about five hours.")
    webhook_timeout_s: float = _setting(10.0, "How long one delivery may take.")
    log_level: str = _setting("info", "debug, info, warning or error.")

    @property
    def folder(self) -> Path:
        """The data folder, resolved."""
        return Path(self.home).expanduser().resolve()


def read(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Settings from the environment; `overrides` (a command's flags) win where they are not None."""
    env = os.environ if environ is None else environ
    known = {f.name for f in fields(Settings)}
    given: dict[str, Any] = {
        name: _WORDS.get(env[f"HEDDLE_{name.upper()}"].lower(), env[f"HEDDLE_{name.upper()}"])
        for name in known
        if env.get(f"HEDDLE_{name.upper()}", "") != ""
    }
    given.update({name: value for name, value in overrides.items() if value is not None})
    settings: dict[str, Any] = {}
    for name, value in given.items():
        settings[name] = _convert(name, value)
    return Settings(**settings)


def _convert(name: str, value: Any) -> Any:
    kinds: dict[str, Any] = {"str": str, "int": int, "float": float, "bool": bool}
    kind = next(str(f.type) for f in fields(Settings) if f.name == name)
    try:
        return msgspec.convert(value, kinds[kind], strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"HEDDLE_{name.upper()} is {value!r}, which is not a {kind}", f"set it to a {kind}") from error


def credentials_file() -> Path:
    """Where `heddle login` keeps tokens (mode 0600)."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "heddle" / "credentials.json"


def child_environment() -> dict[str, str]:
    """The environment that a child process starts with: ours, without Heddle's own settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HEDDLE_")}
