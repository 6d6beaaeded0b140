"""Workflows per second over HTTP with a no-op engine, against SQLite itself and a raw ASGI echo, in one run.

python benchmarks/workflows.py [seconds per row]
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

from load import Connection

from server import echo, running

BODY = json.dumps(
    {
        "steps": [
            {"$type": "imageGen", "name": "generate", "input": {"engine": "noop", "prompt": "a red fox in the snow"}}
        ]
    }
).encode()
ENDS = (b'"status":"succeeded"', b'"status":"failed"')
PATH = b"/v2/consumer/workflows"


async def workflows(url: str, token: str, clients: int, seconds: float) -> tuple[float, list[float]]:
    """Closed loop: each client submits, polls until the end, and starts again."""
    end = time.perf_counter() + seconds
    took: list[float] = []

    async def client() -> None:
        connection = await Connection.open(url, token)
        while (begin := time.perf_counter()) < end:
            status, body = await connection.request(b"POST", PATH, BODY)
            assert status == 202, body
            one = PATH + b"/" + body[7:36]
            pause = 0.002
            while True:
                await asyncio.sleep(pause)
                _, body = await connection.request(b"GET", one)
                if any(e in body[:80] for e in ENDS):
                    break
                pause = min(0.25, pause * 1.5)
            took.append(time.perf_counter() - begin)
        connection.close()

    begin = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return len(took) / (time.perf_counter() - begin), took


async def requests(url: str, token: str, method: bytes, path: bytes, body: bytes, seconds: float) -> float:
    """32 connections, one request after the other on each."""
    end, done = time.perf_counter() + seconds, 0

    async def client() -> None:
        nonlocal done
        connection = await Connection.open(url, token)
        while time.perf_counter() < end:
            await connection.request(method, path, body)
            done += 1
        connection.close()

    begin = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(32)))
    return done / (time.perf_counter() - begin)


def direct(seconds: float) -> float:
    """The same rows written by SQLite alone, synchronous=FULL, batches of 1,000: workflows per second."""
    with tempfile.TemporaryDirectory() as folder:
        db = sqlite3.connect(Path(folder) / "d.db", isolation_level=None)
        db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
        for table in "w", "st", "j":
            db.execute(f"CREATE TABLE {table} (id TEXT PRIMARY KEY, s TEXT, body TEXT)")
        db.execute("CREATE TABLE q (id TEXT PRIMARY KEY, o TEXT)")
        db.execute("CREATE TABLE l (id INTEGER PRIMARY KEY, w TEXT, k TEXT, a INT)")
        db.execute("CREATE TABLE b (id TEXT PRIMARY KEY, body TEXT)")
        begin, n = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds:
            ids = [f"wf_{n + i:026d}" for i in range(1000)]
            db.execute("BEGIN IMMEDIATE")
            for table in "w", "st", "j":
                db.executemany(f"INSERT INTO {table} VALUES (?, 'unassigned', ?)", [(i, "x" * 200) for i in ids])
            db.executemany("INSERT INTO q VALUES (?, NULL)", [(i,) for i in ids])
            db.executemany("INSERT INTO l (w, k, a) VALUES (?, 'hold', 1)", [(i,) for i in ids])
            db.execute("COMMIT")
            db.execute("BEGIN IMMEDIATE")
            db.executemany("UPDATE q SET o = 'me' WHERE id = ?", [(i,) for i in ids])
            db.execute("COMMIT")
            db.execute("BEGIN IMMEDIATE")
            db.executemany("DELETE FROM q WHERE id = ?", [(i,) for i in ids])
            for table in "w", "st", "j":
                db.executemany(f"UPDATE {table} SET s = 'succeeded' WHERE id = ?", [(i,) for i in ids])
            db.executemany("INSERT INTO l (w, k, a) VALUES (?, 'settle', 1)", [(i,) for i in ids])
            db.executemany("INSERT INTO b VALUES (?, ?)", [(i, "x" * 200) for i in ids])
            db.execute("COMMIT")
            n += 1000
        rate = n / (time.perf_counter() - begin)
        db.close()
        return rate


async def main(seconds: float) -> None:
    base = direct(seconds)
    print(f"direct SQLite, FULL, batches of 1,000: {base:,.0f} workflows/s")
    with echo() as url:
        post = await requests(url, "", b"POST", PATH, BODY, seconds)
        get = await requests(url, "", b"GET", PATH, b"", seconds)
        print(f"raw ASGI echo, 32 connections: POST {post:,.0f}/s, GET {get:,.0f}/s")
    with running() as (url, token):
        for clients in 1, 16, 256:
            rate, took = await workflows(url, token, clients, seconds)
            took.sort()
            p50, p99 = statistics.median(took), took[int(len(took) * 0.99)]
            print(
                f"submit -> succeeded, {clients:3d} clients: {rate:,.0f}/s ({rate / base:.2f} of direct SQLite),"
                f" p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms"
            )
        connection = await Connection.open(url, token)
        status, body = await connection.request(b"POST", PATH, BODY)
        assert status == 202
        one = PATH + b"/" + body[7:36]
        await asyncio.sleep(0.5)
        rate = await requests(url, token, b"GET", one, b"", seconds)
        print(f"GET a workflow, 32 connections: {rate:,.0f}/s ({rate / get:.2f} of echo)")
        bad = BODY.replace(b'"prompt"', b'"width": 1, "prompt"')
        rate = await requests(url, token, b"POST", PATH, bad, seconds)
        print(f"POST validate and refuse, 32 connections: {rate:,.0f}/s ({rate / post:.2f} of echo)")
        rate = await requests(url, token, b"POST", PATH, BODY, seconds)
        print(f"POST validate, write, encode, 32 connections: {rate:,.0f}/s ({rate / post:.2f} of echo)")


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0))
