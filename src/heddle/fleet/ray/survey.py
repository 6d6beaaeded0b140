"""What a person asks of a cluster: what is there, and to take a part of it away. Used by `heddle fleet`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from heddle import registry
from heddle.errors import NotFound, UsageError
from heddle.fleet.ray.actor import Report, reports
from heddle.fleet.ray.cluster import Cluster, Silent, first_line

#: For an actor to say what it can; it may have to import its engines for that.
_REPORT_S = 30.0
_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Node:
    """One machine of the cluster."""

    id: str
    address: str
    alive: bool
    head: bool
    resources: dict[str, float]


@dataclass(frozen=True, slots=True)
class Slot:
    """One actor. `problem` says why there is no report."""

    name: str
    report: Report | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Survey:
    """The whole cluster, as one deployment sees it."""

    nodes: Sequence[Node]
    slots: Sequence[Slot]
    #: Slots that it could have.
    capacity: int
    paused: bool
    problems: Sequence[str] = field(default=())


async def survey(cluster: Cluster) -> Survey:
    """Look at everything at once."""
    nodes = [_node(row) for row in await cluster.nodes()]
    slots = await asyncio.gather(*(_slot(cluster, name) for name in await cluster.names()))
    return Survey(nodes, slots, await cluster.capacity(), await cluster.paused())


async def drain(cluster: Cluster, which: str, grace_s: float) -> int:
    """Let what runs on a node end, for `grace_s`, then take its actors away, and the node out of the cluster.

    Returns how many actors went. Raises NotFound and UsageError.
    """
    node = _pick((await survey(cluster)).nodes, which)
    if node.head:
        raise UsageError(f"{which} is the head: the cluster ends with it", "drain --all, then stop it")
    await cluster.retire_node(node.id)
    slots = (await survey(cluster)).slots
    return await _retire(cluster, [slot.name for slot in slots if slot.report and slot.report.node == node.id], grace_s)


async def drain_all(cluster: Cluster, grace_s: float) -> int:
    """The same for every actor; dispatchers make no new ones until `cluster.pause(on=False)`."""
    await cluster.pause(on=True)
    return await _retire(cluster, await cluster.names(), grace_s)


async def _retire(cluster: Cluster, names: Sequence[str], grace_s: float) -> int:
    return sum(await asyncio.gather(*(_retire_one(cluster, name, time.monotonic() + grace_s) for name in names)))


async def _retire_one(cluster: Cluster, name: str, deadline: float) -> bool:
    """An actor that does not answer has nothing to lose."""
    actor = await cluster.find(name)
    if actor is None:
        return False
    try:
        while await _is_busy(cluster, actor) and time.monotonic() < deadline:  # noqa: ASYNC110 - in another process
            await asyncio.sleep(_LOOK_S)
    except Silent:
        pass
    await cluster.kill(actor, for_good=True)
    return True


async def _is_busy(cluster: Cluster, actor: Any) -> bool:
    return await cluster.answer(actor.retire.remote(), _REPORT_S)


async def _slot(cluster: Cluster, name: str) -> Slot:
    try:
        actor = await cluster.find(name)
        if actor is None:
            return Slot(name, problem="has just gone")
        body = await cluster.answer(
            actor.report.remote(dict(registry.targets("engines")), registry.options()), _REPORT_S
        )
    except Silent as error:
        return Slot(name, problem=first_line(error))
    return Slot(name, reports.decode(body))


def _node(row: dict[str, Any]) -> Node:
    resources = {key: amount for key, amount in row["Resources"].items() if not key.startswith("node:")}
    head = "node:__internal_head__" in row["Resources"]
    return Node(row["NodeID"], row["NodeManagerAddress"], row["Alive"], head, resources)


def _pick(nodes: Sequence[Node], which: str) -> Node:
    """The living node with this address, or whose id begins so."""
    found = [node for node in nodes if node.alive and (node.address == which or node.id.startswith(which))]
    if len(found) != 1:
        known = ", ".join(f"{node.address} ({node.id[:8]})" for node in nodes if node.alive)
        raise NotFound(f"{which!r} is {'several' if found else 'none'} of the nodes: {known}")
    return found[0]
