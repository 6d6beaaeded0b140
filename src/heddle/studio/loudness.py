"""How loud sound is (ITU-R BS.1770), and how it is brought to a loudness without clipping.

The measure hears like people do (K weighting), in blocks of 0.4 s; blocks of silence, and those far below the rest, do
not count. The ceiling is kept between samples as well: peaks are measured at four times the rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from heddle.studio.acoustics import Sound, Wave, good_length

#: What files are brought to, LUFS.
TARGET = -16.0
#: Peaks stay below, dB. Lossy codecs overshoot what they are given by up to about 1 dB.
CEILING = -2.0

SILENCE = -70.0
_OFFSET = -0.691
_GATE = -10.0
_BLOCK_S, _HOP_S = 0.4, 0.1
#: How much of the loudness may come from holding peaks down, dB. Beyond that, a sound of clicks stays softer.
_MOST_HELD = 6.0
#: Samples that share one step of the limiter, and steps that it looks ahead and behind.
_STEP, _AHEAD = 64, 6
_PIECE, _EDGE = 32_768, 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How loud a sound is."""

    #: Integrated loudness, LUFS; `SILENCE` for what is not heard.
    loudness: float
    #: The highest peak, between samples too, in dB of full scale.
    peak: float


def measure(sound: Sound, rate: int) -> Level:
    """The loudness and peak of samples by channels."""
    return Level(loudness=integrated(sound, rate), peak=_decibels(true_peak(sound)))


def integrated(sound: Sound, rate: int) -> float:
    """Integrated loudness with both gates, LUFS. A sound shorter than a block is one block."""
    powers = _blocks(sound, rate)
    heard = powers[_lufs(powers) > SILENCE]
    if not heard.size:
        return SILENCE
    relative = _lufs(heard.mean(keepdims=True))[0] + _GATE
    return float(_lufs(heard[_lufs(heard) > relative].mean(keepdims=True))[0])


def true_peak(sound: Sound) -> float:
    """The highest absolute value of the continuous wave, as far as four times the rate shows it."""
    highest = float(np.abs(sound).max(initial=0.0))
    pieces = [(c, start) for c in range(sound.shape[1]) for start in range(0, len(sound), _PIECE)]
    loud = {at: float(np.abs(sound[at[1] : at[1] + _PIECE, at[0]]).max()) for at in pieces}
    for channel, start in sorted(pieces, key=lambda at: -loud[at]):
        # A wave rarely rises 3 dB above its samples: what is softer than that cannot win.
        if loud[channel, start] < highest * 0.7:
            break
        highest = max(highest, _between(_piece(sound[:, channel], start)))
    return highest


def normalized(sound: Sound, rate: int, *, target: float = TARGET, ceiling: float = CEILING) -> Sound:
    """A sound at a loudness, with its peaks held below a ceiling; softer where too much would have to be held."""
    now = measure(sound, rate)
    if now.loudness <= SILENCE:
        return sound
    gain = min(target - now.loudness, ceiling - now.peak + _MOST_HELD)
    made = _held(sound * np.float32(_factor(gain)), ceiling)
    # Holding peaks costs loudness; once more brings most of it back.
    lost = min(target - integrated(made, rate), _MOST_HELD / 2)
    if gain < target - now.loudness or lost < 0.1:
        return made
    return _held(made * np.float32(_factor(lost)), ceiling)


def _held(sound: Sound, ceiling: float) -> Sound:
    """A limiter that looks ahead: the gain is down before a peak comes, and moves slowly enough not to be heard."""
    limit = _factor(ceiling)
    made = sound
    for _ in range(3):
        made = _limited(made, limit)
        peak = true_peak(made)
        if peak <= limit:
            return made
        limit *= limit / peak * 0.999
    return made * np.float32(_factor(ceiling) / max(true_peak(made), 1e-9))


