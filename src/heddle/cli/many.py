"""Many runs by one command: several documents, or a row of a table each, some of them at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from heddle.arazzo.budgets import Options
from heddle.arazzo.durable import start
from heddle.arazzo.events import Result, RunEnded
from heddle.arazzo.exchange import Client
from heddle.arazzo.journal import Journal
from heddle.arazzo.masking import Secrets
from heddle.arazzo.plan import Plan
from heddle.arazzo.runner import Run
from heddle.arazzo.transfers import Saved, save_outputs
from heddle.cli.boards import Board
from heddle.cli.narration import Narrator, printable, summary
from heddle.cli.output import duration
from heddle.errors import HeddleError


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One run to be made; `number` counts from 1, and `filled` names the inputs that a login fills."""

    number: int
    label: str
    document: Path
    plan: Plan
    inputs: Mapping[str, Any]
    secrets: Secrets
    options: Options
    journal: Callable[[], AbstractAsyncContextManager[Journal | None]]
    filled: Sequence[str] = ()
    save: Path | None = None
    narrator: Narrator | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case: a result; a reason why it could not run; or neither, when it was not begun."""

    case: Case
    result: Result | None = None
    saved: Sequence[Saved] = ()
    problem: str = ""
    interrupted: bool = False

    @property
    def status(self) -> str:
        if self.interrupted:
            return "interrupted"
        if self.result is not None:
            return str(self.result.status)
        return "refused" if self.problem else "not begun"

    @property
    def exit_code(self) -> int:
        """That of the run alone; one that was not begun has none to tell of."""
        if self.result is not None:
            return self.result.exit_code
        return 1 if self.problem else 0

    def __str__(self) -> str:
        if self.result is None:
            return self.problem or "not begun"
        if not self.interrupted:
            return summary(self.result)
        at = self.result.steps[-1].step if self.result.steps else "its first step"
        return f"interrupted at {at} after {self.result.calls} {'call' if self.result.calls == 1 else 'calls'}"


@dataclass(slots=True)
class Batch:
    """Cases that are carried out together, `limit` at a time."""

    cases: Sequence[Case]
    board: Board
    limit: int
    fail_fast: bool
    secrets: Secrets
    notes: Sequence[str] = ()
    ended: dict[int, Outcome] = field(default_factory=dict[int, Outcome])
    running: dict[int, Run] = field(default_factory=dict[int, Run])
    seconds: float = 0.0
    interrupted: bool = False
    outcomes: Sequence[Outcome] = ()

    def carry_out(self, client: Callable[[], Client]) -> None:
        """Afterwards there is an outcome for every case in its order, also after Ctrl-C."""
        began = monotonic()
        for text in self.notes:
            self.board.note(self.secrets.mask(text))
        try:
            asyncio.run(self._all(client))
        except KeyboardInterrupt:
            self.interrupted = True
        finally:
            self.board.close()
        self.seconds = monotonic() - began
        self.outcomes = [self._outcome(case) for case in self.cases]
        for outcome in self.outcomes:
            if outcome.case.narrator is not None and outcome.result is not None:
                outcome.case.narrator.end(outcome.result, outcome.saved)

    @property
    def exit_code(self) -> int:
        """The worst: Ctrl-C, else a failure, else missing outputs, else 0."""
        codes = {outcome.exit_code for outcome in self.outcomes}
        if self.interrupted:
            return 130
        return 1 if 1 in codes else max(codes, default=0)

    def masked(self, case: Case, value: Any) -> Any:
        """Without the secrets of this run, nor those of any other: a server may tell one what it heard from another."""
        return self.secrets.mask(case.secrets.mask(value))

    def counts(self) -> dict[str, int]:
        """How many runs ended in which way."""
        names = [outcome.status for outcome in self.outcomes]
        return {name: names.count(name) for name in dict.fromkeys(names)}

    def _outcome(self, case: Case) -> Outcome:
        if case.number in self.ended:
            return self.ended[case.number]
        run = self.running.get(case.number)
        return Outcome(case) if run is None else Outcome(case, run.snapshot(), interrupted=True)

    async def _all(self, client: Callable[[], Client]) -> None:
        waiting = iter(self.cases)
        async with client() as opened, asyncio.TaskGroup() as group:
            for _ in range(min(self.limit, len(self.cases))):
                group.create_task(self._take(waiting, opened))

    async def _take(self, waiting: Iterator[Case], client: Client) -> None:
        """One after the other; with `fail_fast`, none is begun after a failure, and those that run go to their end."""
        for case in waiting:
            outcome = await self._one(case, client)
            self.ended[case.number] = outcome
            self.board.ended(case.label, outcome.status, self.masked(case, str(outcome)))
            if self.fail_fast and any(one.exit_code for one in self.ended.values()):
                return

    async def _one(self, case: Case, client: Client) -> Outcome:
        try:
            async with case.journal() as journal:
                run, events = start(
                    case.plan, case.inputs, client, options=case.options, secrets=case.secrets, journal=journal
                )
                self.running[case.number] = run
                async for event in events:
                    self.board.event(case.label, event)
                    if case.narrator is not None:
                        case.narrator.event(event)
                    if isinstance(event, RunEnded):
                        return Outcome(case, event.result, await _saved(case, client, event.result, journal))
        except HeddleError as error:
            return Outcome(case, problem=self.masked(case, error.message))
        except OSError as error:  # of its checkpoint; the others have theirs
            return Outcome(case, problem=self.masked(case, str(error)))
        raise AssertionError("a run ends with RunEnded")


async def _saved(case: Case, client: Client, result: Result, journal: Journal | None) -> Sequence[Saved]:
    if case.save is None:
        return []
    return await save_outputs(client, result.outputs, case.save, case.plan.servers(), journal)


def closing(batch: Batch) -> str:
    """The last lines: how far those got that were interrupted, and the sum."""
    lines = [f"{one.case.label}: {batch.masked(one.case, str(one))}" for one in batch.outcomes if one.interrupted]
    listed = ", ".join(f"{count} {name}" for name, count in batch.counts().items())
    lines.append(
        f"{len(batch.outcomes)} {'run' if len(batch.outcomes) == 1 else 'runs'} in {duration(batch.seconds)}: {listed}"
    )
    return printable("\n".join(lines)) + "\n"
