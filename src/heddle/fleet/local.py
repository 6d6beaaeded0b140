"""The executor `local`: one worker process per slot on this machine, replaced when it dies, hangs or overstays."""

from __future__ import annotations

import os

from heddle.fleet import Limits, Sink
from heddle.fleet.crew import Crew
from heddle.fleet.messages import Key, Run
from heddle.fleet.process import WorkerProcess
from heddle.matching import SlotReport
from heddle.settings import Settings


class LocalExecutor:
    """A crew of child processes."""

    def __init__(self, settings: Settings, limits: Limits | None = None) -> None:
        self._slots = settings.slots or min(4, os.cpu_count() or 1)
        self._crew = Crew(settings, limits or Limits(), WorkerProcess)

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
