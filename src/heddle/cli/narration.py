"""What `heddle run` shows: lines in a pipe, lines and a spinner on a terminal, one JSON report with --json.

Everything that is shown goes through the run's secrets first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import click

from heddle.arazzo.events import (
    ActionTaken,
    Event,
    LeniencyUsed,
    Result,
    RunEnded,
    RunStarted,
    Status,
    StepEnded,
    StepStarted,
    Uploaded,
    Waiting,
    Warned,
)
from heddle.arazzo.leniency import Departure
from heddle.arazzo.masking import Secrets
from heddle.arazzo.transfers import Saved
from heddle.cli.output import duration, json_text, size


class Narrator(Protocol):
    """Follows a run."""

    def note(self, text: str) -> None: ...

    def event(self, event: Event) -> None: ...

    def end(self, result: Result, saved: Sequence[Saved]) -> None: ...

    def close(self) -> None:
        """Give the terminal back, whatever happened."""
        ...


class Together:
    """Several narrators that follow one run."""

    def __init__(self, narrators: Sequence[Narrator]) -> None:
        self._narrators = narrators

    def note(self, text: str) -> None:
        for narrator in self._narrators:
            narrator.note(text)

    def event(self, event: Event) -> None:
        for narrator in self._narrators:
            narrator.event(event)

    def end(self, result: Result, saved: Sequence[Saved]) -> None:
        for narrator in self._narrators:
            narrator.end(result, saved)

    def close(self) -> None:
        for narrator in self._narrators:
            narrator.close()


class Listening:
    """A narrator for somebody who has to know where the run is."""

    def __init__(self, follow: Callable[[Event], None]) -> None:
        self._follow = follow

    def note(self, text: str) -> None:
        pass

    def event(self, event: Event) -> None:
        self._follow(event)

    def end(self, result: Result, saved: Sequence[Saved]) -> None:
        pass

    def close(self) -> None:
        pass


class Lines:
    """One line for everything that changes; a poll that brings nothing new is not repeated."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._targets: dict[str, str] = {}
        self._shown: dict[str, object] = {}
        self._failed: StepEnded | None = None

    def note(self, text: str) -> None:
        self.line(f"note: {text}", dim=True)

    def event(self, event: Event) -> None:
        self._settle(event)
        if isinstance(event, RunStarted):
            self.line(f"{event.workflow}: {event.title}", bold=True)
            self.note(f"talking to {', '.join(event.servers) or 'no server'}")
        elif isinstance(event, LeniencyUsed):
            self.note(_departure(event.departure))
        elif isinstance(event, Warned):
            self.line(f"warning: {event.message}", color="yellow")
        elif isinstance(event, StepStarted):
            self._targets[event.step] = event.target
        elif isinstance(event, StepEnded) and event.ok:
            self._step(event)
        elif isinstance(event, StepEnded):
            self._failed = event
        else:
            self._between(event)

    def _settle(self, event: Event) -> None:
        """A failure is told once it is known whether the document only wants to try again."""
        failed, self._failed = self._failed, None
        if failed is None:
            return
        again = (
            isinstance(event, ActionTaken) and event.kind == "retry" and failed.code is not None and failed.code < 400
        )
        if not again:
            self._step(failed)
        elif self._shown.get(failed.step) != "again":
            self._shown[failed.step] = "again"
            self.line(f"{failed.step}: {self._targets.get(failed.step, '')} → {failed.code}, not there yet", dim=True)

    def end(self, result: Result, saved: Sequence[Saved]) -> None:
        if result.outputs:
            self.line("outputs:")
        for name, value in result.outputs.items():
            missing = name in result.missing
            shown = "(missing)" if missing else _brief(value, 2000)
            self.line(f"  {name}: {shown}", color="yellow" if missing else "")
        for one in saved:
            self._saved(one)
        self.line(summary(result), color=_COLORS[result.status], bold=True)

    def close(self) -> None:
        pass

    def line(self, text: str, *, color: str = "", bold: bool = False, dim: bool = False) -> None:
        click.echo(printable(self._secrets.mask(text)))

    def _step(self, event: StepEnded) -> None:
        news = (event.ok, event.code, event.reason, dict(event.outputs))
        if self._shown.get(event.step) == news:
            return
        self._shown[event.step] = news
        parts = [f"{event.step}:", self._targets.get(event.step, "")]
        if event.code is not None:
            parts.append(f"→ {event.code}")
        parts.append(f"in {duration(event.seconds)}")
        if event.run > 1:
            parts.append(f"(run {event.run})")
        self.line(" ".join(part for part in parts if part), color="green" if event.ok else "red")
        if event.reason:
            self.line(f"  {event.reason}", color="red")
        for name, value in event.outputs.items():
            self.line(f"  {name} = {_brief(value)}", dim=True)

    def _between(self, event: Event) -> None:
        if isinstance(event, Uploaded):
            self.line(f"{event.step}: {event.path} ({size(event.size)}) was uploaded to {event.output}", color="green")
        elif isinstance(event, Waiting) and event.seconds >= 5:
            self.note(f"waiting {duration(event.seconds)}: {event.reason}")
        elif isinstance(event, ActionTaken) and event.kind == "end":
            self.note(f"{event.step}: the action {event.action!r} ends it")

    def _saved(self, one: Saved) -> None:
        if one.path is not None:
            self.line(f"saved {one.path} ({size(one.size)})", color="green")
        else:
            self.line(f"not saved: {one.output}: {one.reason}", color="yellow")


