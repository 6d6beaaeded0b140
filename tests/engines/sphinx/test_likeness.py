"""What is taken for speech: what `espeak` says, also softly, fast or in noise; no tone, no noise, nothing of our own
sounds and music."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from heddle.engines.composer.compose import Asked, composed, staffed
from heddle.engines.composer.description import read
from heddle.engines.composer.render import rendered
from heddle.engines.soundscape.mix import mixed
from heddle.engines.soundscape.prompt import Layer
from heddle.engines.sphinx.hearing import find_loud
from heddle.engines.sphinx.likeness import RATE, speech_of
from heddle.studio import acoustics, audio, sandbox

T = np.arange(4 * RATE) / RATE
SENTENCE = "She had your dark suit in greasy wash water all year."


def mono(samples: Any, rate: int) -> Any:
    """At the recognizer's rate."""
    return audio.decode(audio.encode(samples.astype(np.float32), rate, "wav"), rate=RATE)[:, 0]


def kept(samples: Any) -> tuple[float, float]:
    """Seconds that are loud, and seconds taken for speech."""
    loud = find_loud(np.asarray(samples, np.float32))
    return tuple(sum(b - a for a, b in parts) / RATE for parts in (loud, speech_of(samples, loud)))  # type: ignore[return-value]


@cache
def said(text: str, variant: str, speed: float) -> Any:
    argument = {"text": text, "language": "en-us", "variant": variant, "speed": speed, "pitch": 1.0, "mostSeconds": 60}
    spoken = sandbox.call("heddle.engines.espeak.synthesis:speak", argument)
    return mono(np.frombuffer(spoken["samples"], np.int16)[:, None] / 32768, spoken["rate"])


def noisy(speech: Any, below_db: float) -> Any:
    """With white noise so far below the voice."""
    noise = np.random.default_rng(3).standard_normal(len(speech))
    voice = np.std(speech[np.abs(speech) > np.percentile(np.abs(speech), 95) * 0.1])
    return (speech + noise * voice * 10 ** (-below_db / 20)).astype(np.float32)


TONES = {
    "a tone": 0.5 * np.sin(2 * np.pi * 440 * T),
    "a high tone": 0.5 * np.sin(2 * np.pi * 3000 * T),
    "a chord": 0.2 * sum(np.sin(2 * np.pi * hertz * T) for hertz in (220, 277.2, 329.6)),
    "a buzz": 0.3 * (2 * ((150 * T) % 1) - 1),
    "vibrato": 0.5 * np.sin(2 * np.pi * 440 * T + 8 * np.sin(2 * np.pi * 5 * T)),
    "a sweep": 0.5 * np.sin(2 * np.pi * (100 * T + 200 * T * T)),
    "beeps": 0.5 * (np.sin(2 * np.pi * 4 * T) > 0) * np.sin(2 * np.pi * 1000 * T),
    "a trembling buzz": 0.3 * (0.5 + 0.5 * np.sin(2 * np.pi * 4 * T)) * (2 * ((140 * T) % 1) - 1),
}


@pytest.mark.parametrize("name", TONES)
def test_tones_are_not_speech(name: str) -> None:
    loud, speech = kept(TONES[name].astype(np.float32))
    assert (loud > 1.5, speech) == (True, 0)


@pytest.mark.parametrize("slope", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("pulse", [0.0, 4.0])
def test_noise_is_not_speech(slope: float, pulse: float) -> None:
    noise = acoustics.noise(np.random.default_rng(2), 4 * acoustics.RATE, slope)
    t = acoustics.seconds(4)
    noise = 0.1 * noise * (1 - 0.5 * (pulse > 0) * (1 + np.sin(2 * np.pi * pulse * t)))
    loud, speech = kept(mono(noise[:, None], acoustics.RATE))
    assert (loud > 3, speech) == (True, 0)


#: Of the 91, those that come closest to speech.
CLOSEST = (
    "chicken",
    "crow",
    "crowd",
    "fireworks",
    "glass breaking",
    "hail",
    "laser",
    "laughter",
    "seagulls",
    "sleigh bells",
    "wolf",
)


@pytest.mark.slow
@pytest.mark.parametrize("name", CLOSEST)
def test_sounds_are_not_speech(name: str) -> None:
    sound = mixed(((Layer(source=name),),), (), 4.0, 7, loop=False, report=lambda _: None)
    assert kept(mono(sound, acoustics.RATE))[1] == 0


@pytest.mark.slow
@pytest.mark.parametrize("style", ["pop", "rock", "organ", "lullaby"])
def test_music_is_not_speech(style: str) -> None:
    brief = read(style)
    sound = rendered(composed(brief, Asked(seconds=10, seed=11)), staffed(brief), lambda _: None)
    loud, speech = kept(mono(sound, acoustics.RATE))
    assert (loud > 5, speech) == (True, 0)


@pytest.mark.parametrize("variant", ["", "f2", "f5", "m1", "m5", "whisper", "croak"])
def test_speech_is_speech(variant: str) -> None:
    speech = said(SENTENCE, variant, 1.0)
    for heard in (speech, speech / 100, noisy(speech, 20), noisy(speech, 10)):
        loud, taken = kept(heard)
        assert loud > 2.5
        assert taken == loud


@pytest.mark.parametrize("speed", [0.6, 0.8, 1.5, 2.0])
def test_slow_and_fast_speech_is_speech(speed: float) -> None:
    loud, taken = kept(said(SENTENCE, "m3", speed))
    assert taken == loud > 1


@pytest.mark.parametrize("text", ["Yes.", "Stop!", "Good morning.", "Hello, how are you today?"])
def test_a_few_words_are_speech(text: str) -> None:
    loud, taken = kept(said(text, "", 1.0))
    assert taken == loud > 0.3
