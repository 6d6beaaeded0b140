"""`--report html=FILE`: a run on one page, with its steps on a time line and every exchange to fold open."""

from __future__ import annotations

import itertools
import json
import os.path
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from heddle.arazzo.events import ActionTaken, StepEnded, StepStarted, Uploaded, Waiting
from heddle.arazzo.recording import Body, Exchange, Headers
from heddle.arazzo.traces import Told, plain
from heddle.cli.output import duration, size
from heddle.cli.pages import Markup, fact, joined, page, pretty, section, tag

MAX_ROWS = 400
MAX_BODY = 20_000
_TONES = {"succeeded": "good", "incomplete": "warn"}


@dataclass(slots=True)
class Row:
    """One run of a step, or a wait between two."""

    start: float
    name: str
    call: str = ""
    run: int = 1
    depth: int = 0
    end: float | None = None
    ended: StepEnded | None = None
    wait: Waiting | None = None
    exchanges: list[Exchange] = field(default_factory=list[Exchange])
    notes: list[str] = field(default_factory=list[str])


def run_page(report: Mapping[str, Any], lines: Sequence[Told | Exchange], started: datetime, folder: Path) -> str:
    """`report` is masked, and so are the lines; `folder` is where the page will lie."""
    rows, others = _rows(lines)
    length = max((_latest(row, started) for row in rows), default=0.0)
    return page(
        f"{report['workflow']}: {report['status']}",
        _head(report, started),
        section("Steps", _shown_rows(rows, length), _legend()),
        _outputs(report, folder),
        _list("Warnings", [one["message"] for one in report["warnings"]]),
        _list("Leniencies", [_leniency(one) for one in report["leniencies"]]),
        section("Downloads", *(_exchange(one) for one in others)) if others else None,
        tag("p", "Secrets are masked, and long bodies are cut.", class_="soft"),
    )


def _rows(lines: Sequence[Told | Exchange]) -> tuple[list[Row], list[Exchange]]:
    """In the order of starting; and the exchanges outside of steps."""
    rows: list[Row] = []
    open_rows: list[Row] = []
    others: list[Exchange] = []
    for line in lines:
        if isinstance(line, Exchange):
            found = next((row for row in reversed(open_rows) if (row.name, row.run) == (line.step, line.run)), None)
            (found.exchanges if found else others).append(line)
            continue
        match line.event:
            case StepStarted() as event:
                row = Row(line.at, event.step, event.target, event.run, len(open_rows))
                rows.append(row)
                open_rows.append(row)
            case StepEnded() as event if open_rows:
                row = open_rows.pop()
                row.end, row.ended = line.at, event
            case Waiting() as event:
                rows.append(Row(line.at, event.step, event.reason, depth=len(open_rows), end=line.at, wait=event))
            case Uploaded() as event if open_rows:
                open_rows[-1].notes.append(f"{event.path} ({size(event.size)}) was uploaded to {event.output}")
            case ActionTaken() as event if rows:
                rows[-1].notes.append(_action(event))
            case _:
                pass
    _end_waits(rows)
    return rows, others


def _end_waits(rows: list[Row]) -> None:
    """A wait is over when the next step begins."""
    for row, following in itertools.pairwise(rows):
        if row.wait is not None:
            row.end = following.start


def _latest(row: Row, started: datetime) -> float:
    """The last that is known of a row: a step that was interrupted never ended, but its exchange did."""
    ends = ((one.started - started).total_seconds() + one.seconds for one in row.exchanges)
    return max(row.end or row.start, *ends, 0.0)


def _action(event: ActionTaken) -> str:
    target = {"end": "the end", "retry": "the same step again"}.get(event.kind, str(event.target))
    return f"the action {event.action} leads to {target}"


def _head(report: Mapping[str, Any], started: datetime) -> Markup:
    tone = _TONES.get(report["status"], "bad")
    by = report["endedBy"]
    end = f"{'the action ' + by['action'] + ' of ' if by['action'] else ''}the step {by['step']}" if by else None
    missing = ", ".join(report["missing"])
    reason = report["reason"] or (f"These outputs are missing: {missing}" if missing else None)
    return tag(
        "header",
        tag("h1", str(report["workflow"])),
        tag(
            "p",
            tag("span", str(report["status"]), class_=f"badge {tone}"),
            " ",
            tag("code", str(report["document"]), class_="soft"),
        ),
        tag("p", reason, class_=f"reason {tone}") if reason else None,
        tag(
            "dl",
            fact("started", started.strftime("%Y-%m-%d %H:%M:%S UTC")),
            fact("took", duration(report["seconds"])),
            fact("calls", str(report["calls"])),
            fact("exit status", str(report["exitCode"])),
            fact("ended by", end),
            fact("servers", ", ".join(report["servers"])),
            class_="facts",
        ),
    )


def _shown_rows(rows: Sequence[Row], length: float) -> Markup:
    if not rows:
        return tag("p", "No step was run.", class_="soft")
    half = MAX_ROWS // 2
    shown = list(rows) if len(rows) <= MAX_ROWS else [*rows[:half], *rows[-half:]]
    parts: list[Markup] = [_row(row, length) for row in shown]
    if len(rows) > MAX_ROWS:
        parts.insert(
            half, tag("p", f"{len(rows) - MAX_ROWS} more are left out here; a trace has them all", class_="soft")
        )
    return joined(parts)


