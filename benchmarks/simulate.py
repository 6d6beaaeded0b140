"""A busy fleet in a minute: compares FIFO, strict fairness and Heddle's matching on one trace.

`python benchmarks/simulate.py --gpus 1000 --models 100`. The decisions are those of the product; see
docs/scheduling.md for what the columns say.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from simulator.compare import FAIR, FIFO, HEDDLE, WISH, compare, table
from simulator.trace import Job, Shape, read, synthetic, write
from simulator.world import Fleet, Rules

from heddle.matching import Policy


def main() -> None:
    options = _options()
    if options.record:
        _record(options.record, options.out)
        return
    shape = Shape(
        gpus=options.gpus,
        models=options.models,
        seconds=options.seconds,
        load=options.load,
        seed=options.seed,
    )
    jobs = read(options.trace) if options.trace else synthetic(shape)
    if options.write_trace:
        write(options.write_trace, jobs)
    seconds = max((job.at for job in jobs), default=0.0) if options.trace else shape.seconds
    fleet = Fleet(gpus=options.gpus, memory_mb=options.memory_mb, lookahead=options.lookahead, cap=options.cap)
    rules = [FIFO, FAIR, _with(options.defer_s, HEDDLE.name), WISH]
    if options.sweep:
        rules = [_with(seconds, f"{seconds:g}") for seconds in options.sweep]
    results = compare(jobs, fleet, seconds, rules, options.processes)
    print(_told(jobs, fleet, seconds), table(jobs, fleet, seconds, results), sep="\n\n")
    if options.plots:
        # Imported here: the table needs no matplotlib.
        from simulator.plots import draw, draw_sweep  # noqa: PLC0415

        (draw_sweep if options.sweep else draw)(options.plots, results)


def _record(database: str, out: Path) -> None:
    # Imported here: made-up traces need no database.
    from simulator.record import connect, record  # noqa: PLC0415

    from heddle.db import Database  # noqa: PLC0415

    db = Database(connect(database))
    try:
        jobs = record(db)
    finally:
        db.close()
    write(out, jobs)
    seconds = jobs[-1].at if jobs else 0.0
    print(f"{len(jobs)} jobs of {len({job.account for job in jobs})} accounts in {seconds:g} s: {out}")


def _with(defer_s: float, name: str) -> Rules:
    return replace(HEDDLE, name=name, policy=Policy(defer_s=defer_s))


def _told(jobs: list[Job], fleet: Fleet, seconds: float) -> str:
    accounts, models = len({job.account for job in jobs}), len({job.model for job in jobs})
    return f"{len(jobs)} jobs of {accounts} accounts with {models} models in {seconds:g} s on {fleet.gpus} GPUs"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gpus", type=int, default=1000)
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=1800, help="how long the made-up trace lasts")
    parser.add_argument("--load", type=float, default=0.95, help="work asked for, of what the slots could do")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--memory-mb", type=int, default=48_000, help="of each GPU")
    parser.add_argument("--lookahead", type=int, default=0, help="jobs that a busy slot may hold ahead")
    parser.add_argument("--cap", type=int, default=0, help="jobs that an account may run at once; 0: any number")
    parser.add_argument("--defer-s", type=float, default=Policy().defer_s)
    parser.add_argument("--trace", type=Path, help="a recorded trace, JSON lines; instead of a made-up one")
    parser.add_argument(
        "--record", metavar="DATABASE", help="make a trace of what ran: a heddle.db, or postgresql://..."
    )
    parser.add_argument("--out", type=Path, default=Path("trace.jsonl"), help="where --record puts it")
    parser.add_argument("--write-trace", type=Path, help="keep the trace")
    parser.add_argument("--plots", type=Path, help="a folder for SVG files")
    parser.add_argument("--sweep", type=float, nargs="*", default=[], help="compare these deferrals instead")
    parser.add_argument("--processes", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
