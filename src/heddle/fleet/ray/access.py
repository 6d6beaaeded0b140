"""Who may reach a Ray cluster: its token, its addresses, and the environment that makes Ray heed them."""

from __future__ import annotations

import fcntl
import ipaddress
import os
import secrets
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from heddle.errors import UsageError
from heddle.settings import Settings

#: The one address to which Ray binds and nothing else; on any other it listens on every interface.
LOOPBACK = "127.0.0.1"

#: Of a head: GCS, dashboard (also for submitting programs to run), and the server for Ray's remote clients.
PORTS = (6379, 8265, 10001)

_SIOCGIFADDR = 0x8915


def token_file(settings: Settings) -> Path:
    """Where the cluster's token is."""
    return Path(settings.ray_token_file).expanduser() if settings.ray_token_file else settings.folder / "ray" / "token"


def make_token(path: Path) -> None:
    """A token for a new cluster, unless there is one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(32))


def environment(settings: Settings, host: str) -> dict[str, str]:
    """What Ray reads when it is imported, for a cluster whose head is at `host`."""
    path = token_file(settings)
    variables = {
        "RAY_USAGE_STATS_ENABLED": "0",
        # What the cluster says goes to its own log files; here it would be printed over ours.
        "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        # Ray's name for "one machine", and only then does it bind to the loopback address and nothing else.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0" if host in {LOOPBACK, "localhost"} else "1",
    }
    if path.exists():
        variables |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(path)}
    return variables


def host_of(address: str) -> str:
    """The host of `host:port`."""
    return address.rpartition(":")[0].strip("[]")


def check_private(address: str) -> str:
    """An address of this machine that the world cannot reach. Raises UsageError."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        raise UsageError(f"{address!r} is not an IP address", f"use {LOOPBACK} or one like 10.0.0.5") from None
    if found.is_unspecified or found.is_multicast or found.is_global:
        raise UsageError(
            f"Ray must not listen on {address}: whoever reaches it can run any program here",
            f"use {LOOPBACK}, or an address of a private network such as 10.0.0.5",
        )
    return str(found)


def public_addresses() -> list[str]:
    """Those of this machine that the world may reach."""
    return [address for address in addresses() if ipaddress.ip_address(address).is_global]


def addresses() -> list[str]:
    """Every address of every interface, as far as Linux tells."""
    found: list[str] = []
    for _, name in socket.if_nameindex():
        request = struct.pack("256s", name.encode()[:15])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket, suppress(OSError):
            answer = fcntl.ioctl(any_socket.fileno(), _SIOCGIFADDR, request)
            found.append(socket.inet_ntoa(answer[20:24]))
    with suppress(OSError):
        lines = Path("/proc/net/if_inet6").read_text().splitlines()
        found += [str(ipaddress.IPv6Address(int(line.split()[0], 16))) for line in lines]
    return found


def reachable(hosts: Iterable[str], ports: Iterable[int]) -> list[str]:
    """Which of them take a connection."""
    return [f"{address}:{port}" for address in hosts for port in ports if _takes(address, port)]


def _takes(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


def bundle(resources: str) -> dict[str, float]:
    """`HEDDLE_RAY_SLOT_RESOURCES` in Ray's own names. Raises UsageError."""
    own = {"num_cpus": "CPU", "num_gpus": "GPU"}
    try:
        amounts = msgspec.json.decode(resources, type=dict[str, float])
    except msgspec.DecodeError as error:
        raise _wrong_bundle(resources, str(error)) from error
    if not any(amount > 0 for amount in amounts.values()) or any(amount < 0 for amount in amounts.values()):
        raise _wrong_bundle(resources, "it should name at least one resource, and amounts above 0")
    return {own.get(name, name): amount for name, amount in amounts.items() if amount}


def _wrong_bundle(resources: str, why: str) -> UsageError:
    return UsageError(f"HEDDLE_RAY_SLOT_RESOURCES is {resources!r}: {why}", 'set it like {"num_gpus": 1}')
