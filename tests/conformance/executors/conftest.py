"""What every test of an executor needs: the executor, workers that find the engines, and an ear."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.ray_cluster import running_head

from heddle import registry, storage
from heddle.domain import new_id
from heddle.fleet import Executor, Limits
from heddle.fleet.messages import Done, Failed, JobEvent, Log, Progress, Run, Started
from heddle.fleet.ray import access
from heddle.settings import Settings, set_environment
from heddle.storage import Storage

FIXTURES = Path(__file__).parents[2] / "fixtures"

#: Impatient, so that the tests are quick; patient enough for a busy machine.
QUICK = Limits(start_s=20, ping_s=0.1, hang_s=1.0, cancel_s=0.4, backoff_s=0.05, given_up_s=30, starts=3)


class Fleet:
    """A started executor and everything it said."""

    def __init__(self, executor: Executor, storage: Storage) -> None:
        self.executor = executor
        self.storage = storage
        self.events: list[JobEvent] = []
        self._heard = asyncio.Event()

    def hear(self, event: JobEvent) -> None:
        self.events.append(event)
        self._heard.set()

    def run(self, engine: str, payload: dict[str, Any] | None = None, **options: Any) -> Run:
        run = Run(
            job_id=options.pop("job_id", new_id("job")),
            attempt=options.pop("attempt", 1),
            engine=engine,
            payload=payload or {},
            **options,
        )
        self.executor.run(run)
        return run

    def cancel(self, run: Run) -> None:
        self.executor.cancel(run.job_id, run.attempt)

    def of(self, run: Run, *kinds: type) -> list[Any]:
        return [e for e in self.events if (e.job_id, e.attempt) == (run.job_id, run.attempt) and isinstance(e, kinds)]

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._heard.clear()
            await self._heard.wait()

    async def hears(self, run: Run, *kinds: type) -> Any:
        """The first message of these kinds for this run."""
        await self.until(lambda: bool(self.of(run, *kinds)))
        return self.of(run, *kinds)[0]

    async def started(self, run: Run) -> Started:
        return await self.hears(run, Started)

    async def end(self, run: Run) -> Any:
        end = await self.hears(run, Done, Failed)
        assert self.of(run, Done, Failed) == [end]
        return end

    async def fails(self, run: Run) -> Failed:
        end = await self.end(run)
        assert isinstance(end, Failed), end
        return end

    async def done(self, run: Run) -> Done:
        end = await self.end(run)
        assert isinstance(end, Done), end
        return end

    async def pid(self, run: Run) -> int:
        """The process number that an engine logs."""
        log: Log = await self.hears(run, Log)
        return int(log.text.removeprefix("pid "))

    def fractions(self, run: Run) -> list[float]:
        return [event.fraction for event in self.of(run, Progress)]


class Start:
    """How a test starts the executor `name` in a folder of its own: `async with fleet(slots=2) as f`."""

    def __init__(self, name: str, home: Path, **settings: Any) -> None:
        self.name = name
        self.settings = {"home": str(home), "executor": name, **settings}

    @asynccontextmanager
    async def __call__(self, limits: Limits = QUICK, close_s: float = 0, **settings: Any) -> AsyncIterator[Fleet]:
        settings = {"slots": 1, "devices": "none", "worker_memory_mb": 2048, **self.settings, **settings}
        wanted = Settings(**settings, ray_slots=settings["slots"])
        executor = registry.get("executors", self.name)(wanted, limits)
        fleet = Fleet(executor, registry.get("storages", wanted.storage)(storage.options(wanted)))
        await executor.start(fleet.hear)
        try:
            yield fleet
        finally:
            await executor.close(close_s)


@pytest.fixture(autouse=True)
def _engines(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Register the engines that misbehave for one test."""
    monkeypatch.setenv("PYTHONPATH", str(FIXTURES), prepend=os.pathsep)
    monkeypatch.setattr(sys, "path", [*sys.path, str(FIXTURES)])
    from engines_that_misbehave import TARGETS  # noqa: PLC0415 - found on the path above

    monkeypatch.setitem(registry._BUILT_IN, "engines", dict(registry._BUILT_IN["engines"]))
    for name, target in TARGETS.items():
        registry.add("engines", name, target)
    yield
    registry.targets.cache_clear()


#: Each costs seconds: a worker in a cluster is started by three processes in turn.
_SLOW = {"ray": [pytest.mark.slow]}


@pytest.fixture(
    params=[pytest.param(name, marks=_SLOW.get(name, [])) for name in sorted(registry.targets("executors"))]
)
def fleet(request: pytest.FixtureRequest, tmp_path: Path) -> Start:
    surroundings = request.getfixturevalue("ray_cluster") if request.param == "ray" else {}
    return Start(request.param, tmp_path, **surroundings)


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[dict[str, Any]]:
    """The settings that lead to a cluster which all tests share. This process stays connected from test to test."""
    with running_head() as head:
        reach = {"ray_address": head.address, "ray_token_file": head.token_file}
        wanted = Settings(**reach)
        before = dict(os.environ)
        set_environment(access.environment(wanted, access.LOOPBACK))
        from heddle.fleet.ray.cluster import Cluster  # noqa: PLC0415 - Ray reads the environment when it is imported

        cluster = Cluster(wanted)
        asyncio.run(cluster.connect())
        yield reach
        asyncio.run(cluster.close())
        os.environ.clear()
        os.environ.update(before)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test in a loop of its own, for a minute at most."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    test = pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
    asyncio.run(asyncio.wait_for(test, 60))
    return True
