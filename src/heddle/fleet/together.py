"""Attempts that an engine makes in one go: which go together, and the one context that stands for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from heddle.engines import Batcher
from heddle.errors import JobCanceled, JobError
from heddle.fleet.messages import Failed, Key, Run
from heddle.studio.previews import Preview

#: The reason of attempts that count for nothing: each is made again.
HANDED_BACK = "handed_back"


class Member(Protocol):
    """The context of one of them."""

    canceled: bool

    def progress(self, fraction: float, note: str = "") -> None: ...
    def preview(self, draw: Callable[[int], Preview]) -> None: ...
    def log(self, text: str) -> None: ...
    def read(self, blob_id: str) -> bytes: ...
    def scratch(self) -> Path: ...


def companions(engine: Batcher, run: Run, alike: Sequence[Run]) -> list[Run]:
    """Those of `alike`, in their order, that the engine makes in one go with `run`."""
    wanted = engine.batch(run.payload)
    if wanted is None or wanted.most < 2:
        return []
    return list(islice((other for other in alike if engine.batch(other.payload) == wanted), wanted.most - 1))


def _numbered(draw: Callable[[int], Preview], n: int) -> Callable[[int], Preview]:
    """Of one of them, which is the only one to its own context."""
    return lambda _: draw(n)


def handed_back(run: Run) -> Failed:
    """The end of an attempt that is to be made again by itself, which is no fault of its own."""
    job_id, attempt = run.key
    why = "it was made with others, which failed, and is made again by itself"
    return Failed(job_id=job_id, attempt=attempt, reason=HANDED_BACK, message=why, retryable=True)


class Shared:
    """The `JobContext` of all of them. Whoever is canceled ends at once; the others go on."""

    def __init__(self, runs: Sequence[Run], members: Sequence[Member], conclude: Callable[[Run, Failed], None]) -> None:
        self.job_id, self.attempt = runs[0].key
        self._runs = runs
        self._first = members[0]
        self._members = {run.key: member for run, member in zip(runs, members, strict=True)}
        self._conclude = conclude

    def progress(self, fraction: float, note: str = "") -> None:
        """Tell each of them."""
        for run in self.left():
            member = self._members[run.key]
            try:
                member.progress(fraction, note)
            except JobCanceled as error:
                del self._members[run.key]
                job_id, attempt = run.key
                self._conclude(run, Failed(job_id=job_id, attempt=attempt, reason=error.reason, message=error.message))
        if not self._members:
            raise JobCanceled("all of the jobs were canceled")

    def preview(self, draw: Callable[[int], Preview]) -> None:
        """Show each of them its own: they belong to different people."""
        for n, run in enumerate(self._runs):
            if run.key in self._members:
                self._members[run.key].preview(_numbered(draw, n))

    def log(self, text: str) -> None:
        """In the name of the first."""
        self._first.log(text)

    def read(self, blob_id: str) -> bytes:
        """An input that they have in common."""
        return self._first.read(blob_id)

    def scratch(self) -> Path:
        """The folder of the first."""
        return self._first.scratch()

    def left(self) -> list[Run]:
        """Those that have not ended."""
        return [run for run in self._runs if run.key in self._members]

    def matched(self, made: Iterable[Any]) -> Mapping[Key, Any]:
        """What was made, by attempt. Raises JobError where it is not one thing for each."""
        things = list(islice(made, len(self._runs) + 1))
        if len(things) != len(self._runs):
            raise JobError(f"{len(self._runs)} jobs gave {len(things)} things", reason="bad_output")
        return {run.key: thing for run, thing in zip(self._runs, things, strict=True)}
