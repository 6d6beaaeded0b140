"""Dogs, cats and other animals with a throat, and those with hooves."""

from __future__ import annotations

import numpy as np

from heddle.engines.soundscape.canvas import Canvas
from heddle.engines.soundscape.sources import source
from heddle.studio.acoustics import Wave, band, call, curve, drift, ends, filtered, level, noise, ring, seconds


def _voice(wave: Wave, c: Canvas, rough: float, fade: tuple[float, float]) -> Wave:
    """A call with breath in it, and soft ends."""
    breath = level(filtered(noise(c.rng, len(wave)), band(500, 4000)))
    made = level(wave, 0.25) + breath * np.float32(0.25 * rough)
    return (made * ends(len(wave), *fade)).astype(np.float32)


@source("dog", "bark, barking, barks, puppy, hound, woof")
def dog(c: Canvas) -> None:
    """Barks in twos and threes."""
    size = c.between(0.85, 1.25)
    for at in c.moments(1.5, wander=0.35):
        for index in range(int(c.rng.integers(1, 4))):
            length = c.between(0.14, 0.2)
            pitch = curve(length, [(0, 300), (0.25, 560), (1, 260)]) * np.float32(size * c.between(0.95, 1.05))
            formants = ((620 * size, 260, 1.0), (1150 * size, 320, 0.9), (2600, 700, 0.35))
            c.add(_voice(call(pitch, formants, 0.7), c, 0.5, (0.012, 0.09)), at + index * 0.31 / c.ask.pace)


@source("cat", "meow, meowing, meows, kitten, miaow")
def cat(c: Canvas) -> None:
    """The mouth opens and closes."""
    for at in c.moments(2.2, wander=0.3):
        length = c.between(0.65, 1.0)
        size = c.between(0.95, 1.15)
        pitch = curve(length, [(0, 480), (0.3, 760), (0.6, 700), (1, 430)]) * np.float32(size)
        closed = call(pitch, ((480, 200, 1.0), (2300, 400, 0.3)), 0.8)
        opened = call(pitch, ((950, 300, 1.0), (1750, 400, 0.8), (3400, 600, 0.3)), 0.6)
        mouth = curve(length, [(0, 0), (0.35, 1), (0.65, 0.8), (1, 0)])
        c.add(_voice((closed * (1 - mouth) + opened * mouth).astype(np.float32), c, 0.1, (0.06, 0.2)), at)


@source("purring", "purr, purrs", trim=-4)
def purring(c: Canvas) -> None:
    """A soft rattle, in and out."""
    t = seconds(c.length)
    breath = np.sin(2 * np.pi * t / np.float32(2.6 / c.ask.pace))
    rattle = (0.5 + 0.5 * np.sin(2 * np.pi * np.cumsum(25 + 3 * np.sign(breath)) / 44_100)) ** 6
    body = c.bed(lambda count: level(filtered(noise(c.rng, count, 0.8), band(70, 900))))
    c.lay((body[: len(t)] * rattle * (0.25 + 0.75 * np.abs(breath))).astype(np.float32))


@source("cow", "moo, mooing, cattle, cows")
def cow(c: Canvas) -> None:
    """Long and low."""
    for at in c.moments(4.0, wander=0.4):
        length = c.between(1.4, 2.1)
        pitch = curve(length, [(0, 95), (0.25, 150), (0.8, 140), (1, 95)]) * np.float32(c.between(0.9, 1.1))
        wave = call(pitch, ((320, 160, 1.0), (700, 220, 0.7), (2200, 500, 0.12)), 0.4)
        c.add(_voice(wave, c, 0.08, (0.15, 0.4)), at, side=c.home + c.between(-0.4, 0.4))


@source("sheep", "baa, lamb, goat, bleating, lambs")
def sheep(c: Canvas) -> None:
    """Trembles."""
    for at in c.moments(2.0, wander=0.4):
        length = c.between(0.7, 1.1)
        t = seconds(length)
        size = c.between(0.9, 1.3)
        pitch = np.float32(290 * size) * (1 + 0.035 * np.sin(2 * np.pi * 9 * t))
        wave = call(pitch.astype(np.float32), ((700, 220, 1.0), (1500, 300, 0.7), (2600, 500, 0.4)), 0.5)
        wave *= (0.7 + 0.3 * np.sin(2 * np.pi * 9 * t)).astype(np.float32)
        c.add(_voice(wave, c, 0.15, (0.05, 0.2)), at, side=c.home + c.between(-0.4, 0.4))


