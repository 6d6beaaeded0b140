"""Sounds of a house: clocks, doors, keys, cups, glass, a telephone."""

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
    noise,
    peaks,
    phase,
    ring,
    seconds,
)


@source("clock", "ticking, tick tock, clock ticking, ticking clock, watch, tick, metronome", trim=-2)
def clock(c: Canvas) -> None:
    """Tick, tock."""
    tick = ring(0.07, [(2600, 1, 0.018), (4100, 0.7, 0.012), (900, 0.5, 0.03)])
    tock = ring(0.08, [(1900, 1, 0.02), (3200, 0.6, 0.014), (650, 0.6, 0.035)])
    for index, at in enumerate(c.moments(0.5, wander=0.0, first=0.1)):
        c.add(tock if index % 2 else tick, at)


@source(
    "door knock",
    "knock, knocks, knocking, door knocking, knock on the door, knocks on the door, knock at the door, "
    "knocks at the door, knocking on a door, knocking on the door",
    strikes=True,
)
def knock(c: Canvas) -> None:
    """Knuckles on wood, in groups of three; or as often as asked for."""
    hits = [at + i * 0.23 / c.ask.pace for at in c.moments(2.6, 0.2, 0.25) for i in range(3)]
    if c.ask.count is not None:
        gap = min(0.27 / c.ask.pace, c.length / (c.ask.count + 1))
        hits = [min(0.25, gap) + i * gap for i in range(c.ask.count)]
    for at in hits:
        size = c.between(0.96, 1.04)
        wood = ring(
            0.2, [(165 * size, 1, 0.09), (310 * size, 0.8, 0.07), (560 * size, 0.5, 0.04), (1250 * size, 0.3, 0.015)]
        )
        c.add(wood, at + c.between(-0.01, 0.01), c.between(0.8, 1.0))


@source("door creak", "creak, creaking, creaking door, creaky door, squeak, squeaking, hinge", trim=-2)
def creak(c: Canvas) -> None:
    """Sticks and slips, slower and faster."""
    for at in c.moments(3.0, wander=0.3):
        length = c.between(1.2, 2.0)
        slips = curve(length, [(0, 30), (0.4, 110), (0.7, 60), (1, 160)]) * drift(
            c.rng, round(length * 44_100), 0.08, 0.8, 1.25
        )
        angle = phase(slips.astype(np.float32))
        clicks = np.where(np.diff(angle, prepend=angle[:1]) < 0, 1, 0).astype(np.float32)
        wave = filtered(clicks, peaks((620, 60, 1), (1150, 70, 0.8), (1900, 120, 0.6), (3100, 200, 0.3)))
        c.add((level(wave, 0.2) * ends(len(wave), 0.1, 0.3)).astype(np.float32), at)


@source("door slam", "slam, slamming, door closing, door shutting, closing door", strikes=True)
def slam(c: Canvas) -> None:
    """Weight, then the latch."""
    for at in c.moments(3.5, 0.2, 0.2):
        t = seconds(0.5)
        air = level(filtered(noise(c.rng, len(t), 1.0), band(60, 900))) * np.exp(-t * 16)
        body = ring(0.5, [(75, 1, 0.25), (140, 0.8, 0.18), (230, 0.5, 0.12), (1600, 0.2, 0.02)])
        c.add((0.25 * air + body).astype(np.float32), at)
        c.add(ring(0.05, [(2100, 0.4, 0.02), (3600, 0.3, 0.015)]), at + 0.04)


@source("keyboard", "typing, keyboard typing, typewriter, keystrokes, keyboard clicks", trim=-3)
def keyboard(c: Canvas) -> None:
    """Words and pauses; every key goes down and comes up."""
    at = 0.1
    while at < c.length:
        for _ in range(int(c.rng.integers(2, 9))):
            key = _key(c)
            side = c.home + c.between(-0.2, 0.2)
            c.add(key, at, c.between(0.6, 1.0), side)
            c.add(key, at + c.between(0.06, 0.1), 0.3, side)
            at += c.between(0.08, 0.2) / c.ask.pace
        at += c.between(0.12, 0.6) / c.ask.pace


def _key(c: Canvas) -> Wave:
    size = c.between(0.9, 1.12)
    t = seconds(0.04)
    click = level(filtered(noise(c.rng, len(t)), band(1800, 6500))) * np.exp(-t * 260)
    thock = ring(0.04, [(420 * size, 0.7, 0.02), (1100 * size, 0.4, 0.012)])
    return (0.5 * click + thock).astype(np.float32)


