"""`./scripts/soak`: a steady rate for a long time; the memory of every process must stay flat, tables are measured."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import click
import numpy as np
import psycopg

from tests.chaos import arena
from tests.chaos.adversary import children, workers
from tests.chaos.judge import Judge, Verdict
from tests.cluster import Cluster
from tests.postgres import Postgres

_SAMPLE_S = 10.0

#: What a process may grow by in the last two thirds of a soak: allocators keep some of what they had.
_SHARE = 0.05
_LEAST_MIB = 4.0

#: Each process with its series of (seconds, MiB).
Memory = Mapping[str, Sequence[tuple[float, float]]]


@dataclass(frozen=True, slots=True)
class Table:
    """What a table holds; its size is in bytes and counts its indexes."""

    rows: int
    size: int


@dataclass(slots=True)
class Soak:
    """What was measured. Tables and accepted workflows: after a third, and at the end."""

    memory: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    tables: list[dict[str, Table]] = field(default_factory=list[dict[str, Table]])
    accepted: list[int] = field(default_factory=list[int])
    verdict: Verdict = field(default_factory=Verdict)


def soak(folder: Path, seconds: float, rate: float, tell: Callable[[str], None]) -> Soak:
    """Load a cluster for so long; nothing is attacked."""
    bout = arena.Bout(workflows=round(seconds * rate), seconds=seconds, rate=rate)
    measured = Soak()
    settings = arena.SETTINGS | {"lease_s": 30, "retry_backoff_s": 1, "max_attempts": 3}
    with arena.own_postgres() as postgres, arena.all_receivers(bout.seed) as receivers:
        cluster = Cluster(folder, postgres.create(), {"plates": "plates:Plates"}, **settings)
        try:
            arena.start(cluster, bout.processes)
            load = arena.begin(cluster, receivers, bout)
            try:
                for at in _samples(seconds):
                    _measure(measured.memory, at, cluster, postgres)
                    if not measured.tables and at >= seconds / 3:
                        measured.tables.append(_tables(cluster.dsn))
                        measured.accepted.append(load.accepted)
                    tell(f"{at:6.0f} s  {load.accepted:6} accepted  {_latest(measured.memory)}")
            finally:
                load.stop()
            judge = Judge(cluster.settings)
            left = judge.wait(bout.quiet_s)
            measured.tables.append(_tables(cluster.dsn))
            measured.accepted.append(load.accepted)
        finally:
            ended = cluster.close()
        measured.verdict = judge.verdict(load.wishes, load.sources, receivers)
    wrong = {
        "never quiet": [str(left)] if left else [],
        "faults": load.faults,
        "processes": [f"{name} ended with status {status}" for name, status in ended.items() if status != 0],
        "memory": growing(measured.memory),
    }
    for kind, found in wrong.items():
        if found:
            measured.verdict.wrong[kind].extend(found)
    return measured


def _samples(seconds: float) -> Iterator[float]:
    """The seconds since the start, whenever a sample is due."""
    began = time.monotonic()
    for n in range(1, int(seconds / _SAMPLE_S) + 1):
        time.sleep(max(0.0, began + n * _SAMPLE_S - time.monotonic()))
        yield time.monotonic() - began


def _measure(memory: dict[str, list[tuple[float, float]]], at: float, cluster: Cluster, postgres: Postgres) -> None:
    for name, process in cluster.processes.items():
        memory[name].append((at, _mib(process.pid, "VmRSS")))
        for n, worker in enumerate(workers(process.pid)):
            memory[f"{name}, worker {n}"].append((at, _mib(worker, "VmRSS")))
    # What is shared between the processes of PostgreSQL would count once for each, and is filled bit by bit.
    backends = [postgres.pid, *children(postgres.pid)]
    memory["PostgreSQL, private"].append((at, sum(_mib(pid, "RssAnon") for pid in backends)))


def _mib(pid: int, what: str) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(what)), 0.0)


def _latest(memory: Memory) -> str:
    return "  ".join(f"{name} {series[-1][1]:.0f}" for name, series in memory.items() if "worker" not in name)


def _tables(dsn: str) -> dict[str, Table]:
    """Every table that holds something."""
    with psycopg.connect(dsn) as connection:
        names = [row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        found: dict[str, Table] = {}
        for name in sorted(names):
            sql = f"SELECT COUNT(*), pg_total_relation_size('{name}') FROM {name}"
            row = connection.execute(sql.encode()).fetchone()
            assert row is not None
            found[name] = Table(*row)
    return found


def slope(series: Sequence[tuple[float, float]]) -> float:
    """MiB per hour, by least squares over the last two thirds."""
    late = np.array(series[len(series) // 3 :])
    return float(np.polyfit(late[:, 0], late[:, 1], 1)[0]) * 3600


def growing(memory: Memory) -> list[str]:
    """Processes whose line rises by more than the tolerance in the time that it was fitted to."""
    found: list[str] = []
    for name, series in memory.items():
        if len(series) < 9:
            continue
        mean = fmean(size for _, size in series)
        hours = (series[-1][0] - series[len(series) // 3][0]) / 3600
        rise = slope(series) * hours
        if rise > max(_LEAST_MIB, _SHARE * mean):
            found.append(f"{name} grew by {rise:.1f} MiB, at {mean:.0f} MiB")
    return found


def _memory_table(memory: Memory) -> Iterator[str]:
    yield f"{'process':<26} {'first third':>12} {'last third':>12} {'MiB per hour':>13}"
    for name, series in memory.items():
        third = len(series) // 3
        if third:
            first, last = (fmean(size for _, size in part) for part in (series[:third], series[-third:]))
            yield f"{name:<26} {first:>12.1f} {last:>12.1f} {slope(series):>+13.1f}"


def _sizes_table(measured: Soak) -> Iterator[str]:
    before, after = measured.tables
    made = max(1, measured.accepted[1] - measured.accepted[0])
    yield f"{'table':<26} {'rows':>10} {'MiB':>8} {'rows per workflow':>18} {'bytes per workflow':>19}"
    for name, table in after.items():
        was = before.get(name, Table(0, 0))
        rows, size = (table.rows - was.rows) / made, (table.size - was.size) / made
        yield f"{name:<26} {table.rows:>10,} {table.size / 2**20:>8.1f} {rows:>18.2f} {size:>19.0f}"


@click.command()
@click.option("--minutes", default=30.0, show_default=True, help="How long.")
@click.option("--rate", default=20.0, show_default=True, help="Workflows a second.")
def main(minutes: float, rate: float) -> None:
    """Load a cluster steadily; fails when the memory of a process grows, or anything else is wrong."""
    signal.signal(signal.SIGTERM, arena.told_to_stop)
    folder = Path(tempfile.mkdtemp(prefix="heddle-soak-"))
    click.echo(f"logs in {folder}")
    began = time.monotonic()
    measured = soak(folder, 60 * minutes, rate, click.echo)
    click.echo("\n".join([*_memory_table(measured.memory), "", *_sizes_table(measured), ""]))
    click.echo(f"{measured.verdict}\n{time.monotonic() - began:.0f} s, logs in {folder}")
    sys.exit(1 if measured.verdict.wrong else 0)


if __name__ == "__main__":
    main()
