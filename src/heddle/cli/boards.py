"""The one view of many runs: a line for each that ended, and on a terminal what those under way are doing."""

from __future__ import annotations

from typing import Protocol

import click

from heddle.arazzo.events import Event, StepStarted, Waiting
from heddle.cli.narration import printable
from heddle.cli.output import duration

_COLORS = {"succeeded": "green", "incomplete": "yellow"}
_SHOWN = 4


class Board(Protocol):
    """Follows all runs of a command, told apart by labels. Texts are masked already; of events only names show."""

    def note(self, text: str) -> None: ...

    def event(self, label: str, event: Event) -> None: ...

    def ended(self, label: str, status: str, text: str) -> None: ...

    def close(self) -> None: ...


class Silent:
    """With --json there is nothing to see until the end."""

    def note(self, text: str) -> None:
        pass

    def event(self, label: str, event: Event) -> None:
        pass

    def ended(self, label: str, status: str, text: str) -> None:
        pass

    def close(self) -> None:
        pass


class Lines:
    """A line for every run that ended."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0

    def note(self, text: str) -> None:
        self.line(f"note: {text}", "bright_black")

    def event(self, label: str, event: Event) -> None:
        pass

    def ended(self, label: str, status: str, text: str) -> None:
        self._done += 1
        self.line(f"[{self._done}/{self._total}] {label}: {text}", _COLORS.get(status, "red"))

    def line(self, text: str, color: str) -> None:
        click.echo(printable(text))

    def close(self) -> None:
        pass


class Terminal(Lines):
    """The same in color, above a line that says what is going on."""

    def __init__(self, total: int) -> None:
        super().__init__(total)
        from rich.console import Console  # noqa: PLC0415 - only a terminal needs it

        self._console = Console(highlight=False, soft_wrap=True)
        self._status = self._console.status("starting")
        self._status.start()
        self._now: dict[str, str] = {}

    def event(self, label: str, event: Event) -> None:
        if isinstance(event, StepStarted):
            self._now[label] = f"{label} {event.step}"
        elif isinstance(event, Waiting):
            self._now[label] = f"{label} {event.step}, next in {duration(event.seconds)}"
        self._update()

    def ended(self, label: str, status: str, text: str) -> None:
        super().ended(label, status, text)
        self._now.pop(label, None)
        self._update()

    def line(self, text: str, color: str) -> None:
        self._console.print(printable(text), style=color, markup=False)

    def close(self) -> None:
        self._status.stop()

    def _update(self) -> None:
        from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

        shown = list(self._now.values())[:_SHOWN]
        more = f" and {len(self._now) - _SHOWN} more" if len(self._now) > _SHOWN else ""
        self._status.update(Text(printable(f"{self._done} of {self._total} done: {'; '.join(shown)}{more}")))
