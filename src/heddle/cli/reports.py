"""What a run leaves behind in files: `--report json|junit|tap|har|html=FILE`. Secrets are masked in all of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import yaml

from heddle.arazzo.events import Event, Result, RunStarted, Status
from heddle.arazzo.masking import Secrets
from heddle.arazzo.traces import private
from heddle.arazzo.transfers import Saved
from heddle.cli.chronicle import Chronicle, Story
from heddle.cli.har import har
from heddle.cli.narration import report_of, summary
from heddle.cli.output import json_text
from heddle.cli.run_page import run_page
from heddle.errors import UsageError


@dataclass(frozen=True, slots=True)
class Asked:
    """One `--report`."""

    form: str
    path: Path


class Case(NamedTuple):
    """A step, or at the end the workflow itself, as a test: `problem` is empty when it went well."""

    name: str
    seconds: float
    problem: str = ""
    skipped: bool = False
    note: str = ""


class Told(NamedTuple):
    """All that a report can say: the result as plain values, and its cases."""

    report: Mapping[str, Any]
    cases: Sequence[Case]
    story: Story
    folder: Path


def asked_of(text: str) -> Asked:
    """`junit=build/report.xml`. Raises UsageError before anything is sent."""
    form, equals, path = text.partition("=")
    if not equals or not path or form not in FORMATS:
        raise UsageError(f"--report {text!r} is not FORMAT=FILE", f"formats are: {', '.join(FORMATS)}")
    file = Path(path)
    if not file.parent.is_dir() or file.is_dir():
        where = file if file.is_dir() else file.parent
        raise UsageError(f"--report {text!r} cannot be written", f"{where} is {'a' if file.is_dir() else 'no'} folder")
    return Asked(form, file)


class Files:
    """A narrator that says nothing and writes its files at the end."""

    def __init__(
        self,
        asked: Sequence[Asked],
        secrets: Secrets,
        document: str,
        steps: Sequence[str],
        chronicle: Chronicle | None = None,
    ) -> None:
        self._asked = asked
        self._secrets = secrets
        self._document = document
        self._steps = steps
        self._servers: tuple[str, ...] = ()
        self._chronicle = chronicle

    def note(self, text: str) -> None:
        pass

    def event(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._servers = event.servers

    def end(self, result: Result, saved: Sequence[Saved]) -> None:
        report = {"document": self._document, "servers": list(self._servers), **report_of(result, saved)}
        mask = self._chronicle.mask if self._chronicle else self._secrets.mask
        cases = [Case(*map(mask, case)) for case in cases_of(result, self._steps)]
        story = self._chronicle.masked_story() if self._chronicle else Story(datetime.now(UTC))
        for one in self._asked:
            text = FORMATS[one.form](Told(mask(report), cases, story, one.path.parent))
            try:
                _write(one, text)
            except OSError as error:
                raise UsageError(f"the report {one.path} cannot be written: {error.strerror}") from error

    def close(self) -> None:
        pass


def _write(one: Asked, text: str) -> None:
    opener = private if one.form in WHOLE else None
    with open(one.path, "w", encoding="utf-8", errors="replace", opener=opener) as file:
        file.write(text)


def cases_of(result: Result, steps: Sequence[str]) -> list[Case]:
    """Every step in its order, those that were not run as well, and last the run as a whole."""
    ran = {record.step: record for record in result.steps}
    well = result.status in (Status.SUCCEEDED, Status.INCOMPLETE)
    last = result.ended_by.step if result.ended_by else None
    cases: list[Case] = []
    for name in dict.fromkeys((*steps, *ran)):
        record = ran.get(name)
        if record is None:
            cases.append(Case(name, 0.0, skipped=True))
        elif record.ok or well or last not in (None, name):
            handled = "" if record.ok else f"failed, and the document took care of it: {record.reason}"
            cases.append(Case(name, record.seconds, note=handled))
        else:
            cases.append(Case(name, record.seconds, problem=record.reason or "failed"))
    problem = "" if result.status is Status.SUCCEEDED else summary(result)
    return [*cases, Case(result.workflow, result.seconds, problem=problem)]


def _json(told: Told) -> str:
    return json_text(told.report) + "\n"


def _junit(told: Told) -> str:
    suites = ET.Element("testsuites")
    suites.append(suite(told))
    return xml(suites)


def suite(told: Told) -> ET.Element:
    """A suite per run, a test per step."""
    report, cases = told.report, told.cases
    counts = {
        "tests": len(cases),
        "failures": sum(bool(case.problem) for case in cases),
        "errors": 0,
        "skipped": sum(case.skipped for case in cases),
    }
    named = {"name": report["workflow"], "time": f"{report['seconds']:.3f}", **counts}
    whole = ET.Element("testsuite", {name: _xml(str(value)) for name, value in named.items()})
    for case in cases:
        attributes = {"classname": report["document"], "name": case.name, "time": f"{case.seconds:.3f}"}
        test = ET.SubElement(whole, "testcase", {name: _xml(str(value)) for name, value in attributes.items()})
        if case.skipped:
            ET.SubElement(test, "skipped", message="not run")
        elif case.problem:
            ET.SubElement(test, "failure", message=_xml(case.problem)).text = _xml(case.problem)
        elif case.note:
            ET.SubElement(test, "system-out").text = _xml(case.note)
    return whole


def xml(suites: ET.Element) -> str:
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _tap(told: Told) -> str:
    """TAP 14, a test point per step."""
    return "\n".join(["TAP version 14", *tap_points(told)]) + "\n"


def tap_points(told: Told) -> list[str]:
    """The plan, and a point for every case."""
    lines = [f"1..{len(told.cases)}"]
    for number, case in enumerate(told.cases, 1):
        skipped = " # SKIP not run" if case.skipped else ""
        lines.append(f"{'not ok' if case.problem else 'ok'} {number} - {tap_name(case.name)}{skipped}")
        details = {"message": case.problem or case.note, "duration_ms": round(case.seconds * 1000)}
        if details["message"]:
            block = yaml.safe_dump(details, allow_unicode=True, sort_keys=False).rstrip()
            lines += ["  ---", *(f"  {line}" for line in block.splitlines()), "  ..."]
    return lines


def tap_name(text: str) -> str:
    return re.sub(r"([\\#])", r"\\\1", " ".join(text.split()))


def _har(told: Told) -> str:
    return har(told.report, told.story.exchanges, told.story.started)


def _html(told: Told) -> str:
    return run_page(told.report, told.story.lines, told.story.started, told.folder)


def _xml(text: str) -> str:
    """Without the characters that no XML document may hold."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\N{REPLACEMENT CHARACTER}", text)


FORMATS: Mapping[str, Callable[[Told], str]] = {
    "json": _json,
    "junit": _junit,
    "tap": _tap,
    "har": _har,
    "html": _html,
}
WHOLE = frozenset({"har", "html"})
"""Formats that need more than the result: every event and every exchange. Only their owner may read the files."""
