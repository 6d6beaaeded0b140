"""The fleet: how claimed jobs get to processes that run engines. The seam for executors is here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from heddle.fleet.messages import JobEvent, Run

#: Called in the event loop for everything an executor hears of a job.
Sink = Callable[[JobEvent], None]


class Executor(Protocol):
    """Built with `(settings: Settings)`. Carries attempts to workers; holds no truth.

    For every accepted `Run` exactly one `Done` or `Failed` reaches the sink, whatever dies: a lost worker is a
    `Failed` with `retryable`. The executor ends an attempt that outlives its `timeout_s`, and one that does not
    stop within a few seconds of `cancel`, by killing its worker.
    """

    async def start(self, sink: Sink) -> None:
        """Bring the workers up; raises Unavailable when none can start."""
        ...

    def free(self) -> int:
        """How many more attempts it takes now (idle slots and look-ahead)."""
        ...

    def run(self, run: Run) -> None:
        """Take an attempt; only while `free()` is positive."""
        ...

    def cancel(self, job_id: str, attempt: int) -> None:
        """Stop an attempt; its end is `Failed` with the reason `canceled`. Unknown ones are ignored."""
        ...

    def alive(self) -> frozenset[tuple[str, int]]:
        """The (job, attempt) pairs whose worker gave a sign of life lately: their leases may be renewed."""
        ...

    async def close(self, grace_s: float) -> None:
        """Let running attempts end for `grace_s`, then stop the workers. Attempts cut short are `Failed` retryable."""
        ...
