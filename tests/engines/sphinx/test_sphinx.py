"""The engine as a worker runs it, on speech that espeak-ng makes here: words, times, files, and what cannot be heard.

Of synthesized speech the recognizer gets few words; this voice at this pace is one that it gets most of.
"""

from __future__ import annotations

import io
import json
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
import soundfile

from heddle.engines import Made
from heddle.engines.sphinx import Sphinx
from heddle.errors import EngineFailed, JobError
from heddle.studio import audio, sandbox, video

RATE = 16_000


class Context:
    """A job context with one source."""

    job_id = "job_test"
    attempt = 1

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.reported: list[float] = []

    def preview(self, draw: object) -> None: ...

    def progress(self, fraction: float, note: str = "") -> None:
        self.reported.append(fraction)

    def log(self, text: str) -> None:
        return

    def read(self, blob_id: str) -> bytes:
        return self.source


def transcribed(source: bytes, **more: Any) -> list[Made]:
    """Everything that the engine makes of a file."""
    return list(Sphinx().run({"media": "blob_1", "timeStamps": True, **more}, Context(source)))


@cache
def speech() -> np.ndarray:
    """A sentence, 16 kHz."""
    argument = {
        "text": "The north wind and the sun were arguing about which of them was stronger.",
        "language": "en-us",
        "variant": "f2",
        "speed": 0.8,
        "pitch": 1.0,
        "mostSeconds": 60,
    }
    spoken = sandbox.call("heddle.engines.espeak.synthesis:speak", argument)
    samples = np.frombuffer(spoken["samples"], np.int16).astype(np.float32)[:, None] / 32768
    return audio.decode(audio.encode(samples, spoken["rate"], "wav"), rate=RATE)


def wav(samples: np.ndarray, coding: str = "PCM_16", rate: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype=coding)
    return file.getvalue()


def test_words_and_times() -> None:
    before = np.zeros((2 * RATE, 1), np.float32)
    main, srt, vtt, words = transcribed(wav(np.concatenate([before, speech()])))
    text = main.output["text"]
    assert "the north wind" in text
    assert main.data == f"{text}\n".encode()
    assert main.duration_ms == round(2000 + len(speech()) * 1000 / RATE)
    assert main.output["language"] == "English"
    assert [made.role for made in (main, srt, vtt, words)] == ["", "srt", "vtt", "words"]
    said = json.loads(words.data)
    assert " ".join(word["word"] for word in said) == " ".join(text.split())
    assert [word["startTime"] for word in said] == sorted(word["startTime"] for word in said)
    # espeak-ng begins the first word at once, after the two seconds.
    assert said[0]["startTime"] == pytest.approx(2.0, abs=0.25)
    assert said[-1]["endTime"] <= main.duration_ms / 1000
    assert [cue["text"] for cue in main.output["timeStamps"]] == text.split("\n")
    assert srt.data.startswith(b"1\n00:00:0")
    assert vtt.data.startswith(b"WEBVTT\n\n00:00:0")


def test_the_level_of_a_recording_does_not_matter() -> None:
    usual = transcribed(wav(speech(), "FLOAT"))[0].output["text"]
    assert "the north wind" in usual
    assert transcribed(wav(speech() / 64, "FLOAT"))[0].output["text"] == usual


@pytest.mark.parametrize(("coding", "rate"), [("PCM_U8", RATE), ("ULAW", RATE // 2)])
def test_old_wavs(coding: str, rate: int) -> None:
    text = transcribed(wav(audio.decode(wav(speech()), rate=rate), coding, rate))[0].output["text"]
    assert {"wind", "arguing"} <= set(text.split())


def frames(count: int) -> list[np.ndarray]:
    return [np.full((48, 64, 3), i, np.uint8) for i in range(count)]


def test_a_video() -> None:
    sound = video.Sound(samples=np.repeat(speech(), 2, axis=1), rate=RATE)
    count = round(12 * len(speech()) / RATE)
    made = transcribed(video.write(frames(count), fps=Fraction(12), sound=sound))
    assert "north wind" in made[0].output["text"]


def test_a_video_without_sound() -> None:
    with pytest.raises(JobError, match="no sound track") as failed:
        transcribed(video.write(frames(6), fps=Fraction(12)))
    assert failed.value.reason == "media_unreadable"


@pytest.mark.parametrize("seconds", [0.1, 3.0])
def test_nothing_said(seconds: float) -> None:
    main, srt, vtt, words = transcribed(wav(np.zeros((round(seconds * RATE), 1), np.float32)))
    assert (main.output["text"], main.output["timeStamps"]) == ("", [])
    assert (srt.data, vtt.data, words.data) == (b"", b"WEBVTT\n\n", b"[]")
    assert main.duration_ms == round(seconds * 1000)
    assert main.metadata["note"] == "No speech was heard."


def test_music_before_a_sentence() -> None:
    """What is passed over is not searched for words, and moves no times."""
    t = np.arange(6 * RATE, dtype=np.float32)[:, None] / RATE
    chord = np.float32(0.2) * sum(np.sin(2 * np.pi * hertz * t) for hertz in (220, 277.2, 329.6))
    pause = np.zeros((RATE, 1), np.float32)
    main, _, _, words = transcribed(wav(np.concatenate([chord, pause, speech()])))
    assert "the north wind" in main.output["text"]
    assert json.loads(words.data)[0]["startTime"] == pytest.approx(7.0, abs=0.3)
    assert main.metadata["passedOverSeconds"] == pytest.approx(6.15, abs=0.1)
    alone = transcribed(wav(chord))
    assert (alone[0].output["text"], alone[0].output["timeStamps"], alone[1].data) == ("", [], b"")
    assert alone[0].metadata["note"] == "No speech was heard: what sounds here is not like speech."


def test_no_samples_at_all() -> None:
    with pytest.raises(EngineFailed, match="media: the sound is empty"):
        transcribed(wav(np.zeros((0, 1), np.float32)))


def test_a_language_that_another_step_gave() -> None:
    with pytest.raises(EngineFailed, match="language 'German'"):
        transcribed(wav(np.zeros((RATE, 1), np.float32)), language="German")


def test_no_time_stamps() -> None:
    assert "timeStamps" not in transcribed(wav(np.zeros((RATE, 1), np.float32)), timeStamps=False)[0].output
