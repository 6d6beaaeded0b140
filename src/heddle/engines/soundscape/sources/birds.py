"""Birds."""

from __future__ import annotations

import numpy as np

from heddle.engines.soundscape.canvas import Canvas
from heddle.engines.soundscape.sources import source
from heddle.studio.acoustics import Wave, band, call, curve, ends, filtered, level, noise, phase, ring, seconds


def _note(c: Canvas, bottom: float, top: float, length: float) -> Wave:
    """One whistled note: up, down, over, or trembling."""
    shapes = (((0, bottom), (1, top)), ((0, top), (1, bottom)), ((0, bottom), (0.5, top), (1, bottom)))
    pitch = curve(length, shapes[int(c.rng.integers(0, 3))])
    if c.rng.random() < 0.3:
        pitch = pitch * (1 + 0.06 * np.sin(2 * np.pi * 38 * seconds(length))).astype(np.float32)
    angle = phase(pitch)
    return ((np.sin(angle) + 0.12 * np.sin(2 * angle)) * ends(len(angle), length * 0.2, length * 0.4)).astype(
        np.float32
    )


@source(
    "birds",
    "bird, birdsong, songbirds, chirping, chirp, tweeting, singing birds, sparrow, nightingale, robin, birds singing",
    trim=-2,
)
def birds(c: Canvas) -> None:
    """Some birds, each with a phrase of its own that it repeats, from its own tree."""
    for _ in range(2 + round(4 * c.ask.amount)):
        center, place, gain = c.between(2400, 5200), c.between(-0.9, 0.9), c.between(0.35, 1.0)
        phrase = [
            (_note(c, center * c.between(0.75, 1), center * c.between(1, 1.35), length), length + c.between(0.03, 0.12))
            for length in c.rng.uniform(0.05, 0.2, int(c.rng.integers(3, 8)))
        ]
        for at in c.moments(c.between(2.0, 4.5), wander=0.4):
            for note, step in phrase:
                c.add(note, at, gain * c.between(0.7, 1.0), place)
                at += step  # noqa: PLW2901 - the phrase goes on


@source("seagulls", "seagull, gull, gulls", trim=-2)
def seagulls(c: Canvas) -> None:
    """Cries that fall, in rows."""
    for at in c.moments(2.6 - c.ask.amount, wander=0.4):
        place, size, gain = c.between(-0.9, 0.9), c.between(0.85, 1.2), c.between(0.4, 1)
        for index in range(int(c.rng.integers(2, 6))):
            length = c.between(0.22, 0.38)
            pitch = curve(length, [(0, 850), (0.2, 1500), (0.5, 1300), (1, 800)]) * np.float32(
                size * (1 - 0.02 * index)
            )
            wave = level(call(pitch, ((1500, 700, 1), (3000, 900, 0.7)), 0.5), 0.25)
            c.add((wave * ends(len(wave), 0.03, 0.12)).astype(np.float32), at + index * 0.42, gain, place)


@source("owl", "owls, hoot, hooting", trim=-2)
def owl(c: Canvas) -> None:
    """Hoo; hoo-hoo; hoo."""
    base = c.between(330, 400)
    for at in c.moments(4.2, wander=0.3):
        for shift, length in ((0.0, 0.35), (0.75, 0.16), (1.0, 0.2), (1.4, 0.55)):
            pitch = curve(length, [(0, base * 0.94), (0.3, base), (1, base * 0.9)])
            angle = phase(pitch)
            wave = np.sin(angle) + 0.18 * np.sin(2 * angle) + 0.05 * np.sin(3 * angle)
            wave += 0.06 * filtered(noise(c.rng, len(angle)), band(300, 900))
            c.add((wave * ends(len(angle), 0.06, length * 0.5)).astype(np.float32), at + shift, 0.6)


