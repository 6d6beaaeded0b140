"""What sources sound like: each differs from the others as it should."""

from __future__ import annotations

import numpy as np
import pytest
from tests.engines.soundscape.conftest import alone, centroid, heard, period, power, tonal

from heddle.engines.soundscape.sources import catalog
from heddle.studio import loudness
from heddle.studio.acoustics import RATE


@pytest.mark.parametrize("source", catalog())
def test_it_is_heard_and_does_not_clip(source: str) -> None:
    sound = alone(source, 3.0)
    level = loudness.measure(sound, RATE)
    assert sound.shape == (3 * RATE, 2)
    assert np.isfinite(sound).all()
    assert level.peak <= loudness.CEILING + 0.05
    # Single clicks stay softer: their peaks are at the ceiling already.
    assert -24 < level.loudness < loudness.TARGET + 0.5
    assert np.abs(sound[:20]).max() < 0.02
    assert np.abs(sound[-20:]).max() < 0.02


@pytest.mark.parametrize(
    ("source", "bottom", "top"),
    [
        ("heartbeat", 40, 110), ("thunder", 60, 450), ("brown noise", 60, 300), ("owl", 320, 450),
        ("foghorn", 120, 400), ("wind", 200, 700), ("bell", 900, 1500), ("waves", 400, 1600), ("siren", 900, 1900),
        ("rain", 3500, 7000), ("birds", 3000, 5500), ("crickets", 3900, 5200), ("cicadas", 5500, 7800),
        ("white noise", 8000, 10_500),
    ],
)  # fmt: skip
def test_where_in_the_spectrum_it_is(source: str, bottom: float, top: float) -> None:
    assert bottom < centroid(alone(source)) < top


@pytest.mark.parametrize(
    ("source", "seconds"),
    [("heartbeat", 0.86), ("clock", 0.5), ("alarm", 1.0), ("footsteps", 0.56), ("drums", 1.2)],
)
def test_what_has_a_beat(source: str, seconds: float) -> None:
    found, alike = period(alone(source), 0.7 * seconds, 1.4 * seconds)
    assert found == pytest.approx(seconds, abs=0.03)
    assert alike > 0.4


@pytest.mark.parametrize("source", ["rain", "wind", "white noise", "waterfall"])
def test_what_has_none(source: str) -> None:
    assert period(alone(source), 0.3, 1.5)[1] < 0.4


def test_tones_and_noises() -> None:
    assert min(tonal(alone(source)) for source in ("bell", "church bell", "owl", "sonar", "singing bowl")) > 0.6
    assert max(tonal(alone(source)) for source in ("rain", "applause", "white noise", "waterfall")) < 0.12


def test_a_faster_heart_and_a_slower_one() -> None:
    assert period(alone("heartbeat", 8.0, pace=1.5), 0.4, 0.8)[0] == pytest.approx(0.57, abs=0.03)
    assert period(alone("heartbeat", 8.0, pace=0.7), 0.9, 1.6)[0] == pytest.approx(1.23, abs=0.04)


@pytest.mark.parametrize("count", [1, 3, 5])
def test_as_many_knocks_as_asked_for(count: int) -> None:
    mono = np.abs(alone("door knock", 4.0, count=count).mean(axis=1))
    loud = mono[: len(mono) // 441 * 441].reshape(-1, 441).max(axis=1) > 0.3 * mono.max()
    rises = np.flatnonzero(np.diff(loud.astype(int), prepend=0) == 1)
    apart = [i for n, i in enumerate(rises) if n == 0 or i - rises[n - 1] > 12]
    assert len(apart) == count


def share(sound: np.ndarray, bottom: float, top: float) -> float:
    hertz, found = power(sound)
    return float(found[(hertz > bottom) & (hertz < top)].sum() / found.sum())


def test_a_tin_roof_rings_and_distance_swallows() -> None:
    tin, open_air = heard("rain on a tin roof"), heard("rain")
    assert share(tin, 590, 650) + share(tin, 1080, 1180) > 3 * (share(open_air, 590, 650) + share(open_air, 1080, 1180))
    assert centroid(heard("distant rain")) < 0.5 * centroid(open_air)
    assert share(heard("waves underwater"), 1500, 20_000) < 0.01


def test_left_and_right() -> None:
    left = heard("a dog barking on the left")
    assert np.abs(left[:, 0]).sum() > 2 * np.abs(left[:, 1]).sum()
    right = heard("a clock on the right")
    assert np.abs(right[:, 1]).sum() > 2 * np.abs(right[:, 0]).sum()
    rain = heard("rain")
    assert abs(np.corrcoef(rain[:, 0], rain[:, 1])[0, 1]) < 0.3, "rain is all around"


def test_a_cave_rings_on() -> None:
    def after(sound: np.ndarray) -> float:
        """How much is left half a second after the one knock, in dB."""
        mono = np.abs(sound.mean(axis=1))
        at = int(mono.argmax())
        return 20 * np.log10(mono[at + RATE // 2 : at + RATE].mean() / mono[at : at + RATE // 20].mean())

    assert after(heard("a single knock in a cathedral")) > after(heard("a single knock in a room")) + 15


def test_first_this_and_then_that() -> None:
    sound = heard("owl, then white noise", 6.0)
    assert centroid(sound[: 2 * RATE]) < 600
    assert centroid(sound[4 * RATE :]) > 6000
