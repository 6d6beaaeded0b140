"""procrastinate on a PostgreSQL: `python procrastinate_peer.py DSN schema|work|defer COUNT`."""

from __future__ import annotations

import asyncio
import sys

import procrastinate

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=sys.argv[1], min_size=4, max_size=18))


@app.task(name="noop")
async def noop() -> None:
    pass


async def defer(count: int) -> None:
    """One by one from 16 callers, as requests come."""

    async def caller() -> None:
        for _ in numbers:
            await noop.defer_async()

    numbers = iter(range(count))
    await asyncio.gather(*(caller() for _ in range(16)))


async def main(what: str, count: int) -> None:
    async with app.open_async():
        if what == "schema":
            await app.schema_manager.apply_schema_async()
        elif what == "defer":
            await noop.defer_async()
            print("ready", flush=True)
            sys.stdin.read()
            await defer(count - 1)
        else:
            await app.run_worker_async(concurrency=16)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0))
