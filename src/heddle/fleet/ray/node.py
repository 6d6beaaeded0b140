"""How Ray is started on this machine: the command line and environment of a head, and of a node that joins one."""

from __future__ import annotations

import sys

from heddle.fleet.ray import access
from heddle.settings import Settings, environment

#: Where Ray's heads listen by custom.
PORT = access.PORTS[0]

#: Messages are small; media go through storage.
_OBJECT_STORE = 200 * 2**20

_RAY = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"]


def head(host: str, port: int, extra: list[str] | None = None) -> list[str]:
    """A new cluster's first node. It runs until it is told to stop, and its cluster with it."""
    return [
        *_RAY,
        "--head",
        f"--node-ip-address={host}",
        f"--port={port}",
        "--include-dashboard=false",
        f"--object-store-memory={_OBJECT_STORE}",
        *(extra or []),
    ]


def joining(address: str, host: str, extra: list[str] | None = None) -> list[str]:
    """One more node for the cluster whose head is at `address`."""
    return [
        *_RAY,
        f"--address={address}",
        f"--node-ip-address={host}",
        f"--object-store-memory={_OBJECT_STORE}",
        *(extra or []),
    ]


def surroundings(settings: Settings, host: str) -> dict[str, str]:
    """The environment for either."""
    return environment(**access.environment(settings, host))
