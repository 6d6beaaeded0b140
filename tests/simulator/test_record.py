"""A recorded trace: what really ran, without a name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from benchmarks.simulator.record import connect, record
from benchmarks.simulator.trace import read, write
from tests.drafts import draft

from heddle import accounts
from heddle.accounts import Limits
from heddle.db import Database
from heddle.db.migrate import migrate
from heddle.db.sqlite import SQLite
from heddle.domain import Needs, Priority, Status
from heddle.workflows import rows
from heddle.workflows.rows import NewWorkflow

ROOT = Path(__file__).parents[2]
T0 = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = "a-secret-model"


def insert(db: Database, account: int, submitted_s: float, ran_s: float | None, cost: int, needs: Needs | None) -> None:
    """A workflow of one job that ran so long, or has not ended."""
    at = T0 + timedelta(seconds=submitted_s)
    (step,) = (made := draft(at, [1], cost=cost).new.workflow).steps
    begin = at + timedelta(seconds=2)
    end = None if ran_s is None else begin + timedelta(seconds=ran_s)
    (job,) = step.jobs
    job = replace(job, needs=needs)
    step = replace(step, jobs=[job], priority=Priority.HIGH, input={"prompt": "a secret prompt"})
    new = NewWorkflow(workflow=replace(made, account_id=account, steps=[step]), inputs={job.id: []})
    status = Status.PROCESSING if end is None else Status.SUCCEEDED
    db.apply(lambda tx, items: [rows.insert(tx, items) for _ in items], new)
    db.apply(lambda tx, items: [rows.set_jobs(tx, items) for _ in items], (job.id, status, 1, begin, end))


def fill(db: Database) -> None:
    for name in "ann", "bob":
        db.apply(lambda tx, names: [accounts.create(tx, n, T0) for n in names], name)
    db.apply(lambda tx, ids: [accounts.set_limits(tx, n, Limits(weight=3.0)) for n in ids], 2)
    needs = Needs(model=SECRET, memory_mb=4000, load_s=5.0)
    insert(db, 2, 10, 4.0, 2, needs)
    insert(db, 1, 25, 8.0, 1, None)
    insert(db, 1, 30, None, 1, None)


def test_what_ran_is_recorded_without_names(new_database: Callable[[], Database], tmp_path: Path) -> None:
    db = new_database()
    fill(db)
    first, second = jobs = record(db)
    assert (first.at, first.account, first.weight, first.priority, first.engine) == (0.0, 0, 3.0, "high", "noop")
    assert (first.model, first.memory_mb, first.load_s, first.work_s) == ("model-000", 4000, 5.0, 4.0)
    assert (second.at, second.account, second.weight, second.model, second.work_s) == (15.0, 1, 1.0, "", 8.0)
    # 12 seconds for 3 Buzz.
    assert (first.est_s, second.est_s) == (8.0, 4.0)
    write(tmp_path / "trace.jsonl", jobs)
    assert read(tmp_path / "trace.jsonl") == jobs
    text = (tmp_path / "trace.jsonl").read_text()
    assert not any(word in text for word in (SECRET, "secret prompt", "ann", "bob", "job_"))


def test_nothing_ran(new_database: Callable[[], Database]) -> None:
    assert record(new_database()) == []


def test_the_command_records_and_replays(tmp_path: Path) -> None:
    dialect = SQLite(tmp_path / "heddle.db")
    migrate(dialect)
    db = Database(dialect)
    fill(db)
    db.close()
    trace = tmp_path / "t.jsonl"
    run = [sys.executable, str(ROOT / "benchmarks" / "simulate.py")]
    told = subprocess.check_output([*run, "--record", str(tmp_path / "heddle.db"), "--out", str(trace)], text=True)
    assert told == f"2 jobs of 2 accounts in 15 s: {trace}\n"
    told = subprocess.check_output([*run, "--trace", str(trace), "--gpus", "2"], text=True)
    assert told.startswith("2 jobs of 2 accounts with 2 models in 15 s on 2 GPUs")


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"name the heddle\.db"):
        connect(str(tmp_path / "heddle.db"))
    assert not (tmp_path / "heddle.db").exists()
