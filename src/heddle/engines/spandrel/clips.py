"""Videos, frame by frame: read in a sandbox, enlarged here, where the model is. Sound, number and rate are kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from heddle.domain import JSON
from heddle.engines import Made
from heddle.engines.spandrel.work import Report, Work
from heddle.studio import previews, sandbox, video
from heddle.studio.video import Sound

if TYPE_CHECKING:
    from heddle.studio.video import Frame

#: The child waits for the model, so its time is that of one frame.
_LIMITS = sandbox.Limits(memory_mb=4096, cpu_s=3600, wall_s=600)


def enlarged(data: bytes, payload: JSON, work: Work, report: Report) -> Made:
    """One video. Raises JobError."""
    kind: video.Format = "webm" if payload.get("outputFormat") == "webm" else "mp4"
    argument = {"data": data, "factor": work.larger}
    film = _Film(work, report)
    with closing(
        sandbox.stream("heddle.engines.spandrel.reading:frames", argument, limits=_LIMITS, report=film.wait)
    ) as values:
        head = next(values)
        fps = Fraction(*head["fps"])
        sound = head["sound"] and Sound(samples=np.frombuffer(head["sound"], np.float32).reshape(-1, 2), rate=48_000)
        file = video.write(
            film.frames(values, head),
            fps=fps,
            file_format=kind,
            sound=sound or None,
            # Written before the first frame is made: what is said here is what was intended.
            tags={"comment": json.dumps(work.record())},
            crf=18,
        )
    assert film.poster is not None
    return Made(
        data=file,
        mime=video.MIMES[kind],
        width=head["width"] * work.larger + head["width"] * work.larger % 2,
        height=head["height"] * work.larger + head["height"] * work.larger % 2,
        duration_ms=round(1000 * film.count / fps),
        metadata=work.record() | {"fps": float(fps), "frames": film.count},
        preview=previews.of_frame(film.poster),
    )


class _Film:
    """The frames on their way, counted."""

    def __init__(self, work: Work, report: Report) -> None:
        self._work = work
        self._report = report
        self._fraction = 0.0
        self.poster: Frame | None = None
        self.count = 0

    def wait(self, _fraction: float) -> None:
        """Let a cancel through while the next frame is being read."""
        self._report(self._fraction)

    def frames(self, values: Iterator[Any], head: JSON) -> Iterator[Frame]:
        shape, expected = (head["height"], head["width"], 3), max(1, head["count"])
        for value in values:
            made = self._work.enlarged(np.frombuffer(value, np.uint8).reshape(shape), self._inside(expected))
            self.poster = made if self.poster is None else self.poster
            self.count += 1
            yield made

    def _inside(self, expected: int) -> Report:
        def report(done: float) -> None:
            self._fraction = min(0.98, (self.count + done) / expected)
            self._report(self._fraction)

        return report
