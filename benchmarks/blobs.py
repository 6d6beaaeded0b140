"""How fast blobs go out, beside Starlette's StaticFiles in the same server process, in the same run.

    python benchmarks/blobs.py [--seconds 2] [--rounds 4] [--connections 8]

The two take turns, so that a busy machine disturbs both alike. CPU is what the server process used per request; it is
the figure to trust where other work runs beside.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from heddle import accounts
from heddle import blobs as records
from heddle.api import blobs
from heddle.api.deps import Deps
from heddle.blobs import Signer, Stored
from heddle.db import Database
from heddle.db.migrate import migrate
from heddle.db.sqlite import SQLite
from heddle.domain import new_id, now
from heddle.settings import Settings
from heddle.storage.disk import DiskStorage

SIZES = {"20 KB": 20_000, "400 KB": 400_000, "4 MB": 4_000_000, "32 MB": 32_000_000}


def prepare(folder: Path) -> dict[str, tuple[str, str]]:
    """A database with one blob of each size; name -> (path of the blob, path of the same file served statically)."""
    db, storage = parts(folder)
    db.apply(lambda tx, names: [accounts.create(tx, name, now()) for name in names], "bench")
    signer = Signer.from_db(db)
    paths: dict[str, tuple[str, str]] = {}
    for name, size in SIZES.items():
        blob_id = new_id("blob")
        key = records.upload_key(blob_id)
        storage.write(key, [os.urandom(size)])
        stored = Stored(blob_id=blob_id, account_id=1, key=key, mime="image/png", size=size, sha256="0" * 64)
        db.apply(lambda tx, items: records.store(tx, items, now()), stored)
        paths[name] = (signer.url("", blob_id, now() + timedelta(hours=1)), f"/static/{key}")
    db.close()
    return paths


def parts(folder: Path) -> tuple[Database, DiskStorage]:
    """The database and the storage in a folder."""
    dialect = SQLite(folder / "heddle.db")
    migrate(dialect)
    return Database(dialect), DiskStorage({"root": str(folder / "blobs")})


def serve(folder: Path, handle: int) -> None:
    """The server process: both ways to the same files."""
    db, storage = parts(folder)
    app = Starlette(
        routes=[
            Route("/v2/consumer/blobs/content/{blobId}", blobs.open_blob, methods=["GET"]),
            Mount("/static", StaticFiles(directory=folder / "blobs")),
        ]
    )
    planner: Any = None  # nothing here plans
    app.state.deps = Deps(Settings(home=str(folder)), db, storage, Signer.from_db(db), planner)
    sock = socket.socket(fileno=handle)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, loop="uvloop", http="httptools"))
    server.run(sockets=[sock])


async def fetch(port: int, path: str, until: float) -> int:
    """GET over one connection until the time is over; how many answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    count = 0
    while time.perf_counter() < until:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        left = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        while left > 0:
            left -= len(await reader.read(1 << 20))
        count += 1
    writer.close()
    return count


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(pid: int, port: int, path: str, seconds: float, connections: int) -> tuple[float, float]:
    """Requests per second, and the server's CPU milliseconds per request."""
    began, before = time.perf_counter(), cpu_of(pid)
    counts = await asyncio.gather(*(fetch(port, path, began + seconds) for _ in range(connections)))
    return sum(counts) / (time.perf_counter() - began), 1000 * (cpu_of(pid) - before) / sum(counts)


async def compare(pid: int, port: int, paths: dict[str, tuple[str, str]], options: argparse.Namespace) -> None:
    """Print a line per size."""
    print(f"{'':8}{'blob/s':>10}{'static/s':>10}{'ratio':>8}{'blob CPU ms':>14}{'static CPU ms':>15}")
    for name, pair in paths.items():
        for path in pair:  # warm
            await measure(pid, port, path, 0.2, options.connections)
        rounds = [
            [await measure(pid, port, path, options.seconds, options.connections) for path in pair]
            for _ in range(options.rounds)
        ]
        ours = [statistics.median(r[0][i] for r in rounds) for i in (0, 1)]
        theirs = [statistics.median(r[1][i] for r in rounds) for i in (0, 1)]
        print(f"{name:8}{ours[0]:10.0f}{theirs[0]:10.0f}{ours[0] / theirs[0]:8.2f}{ours[1]:14.3f}{theirs[1]:15.3f}")


def main() -> None:
    """Start the server process, measure, end it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--serve", nargs=2, metavar=("FOLDER", "HANDLE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(Path(options.serve[0]), int(options.serve[1]))
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as sock:
        paths = prepare(Path(folder))
        sock.set_inheritable(True)
        command = [sys.executable, __file__, "--serve", folder, str(sock.fileno())]
        with subprocess.Popen(command, pass_fds=[sock.fileno()]) as server:
            try:
                asyncio.run(compare(server.pid, sock.getsockname()[1], paths, options))
            finally:
                server.terminate()


if __name__ == "__main__":
    main()
