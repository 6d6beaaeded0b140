"""What synthesized sound is made of: noise, filters, ringing bodies, rooms, places between two speakers.

Samples are float32 at `RATE`; a wave is one channel, a sound is samples by two channels. Filters work on the whole
spectrum at once, so they shift nothing in time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

RATE = 44_100

Wave = NDArray[np.float32]
Sound = NDArray[np.float32]
#: From frequencies in Hz to factors.
Gain = Callable[[Wave], Wave]

#: Silence behind a wave while it is filtered, so that its end does not come out at its beginning.
_MARGIN = 4096


def chance(*parts: object) -> np.random.Generator:
    """A generator of its own for one purpose: the same parts give the same draws on every machine."""
    text = "\x1f".join(str(part) for part in parts)
    seed = int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16], "big")
    return np.random.Generator(np.random.PCG64(seed))


def seconds(length: float) -> Wave:
    """The moments of so many seconds, from 0."""
    return np.arange(max(1, round(length * RATE)), dtype=np.float32) / np.float32(RATE)


def decibels(value: float) -> float:
    """A factor from decibels."""
    return 10.0 ** (value / 20)


# ── noise and slow change ─────────────────────────────────────────────────────


def noise(rng: np.random.Generator, count: int, slope: float = 0.0) -> Wave:
    """Noise with an RMS of 1; its power falls with frequency to the power of `slope`: 0 white, 1 pink, 2 brown."""
    white = rng.standard_normal(count, dtype=np.float32)
    if not slope:
        return white
    shaped = filtered(white, lambda f: np.maximum(f, np.float32(20)) ** np.float32(-slope / 2))
    return level(shaped)


def level(wave: Wave, rms: float = 1.0) -> Wave:
    """Scaled to an RMS."""
    had = float(np.sqrt(np.mean(np.square(wave, dtype=np.float64)))) if wave.size else 0.0
    return wave * np.float32(rms / had) if had > 0 else wave


def drift(rng: np.random.Generator, count: int, every_s: float, low: float = 0.0, high: float = 1.0) -> Wave:
    """A slow random curve between two values, with a turning point about every so many seconds."""
    points = max(2, int(np.ceil(count / RATE / every_s)) + 2)
    values = rng.uniform(low, high, points)
    at = np.arange(count, dtype=np.float32) / np.float32(RATE * every_s)
    whole = np.minimum(at.astype(np.int32), points - 2)
    part = at - whole
    eased = part * part * (3 - 2 * part)
    return (values[whole] * (1 - eased) + values[whole + 1] * eased).astype(np.float32)


# ── filters ───────────────────────────────────────────────────────────────────


def good_length(count: int) -> int:
    """The smallest length of at least `count` that has no prime factor but 2, 3 and 5: transforms of those are fast."""
    best = 1 << max(0, count - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            two = -(-count // three)
            best = min(best, three << max(0, two - 1).bit_length())
            three *= 3
        five *= 5
    return best


def filtered(wave: Wave, gain: Gain) -> Wave:
    """A wave whose spectrum was multiplied."""
    size = good_length(len(wave) + _MARGIN)
    spectrum = np.fft.rfft(wave, size)
    spectrum *= gain(frequencies(size))
    return np.fft.irfft(spectrum, size)[: len(wave)].astype(np.float32)


def frequencies(size: int) -> Wave:
    """Of the bins of a real transform of this size."""
    return np.fft.rfftfreq(size, 1 / RATE).astype(np.float32)


def low(cutoff: float, order: int = 2) -> Gain:
    """Lets pass what is below."""
    return lambda f: (1 / np.sqrt(1 + (f / np.float32(cutoff)) ** (2 * order))).astype(np.float32)


def high(cutoff: float, order: int = 2) -> Gain:
    """Lets pass what is above."""
    return lambda f: (1 / np.sqrt(1 + (cutoff / np.maximum(f, np.float32(0.1))) ** (2 * order))).astype(np.float32)


def band(bottom: float, top: float, order: int = 2) -> Gain:
    """Lets pass what is between."""
    below, above = low(top, order), high(bottom, order)
    return lambda f: below(f) * above(f)


def peaks(*bumps: tuple[float, float, float]) -> Gain:
    """Resonances: (Hz, width in Hz, factor) each, on nothing."""

    def gain(f: Wave) -> Wave:
        total = np.zeros_like(f)
        for center, width, factor in bumps:
            total += np.float32(factor) / np.sqrt(1 + ((f - np.float32(center)) / np.float32(width / 2)) ** 2)
        return total

    return gain


# ── bodies that ring, throats that call ───────────────────────────────────────


def ring(length: float, partials: Sequence[tuple[float, float, float]], attack: float = 0.001) -> Wave:
    """Partials that die away: (Hz, factor, seconds to a thousandth) each."""
    t = seconds(length)
    wave = np.zeros_like(t)
    for hertz, factor, fall in partials:
        if 20 < hertz < RATE * 0.45:
            wave += np.float32(factor) * np.sin(np.float32(2 * np.pi * hertz) * t) * np.exp(t * np.float32(-6.9 / fall))
    return wave * np.minimum(1, t / np.float32(attack)) * ends(len(t), 0.0, min(0.02, length / 4))


def curve(length: float, points: Sequence[tuple[float, float]]) -> Wave:
    """Straight lines through (share of the length, value)."""
    t = seconds(length) / np.float32(length)
    return np.interp(t, [p[0] for p in points], [p[1] for p in points]).astype(np.float32)


def phase(hertz: Wave) -> Wave:
    """The phase of a tone whose frequency changes; counted in double precision, or long tones would go off pitch."""
    turns = np.cumsum(hertz, dtype=np.float64) / RATE
    return ((turns - np.floor(turns)) * 2 * np.pi).astype(np.float32)


def call(hertz: Wave, formants: Sequence[tuple[float, float, float]], tilt: float = 1.0, most: int = 40) -> Wave:
    """A throat: the harmonics of a pitch, weakened by number to the power of `tilt`, heard through resonances."""
    angle = phase(hertz)
    mean = float(np.mean(hertz))
    resonance = peaks(*formants)
    wave = np.zeros_like(hertz)
    for k in range(1, min(most, int(RATE * 0.42 / float(hertz.max()))) + 1):
        factor = float(resonance(np.array([k * mean], np.float32))[0]) / k**tilt
        if factor > 0.002:
            wave += np.float32(factor) * np.sin(np.float32(k) * angle)
    return wave


def overtones(angle: Wave, most: int, tilt: float) -> Wave:
    """A tone and its harmonics, weakened by number to the power of `tilt`."""
    wave = np.zeros_like(angle)
    for k in range(1, most + 1):
        wave += np.sin(np.float32(k) * angle) * np.float32(k**-tilt)
    return wave


def ends(count: int, fade_in: float, fade_out: float) -> Wave:
    """Factors that come up from nothing and go down to nothing, in seconds each."""
    factors = np.ones(count, np.float32)
    first, last = min(count, round(fade_in * RATE)), min(count, round(fade_out * RATE))
    if first:
        factors[:first] = np.sin(np.linspace(0, np.pi / 2, first, dtype=np.float32)) ** 2
    if last:
        factors[count - last :] *= np.sin(np.linspace(np.pi / 2, 0, last, dtype=np.float32)) ** 2
    return factors


# ── places and rooms ──────────────────────────────────────────────────────────


def sides(side: ArrayLike) -> tuple[Wave, Wave]:
    """The factors of the two speakers for a place from -1 (left) to 1 (right), at equal power."""
    angle = (np.clip(np.asarray(side, np.float32), -1, 1) + 1) * np.float32(np.pi / 4)
    return np.cos(angle), np.sin(angle)


def placed(wave: Wave, side: ArrayLike = 0.0) -> Sound:
    """One channel between two speakers; `side` may change in time."""
    left, right = sides(side)
    return np.stack([wave * left, wave * right], axis=1).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How a place answers."""

    #: Until the answer is a thousandth of what it was.
    seconds: float
    #: The share of the answer in what is heard.
    wet: float
    #: Above this many Hz walls swallow.
    bright: float = 5000.0
    #: Seconds until the first answer.
    delay: float = 0.012


