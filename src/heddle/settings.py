"""The settings, read once. The only file that touches the environment."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import msgspec

from heddle.errors import UsageError

_WORDS = {"on": "true", "yes": "true", "off": "false", "no": "false"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a setting may be, beyond its type."""

    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    pattern: str = ""

    def hold(self, value: Any) -> bool:
        """Whether a value of the right type is within them."""
        if self.choices or self.pattern:
            return value in self.choices if self.choices else re.fullmatch(self.pattern, value) is not None
        # Not a number is within no range.
        return self.low is None or self.high is None or self.low <= value <= self.high

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return " or ".join(filter(None, [", ".join(self.choices[:-1]), *self.choices[-1:]]))
        return f"{_short(self.low)} to {_short(self.high)}"


def _short(number: float) -> str:
    return f"{number:.15g}"


def _setting(default: Any, doc: str, *, secret: bool = False, **bounds: Any) -> Any:
    """One setting: its default, one sentence, and what it may be; the reference page is made from these."""
    return field(default=default, repr=not secret, metadata={"doc": doc, "bounds": Bounds(**bounds), "secret": secret})


_DAY_S = 86_400.0
_YEAR_S = 365 * _DAY_S
_HTTP = r"(https?://[^\s?#]+)?"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting `x` is the environment variable `HEDDLE_X`."""

    home: str = _setting("~/.heddle", "The data folder: database, blobs, keys. One server process at a time.")
    host: str = _setting("127.0.0.1", "The address to listen on; anything but loopback needs a token to exist.")
    port: int = _setting(8765, "The port to listen on; 0 takes a free one.", low=0, high=65_535)
    public_url: str = _setting(
        "",
        "The address that clients see, for signed links, as in `https://example.org`; empty: taken from the request.",
        pattern=_HTTP,
    )
    database: str = _setting(
        "",
        "A PostgreSQL as `postgresql://user@host/name`; empty: SQLite in the data folder.",
        secret=True,
        pattern=r"(postgres(ql)?://\S+)?",
    )
    database_writers: int = _setting(
        4, "Connections to PostgreSQL that one process writes on; SQLite has one writer.", low=1, high=64
    )
    storage: str = _setting("disk", "Where bytes live: the name of a storage plug-in, `disk` or `s3`.")
    s3_bucket: str = _setting("", "The bucket that the storage `s3` keeps bytes in; it must exist.")
    s3_prefix: str = _setting("", "What every key in the bucket starts with, as in `heddle/`; empty: nothing.")
    s3_endpoint: str = _setting(
        "", "The address of an S3 service, as in `https://minio.example.org`; empty: that of AWS.", pattern=_HTTP
    )
    s3_public_endpoint: str = _setting(
        "", "The address at which clients reach the same service, for direct links; empty: the same.", pattern=_HTTP
    )
    s3_region: str = _setting("", "The bucket's region; empty: that of the AWS configuration, else `us-east-1`.")
    s3_access_key: str = _setting(
        "",
        "The access key of the bucket; empty: found as other AWS programs do (environment, profile, machine role).",
        secret=True,
    )
    s3_secret_key: str = _setting("", "The secret that belongs to `HEDDLE_S3_ACCESS_KEY`.", secret=True)
    s3_direct: bool = _setting(
        True, "Answer a download link with a redirect to the bucket, so that bytes do not pass through the server."
    )
    s3_direct_uploads: bool = _setting(
        False, "Hand out upload URLs that lead to the bucket; what arrives there is checked before it is a blob."
    )
    engines_file: str = _setting(
        "", "The file with options of engines; empty: `engines.toml` in the data folder, where there is one."
    )
    executor: str = _setting("local", "How a job gets to a process: the name of an executor plug-in.")
    slots: int = _setting(0, "Worker processes on this machine; 0: one per CPU core, at most four.", low=0, high=1024)
    devices: str = _setting(
        "auto",
        "What engines with large models run on, a worker process for each: `auto` (every NVIDIA GPU that nvidia-smi"
        " shows, else the CPU), `cpu`, `none`, or the indices of GPUs as in `0,2`.",
        pattern=r"auto|cpu|none|\d{1,3}(,\d{1,3})*",
    )
    device_memory_mb: int = _setting(
        0,
        "MiB that models may take on each device; 0: all of a GPU but 1 GiB, half of the memory for the CPU.",
        low=0,
        high=2**30,
    )
    ray_address: str = _setting(
        "",
        "The Ray cluster of the executor `ray`, as in `10.0.0.5:6379`; empty: one on this machine, for this process.",
        pattern=r"(\S+:\d+)?",
    )
    ray_namespace: str = _setting(
        "heddle", "The name under which a deployment keeps its actors; two in one cluster need two."
    )
    ray_slots: int = _setting(
        0, "Actors that one dispatcher holds at most; 0: as many as the cluster has room for.", low=0, high=100_000
    )
    ray_slot_resources: str = _setting(
        '{"num_cpus": 1}',
        "What an actor needs of a node: JSON with `num_cpus`, `num_gpus`, `memory` (bytes) or resources of your own.",
        pattern=r"\{.*\}",
    )
    ray_token_file: str = _setting("", "The file with the cluster's token; empty: `ray/token` in the data folder.")
    lookahead: int = _setting(
        1,
        "Jobs that a slot may hold beyond the one it runs, so that it never waits for the disk.",
        low=0,
        high=1024,
    )
    worker_memory_mb: int = _setting(
        4096, "Address space of one worker process in MiB; 0: no limit.", low=0, high=2**30
    )
    grace_s: float = _setting(
        20.0,
        "How long running jobs may go on after the process was asked to stop; then they are handed back.",
        low=0,
        high=_DAY_S,
    )
    drain_s: float = _setting(
        0.0,
        "How long an API process goes on after it was asked to stop, while `/readyz` sends new requests elsewhere.",
        low=0,
        high=3600,
    )
    probe_port: int = _setting(
        0, "Where processes without an API answer `/livez`, `/readyz` and `/metrics`; 0: nowhere.", low=0, high=65_535
    )
    defer_s: float = _setting(
        10.0,
        "How long a job may be passed over for one whose model is at hand, or wait for a copy of its own; 0: never.",
        low=0,
        high=_DAY_S,
    )
    lease_s: float = _setting(30.0, "How long a claimed job stays claimed without a sign of life.", low=1, high=_DAY_S)
    step_timeout_s: float = _setting(600.0, "How long one attempt of a job may run.", low=0.1, high=_YEAR_S)
    preview_s: float = _setting(
        1.0,
        "Seconds between two live previews of a running job, for engines that make them; 0: none are made.",
        low=0,
        high=3600,
    )
    max_attempts: int = _setting(
        3,
        "Attempts that a job may ruin before it ends `failed`; those lost with the server do not count.",
        low=1,
        high=1000,
    )
    retry_backoff_s: float = _setting(
        1.0, "The wait before a job's second attempt; doubles each time.", low=0, high=_DAY_S
    )
    stand_in: bool = _setting(False, "Let `sketch` stand in for model families that cannot run here.")
    starting_buzz: int = _setting(1_000_000, "What a new account is granted.", low=0, high=10**12)
    retention_days: float = _setting(
        0.0,
        "How long finished workflows, what they made, and uploads are kept; 0: for ever. Buzz is never forgotten.",
        low=0,
        high=36_500,
    )
    upload_ttl_s: float = _setting(
        900.0, "How long an upload URL lives, and a step waits for its bytes.", low=1, high=_DAY_S
    )
    url_ttl_s: float = _setting(86_400.0, "How long a signed download link lives.", low=1, high=10 * _YEAR_S)
    max_upload_mb: int = _setting(64, "The largest upload in MiB.", low=1, high=2**20)
    max_body_mb: int = _setting(4, "The largest JSON body in MiB.", low=1, high=1024)
    unplaced_s: float = _setting(
        86_400.0,
        "How long a job may wait while no slot that is there could ever run it; then its workflow ends `expired`.",
        low=1,
        high=10**8,
    )
    max_pixels: int = _setting(64_000_000, "The largest picture taken in, in pixels.", low=1, high=10**10)
    max_media_s: float = _setting(3600.0, "The longest sound or video taken in, in seconds.", low=1, high=10**6)
    sources_private: bool = _setting(
        False, "Development: allow sources of a step to be fetched from loopback and private addresses."
    )
    sources_at_once: int = _setting(
        16, "Sources that one process fetches at the same time; one account has half of them at most.", low=1, high=1024
    )
    sources_mb: int = _setting(
        256,
        "Room in MiB for the bytes of sources that are on their way, in one process; one account has half at most.",
        low=1,
        high=2**20,
    )
    sources_wait_s: float = _setting(
        10.0, "How long a submit waits for that room before it is answered with 503.", low=0.1, high=600
    )
    run_hosts: str = _setting(
        "",
        "Other hosts that Arazzo runs of the server may call, as in `api.example.org,*.example.net:8443`; empty: none.",
    )
    runs_at_once: int = _setting(
        16,
        "Arazzo runs that one process carries out at the same time; one account has half of them at most. 0, in every"
        " process: there are none, and none are taken in.",
        low=0,
        high=1024,
    )
    runs_open: int = _setting(
        100, "Arazzo runs of one account that may wait or run, over all processes.", low=1, high=100_000
    )
    callbacks_private: bool = _setting(
        False, "Development: allow webhooks to loopback and private addresses, and plain http."
    )
    webhook_tries: int = _setting(
        40, "Deliveries of one event before it is dead-lettered: about five hours.", low=1, high=1000
    )
    webhook_timeout_s: float = _setting(10.0, "How long one delivery may take.", low=0.1, high=3600)
    log_level: str = _setting("info", "How much is logged.", choices=("debug", "info", "warning", "error"))
    log_format: str = _setting("text", "The form of a log line: for people, or for programs.", choices=("text", "json"))
    metrics: str = _setting(
        "loopback",
        "Who may read `/metrics`: programs on this machine, whoever can reach the server, or nobody.",
        choices=("loopback", "open", "off"),
    )
    otel_endpoint: str = _setting(
        "",
        "Where traces go, by OTLP/HTTP, as in `http://127.0.0.1:4318`; empty: nowhere.",
        pattern=r"(https?://[^\s?#]+)?",
    )

    def shown(self, name: str) -> Any:
        """A value for eyes: a secret is only said to be set."""
        value = getattr(self, name)
        return "(set)" if value and self.__dataclass_fields__[name].metadata["secret"] else value

    @property
    def folder(self) -> Path:
        """The data folder, resolved."""
        return Path(self.home).expanduser().resolve()


def read(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Settings from the environment; `overrides` (a command's flags) win where they are not None."""
    env = os.environ if environ is None else environ
    known = {f.name for f in fields(Settings)}
    given: dict[str, Any] = {
        name: env[f"HEDDLE_{name.upper()}"] for name in known if env.get(f"HEDDLE_{name.upper()}", "") != ""
    }
    given.update({name: value for name, value in overrides.items() if value is not None})
    settings: dict[str, Any] = {}
    for name, value in given.items():
        settings[name] = _convert(name, value)
    return Settings(**settings)


