"""What can be done to a Ray cluster: to an actor, to a node, to the GCS."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from heddle.fleet.ray import access
from tests.chaos.adversary import Adversary, Attack
from tests.ray_fleet.conftest import Cluster, running

#: Each has room for one slot.
NODES = ("127.0.0.21", "127.0.0.22")


@contextmanager
def nodes(folder: Path) -> Iterator[Cluster]:
    """A head without slots, whose GCS keeps what it knows, and a node for each slot."""
    folder.mkdir()
    with running(folder, RAY_gcs_storage="rocksdb", RAY_gcs_storage_path=str(folder / "gcs")) as fleet:
        for host in NODES:
            fleet.add_node(host)
        yield fleet


def settings(fleet: Cluster) -> dict[str, object]:
    """What the processes of Heddle must be told."""
    token = access.token_file(fleet.settings)
    return {"executor": "ray", "ray_address": fleet.address, "ray_token_file": token, "ray_slots": 1}


def attacks(fleet: Cluster) -> Sequence[Attack]:
    """They never overlap."""

    def any_one(adversary: Adversary, name: str, host: str = "") -> int | None:
        pids = sorted(fleet.processes(host, name))
        return adversary.chance.choice(pids) if pids else None

    def tell(pid: int | None, number: signal.Signals) -> bool:
        with suppress(ProcessLookupError):
            if pid is not None:
                os.kill(pid, number)
        return pid is not None

    def kill_actor(adversary: Adversary) -> bool:
        return tell(any_one(adversary, "ray::SlotActor"), signal.SIGKILL)

    def freeze_actor(adversary: Adversary) -> bool:
        pid = any_one(adversary, "ray::SlotActor")
        tell(pid, signal.SIGSTOP)
        adversary.sleep(5.0)
        return tell(pid, signal.SIGCONT)

    def kill_node(adversary: Adversary) -> None:
        """First the raylet, then what is left; and the node comes back."""
        host = adversary.chance.choice(NODES)
        tell(any_one(adversary, "raylet", host), signal.SIGKILL)
        adversary.sleep(3.0)
        fleet.end(host)
        fleet.add_node(host)

    def kill_gcs(adversary: Adversary) -> None:
        again = fleet.kill_gcs()
        time.sleep(1.0)
        again()

    return (
        Attack("ray: SIGKILL of an actor", 3, kill_actor),
        Attack("ray: SIGSTOP of an actor", 1, freeze_actor),
        Attack("ray: SIGKILL of a raylet and its node", 2, kill_node),
        Attack("ray: SIGKILL of the GCS, and its start", 2, kill_gcs),
    )
