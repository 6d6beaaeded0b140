"""Instruments: a pitch, a length and a strength become a wave. Each is a few lines of synthesis; none is a sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np

from heddle.engines.composer import styles
from heddle.studio.acoustics import (
    RATE,
    Wave,
    band,
    chance,
    ends,
    filtered,
    high,
    level,
    low,
    noise,
    peaks,
    phase,
    ring,
    seconds,
)

#: Hz, seconds that the note is held, strength 0 to 1.
Voice = Callable[[float, float, float], Wave]

_TABLE = 4096


def hertz(pitch: int) -> float:
    """Of a MIDI number, at 440 Hz for A."""
    return 440.0 * 2 ** ((pitch - 69) / 12)


# ── what instruments are made of ──────────────────────────────────────────────


@cache
def _table(weights: tuple[float, ...]) -> Wave:
    """One period of a tone with these harmonics, and its first sample again."""
    angle = np.linspace(0, 2 * np.pi, _TABLE + 1)
    wave = np.zeros(_TABLE + 1, np.float32)
    for k, weight in enumerate(weights):
        wave += (weight * np.sin((k + 1) * angle + 0.35 * k * k)).astype(np.float32)
    wave *= np.float32((2 / sum(w * w for w in weights)) ** 0.5)
    return wave


def _tone(f: float, count: int, weights: tuple[float, ...], bend: Wave | None = None, start: float = 0.0) -> Wave:
    """A steady tone; only harmonics below 15 kHz, at a pitch that may bend."""
    most = max(1, int(15_000 / f))
    table = _table(weights[:most])
    turns = start + (
        np.arange(count, dtype=np.float64) * (f / RATE)
        if bend is None
        else np.cumsum(f * bend, dtype=np.float64) / RATE
    )
    at = (turns - np.floor(turns)) * _TABLE
    whole = at.astype(np.int32)
    part = (at - whole).astype(np.float32)
    return (table[whole] * (1 - part) + table[whole + 1] * part).astype(np.float32)


def _harmonics(tilt: float, most: int = 40, odd: float = 1.0) -> tuple[float, ...]:
    """Weights that fall with number to the power of `tilt`; even ones times `odd`."""
    return tuple((1.0 if k % 2 else odd) / k**tilt for k in range(1, most + 1))


def _held(length: float, attack: float, release: float, sag: float = 1.0) -> Wave:
    """Comes up, stays (or sags to a share), and dies away after its length."""
    t = seconds(length + release)
    body = np.minimum(1, t / np.float32(attack)) * (sag + (1 - sag) * np.exp(-t * 4))
    off = np.clip((t - length) / np.float32(release), 0, 1)
    return (body * np.cos(off * np.pi / 2) ** 2).astype(np.float32)


def _vibrato(count: int, rate: float, depth: float, wait: float) -> Wave:
    """A pitch that begins to tremble after a while."""
    t = np.arange(count, dtype=np.float32) / np.float32(RATE)
    return (1 + depth * np.clip((t - wait) / 0.3, 0, 1) * np.sin(2 * np.pi * rate * t)).astype(np.float32)


def _struck(f: float, length: float, partials: tuple[tuple[float, float, float], ...], release: float) -> Wave:
    """Partials (ratio, factor, seconds to a thousandth) that are damped when the note ends."""
    longest = max(fall for _, _, fall in partials)
    total = min(length + release, longest)
    wave = ring(total, [(f * ratio, factor, fall) for ratio, factor, fall in partials], 0.002)
    return wave * ends(len(wave), 0.0, min(release, total))


# ── the instruments ───────────────────────────────────────────────────────────


def _piano(f: float, length: float, strength: float) -> Wave:
    """Strings are a little stiff, two of them are a little apart, and the hammer is heard."""
    bright = 0.5 + strength
    stretch = 0.0004 * (f / 262) ** 0.7
    fall = 5.5 * (262 / f) ** 0.45
    partials: list[tuple[float, float, float]] = []
    for k in range(1, min(13, int(9000 / f) + 1)):
        factor = np.exp(-(k - 1) / (2.6 * bright)) * (1.0 if k > 1 else 0.9)
        ratio = k * (1 + stretch * k * k)
        partials.append((ratio, factor * 0.6, fall / k**0.7))
        if k < 5:
            partials.append((ratio * 1.0011, factor * 0.4, fall * 1.3 / k**0.7))
    wave = _struck(f, length, tuple(partials), 0.22)
    t = seconds(0.03)
    knock = filtered(noise(chance("hammer"), len(t)), band(200, 2500)) * np.exp(-t * 160)
    wave[: len(knock)] += (knock * np.float32(0.12 * strength))[: len(wave)]
    return wave


def _electric_piano(f: float, length: float, strength: float) -> Wave:
    """One sine bends another, most at the beginning."""
    t = seconds(length + 0.3)
    angle = phase(np.full(len(t), f, np.float32))
    index = (0.5 + 1.3 * strength) * np.exp(-t * 2.2)
    tine = 0.14 * strength * np.sin(np.float32(14) * angle) * np.exp(-t * 9) if f * 14 < 14_000 else 0
    wave = np.sin(angle + index * np.sin(angle)) * np.exp(-t * np.float32(1.1 * (f / 262) ** 0.3)) + tine
    return (wave * _held(length, 0.004, 0.3)).astype(np.float32)


def _plucked(f: float, length: float, strength: float, bright: float, fall: float, release: float = 0.25) -> Wave:
    """A string plucked at a fifth of its length: every fifth harmonic is missing, high ones die first."""
    partials = tuple(
        (
            k * (1 + 0.00006 * k * k),
            abs(np.sin(np.pi * k * 0.21)) / k ** (1.5 - 0.6 * bright * strength),
            fall / (1 + 0.22 * (k - 1)),
        )
        for k in range(1, min(18, int(10_000 / f) + 1))
    )
    return _struck(f, length, partials, release)


def _guitar(f: float, length: float, strength: float) -> Wave:
    return _plucked(f, length, strength, 0.9, 3.2 * (196 / f) ** 0.3)


def _harp(f: float, length: float, strength: float) -> Wave:
    return _plucked(f, length + 0.8, strength, 0.5, 3.5, 0.8)


def _clean_guitar(f: float, length: float, strength: float) -> Wave:
    return _plucked(f, length, strength, 1.3, 2.2, 0.06)


def _driven(wave: Wave, drive: float, top: float) -> Wave:
    """Through an amplifier that is too small for it."""
    return filtered(np.tanh(wave * np.float32(drive)).astype(np.float32), lambda f: high(90, 1)(f) * low(top, 3)(f))


def _electric_guitar(f: float, length: float, strength: float) -> Wave:
    count = round((length + 0.15) * RATE)
    string = _tone(f, count, _harmonics(1.2, 20), _vibrato(count, 5.5, 0.005, 0.3))
    return (
        _driven(string * _held(length, 0.004, 0.15, 0.7)[:count], 2.6 + strength, 3800)
        * _held(length, 0.004, 0.15)[:count]
    )


def _power_guitar(f: float, length: float, _strength: float) -> Wave:
    count = round((length + 0.08) * RATE)
    string = _tone(f, count, _harmonics(1.0, 24)) + 0.7 * _tone(f * 1.003, count, _harmonics(1.0, 24), start=0.3)
    return _driven((string * _held(length, 0.003, 0.08, 0.75)[:count]).astype(np.float32), 3.0, 3200) * np.float32(0.7)


def _organ(f: float, length: float, _strength: float) -> Wave:
    """Drawbars, and a rotor that turns slowly."""
    count = round((length + 0.08) * RATE)
    bars = (0.8, 0.7, 0.5, 0.45, 0.0, 0.25, 0.0, 0.25)
    return _tone(f, count, bars, _vibrato(count, 6.3, 0.0025, 0.0)) * _held(length, 0.012, 0.08)[:count]


def _accordion(f: float, length: float, _strength: float) -> Wave:
    count = round((length + 0.1) * RATE)
    reeds = sum(_tone(f * d, count, _harmonics(1.05, 16), start=i * 0.3) for i, d in enumerate((1.0, 1.006, 0.995)))
    return (filtered(np.asarray(reeds, np.float32), low(3600)) * _held(length, 0.03, 0.1)[:count] * 0.6).astype(
        np.float32
    )


def _ensemble(f: float, length: float, attack: float, release: float, tilt: float, top: float) -> Wave:
    """Several players, none quite at the same pitch, none trembling alike."""
    count = round((length + release) * RATE)
    wave = np.zeros(count, np.float32)
    for index, apart in enumerate((0.9962, 0.9985, 1.0, 1.0017, 1.0041)):
        bend = _vibrato(count, 4.6 + 0.33 * index, 0.0016, 0.1)
        wave += _tone(f * apart, count, _harmonics(tilt, 24), bend, start=0.21 * index)
    return filtered(wave, low(top, 1)) * _held(length, attack, release)[:count] * np.float32(0.45)


def _strings(f: float, length: float, _strength: float) -> Wave:
    return _ensemble(f, length, 0.09 if length < 0.6 else 0.22, 0.35, 1.25, 3800)


def _synth_pad(f: float, length: float, _strength: float) -> Wave:
    return _ensemble(f, length, 0.5 if length > 1.2 else 0.15, 0.9, 1.5, 1700)


def _solo(
    f: float,
    length: float,
    _strength: float,
    tilt: float,
    body: tuple[tuple[float, float, float], ...],
    attack: float,
    breath: float,
) -> Wave:
    """One player who holds a tone: vibrato that comes late, a body that colors, some breath or bow."""
    count = round((length + 0.12) * RATE)
    tone = _tone(f, count, _harmonics(tilt, 24), _vibrato(count, 5.3, 0.006, 0.22))
    resonance = peaks(*body)
    colored = filtered(tone, lambda x: np.float32(0.35) + resonance(x))
    air = filtered(noise(chance("breath", round(f)), count), band(f * 0.9, min(9000, f * 4))) * np.float32(breath)
    return ((colored + air) * _held(length, attack, 0.12, 0.85)[:count]).astype(np.float32)


def _violin(f: float, length: float, strength: float) -> Wave:
    return _solo(
        f, length, strength, 1.15, ((290, 120, 0.6), (470, 160, 0.7), (1300, 900, 0.5), (2800, 1500, 0.4)), 0.06, 0.02
    )


def _cello(f: float, length: float, strength: float) -> Wave:
    return _solo(f, length, strength, 1.3, ((110, 60, 0.7), (220, 100, 0.7), (650, 400, 0.5)), 0.07, 0.02)


def _flute(f: float, length: float, _strength: float) -> Wave:
    count = round((length + 0.1) * RATE)
    tone = _tone(f, count, (1.0, 0.28, 0.16, 0.05, 0.02), _vibrato(count, 5.0, 0.004, 0.25))
    air = filtered(noise(chance("flute", round(f)), count), band(f, min(9000, f * 5))) * np.float32(0.05)
    return ((tone + air) * _held(length, 0.05, 0.1, 0.9)[:count]).astype(np.float32)


def _clarinet(f: float, length: float, strength: float) -> Wave:
    return _solo(f, length, strength, 1.4, ((400, 400, 0.5), (1500, 900, 0.5)), 0.04, 0.015)


def _saxophone(f: float, length: float, strength: float) -> Wave:
    return _solo(
        f, length, strength, 1.0, ((550, 350, 0.8), (1150, 600, 0.7), (2500, 900, 0.3)), 0.035, 0.05
    ) * np.float32(0.8)


def _brass(f: float, length: float, strength: float) -> Wave:
    """Opens as it is blown: dull at first, then bright."""
    count = round((length + 0.12) * RATE)
    bend = _vibrato(count, 5.0, 0.003, 0.35)
    dull, clear = _tone(f, count, _harmonics(2.2, 12), bend), _tone(f * 1.001, count, _harmonics(0.95, 24), bend)
    opened = np.minimum(1, np.arange(count, dtype=np.float32) / np.float32(RATE * 0.07)) * np.float32(
        0.35 + 0.4 * strength
    )
    return (
        filtered((dull * (1 - opened) + clear * opened).astype(np.float32), low(5200, 1))
        * _held(length, 0.03, 0.12, 0.85)[:count]
    ).astype(np.float32)


def _bell(f: float, length: float, _strength: float) -> Wave:
    return _struck(f, length + 1.2, ((1, 1, 2.6), (2.76, 0.4, 1.3), (5.4, 0.18, 0.6), (0.5, 0.15, 1.5)), 1.0)


def _music_box(f: float, length: float, _strength: float) -> Wave:
    return _struck(f, length + 1.0, ((1, 1, 1.8), (2.0, 0.12, 1.0), (6.27, 0.2, 0.35)), 0.8)


def _vibraphone(f: float, length: float, _strength: float) -> Wave:
    wave = _struck(f, length + 0.5, ((1, 1, 2.4), (3.98, 0.22, 0.9), (9.9, 0.05, 0.3)), 0.5)
    return (wave * (1 - 0.22 * (0.5 - 0.5 * np.cos(2 * np.pi * 4.8 * seconds(len(wave) / RATE)[: len(wave)])))).astype(
        np.float32
    )


def _marimba(f: float, length: float, _strength: float) -> Wave:
    return _struck(f, length + 0.2, ((1, 1, 0.75), (3.9, 0.3, 0.25), (9.2, 0.1, 0.1)), 0.2)


def _synth_lead(f: float, length: float, _strength: float) -> Wave:
    count = round((length + 0.12) * RATE)
    bend = _vibrato(count, 5.2, 0.004, 0.3)
    saws = _tone(f * 0.997, count, _harmonics(1.1, 30), bend) + _tone(f * 1.003, count, _harmonics(1.1, 30), bend, 0.37)
    return filtered(saws * np.float32(0.55), low(3000, 2)) * _held(length, 0.012, 0.12, 0.8)[:count]


def _pluck_synth(f: float, length: float, _strength: float) -> Wave:
    t = seconds(min(length + 0.35, 0.9))
    bright, dull = _tone(f, len(t), _harmonics(1.05, 24)), _tone(f, len(t), (1.0, 0.2, 0.05))
    opened = np.exp(-t * 13)
    return ((bright * opened + dull * (1 - opened)) * np.exp(-t * 4.5) * ends(len(t), 0.003, 0.08)).astype(np.float32)


def _square(f: float, length: float, _strength: float) -> Wave:
    count = round((length + 0.02) * RATE)
    return _tone(f, count, _harmonics(1.0, 30, 0.0)) * _held(length, 0.003, 0.02, 0.6)[:count] * np.float32(0.7)


def _upright_bass(f: float, length: float, strength: float) -> Wave:
    return filtered(_plucked(f, length, strength, 0.4, 2.4, 0.09), low(1400, 1))


def _electric_bass(f: float, length: float, strength: float) -> Wave:
    return filtered(_plucked(f, length, strength, 1.0, 3.6, 0.06), low(2200, 1))


def _synth_bass(f: float, length: float, _strength: float) -> Wave:
    t = seconds(length + 0.06)
    bright, dull = _tone(f, len(t), _harmonics(1.0, 40)), _tone(f, len(t), _harmonics(2.0, 8))
    opened = np.exp(-t * 9) * np.float32(0.7)
    wave = filtered((bright * opened + dull * (1 - opened)).astype(np.float32), low(1900, 2))
    return wave * _held(length, 0.004, 0.06, 0.8)[: len(t)]


def _sub_bass(f: float, length: float, _strength: float) -> Wave:
    count = round((length + 0.12) * RATE)
    return _tone(f, count, (1.0, 0.22, 0.1, 0.03)) * _held(length, 0.02, 0.12, 0.85)[:count]


def _tuba(f: float, length: float, _strength: float) -> Wave:
    count = round((length + 0.1) * RATE)
    return filtered(_tone(f, count, _harmonics(1.5, 14)), low(900, 1)) * _held(length, 0.04, 0.1, 0.8)[:count]


INSTRUMENTS: Mapping[str, Voice] = {
    "piano": _piano,
    "electric piano": _electric_piano,
    "organ": _organ,
    "accordion": _accordion,
    "guitar": _guitar,
    "clean guitar": _clean_guitar,
    "electric guitar": _electric_guitar,
    "power guitar": _power_guitar,
    "harp": _harp,
    "marimba": _marimba,
    "vibraphone": _vibraphone,
    "music box": _music_box,
    "bells": _bell,
    "flute": _flute,
    "clarinet": _clarinet,
    "saxophone": _saxophone,
    "brass": _brass,
    "violin": _violin,
    "cello": _cello,
    "strings": _strings,
    "synth pad": _synth_pad,
    "synth lead": _synth_lead,
    "pluck synth": _pluck_synth,
    "square": _square,
    "upright bass": _upright_bass,
    "electric bass": _electric_bass,
    "synth bass": _synth_bass,
    "sub bass": _sub_bass,
    "chip bass": _square,
    "tuba": _tuba,
}


# ── drums ─────────────────────────────────────────────────────────────────────


@cache
def drum(number: int) -> Wave:
    """One hit, at full strength."""
    rng = chance("drum", number)
    if number == styles.KICK:
        t = seconds(0.32)
        sweep = phase((46 + 120 * np.exp(-t * 40)).astype(np.float32))
        return (np.sin(sweep) * np.exp(-t * 11) * ends(len(t), 0.001, 0.05) * 1.3).astype(np.float32)
    if number in {styles.SNARE, styles.CLAP}:
        t = seconds(0.26)
        bottom, fall = (1300, 19) if number == styles.SNARE else (900, 26)
        wires = level(filtered(noise(rng, len(t)), band(bottom, 7500))) * np.exp(-t * fall) * 0.34
        shell = ring(0.26, [(185, 0.55, 0.13), (330, 0.3, 0.08)]) if number == styles.SNARE else 0
        return (wires + shell).astype(np.float32)
    if number == styles.RIM:
        return ring(0.09, [(820, 0.5, 0.04), (1650, 0.45, 0.03), (2700, 0.2, 0.02)])
    if number in styles.TOMS:
        base = {50: 175.0, 47: 125.0, 45: 88.0}[number]
        t = seconds(0.5)
        sweep = phase((base * (1 + 0.35 * np.exp(-t * 18))).astype(np.float32))
        return (np.sin(sweep) * np.exp(-t * 8) * ends(len(t), 0.001, 0.1)).astype(np.float32)
    return _metal(number, rng)


def _metal(number: int, rng: np.random.Generator) -> Wave:
    """Hi-hats, cymbals and shakers: high noise, and partials that fit no scale."""
    length, bottom, fall, gain = {
        styles.HAT: (0.09, 7000, 55, 0.26),
        styles.OPEN: (0.4, 6500, 9, 0.25),
        styles.RIDE: (0.9, 5000, 5, 0.16),
        styles.CRASH: (2.2, 3500, 2.4, 0.3),
        styles.SHAKER: (0.1, 5500, 40, 0.22),
    }[number]
    t = seconds(length)
    hiss = level(filtered(noise(rng, len(t)), high(bottom, 3)))
    partials = sum(np.sin(2 * np.pi * np.float32(f) * t) for f in (4120, 5390, 6770, 8210, 9530)) * np.float32(0.16)
    attack = np.minimum(1, t / np.float32(0.03 if number == styles.SHAKER else 0.001))
    return ((hiss + partials) * np.exp(-t * fall) * attack * ends(len(t), 0, 0.03) * gain).astype(np.float32)
