"""What is asked of the fleet over time: made up from a seed, or recorded, as lines of JSON."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from heddle.domain import Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One line of a trace. Times are seconds, `at` counts from the start of the trace."""

    at: float
    account: int
    #: A name for the accounts that are alike; figures are given by class.
    kind: str = "user"
    weight: float = 1.0
    priority: str = "normal"
    engine: str = "diffusion"
    model: str = ""
    memory_mb: int = 0
    load_s: float = 0.0
    #: How long it runs, and how long that was thought to be at submit.
    work_s: float
    est_s: float

    @property
    def band(self) -> int:
        return Priority(self.priority).band


class BadTrace(ValueError):
    """A line of a recorded trace that is no job."""


def write(path: Path, jobs: Iterable[Job]) -> None:
    path.write_text("".join(json.dumps(asdict(job)) + "\n" for job in jobs), "utf-8")


def read(path: Path) -> list[Job]:
    """A recorded trace, by time; raises BadTrace."""
    lines = path.read_text("utf-8").splitlines()
    jobs = [_job(f"{path}:{n}", line) for n, line in enumerate(lines, 1) if line.strip()]
    return sorted(jobs, key=lambda job: job.at)


def _job(where: str, line: str) -> Job:
    try:
        values = json.loads(line)
        job = Job(**values)
        _ = job.band
    except (TypeError, ValueError) as error:
        known = ", ".join(f.name for f in fields(Job))
        raise BadTrace(f"{where}: {error}; a line is an object of {known}") from error
    numbers = {"at": job.at, "memory_mb": job.memory_mb, "load_s": job.load_s, "work_s": job.work_s, "est_s": job.est_s}
    wrong = [f"{name} is {value!r}" for name, value in numbers.items() if not _amount(value)]
    if wrong or not _amount(job.weight) or job.weight == 0:
        raise BadTrace(f"{where}: {', '.join(wrong) or f'weight is {job.weight!r}'}; it must be a number, 0 or more")
    return job


def _amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


# ── made up ───────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model of the made-up catalog."""

    name: str
    memory_mb: int
    load_s: float
    #: The median time of a job.
    work_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """Accounts that behave alike. `share`: of all the work that is asked for."""

    kind: str
    accounts: int
    share: float
    #: Jobs per submit: from, to.
    jobs: tuple[int, int]
    weight: float = 1.0
    #: Whether they come more often during bursts.
    bursty: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a made-up trace looks like."""

    gpus: int
    models: int = 100
    seconds: float = 3600.0
    #: Work asked for, as a part of what the slots could do without a single load.
    load: float = 0.9
    seed: int = 1
    #: During bursts, which are a tenth of the time, people come so many times as often.
    burst: float = 4.0
    #: The nth model is asked for in proportion to n to the minus this.
    zipf: float = 1.0

    @property
    def users(self) -> Sequence[Users]:
        size = max(4, self.gpus // 4)
        return (
            Users(kind="heavy", accounts=max(3, self.gpus // 60), share=0.6, jobs=(size, 4 * size), bursty=False),
            Users(kind="light", accounts=max(10, self.gpus // 2), share=0.25, jobs=(1, 4)),
            Users(kind="interactive", accounts=max(5, self.gpus // 4), share=0.15, jobs=(1, 1), weight=2.0),
        )


def synthetic(shape: Shape) -> list[Job]:
    """The same shape gives the same trace."""
    chance = random.Random(shape.seed)
    models = _models(shape, chance)
    bursts = _bursts(shape, chance)
    jobs = [
        job for n, users in enumerate(shape.users) for job in _of(users, 100_000 * n, shape, models, bursts, chance)
    ]
    return sorted(jobs, key=lambda job: job.at)


def _models(shape: Shape, chance: random.Random) -> list[Model]:
    """A few large ones that work long, many small ones; loading is reading a disk at 1.2 GB/s and a little more."""
    sizes = [(4_000, 3.0), (7_000, 5.0), (12_000, 8.0), (24_000, 20.0)]
    picked = [chance.choices(sizes, [3, 4, 2, 1])[0] for _ in range(shape.models)]
    return [
        Model(name=f"model-{n:03}", memory_mb=size, load_s=2.0 + size / 1200, work_s=work * chance.uniform(0.7, 1.5))
        for n, (size, work) in enumerate(picked)
    ]


def _bursts(shape: Shape, chance: random.Random) -> list[tuple[float, float]]:
    """Four of them, a tenth of the time in all."""
    length = shape.seconds / 40
    return [(at, at + length) for at in (chance.uniform(0, shape.seconds - length) for _ in range(4))]


def _of(
    users: Users,
    first: int,
    shape: Shape,
    models: Sequence[Model],
    bursts: Sequence[tuple[float, float]],
    chance: random.Random,
) -> Iterator[Job]:
    """Submits of one class until its share of the work is asked for."""
    popularity = [1 / (n + 1) ** shape.zipf for n in range(len(models))]
    favorites = {a: chance.choices(models, popularity, k=3) for a in range(users.accounts)}
    work = shape.gpus * shape.seconds * shape.load * users.share
    while work > 0:
        account = min(int(chance.expovariate(3.0 / users.accounts)), users.accounts - 1)
        at = _moment(users, shape, bursts, chance)
        model = chance.choice(favorites[account])
        for _ in range(chance.randint(*users.jobs)):
            work_s = model.work_s * chance.lognormvariate(0, 0.4)
            yield Job(
                at=round(at, 3),
                account=first + account,
                kind=users.kind,
                weight=users.weight,
                model=model.name,
                memory_mb=model.memory_mb,
                load_s=round(model.load_s, 3),
                work_s=round(work_s, 3),
                est_s=round(model.work_s, 3),
            )
            work -= work_s


def _moment(users: Users, shape: Shape, bursts: Sequence[tuple[float, float]], chance: random.Random) -> float:
    while True:
        at = chance.uniform(0, shape.seconds)
        rate = shape.burst if users.bursty and any(a <= at < b for a, b in bursts) else 1.0
        if chance.random() * shape.burst < rate or not users.bursty:
            return at