def _convert(name: str, value: Any) -> Any:
    kinds: dict[str, Any] = {"str": str, "int": int, "float": float, "bool": bool}
    known = next(f for f in fields(Settings) if f.name == name)
    kind, bounds = str(known.type), known.metadata["bounds"]
    plain = _WORDS.get(str(value).lower(), value) if kind == "bool" else value
    try:
        converted = msgspec.convert(plain, kinds[kind], strict=False)
    except msgspec.ValidationError as error:
        raise _wrong(name, value, kind, bounds) from error
    converted = converted.lower() if bounds.choices else converted
    if not bounds.hold(converted):
        raise _wrong(name, value, kind, bounds)
    return converted


_EXAMPLES = {
    "database": "postgresql://user@host/name",
    "ray_address": "10.0.0.5:6379",
    "ray_slot_resources": '{"num_gpus": 1}',
}


def _wrong(name: str, value: Any, kind: str, bounds: Bounds) -> UsageError:
    """What would have been right."""
    words = {"str": "text", "int": "a whole number", "float": "a number", "bool": "yes or no (on or off)"}
    right = f"like {_EXAMPLES.get(name, 'https://example.org')}" if bounds.pattern else str(bounds)
    right = right if bounds.choices or bounds.pattern else f"{words[kind]}{f', {right}' if right else ''}"
    return UsageError(f"HEDDLE_{name.upper()} is {value!r}, which is not {right}", f"set it to {right}")


