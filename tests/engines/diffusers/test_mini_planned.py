"""Who runs the embedded model when its file was added to the catalog as well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.engines.mini_training import weights
from tests.torch import needs_torch

from heddle import queue, registry
from heddle.catalog import entries, intake, places
from heddle.catalog.entries import NewEntry
from heddle.contract import base
from heddle.contract.orchestration import WorkflowRequest
from heddle.db import Database, Dialect, Tx
from heddle.domain import Job, now
from heddle.settings import Settings
from heddle.steps import Facts
from heddle.workflows.planning import Look, Planner

pytestmark = needs_torch


@pytest.fixture
def db(dialect: Dialect) -> Iterator[Database]:
    database = Database(dialect)
    yield database
    database.close()


@pytest.fixture
def added(db: Database, tmp_path: Path) -> str:
    """Its AIR."""
    files = intake.read(intake.choose(weights.written(tmp_path / "w.safetensors")))
    new = NewEntry(name="Mini", type="Checkpoint", base_model="Mini", creator="alice", files=files)

    def verb(tx: Tx, items: Sequence[None]) -> list[str]:
        return [entries.add(tx, new, now()).version.air for _ in items]

    return db.apply(verb, None)


def planned(db: Database, **fields: Any) -> Job:
    def look(tx: Tx) -> Job:
        found = Look(
            find=lambda air: places.of_air(tx, air),
            facts_of=lambda _: Facts(),
            first=lambda ecosystems, types: places.first(tx, ecosystems, types),
            room=lambda engine: queue.room(tx, engine, now()),
        )
        step = {"$type": "imageGen", "input": {"prompt": "a fox", **fields}}
        wanted = base.validate(WorkflowRequest, {"steps": [step]})
        [job] = Planner(Settings()).plan(wanted, account_id=1, look=found, at=now()).new.workflow.steps[0].jobs
        return job

    return db.look(look)


def test_the_engine_diffusers_runs_the_file_that_is_named(db: Database, added: str, tmp_path: Path) -> None:
    registry.set_options({"mini": {"weights": str(tmp_path / "w.safetensors")}})
    try:
        assert planned(db, engine="mini").engine == "mini"
        for fields in ({"model": added}, {"engine": "mini", "model": added}):
            job = planned(db, **fields)
            assert (job.engine, job.payload["model"]) == ("diffusers", added)
    finally:
        registry.set_options({})
