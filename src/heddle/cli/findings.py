"""Findings about documents, written for people, programs and code hosts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from heddle import __version__
from heddle.arazzo.findings import RULES, Finding, Severity
from heddle.cli.output import json_text

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}


def text(findings: Sequence[Finding], files: Sequence[Path]) -> str:
    """A line per finding and one for its hint, then the count."""
    lines: list[str] = []
    for one in findings:
        lines.append(f"{one.place}: {one.severity} [{one.code}] {one.message}")
        lines += [f"    hint: {one.hint}"] if one.hint else []
    return "\n".join([*lines, summary(findings, files)])


def as_json(findings: Sequence[Finding], files: Sequence[Path]) -> str:
    """One object: files, counts, findings."""
    counts = Counter(one.severity for one in findings)
    return _dumped(
        {
            "files": [str(file) for file in files],
            "errors": counts[Severity.ERROR],
            "warnings": counts[Severity.WARNING],
            "notes": counts[Severity.NOTE],
            "findings": [
                {
                    "file": one.place.file,
                    "line": one.place.line,
                    "column": one.place.column,
                    "severity": str(one.severity),
                    "code": one.code,
                    "message": one.message,
                    "hint": one.hint or None,
                }
                for one in findings
            ],
        }
    )


def sarif(findings: Sequence[Finding], files: Sequence[Path]) -> str:
    """SARIF 2.1.0, which code hosts and editors read."""
    codes = list(dict.fromkeys(one.code for one in findings))
    driver = {
        "name": "heddle",
        "version": __version__,
        "rules": [
            {
                "id": code,
                "shortDescription": {"text": RULES[code].meaning},
                "defaultConfiguration": {"level": _LEVELS[RULES[code].severity]},
            }
            for code in codes
        ],
    }
    results = [
        {
            "ruleId": one.code,
            "ruleIndex": codes.index(one.code),
            "level": _LEVELS[one.severity],
            "message": {"text": f"{one.message}; {one.hint}" if one.hint else one.message},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": _uri(one.place.file)},
                        "region": {"startLine": one.place.line, "startColumn": one.place.column},
                    }
                }
            ],
        }
        for one in findings
    ]
    artifacts = [{"location": {"uri": _uri(str(file))}} for file in files]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "artifacts": artifacts, "results": results}
    return _dumped({"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]})


def github(findings: Sequence[Finding], files: Sequence[Path]) -> str:
    """Commands that GitHub Actions turn into annotations."""
    levels = {**_LEVELS, Severity.NOTE: "notice"}
    lines = [
        f"::{levels[one.severity]} file={_property(one.place.file)},line={one.place.line},col={one.place.column},"
        f"title={_property(one.code)}::{_escaped(one.message + (f' ({one.hint})' if one.hint else ''))}"
        for one in findings
    ]
    return "\n".join([*lines, summary(findings, files)])


def summary(findings: Iterable[Finding], files: Sequence[Path]) -> str:
    """`2 files: 1 error, 3 warnings`."""
    counts = Counter(one.severity for one in findings)
    parts = [_count(counts[severity], str(severity)) for severity in Severity if counts[severity]]
    return f"{_count(len(files), 'file')}: {', '.join(parts) or 'nothing to say'}"


FORMATS: Mapping[str, Callable[[Sequence[Finding], Sequence[Path]], str]] = {
    "text": text,
    "json": as_json,
    "sarif": sarif,
    "github": github,
}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _dumped(value: Any) -> str:
    return json_text(value)


def _uri(file: str) -> str:
    """Relative where it is; a code host resolves it against the repository."""
    return Path(file).as_uri() if Path(file).is_absolute() else quote(file)


def _escaped(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _escaped(value).replace(":", "%3A").replace(",", "%2C")