@source("cups", "dishes, cutlery, plates, clinking, glasses, clink, crockery, spoon", trim=-5)
def cups(c: Canvas) -> None:
    """China and spoons, now and then."""
    pieces = [
        ring(0.5, [(f, 1, 0.25), (f * 1.52, 0.7, 0.2), (f * 2.31, 0.5, 0.12)]) for f in c.rng.uniform(1700, 3900, 10)
    ]
    c.scatter(pieces, 0.8 + 1.6 * c.ask.amount, spread=0.8)


@source(
    "glass breaking",
    "breaking glass, shatter, shattering, smashed glass, window breaking, broken glass",
    strikes=True,
)
def shatter(c: Canvas) -> None:
    """A burst, and shards that fall."""
    for at in c.moments(3.2, 0.3, 0.25):
        t = seconds(0.35)
        burst = level(filtered(noise(c.rng, len(t)), high(1800))) * np.exp(-t * 22)
        c.add(burst.astype(np.float32), at, 0.7)
        for _ in range(45):
            hertz = c.between(2200, 8500)
            shard = ring(0.3, [(hertz, 1, 0.12), (hertz * 1.41, 0.6, 0.08)])
            c.add(shard, at + c.rng.exponential(0.22), c.between(0.08, 0.4), c.home + c.between(-0.5, 0.5))


@source("telephone", "phone, phone ringing, ringing phone, telephone ringing, phone ring, ringtone", trim=-1)
def telephone(c: Canvas) -> None:
    """Two bells and a clapper, two seconds on, two off."""
    for at in c.moments(3.4, 0.0, 0.2):
        for index in range(int(1.7 * 22)):
            hertz = 1180 if index % 2 else 1420
            c.add(
                ring(0.35, [(hertz, 1, 0.3), (hertz * 2.7, 0.5, 0.15), (hertz * 5.1, 0.25, 0.08)]), at + index / 22, 0.4
            )


@source("paper", "page turning, pages, book, writing, pencil", trim=-5)
def paper(c: Canvas) -> None:
    """A page is turned."""
    for at in c.moments(1.8, wander=0.4):
        length = c.between(0.35, 0.7)
        shape = curve(length, [(0, 0), (0.3, 1), (0.5, 0.4), (0.8, 0.9), (1, 0)]) ** 2
        grain = c.specks(1500, len(shape)) + np.float32(0.3) * noise(c.rng, len(shape))
        wave = level(filtered(grain.astype(np.float32), band(1500, 9000)), 0.25)
        c.add((wave * shape).astype(np.float32), at, 1.0, c.home + c.between(-0.2, 0.2))


@source("coins", "coin, keys, jingling, jingle", trim=-3)
def coins(c: Canvas) -> None:
    """Small metal."""
    pieces = [
        ring(0.25, [(f, 1, 0.15), (f * 1.83, 0.7, 0.1), (f * 2.9, 0.4, 0.07)]) for f in c.rng.uniform(3200, 6800, 12)
    ]
    for at in c.moments(1.1, wander=0.5):
        for _ in range(int(c.rng.integers(2, 7))):
            c.add(pieces[int(c.rng.integers(0, 12))], at + c.rng.exponential(0.07), c.between(0.2, 0.8), c.home)


@source("kettle", "whistling kettle, teapot, steam")
def kettle(c: Canvas) -> None:
    """Hisses, and begins to sing."""
    rise = curve(c.length, [(0, 0.0), (0.45, 0.3), (0.7, 1), (1, 1)])
    c.hiss(0.3, high(1500), 0.25 + 0.2 * rise)
    tone = phase(2050 + 250 * rise + drift(c.rng, len(rise), 0.2, -12, 12))
    c.lay(((np.sin(tone) + 0.3 * np.sin(2 * tone)) * rise**2 * 0.5).astype(np.float32))


@source("camera", "shutter, camera shutter, photo", strikes=True)
def camera(c: Canvas) -> None:
    """Two clicks."""
    for at in c.moments(1.6, 0.4, 0.2):
        for shift, gain in ((0.0, 1.0), (0.11, 0.8)):
            t = seconds(0.05)
            click = level(filtered(noise(c.rng, len(t)), band(1200, 7000))) * np.exp(-t * 120)
            c.add((click * 0.4).astype(np.float32), at + shift, gain)
            c.add(ring(0.05, [(700, 0.6, 0.02), (1500, 0.4, 0.015)]), at + shift, gain)
