"""Waves, running and falling water, drops, bubbles."""

from __future__ import annotations

import numpy as np

from heddle.engines.soundscape.canvas import Canvas
from heddle.engines.soundscape.sources import source
from heddle.studio.acoustics import Wave, band, curve, drift, filtered, high, level, low, noise, seconds


@source("waves", "wave, ocean, sea, surf, ocean waves, tide, crashing waves, breakers")
def waves(c: Canvas) -> None:
    """Each swells, breaks, and washes back over the sand."""
    amount = c.ask.amount
    c.hiss(1.3, low(500), 0.22 + 0.15 * amount)
    for at in c.moments(7.5 - 2 * amount, wander=0.2, first=-1.5):
        length = c.between(7.5, 10)
        gain = c.between(0.6, 1.0)
        swell = curve(length, [(0, 0), (0.22, 0.5), (0.3, 1), (0.45, 0.6), (1, 0)]) ** 2
        wash = curve(length, [(0, 0), (0.26, 0.05), (0.4, 1), (0.6, 0.5), (1, 0)]) ** 1.5
        place = c.between(-0.4, 0.4)
        for shift in (-0.45, 0.45):
            body = level(filtered(noise(c.rng, len(swell), 1.2), band(60, 900, 1))) * swell
            foam = level(filtered(noise(c.rng, len(swell), 0.5), band(900, 8500, 1))) * wash * 0.45
            c.add((body + foam).astype(np.float32), at, gain * (0.5 + amount), place + shift)


@source("stream", "river, creek, brook, running water, flowing water, babbling brook, babbling, flowing, water")
def stream(c: Canvas) -> None:
    """Many small bubbles over a soft rush."""
    amount = c.ask.amount
    c.hiss(0.9, band(300, 3500, 1), 0.10 + 0.4 * amount**2)
    bubbles = [_bubble(c, c.between(350, 1600)) for _ in range(40)]
    c.scatter(bubbles, 45 + 40 * amount, spread=0.8, gain=0.55)


def _bubble(c: Canvas, hertz: float) -> Wave:
    """Rings at its own pitch, and rises as it comes up."""
    length = c.between(0.03, 0.11)
    t = seconds(length)
    turns = hertz * (t + c.between(0.4, 2.5) * t * t)
    return (np.sin(2 * np.pi * turns) * np.exp(-t * np.float32(6 / length)) * np.minimum(1, t * 700)).astype(np.float32)


@source("waterfall", "waterfalls, cascade, rapids, fountain")
def waterfall(c: Canvas) -> None:
    """Steady, broad, with weight below."""
    c.hiss(0.8, band(90, 9000, 1), drift(c.rng, c.count, 1.5, 0.9, 1.0))
    c.hiss(1.5, low(220), 0.4 * c.ask.amount)
    c.scatter([_bubble(c, c.between(250, 900)) for _ in range(24)], 50, gain=0.5)


@source("dripping", "drip, drips, dripping water, drops, droplets, leaking tap, dripping faucet", trim=-3, strikes=True)
def dripping(c: Canvas) -> None:
    """One drop after the other."""
    for at in c.moments(0.95, wander=0.35):
        c.add(_bubble(c, c.between(700, 1700)), at, c.between(0.6, 1.0), c.home + c.between(-0.25, 0.25))
        c.add(_bubble(c, c.between(1500, 2600)), at + c.between(0.02, 0.05), 0.3)


@source("bubbles", "bubbling, boiling, boiling water, underwater bubbles, fizz, simmering")
def bubbles(c: Canvas) -> None:
    """Gurgling from below."""
    c.hiss(1.2, band(80, 700), 0.12)
    swell = [_bubble(c, c.between(160, 700)) for _ in range(30)]
    c.scatter(swell, 14 + 40 * c.ask.amount, spread=0.6)


@source("splash", "splashes, splashing", strikes=True)
def splash(c: Canvas) -> None:
    """Something falls into water."""
    for at in c.moments(2.6, wander=0.4):
        t = seconds(1.1)
        burst = level(filtered(noise(c.rng, len(t), 0.6), band(300, 7000))) * np.minimum(1, t * 60) * np.exp(-t * 5)
        side = c.home + c.between(-0.3, 0.3)
        c.add(burst.astype(np.float32), at, 0.7, side)
        for _ in range(9):
            c.add(_bubble(c, c.between(300, 1100)), at + c.between(0.08, 0.8), c.between(0.2, 0.7), side)


@source("shower", "bath, tap, faucet, sprinkler")
def shower(c: Canvas) -> None:
    """A hard, narrow rush on tiles."""
    c.hiss(0.2, high(900), drift(c.rng, c.count, 0.7, 0.85, 1.0))
    c.wide(lambda count: level(filtered(c.specks(260, count), band(600, 3500))), 0.7)
