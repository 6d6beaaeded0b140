"""The adversary: kills, freezes and restarts what it can reach, at random moments that a seed decides."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.chaos.receivers import Receivers
from tests.cluster import Cluster, Process
from tests.postgres import Postgres

#: So many things are hurt at one time.
_AT_ONCE = 4
#: How long a process may take to come up, database included.
_START_S = 60.0


@dataclass(frozen=True, slots=True)
class Attack:
    """What is done, how often, and to which processes: those of one duty, or none."""

    name: str
    weight: int
    #: False: there was nothing to attack.
    act: Callable[[Adversary, Process], bool | None] | Callable[[Adversary], bool | None]
    duty: str = ""


class Adversary(threading.Thread):
    """Attacks until it is told to stop; then it heals what it hurt."""

    def __init__(
        self,
        cluster: Cluster,
        postgres: Postgres,
        receivers: Receivers,
        *,
        seed: int,
        pause_s: float,
        lease_s: float,
        more: Sequence[Attack] = (),
    ) -> None:
        super().__init__(name="adversary")
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        #: Every worker process that was ever seen: its number, and when it began, because numbers are used again.
        self.workers: set[tuple[int, str]] = set()
        self._cluster, self._postgres, self._receivers = cluster, postgres, receivers
        self.chance = random.Random(f"{seed} adversary")
        self._attacks = [*ATTACKS, *more]
        self._pause_s, self._lease_s = pause_s, lease_s
        self._hurt: set[str] = set()
        self._lock = threading.Lock()
        self._done = threading.Event()

    def run(self) -> None:
        with ThreadPoolExecutor(_AT_ONCE, "attack") as pool:
            for attack in self._plan():
                if self._done.wait(self.chance.expovariate(1 / self._pause_s)):
                    return
                self.see_workers()
                self._see_the_dead()
                with self._lock:
                    full = len(self._hurt) >= _AT_ONCE
                if not full and (victim := self._choose(attack)) is not None:
                    pool.submit(self._attack, attack, victim)

    def stop(self) -> None:
        """Returns when everything that was hurt is up again."""
        self._done.set()
        self.join(5 * _START_S)
        self.see_workers()

    @property
    def attacks(self) -> int:
        return sum(self.counts.values())

    def _plan(self) -> Sequence[Attack]:
        """Each kind of attack in its turn, shuffled, so that a short run has them all."""
        plan: list[Attack] = []
        for _ in range(1000):
            deck = [attack for attack in self._attacks for _ in range(attack.weight)]
            self.chance.shuffle(deck)
            plan += deck
        return plan

    def _choose(self, attack: Attack) -> str | None:
        """A victim that is well, now marked as hurt: a process, or the name of the attack for other things."""
        names = [name for name, p in self._cluster.processes.items() if p.duty == attack.duty]
        names = names or [attack.name.partition(":")[0]]
        with self._lock:
            well = [name for name in names if name not in self._hurt]
            if not well:
                return None
            victim = self.chance.choice(well)
            self._hurt.add(victim)
            return victim

    def _attack(self, attack: Attack, victim: str) -> None:
        try:
            given = (self, self._cluster[victim]) if attack.duty else (self,)
            if attack.act(*given) is not False:  # type: ignore[arg-type]
                self.counts[attack.name] += 1
        except Exception as error:  # noqa: BLE001 - a fault of the attack or of what it met; the judge tells it
            self.faults.append(f"{attack.name} on {victim}: {type(error).__name__}: {error}")
        finally:
            with self._lock:
                self._hurt.discard(victim)

    # ── processes ─────────────────────────────────────────────────────────────

    def kill(self, process: Process) -> None:
        process.end(signal.SIGKILL)
        self._start(process)

    def freeze(self, process: Process) -> None:
        """For longer than a lease."""
        process.tell(signal.SIGSTOP)
        self.sleep(self._lease_s * self.chance.uniform(1.2, 2.5))
        process.tell(signal.SIGCONT)

    def freeze_long(self, process: Process) -> None:
        """For longer than the lease of a delivery."""
        process.tell(signal.SIGSTOP)
        self.sleep(18.0)
        process.tell(signal.SIGCONT)

    def restart(self, process: Process) -> None:
        """As an operator does."""
        status = process.end(signal.SIGTERM)
        if status != 0:
            self.faults.append(f"{process.name} ended with status {status} when it was asked to stop")
        self._start(process)

    def kill_worker(self, process: Process) -> bool:
        pid = self._worker(process)
        if pid is not None:
            _tell(pid, signal.SIGKILL)
        return pid is not None

    def freeze_worker(self, process: Process) -> bool:
        pid = self._worker(process)
        if pid is not None:
            _tell(pid, signal.SIGSTOP)
            self.sleep(self._lease_s * self.chance.uniform(1.2, 2.5))
            _tell(pid, signal.SIGCONT)
        return pid is not None

    def _worker(self, process: Process) -> int | None:
        found = workers(process.pid)
        return self.chance.choice(found) if found else None

    def _start(self, process: Process) -> None:
        """Again and again: the database may be down just now."""
        end = time.monotonic() + _START_S
        while True:
            watch = threading.Timer(_START_S, lambda: _tell(process.pid, signal.SIGKILL))
            watch.start()
            try:
                process.start()
                return
            except AssertionError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.5)
            finally:
                watch.cancel()

    def see_workers(self) -> None:
        """Remember the worker processes that there are."""
        for process in list(self._cluster.processes.values()):
            running = process._running
            if process.duty == "dispatch" and running is not None:
                self.workers.update((pid, began) for pid in workers(running.pid) if (began := beginning(pid)))

    def _see_the_dead(self) -> None:
        """Start what ended by itself, as a service manager does. Nothing does so because others are attacked."""
        for name, process in self._cluster.processes.items():
            with self._lock:
                running = process._running
                if name in self._hurt or running is None or running.poll() is None:
                    continue
                self._hurt.add(name)
            self.faults.append(f"{name} ended by itself with status {running.returncode}")
            try:
                process.end(signal.SIGKILL)
                self._start(process)
            finally:
                with self._lock:
                    self._hurt.discard(name)

    def sleep(self, seconds: float) -> None:
        """Shorter when the adversary was told to stop."""
        self._done.wait(seconds)

    # ── the database ──────────────────────────────────────────────────────────

    def restart_postgres(self) -> None:
        self._postgres.stop(signal.SIGINT)
        self.sleep(self.chance.random())
        self._postgres.start()

    def crash_postgres(self) -> None:
        self._postgres.stop(signal.SIGQUIT)
        self.sleep(self.chance.random())
        self._postgres.start()

    def kill_backend(self) -> bool:
        """The server ends all sessions and recovers, as after a crash."""
        backends = [p for p in children(self._postgres.pid) if _command(p).startswith("postgres: heddle t")]
        if not backends:
            return False
        _tell(self.chance.choice(backends), signal.SIGKILL)
        end = time.monotonic() + _START_S
        while time.monotonic() < end:
            time.sleep(0.1)
            with suppress(psycopg.OperationalError), psycopg.connect(self._postgres.dsn("postgres")):
                return True
        raise AssertionError("PostgreSQL did not come back")

    # ── receivers ─────────────────────────────────────────────────────────────

    def receiver_down(self) -> None:
        receiver = self.chance.choice(self._receivers.all)
        self._receivers.down(receiver)
        self.sleep(self.chance.uniform(1.0, 6.0))
        self._receivers.up(receiver)


#: All of them; those with the same word before the colon and no duty never overlap.
ATTACKS = (
    Attack("api: SIGKILL", 3, Adversary.kill, "api"),
    Attack("api: SIGSTOP", 2, Adversary.freeze, "api"),
    Attack("api: SIGTERM", 1, Adversary.restart, "api"),
    Attack("dispatch: SIGKILL", 4, Adversary.kill, "dispatch"),
    Attack("dispatch: SIGSTOP", 3, Adversary.freeze, "dispatch"),
    Attack("dispatch: SIGTERM", 1, Adversary.restart, "dispatch"),
    Attack("worker: SIGKILL", 4, Adversary.kill_worker, "dispatch"),
    Attack("worker: SIGSTOP", 2, Adversary.freeze_worker, "dispatch"),
    Attack("webhooks: SIGKILL", 2, Adversary.kill, "webhooks"),
    Attack("webhooks: SIGSTOP", 1, Adversary.freeze_long, "webhooks"),
    Attack("webhooks: SIGTERM", 1, Adversary.restart, "webhooks"),
    Attack("chores: SIGKILL", 1, Adversary.kill, "chores"),
    Attack("postgres: immediate shutdown", 1, Adversary.crash_postgres),
    Attack("postgres: SIGKILL of a backend", 1, Adversary.kill_backend),
    Attack("postgres: fast restart", 1, Adversary.restart_postgres),
    Attack("receiver: down", 2, Adversary.receiver_down),
)


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def workers(pid: int) -> list[int]:
    """The worker processes of a dispatcher."""
    return [child for child in children(pid) if is_worker(child)]


def is_worker(pid: int) -> bool:
    return "heddle.fleet.worker" in _command(pid)


def beginning(pid: int) -> str:
    """When a process began, in ticks; empty when it is gone or only not buried yet."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if words[0] == "Z" else words[19]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def _tell(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
