"""Codecs and previews: what is written can be read, has the length it should have, and is the same every time."""

from __future__ import annotations

import io
import itertools
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from tests.moving import moving

from heddle.errors import JobError
from heddle.studio import audio, previews, sandbox, video
from heddle.studio.probe import Facts, probe

RATE = 48_000


def tone(seconds: float = 1.0) -> Any:
    t = np.arange(round(RATE * seconds)) / RATE
    return np.stack([np.sin(2 * np.pi * 440 * t), np.sin(2 * np.pi * 660 * t)], axis=1).astype(np.float32) * 0.3


def frames(count: int = 36, height: int = 96, width: int = 128) -> list[Any]:
    ramp = np.linspace(0, 200, width, dtype=np.uint8)[None, :, None]
    return [np.broadcast_to(ramp, (height, width, 3)) // 2 + np.uint8(i) for i in range(count)]


@pytest.mark.parametrize("file_format", ["mp4", "webm"])
def test_a_video_with_sound(file_format: video.Format) -> None:
    def made() -> bytes:
        sound = video.Sound(samples=tone(1.5), rate=RATE)
        return video.write(frames(), fps=Fraction(24), file_format=file_format, sound=sound, tags={"comment": "{}"})

    data = made()
    facts = probe(data)
    assert (facts.width, facts.height, facts.fps, facts.frames) == (128, 96, 24.0, 36)
    assert facts.duration_ms == pytest.approx(1500, abs=30)
    assert (facts.rate, facts.channels) == (48_000, 2)
    assert data == made()


@pytest.mark.parametrize("side", [64, 96, 128, 144])
def test_the_same_frames_give_the_same_bytes(side: int) -> None:
    """Sides whose macroblocks do not come in eights: x264's widest code is not repeatable there."""
    shown = moving(12, side=side)
    assert len({video.write(shown, fps=Fraction(12)) for _ in range(6)}) == 1


@pytest.mark.parametrize("file_format", ["mp4", "webm"])
def test_a_video_tells_its_colors(file_format: video.Format) -> None:
    """Players guess what is not told, and from 720 lines on they guess wrong."""
    with av.open(io.BytesIO(video.write(frames(2), fps=Fraction(24), file_format=file_format)), "r") as container:
        coded = container.streams.video[0].codec_context
        told = (coded.colorspace, coded.color_primaries, coded.color_trc, coded.color_range)
    assert tuple(int(value) for value in told) == (6, 1, 13, 1)


def test_an_mp4_begins_with_its_index() -> None:
    data = video.write(frames(), fps=Fraction(24))
    assert data.index(b"moov") < data.index(b"mdat")


def test_a_gif_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "GIF_PIXELS", 20 * 96 * 128)
    with pytest.raises(JobError, match="at most 245760") as caught:
        video.write(itertools.cycle(frames(2)), fps=Fraction(12), file_format="gif")
    assert caught.value.reason == "media_limit"


def test_a_gif_keeps_its_length_though_it_counts_in_hundredths() -> None:
    data = video.write(frames(24), fps=Fraction(12), file_format="gif")
    with Image.open(io.BytesIO(data)) as image:
        durations = []
        for i in range(getattr(image, "n_frames", 1)):
            image.seek(i)
            durations.append(image.info["duration"])
    assert (len(durations), sum(durations)) == (24, 2000)


def test_an_odd_side_grows_by_a_pixel() -> None:
    facts = probe(video.write(frames(4, 95, 127), fps=Fraction(24)))
    assert (facts.width, facts.height) == (128, 96)


def test_no_frames_make_no_video() -> None:
    with pytest.raises(JobError, match="no frame"):
        video.write([], fps=Fraction(24))


def read_back(argument: dict[str, Any], _report: sandbox.Report) -> list[int]:
    with video.opened(argument["data"]) as clip:
        return [int(frame.mean()) for frame in clip.frames(argument["most"])]


def test_frames_are_read_in_order_and_counted() -> None:
    data = video.write(frames(12), fps=Fraction(24), crf=1)
    means = read_back({"data": data, "most": 12}, lambda _: None)
    assert len(means) == 12
    assert means == sorted(means)
    with pytest.raises(JobError, match="more than 11 frames"):
        read_back({"data": data, "most": 11}, lambda _: None)


@pytest.mark.parametrize("file_format", list(audio.MIMES))
def test_sound_comes_back(file_format: audio.Format) -> None:
    data = audio.encode(tone(), RATE, file_format, {"title": "a tone", "comment": "{}"})
    facts = probe(data)
    assert (facts.rate, facts.channels, facts.width) == (RATE, 2, None)
    assert facts.duration_ms == pytest.approx(1000, abs=60)
    back = audio.decode(data, rate=16_000)
    assert back.shape[1] == 1
    assert len(back) == pytest.approx(16_000, abs=1000)
    spectrum = np.abs(np.fft.rfft(back[2000:10_000, 0]))
    assert np.argmax(spectrum) * 16_000 / 8000 in {440.0, 660.0}


def test_a_sound_that_is_too_long_is_not_read() -> None:
    with pytest.raises(JobError, match=r"longer than 0\.5 s"):
        audio.decode(audio.encode(tone(), RATE, "wav"), rate=16_000, most_s=0.5)


SDP = b"\xff\xfb\x90\x44\nv=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9998 RTP/AVP 0\n"


@pytest.mark.parametrize(
    "data",
    [
        SDP,
        b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/a.ts\n",
        b"",
        b"not media at all" * 99,
        b"\x1a\x45\xdf\xa3webm" + bytes(50),
    ],
)
def test_what_is_no_media_is_refused(data: bytes) -> None:
    for look in (probe, lambda d: audio.decode(d, rate=16_000)):
        with pytest.raises(JobError) as caught:
            look(data)
        assert caught.value.reason == "media_unreadable"


def test_a_file_that_is_cut_off_is_refused() -> None:
    with pytest.raises(JobError) as caught:
        probe(video.write(frames(), fps=Fraction(24))[:300])
    assert caught.value.reason == "media_unreadable"


def test_facts_of_a_picture_in_motion_say_nothing_of_sound() -> None:
    facts = probe(video.write(frames(12), fps=Fraction(12)))
    assert facts == Facts(duration_ms=1000, width=128, height=96, fps=12.0, frames=12)


def test_previews_are_small_and_have_a_hash() -> None:
    file = io.BytesIO()
    Image.new("RGBA", (2000, 1000), (200, 30, 30, 128)).save(file, "PNG")
    for made in (
        previews.of_picture(file.getvalue()),
        previews.of_frame(frames(1, 900, 1800)[0]),
        previews.of_sound(tone()),
    ):
        with Image.open(io.BytesIO(made.data)) as image:
            assert image.size == (made.width, made.height)
            assert max(image.size) == previews.SIDE
        assert made.blurhash
