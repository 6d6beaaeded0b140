"""What delivering costs: CPU of one `heddle webhooks` per event, against a bare client that posts the same bodies.

    python benchmarks/webhooks.py [seconds per row] [workflows/s]

A workflow here is three events of one line, 50 ms apart, as a short job makes them. The database is a durable
PostgreSQL on loopback; events are appended by this process, which is also the receiver.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import msgspec

from heddle import egress, outbox
from heddle.chores import first_run
from heddle.db import Database, Tx
from heddle.db.migrate import migrate
from heddle.db.postgres import PostgreSQL
from heddle.domain import now
from heddle.outbox import Event
from heddle.settings import Settings

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.cluster import Cluster
from tests.postgres import Postgres

STATUSES = "unassigned", "processing", "succeeded"
_numbers = count()
_TICK = os.sysconf("SC_CLK_TCK")


class Receiver:
    """Takes every POST; remembers when each event came."""

    def __init__(self) -> None:
        self.came: dict[tuple[bytes, bytes], float] = {}

    async def open(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                size = int(head.partition(b"content-length: ")[2].partition(b"\r")[0])
                body = await reader.readexactly(size)
                seq = head.partition(b"heddle-sequence: ")[2].partition(b"\r")[0]
                self.came.setdefault((body, seq), time.perf_counter())
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.close()


def append(tx: Tx, batches: Sequence[Sequence[Event]]) -> list[None]:
    for events in batches:
        outbox.append(tx, events, now())
    return [None] * len(batches)


def cpu(pid: int) -> float:
    """Seconds that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


class Feed:
    """Workflows that are told of, and when each event was committed."""

    def __init__(self, db: Database, url: str, receiver: Receiver) -> None:
        self._db = db
        self._url = url
        self._receiver = receiver
        self.sent: dict[tuple[bytes, bytes], float] = {}

    async def workflow(self, pause_s: float) -> None:
        name = f"wf_{next(_numbers):08}"
        for seq, status in enumerate(STATUSES):
            if seq and pause_s:
                await asyncio.sleep(pause_s)
            body = {"$type": "workflow", "workflowId": name, "status": status, "timestamp": "2026-11-20T17:14:25.120Z"}
            await self._db.write(append, [Event(workflow_id=name, account_id=1, endpoint=self._url, body=body)])
            key = (msgspec.json.encode(body), str(seq).encode())
            self.sent[key] = time.perf_counter()

    async def steady(self, per_s: float, seconds: float) -> None:
        begin, tasks = time.perf_counter(), list[asyncio.Task[None]]()
        while (at := len(tasks) / per_s) < seconds:
            await asyncio.sleep(max(0.0, begin + at - time.perf_counter()))
            tasks.append(asyncio.create_task(self.workflow(0.05)))
        await asyncio.gather(*tasks)

    async def arrived(self) -> list[float]:
        """How long after its commit each came, once all are there."""
        async with asyncio.timeout(120):
            while not self.sent.keys() <= self._receiver.came.keys():
                await asyncio.sleep(0.01)
        return sorted(max(0.0, self._receiver.came[key] - at) for key, at in self.sent.items())


async def bare(url: str, seconds: float) -> float:
    """CPU seconds per event of the guarded client alone. The receiver is in this process and is counted too."""
    client = egress.Client(allow_private=True, connections=4)
    body, headers = b"{}" * 60, {"Content-Type": "application/json"}
    begin, end, done = time.process_time(), time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        await client.post(url, body, headers, timeout_s=5)
        done += 1
    await client.aclose()
    return (time.process_time() - begin) / done


async def measure(db: Database, pid: int, seconds: float, per_s: float) -> None:
    receiver = Receiver()
    url = await receiver.open()
    base = await bare(url, min(seconds, 2.0))
    print(f"a bare client and the receiver: {base * 1e3:.2f} ms CPU per event")
    for rate in (0.0, per_s, 4 * per_s):
        feed, before, begin = Feed(db, url, receiver), cpu(pid), time.perf_counter()
        receiver.came.clear()
        await (feed.steady(rate, seconds) if rate else asyncio.sleep(seconds))
        took = await feed.arrived()
        used, lasted = cpu(pid) - before, time.perf_counter() - begin
        print(_told(rate, used, lasted, took, base))


def _told(rate: float, used: float, lasted: float, took: Sequence[float], base: float) -> str:
    share = f"{rate:3.0f} workflows/s: {used / lasted:6.1%} of a core"
    if not took:
        return share
    each, p50, p99 = used / len(took), statistics.median(took), took[int(len(took) * 0.99)]
    return (
        f"{share}, {each * 1e3:.2f} ms CPU per event ({each / base:.1f} of bare),"
        f" commit to arrival p50 {p50 * 1e3:.0f} ms, p99 {p99 * 1e3:.0f} ms"
    )


def main(seconds: float, per_s: float) -> None:
    server = Postgres(durable=True)
    try:
        dsn = server.start().create()
        dialect = PostgreSQL(dsn)
        migrate(dialect)
        db = Database(dialect)
        first_run.first_account(db, Settings(), now(), token=False)
        with tempfile.TemporaryDirectory() as folder:
            cluster = Cluster(Path(folder), dsn)
            try:
                pid = cluster.start(webhooks=1)["webhooks-0"].pid
                asyncio.run(measure(db, pid, seconds, per_s))
            finally:
                cluster.close()
                db.close()
    finally:
        server.close()


if __name__ == "__main__":
    main(*(float(given) for given in (*sys.argv[1:], *("8", "15")[len(sys.argv) - 1 :])))
