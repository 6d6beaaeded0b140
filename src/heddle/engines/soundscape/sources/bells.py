"""Bells, chimes, gongs and drums."""

from __future__ import annotations

import numpy as np

from heddle.engines.soundscape.canvas import Canvas
from heddle.engines.soundscape.sources import source
from heddle.studio.acoustics import Wave, band, curve, drift, filtered, high, level, noise, phase, ring, seconds

#: The partials of a church bell: hum, prime, minor third, fifth, octave, and what is above.
_BELL = (
    (0.5, 0.6, 7.0),
    (1.0, 0.9, 5.0),
    (1.19, 0.8, 4.0),
    (1.5, 0.35, 3.0),
    (2.0, 1.0, 3.2),
    (2.51, 0.3, 1.6),
    (3.01, 0.35, 1.3),
    (4.1, 0.25, 0.8),
)


def _struck(hertz: float, length: float, slower: float = 1.0) -> Wave:
    """A bell with its beats: every partial is two, a little apart."""
    partials = [(hertz * n, f / 2, s * slower) for n, f, s in _BELL]
    return ring(length, [*partials, *((h * 1.0012 + 0.15, f, s) for h, f, s in partials)], 0.002)


@source(
    "church bell",
    "church bells, bell tower, tolling, cathedral bell, tolling bell, bell tolling, big bell",
    strikes=True,
)
def church_bell(c: Canvas) -> None:
    """Tolls."""
    bell = _struck(c.between(230, 300), min(8.0, c.length + 1))
    for at in c.moments(2.1, wander=0.02, first=0.15):
        c.add(bell, at, c.between(0.9, 1.0))


@source("bell", "bells, hand bell, bicycle bell, school bell, ding, bell ringing, ringing bell", strikes=True)
def bell(c: Canvas) -> None:
    """A small one, by hand."""
    wave = _struck(c.between(820, 1050), min(3.5, c.length + 1), 0.5)
    for at in c.moments(0.85, wander=0.06, first=0.1):
        c.add(wave, at, c.between(0.85, 1.0))


@source("doorbell", "door bell, ding dong", strikes=True)
def doorbell(c: Canvas) -> None:
    """Ding, dong."""
    for at in c.moments(3.0, 0.1, 0.15):
        for shift, hertz in ((0.0, 659.3), (0.55, 523.3)):
            c.add(
                ring(1.8, [(hertz, 1, 1.5), (hertz * 2, 0.3, 0.8), (hertz * 3.01, 0.2, 0.5), (hertz * 5.4, 0.1, 0.2)]),
                at + shift,
                0.6,
            )


@source("sleigh bells", "jingle bells, tambourine, jingles", trim=-3)
def sleigh(c: Canvas) -> None:
    """Many tiny bells, shaken."""
    tiny = [ring(0.18, [(f, 1, 0.1), (f * 1.34, 0.7, 0.08)]) for f in c.rng.uniform(4200, 8200, 20)]
    for index, at in enumerate(c.moments(0.3, wander=0.03)):
        for _ in range(12 if index % 2 == 0 else 7):
            c.add(
                tiny[int(c.rng.integers(0, 20))],
                at + c.between(0, 0.05),
                c.between(0.1, 0.5),
                c.home + c.between(-0.3, 0.3),
            )


@source("wind chimes", "chimes, chime, windchimes, wind chime, glass chimes", trim=-2)
def chimes(c: Canvas) -> None:
    """Tubes of a scale without half steps, touched by gusts."""
    base = c.between(900, 1250)
    tubes: list[Wave] = []
    for ratio in (1, 9 / 8, 5 / 4, 3 / 2, 5 / 3, 2):
        f = base * ratio
        tubes.append(ring(3.0, [(f, 1, 2.6), (f * 2.756, 0.45, 1.2), (f * 5.404, 0.2, 0.5)]))
    gusts = drift(c.rng, c.count, 2.0, 0.0, 1.0)
    for at in c.moments(0.28, wander=0.8):
        if c.rng.random() < 0.15 + float(gusts[min(c.count - 1, int(at * 44_100))]) * (0.4 + 0.5 * c.ask.amount):
            which = int(c.rng.integers(0, 6))
            c.add(tubes[which], at, c.between(0.15, 0.8), c.home + (which - 2.5) * 0.15)


