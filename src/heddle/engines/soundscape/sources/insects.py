"""Crickets, cicadas, bees."""

from __future__ import annotations

import numpy as np

from heddle.engines.soundscape.canvas import Canvas
from heddle.engines.soundscape.sources import source
from heddle.studio.acoustics import band, drift, filtered, level, low, noise, overtones, phase, seconds


@source("crickets", "cricket, grasshopper, grasshoppers", trim=-5)
def crickets(c: Canvas) -> None:
    """Each chirps three short pulses, at its own pitch and pace."""
    for _ in range(2 + round(6 * c.ask.amount)):
        hertz, every = c.between(3900, 5100), c.between(0.36, 0.6) / c.ask.pace
        t = seconds(c.length) + np.float32(c.between(0, 1))
        within = np.mod(t, np.float32(every)) * 32
        pulses = np.where(within < 3, np.sin(np.pi * within) ** 2, 0)
        gain = c.between(0.2, 1.0) * drift(c.rng, c.count, 6, 0.4, 1.0)
        tone = np.sin(np.float32(2 * np.pi) * np.mod(np.float64(hertz) * t, 1).astype(np.float32))
        c.lay((tone * pulses * gain).astype(np.float32), 1.0, c.between(-0.95, 0.95))


@source("cicadas", "cicada, locusts", trim=-5)
def cicadas(c: Canvas) -> None:
    """A dry rasp that swells and stops."""
    for _ in range(2 + round(3 * c.ask.amount)):
        center, rate = c.between(4500, 7000), c.between(90, 150)
        t = seconds(c.length)
        rasp = 0.5 + 0.5 * np.sin(np.float32(2 * np.pi * rate) * t)
        swell = drift(c.rng, c.count, 2.5, 0.05, 1.0) ** 1.5
        body = c.bed(lambda n, f=center: level(filtered(noise(c.rng, n), band(f * 0.85, f * 1.2, 3))))
        c.lay((body * rasp * swell).astype(np.float32), 1.0, c.between(-0.9, 0.9))


@source("bees", "bee, buzzing, buzz, wasp, wasps, fly, flies, mosquito, hornet, swarm, beehive", trim=-3)
def bees(c: Canvas) -> None:
    """Each flies around: pitch, place and nearness wander."""
    for _ in range(1 + round(5 * c.ask.amount)):
        pitch = drift(c.rng, c.count, 0.35, 0.92, 1.08) * np.float32(c.between(165, 240))
        angle = phase(pitch)
        wave = overtones(angle, 12, 0.9)
        near = drift(c.rng, c.count, 0.9, 0.05, 1.0) ** 2
        side = drift(c.rng, c.count, 1.1, -0.95, 0.95)
        c.lay(filtered((wave * near).astype(np.float32), low(2600)), 0.3, side)