def _row(row: Row, length: float) -> Markup:
    if row.wait is not None:
        return tag("div", _columns(row, length, "", None), class_="waits")
    ended = row.ended
    tone = "warn" if ended is None else "good" if ended.ok else "bad"
    code = "…" if ended is None else str(ended.code or ("ok" if ended.ok else "-"))
    inside = joined(_inside(row))
    return tag("details", tag("summary", _columns(row, length, tone, code)), tag("div", inside, class_="inside"))


def _columns(row: Row, length: float, tone: str, code: str | None) -> Markup:
    name = f"{'↳ ' * row.depth}{'waits' if row.wait else row.name}{f' ({row.run})' if row.run > 1 else ''}"
    end = row.end if row.end is not None else length
    taken = row.ended.seconds if row.ended else row.wait.seconds if row.wait else end - row.start
    return tag(
        "span",
        tag("span", name, class_="name", title=row.name),
        tag("span", row.call, class_="call", title=row.call),
        tag("span", code, class_=f"code {tone}"),
        tag("span", _bar(row, end, length), class_="track"),
        tag("span", duration(taken), class_="time"),
        class_="row",
    )


def _bar(row: Row, end: float, length: float) -> Markup:
    scale = 100 / length if length > 0 else 0
    kind = "pause" if row.wait else "failed" if row.ended is None or not row.ended.ok else None
    style = f"left:{min(99.6, row.start * scale):.3f}%;width:{max(0.0, (end - row.start) * scale):.3f}%"
    return tag("i", class_=kind, style=style)


def _legend() -> Markup:
    return tag("p", "The bars show when in the run a step was at work; a step folds open.", class_="soft")


def _inside(row: Row) -> Iterator[Markup]:
    if row.ended is None:
        yield tag("p", "The run was over before this step was.")
    elif row.ended.reason:
        yield tag("p", row.ended.reason, class_="reason bad")
    for note in row.notes:
        yield tag("p", note, class_="soft")
    for exchange in row.exchanges:
        yield _exchange(exchange)
    if row.ended is not None and row.ended.outputs:
        yield tag("h3", "outputs")
        yield _table({name: plain(value) for name, value in row.ended.outputs.items()})


def _exchange(exchange: Exchange) -> Markup:
    sent, answer, fault = exchange.request, exchange.answer, exchange.fault
    came = f"{answer.status}" if answer else "no answer"
    tone = "bad" if fault or answer is None or answer.status >= 400 else "good"
    timing = f"headers after {duration(exchange.wait)}, all of it after {duration(exchange.seconds)}"
    return tag(
        "details",
        tag("summary", tag("span", came, class_=f"badge {tone}"), " ", tag("code", f"{sent.method} {sent.url}")),
        tag(
            "div",
            tag("p", timing, class_="soft"),
            tag("p", f"{fault.kind}: {fault.message}", class_="reason bad") if fault else None,
            _message("request", sent.headers, sent.body),
            _message("answer", answer.headers, answer.body) if answer else None,
            class_="inside",
        ),
    )


def _message(name: str, headers: Headers, body: Body | None) -> Markup:
    lines = "\n".join(f"{key}: {value}" for key, value in headers)
    return joined([tag("h3", name), tag("pre", lines) if lines else None, _shown_body(body)])


def _shown_body(body: Body | None) -> Markup:
    if body is None:
        return Markup()
    text = body.text
    if text is None or not text:
        return tag("p", f"{size(body.size)} of bytes, SHA-256 {body.sha256}", class_="soft")
    cut = len(text) > MAX_BODY or not body.whole
    note = tag("p", f"the beginning of {size(body.size)}", class_="soft") if cut else None
    return joined([tag("pre", _indented(text) if not cut else text[:MAX_BODY]), note])


def _indented(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def _outputs(report: Mapping[str, Any], folder: Path) -> Markup | None:
    if not report["outputs"] and not report["saved"]:
        return None
    saved = [_saved(one, folder) for one in report["saved"]]
    return section(
        "Outputs", _table(report["outputs"], report["missing"]), tag("ul", *saved, class_="plain") if saved else None
    )


def _table(values: Mapping[str, Any], missing: Sequence[str] = ()) -> Markup:
    rows = [
        tag(
            "tr",
            tag("th", name),
            tag("td", tag("span", "missing", class_="badge warn") if name in missing else _value(value)),
        )
        for name, value in values.items()
    ]
    return tag("table", *rows)


def _value(value: Any) -> Markup:
    text = pretty(value)
    return tag("pre", text if len(text) <= MAX_BODY else f"{text[:MAX_BODY]}…")


def _saved(one: Mapping[str, Any], folder: Path) -> Markup:
    if not one["path"]:
        return tag("li", f"{one['output']} was not saved: {one['reason']}")
    path = Path(one["path"])
    link = tag("a", str(path), href=_relative(path, folder))
    return tag("li", f"{one['output']}: ", link, f" ({size(one['size'])})")


def _relative(path: Path, folder: Path) -> str:
    """From the page to the file, so that both can be moved together. Never anything but a path."""
    return "./" + quote(os.path.relpath(path, folder))


def _leniency(one: Mapping[str, Any]) -> str:
    return f"{one['name']}{' at ' + one['place'] if one['place'] else ''}: {one['meaning']}"


def _list(title: str, texts: Sequence[str]) -> Markup | None:
    return section(title, tag("ul", *(tag("li", text) for text in texts), class_="plain")) if texts else None
