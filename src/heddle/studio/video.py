"""Moving pictures: reading frames, writing files. Everything that reads runs inside a sandbox's child."""

from __future__ import annotations

import io
import os
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from heddle.errors import JobError
from heddle.studio.sandbox import FOREIGN

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    #: Height, width, red-green-blue, 0..255.
    Frame = NDArray[np.uint8]
    #: Samples by channels, -1..1.
    Samples = NDArray[np.float32]

Format = Literal["mp4", "webm", "gif"]
MIMES: Mapping[Format, str] = {"mp4": "video/mp4", "webm": "video/webm", "gif": "image/gif"}
#: ITU-T H.273, of what is written: the matrix of BT.601, primaries of BT.709, the curve of sRGB, studio range. Left to
#: guess, players take another matrix from 720 lines on, and reds and greens shift.
_COLORS = (6, 1, 13, 1)

#: Pixels of all frames of a GIF: all are in memory before the first is written, and the file is about as large.
GIF_PIXELS = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """A sound track."""

    samples: Samples
    rate: int


class Clip:
    """A video that is being read."""

    def __init__(self, container: Any) -> None:
        self._container = container
        self._stream = container.streams.video[0]
        self.width: int = self._stream.width
        self.height: int = self._stream.height
        self.fps = Fraction(self._stream.average_rate or self._stream.base_rate or 25)
        #: How many frames the file says it has, as a number for progress; 0 when it does not say.
        self.count: int = self._stream.frames or round((container.duration or 0) / 1_000_000 * self.fps)

    def frames(self, most: int) -> Iterator[Frame]:
        """Every frame, in order. Raises JobError after `most`, and for bytes that do not decode."""
        with _readable():
            for i, frame in enumerate(self._container.decode(self._stream)):
                if i == most:
                    raise JobError(f"the video has more than {most} frames", reason="media_limit")
                yield frame.to_ndarray(format="rgb24")


@contextmanager
def opened(data: bytes) -> Generator[Clip]:
    """Open a video for reading. Raises JobError (`media_unreadable`)."""
    import av  # noqa: PLC0415 - only children parse foreign bytes

    with _readable(), av.open(io.BytesIO(data), "r", options=FOREIGN) as container:
        if not container.streams.video:
            raise JobError("the file has no picture track", reason="media_unreadable")
        yield Clip(container)


def sound(data: bytes, rate: int = 48_000) -> Sound | None:
    """The sound track of a file as stereo, None when it has none."""
    import av  # noqa: PLC0415 - only children parse foreign bytes
    import numpy as np  # noqa: PLC0415 - as above

    with _readable(), av.open(io.BytesIO(data), "r", options=FOREIGN) as container:
        if not container.streams.audio:
            return None
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=rate)
        pieces: list[Any] = [
            out.to_ndarray() for frame in container.decode(audio=0) for out in resampler.resample(frame)
        ]
        pieces += [out.to_ndarray() for out in resampler.resample(None)]
    return Sound(samples=np.concatenate(pieces, axis=1).T, rate=rate) if pieces else None


def write(
    frames: Iterable[Frame],
    *,
    fps: Fraction,
    file_format: Format = "mp4",
    sound: Sound | None = None,
    tags: Mapping[str, str] | None = None,
    crf: int = 20,
) -> bytes:
    """A file that browsers play: H.264 and AAC, VP9 and Opus, or a GIF. An odd side grows by one pixel.

    `crf`: quality, lower is better. The same frames give the same bytes.
    """
    if file_format == "gif":
        return _gif(frames, fps)
    import av  # noqa: PLC0415 - heavy

    # In memory, and yet with a name: to put the index first, FFmpeg opens what it wrote a second time.
    out = os.memfd_create("video")
    # Bit-exact: no times and no random numbers of the writer's own.
    options = {"fflags": "+bitexact"} | ({"movflags": "+faststart+use_metadata_tags"} if file_format == "mp4" else {})
    try:
        with av.open(f"/proc/self/fd/{out}", "w", format=file_format, options=options) as container:
            for name, value in (tags or {}).items():
                container.metadata[name] = value
            _write_tracks(container, frames, fps=fps, file_format=file_format, sound=sound, crf=crf)
        return os.pread(out, os.fstat(out).st_size, 0)
    finally:
        os.close(out)