class Terminal(Lines):
    """The same lines in color, with a spinner that says what is going on right now."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__(secrets)
        from rich.console import Console  # noqa: PLC0415 - only a terminal needs it

        self._console = Console(highlight=False, soft_wrap=True)
        self._status = self._console.status("starting")

    def event(self, event: Event) -> None:
        super().event(event)
        if isinstance(event, RunStarted):
            self._status.start()
        elif isinstance(event, RunEnded):
            self._status.stop()
        elif isinstance(event, StepStarted):
            run = f", run {event.run}" if event.run > 1 else ""
            self._say(f"{event.step}: {event.target}{run}")
        elif isinstance(event, Waiting):
            shown = self._shown.get(event.step)
            state = _state(shown[3]) if isinstance(shown, tuple) else ""
            self._say(f"{event.step}{state}: next in {duration(event.seconds)}")

    def end(self, result: Result, saved: Sequence[Saved]) -> None:
        self.close()
        super().end(result, saved)

    def close(self) -> None:
        self._status.stop()

    def line(self, text: str, *, color: str = "", bold: bool = False, dim: bool = False) -> None:
        style = " ".join(part for part in (color, "bold" if bold else "", "dim" if dim else "") if part)
        self._console.print(printable(self._secrets.mask(text)), style=style or None, markup=False)

    def _say(self, text: str) -> None:
        from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

        self._status.update(Text(printable(self._secrets.mask(text))))


class Report:
    """Nothing while it runs, one JSON object at the end."""

    def __init__(self, secrets: Secrets, document: str) -> None:
        self._secrets = secrets
        self._document = document
        self._servers: tuple[str, ...] = ()
        self._notes: list[str] = []

    def note(self, text: str) -> None:
        self._notes.append(text)

    def event(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._servers = event.servers

    def end(self, result: Result, saved: Sequence[Saved]) -> None:
        report = {"document": self._document, "servers": list(self._servers), **report_of(result, saved)}
        report["notes"] = self._notes
        click.echo(json_text(self._secrets.mask(report)))

    def close(self) -> None:
        pass


def report_of(result: Result, saved: Sequence[Saved]) -> dict[str, Any]:
    """The whole result as plain values."""
    ended_by = result.ended_by
    return {
        "workflow": result.workflow,
        "status": str(result.status),
        "exitCode": result.exit_code,
        "reason": result.reason or None,
        "outputs": dict(result.outputs),
        "missing": list(result.missing),
        "endedBy": None
        if ended_by is None
        else {"step": ended_by.step, "action": ended_by.action, "place": _text(ended_by.place)},
        "steps": [
            {
                "stepId": record.step,
                "runs": record.runs,
                "ok": record.ok,
                "statusCode": record.code,
                "seconds": round(record.seconds, 3),
                "outputs": dict(record.outputs),
                "reason": record.reason or None,
            }
            for record in result.steps
        ],
        "warnings": [{"step": warning.step, "message": warning.message} for warning in result.warnings],
        "leniencies": [
            {"name": one.name, "place": _text(one.place), "text": one.text, "meaning": one.meaning}
            for one in result.departures
        ],
        "saved": [
            {
                "output": one.output,
                "url": one.url,
                "path": _text(one.path),
                "size": one.size,
                "reason": one.reason or None,
            }
            for one in saved
        ],
        "calls": result.calls,
        "seconds": round(result.seconds, 3),
    }


def summary(result: Result) -> str:
    """The last line."""
    took = f"after {duration(result.seconds)} and {result.calls} {'call' if result.calls == 1 else 'calls'}"
    if result.status is Status.SUCCEEDED:
        return f"succeeded {took}"
    if result.status is Status.INCOMPLETE:
        return f"ended {took} without {', '.join(result.missing)}: {_ending(result)}"
    return f"{result.status} {took}: {result.reason}"


_COLORS: Mapping[Status, str] = {
    Status.SUCCEEDED: "green",
    Status.INCOMPLETE: "yellow",
    Status.FAILED: "red",
    Status.UNDECIDED: "red",
    Status.EXHAUSTED: "red",
}


def _ending(result: Result) -> str:
    """Which action ended the run, and what its step saw."""
    ended_by = result.ended_by
    if ended_by is None:
        return "the document ended"
    record = next((one for one in result.steps if one.step == ended_by.step), None)
    state = _state(record.outputs) if record else ""
    if ended_by.action is None:
        return f"{ended_by.step}{state} was the last step"
    return f"the action {ended_by.action!r} of step {ended_by.step}{state} ended it ({ended_by.place})"


def _state(outputs: Any) -> str:
    """` (status failed)`, when a step has an output of that name."""
    status = outputs.get("status") if isinstance(outputs, Mapping) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return f" (status {status})" if isinstance(status, str) else ""


def _departure(departure: Departure) -> str:
    place = f" at {departure.place}" if departure.place else ""
    return f"{departure.name}{place}: {departure.meaning}"


def _brief(value: Any, limit: int = 200) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def printable(text: str) -> str:
    """An answer must not be able to steer the terminal."""
    return "".join(one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}" for one in text)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
