"""Sound: samples to a file, and a file to samples. Reading runs in a sandbox, because the bytes may be anybody's."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from heddle.errors import JobError
from heddle.studio import sandbox

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    #: Samples by channels, -1..1.
    Samples = NDArray[np.float32]

Format = Literal["wav", "flac", "ogg", "mp3"]
MIMES: Mapping[Format, str] = {"wav": "audio/wav", "flac": "audio/flac", "ogg": "audio/ogg", "mp3": "audio/mpeg"}
_KINDS: Mapping[Format, tuple[str, str]] = {
    "wav": ("WAV", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}
_MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def encode(
    samples: Samples,
    rate: int,
    file_format: Format = "mp3",
    tags: Mapping[str, str] | None = None,
) -> bytes:
    """A sound file. `tags` may have `title`, `artist`, `comment`, `software`, ... as the format keeps them."""
    import soundfile  # noqa: PLC0415 # pyright: ignore[reportMissingTypeStubs] - heavy; it has no types

    container, coding = _KINDS[file_format]
    out = io.BytesIO()
    with soundfile.SoundFile(out, "w", rate, samples.shape[1], format=container, subtype=coding) as file:
        for name, value in (tags or {}).items():
            if value:  # libsndfile takes an empty one for a mistake
                setattr(file, name, value)
        # In pieces: libsndfile's Vorbis encoder overflows its stack on one long write.
        for start in range(0, len(samples), rate):
            file.write(samples[start : start + rate])
    return _same_serial(out.getvalue()) if file_format == "ogg" else out.getvalue()


def _same_serial(data: bytes) -> bytes:
    """An Ogg file whose stream has the number 1: libsndfile draws one, and the same sound must be the same bytes."""
    made = bytearray(data)
    start = 0
    while made.startswith(b"OggS", start):
        segments = made[start + 26]
        end = start + 27 + segments + sum(made[start + 27 : start + 27 + segments])
        made[start + 14 : start + 18] = (1).to_bytes(4, "little")
        made[start + 22 : start + 26] = bytes(4)
        made[start + 22 : start + 26] = _ogg_sum(made[start:end])
        start = end
    return bytes(made)


def _ogg_sum(page: bytearray) -> bytes:
    """Ogg's checksum: that of ZIP with all bits the other way round, and without its inversions."""
    mirrored = zlib.crc32(page.translate(_MIRROR), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return mirrored.to_bytes(4, "big").translate(_MIRROR)


def decode(
    data: bytes, *, rate: int, channels: int = 1, most_s: float = 3600, report: sandbox.Report | None = None
) -> Samples:
    """The sound of any audio or video file, as samples at `rate`. Raises JobError
    (`media_unreadable`, `media_limit`)."""
    import numpy as np  # noqa: PLC0415 - heavy

    argument = {"data": data, "rate": rate, "channels": channels, "most": int(most_s * rate)}
    raw = sandbox.call("heddle.studio.audio:read", argument, report=report)
    return np.frombuffer(raw, np.float32).reshape(-1, channels)


def read(argument: dict[str, Any], _report: sandbox.Report) -> bytes:
    """The child's side of `decode`."""
    import av  # noqa: PLC0415 - only children parse foreign bytes
    import numpy as np  # noqa: PLC0415 - as above
    from av.error import FFmpegError  # noqa: PLC0415 - as above

    layout = "mono" if argument["channels"] == 1 else "stereo"
    pieces: list[Any] = []
    count = 0
    try:
        with av.open(io.BytesIO(argument["data"]), "r", options=sandbox.FOREIGN) as container:
            if not container.streams.audio:
                raise JobError("the file has no sound track", reason="media_unreadable")
            resampler = av.AudioResampler(format="flt", layout=layout, rate=argument["rate"])
            for frame in chain(container.decode(audio=0), [None]):
                for out in resampler.resample(frame):
                    pieces.append(out.to_ndarray().reshape(-1))
                    count += out.samples
                if count > argument["most"]:
                    raise JobError(
                        f"the sound is longer than {argument['most'] / argument['rate']:g} s", reason="media_limit"
                    )
    except FFmpegError as error:
        raise JobError(f"the sound cannot be read: {error.strerror}", reason="media_unreadable") from error
    return np.concatenate(pieces).astype(np.float32).tobytes() if pieces else b""
