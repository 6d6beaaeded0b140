"""Traces: made up from a seed, or recorded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.simulator.trace import BadTrace, Shape, read, synthetic, write

SHAPE = Shape(gpus=8, models=6, seconds=300)


def test_a_seed_is_a_trace() -> None:
    assert synthetic(SHAPE) == synthetic(SHAPE)
    assert synthetic(SHAPE) != synthetic(replace(SHAPE, seed=2))


def test_it_asks_for_as_much_as_it_should() -> None:
    jobs = synthetic(replace(SHAPE, seconds=3000, load=0.5))
    asked = sum(job.work_s for job in jobs) / (8 * 3000)
    assert 0.5 <= asked < 0.6
    assert {job.kind for job in jobs} == {"heavy", "light", "interactive"}
    assert [job.at for job in jobs] == sorted(job.at for job in jobs)


def test_a_recorded_trace_comes_back(tmp_path: Path) -> None:
    jobs = synthetic(SHAPE)
    write(tmp_path / "trace.jsonl", jobs)
    assert read(tmp_path / "trace.jsonl") == jobs


def test_only_what_is_needed_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "t").write_text('{"at": 2, "account": 7, "work_s": 3, "est_s": 4}\n\n')
    [job] = read(tmp_path / "t")
    assert (job.account, job.model, job.weight, job.band) == (7, "", 1.0, 1)


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '"at"',
        '{"at": 1, "account": 1}',
        '{"at": 1, "account": 1, "work_s": 1, "est_s": 1, "color": "red"}',
        '{"at": -1, "account": 1, "work_s": 1, "est_s": 1}',
        '{"at": "soon", "account": 1, "work_s": 1, "est_s": 1}',
        '{"at": 1, "account": 1, "work_s": NaN, "est_s": 1}',
        '{"at": 1, "account": 1, "work_s": true, "est_s": 1}',
        '{"at": 1, "account": 1, "work_s": 1, "est_s": 1, "weight": 0}',
        '{"at": 1, "account": 1, "work_s": 1, "est_s": 1, "priority": "urgent"}',
    ],
)
def test_a_line_that_is_no_job_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "t").write_text('{"at": 2, "account": 7, "work_s": 3, "est_s": 4}\n' + line)
    with pytest.raises(BadTrace, match=r"t:2: "):
        read(tmp_path / "t")
