"""What a long history costs: a workflow over HTTP beside 1,000,000 finished ones, against 1,000, on both databases.

    python benchmarks/history.py [finished workflows] [seconds per row]

Both servers run at the same time and are asked in turns, so that a busy machine slows them alike.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

from ulid import ULID
from workflows import workflows

from heddle.chores import first_run
from heddle.db import Database, Dialect, Tx
from heddle.db.migrate import migrate
from heddle.db.postgres import PostgreSQL
from heddle.db.sqlite import SQLite
from heddle.domain import now, to_ms
from heddle.settings import Settings
from server import running

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.postgres import Postgres

BATCH = 5000


def fill(dialect: Dialect, count: int) -> None:
    """So many finished workflows, each with its step, job, blob, event and two entries of the ledger."""
    migrate(dialect)
    db = Database(dialect)
    first_run.first_account(db, Settings(starting_buzz=10**9), now(), token=False)
    begin = now() - timedelta(days=30)

    def insert(tx: Tx, starts: Sequence[int]) -> list[None]:
        for start in starts:
            _insert(tx, [begin + timedelta(seconds=n) for n in range(start, min(start + BATCH, count))])
        return [None] * len(starts)

    for start in range(0, count, BATCH):
        db.apply(insert, start)
    db.close()


def _insert(tx: Tx, moments: Sequence[datetime]) -> None:
    rows = [(str(ULID.from_datetime(at)), to_ms(at)) for at in moments]
    tx.many(
        "INSERT INTO workflows (id, account_id, status, tags, callbacks, cost, created_at, started_at, completed_at)"
        " VALUES (?, 1, 'succeeded', '[]', '[]', 1, ?, ?, ?)",
        [(f"wf_{i}", at, at, at) for i, at in rows],
    )
    tx.many(
        "INSERT INTO steps (workflow_id, idx, name, type, status, priority, input, timeout_s, started_at, completed_at)"
        " VALUES (?, 0, 'generate', 'imageGen', 'succeeded', 'normal', ?, 600, ?, ?)",
        [(f"wf_{i}", '{"engine":"noop","prompt":"a red fox in the snow"}', at, at) for i, at in rows],
    )
    tx.many(
        "INSERT INTO jobs (id, workflow_id, step, idx, status, engine, payload, inputs, cost, attempt, started_at,"
        " completed_at, artifacts) VALUES (?, ?, 0, 0, 'succeeded', 'noop', ?, '[]', 1, 1, ?, ?, '[]')",
        [(f"job_{i}", f"wf_{i}", '{"prompt":"a red fox in the snow"}', at, at) for i, at in rows],
    )
    tx.many(
        "INSERT INTO blobs (id, account_id, state, storage_key, mime, size, nsfw_level, job_id, metadata, created_at)"
        " VALUES (?, 1, 'stored', ?, 'image/png', 100, 1, ?, '{}', ?)",
        [(f"blob_{i}", f"jobs/{i}", f"job_{i}", at) for i, at in rows],
    )
    tx.many(
        "INSERT INTO events (workflow_id, account_id, endpoint, seq, body, state, tries, next_at, created_at)"
        " VALUES (?, 1, 'https://example.org/', 0, '{}', 'delivered', 1, 0, ?)",
        [(f"wf_{i}", at) for i, at in rows],
    )
    for kind in "hold", "settle":
        tx.many(
            "INSERT INTO ledger_entries (account_id, kind, amount, workflow_id, n, created_at)"
            f" VALUES (1, '{kind}', 1, ?, 0, ?)",
            [(f"wf_{i}", at) for i, at in rows],
        )


async def compare(urls: dict[int, tuple[str, str]], seconds: float) -> None:
    for clients in 1, 16:
        took: dict[int, list[float]] = {count: [] for count in urls}
        for _ in range(6):
            for count, (url, token) in urls.items():
                took[count] += (await workflows(url, token, clients, seconds / 6))[1]
        few, many = (statistics.median(took[count]) for count in sorted(urls))
        print(
            f"  {clients:2d} clients: p50 {few * 1000:.1f} ms beside {min(urls):,}, {many * 1000:.1f} ms beside"
            f" {max(urls):,}: {many / few:.2f}x"
        )


def main(count: int, seconds: float) -> None:
    with ExitStack() as stack:
        homes = {n: Path(stack.enter_context(tempfile.TemporaryDirectory())) for n in (1000, count)}
        begin = time.perf_counter()
        for n, home in homes.items():
            fill(SQLite(home / "heddle.db"), n)
        print(f"SQLite (filled in {time.perf_counter() - begin:.0f} s)")
        with ExitStack() as servers:
            urls = {n: servers.enter_context(running(home)) for n, home in homes.items()}
            asyncio.run(compare(urls, seconds))
    server = Postgres(durable=True)
    try:
        server.start()
        begin = time.perf_counter()
        names = {n: server.create() for n in (1000, count)}
        for n, dsn in names.items():
            fill(PostgreSQL(dsn), n)
        print(f"PostgreSQL (filled in {time.perf_counter() - begin:.0f} s)")
        with ExitStack() as servers:
            urls = {n: servers.enter_context(running(database=dsn)) for n, dsn in names.items()}
            asyncio.run(compare(urls, seconds))
    finally:
        server.close()


if __name__ == "__main__":
    main(*(kind(given) for kind, given in zip((int, float), [*sys.argv[1:], "1000000", "12"][:2], strict=True)))
