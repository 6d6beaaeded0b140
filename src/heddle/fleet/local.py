"""The executor `local`: one worker process per slot on this machine, replaced when it dies, hangs or overstays."""

from __future__ import annotations

import os
from collections.abc import Callable

from heddle import registry
from heddle.fleet import Limits, Sink
from heddle.fleet.crew import Crew, Hand
from heddle.fleet.messages import FromWorker, Key, Run
from heddle.fleet.process import WorkerProcess
from heddle.matching import SlotReport
from heddle.settings import Settings


def _can_run(name: str) -> bool:
    """Workers are children of this process: what it misses, they miss."""
    try:
        return not registry.engine(name).missing()
    except Exception:  # noqa: BLE001 - engines are strangers' code; the jobs of this one fail and say why
        return True


class LocalExecutor:
    """A crew of child processes."""

    def __init__(self, settings: Settings, limits: Limits | None = None) -> None:
        self._slots = settings.slots or min(4, os.cpu_count() or 1)
        able = frozenset(name for name in registry.targets("engines") if _can_run(name))

        def hire(name: str, heard: Callable[[FromWorker], None]) -> Hand:
            worker = WorkerProcess(name, heard)
            worker.able = able
            return worker

        self._crew = Crew(settings, limits or Limits(), hire)

    async def start(self, sink: Sink) -> None:
        await self._crew.start(sink, [f"local-{n}" for n in range(self._slots)])

    def free(self, lookahead: int | None = None) -> int:
        return self._crew.free(lookahead)

    def slots(self, lookahead: int | None = None) -> list[SlotReport]:
        return self._crew.slots(lookahead)

    def run(self, run: Run) -> None:
        self._crew.run(run)

    def cancel(self, job_id: str, attempt: int) -> None:
        self._crew.cancel(job_id, attempt)

    def alive(self) -> frozenset[Key]:
        return self._crew.alive()

    async def close(self, grace_s: float) -> None:
        await self._crew.close(grace_s)
