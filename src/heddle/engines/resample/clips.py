"""Videos, frame by frame in a sandbox: the sound, the number of frames and their rate are kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from heddle.domain import JSON
from heddle.engines import Made
from heddle.engines.resample import VIDEO_PIXELS, VIDEO_SIDE
from heddle.errors import JobError
from heddle.studio import previews, sandbox, video
from heddle.studio.enlarging import enlarge_frame
from heddle.studio.video import Clip

if TYPE_CHECKING:
    from heddle.studio.video import Frame

_LIMITS = sandbox.Limits(memory_mb=4096, cpu_s=3600, wall_s=3600)


def enlarged(data: bytes, payload: JSON, record: dict[str, Any], report: Callable[[float], None]) -> Made:
    """One video. Raises JobError."""
    kind: video.Format = "webm" if payload.get("outputFormat") == "webm" else "mp4"
    argument = {
        "data": data,
        "factor": int(payload["scaleFactor"]) ** int(payload["numberOfRepeats"]),
        "format": kind,
        "comment": json.dumps(record),
    }
    made = sandbox.call("heddle.engines.resample.clips:enlarge", argument, limits=_LIMITS, report=report)
    height, width = made["shape"]
    poster = np.frombuffer(made["poster"], np.uint8).reshape(height, width, 3)
    return Made(
        data=made["data"],
        mime=video.MIMES[kind],
        width=width,
        height=height,
        duration_ms=round(1000 * made["frames"] / made["fps"]),
        metadata=record | {"fps": made["fps"], "frames": made["frames"]},
        preview=previews.of_frame(poster),
    )


def enlarge(argument: dict[str, Any], report: sandbox.Report) -> dict[str, Any]:
    """The child's side."""
    data, factor = argument["data"], int(argument["factor"])
    with video.opened(data) as clip:
        _check(clip, factor)
        work = _Work(clip, factor, report)
        file = video.write(
            work.frames(),
            fps=clip.fps,
            file_format=argument["format"],
            sound=video.sound(data),
            tags={"comment": argument["comment"]},
            crf=18,
        )
        return {"data": file, "fps": float(Fraction(clip.fps)), **work.told()}


def _check(clip: Clip, factor: int) -> None:
    width, height = clip.width * factor, clip.height * factor
    if max(width, height) > VIDEO_SIDE:
        raise JobError(
            f"scaleFactor: {clip.width}x{clip.height} times {factor} is {width}x{height}, "
            f"and a video has at most {VIDEO_SIDE} pixels per side",
            reason="media_limit",
        )


class _Work:
    """The frames on their way, counted."""

    def __init__(self, clip: Clip, factor: int, report: sandbox.Report) -> None:
        self._clip = clip
        self._factor = factor
        self._report = report
        self._poster: Frame | None = None
        self._count = 0

    def frames(self) -> Iterator[Frame]:
        most = VIDEO_PIXELS // (self._clip.width * self._clip.height * self._factor**2)
        expected = max(1, self._clip.count or round(10 * self._clip.fps))
        for frame in self._clip.frames(most):
            made = even(enlarge_frame(frame, self._factor))
            self._poster = made if self._poster is None else self._poster
            self._count += 1
            self._report(min(0.98, self._count / expected))
            yield made

    def told(self) -> dict[str, Any]:
        """What is known once all are through."""
        assert self._poster is not None
        return {"poster": self._poster.tobytes(), "shape": list(self._poster.shape[:2]), "frames": self._count}


def even(frame: Frame) -> Frame:
    """Codecs take even sides only: an odd one grows by a pixel."""
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge") if height % 2 or width % 2 else frame
