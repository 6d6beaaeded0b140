"""Connecting this process to a Ray cluster: first the environment, then the import, because Ray reads it only then."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

from heddle.errors import Unavailable
from heddle.fleet.ray import access
from heddle.settings import Settings, set_environment

if TYPE_CHECKING:
    from heddle.fleet.ray.cluster import Cluster

#: For the head to accept a connection at all. Ray itself would try for much longer.
_KNOCK_S = 5.0


async def connect(settings: Settings) -> Cluster:
    """The cluster that the settings name, or one of our own on this machine. Raises Unavailable."""
    if find_spec("ray") is None:
        raise Unavailable("the executor 'ray' needs Ray: pip install 'heddle-cloud[ray]'")
    if settings.ray_address:
        host = access.host_of(settings.ray_address)
        await _knock(settings.ray_address)
    else:
        host = access.LOOPBACK
        access.make_token(access.token_file(settings))
    set_environment(access.environment(settings, host))
    from heddle.fleet.ray.cluster import Cluster  # noqa: PLC0415 - not before the environment is set

    cluster = Cluster(settings)
    await cluster.connect()
    _mute_sigterm()
    return cluster


def _mute_sigterm() -> None:
    """Ray puts a handler before ours that prints a stack trace of its own code; so put ours first again."""
    ours = signal.getsignal(signal.SIGTERM)
    if ours is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, ours)


async def _knock(address: str) -> None:
    try:
        async with asyncio.timeout(_KNOCK_S):
            _, writer = await asyncio.open_connection(access.host_of(address), int(address.rpartition(":")[2]))
    except (OSError, TimeoutError) as error:
        raise Unavailable(f"no Ray cluster answers at {address}: {error or 'no answer'}") from error
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