def _write_tracks(
    container: Any,
    frames: Iterable[Frame],
    *,
    fps: Fraction,
    file_format: Format,
    sound: Sound | None,
    crf: int,
) -> None:
    import av  # noqa: PLC0415 - heavy

    picture: Any = None
    track: Any = None
    for frame in frames:
        even = _even(frame)
        if picture is None:
            picture = _picture_track(container, even.shape[1], even.shape[0], fps, file_format, crf)
            track = container.add_stream("aac" if file_format == "mp4" else "libopus", rate=48_000) if sound else None
        container.mux(picture.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
    if picture is None:
        raise JobError("there is no frame to write", reason="no_output")
    container.mux(picture.encode(None))
    if sound is not None:
        _write_sound(container, track, sound)


def _picture_track(container: Any, width: int, height: int, fps: Fraction, file_format: Format, crf: int) -> Any:
    codec, options = {
        "mp4": ("libx264", {"crf": str(crf), "preset": "veryfast", "threads": "2", **_repeatable()}),
        "webm": (
            "libvpx-vp9",
            {"crf": str(crf + 10), "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1", "threads": "2"},
        ),
    }[file_format]
    track = container.add_stream(codec, rate=fps, options=options)
    track.width, track.height, track.pix_fmt = width, height, "yuv420p"
    context = track.codec_context
    context.colorspace, context.color_primaries, context.color_trc, context.color_range = _COLORS
    return track


@cache
def _repeatable() -> Mapping[str, str]:
    """x264's AVX-512 code gives another file each time where the macroblocks of a row do not come in eights."""
    cpu = Path("/proc/cpuinfo")
    wide = cpu.exists() and "avx512" in cpu.read_text(errors="replace")
    return {"x264-params": "asm=AVX2"} if wide else {}


def _write_sound(container: Any, track: Any, sound: Sound) -> None:
    import av  # noqa: PLC0415 - heavy
    import numpy as np  # noqa: PLC0415 - heavy

    stereo = sound.samples if sound.samples.shape[1] == 2 else np.repeat(sound.samples[:, :1], 2, axis=1)
    planes = np.ascontiguousarray(stereo.T.astype(np.float32))
    resampler = av.AudioResampler(format=track.format.name, layout=track.layout.name, rate=track.rate)
    step = sound.rate
    for start in range(0, planes.shape[1], step):
        frame = av.AudioFrame.from_ndarray(planes[:, start : start + step].copy(), format="fltp", layout="stereo")
        frame.sample_rate = sound.rate
        frame.pts = start
        for ready in resampler.resample(frame):
            container.mux(track.encode(ready))
    for ready in resampler.resample(None):
        container.mux(track.encode(ready))
    container.mux(track.encode(None))


def _gif(frames: Iterable[Frame], fps: Fraction) -> bytes:
    """GIF counts hundredths of a second; the rounding is carried on, so that the whole keeps its length."""
    from PIL import Image  # noqa: PLC0415 - heavy

    pictures: list[Image.Image] = []
    for frame in frames:
        pictures.append(Image.fromarray(frame).quantize(256, dither=Image.Dither.FLOYDSTEINBERG))
        if (pixels := len(pictures) * frame.shape[0] * frame.shape[1]) > GIF_PIXELS:
            raise JobError(f"a gif of more than {pixels} pixels in all; at most {GIF_PIXELS}", reason="media_limit")
    if not pictures:
        raise JobError("there is no frame to write", reason="no_output")
    ends = [round(100 * (i + 1) / fps) for i in range(len(pictures))]
    lengths = [10 * (end - start) for start, end in zip([0, *ends], ends, strict=False)]
    out = io.BytesIO()
    pictures[0].save(out, "GIF", save_all=True, append_images=pictures[1:], duration=lengths, loop=0, optimize=False)
    return out.getvalue()


def _even(frame: Frame) -> Frame:
    height, width = frame.shape[:2]
    if not (height % 2 or width % 2):
        return frame
    import numpy as np  # noqa: PLC0415 - heavy

    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


@contextmanager
def _readable() -> Generator[None]:
    from av.error import FFmpegError  # noqa: PLC0415 - only children parse foreign bytes

    try:
        yield
    except FFmpegError as error:
        raise JobError(f"the video cannot be read: {error.strerror}", reason="media_unreadable") from error
