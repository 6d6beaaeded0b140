"""What the way through the local executor costs, against the least that two processes can do.

`python benchmarks/executor.py [rounds]`. Every figure is the median over rounds that alternate between the things
compared, because a shared machine is faster in one minute than in the next: trust the ratios.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from heddle import registry
from heddle.domain import JSON
from heddle.engines import JobContext, Made
from heddle.fleet.local import LocalExecutor
from heddle.fleet.messages import Done, Frames, JobEvent, Run, Started, frame, from_worker, to_worker
from heddle.settings import Settings

JOBS = 2000
PICTURES = 40
LOOKAHEADS = (1, 8, 32)


class NoOp:
    """Makes one empty artifact."""

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        yield Made(data=b"", mime="text/plain")


class Picture:
    """A noisy gradient of 512 x 512 pixels as a PNG: a few tens of milliseconds of a CPU."""

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        import numpy as np  # noqa: PLC0415 - not needed for the no-op
        from PIL import Image  # noqa: PLC0415

        noise = np.random.default_rng(payload["seed"]).integers(0, 32, (512, 512, 3))
        pixels = (noise + np.linspace(0, 200, 512)[:, None, None]).astype(np.uint8)
        context.progress(0.5)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG", compress_level=6)
        yield Made(data=file.getvalue(), mime="image/png", width=512, height=512)


class Nowhere:
    """A storage that keeps nothing, so that the disk is not what is measured."""

    def __init__(self, options: Mapping[str, str]) -> None:
        pass

    def write(self, key: str, chunks: Iterable[bytes]) -> int:
        return sum(map(len, chunks))


def job(n: int, engine: str, lookahead: int = 0) -> Run:
    return Run(job_id=f"job_{n:08}", attempt=1, engine=engine, payload={"seed": n}, lookahead=lookahead)


# ── the anchor: two processes, a socket pair, msgpack ─────────────────────────


def answer(channel: socket.socket) -> None:
    """The other process: decode, answer with two messages as a worker does, until nobody is there."""
    frames = Frames()
    while data := channel.recv(262_144):
        for body in frames.feed(data):
            run = to_worker.decode(body)
            assert isinstance(run, Run)
            channel.sendall(frame(Started(job_id=run.job_id, attempt=1)))
            channel.sendall(frame(Done(job_id=run.job_id, attempt=1, artifacts=[])))


def bare(lookahead: int) -> float:
    """Round trips a second with `lookahead` messages on the way beside the one that is answered."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        answer(theirs)
        os._exit(0)
    theirs.close()
    frames, done, sent = Frames(), 0, 0
    begin = time.perf_counter()
    while done < JOBS:
        while sent < JOBS and sent - done <= lookahead:
            ours.sendall(frame(job(sent, "noop")))
            sent += 1
        done += sum(isinstance(from_worker.decode(body), Done) for body in frames.feed(ours.recv(262_144)))
    took = time.perf_counter() - begin
    ours.close()
    os.waitpid(child, 0)
    return JOBS / took


# ── the executor ──────────────────────────────────────────────────────────────


async def through(settings: Settings, runs: list[Run], lookahead: int) -> float:
    """Seconds for all runs, after one to warm up. Whenever one ends the next is handed over."""
    executor, finished = LocalExecutor(settings), asyncio.Event()
    waiting, left = iter(runs[1:]), len(runs)

    def fill() -> None:
        for _ in range(executor.free(lookahead)):
            if (run := next(waiting, None)) is not None:
                executor.run(run)

    def hear(event: JobEvent) -> None:
        nonlocal left
        if isinstance(event, Started):
            return
        assert not hasattr(event, "reason"), event
        if isinstance(event, Done):
            left -= 1
            (finished.set if left in (len(runs) - 1, 0) else fill)()

    await executor.start(hear)
    executor.run(runs[0])
    await finished.wait()
    finished.clear()
    begin = time.perf_counter()
    fill()
    await finished.wait()
    took = time.perf_counter() - begin
    await executor.close(0)
    return took


def no_ops(home: str, lookahead: int) -> float:
    settings = Settings(home=home, slots=1, storage="nowhere")
    runs = [job(n, "noop", lookahead) for n in range(JOBS + 1)]
    return JOBS / asyncio.run(through(settings, runs, lookahead))


def pictures(home: str) -> float:
    """Milliseconds a picture through the executor, with the look-ahead that is the default."""
    settings = Settings(home=home, slots=1, storage="nowhere")
    runs = [job(n, "picture") for n in range(PICTURES + 1)]
    return 1000 * asyncio.run(through(settings, runs, settings.lookahead)) / PICTURES


class Silent:
    """The context of a loop that nobody watches."""

    job_id, attempt = "job_loop", 1

    def progress(self, fraction: float, note: str = "") -> None: ...
    def log(self, text: str) -> None: ...
    def read(self, blob_id: str) -> bytes:
        raise NotImplementedError


def draw(engine: Picture, n: int) -> None:
    """One turn of the loop; like a worker it keeps nothing of it, which matters to the allocator."""
    for made in engine.run({"seed": n}, Silent()):
        hashlib.sha256(made.data).hexdigest()


def loop() -> float:
    """Milliseconds a picture in a plain loop that also hashes, in a process of the same niceness."""
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.nice(5)
        engine = Picture()
        for n in range(PICTURES + 1):
            if n == 1:
                begin = time.perf_counter()
            draw(engine, n)
        os.write(write, f"{1000 * (time.perf_counter() - begin) / PICTURES}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    took = float(os.read(read, 100))
    os.close(read)
    os.close(write)
    return took


def medians(rounds: int, **things: Callable[[], float]) -> dict[str, float]:
    """Measure all in turn, `rounds` times."""
    taken: dict[str, list[float]] = {name: [] for name in things}
    for _ in range(rounds):
        for name, measure in things.items():
            taken[name].append(measure())
    return {name: median(values) for name, values in taken.items()}


def main(rounds: int) -> None:
    here = Path(__file__)
    os.environ["PYTHONPATH"] = str(here.parent)  # how the worker finds this file
    registry.add("engines", "noop", f"{here.stem}:NoOp")
    registry.add("engines", "picture", f"{here.stem}:Picture")
    registry.add("storages", "nowhere", f"{here.stem}:Nowhere")
    with tempfile.TemporaryDirectory() as home:
        print(f"{JOBS} no-op jobs, one worker; median of {rounds} rounds")
        for lookahead in LOOKAHEADS:
            rate: dict[str, Any] = medians(
                rounds, bare=lambda n=lookahead: bare(n), executor=lambda n=lookahead: no_ops(home, n)
            )
            ratio = rate["executor"] / rate["bare"]
            print(
                f"  look-ahead {lookahead:2}: {rate['executor']:7.0f}/s, bare {rate['bare']:7.0f}/s, ratio {ratio:.2f}"
            )
        took = medians(rounds, loop=loop, executor=lambda: pictures(home))
        print(f"{PICTURES} pictures back to back")
        extra = took["executor"] - took["loop"]
        print(
            f"  in a loop {took['loop']:.2f} ms, through the executor {took['executor']:.2f} ms: {extra:+.2f} ms a job"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
