"""The engine as a worker runs it: files, lengths, loudness, what they say of themselves."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable

import numpy as np
import pytest
import soundfile
from tests.engines.soundscape.conftest import Watcher, heard, payload

from heddle.engines import Made
from heddle.engines.soundscape import Soundscape
from heddle.errors import JobCanceled
from heddle.studio import audio, loudness
from heddle.studio.acoustics import RATE


@pytest.mark.parametrize("file_format", ["mp3", "wav", "ogg", "flac"])
def test_files(make: Callable[..., Made], file_format: audio.Format) -> None:
    made = make("rain and a bell", outputFormat=file_format, durationMs=2500)
    assert made.mime == audio.MIMES[file_format]
    assert made.duration_ms == 2500
    sound, rate = soundfile.read(io.BytesIO(made.data), dtype="float32", always_2d=True)
    assert (rate, sound.shape) == (RATE, (round(2.5 * RATE), 2))
    level = loudness.measure(sound, RATE)
    assert level.loudness == pytest.approx(-16, abs=0.7)
    assert level.peak <= -0.3
    with soundfile.SoundFile(io.BytesIO(made.data)) as file:
        assert file.title == "rain and a bell"
        assert json.loads(file.comment)["heard"] == [["rain", "bell"]]
    assert made.preview is not None


def test_the_seed(make: Callable[..., Made]) -> None:
    first = make("birds in the wind", seed=3, outputFormat="ogg")
    assert make("birds in the wind", seed=3, outputFormat="ogg").data == first.data
    assert make("birds in the wind", seed=4, outputFormat="ogg").data != first.data


@pytest.mark.parametrize("milliseconds", [1000, 1234, 3017])
def test_any_length(make: Callable[..., Made], milliseconds: int) -> None:
    made = make("frogs, then a splash, then an owl", durationMs=milliseconds)
    assert soundfile.info(io.BytesIO(made.data)).frames == round(milliseconds * RATE / 1000)


def test_what_was_heard_and_what_was_not(make: Callable[..., Made]) -> None:
    said = make("rain on a zxqv roof in a cave").metadata
    assert said["heard"] == [["rain", "dripping (of the place)"]]
    assert said["ignored"] == ["zxqv"]
    assert said["places"] == ["cave"]
    assert said["seed"] == 1
    assert "note" not in said


def test_a_prompt_that_names_nothing(make: Callable[..., Made]) -> None:
    made = make("zxqv blorf")
    assert "neutral ambience" in made.metadata["note"]
    assert made.metadata["ignored"] == ["zxqv", "blorf"]
    assert made.metadata["loudnessLufs"] == pytest.approx(-16, abs=0.5)


def test_a_loop_has_no_seam() -> None:
    looped, plain = heard("stream and wind", 3.0, loop=True), heard("stream and wind", 3.0)
    step = np.abs(np.diff(looped, axis=0)).max()
    assert np.abs(looped[0] - looped[-1]).max() <= step
    tenth = RATE // 10
    level = np.abs(looped).mean()
    assert np.abs(np.concatenate([looped[-tenth:], looped[:tenth]])).mean() > 0.5 * level
    assert np.abs(plain[-tenth // 10 :]).mean() < 0.1 * level


def test_a_cancel_comes_through() -> None:
    for most in (0, 1, 3):
        with pytest.raises(JobCanceled):
            list(Soundscape().run(payload("rain, wind and thunder"), Watcher(most)))


def test_a_long_one_is_made_in_time(make: Callable[..., Made]) -> None:
    begun = time.process_time()
    made = make("a thunderstorm at sea", durationMs=60_000, outputFormat="flac")
    assert soundfile.info(io.BytesIO(made.data)).frames == 60 * RATE
    assert time.process_time() - begun < 30
