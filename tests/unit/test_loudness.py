"""Loudness: what the standard says of known tones, and sound brought to a loudness without clipping."""

from __future__ import annotations

import numpy as np
import pytest

from heddle.studio import acoustics, loudness

RATE = 48_000


def tone(decibels: float, hertz: float = 997.0, seconds: float = 3.0) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    return (10 ** (decibels / 20) * np.sin(2 * np.pi * hertz * t)).astype(np.float32)


def both(wave: np.ndarray) -> np.ndarray:
    return np.stack([wave, wave], axis=1)


def test_tones_of_the_standard() -> None:
    """EBU Tech 3341: a stereo tone of 1 kHz at -23 dB is -23 LUFS; one channel alone is 3 LU less."""
    assert loudness.integrated(both(tone(-23)), RATE) == pytest.approx(-23, abs=0.1)
    assert loudness.integrated(both(tone(-33)), RATE) == pytest.approx(-33, abs=0.1)
    assert loudness.integrated(np.stack([tone(-23), tone(-23) * 0], axis=1), RATE) == pytest.approx(-26, abs=0.1)


def test_soft_passages_do_not_count() -> None:
    """EBU Tech 3341, case 3: -36 LUFS before and after -23 LUFS are gated away."""
    sound = both(np.concatenate([tone(-36, seconds=10), tone(-23, seconds=60), tone(-36, seconds=10)]))
    assert loudness.integrated(sound, RATE) == pytest.approx(-23, abs=0.1)


def test_the_curve() -> None:
    """The weights that BS.1770's own filters have."""
    curve = 20 * np.log10(loudness.weights(np.array([20.0, 100.0, 997.0, 10_000.0]), RATE))
    assert curve == pytest.approx([-13.4, -1.1, 0.69, 4.0], abs=0.25)


def test_peaks_between_samples() -> None:
    wave = np.sin(2 * np.pi * 0.25 * np.arange(RATE) + np.pi / 4).astype(np.float32) * acoustics.ends(RATE, 0.1, 0.1)
    assert np.abs(wave).max() == pytest.approx(0.7071, abs=0.001)
    assert loudness.true_peak(wave[:, None]) == pytest.approx(1.0, abs=0.01)


def test_silence() -> None:
    nothing = np.zeros((RATE, 2), np.float32)
    assert loudness.measure(nothing, RATE).loudness == loudness.SILENCE
    assert not loudness.normalized(nothing, RATE).any()
    assert loudness.integrated(np.zeros((0, 2), np.float32), RATE) == loudness.SILENCE


@pytest.mark.parametrize("decibels", [-50, -20, -1])
def test_noise_is_brought_to_the_target(decibels: float) -> None:
    noise = both(acoustics.noise(acoustics.chance(decibels), RATE * 5, 1.0)) * np.float32(10 ** (decibels / 20))
    level = loudness.measure(loudness.normalized(noise, RATE), RATE)
    assert level.loudness == pytest.approx(loudness.TARGET, abs=0.3)
    assert level.peak <= loudness.CEILING + 0.01


def test_clicks_stay_softer_and_below_the_ceiling() -> None:
    clicks = np.zeros((RATE * 4, 2), np.float32)
    clicks[:: RATE // 2] = 0.9
    level = loudness.measure(loudness.normalized(clicks, RATE), RATE)
    assert loudness.SILENCE < level.loudness < loudness.TARGET
    assert level.peak <= loudness.CEILING + 0.01


def test_a_sound_of_one_moment() -> None:
    made = loudness.normalized(both(tone(-30, seconds=0.05)), RATE)
    assert loudness.integrated(made, RATE) == pytest.approx(loudness.TARGET, abs=0.5)
