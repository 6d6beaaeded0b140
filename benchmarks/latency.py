"""From a submit to the start of its job on an idle server, against the disk's fsync: on SQLite and on PostgreSQL.

    python benchmarks/latency.py [workflows]

The goal is 5 ms and two fsyncs at the median: one commit for the submit, one for the claim. A workflow is submitted
over HTTP, one at a time; when its job started is what the engine itself notes, on the same clock.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from load import Connection
from workflows import BODY, ENDS, PATH

from server import running

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.postgres import Postgres


def fsync(count: int) -> float:
    """Median seconds of a small write and its fdatasync, in the folder for temporary files."""
    took: list[float] = []
    with tempfile.NamedTemporaryFile(prefix="heddle-bench-") as file:
        for _ in range(count):
            begin = time.perf_counter()
            os.write(file.fileno(), b"x" * 4096)
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - begin)
    return statistics.median(took)


async def starts(url: str, token: str, notes: Path, count: int) -> list[float]:
    """Seconds from each submit to the engine's note of its start."""
    connection = await Connection.open(url, token)
    took: list[float] = []
    for n in range(count + 5):
        begin, seen = time.time(), len(lines(notes))
        status, body = await connection.request(b"POST", PATH, BODY)
        assert status == 202, body
        one = PATH + b"/" + body[7:36]
        while not any(end in body[:80] for end in ENDS):
            await asyncio.sleep(0.02)
            _, body = await connection.request(b"GET", one)
        if n >= 5:  # the first ones find everything cold
            took.append(float(lines(notes)[seen]) - begin)
        await asyncio.sleep(0.05)
    connection.close()
    return took


def lines(notes: Path) -> list[str]:
    return notes.read_text().splitlines() if notes.exists() else []


def tell(name: str, took: list[float], sync: float) -> None:
    p50, p99 = statistics.median(took), sorted(took)[int(len(took) * 0.99)]
    goal = 0.005 + 2 * sync
    print(
        f"{name:10} submit to start: p50 {p50 * 1000:5.1f} ms, p99 {p99 * 1000:5.1f} ms;"
        f" goal 5 ms + 2 fsync = {goal * 1000:.1f} ms: {p50 / goal:.2f}",
        flush=True,
    )


def main(count: int) -> None:
    sync = fsync(200)
    print(f"fsync of 4 KiB: p50 {sync * 1000:.2f} ms")
    with tempfile.TemporaryDirectory(prefix="heddle-bench-") as folder:
        notes = Path(folder) / "starts"
        os.environ["NOOP_NOTES"] = str(notes)
        with running() as (url, token):
            tell("SQLite", asyncio.run(starts(url, token, notes, count)), sync)
        notes.unlink()
        server = Postgres(durable=True)
        try:
            server.start()
            with running(database=server.create()) as (url, token):
                tell("PostgreSQL", asyncio.run(starts(url, token, notes, count)), sync)
        finally:
            server.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
