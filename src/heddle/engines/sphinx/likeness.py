"""Whether a stretch of sound is like speech: the recognizer hears words in anything, in music and in a kettle too.

Speech changes its timbre several times in a second and over a wide range, between voiced and unvoiced, and its pitch
glides rather than jumps. Each of that is a number, and a weighted sum of them tells. The weights were fitted
to speech of people and of a synthesizer, clean, with noise 20 and 10 dB below it, and over music, against tones, noise,
music and sounds of every kind. How sure the recognizer is of its words tells nothing: it is surer of some murmur.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

RATE = 16_000

#: Samples: of a look at the spectrum and from one to the next; the same for the pitch.
_LOOK, _STEP = 512, 160
_PITCH_LOOK, _PITCH_STEP = 640, 320
#: Bands on the mel scale between two frequencies in Hz, and how many cosines of them make a timbre.
_BANDS, _BOTTOM, _TOP, _COSINES = 24, 100.0, 7000.0, 6
#: Periods that a voice has, in samples: 400 to 60 Hz.
_PERIODS = (40, 267)
#: Decibels below the loud parts that still count.
_BELOW_DB = 30.0

#: What each number adds to the sum.
_WEIGHTS = {
    "variety": 49.0,
    "flatness": 3.08,
    "change": 17.7,
    "swing": -2.79,
    "syllables": 8.59,
    "voiced": 5.54,
    "jumps": -10.8,
    "haste": -5.15,
    "hiss": -9.43,
}
_BIAS = -4.68
#: No speech has bangs of such different kinds, and none is all tones without a pitch.
_MOST_UNEVEN, _TONAL, _SUNG = 4.0, -2.9, 0.2

#: Sums: speech; surely speech; speech if it is beside what surely is.
_SPEECH, _SURELY, _BESIDE = 0.0, 2.0, -2.5
#: Seconds: the longest stretch that counts as a word or two beside speech, how far off that may be, and the length of
#: the pieces in which a long stretch is looked at, so that a sentence after music is not lost in it.
_SHORT_S, _NEAR_S, _PIECE_S = 2.5, 4.0, 6.0

Samples = NDArray[np.float32]
Numbers = NDArray[np.float64]
Stretch = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Traits:
    """What tells speech from other sound; each is a plain number."""

    #: How far the timbre ranges, how fast it changes within 50 ms, and the second by the first.
    variety: float
    change: float
    haste: float
    #: Of the spectrum of the usual moment, as a power of ten: 0 is noise, -4 a tone; and how that differs over time.
    flatness: float
    uneven: float
    #: How far the bands swing, and which share of the swinging is as slow as syllables, 2 to 10 times a second.
    swing: float
    syllables: float
    #: Shares: of the time with a clear pitch, of pitches that jump, of power above 4.5 kHz.
    voiced: float
    jumps: float
    hiss: float

    @property
    def score(self) -> float:
        """Higher is more like speech."""
        if self.uneven > _MOST_UNEVEN or (self.flatness < _TONAL and self.voiced < _SUNG):
            return -9.0
        return _BIAS + sum(weight * float(getattr(self, name)) for name, weight in _WEIGHTS.items())


def speech_of(samples: Samples, stretches: Sequence[Stretch]) -> list[Stretch]:
    """Those that are like speech, and short ones beside them that nearly are."""
    scores = [score(samples[start:end]) for start, end in stretches]
    sure = [stretch for stretch, value in zip(stretches, scores, strict=True) if value >= _SURELY]
    return [
        stretch
        for stretch, value in zip(stretches, scores, strict=True)
        if value >= _SPEECH or (value >= _BESIDE and _short(stretch) and any(_near(stretch, other) for other in sure))
    ]


def score(samples: Samples) -> float:
    """Of the piece that is most like speech."""
    count = max(1, int(len(samples) / (_PIECE_S * RATE)))
    return max(traits(piece).score for piece in np.array_split(samples, count))


def traits(samples: Samples) -> Traits:
    """Of a stretch of sound at any level."""
    wave = samples.astype(np.float64) / (float(np.percentile(np.abs(samples), 99.9)) + 1e-9)
    power = np.abs(np.fft.rfft(_looks(wave, _LOOK, _STEP) * np.hanning(_LOOK), axis=1)) ** 2
    level = 10 * np.log10(power.sum(axis=1) + 1e-9)
    loud = level > np.percentile(level, 95) - _BELOW_DB
    bands = power @ _mel().T
    bands = np.log(bands + 0.01 * bands.mean() + 1e-9)
    timbre = (bands - bands.mean(axis=1, keepdims=True)) @ _cosines()
    variety, change = float(timbre[loud].std(axis=0).mean()), _change(timbre, loud)
    inner = power[loud][:, 3:224]
    flat = np.exp(np.log(inner + 1e-12).mean(axis=1)) / (inner.mean(axis=1) + 1e-12)
    total = power[loud].sum(axis=0)
    voiced, jumps = _pitch(wave)
    swing, syllables = _swing(bands)
    return Traits(
        variety=variety,
        change=change,
        haste=change / (variety + 1e-6),
        flatness=float(np.log10(np.median(flat) + 1e-6)),
        uneven=float(np.log(flat + 1e-6).std()),
        swing=swing,
        syllables=syllables,
        voiced=voiced,
        jumps=jumps,
        hiss=float(total[_frequencies() > 4500].sum() / (total.sum() + 1e-12)),
    )


def _change(timbre: Numbers, loud: NDArray[np.bool_]) -> float:
    """Over 50 ms, where it is loud before and after."""
    steps = 5
    both = loud[steps:] & loud[:-steps]
    return float(np.abs(timbre[steps:] - timbre[:-steps]).mean(axis=1)[both].mean()) if both.any() else 0.0


def _swing(bands: Numbers) -> tuple[float, float]:
    """How far the bands swing, and the share of syllables in it."""
    swings = bands - bands.mean(axis=0)
    size = max(256, 1 << (len(swings) - 1).bit_length())
    spectrum = (np.abs(np.fft.rfft(swings * np.hanning(len(swings))[:, None], size, axis=0)) ** 2).sum(axis=1)
    hertz = np.fft.rfftfreq(size, _STEP / RATE)
    share = spectrum[(hertz >= 2) & (hertz < 10)].sum() / (spectrum[hertz >= 0.3].sum() + 1e-9)
    return float(swings.std(axis=0).mean()), float(share)


def _pitch(wave: Numbers) -> tuple[float, float]:
    """The share of the time that has a clear pitch, and of the steps from one pitch to the next that are jumps."""
    looks = _looks(wave, _PITCH_LOOK, _PITCH_STEP)
    looks = looks - looks.mean(axis=1, keepdims=True)
    shortest, longest = _PERIODS
    alike = np.fft.irfft(np.abs(np.fft.rfft(looks, 2048, axis=1)) ** 2, axis=1)[:, :longest]
    # Of a shift the two ends have nothing to be compared with.
    energy = np.pad(np.cumsum(looks**2, axis=1), ((0, 0), (1, 0)))
    shifts = np.arange(longest)
    ends = energy[:, _PITCH_LOOK - shifts] * (energy[:, -1:] - energy[:, shifts])
    share = (alike / np.sqrt(ends + 1e-12))[:, shortest:]
    clear, period = share.max(axis=1), share.argmax(axis=1) + float(shortest)
    loud = energy[:, -1] > np.percentile(energy[:, -1], 95) * 10 ** (-_BELOW_DB / 10)
    both = (clear > 0.5) & loud
    both = both[1:] & both[:-1]
    jumps = (np.abs(np.diff(period)) / period[1:])[both] > 0.1
    return float(((clear > 0.7) & loud).sum() / max(1, loud.sum())), float(jumps.mean()) if len(jumps) else 0.0


def _looks(wave: Numbers, length: int, step: int) -> Numbers:
    padded = np.pad(wave, (0, max(0, length - len(wave))))
    return np.lib.stride_tricks.sliding_window_view(padded, length)[::step]


@cache
def _frequencies() -> Numbers:
    return np.fft.rfftfreq(_LOOK, 1 / RATE).astype(np.float64)


@cache
def _mel() -> Numbers:
    """Triangles, evenly spaced as ears hear."""
    edges: Numbers = 700 * (10 ** (np.linspace(_mels(_BOTTOM), _mels(_TOP), _BANDS + 2) / 2595) - 1)
    left, middle, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    at = _frequencies()[None, :]
    return np.clip(np.minimum((at - left) / (middle - left), (right - at) / (right - middle)), 0, None)


def _mels(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)


@cache
def _cosines() -> Numbers:
    at = np.pi * (np.arange(_BANDS)[:, None] + 0.5) * np.arange(1, _COSINES + 1) / _BANDS
    return np.cos(at) / _BANDS


def _short(stretch: Stretch) -> bool:
    return stretch[1] - stretch[0] <= _SHORT_S * RATE


def _near(one: Stretch, other: Stretch) -> bool:
    return max(one[0] - other[1], other[0] - one[1]) <= _NEAR_S * RATE