def _limited(sound: Sound, limit: float) -> Sound:
    steps = -(-len(sound) // _STEP)
    peaks = np.zeros(steps * _STEP, np.float32)
    peaks[: len(sound)] = np.abs(sound).max(axis=1)
    wanted = np.minimum(1, limit / np.maximum(peaks.reshape(steps, _STEP).max(axis=1), 1e-9))
    if float(wanted.min(initial=1.0)) >= 1:
        return sound
    padded = np.pad(wanted, 2 * _AHEAD, mode="edge")
    least = sliding_window_view(padded, 2 * _AHEAD + 1).min(axis=1)
    smooth: NDArray[np.float64] = sliding_window_view(least, 2 * _AHEAD - 1).mean(axis=1)[1:-1]
    centers = np.arange(steps) * _STEP + _STEP / 2
    gain = np.interp(np.arange(len(sound)), centers, smooth)
    return (sound * gain[:, None]).astype(np.float32)


def _blocks(sound: Sound, rate: int) -> NDArray[np.float64]:
    """The weighted power of every block, channels added."""
    weighted = np.stack([_weighted(sound[:, c], rate) for c in range(sound.shape[1])], axis=1)
    power = np.square(weighted, dtype=np.float64).sum(axis=1)
    block, hop = round(_BLOCK_S * rate), round(_HOP_S * rate)
    if len(power) < block:
        return np.array([power.mean()]) if len(power) else np.zeros(0)
    total = np.concatenate([[0.0], np.cumsum(power)])
    starts = np.arange(0, len(power) - block + 1, hop)
    return (total[starts + block] - total[starts]) / block


def _weighted(wave: Wave, rate: int) -> Wave:
    """One channel as ears weigh it."""
    size = good_length(len(wave) + rate // 10)
    spectrum = np.fft.rfft(wave, size)
    grid = np.geomspace(1, rate / 2, 2048)
    spectrum *= np.interp(np.fft.rfftfreq(size, 1 / rate), grid, weights(grid, rate)).astype(np.float32)
    return np.fft.irfft(spectrum, size)[: len(wave)].astype(np.float32)


def weights(hertz: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """The K curve: the head makes high tones stronger, and ears hardly hear the lowest."""
    z = np.exp(-2j * np.pi * hertz / rate)
    return np.abs(_shelf(z, rate) * _high_pass(z, rate))


def _shelf(z: NDArray[np.complex128], rate: int) -> NDArray[np.complex128]:
    k, q = np.tan(np.pi * 1681.974450955533 / rate), 0.7071752369554196
    top = 10 ** (3.999843853973347 / 20)
    middle = top**0.4996667741545416
    over = (top + middle * k / q + k * k) + 2 * (k * k - top) * z + (top - middle * k / q + k * k) * z * z
    return over / ((1 + k / q + k * k) + 2 * (k * k - 1) * z + (1 - k / q + k * k) * z * z)


def _high_pass(z: NDArray[np.complex128], rate: int) -> NDArray[np.complex128]:
    k, q = np.tan(np.pi * 38.13547087602444 / rate), 0.5003270373238773
    first = 1 + k / q + k * k
    return (1 - 2 * z + z * z) / (1 + 2 * (k * k - 1) / first * z + (1 - k / q + k * k) / first * z * z)


def _piece(wave: Wave, start: int) -> Wave:
    """A part of a wave and a little more on both sides, which is silence before its beginning and after its end."""
    first, last = start - _EDGE, min(start + _PIECE, len(wave)) + _EDGE
    return np.pad(wave[max(0, first) : last], (max(0, -first), max(0, last - len(wave))))


def _between(piece: Wave) -> float:
    """The highest value at four times the rate, without the edges, where a transform sees a jump."""
    fine = np.fft.irfft(np.fft.rfft(piece), 4 * len(piece))
    return float(np.abs(fine[4 * _EDGE : -4 * _EDGE]).max()) * 4


def _lufs(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return _OFFSET + 10 * np.log10(np.maximum(power, 1e-12))


def _decibels(value: float) -> float:
    return float(20 * np.log10(max(value, 1e-6)))


def _factor(value: float) -> float:
    return float(10 ** (value / 20))
