"""Sound files: the same samples are the same bytes, and come back with their length."""

from __future__ import annotations

import numpy as np
import pytest

from heddle.studio import audio

RATE = 44_100


@pytest.mark.parametrize("file_format", ["wav", "flac", "ogg", "mp3"])
def test_the_same_samples_are_the_same_bytes(file_format: audio.Format) -> None:
    t = np.arange(RATE, dtype=np.float32) / RATE
    sound = np.stack([np.sin(2 * np.pi * 440 * t), np.sin(2 * np.pi * 550 * t)], axis=1).astype(np.float32) * 0.4
    data = audio.encode(sound, RATE, file_format, {"title": "two tones", "comment": '{"seed": 1}'})
    assert data == audio.encode(sound, RATE, file_format, {"title": "two tones", "comment": '{"seed": 1}'})
    heard = audio.decode(data, rate=RATE, channels=2)
    # FFmpeg leaves out the last 128 samples of an Ogg file that has one page of sound.
    assert len(heard) == RATE - (128 if file_format == "ogg" else 0)
    middle = slice(RATE // 4, -RATE // 4)
    assert np.sqrt(np.mean((heard[middle] - sound[: len(heard)][middle]) ** 2)) < 0.01


@pytest.mark.parametrize("file_format", ["wav", "flac", "ogg", "mp3"])
def test_an_empty_tag_is_left_out(file_format: audio.Format) -> None:
    """As of a prompt that another step gave, and that is blank."""
    silence = np.zeros((RATE, 1), np.float32)
    assert audio.encode(silence, RATE, file_format, {"title": ""}) == audio.encode(silence, RATE, file_format)
