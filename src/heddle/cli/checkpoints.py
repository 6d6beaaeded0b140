"""`heddle run --checkpoint FILE [--resume [--resume-step again|skip]]`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heddle.errors import UsageError

if TYPE_CHECKING:
    from heddle.arazzo.budgets import Options
    from heddle.arazzo.journal import Journal
    from heddle.arazzo.masking import Secrets
    from heddle.arazzo.plan import Plan


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the command line says about it; without a path there is none."""

    path: Path | None
    resume: bool
    step: str | None

    def check(self) -> None:
        """Raises UsageError for options that need others."""
        if self.path is None and self.resume:
            raise UsageError("--resume needs the checkpoint to go on from", "add --checkpoint FILE")
        if self.step is not None and not self.resume:
            raise UsageError("--resume-step only says how to go on", "add --checkpoint FILE --resume")

    def check_server(self) -> None:
        """For a run without a server: what it made there would be gone with the server."""
        if self.path is not None:
            raise UsageError(
                "a checkpoint needs a server that is still there afterwards",
                "name one with --server, or `heddle login`",
            )

    def of_run(self, number: int) -> Checkpoint:
        """Of many runs each has a file in the folder; one that is not there yet begins, also with --resume."""
        if self.path is None:
            return self
        file = self.path / f"{number}.run"
        return replace(self, path=file, resume=self.resume and file.is_file())

    def make_folder(self) -> None:
        """Raises UsageError where many runs cannot have theirs."""
        if self.path is None:
            return
        if self.resume and not self.path.is_dir():
            raise UsageError(f"there is no folder {self.path} to go on from", "leave --resume out to begin")
        try:
            self.path.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise UsageError(f"the folder {self.path} cannot be made: {error.strerror}") from error

    def inputs(self) -> dict[str, Any]:
        """Those of the run that goes on, but for secrets."""
        from heddle.arazzo.durable import inputs_in  # noqa: PLC0415

        return inputs_in(self.path) if self.path is not None and self.resume else {}

    def opened(
        self, plan: Plan, values: Mapping[str, Any], secrets: Secrets, options: Options
    ) -> AbstractAsyncContextManager[Journal | None]:
        """The journal to write. Raises UsageError before anything is sent."""
        from heddle.arazzo.durable import UnderWay, opened  # noqa: PLC0415
        from heddle.arazzo.facts import facts_of  # noqa: PLC0415

        if self.path is None:
            return nullcontext()
        facts = facts_of(plan, values, secrets, options.uploads)
        return opened(self.path, facts, resume=self.resume, under_way=UnderWay(self.step) if self.step else None)

    def told(self, journal: Journal | None) -> str:
        """A note for a run that goes on."""
        known = len(journal.exchanges) if journal is not None and self.resume else 0
        return f"{self.path} knows {known} {'request' if known == 1 else 'requests'} already" if known else ""

    def parting(self) -> str:
        """A note for a run that was interrupted."""
        return f"go on with --checkpoint {self.path} --resume" if self.path is not None else ""
