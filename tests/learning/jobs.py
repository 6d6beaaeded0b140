"""What trainings see of their job, in tests."""

from __future__ import annotations

from pathlib import Path

from heddle.errors import JobCanceled


class Job:
    """The context of a job: its dataset, its folder, and an end at some moment if wanted."""

    job_id = "job_test"
    attempt = 1

    def __init__(self, data: bytes, folder: Path, stop_at: str = "", error: type[Exception] = JobCanceled) -> None:
        self.notes: list[str] = []
        self.fractions: list[float] = []
        self.lines: list[str] = []
        self._data = data
        self._folder = folder
        self._stop_at = stop_at
        self._error = error

    def preview(self, draw: object) -> None: ...

    def progress(self, fraction: float, note: str = "") -> None:
        self.notes.append(note)
        self.fractions.append(fraction)
        if self._stop_at and note.startswith(self._stop_at):
            raise self._error("stopped here")

    def log(self, text: str) -> None:
        self.lines.append(text)

    def read(self, blob_id: str) -> bytes:
        return self._data

    def scratch(self) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder
