"""Workflows per second through several processes over HTTP on PostgreSQL, against pgbench and against peers.

    python benchmarks/cluster.py [seconds per row] [API processes] [jobs for each peer]

Two `heddle api` (or as many as said) and one `heddle dispatch` with the no-op engine; 256 clients submit, poll until
the workflow has succeeded, and start again. References, on the same server in the same run: the loop of postgres.py
with pgbench, our own verbs without HTTP, procrastinate's no-op jobs; and celery's on a Redis that keeps nothing.
The peers are installed into a temporary virtual environment; one that cannot be had is named and left out.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg
from group_commit import REQUEST
from noop import register
from workflows import workflows

from heddle.chores import first_run
from heddle.db import Database
from heddle.db.migrate import migrate
from heddle.db.postgres import PostgreSQL
from heddle.domain import now
from heddle.settings import Settings
from heddle.steps import Facts
from heddle.workflows.planning import Draft, Look, Planner
from postgres import pgbench, verbs

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.cluster import Cluster
from tests.postgres import Postgres

HERE = Path(__file__).parent
CLIENTS = 256
PATIENCE_S = 300.0


class Missing(Exception):
    """A peer cannot be had here; says why."""


# ── Heddle ────────────────────────────────────────────────────────────────────


async def over_http(server: Postgres, apis: int, seconds: float) -> tuple[float, float]:
    """Workflows per second of all clients, and the median of one."""
    with tempfile.TemporaryDirectory(prefix="heddle-bench-") as folder:
        cluster = Cluster(Path(folder), server.create(), {"noop": "noop:Noop"}, starting_buzz=10**9)
        cluster.env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
        try:
            cluster.start(api=apis, dispatch=1)
            urls = [cluster[f"api-{n}"].url for n in range(apis)]
            await asyncio.gather(*(workflows(url, cluster.token, 4, 1.0) for url in urls))
            each = await asyncio.gather(*(workflows(u, cluster.token, CLIENTS // apis, seconds) for u in urls))
        finally:
            cluster.close()
    return sum(rate for rate, _ in each), statistics.median([t for _, took in each for t in took])


async def by_verbs(server: Postgres, seconds: float) -> float:
    register()
    settings = Settings(starting_buzz=10**12)
    planner = Planner(settings)

    def make() -> Draft:
        look = Look(find=lambda _: None, facts_of=lambda _: Facts())
        return planner.plan(REQUEST, account_id=1, key=None, look=look, at=now())

    dialect = PostgreSQL(server.create())
    migrate(dialect)
    db = Database(dialect)
    try:
        first_run.first_account(db, settings, now(), token=False)
        return await verbs(db, make, CLIENTS, seconds)
    finally:
        db.close()


# ── peers ─────────────────────────────────────────────────────────────────────


def install(folder: Path, *packages: str) -> Path:
    """The `bin` of a new virtual environment with these. Raises Missing."""
    venv.create(folder, with_pip=True)
    ran = subprocess.run(
        [folder / "bin" / "pip", "install", "--quiet", *packages], capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise Missing(f"pip install {' '.join(packages)}: {ran.stderr.strip().splitlines()[-1]}")
    return folder / "bin"


def procrastinate(server: Postgres, count: int) -> float:
    """No-op jobs per second: one process defers from 16 callers, two run 16 at a time."""
    with tempfile.TemporaryDirectory(prefix="heddle-peer-") as folder:
        python = install(Path(folder) / "venv", "procrastinate", "psycopg[binary]") / "python"
        dsn = server.create()
        peer = [str(python), str(HERE / "peers" / "procrastinate_peer.py"), dsn]
        subprocess.run([*peer, "schema"], check=True, capture_output=True)
        with psycopg.connect(dsn, autocommit=True) as connection, _running(2, [*peer, "work"]):
            time.sleep(2.0)  # they say nothing when they are ready

            def left() -> int:
                found = connection.execute("SELECT COUNT(*) FROM procrastinate_jobs WHERE status = 'succeeded'")
                row = found.fetchone()
                assert row is not None
                return count - row[0]

            return _timed([*peer, "defer", str(count)], count, left)


def celery(count: int) -> float:
    """No-op jobs per second: one process sends from four threads, one worker has two processes."""
    redis = shutil.which("redis-server")
    if redis is None:
        raise Missing("redis-server is not installed (apt install redis-server)")
    with tempfile.TemporaryDirectory(prefix="heddle-peer-") as folder:
        binaries = install(Path(folder) / "venv", "celery[redis]")
        port = _free_port()
        env = os.environ | {"REDIS_URL": f"redis://127.0.0.1:{port}/0", "PYTHONPATH": str(HERE / "peers")}
        kept = ["--save", "", "--appendonly", "no", "--dir", folder]
        work = [str(binaries / "celery"), "-A", "celery_peer", "worker", "-c", "2", "--loglevel", "WARNING"]
        with _running(1, [redis, "--port", str(port), "--bind", "127.0.0.1", *kept]):
            left = partial(_unacknowledged, port)
            _await(left)
            with _running(1, work, env):
                time.sleep(5.0)  # it says nothing when it is ready
                return _timed(
                    [str(binaries / "python"), str(HERE / "peers" / "celery_peer.py"), str(count)], count, left, env
                )


def _unacknowledged(port: int) -> int:
    """Jobs that wait or run; an error while the server starts."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection, connection.makefile("rb") as answers:
        connection.sendall(b"LLEN celery\r\nHLEN unacked\r\n")
        return sum(int(answers.readline()[1:]) for _ in range(2))


