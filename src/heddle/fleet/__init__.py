"""The fleet: how claimed jobs get to processes that run engines. The seam for executors is here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from heddle.fleet.messages import JobEvent, Key, Run
from heddle.matching import SlotReport

#: Called in the event loop for everything an executor hears of a job.
Sink = Callable[[JobEvent], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How patient an executor is with a worker, in seconds."""

    #: To come up.
    start_s: float = 30.0
    #: Between two pings.
    ping_s: float = 2.0
    #: Without an answer to any of them: frozen.
    hang_s: float = 15.0
    #: For an engine to notice that its job was canceled.
    cancel_s: float = 5.0
    #: The wait before a worker that could not start is tried again; doubles each time.
    backoff_s: float = 0.25
    #: The wait before a slot that was given up is tried again.
    given_up_s: float = 60.0
    #: Starts in a row that may go wrong before a slot is given up.
    starts: int = 4


class Executor(Protocol):
    """Built with `(settings: Settings, limits: Limits = Limits())`. Carries attempts to workers; holds no truth.

    For every accepted `Run` exactly one `Done` or `Failed` reaches the sink, whatever dies: a lost worker is a
    `Failed` with `retryable`. The executor ends an attempt that outlives its `timeout_s`, and one that does not
    stop within a few seconds of `cancel`, by killing its worker.
    """

    async def start(self, sink: Sink) -> None:
        """Bring the workers up; raises Unavailable when none can start."""
        ...

    def free(self, lookahead: int | None = None) -> int:
        """How many more attempts it takes now: idle slots, and for each slot `lookahead` (None: the setting) more.

        It rises when an attempt ends, before the sink hears of it. (And when workers can start again that could not:
        so look now and then as well.) A slot whose worker is being replaced counts.
        """
        ...

    def slots(self, lookahead: int | None = None) -> list[SlotReport]:
        """What each slot can run, has in memory and takes; together they take what `free` says."""
        ...

    def run(self, run: Run) -> None:
        """Take an attempt; meant for as many as `free` says (of those runs' look-ahead)."""
        ...

    def cancel(self, job_id: str, attempt: int) -> None:
        """Stop an attempt; its end is `Failed` with the reason `canceled`. Unknown ones are ignored."""
        ...

    def alive(self) -> frozenset[Key]:
        """Those whose worker gave a sign of life lately, and those that wait: their leases may be renewed."""
        ...

    async def close(self, grace_s: float) -> None:
        """Let running attempts end for `grace_s`, then stop the workers. Attempts cut short are `Failed` retryable."""
        ...
