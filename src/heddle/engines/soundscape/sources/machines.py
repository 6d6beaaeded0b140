"""Engines, vehicles, alarms, horns, appliances."""

from __future__ import annotations

import numpy as np

from heddle.engines.soundscape.canvas import Canvas
from heddle.engines.soundscape.sources import source
from heddle.studio.acoustics import (
    Wave,
    band,
    curve,
    drift,
    ends,
    filtered,
    high,
    level,
    low,
    noise,
    overtones,
    phase,
    ring,
    seconds,
)


def _motor(c: Canvas, hertz: Wave, rough: float, top: float = 1800) -> Wave:
    """Firing strokes: harmonics, unevenness, and the noise that comes with each stroke."""
    angle = phase(hertz)
    wave = sum(np.sin(k * angle + np.float32(0.7 * k * k)) / np.float32(k**0.55) for k in range(1, 17))
    stroke = (0.5 + 0.5 * np.sin(angle)) ** 4
    air = c.bed(lambda count: level(filtered(noise(c.rng, count, 0.7), band(80, 2500))))[: len(hertz)]
    half = 1 + rough * np.sin(angle / 2)
    return level(filtered((wave * 0.25 * half + air * stroke * 0.4).astype(np.float32), low(top, 1)))


@source("engine", "car engine, motor, car, truck, idling, engine running, tractor, automobile, diesel")
def engine(c: Canvas) -> None:
    """Idles, and is revved now and then."""
    revs = drift(c.rng, c.count, 2.2, 0.0, 1.0) ** 3 * (0.3 + c.ask.amount)
    hertz = (34 + 75 * revs) * c.ask.pace * drift(c.rng, c.count, 0.1, 0.985, 1.015)
    c.lay((_motor(c, hertz.astype(np.float32), 0.35) * (0.5 + 0.6 * revs)).astype(np.float32))


@source("motorcycle", "motorbike, scooter, moped, chainsaw, lawn mower, lawnmower")
def motorcycle(c: Canvas) -> None:
    """Uneven and loud."""
    revs = drift(c.rng, c.count, 1.6, 0.1, 1.0) ** 2
    hertz = ((46 + 130 * revs) * c.ask.pace).astype(np.float32)
    c.lay((_motor(c, hertz, 0.8, 3200) * (0.5 + 0.5 * revs)).astype(np.float32))


@source("traffic", "cars, passing cars, cars passing, highway, road, car passing, passing car, motorway, vehicles")
def traffic(c: Canvas) -> None:
    """Cars come and go, from one side to the other; their pitch drops as they pass."""
    c.hiss(1.2, low(420), 0.2)
    for at in c.moments(3.4 - 1.6 * c.ask.amount, wander=0.5, first=-1.0):
        length = c.between(4.0, 6.0)
        x = (
            np.linspace(-1, 1, round(length * 44_100), dtype=np.float32)
            * np.float32(c.between(18, 30))
            * (1 if c.rng.random() < 0.5 else -1)
        )
        near = 6 / np.sqrt(36 + x * x * 4)
        tires = level(filtered(noise(c.rng, len(x), 0.8), band(250, 2600, 1)))
        pitch = 62 * (1 - 0.07 * np.tanh(np.sign(x[-1]) * x / 5))
        angle = phase(pitch.astype(np.float32))
        motor = overtones(angle, 8, 0.8) * 0.4
        wave = ((tires + motor) * near**1.6 * ends(len(x), 0.8, 0.8)).astype(np.float32)
        start = round(at * 44_100)
        full = np.zeros(c.count, np.float32)
        side = np.zeros(c.count, np.float32)
        first, last = max(0, start), min(c.count, start + len(x))
        if last > first:
            full[first:last], side[first:last] = (
                wave[first - start : last - start],
                (x / 12)[first - start : last - start],
            )
            c.lay(full, c.between(0.4, 0.9), side)


