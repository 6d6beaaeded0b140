"""What a sound or video file is, read from its headers in a sandbox: size, duration, frame rate, whether it decodes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import msgspec

from heddle.errors import JobError
from heddle.studio import sandbox

_LIMITS = sandbox.Limits(memory_mb=2048, cpu_s=20, wall_s=30, output_mb=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a sound or video file. `frames` and `fps` are a video's; `rate` and `channels` a sound's."""

    duration_ms: int
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    frames: int | None = None
    rate: int | None = None
    channels: int | None = None


def probe(data: bytes) -> Facts:
    """Look at a file. Raises JobError (`media_unreadable`, `media_limit`) when it cannot be read."""
    return msgspec.convert(sandbox.call("heddle.studio.probe:look", {"data": data}, limits=_LIMITS), Facts)


def look(argument: dict[str, Any], _report: sandbox.Report) -> dict[str, Any]:
    """The child's side: headers, and the first frame of each stream to see that it decodes."""
    import av  # noqa: PLC0415 - only children parse foreign bytes
    from av.error import FFmpegError  # noqa: PLC0415 - as above

    try:
        with av.open(io.BytesIO(argument["data"]), "r", options=sandbox.FOREIGN) as container:
            return msgspec.to_builtins(_facts(container))
    except (FFmpegError, ValueError, EOFError) as error:
        why = error.strerror if isinstance(error, FFmpegError) else error
        raise JobError(f"the bytes are not readable as sound or video: {why}", reason="media_unreadable") from error


def _facts(container: Any) -> Facts:
    video = next(iter(container.streams.video), None)
    sound = next(iter(container.streams.audio), None)
    if video is None and sound is None:
        raise JobError("the file has neither a picture nor a sound track", reason="media_unreadable")
    first = next(iter(container.decode(video if video is not None else sound)), None)
    if first is None:
        raise JobError("the file has no frame that decodes", reason="media_unreadable")
    seconds = _seconds(container, video if video is not None else sound)
    rate = float(video.average_rate or video.base_rate or 0) if video is not None else 0.0
    return Facts(
        duration_ms=round(seconds * 1000),
        width=first.width if video is not None else None,
        height=first.height if video is not None else None,
        fps=rate or None,
        frames=(video.frames or round(seconds * rate)) if video is not None else None,
        rate=sound.rate if sound is not None else None,
        channels=sound.channels if sound is not None else None,
    )


def _seconds(container: Any, stream: Any) -> float:
    """As the container says, else the stream, else by reading the packets' times."""
    if container.duration:
        return container.duration / 1_000_000
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    container.seek(0)
    ends = [float((p.pts + (p.duration or 0)) * p.time_base) for p in container.demux(stream) if p.pts is not None]
    return max(ends, default=0.0)