def private_folder(folder: Path) -> None:
    """Make the data folder; it holds tokens' hashes, prompts and pictures, so it is its owner's alone."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = folder.stat()
    if found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)


def credentials_file() -> Path:
    """Where `heddle login` keeps tokens (mode 0600)."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "heddle" / "credentials.json"


def variables(prefix: str) -> dict[str, str]:
    """What the environment has under names that start with `prefix`; for names that only a caller's document knows."""
    return {name: value for name, value in os.environ.items() if name.startswith(prefix)}


def environment(**changes: str) -> dict[str, str]:
    """Our own environment with changes, for a process that is to have our settings."""
    return {**os.environ, **changes}


def set_environment(variables: Mapping[str, str]) -> None:
    """For a library that can be told in no other way; it reads them when it is imported."""
    os.environ.update(variables)


def visible_gpus() -> list[str] | None:
    """The GPUs that this process was given, as `CUDA_VISIBLE_DEVICES` names them; None: all there are.

    None of them counts where the operator has engines run on the CPU.
    """
    if os.environ.get("HEDDLE_DEVICES") == "cpu":
        return []
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    return None if given is None else [part.strip() for part in given.split(",") if part.strip()]


def child_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment that a child process starts with: ours and more, without Heddle's settings and Ray's token."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("HEDDLE_", "RAY_AUTH_"))}
    return ours | dict(more or {})