@source("crow", "crows, raven, ravens, cawing, caw")
def crow(c: Canvas) -> None:
    """Rough, in threes."""
    for at in c.moments(2.8, wander=0.4):
        place = c.between(-0.8, 0.8)
        for index in range(int(c.rng.integers(2, 5))):
            length = c.between(0.25, 0.35)
            pitch = curve(length, [(0, 480), (0.3, 560), (1, 430)])
            rough = (0.6 + 0.4 * np.sin(2 * np.pi * 75 * seconds(length))).astype(np.float32)
            wave = level(call(pitch, ((1250, 500, 1), (1900, 500, 0.8)), 0.1)) * rough
            wave += 0.4 * level(filtered(noise(c.rng, len(pitch)), band(900, 2600)))
            c.add((wave * ends(len(pitch), 0.03, 0.1)).astype(np.float32) * 0.25, at + index * 0.5, 1.0, place)


@source("rooster", "cock, cockerel, crowing")
def rooster(c: Canvas) -> None:
    """Cock-a-doodle-doo."""
    for at in c.moments(5.0, wander=0.3):
        start = at
        for length, low_hz, high_hz in ((0.16, 550, 800), (0.14, 650, 900), (0.22, 750, 1100), (0.8, 900, 600)):
            pitch = curve(
                length,
                [(0, low_hz), (0.4, high_hz if length < 0.5 else 1000), (1, low_hz * 0.9 if length < 0.5 else high_hz)],
            )
            wave = level(call(pitch, ((1100, 500, 1), (2200, 700, 0.7), (3500, 900, 0.3)), 0.4), 0.25)
            c.add((wave * ends(len(wave), 0.03, length * 0.4)).astype(np.float32), start)
            start += length + 0.05


@source("duck", "ducks, quack, quacking, goose, geese")
def duck(c: Canvas) -> None:
    """Nasal."""
    for at in c.moments(1.4, wander=0.5):
        place = c.between(-0.6, 0.6)
        for index in range(int(c.rng.integers(1, 5))):
            length = c.between(0.14, 0.2)
            pitch = curve(length, [(0, 230), (0.4, 280), (1, 200)])
            wave = level(call(pitch, ((900, 200, 0.7), (1500, 300, 1), (2900, 500, 0.6)), 0.0), 0.25)
            c.add((wave * ends(len(wave), 0.01, 0.06)).astype(np.float32), at + index * 0.26, 1.0, place)


@source("cuckoo", "cuckoos")
def cuckoo(c: Canvas) -> None:
    """A falling third."""
    for at in c.moments(1.7, wander=0.08):
        for shift, hertz, length in ((0.0, 667, 0.2), (0.38, 545, 0.3)):
            angle = phase(curve(length, [(0, hertz), (1, hertz * 0.98)]))
            wave = (np.sin(angle) + 0.1 * np.sin(2 * angle)) * ends(len(angle), 0.04, 0.12)
            c.add(wave.astype(np.float32), at + shift, 0.6)


@source("woodpecker", "pecking")
def woodpecker(c: Canvas) -> None:
    """A roll on a trunk."""
    knock = ring(0.05, [(900, 1, 0.02), (1700, 0.8, 0.015), (420, 0.6, 0.03)])
    for at in c.moments(2.8, wander=0.3):
        for index in range(14):
            c.add(knock, at + index * 0.052, 0.9 - 0.04 * index)


@source("chicken", "chickens, hen, hens, clucking")
def chicken(c: Canvas) -> None:
    """Clucks, and one that rises."""
    for at in c.moments(0.7, wander=0.5):
        long = c.rng.random() < 0.15
        length = 0.4 if long else c.between(0.06, 0.1)
        pitch = curve(length, [(0, 420), (0.5, 780 if long else 520), (1, 600 if long else 380)])
        wave = level(call(pitch, ((900, 300, 1), (1800, 500, 0.7)), 0.5), 0.25)
        c.add(
            (wave * ends(len(wave), 0.01, length / 2)).astype(np.float32), at, c.between(0.5, 1), c.between(-0.6, 0.6)
        )
