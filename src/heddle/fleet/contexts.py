"""What jobs and loads see of the world while they run: the `JobContext` and the `LoadContext` of engines."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from heddle.errors import EngineFailed, JobCanceled, JobError, Unavailable
from heddle.fleet.made import shown
from heddle.fleet.messages import LivePreview, Loading, Log, Message, Progress, Run
from heddle.fleet.scratch import Scratch
from heddle.storage import Storage
from heddle.studio.previews import Preview

#: Hands a message to the executor; callable from every thread.
Say = Callable[[Message], None]

_PROGRESS_EVERY_S = 0.2
#: Of a job's time, what its previews may take: one that took long waits so many times as long for the next.
_PREVIEW_REST = 20
_LOG_LINES = 1000
_LOG_LENGTH = 2000


class Context:
    """What a running job sees of the world: the `JobContext` of engines."""

    def __init__(
        self, run: Run, storage: Storage, say: Say, scratch: Scratch | None = None, *, preview_s: float = 0.0
    ) -> None:
        self.job_id = run.job_id
        self.attempt = run.attempt
        self.canceled = False
        self._inputs = run.inputs
        self._storage = storage
        self._say = say
        self._scratch = scratch or Scratch("")
        self._lines = 0
        self._next_progress = 0.0
        self._pending: Progress | None = None
        self._flushing = threading.Lock()
        self._preview_s = preview_s
        #: When the next one is due; None: nobody has begun to show anything.
        self._next_preview: float | None = None
        self._shown_any = False

    def progress(self, fraction: float, note: str = "") -> None:
        self.check()
        # In this order, because `max` answers its first argument for a NaN.
        self._pending = Progress(
            job_id=self.job_id, attempt=self.attempt, fraction=min(1.0, max(0.0, float(fraction))), note=note
        )
        if time.monotonic() >= self._next_progress:
            self.flush()

    def check(self) -> None:
        """Let a cancel through."""
        if self.canceled:
            raise JobCanceled("the job was canceled")

    def flush(self) -> None:
        """Say the latest progress that was held back. The lock keeps two threads from saying it out of order."""
        with self._flushing:
            pending, self._pending = self._pending, None
            if pending is not None:
                self._next_progress = time.monotonic() + _PROGRESS_EVERY_S
                self._say(pending)

    def preview(self, draw: Callable[[int], Preview]) -> None:
        if self._preview_s <= 0:
            return
        began = time.monotonic()
        if self._next_preview is None:  # what is done at once is not shown before
            self._next_preview = began + self._preview_s
        if began >= self._next_preview:
            self._show(draw)
            took = time.monotonic() - began
            # The first one loads what the others have then.
            rest = took * _PREVIEW_REST if self._shown_any else 0.0
            self._shown_any = True
            self._next_preview = began + max(self._preview_s, took, rest)

    def _show(self, draw: Callable[[int], Preview]) -> None:
        """Say a preview. Whatever is wrong with it is no reason to lose the job, nor to try it again at every step."""
        try:
            data, mime = shown(draw(0))
        except JobCanceled:
            raise
        except Exception as error:  # noqa: BLE001 - engines are strangers' code
            self._preview_s = 0.0
            self.log(f"there are no live previews: {type(error).__name__}: {error}")
            return
        self._say(LivePreview(job_id=self.job_id, attempt=self.attempt, data=data, mime=mime))

    def log(self, text: str) -> None:
        self._lines += 1
        if self._lines > _LOG_LINES:
            return
        if self._lines == _LOG_LINES:
            text = f"(line {_LOG_LINES} of this attempt: no more are taken)"
        self._say(Log(job_id=self.job_id, attempt=self.attempt, text=str(text)[:_LOG_LENGTH]))

    def read(self, blob_id: str) -> bytes:
        if blob_id not in self._inputs:
            raise EngineFailed(f"{blob_id!r} is not an input of this job; it has {sorted(self._inputs)}")
        try:
            with self._storage.open(self._inputs[blob_id]) as file:
                return file.read()
        except KeyError as error:
            raise JobError(f"the input {blob_id!r} is no longer in storage", reason="input_missing") from error
        except Unavailable as error:
            raise JobError(f"storage did not give it: {error}", reason="storage_failed", retryable=True) from error

    def scratch(self) -> Path:
        return self._scratch.of(self.job_id)


class Load:
    """What a load sees of the world: the `LoadContext` of engines."""

    def __init__(self, context: Context, say: Say, memory_mb: int) -> None:
        self.memory_mb = memory_mb
        self._context = context
        self._say = say
        self._next = 0.0

    def progress(self, fraction: float, note: str = "") -> None:
        self.check()
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _PROGRESS_EVERY_S
            held = min(1.0, max(0.0, float(fraction)))
            self._say(Loading(job_id=self._context.job_id, attempt=self._context.attempt, fraction=held))

    def check(self) -> None:
        """Let a cancel through."""
        self._context.check()


class Unwatched:
    """The `LoadContext` of a load that no job waits for yet."""

    def __init__(self, memory_mb: int) -> None:
        self.memory_mb = memory_mb

    def progress(self, fraction: float, note: str = "") -> None:
        pass
