"""Heddle's matching against FIFO and strict fairness on one trace, and the command that tells it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.simulator.compare import FAIR, FIFO, HEDDLE, WISH, compare, table
from benchmarks.simulator.figures import bound
from benchmarks.simulator.trace import Shape, synthetic
from benchmarks.simulator.world import Fleet

ROOT = Path(__file__).parents[2]


def test_heddle_is_fair_and_loads_little() -> None:
    shape = Shape(gpus=16, models=16, seconds=600)
    jobs, fleet = synthetic(shape), Fleet(gpus=16)
    results = compare(jobs, fleet, shape.seconds, [FIFO, FAIR, HEDDLE, WISH])
    fifo, fair, heddle, wish = (result.figures for result in results)
    limit = bound(jobs, fleet.gpus, shape.seconds)
    assert heddle.loads_per_job < 0.5 * fair.loads_per_job < fifo.loads_per_job
    assert fifo.utilization < heddle.utilization <= wish.utilization + 0.005 <= limit.utilization + 0.005
    assert heddle.utilization > 0.9 * limit.utilization
    assert heddle.fairness > 0.85 > fifo.fairness
    for kind in ("light", "interactive"):
        assert heddle.waits[kind].p99 < 0.5 * fifo.waits[kind].p99
        assert heddle.waits[kind].p99 < fair.waits[kind].p99
    assert heddle.longest_deferral_s < 2.5 * HEDDLE.policy.defer_s
    assert len(table(jobs, fleet, shape.seconds, results).splitlines()) == 7


def simulate(*args: str | Path) -> str:
    command = [sys.executable, "benchmarks/simulate.py", "--gpus", "4", "--models", "4", *map(str, args)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_tells_the_same_of_a_made_up_trace_and_of_its_record(tmp_path: Path) -> None:
    kept = tmp_path / "trace.jsonl"
    made_up = simulate("--seconds", "120", "--write-trace", kept, "--plots", tmp_path / "one")
    recorded = simulate("--trace", kept, "--processes", "2", "--plots", tmp_path / "two")
    loads = [[line.split("|")[3] for line in text.splitlines() if line.startswith("|")] for text in (made_up, recorded)]
    assert loads[0] == loads[1]
    assert (tmp_path / "one" / "waits.svg").read_bytes() == (tmp_path / "two" / "waits.svg").read_bytes()
    assert (tmp_path / "one" / "fleet.svg").exists()


def test_deferrals_can_be_compared(tmp_path: Path) -> None:
    told = simulate("--seconds", "60", "--sweep", "0", "30", "--plots", tmp_path)
    assert [line.split("|")[1].strip() for line in told.splitlines() if line.startswith("|")][2:] == [
        "0",
        "30",
        "bound",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["deferral.svg"]