@source("train", "railway, train passing, steam train, locomotive, subway, tram, railroad, trains")
def train(c: Canvas) -> None:
    """Wheels over joints, in pairs, on a deep roll."""
    c.hiss(1.4, band(35, 300), 0.16)
    c.hiss(0.7, band(500, 3000), 0.05)
    for at in c.moments(0.78, wander=0.01, first=0.05):
        for shift, gain in ((0.0, 1.0), (0.13, 0.85), (0.34, 0.7), (0.47, 0.6)):
            t = seconds(0.12)
            clack = 0.25 * level(filtered(noise(c.rng, len(t)), band(700, 3500))) * np.exp(-t * 55)
            c.add(
                (clack + ring(0.12, [(95, 1, 0.08), (240, 0.7, 0.06), (830, 0.35, 0.03)])).astype(np.float32),
                at + shift / c.ask.pace,
                gain,
                c.home,
            )


@source("train whistle", "train horn, whistle of a train", strikes=True)
def train_whistle(c: Canvas) -> None:
    """A chord of pipes, long and short."""
    for at in c.moments(4.5, 0.2, 0.2):
        start = at
        for length in (1.3, 0.5, 1.5):
            t = seconds(length)
            bend = 1 - 0.03 * np.exp(-t * 6)
            wave = sum(
                np.sin(k * phase((f * bend).astype(np.float32))) / np.float32(k**1.5)
                for f in (311, 370, 440, 554)
                for k in (1, 2, 3)
            )
            wave = wave * 0.2 + 0.15 * filtered(noise(c.rng, len(t)), band(800, 4000))
            c.add((wave * ends(len(t), 0.06, 0.25)).astype(np.float32), start, 0.6)
            start += length + 0.15


@source("helicopter", "chopper, helicopters, drone")
def helicopter(c: Canvas) -> None:
    """Blades chop the air; a turbine whines above."""
    rate = 11.5 * c.ask.pace * drift(c.rng, c.count, 2.5, 0.98, 1.02)
    chop = (0.5 + 0.5 * np.sin(phase(rate.astype(np.float32)))) ** 5
    side = drift(c.rng, c.count, 4, -0.6, 0.6)
    body = c.bed(lambda n: level(filtered(noise(c.rng, n, 1.2), band(40, 480))))
    slap = c.bed(lambda n: level(filtered(noise(c.rng, n, 0.6), band(500, 3000))))
    c.lay(((body + 0.3 * slap) * (0.08 + chop)).astype(np.float32), 1.0, side)
    c.lay(np.sin(phase(drift(c.rng, c.count, 1.5, 1480, 1520))), 0.035, side)


@source("airplane", "plane, jet, aircraft, aeroplane, airplanes, planes, flight")
def airplane(c: Canvas) -> None:
    """A roar that passes over."""
    near = curve(c.length, [(0, 0.25), (0.5, 1), (1, 0.3)])
    c.hiss(1.1, band(50, 1400, 1), near)
    pitch = curve(c.length, [(0, 1.06), (0.4, 1.05), (0.6, 0.95), (1, 0.94)])
    wave = (np.sin(phase(pitch * 620)) + 0.6 * np.sin(phase(pitch * 935))) * near**2
    c.lay(wave.astype(np.float32), 0.05, curve(c.length, [(0, -0.8), (1, 0.8)]))


@source("siren", "sirens, police, ambulance, fire truck, police car, police siren")
def siren(c: Canvas) -> None:
    """Wails up and down."""
    t = seconds(c.length)
    wail = 0.5 - 0.5 * np.cos(2 * np.pi * t * np.float32(0.26 * c.ask.pace))
    angle = phase((620 + 800 * wail).astype(np.float32))
    wave = np.sin(angle) + 0.5 * np.sin(2 * angle) + 0.3 * np.sin(3 * angle) + 0.12 * np.sin(5 * angle)
    c.lay(wave.astype(np.float32), 0.4, curve(c.length, [(0, -0.6), (1, 0.6)]))


