"""Finding speech, times, subtitles, and sounds in which nothing is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heddle.engines.sphinx import hearing, subtitles
from heddle.engines.sphinx.hearing import RATE, Said, find_loud, hear
from heddle.errors import InvalidRequest, JobError
from heddle.steps import Facts
from heddle.steps.transcribe import Transcribe
from heddle.studio import audio

BLOB = "blob_00000000000000000000000003"


def noise(seconds: float, level: float) -> Any:
    chance = np.random.default_rng(1)
    return (chance.standard_normal(round(seconds * RATE)) * level).astype(np.float32)


def test_stretches_are_found_between_pauses() -> None:
    sound = np.concatenate([noise(0.5, 1e-4), noise(1, 0.1), noise(1, 1e-4), noise(2, 0.1), noise(0.5, 1e-4)])
    found = [(start / RATE, end / RATE) for start, end in find_loud(sound)]
    assert found == [pytest.approx((0.35, 1.65), abs=0.05), pytest.approx((2.35, 4.65), abs=0.05)]


def test_a_short_pause_does_not_end_a_stretch_and_a_click_is_none() -> None:
    sound = np.concatenate([noise(1, 0.1), noise(0.2, 1e-4), noise(1, 0.1), noise(1, 1e-4), noise(0.04, 0.1)])
    assert len(find_loud(sound)) == 1


def test_a_long_speech_is_cut() -> None:
    found = find_loud(noise(40, 0.1))
    assert len(found) == 3
    assert max(end - start for start, end in found) <= 15.5 * RATE


def test_soft_recordings_are_heard_like_loud_ones() -> None:
    sound = np.concatenate([noise(0.5, 1e-5), noise(1, 0.03), noise(1, 1e-5), noise(2, 0.03), noise(0.5, 1e-5)])
    assert find_loud(sound / np.float32(100)) == find_loud(sound)


def wav(samples: Any, rate: int = RATE) -> bytes:
    return audio.encode(samples[:, None], rate, "wav")


@pytest.mark.parametrize("sound", [np.zeros(RATE * 3, np.float32), noise(2, 1e-4), np.zeros(1600, np.float32)])
def test_in_silence_nothing_is_said(sound: Any) -> None:
    heard = hear(wav(sound), lambda _: None)
    assert (heard.words, heard.text) == ([], "")
    assert heard.seconds == pytest.approx(len(sound) / RATE)


def test_any_rate_and_a_cancel() -> None:
    assert hear(wav(np.zeros(44_100, np.float32), 44_100), lambda _: None).seconds == pytest.approx(1, abs=0.01)

    def stop(_: float) -> None:
        raise JobError("canceled")

    with pytest.raises(JobError, match="canceled"):
        hear(wav(noise(3, 0.1)), stop)


def test_cues_are_short_and_in_order() -> None:
    part = [Said(f"w{i}", i / 2, i / 2 + 0.4) for i in range(20)]
    cues = hearing._cues([part])
    assert [len(cue.text.split()) for cue in cues] == [9, 9, 2]
    assert (cues[1].start, cues[1].end) == (4.5, 8.9)


def test_subtitles() -> None:
    cues = [Said("hello there", 0.5, 1.25), Said("again", 3661.0, 3662.5)]
    assert subtitles.srt(cues) == (
        "1\n00:00:00,500 --> 00:00:01,250\nhello there\n\n2\n01:01:01,000 --> 01:01:02,500\nagain\n\n"
    )
    assert subtitles.vtt(cues).startswith("WEBVTT\n\n00:00:00.500 --> 00:00:01.250\nhello there\n")


@pytest.mark.parametrize(
    ("given", "facts", "path"),
    [
        ({}, Facts(), "media"),
        ({"media": BLOB, "images": [BLOB]}, Facts(), "media"),
        ({"mediaUrl": BLOB, "language": "de"}, Facts(), "language"),
        ({"audio": BLOB}, Facts(duration_ms=3_600_001), "audio"),
    ],
)
def test_bad_fields_are_named(given: dict[str, Any], facts: Facts, path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Transcribe().plan(given, lambda _: facts)
    assert path in caught.value.fields


@pytest.mark.parametrize("language", ["English", "en_GB", "en-AU", "Auto", "eng", "\ufdd00:output.Language\ufdd1"])
def test_kinds_of_english_and_what_another_step_is_to_say(language: str) -> None:
    [payload] = Transcribe().plan({"media": BLOB, "language": language}, lambda _: Facts()).payloads
    assert payload["language"] == language


def test_another_engine_may_know_other_languages() -> None:
    assert (
        Transcribe().plan({"media": BLOB, "language": "de", "engine": "whisper"}, lambda _: Facts()).family == "whisper"
    )
