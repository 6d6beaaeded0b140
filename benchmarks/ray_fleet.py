"""What the way through the Ray executor costs, against bare calls of an async actor in the same run.

`python benchmarks/ray_fleet.py [rounds]` starts a cluster on loopback. Figures are medians over rounds that alternate
between the things compared, because a shared machine is faster in one minute than in the next: trust the ratios.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from heddle import registry
from heddle.domain import JSON
from heddle.engines import JobContext, Made
from heddle.fleet.messages import Done, JobEvent, Progress, Run
from heddle.fleet.ray.executor import RayExecutor
from heddle.settings import Settings

JOBS = 1000
ONE_BY_ONE = 300
REPORTS = 40
LOOKAHEADS = (1, 8, 32)

#: Between two reports of progress: longer than the worker holds one back.
REPORT_S = 0.25


class NoOp:
    """Makes one empty artifact."""

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        yield Made(data=b"", mime="text/plain")


class Reporter:
    """Says what time it is, again and again; one machine has one clock."""

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        for n in range(payload["reports"]):
            context.progress(n / payload["reports"], str(time.time()))
            time.sleep(REPORT_S)
        yield Made(data=b"", mime="text/plain")


class Nowhere:
    """A storage that keeps nothing, so that the disk is not what is measured."""

    def __init__(self, options: Mapping[str, str]) -> None:
        pass

    def write(self, key: str, chunks: Iterable[bytes]) -> int:
        return sum(map(len, chunks))


def job(n: int, engine: str, lookahead: int = 0, **payload: Any) -> Run:
    return Run(job_id=f"job_{time.time_ns()}_{n}", attempt=1, engine=engine, payload=payload, lookahead=lookahead)


class Bare:
    """An actor as Ray's own examples have it."""

    async def call(self, body: bytes) -> bytes:
        return body

    async def stream(self, reports: int) -> AsyncIterator[float]:
        for _ in range(reports):
            yield time.time()
            await asyncio.sleep(REPORT_S)


class Fleet:
    """A started executor, and who waits for what it says."""

    def __init__(self, settings: Settings) -> None:
        self.executor = RayExecutor(settings)
        self.hear: Callable[[JobEvent], None] = print

    async def start(self) -> None:
        await self.executor.start(self._pass_on)

    def _pass_on(self, event: JobEvent) -> None:
        self.hear(event)

    async def rate(self, lookahead: int) -> float:
        """No-op jobs a second. Whenever one ends the next is handed over."""
        finished, left = asyncio.Event(), JOBS
        waiting = iter([job(n, "noop", lookahead) for n in range(JOBS)])

        def fill() -> None:
            for _ in range(self.executor.free(lookahead)):
                if (run := next(waiting, None)) is not None:
                    self.executor.run(run)

        def hear(event: JobEvent) -> None:
            nonlocal left
            assert not hasattr(event, "reason"), event
            if isinstance(event, Done):
                left -= 1
                fill()
                if left == 0:
                    finished.set()

        self.hear = hear
        begin = time.perf_counter()
        fill()
        await finished.wait()
        return JOBS / (time.perf_counter() - begin)

    async def one_by_one(self) -> float:
        """Median milliseconds from handing over a job to hearing of its end, with nothing else to do."""
        took: list[float] = []
        for n in range(ONE_BY_ONE):
            ended = asyncio.Event()
            self.hear = lambda event, ended=ended: ended.set() if isinstance(event, Done) else None
            begin = time.perf_counter()
            self.executor.run(job(n, "noop"))
            await ended.wait()
            took.append(time.perf_counter() - begin)
        return 1000 * median(took)

    async def delay(self) -> float:
        """Median milliseconds from a report in the engine to the sink."""
        took: list[float] = []
        ended = asyncio.Event()

        def hear(event: JobEvent) -> None:
            if isinstance(event, Progress):
                took.append(time.time() - float(event.note))
            if isinstance(event, Done):
                ended.set()

        self.hear = hear
        self.executor.run(job(0, "reporter", reports=REPORTS))
        await ended.wait()
        return 1000 * median(took)


async def bare_rate(actor: Any) -> float:
    begin = time.perf_counter()
    await asyncio.gather(*(actor.call.remote(b"x" * 100) for _ in range(JOBS)))
    return JOBS / (time.perf_counter() - begin)


async def bare_one_by_one(actor: Any) -> float:
    took: list[float] = []
    for _ in range(ONE_BY_ONE):
        begin = time.perf_counter()
        await actor.call.remote(b"x" * 100)
        took.append(time.perf_counter() - begin)
    return 1000 * median(took)


async def bare_delay(actor: Any) -> float:
    took: list[float] = []
    async for ref in actor.stream.options(num_returns="streaming").remote(REPORTS):
        sent = await ref
        took.append(time.time() - sent)
    return 1000 * median(took)


async def medians(rounds: int, **things: Callable[[], Awaitable[float]]) -> dict[str, float]:
    """Measure all in turn, `rounds` times."""
    taken: dict[str, list[float]] = {name: [] for name in things}
    for _ in range(rounds):
        for name, measure in things.items():
            taken[name].append(await measure())
    return {name: median(values) for name, values in taken.items()}


async def measure(settings: Settings, rounds: int) -> None:
    fleet = Fleet(settings)
    await fleet.start()
    import ray  # noqa: PLC0415 - it reads the environment when it is imported, and the executor has set that now

    actor: Any = ray.remote(Bare).options(num_cpus=0).remote()
    await bare_rate(actor)
    await fleet.rate(1)
    print(f"{JOBS} no-op jobs, one slot; median of {rounds} rounds")
    for lookahead in LOOKAHEADS:
        rate = await medians(rounds, bare=lambda: bare_rate(actor), executor=lambda n=lookahead: fleet.rate(n))
        ratio = rate["executor"] / rate["bare"]
        print(f"  look-ahead {lookahead:2}: {rate['executor']:6.0f}/s, bare {rate['bare']:6.0f}/s, ratio {ratio:.2f}")
    way = await medians(rounds, bare=lambda: bare_one_by_one(actor), executor=fleet.one_by_one)
    extra = way["executor"] - way["bare"]
    print(f"one by one, p50: {way['executor']:.2f} ms, bare call {way['bare']:.2f} ms: {extra:+.2f} ms a job")
    late = await medians(1, bare=lambda: bare_delay(actor), executor=fleet.delay)
    ratio = late["executor"] / late["bare"]
    print(f"progress, p50: {late['executor']:.2f} ms late, bare stream {late['bare']:.2f} ms: {ratio:.2f}")
    await fleet.executor.close(0)


def main(rounds: int) -> None:
    here = Path(__file__)
    os.environ["PYTHONPATH"] = str(here.parent)  # how the worker finds this file
    sys.modules[here.stem] = sys.modules["__main__"]
    Bare.__module__ = here.stem
    registry.add("engines", "noop", f"{here.stem}:NoOp")
    registry.add("engines", "reporter", f"{here.stem}:Reporter")
    registry.add("storages", "nowhere", f"{here.stem}:Nowhere")
    with tempfile.TemporaryDirectory() as home:
        asyncio.run(measure(Settings(home=home, storage="nowhere", executor="ray", ray_slots=1), rounds))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