def answered(sound: Sound, room: Room, rng: np.random.Generator) -> Sound:
    """A sound in a room, as long as before."""
    if room.wet <= 0:
        return sound
    reply = _reply(room, rng)
    size = good_length(len(sound) + len(reply))
    heard = sound * np.float32(1 - room.wet)
    for channel in range(2):
        spectrum = np.fft.rfft(sound[:, channel], size)
        spectrum *= np.fft.rfft(reply[:, channel], size)
        heard[:, channel] += np.fft.irfft(spectrum, size)[: len(sound)] * np.float32(room.wet)
    return heard


def _reply(room: Room, rng: np.random.Generator) -> Sound:
    """What comes back of one clap: noise that dies away, and loses its brightness first."""
    count = max(64, round(room.seconds * RATE))
    t = np.arange(count, dtype=np.float32) / np.float32(RATE)
    channels: list[Wave] = []
    for _ in range(2):
        clear = filtered(rng.standard_normal(count, dtype=np.float32), low(room.bright, 1))
        dull = filtered(clear, low(room.bright / 4, 1))
        fall = np.exp(t * np.float32(-6.9 / room.seconds))
        wave = (clear * fall * fall + dull * 2 * fall) * np.minimum(1, t / np.float32(0.01))
        wave = filtered(wave, high(120, 1))
        shifted = np.concatenate([np.zeros(round(room.delay * RATE), np.float32), wave])
        channels.append((shifted / np.float32(_strength(shifted))).astype(np.float32))
    return np.stack(channels, axis=1)


def _strength(reply: Wave) -> float:
    """How much it amplifies what is neither low nor high."""
    size = good_length(len(reply))
    hertz = frequencies(size)
    middle = (hertz > 150) & (hertz < 1500)
    return float(np.sqrt(np.mean(np.square(np.abs(np.fft.rfft(reply, size))[middle], dtype=np.float64)))) + 1e-9
