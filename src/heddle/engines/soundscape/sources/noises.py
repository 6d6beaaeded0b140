"""Plain noise, radio, blasts, and the sounds of stories."""

from __future__ import annotations

import numpy as np

from heddle.engines.soundscape.canvas import Canvas
from heddle.engines.soundscape.sources import source
from heddle.studio.acoustics import (
    band,
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


@source("white noise", "noise", trim=-3)
def white(c: Canvas) -> None:
    """The same power at every frequency."""
    c.wide(lambda n: noise(c.rng, n))


@source("pink noise")
def pink(c: Canvas) -> None:
    """The same power in every octave."""
    c.wide(lambda n: noise(c.rng, n, 1.0))


@source("brown noise", "red noise, brownian noise")
def brown(c: Canvas) -> None:
    """Deep."""
    c.wide(lambda n: noise(c.rng, n, 2.0))


@source("static", "radio static, radio, television static, vinyl crackle, tape hiss, interference", trim=-2)
def static(c: Canvas) -> None:
    """A receiver between two stations."""
    c.hiss(0.2, band(300, 5000), drift(c.rng, c.count, 0.4, 0.4, 1.0))
    c.wide(lambda n: filtered(c.specks(18, n), band(500, 6000)) * 10)
    c.lay(np.sin(phase(drift(c.rng, c.count, 1.8, 500, 2600))) * drift(c.rng, c.count, 1.1, 0, 1.0) ** 4, 0.2, 0.0)


@source("explosion", "explosions, blast, bomb, cannon, gunshot, gunshots, shot", trim=4, strikes=True)
def explosion(c: Canvas) -> None:
    """A blow, and what falls after."""
    for at in c.moments(4.0, 0.3, 0.2):
        t = seconds(3.2)
        blow = level(filtered(noise(c.rng, len(t), 0.6), low(2500))) * np.exp(-t * 9)
        boom = level(filtered(noise(c.rng, len(t), 1.7), band(25, 160))) * np.exp(-t * 1.7)
        debris = filtered(c.specks(90, len(t)), band(800, 5000)) * 5 * np.exp(-t * 1.5) * (t > 0.2)
        c.add(((blow + boom + 0.5 * debris) * ends(len(t), 0.002, 0.8)).astype(np.float32), at, 0.7, c.home)


@source("fireworks", "firework, firecrackers", trim=1)
def fireworks(c: Canvas) -> None:
    """Whistle, boom, crackle."""
    for at in c.moments(2.2 - c.ask.amount, wander=0.5):
        side = c.between(-0.8, 0.8)
        rise = curve(0.8, [(0, 700), (1, 2300)])
        c.add((np.sin(phase(rise)) * ends(len(rise), 0.2, 0.2)).astype(np.float32), at, 0.12, side)
        t = seconds(2.0)
        boom = level(filtered(noise(c.rng, len(t), 1.4), band(40, 500))) * np.exp(-t * 6)
        crackle = filtered(c.specks(160, len(t)), band(1800, 9000)) * 6 * curve(2.0, [(0, 0), (0.2, 1), (1, 0)])
        c.add((boom + 0.4 * crackle).astype(np.float32), at + 0.85, c.between(0.5, 1), side)


@source("sonar", "submarine, ping", strikes=True)
def sonar(c: Canvas) -> None:
    """A ping, and its answer."""
    ping = ring(1.6, [(1040, 1, 1.4), (1043, 0.5, 1.2)], 0.008)
    for at in c.moments(2.6, 0.02, 0.2):
        c.add(ping, at, 0.8, 0.0)
        c.add(ping, at + 0.85, 0.12, 0.5)


@source("laser", "lasers, laser gun, zap, phaser, lightsaber", strikes=True)
def laser(c: Canvas) -> None:
    """A fall through four octaves."""
    for at in c.moments(0.8, wander=0.4):
        pitch = curve(0.35, [(0, 3200), (0.3, 1100), (1, 180)]) * np.float32(c.between(0.8, 1.2))
        angle = phase(pitch)
        c.add(
            ((np.sin(angle) + 0.4 * np.sin(2 * angle)) * ends(len(angle), 0.004, 0.15)).astype(np.float32),
            at,
            0.5,
            c.between(-0.6, 0.6),
        )


@source("beeps", "beep, robot, computer, bleeps, electronic beeps, droid, ufo", trim=-3, strikes=True)
def beeps(c: Canvas) -> None:
    """A machine thinks aloud."""
    for at in c.moments(0.22, wander=0.5):
        length = c.between(0.05, 0.16)
        pitch = curve(length, [(0, c.between(400, 2400)), (1, c.between(400, 2400))])
        c.add((np.sin(phase(pitch)) * ends(len(pitch), 0.005, 0.02)).astype(np.float32), at, 0.4, c.home)


@source("whoosh", "swoosh, swish, whooshing", strikes=True)
def whoosh(c: Canvas) -> None:
    """Air, from one side to the other."""
    for at in c.moments(1.7, wander=0.3, first=0.1):
        shape = curve(0.9, [(0, 0), (0.55, 1), (1, 0)]) ** 2
        wave = level(filtered(noise(c.rng, len(shape), 0.6), band(300, 3200))) * shape
        third = len(wave) // 3
        direction = 1 if c.rng.random() < 0.5 else -1
        for index in range(3):
            part = np.zeros_like(wave)
            part[index * third : (index + 1) * third] = wave[index * third : (index + 1) * third]
            c.add(filtered(part, low(6000)), at, 0.8, direction * (index - 1) * 0.8)


@source("drone tone", "ambience, ambient, room tone, atmosphere, background noise", trim=-4)
def ambience(c: Canvas) -> None:
    """Still air and a soft chord far away: what is played when nothing was understood."""
    c.hiss(1.3, band(60, 1200, 1), drift(c.rng, c.count, 4, 0.25, 0.5))
    for hertz in (110.0, 164.8, 220.0):
        c.lay(
            np.sin(phase(drift(c.rng, c.count, 3, hertz * 0.997, hertz * 1.003))) * drift(c.rng, c.count, 5, 0.2, 1),
            0.35,
            c.between(-0.6, 0.6),
        )


@source("whistle", "whistling, referee whistle, flute", strikes=True)
def whistle(c: Canvas) -> None:
    """With a pea in it."""
    for at in c.moments(1.9, wander=0.2, first=0.1):
        t = seconds(0.6)
        tone = phase((2850 + 130 * np.sin(2 * np.pi * 36 * t)).astype(np.float32))
        wave = np.sin(tone) * (0.75 + 0.25 * np.sin(2 * np.pi * 36 * t)) + 0.1 * filtered(
            noise(c.rng, len(t)), high(2500)
        )
        c.add((wave * ends(len(t), 0.02, 0.08)).astype(np.float32), at, 0.5)


@source("ghost", "spooky, scary, horror, haunted, eerie")
def ghost(c: Canvas) -> None:
    """A voice without a mouth, and a low breath."""
    c.hiss(1.5, band(40, 300), drift(c.rng, c.count, 2.5, 0.2, 1.0))
    for _ in range(3):
        pitch = drift(c.rng, c.count, 1.2, 280, 620)
        swell = np.clip(drift(c.rng, c.count, 1.8, -0.6, 1.0), 0, 1)
        body = filtered(
            (np.sin(phase(pitch)) + 0.2 * noise(c.rng, c.count)).astype(np.float32),
            peaks((420, 200, 1), (800, 250, 0.5)),
        )
        c.lay(level(body) * swell, 0.5, c.between(-0.8, 0.8))