@source("alarm", "alarm clock, beeping, fire alarm, car alarm, smoke alarm, alert", trim=-2)
def alarm(c: Canvas) -> None:
    """Four beeps and a pause."""
    t = seconds(0.11)
    tone = np.sin(2 * np.pi * 2040 * t) + 0.3 * np.sin(2 * np.pi * 6120 * t)
    beep = (tone * ends(len(t), 0.004, 0.01)).astype(np.float32)
    for at in c.moments(1.0, wander=0.0, first=0.1):
        for index in range(4):
            c.add(beep, at + index * 0.16 / max(1.0, c.ask.pace), 0.5, 0.0)


@source("foghorn", "ship horn, ship, boat horn, fog horn, ferry, horn", strikes=True)
def foghorn(c: Canvas) -> None:
    """Very low, very long."""
    for at in c.moments(6.5, 0.2, 0.3):
        length = 3.0
        t = seconds(length)
        angle = phase((98 * (1 - 0.05 * np.exp(-t * 5))).astype(np.float32))
        wave = overtones(angle, 13, 0.8)
        c.add((filtered(wave, low(900)) * ends(len(t), 0.25, 0.7)).astype(np.float32), at, 0.3)


@source("car horn", "honk, honking, honks, horns", strikes=True)
def car_horn(c: Canvas) -> None:
    """Two tones."""
    for at in c.moments(1.8, wander=0.5):
        length = c.between(0.2, 0.7)
        t = seconds(length)
        wave = sum(
            np.sin(2 * np.pi * np.float32(f * k) * t) / np.float32(k**0.7) for f in (415, 523) for k in range(1, 9)
        )
        c.add(
            (filtered(np.asarray(wave, np.float32), band(300, 4000)) * ends(len(t), 0.02, 0.05)).astype(np.float32),
            at,
            0.25,
            c.between(-0.7, 0.7),
        )


@source(
    "machine",
    "hum, humming, fan, air conditioner, ventilation, refrigerator, fridge, server room, machinery, factory, "
    "generator, vacuum cleaner, spaceship",
    trim=-2,
)
def machine(c: Canvas) -> None:
    """The hum of the mains, and moving air."""
    t = seconds(c.length)
    hum = sum(
        np.sin(2 * np.pi * np.mod(np.float64(50 * k * c.ask.pace) * t, 1)) / k**0.9 for k in (1, 2, 3, 4, 6, 8, 12)
    )
    c.lay(np.asarray(hum, np.float32), 0.16 + 0.1 * c.ask.amount, 0.0)
    c.hiss(0.9, band(120, 2800, 1), drift(c.rng, c.count, 3, 0.4, 0.5))


@source("hammer", "hammering, construction, anvil, blacksmith, metal, sword, swords, clang", strikes=True)
def hammer(c: Canvas) -> None:
    """Metal on metal."""
    hertz = c.between(850, 1100)
    for at in c.moments(0.7, wander=0.08, first=0.1):
        wave = ring(
            0.9,
            [
                (hertz * n, f, s)
                for n, f, s in ((1, 1, 0.6), (2.32, 0.8, 0.5), (3.9, 0.6, 0.35), (5.6, 0.4, 0.2), (0.31, 0.7, 0.08))
            ],
        )
        c.add(wave, at, c.between(0.8, 1.0))


@source("drill", "drilling, saw, sawing, grinder, dentist drill")
def drill(c: Canvas) -> None:
    """Whines and bites."""
    load = np.clip(drift(c.rng, c.count, 1.2, -0.5, 1.3), 0, 1)
    angle = phase((210 - 60 * load).astype(np.float32))
    wave = filtered(overtones(angle, 24, 0.5), band(180, 5500)) * np.minimum(1, load * 4)
    c.lay(wave.astype(np.float32), 0.15)
    c.hiss(0.3, high(2500), 0.3 * load)
