"""People: many voices, hands, feet, hearts and lungs. Nobody says a word that could be understood."""

from __future__ import annotations

import numpy as np

from heddle.engines.soundscape.canvas import Canvas
from heddle.engines.soundscape.sources import source
from heddle.studio.acoustics import (
    Wave,
    band,
    call,
    curve,
    drift,
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

_VOWELS = (((700, 130, 1.0), (1200, 150, 0.6)), ((350, 90, 1.0), (2000, 200, 0.35)), ((450, 100, 1.0), (850, 120, 0.6)))


@source(
    "crowd",
    "murmur, people talking, people, chatter, voices, talking, conversation, crowd murmur, babble, audience, party",
    trim=-2,
)
def crowd(c: Canvas) -> None:
    """Many voices at once, each with its own pitch, pace and vowels."""
    for index in range(5 + round(6 * c.ask.amount)):
        deep = index % 2 == 0
        wave = c.bed(lambda count, d=deep: _talk(c, count, d))
        c.lay(wave, c.between(0.5, 1.0), c.between(-0.95, 0.95))
    c.hiss(1.0, band(200, 2500), 0.12)


def _talk(c: Canvas, count: int, deep: bool) -> Wave:
    pitch = drift(c.rng, count, 0.3, 0.85, 1.2) * np.float32(c.between(95, 135) if deep else c.between(170, 230))
    buzz = phase(pitch) / np.float32(np.pi) - 1
    spoken = np.zeros(count, np.float32)
    for vowel in _VOWELS:
        spoken += filtered(buzz, peaks(*vowel)) * drift(c.rng, count, 0.13, 0.0, 1.0) ** 2
    syllables = drift(c.rng, count, 0.11, 0.0, 1.0) ** 2
    pauses = np.clip(drift(c.rng, count, 1.3, -0.6, 1.4), 0, 1)
    hiss = filtered(noise(c.rng, count), band(3000, 7000)) * drift(c.rng, count, 0.1, 0.0, 1.0) ** 6 * 0.05
    voice = level((filtered(spoken, low(3500)) * syllables * pauses).astype(np.float32))
    return (voice + hiss * pauses).astype(np.float32)


@source("applause", "clapping, claps, clap, ovation")
def applause(c: Canvas) -> None:
    """Hands, each pair with its own tone."""
    hands: list[Wave] = []
    for _ in range(24):
        t = seconds(0.05)
        center = c.between(900, 2300)
        hands.append(
            (level(filtered(noise(c.rng, len(t)), peaks((center, center * 0.7, 1)))) * np.exp(-t * 140)).astype(
                np.float32
            )
        )
    c.scatter(hands, 30 + 220 * c.ask.amount**2)


@source("cheering", "cheer, cheers, stadium, shouting, screaming fans")
def cheering(c: Canvas) -> None:
    """A roar of many open mouths."""
    swell = drift(c.rng, c.count, 2.0, 0.5, 1.0)
    c.wide(
        lambda n: level(filtered(noise(c.rng, n, 0.7), peaks((750, 300, 1), (1250, 400, 0.9), (2700, 900, 0.4)))), swell
    )
    for _ in range(8):
        wave = c.bed(
            lambda n: level(
                filtered(
                    phase(drift(c.rng, n, 0.5, 260, 420)) - np.float32(np.pi), peaks((900, 300, 1), (1400, 300, 0.8))
                )
            )
        )
        c.lay(wave * drift(c.rng, c.count, 0.8, 0.0, 1.0) ** 2, 0.2, c.between(-0.9, 0.9))


@source("laughter", "laughing, laugh, giggle, giggling, children playing, children")
def laughter(c: Canvas) -> None:
    """Ha, ha, ha; falling."""
    for _ in range(1 + round(3 * c.ask.amount)):
        base, place = c.between(180, 380), c.between(-0.7, 0.7)
        for at in c.moments(2.4, wander=0.4):
            for index in range(int(c.rng.integers(4, 8))):
                length = 0.13
                pitch = curve(length, [(0, 1.1), (1, 0.92)]) * np.float32(base * (1.12 - 0.04 * index))
                wave = level(call(pitch, ((800, 250, 1), (1350, 300, 0.6), (2800, 500, 0.2)), 0.6), 0.25)
                wave += 0.05 * filtered(noise(c.rng, len(wave)), high(1500))
                c.add(
                    (wave * ends(len(wave), 0.02, 0.06)).astype(np.float32),
                    at + index * 0.19,
                    0.9 - 0.08 * index,
                    place,
                )


#: What a step sounds like: thump in Hz, band of the crunch, how long the crunch is, how many grains it has.
_GROUND: dict[str, tuple[float, tuple[float, float], float, float]] = {
    "gravel": (110, (1200, 7000), 0.20, 900),
    "leaves": (90, (1800, 8000), 0.26, 700),
    "snow": (90, (600, 3200), 0.24, 1600),
    "wood": (150, (300, 1500), 0.05, 3000),
    "tin": (240, (700, 4500), 0.12, 4000),
    "water": (120, (500, 5000), 0.30, 2500),
}


@source("footsteps", "footstep, steps, walking, walk, running, footfalls, boots, marching, person walking")
def footsteps(c: Canvas) -> None:
    """Heel and sole, left and right."""
    thump, (bottom, top), length, grains = _GROUND.get(c.ask.surface or "", (140, (900, 4500), 0.06, 3000))
    for index, at in enumerate(c.moments(0.56, wander=0.05)):
        side = c.home + (0.12 if index % 2 else -0.12)
        body = ring(0.16, [(thump * c.between(0.95, 1.05), 1, 0.09), (thump * 2.4, 0.35, 0.05)], 0.003)
        for shift, gain in ((0.0, 1.0), (0.085, 0.6)):
            t = seconds(length)
            crunch = level(filtered(c.specks(grains, len(t)), band(bottom, top)), 0.25)
            shape = np.minimum(1, t * 150) * np.exp(-t * np.float32(4 / length))
            c.add((crunch * shape).astype(np.float32), at + shift / c.ask.pace, gain * c.between(0.8, 1.0), side)
        c.add(body, at, 0.55 * c.between(0.8, 1), side)


@source("heartbeat", "heart beat, heart, heartbeats, pulse, beating heart", trim=2)
def heartbeat(c: Canvas) -> None:
    """Lub, dub."""
    first = ring(0.3, [(52, 1.0, 0.16), (85, 0.6, 0.12), (140, 0.3, 0.07)], 0.012)
    second = ring(0.24, [(68, 0.8, 0.12), (110, 0.5, 0.09), (180, 0.25, 0.05)], 0.008)
    for at in c.moments(0.86, wander=0.015):
        c.add(first, at, 1.0, 0.0)
        c.add(second, at + 0.3 / c.ask.pace, 0.75, 0.0)


@source("breathing", "breath, breaths, snoring, sigh", trim=-3)
def breathing(c: Canvas) -> None:
    """In and out."""
    for at in c.moments(3.4, wander=0.08):
        for shift, length, bottom, top in ((0.0, 1.2, 700, 4500), (1.5, 1.5, 350, 2200)):
            shape = curve(length, [(0, 0), (0.35, 1), (1, 0)]) ** 1.5
            wave = level(filtered(noise(c.rng, len(shape), 0.5), band(bottom, top, 1)), 0.25)
            c.add((wave * shape).astype(np.float32), at + shift / c.ask.pace, 1.0, 0.0)
