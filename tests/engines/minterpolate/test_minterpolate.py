"""minterpolate: exact numbers of frames at even times, near the truth, no blends at cuts, sound kept."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from tests.moving import Seen, Watcher, brightness, file_of, moving, psnr, texture, tone

from heddle.engines import Made
from heddle.engines.minterpolate import Minterpolate
from heddle.errors import JobError


def interpolated(data: bytes, factor: int = 2, watcher: Watcher | None = None, **more: Any) -> Made:
    watcher = watcher or Watcher()
    watcher.blobs["source"] = data
    [made] = Minterpolate().run({"source": "source", "interpolationFactor": factor, **more}, watcher)
    return made


@pytest.mark.parametrize(("count", "factor"), [(1, 2), (2, 3), (5, 2), (24, 2), (24, 3)])
def test_exactly_so_many_frames_at_even_times(count: int, factor: int) -> None:
    fps = Fraction(30000, 1001)
    made = interpolated(file_of(moving(count, side=64), fps), factor)
    seen = Seen(made.data)
    assert len(seen.frames) == count * factor == made.metadata["frames"]
    assert seen.fps == fps * factor
    steps = np.diff([float(t) for t in seen.times])
    assert np.allclose(steps, float(1 / (fps * factor)), atol=1e-4)


@pytest.mark.parametrize(("factor", "least"), [(2, 37.0), (3, 35.5)])
def test_near_the_truth(factor: int, least: float) -> None:
    """Measured after decoding, so the losses of the file on the way in and out are in it."""
    colored = moving(24 * factor + 1)
    seen = Seen(interpolated(file_of(colored[::factor]), factor).data)
    truth, found = [brightness(f) for f in colored], [brightness(f) for f in seen.frames]
    between = [i for i in range(24 * factor) if i % factor]
    likeness = [psnr(found[i], truth[i]) for i in between]
    fades = [psnr(_fade(truth, i, factor), truth[i]) for i in between]
    in_color = [psnr(seen.frames[i], colored[i]) for i in between]
    print(
        f"x{factor}: {np.mean(likeness):.2f} dB (worst {min(likeness):.2f}; in color {np.mean(in_color):.2f}), "
        f"cross-fade {np.mean(fades):.2f} dB"
    )
    assert np.mean(likeness) >= least
    assert np.mean(likeness) > np.mean(fades) + 2


def _fade(truth: list[np.ndarray], i: int, factor: int) -> np.ndarray:
    before, share = i // factor * factor, i % factor / factor
    return truth[before] * (1 - share) + truth[before + factor] * share


def test_a_cut_is_not_blended() -> None:
    first, second = moving(12, seed=3), moving(12, seed=8)
    seen = Seen(interpolated(file_of(first[::2] + second[::2])).data)
    for frame in seen.frames:
        assert max(psnr(frame, other) for other in (*first, *second)) > 30


def test_still_frames_stay_still() -> None:
    source = file_of([texture(128, 5)] * 6)
    still = Seen(source).frames[0]
    seen = Seen(interpolated(source, 3).data)
    assert min(psnr(frame, still) for frame in seen.frames) > 38


def test_sound_size_and_tags() -> None:
    watcher = Watcher()
    made = interpolated(file_of(moving(12, side=65), sound=tone(0.5)), watcher=watcher)
    seen = Seen(made.data)
    assert (made.width, made.height, made.duration_ms) == (66, 66, 500)
    assert seen.sound is not None
    assert abs(len(seen.sound) / 48_000 - 0.5) < 0.05
    assert np.abs(seen.sound).max() > 0.3
    assert json.loads(seen.tags["comment"]) == {"engine": "minterpolate", "interpolationFactor": 2}
    assert made.preview is not None
    assert watcher.reported == sorted(watcher.reported)


def test_the_frame_rate_asked_for() -> None:
    data = file_of(moving(6, side=64), Fraction(10))
    assert Seen(interpolated(data, targetFps=30).data).fps == 30
    with pytest.raises(JobError, match="neither twice nor three times"):
        interpolated(data, targetFps=25)


def test_webm() -> None:
    seen = Seen(interpolated(file_of(moving(6, side=64)), outputFormat="webm").data)
    assert (seen.codec, len(seen.frames)) == ("vp9", 12)


@pytest.mark.parametrize("data", [b"", b"not a video", texture(64, 1).tobytes()])
def test_what_cannot_be_read(data: bytes) -> None:
    with pytest.raises(JobError, match="cannot be read"):
        interpolated(data)


def test_too_large() -> None:
    with pytest.raises(JobError, match="2050x64 is more than 2048"):
        interpolated(file_of([np.zeros((64, 2050, 3), np.uint8)] * 2))


def test_the_same_video_twice() -> None:
    data = file_of(moving(6, side=64))
    assert interpolated(data).data == interpolated(data).data
