"""How much a run may take: steps and time, and the clock that measures it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from heddle.arazzo.events import EndedBy, Status, Waiting
from heddle.arazzo.plan import PlannedStep
from heddle.arazzo.transfers import Upload


class Clock(Protocol):
    """Time, so that a test can own it."""

    def now(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The real one."""

    def now(self) -> float:
        return monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Budgets and pace of a run."""

    max_steps: int = 10_000
    deadline: float = 3600.0
    first_pause: float = 0.25
    longest_pause: float = 2.0
    pause_growth: float = 1.5
    fall_through: bool = False
    uploads: tuple[Upload, ...] = ()


class Stopped(Exception):
    """The whole run cannot go on."""

    def __init__(self, status: Status, reason: str, ended_by: EndedBy | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.ended_by = ended_by


class Budget:
    """What is left of the options of one run."""

    def __init__(self, options: Options, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._steps = 0
        self._started = clock.now()

    def start(self) -> None:
        """Time counts from now."""
        self._started = self._clock.now()

    def now(self) -> float:
        return self._clock.now()

    def seconds(self) -> float:
        """Since the start."""
        return self._clock.now() - self._started

    def spend(self, step: PlannedStep) -> None:
        """One more step; raises Stopped where none is left."""
        if self._steps >= self._options.max_steps:
            raise Stopped(
                Status.EXHAUSTED,
                f"the run took {self._options.max_steps} steps without coming to an end; it was at {step.id!r}",
                EndedBy(step.id, None, step.place()),
            )
        self._steps += 1
        if self.left() <= 0:
            raise self.out_of_time()

    def left(self) -> float:
        """Seconds until the deadline."""
        return self._options.deadline - self.seconds()

    def out_of_time(self) -> Stopped:
        return Stopped(Status.EXHAUSTED, f"the run did not end within {self._options.deadline:g} s")

    async def rest(self, pause: Waiting) -> None:
        if pause.seconds >= self.left():
            raise self.out_of_time()
        await self._clock.sleep(pause.seconds)
