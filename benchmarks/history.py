"""What a long history costs: a workflow over HTTP beside 1,000,000 finished ones, against 1,000, on both databases.

    python benchmarks/history.py [finished workflows] [seconds per row] [sqlite|postgres]

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

import psycopg
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


#: The same rows, made by the server itself: a million of them in minutes. `s.id` is a ULID of the moment `s.at`.
_SERIES = """
CREATE TEMPORARY TABLE s AS SELECT at, {time} || SUBSTR(UPPER(MD5(at::text)), 1, 16) AS id
FROM (SELECT {begin} + 1000 * n AS at FROM GENERATE_SERIES(0::bigint, {last}) AS n) AS moments;
INSERT INTO workflows (id, account_id, status, tags, callbacks, cost, created_at, started_at, completed_at)
SELECT 'wf_' || id, 1, 'succeeded', '[]', '[]', 1, at, at, at FROM s ORDER BY at;
INSERT INTO steps (workflow_id, idx, name, type, status, priority, input, timeout_s, started_at, completed_at)
SELECT 'wf_' || id, 0, 'generate', 'imageGen', 'succeeded', 'normal',
'{{"engine":"noop","prompt":"a red fox in the snow"}}', 600, at, at FROM s ORDER BY at;
INSERT INTO jobs (id, workflow_id, step, idx, status, engine, payload, inputs, cost, attempt, started_at, completed_at,
artifacts) SELECT 'job_' || id, 'wf_' || id, 0, 0, 'succeeded', 'noop', '{{"prompt":"a red fox in the snow"}}', '[]', 1,
1, at, at, '[]' FROM s ORDER BY at;
INSERT INTO blobs (id, account_id, state, storage_key, mime, size, nsfw_level, job_id, metadata, created_at)
SELECT 'blob_' || id, 1, 'stored', 'jobs/' || id, 'image/png', 100, 1, 'job_' || id, '{{}}', at FROM s ORDER BY at;
INSERT INTO events (workflow_id, account_id, endpoint, seq, body, state, tries, next_at, created_at)
SELECT 'wf_' || id, 1, 'https://example.org/', 0, '{{}}', 'delivered', 1, 0, at FROM s ORDER BY at;
INSERT INTO ledger_entries (account_id, kind, amount, workflow_id, n, created_at)
SELECT 1, kind, 1, 'wf_' || id, 0, at FROM s, (VALUES ('hold'), ('settle')) AS kinds (kind) ORDER BY at, kind;
"""
_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def fill_server(dsn: str, count: int) -> None:
    """What `fill` does, on PostgreSQL and by PostgreSQL."""
    dialect = PostgreSQL(dsn)
    migrate(dialect)
    db = Database(dialect)
    first_run.first_account(db, Settings(starting_buzz=10**9), now(), token=False)
    db.close()
    digits = [f"SUBSTR('{_BASE32}', ((at >> {5 * place}) & 31)::int + 1, 1)" for place in reversed(range(10))]
    begin = to_ms(now() - timedelta(days=30))
    series = _SERIES.format(time=" || ".join(digits), begin=begin, last=count - 1)
    with psycopg.connect(dsn, autocommit=True) as connection:
        # The rows refer to each other rightly; to look each reference up would take longest of all.
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET synchronous_commit = off")
        connection.execute(series.encode())
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


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


def on_sqlite(count: int, seconds: float) -> None:
    with ExitStack() as stack:
        homes = {n: Path(stack.enter_context(tempfile.TemporaryDirectory())) for n in (1000, count)}
        begin = time.perf_counter()
        for n, home in homes.items():
            fill(SQLite(home / "heddle.db"), n)
        print(f"SQLite (filled in {time.perf_counter() - begin:.0f} s)")
        with ExitStack() as servers:
            urls = {n: servers.enter_context(running(home)) for n, home in homes.items()}
            asyncio.run(compare(urls, seconds))


def on_postgres(count: int, seconds: float) -> None:
    server = Postgres(durable=True)
    try:
        server.start()
        begin = time.perf_counter()
        names = {n: server.create() for n in (1000, count)}
        for n, dsn in names.items():
            fill_server(dsn, n)
        print(f"PostgreSQL (filled in {time.perf_counter() - begin:.0f} s)")
        with ExitStack() as servers:
            urls = {n: servers.enter_context(running(database=dsn)) for n, dsn in names.items()}
            asyncio.run(compare(urls, seconds))
    finally:
        server.close()


if __name__ == "__main__":
    finished = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    per_row = float(sys.argv[2]) if len(sys.argv) > 2 else 20.0
    for name, measure in ("sqlite", on_sqlite), ("postgres", on_postgres):
        if name in (sys.argv[3:] or [name]):
            measure(finished, per_row)
