"""The executor `ray`: a crew whose workers live in a Ray cluster. Nothing of Ray is imported before it starts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from heddle.errors import Unavailable
from heddle.fleet import Limits, Sink
from heddle.fleet.crew import Crew, Hand
from heddle.fleet.messages import FromWorker, Key, Run
from heddle.fleet.ray import access
from heddle.fleet.ray.connection import connect
from heddle.matching import SlotReport
from heddle.settings import Settings

if TYPE_CHECKING:
    from heddle.fleet.ray.cluster import Cluster
    from heddle.fleet.ray.link import Roster

log = logging.getLogger(__name__)

#: How often the cluster is looked at.
_LOOK_S = 2.0
#: Slots that the autoscaler is asked for, at most; its own limits count besides.
_MOST = 1000


class RayExecutor:
    """As many slots as the cluster has room for, or as the setting says. It grows when the cluster does."""

    def __init__(self, settings: Settings, limits: Limits | None = None) -> None:
        access.bundle(settings.ray_slot_resources)
        self._settings = settings
        self._limits = limits or Limits()
        self._crew: Crew | None = None
        self._cluster: Cluster | None = None
        self._roster: Roster | None = None
        self._looking: asyncio.Task[None] | None = None
        self._waiting = 0

    async def start(self, sink: Sink) -> None:
        self._cluster = await connect(self._settings)
        try:
            await self._recruit(self._cluster, sink)
        except BaseException:
            await self._cluster.close()
            raise
        self._looking = asyncio.create_task(self._look_forever(self._cluster))

    async def _recruit(self, cluster: Cluster, sink: Sink) -> None:
        from heddle.fleet.ray.cluster import Silent  # noqa: PLC0415 - as above
        from heddle.fleet.ray.link import RayWorker, Roster  # noqa: PLC0415

        try:
            roster = Roster(cluster, await cluster.job(), self._settings.lease_s, self._limits.cancel_s)
            roster.most = await cluster.capacity()
        except Silent as error:
            raise Unavailable(str(error)) from error
        self._roster = roster

        def hire(name: str, heard: Callable[[FromWorker], None]) -> Hand:
            return RayWorker(roster, name, heard)

        self._crew = Crew(self._settings, self._limits, hire)
        await self._crew.start(sink, [f"ray-{n}" for n in range(self._wanted(roster))])

    def _wanted(self, roster: Roster) -> int:
        return min(roster.most, self._settings.ray_slots or roster.most)

    # ── looking after the cluster ─────────────────────────────────────────────

    async def _look_forever(self, cluster: Cluster) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                await self._look(cluster)
            except Exception as error:  # noqa: BLE001 - one bad look must not be the last
                log.warning("cannot look at the Ray cluster: %s", error)

    async def _look(self, cluster: Cluster) -> None:
        assert self._crew is not None
        assert self._roster is not None
        self._roster.most = await cluster.capacity()
        for n in range(self._crew.size, self._wanted(self._roster)):
            self._crew.add(f"ray-{n}")
        if self._waiting or self._crew.busy:
            limit = self._settings.ray_slots or _MOST
            await cluster.ask_for(min(limit, self._crew.busy + self._waiting))
        else:
            await cluster.ask_for(0)

    def demand(self, waiting: int) -> None:
        """How many jobs wait in the queue: the cluster's autoscaler is told within seconds."""
        self._waiting = waiting

    # ── what the crew does ────────────────────────────────────────────────────

    def free(self, lookahead: int | None = None) -> int:
        return self._crew.free(lookahead) if self._crew else 0

    def slots(self, lookahead: int | None = None) -> list[SlotReport]:
        return self._crew.slots(lookahead) if self._crew else []

    def run(self, run: Run) -> None:
        assert self._crew is not None
        self._crew.run(run)

    def cancel(self, job_id: str, attempt: int) -> None:
        if self._crew:
            self._crew.cancel(job_id, attempt)

    def alive(self) -> frozenset[Key]:
        return self._crew.alive() if self._crew else frozenset()

    async def close(self, grace_s: float) -> None:
        """Let attempts end, then leave the actors: detached as they are, the next dispatcher finds them warm."""
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking
            self._looking = None
        if self._crew is not None:
            await self._crew.close(grace_s)
        if self._cluster is not None:
            await self._cluster.close()
            self._cluster = None
