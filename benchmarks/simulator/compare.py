"""The rules that are compared on one trace, and the table of what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat

from heddle.matching import Policy

from .figures import Figures, bound, figures, waits_by_class
from .trace import Job
from .world import Fleet, Rules, World

#: Whoever comes first is served first, in a slot that has the model if one is free.
FIFO = Rules(name="fifo", order="arrival", policy=Policy(defer_s=0))

#: Fair order, strictly.
FAIR = Rules(name="fair", policy=Policy(defer_s=0))

#: What the product does.
HEDDLE = Rules(name="heddle")

#: Fair order, strictly, in a fleet that loads models in no time. No bound, but what to wish for.
WISH = Rules(name="free loads", policy=Policy(defer_s=0), free_loads=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The figures of one set of rules, and every wait, by class, for the plots."""

    figures: Figures
    waits: dict[str, list[float]]


def compare(
    jobs: Sequence[Job], fleet: Fleet, seconds: float, rules: Sequence[Rules], processes: int = 1
) -> list[Result]:
    """Run the trace under each set of rules."""
    if processes == 1:
        return [_result(jobs, fleet, seconds, r) for r in rules]
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(_result, repeat(jobs), repeat(fleet), repeat(seconds), rules))


def _result(jobs: Sequence[Job], fleet: Fleet, seconds: float, rules: Rules) -> Result:
    outcome = World(jobs, fleet, rules).run()
    return Result(figures=figures(rules.name, outcome, fleet.gpus, seconds), waits=waits_by_class(outcome))


def table(jobs: Sequence[Job], fleet: Fleet, seconds: float, results: Sequence[Result]) -> str:
    """As Markdown; the last line is the bound."""
    lines = [result.figures for result in results] + [bound(jobs, fleet.gpus, seconds)]
    kinds = sorted(lines[0].waits)
    head = ["", "utilization", "loads per job", "fairness", "longest passed over", *(f"{k}: mean" for k in kinds)]
    head += [f"{k}: p50, p99" for k in kinds]
    rows = [head, ["---"] * len(head), *(_row(line, kinds) for line in lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(line: Figures, kinds: Sequence[str]) -> list[str]:
    waits = [line.waits[kind] for kind in kinds]
    bounds = line.name == "bound"
    return [
        line.name,
        f"{line.utilization:.3f}",
        "free" if line.name == WISH.name else f"{line.loads_per_job:.3f}",
        f"{line.fairness:.3f}",
        "" if bounds else f"{line.longest_deferral_s:.0f} s",
        *(f"{w.mean:.1f} s" for w in waits),
        *("" if bounds else f"{w.p50:.1f}, {w.p99:.1f} s" for w in waits),
    ]
