"""One report over many runs: JSON, JUnit with a suite per run, TAP with a subtest per run. Secrets are masked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from heddle.cli import reports
from heddle.cli.chronicle import Story
from heddle.cli.many import Batch, Outcome
from heddle.cli.narration import report_of
from heddle.cli.output import json_text
from heddle.cli.reports import Asked, Case, Told, cases_of
from heddle.errors import UsageError

PLACEHOLDER = "{run}"


def split(asked: Sequence[Asked]) -> tuple[list[Asked], list[Asked]]:
    """Those over all runs, and those with a file per run: these have `{run}` in their name."""
    single = next((one for one in asked if one.form in reports.WHOLE), None)
    if single is not None:
        raise UsageError(
            f"--report {single.form} shows one run with all its exchanges", "give one document and no --each"
        )
    own = [one for one in asked if PLACEHOLDER in one.path.name]
    return [one for one in asked if one not in own], own


def of_run(asked: Sequence[Asked], number: int) -> list[Asked]:
    """The files of one run."""
    return [Asked(one.form, one.path.with_name(one.path.name.replace(PLACEHOLDER, str(number)))) for one in asked]


def write(asked: Sequence[Asked], batch: Batch) -> None:
    for one in asked:
        try:
            one.path.write_text(FORMATS[one.form](batch), encoding="utf-8", errors="replace")
        except OSError as error:
            raise UsageError(f"the report {one.path} cannot be written: {error.strerror}") from error


def as_json(batch: Batch) -> str:
    """What `--json` writes."""
    report = {"exitCode": batch.exit_code, "counts": batch.counts(), "seconds": round(batch.seconds, 3)}
    runs = [_report(batch, outcome) for outcome in batch.outcomes]
    return json_text({**report, "notes": batch.secrets.mask(list(batch.notes)), "runs": runs}) + "\n"


def _report(batch: Batch, outcome: Outcome) -> Mapping[str, Any]:
    case, result = outcome.case, outcome.result
    about = {"run": case.number, "label": case.label, "document": str(case.document)}
    if result is None:
        return {**about, "status": outcome.status, "reason": outcome.problem or None}
    report = {**about, "servers": list(case.plan.servers()), **report_of(result, outcome.saved)}
    return batch.masked(case, {**report, "status": outcome.status})


def _told(batch: Batch, outcome: Outcome) -> Told:
    case, result = outcome.case, outcome.result
    story = Story(datetime.now(UTC))
    if result is None:
        single = Case(case.plan.main.id, 0.0, problem=outcome.problem, skipped=not outcome.problem)
        return Told({"workflow": case.label, "document": case.label, "seconds": 0.0}, [single], story, Path())
    steps = [one.id for one in case.plan.main.steps]
    cases = [Case(*(batch.masked(case, part) for part in one)) for one in cases_of(result, steps)]
    return Told({"workflow": case.label, "document": case.label, "seconds": result.seconds}, cases, story, Path())


def _junit(batch: Batch) -> str:
    suites = ET.Element("testsuites")
    for outcome in batch.outcomes:
        suites.append(reports.suite(_told(batch, outcome)))
    return reports.xml(suites)


def _tap(batch: Batch) -> str:
    lines = ["TAP version 14", f"1..{len(batch.outcomes)}"]
    for number, outcome in enumerate(batch.outcomes, 1):
        told = _told(batch, outcome)
        name = reports.tap_name(outcome.case.label)
        lines += [f"# Subtest: {name}", *(f"    {line}" for line in reports.tap_points(told))]
        well = not any(case.problem for case in told.cases)
        skipped = " # SKIP not begun" if outcome.status == "not begun" else ""
        lines.append(f"{'ok' if well else 'not ok'} {number} - {name}{skipped}")
    return "\n".join(lines) + "\n"


FORMATS: Mapping[str, Callable[[Batch], str]] = {"json": as_json, "junit": _junit, "tap": _tap}
