"""Reads a video, in a child: so nothing is imported here that knows PyTorch."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np

from heddle.engines.spandrel import VIDEO_PIXELS, VIDEO_SIDE
from heddle.errors import JobError
from heddle.studio import sandbox, video


def frames(argument: dict[str, Any], _report: sandbox.Report) -> Generator[Any]:
    """What the video is, and then its frames one by one."""
    data, factor = argument["data"], int(argument["factor"])
    with video.opened(data) as clip:
        width, height = clip.width * factor, clip.height * factor
        if max(width, height) > VIDEO_SIDE:
            raise JobError(
                f"scaleFactor: {clip.width}x{clip.height} times {factor} is {width}x{height}, "
                f"and a video has at most {VIDEO_SIDE} pixels per side",
                reason="media_limit",
            )
        sound = video.sound(data)
        yield {
            "width": clip.width,
            "height": clip.height,
            "fps": [clip.fps.numerator, clip.fps.denominator],
            "count": clip.count or round(10 * clip.fps),
            "sound": None if sound is None else np.ascontiguousarray(sound.samples, np.float32).tobytes(),
        }
        for frame in clip.frames(VIDEO_PIXELS // (width * height)):
            yield np.ascontiguousarray(frame).tobytes()