@source("gong", "tam-tam, gongs", strikes=True)
def gong(c: Canvas) -> None:
    """Struck low; the high partials bloom after."""
    for at in c.moments(6.0, 0.1, 0.15):
        t = seconds(7.0)
        low_part = ring(
            7.0, [(c.between(70, 82) * n, 1 / n**0.7, 7 / n**0.4) for n in (1, 1.53, 2.08, 2.71, 3.4, 4.3)], 0.02
        )
        bloom = (
            level(filtered(noise(c.rng, len(t)), band(900, 4200)))
            * curve(7.0, [(0, 0), (0.06, 1), (0.3, 0.3), (1, 0)]) ** 2
        )
        c.add((low_part + 0.16 * bloom).astype(np.float32), at)


@source("singing bowl", "tibetan bowl, singing bowls, meditation bowl, tibetan bowls", strikes=True)
def bowl(c: Canvas) -> None:
    """Slow beats."""
    base = c.between(200, 240)
    partials = [
        (base, 1, 9),
        (base + 0.9, 0.8, 9),
        (base * 2.72, 0.6, 6),
        (base * 2.72 + 1.3, 0.5, 6),
        (base * 5.1, 0.2, 3),
    ]
    wave = ring(9.0, partials, 0.03)
    for at in c.moments(6.5, 0.15, 0.2):
        c.add(wave, at)


@source("drums", "drum, drumming, drum hits, drum beat, drum kit, snare, kick drum")
def drums(c: Canvas) -> None:
    """A plain beat: kick, snare, hi-hat."""
    step = 0.3 / c.ask.pace
    kick, snare, hat = _kick(), _snare(c), _hat(c)
    for index in range(int(c.length / step) + 1):
        at = 0.05 + index * step
        c.add(hat, at, 0.35 if index % 2 == 0 else 0.2, 0.3)
        if index % 4 == 0 or index % 8 == 5:
            c.add(kick, at, 1.0, 0.0)
        if index % 4 == 2:
            c.add(snare, at, 0.8, -0.1)


def _kick() -> Wave:
    t = seconds(0.3)
    angle = phase((45 + 110 * np.exp(-t * 38)).astype(np.float32))
    return (np.sin(angle) * np.exp(-t * 13) * np.minimum(1, t * 800)).astype(np.float32)


def _snare(c: Canvas) -> Wave:
    t = seconds(0.25)
    wires = level(filtered(noise(c.rng, len(t)), band(1200, 8000))) * np.exp(-t * 20) * 0.4
    return (wires + ring(0.25, [(190, 0.7, 0.12), (330, 0.4, 0.08)])).astype(np.float32)


def _hat(c: Canvas) -> Wave:
    t = seconds(0.08)
    return (level(filtered(noise(c.rng, len(t)), high(7000))) * np.exp(-t * 70) * 0.5).astype(np.float32)


@source("djembe", "bongos, bongo, congas, hand drums, tribal drums, tom-tom, timpani, taiko")
def hand_drums(c: Canvas) -> None:
    """Skins of three sizes, in a rolling pattern."""
    skins = [ring(0.4, [(f, 1, 0.25), (f * 1.59, 0.5, 0.15), (f * 2.14, 0.3, 0.1)]) for f in (92, 150, 235)]
    pattern = (0, 2, 1, 2, 0, 0, 1, 2)
    for index, at in enumerate(c.moments(0.21, wander=0.02, first=0.05)):
        if c.rng.random() < 0.85:
            c.add(
                skins[pattern[index % 8]],
                at,
                1.0 if index % 4 == 0 else c.between(0.4, 0.8),
                (pattern[index % 8] - 1) * 0.3,
            )
