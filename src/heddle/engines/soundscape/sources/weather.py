"""Rain, hail, wind, leaves, thunder, fire."""

from __future__ import annotations

import numpy as np

from heddle.engines.soundscape.canvas import Canvas
from heddle.engines.soundscape.sources import source
from heddle.studio.acoustics import (
    Gain,
    Wave,
    band,
    drift,
    ends,
    filtered,
    high,
    level,
    low,
    noise,
    peaks,
    ring,
    seconds,
)

#: What drops sound like on something: resonances, and how strong they are beside the rain in the air.
_DROPS: dict[str, tuple[Gain, float]] = {
    "tin": (peaks((620, 40, 1), (1130, 60, 1), (1870, 80, 0.9), (2950, 120, 0.7), (4300, 160, 0.5)), 1.3),
    "glass": (peaks((1750, 200, 1), (3100, 260, 0.8), (5200, 400, 0.5)), 0.9),
    "wood": (peaks((260, 90, 1), (480, 120, 0.8), (900, 200, 0.5)), 1.0),
    "tent": (peaks((180, 120, 1), (420, 200, 0.8), (1000, 600, 0.4)), 1.2),
    "leaves": (band(700, 3200), 0.9),
    "water": (band(1500, 5200), 0.8),
}
_OPEN: tuple[Gain, float] = (band(2200, 9000), 0.5)


@source("rain", "raining, rainfall, raindrops, drizzle, downpour, shower of rain, rainy, pouring")
def rain(c: Canvas) -> None:
    """A hiss from everywhere, and single drops on what is near."""
    amount = c.ask.amount
    gain_of, share = _DROPS.get(c.ask.surface or "", _OPEN)
    c.hiss(0.6, band(500 if amount > 0.7 else 900, 9500, 1), drift(c.rng, c.count, 4, 0.8, 1.0) * (0.25 + amount))
    density = 12 + 260 * amount**2
    c.wide(lambda count: level(filtered(c.specks(density, count), gain_of)), share * (1.2 - 0.6 * amount))
    if c.ask.surface in {"water", None} and amount < 0.9:
        plops = [_plop(c) for _ in range(8)]
        c.scatter(plops, 4 + 10 * amount, gain=0.5)


def _plop(c: Canvas) -> Wave:
    """A bubble under a drop."""
    t = seconds(0.05)
    start = c.between(900, 2600)
    return np.sin(2 * np.pi * (start * t + start * 4 * t * t)) * np.exp(-t * 90) * np.minimum(1, t * 2000)


@source("hail", "hailstones, sleet")
def hail(c: Canvas) -> None:
    """Hard grains on hard ground."""
    c.hiss(0.3, band(1500, 10_000), 0.3 + 0.4 * c.ask.amount)
    stones = [ring(0.06, [(c.between(1500, 5000), 1, 0.03), (c.between(400, 900), 0.7, 0.03)]) for _ in range(12)]
    c.scatter(stones, 15 + 60 * c.ask.amount, gain=3.0)


@source("wind", "windy, breeze, gust, gusts, gale, draft, howling wind, blowing", trim=-1)
def wind(c: Canvas) -> None:
    """Bands of noise that swell one after the other; a strong wind whistles."""
    amount = c.ask.amount
    gust = drift(c.rng, c.count, 3.5 / c.ask.pace, 0.15, 1.0) ** np.float32(0.6 + amount)
    for bottom, top, gain in ((60, 220, 1.0), (200, 600, 0.9), (500, 1300, 0.35 + 0.4 * amount)):
        c.hiss(1.0, band(bottom, top), gain * gust * drift(c.rng, c.count, 1.7, 0.5, 1.0))
    if amount > 0.5:
        for hertz in (470, 640, 850):
            tone = gust**2 * drift(c.rng, c.count, 2.3, 0.0, 1.0) ** 3
            c.wide(lambda count, f=hertz: level(filtered(noise(c.rng, count), peaks((f, 16, 1)))), tone * amount * 0.5)


@source("rustling leaves", "leaves rustling, rustling, rustle, foliage, leaves", trim=-4)
def leaves(c: Canvas) -> None:
    """Dry and bright, in gusts."""
    gust = drift(c.rng, c.count, 2.2, 0.1, 1.0) ** 2
    c.hiss(0.4, band(1800, 8000), gust * 0.6)
    c.wide(lambda count: level(filtered(c.specks(140, count), band(1500, 7000))), gust)


@source("thunder", "thunderclap, thunders, thundering, lightning, rolling thunder", trim=4, strikes=True)
def thunder(c: Canvas) -> None:
    """A crack, and a rumble that rolls away in several waves."""
    for at in c.moments(9 - 3 * c.ask.amount, first=min(0.4, c.length / 10)):
        length = c.between(3.5, 6.0)
        t = seconds(length)
        roll = sum(
            c.between(0.4, 1)
            * np.exp(-np.maximum(0, t - s) * c.between(1.2, 2.5))
            * (t > s)
            * np.minimum(1, (t - s) * 9)
            for s in (0.02, *np.sort(c.rng.uniform(0.2, length * 0.6, 4)))
        )
        rumble = level(filtered(noise(c.rng, len(t), 1.6), band(28, 190)))
        body = level(filtered(noise(c.rng, len(t), 1.0), band(150, 900)))
        crack = level(filtered(noise(c.rng, len(t), 0.5), high(500))) * np.exp(-t * 14) * c.ask.amount
        wave = (rumble + 0.35 * body * np.exp(-t * 0.9)) * roll * np.float32(0.8) + crack * np.float32(0.8)
        c.add((wave * ends(len(t), 0.004, 1.0)).astype(np.float32), at, side=c.between(-0.5, 0.5))


@source("fire", "campfire, bonfire, fireplace, flames, crackling, crackling fire, hearth, burning")
def fire(c: Canvas) -> None:
    """A low breath, crackling in bunches, and a pop now and then."""
    amount = c.ask.amount
    c.hiss(1.4, band(40, 380), drift(c.rng, c.count, 0.8, 0.4, 1.0) * (0.3 + 0.5 * amount))
    c.hiss(0.5, band(2500, 8000), drift(c.rng, c.count, 1.5, 0.05, 0.25))
    for bottom, top in ((1400, 5200), (700, 2600)):
        bunches = drift(c.rng, c.count, 0.4, 0.0, 1.0) ** 3
        c.wide(lambda n, b=bottom, t=top: filtered(c.specks(10 + 22 * amount, n), band(b, t)) * 14, bunches + 0.1)
    pops = [ring(0.09, [(c.between(300, 1200), 1, 0.03), (c.between(1500, 3000), 0.8, 0.02)]) for _ in range(6)]
    c.scatter(pops, 0.8 + amount, spread=0.5, gain=2.5)


@source("snow", "snowfall, snowing", trim=-8)
def snow(c: Canvas) -> None:
    """Nearly nothing: still air."""
    c.hiss(1.0, low(700), drift(c.rng, c.count, 5, 0.4, 1.0))
