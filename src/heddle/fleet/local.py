"""The executor `local`: one worker process per slot on this machine, replaced when it dies, hangs or overstays."""

from __future__ import annotations

import os
from collections.abc import Callable

from heddle import registry
from heddle.fleet import Limits, Sink, devices
from heddle.fleet.crew import Crew, Hand, Place
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


def _wants_device(name: str) -> bool:
    try:
        return registry.engine(name).offer().device
    except Exception:  # noqa: BLE001 - the same
        return False


class LocalExecutor:
    """A crew of child processes: some for everything that needs no device, and one for each device."""

    def __init__(self, settings: Settings, limits: Limits | None = None) -> None:
        able = {name for name in registry.targets("engines") if _can_run(name)}
        on_devices = frozenset(name for name in able if _wants_device(name))
        self._devices = {device.name: device for device in devices.of_machine(settings)} if on_devices else {}
        others = frozenset(able - on_devices)
        self._slots = [f"local-{n}" for n in range(settings.slots or min(4, os.cpu_count() or 1))]

        def hire(name: str, heard: Callable[[FromWorker], None]) -> Hand:
            device = self._devices.get(name)
            worker = WorkerProcess(name, heard, environment=device and device.environment)
            worker.able = on_devices if device else others
            return worker

        self._crew = Crew(settings, limits or Limits(), hire)

    async def start(self, sink: Sink) -> None:
        # Drivers and libraries reserve far more addresses than they use: a bound on those would be one on nothing.
        places = [Place(name, limit_mb=0, memory_mb=device.memory_mb) for name, device in self._devices.items()]
        await self._crew.start(sink, [*self._slots, *places])

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