@source("wolf", "howl, howling, wolves, coyote, howls")
def wolf(c: Canvas) -> None:
    """Rises, holds, falls."""
    for at in c.moments(3.6, wander=0.3):
        length = c.between(2.6, 4.0)
        pitch = curve(length, [(0, 280), (0.18, 520), (0.3, 600), (0.7, 570), (1, 330)]) * np.float32(
            c.between(0.85, 1.1)
        )
        pitch = pitch * (1 + 0.012 * np.sin(2 * np.pi * 5 * seconds(length))).astype(np.float32)
        c.add(
            _voice(call(pitch, ((600, 350, 1.0), (1200, 300, 0.3)), 1.4), c, 0.05, (0.3, 0.8)),
            at,
            side=c.between(-0.7, 0.7),
        )


@source("pig", "pigs, oink, grunting, boar")
def pig(c: Canvas) -> None:
    """Grunts."""
    for at in c.moments(1.1, wander=0.5):
        length = c.between(0.16, 0.32)
        pitch = curve(length, [(0, 70), (0.5, 105), (1, 60)])
        c.add(_voice(call(pitch, ((420, 200, 1), (1100, 300, 0.8), (1900, 400, 0.5)), 0.2), c, 0.8, (0.02, 0.1)), at)


@source("lion", "roar, roaring, tiger, bear, growl, growling, monster, dragon")
def lion(c: Canvas) -> None:
    """A roar from the chest."""
    for at in c.moments(4.5, wander=0.3):
        length = c.between(1.8, 2.8)
        pitch = curve(length, [(0, 70), (0.2, 130), (0.5, 115), (1, 55)]) * (
            1 + drift(c.rng, round(length * 44_100), 0.03, -0.08, 0.08)
        )
        wave = level(call(pitch.astype(np.float32), ((300, 250, 1), (650, 300, 0.8), (1400, 500, 0.3)), 0.1))
        rattle = (0.6 + 0.4 * np.sin(2 * np.pi * 28 * seconds(length))).astype(np.float32)
        c.add(_voice(wave * rattle, c, 0.6, (0.15, 0.8)), at)


@source("frogs", "frog, toad, toads, croaking, croak, ribbit", trim=-2)
def frogs(c: Canvas) -> None:
    """Each croaks at its own pitch, from its own place."""
    for _ in range(2 + round(5 * c.ask.amount)):
        place, pitch, every = c.between(-0.9, 0.9), c.between(0.8, 1.5), c.between(0.9, 2.2)
        for at in c.moments(every, wander=0.3):
            for shift in (0.0, 0.24):
                length = 0.17
                t = seconds(length)
                pulses = np.maximum(0, np.sin(2 * np.pi * np.float32(38 * pitch) * t)) ** 3
                tone = np.sin(2 * np.pi * np.float32(640 * pitch) * t) + 0.7 * np.sin(
                    2 * np.pi * np.float32(1330 * pitch) * t
                )
                c.add(
                    (tone * pulses * ends(len(t), 0.02, 0.06)).astype(np.float32),
                    at + shift,
                    c.between(0.3, 0.6),
                    place,
                )


@source("horse", "gallop, galloping, hooves, horses, hoofbeats, trotting")
def horse(c: Canvas) -> None:
    """Three beats and a pause."""
    for at in c.moments(0.52, wander=0.04):
        for shift, gain in ((0.0, 0.8), (0.12, 0.7), (0.22, 1.0)):
            hertz = c.between(0.9, 1.1)
            hoof = ring(0.12, [(170 * hertz, 1, 0.06), (620 * hertz, 0.7, 0.03), (1250 * hertz, 0.5, 0.02)])
            c.add(hoof, at + shift / c.ask.pace + c.between(-0.008, 0.008), gain, c.home + c.between(-0.1, 0.1))