def _await(left: Callable[[], int]) -> None:
    end = time.monotonic() + 10
    while True:
        try:
            left()
        except OSError:
            if time.monotonic() > end:
                raise Missing("redis-server did not start") from None
            time.sleep(0.05)
        else:
            return


def _timed(send: list[str], count: int, left: Callable[[], int], env: dict[str, str] | None = None) -> float:
    """Jobs per second from the first that is sent to the end of the last. The sender's own start is not counted."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(send, env=env, stderr=subprocess.DEVNULL, **pipes) as sender:
        assert sender.stdin is not None
        assert sender.stdout is not None
        if not sender.stdout.readline():
            raise Missing("its sender did not start")
        begin = time.perf_counter()
        sender.stdin.close()
        while sender.poll() is None or left() > 0:
            if time.perf_counter() - begin > PATIENCE_S:
                sender.kill()
                raise Missing(f"{left()} of {count} jobs were left after {PATIENCE_S:.0f} s")
            time.sleep(0.02)
        return count / (time.perf_counter() - begin)


@contextmanager
def _running(count: int, command: list[str], env: dict[str, str] | None = None) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    running = [subprocess.Popen(command, env=env, stdout=quiet, stderr=quiet) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def row(what: str, rate: float, unit: str, *ratios: str) -> None:
    print(f"{what:52} {rate:8,.0f} {unit:12} {', '.join(ratios)}", flush=True)


def main(seconds: float, apis: int, count: int) -> None:
    server = Postgres(durable=True)
    try:
        server.start()
        loop = pgbench(server, seconds)
        row("pgbench: insert, claim, complete; 16 connections", loop, "loops/s")
        direct = asyncio.run(by_verbs(server, seconds))
        row(f"verbs without HTTP, {CLIENTS} callers", direct, "workflows/s", f"{direct / loop:.2f} of pgbench")
        http, p50 = asyncio.run(over_http(server, apis, seconds))
        told = f"{http / loop:.2f} of pgbench", f"p50 {p50:.2f} s"
        row(f"over HTTP, {apis} api + 1 dispatch, {CLIENTS} clients", http, "workflows/s", *told)
        for name, measure in ("procrastinate", partial(procrastinate, server)), ("celery + redis", celery):
            try:
                rate = measure(count)
            except Missing as error:
                print(f"{name}: not measured: {error}")
                continue
            row(name, rate, "jobs/s", f"verbs {direct / rate:.1f} times", f"over HTTP {http / rate:.1f} times")
    finally:
        server.close()


if __name__ == "__main__":
    given = sys.argv[1:]
    main(
        float(given[0]) if given else 6.0,
        int(given[1]) if len(given) > 1 else 2,
        int(given[2]) if len(given) > 2 else 8000,
    )
