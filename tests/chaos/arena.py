"""The arena: a cluster on a PostgreSQL of its own, the load, the receivers, the adversary; and then the judge."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from heddle import accounts
from heddle.chores import first_run
from heddle.db import Database, Tx
from heddle.db.postgres import PostgreSQL
from heddle.domain import now
from tests.chaos.adversary import Adversary, Attack, beginning
from tests.chaos.judge import Judge, Verdict
from tests.chaos.load import Account, Load
from tests.chaos.receivers import Receivers
from tests.cluster import Cluster, Process
from tests.postgres import Postgres


@dataclass(frozen=True, slots=True, kw_only=True)
class Bout:
    """How long, how much, how hard."""

    workflows: int
    seconds: float
    rate: float
    seed: int = 1
    #: At least so many attacks.
    attacks: int = 0
    #: Between two attacks, on average.
    pause_s: float = 2.0
    #: The adversary does not stop while a larger share than this is under way.
    rest: float = 0.05
    #: How long the rest may take then.
    quiet_s: float = 120.0
    #: How often progress is told.
    tell_s: float = 10.0
    #: Workers are actors of a Ray cluster, which is attacked as well.
    ray: bool = False
    processes: dict[str, int] = field(default_factory=lambda: {"api": 2, "dispatch": 2, "webhooks": 2, "chores": 1})


#: Leases are short, so that they run out often; retries of the jobs' own are many, because workers are killed too.
SETTINGS: dict[str, object] = {
    "slots": 2,
    "lease_s": 2,
    "max_attempts": 50,
    "retry_backoff_s": 0.1,
    "webhook_timeout_s": 1,
    "upload_ttl_s": 15,
    "grace_s": 2,
    "starting_buzz": 10**9,
    "database_writers": 2,
}


def fight(folder: Path, bout: Bout, tell: Callable[[str], None]) -> Verdict:
    """Everything from the first process to the verdict. Leaves logs and bytes in the folder."""
    with own_postgres() as postgres, all_receivers(bout.seed) as receivers, _fleet(folder, bout) as (extra, more):
        chosen = SETTINGS | extra
        cluster = Cluster(folder, postgres.create(), {"plates": "plates:Plates"}, **chosen)
        try:
            start(cluster, bout.processes)
            adversary = Adversary(
                cluster,
                postgres,
                receivers,
                seed=bout.seed,
                pause_s=bout.pause_s,
                lease_s=cluster.settings.lease_s,
                more=more,
            )
            load = begin(cluster, receivers, bout)
            adversary.start()
            try:
                _watch(cluster, bout, load, adversary, tell)
            finally:
                load.schedule.stop.set()
                adversary.stop()
                load.stop()
            tell("the adversary has stopped")
            judge = Judge(cluster.settings)
            left = judge.wait(bout.quiet_s)
            ended = cluster.close()
        finally:
            cluster.close()
        verdict = judge.verdict(load.wishes, load.sources, receivers)
    if left is None or left:
        verdict.wrong["never quiet"].append(f"after {bout.quiet_s:g} s there was still {left}")
    for name, status in ended.items():
        if status != 0:
            verdict.wrong["processes"].append(f"{name} ended with status {status}")
    for pid, began in adversary.workers:
        if beginning(pid) == began:
            verdict.wrong["processes"].append(f"worker {pid} outlived its dispatcher")
    for fault in [*load.faults, *adversary.faults]:
        verdict.wrong["faults"].append(fault)
    verdict.counts |= dict(sorted((load.counts + Counter(adversary.counts)).items()))
    verdict.counts["attacks"] = adversary.attacks
    return verdict


def told_to_stop(number: int, frame: object) -> None:
    """The handler of a signal: no process is left behind."""
    print("told to stop by SIGTERM", flush=True)
    sys.exit(128 + number)


def start(cluster: Cluster, counts: dict[str, int]) -> None:
    """The first API alone, because it makes the schema and the token; then all others at once."""
    cluster.start(api=1)
    others = [(duty, n) for duty, count in counts.items() for n in range(count) if (duty, n) != ("api", 0)]
    for duty, n in others:
        port = ("--port", "0") if duty == "api" else ()
        cluster.processes[f"{duty}-{n}"] = Process(cluster, duty, f"{duty}-{n}", *port)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda other: cluster[f"{other[0]}-{other[1]}"].start(), others))


def begin(cluster: Cluster, receivers: Receivers, bout: Bout) -> Load:
    """Two accounts with their clients; they know every replica."""
    urls = [process.url for process in cluster.processes.values() if process.duty == "api"]
    payers = [Account(1, cluster.token), _second_account(cluster)]
    return Load(payers, lambda: urls, receivers, seed=bout.seed, workflows=bout.workflows, rate=bout.rate).start()


def _second_account(cluster: Cluster) -> Account:
    def make(tx: Tx, names: Sequence[str]) -> list[Account]:
        made = first_run.new_account(tx, names[0], now(), buzz=cluster.settings.starting_buzz)
        return [Account(made.id, accounts.create_token(tx, made.id, "chaos", now())[1])]

    with closing(Database(PostgreSQL(cluster.dsn))) as db:
        return db.apply(make, "second")


def _watch(cluster: Cluster, bout: Bout, load: Load, adversary: Adversary, tell: Callable[[str], None]) -> None:
    """Until all is submitted and mostly done, with attacks enough, and the time is over; thrice as long at most."""
    began = told = time.monotonic()
    judge = Judge(cluster.settings)
    while (passed := time.monotonic() - began) < 3 * bout.seconds:
        time.sleep(min(bout.tell_s, max(1.0, bout.seconds - passed)))
        passed, left = time.monotonic() - began, judge.standing()
        if time.monotonic() - told >= bout.tell_s:
            told = time.monotonic()
            stands = "no answer" if left is None else left
            tell(f"{passed:6.0f} s  {load.accepted:6} accepted  {adversary.attacks:4} attacks  {stands}")
        enough = passed >= bout.seconds and adversary.attacks >= bout.attacks and not load.running
        if enough and left is not None and left.workflows <= bout.workflows * bout.rest:
            return


@contextmanager
def _fleet(folder: Path, bout: Bout) -> Iterator[tuple[dict[str, object], Sequence[Attack]]]:
    """Settings for where jobs run, and attacks on that."""
    if not bout.ray:
        yield {}, ()
        return
    from tests.chaos import ray_attacks  # noqa: PLC0415 - ray takes seconds to import

    with ray_attacks.nodes(folder / "ray") as fleet:
        yield ray_attacks.settings(fleet), ray_attacks.attacks(fleet)


@contextmanager
def own_postgres() -> Iterator[Postgres]:
    """One that keeps what it was told, whatever happens to it."""
    server = Postgres(durable=True)
    try:
        yield server.start()
    finally:
        server.close()


@contextmanager
def all_receivers(seed: int) -> Iterator[Receivers]:
    """Listening for the length of a `with`."""
    receivers = Receivers(seed).start()
    try:
        yield receivers
    finally:
        receivers.close()
