"""What a source puts its sound on: two channels of silence, a place to stand, and chance of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from heddle.studio.acoustics import RATE, Gain, Sound, Wave, filtered, level, noise, placed, sides

#: Beds longer than this are made once and laid end to end.
_LONGEST_BED_S = 24.0
_SEAM_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What was said of a source."""

    #: 0 hardly any, 1 as much as there may be.
    amount: float = 0.6
    #: How fast, 1 as usual.
    pace: float = 1.0
    #: How many strikes, calls or knocks; None: as many as fit.
    count: int | None = None
    #: What it happens on: `tin`, `wood`, `gravel`, ...
    surface: str | None = None


class Canvas:
    """Sound of one source, while it is made."""

    def __init__(self, length: float, ask: Ask, rng: np.random.Generator) -> None:
        self.length = length
        self.count = max(1, round(length * RATE))
        self.ask = ask
        self.rng = rng
        #: Where it stands when nobody says, -1 left to 1 right.
        self.home = float(rng.uniform(-0.35, 0.35))
        self.sound: Sound = np.zeros((self.count, 2), np.float32)

    def between(self, low: float, high: float) -> float:
        """A number by chance."""
        return float(self.rng.uniform(low, high))

    def add(self, wave: Wave, at: float, gain: float = 1.0, side: float | None = None) -> None:
        """One event; what would be past the end is cut off."""
        start = round(at * RATE)
        if start >= self.count or start + len(wave) <= 0:
            return
        wave = wave[max(0, -start) : self.count - start]
        start = max(0, start)
        left, right = sides(self.home if side is None else side)
        self.sound[start : start + len(wave), 0] += wave * (left * np.float32(gain))
        self.sound[start : start + len(wave), 1] += wave * (right * np.float32(gain))

    def lay(self, wave: Wave, gain: float = 1.0, side: float | Wave | None = None) -> None:
        """One channel for the whole length."""
        self.sound += placed(self.fit(wave), self.home if side is None else side) * np.float32(gain)

    def wide(self, make: Callable[[int], Wave], gain: float | Wave = 1.0) -> None:
        """A bed that comes from everywhere: made once for each speaker, from a number of samples."""
        for channel in range(2):
            self.sound[:, channel] += self.bed(make) * np.asarray(gain, np.float32)

    def hiss(self, slope: float, gain_of: Gain, gain: float | Wave = 1.0) -> None:
        """A bed of noise of one color."""
        self.wide(lambda count: level(filtered(noise(self.rng, count, slope), gain_of)), gain)

    def bed(self, make: Callable[[int], Wave]) -> Wave:
        """A wave as long as the canvas; a long one is laid together from a shorter one whose seams are not heard."""
        most = round(_LONGEST_BED_S * RATE)
        if self.count <= most:
            return self.fit(make(self.count))
        seam = round(_SEAM_S * RATE)
        piece = make(most)
        rise = np.sqrt(np.linspace(0, 1, seam, dtype=np.float32))
        body = piece[: most - seam].copy()
        body[:seam] = body[:seam] * rise + piece[most - seam :] * rise[::-1]
        return np.tile(body, -(-self.count // len(body)))[: self.count]

    def fit(self, wave: Wave) -> Wave:
        """As long as the canvas."""
        return np.pad(wave, (0, max(0, self.count - len(wave))))[: self.count]

    def specks(self, per_second: float, count: int | None = None) -> Wave:
        """Single samples at random moments, few of them strong."""
        wave = np.zeros(self.count if count is None else count, np.float32)
        many = int(self.rng.poisson(per_second * len(wave) / RATE))
        strengths = np.minimum(3.5, self.rng.exponential(0.9, many)).astype(np.float32)
        np.add.at(wave, self.rng.integers(0, len(wave), many), strengths)
        return wave

    def scatter(self, grains: Sequence[Wave], per_second: float, spread: float = 0.9, gain: float = 1.0) -> None:
        """Short sounds at random moments and places."""
        many = int(self.rng.poisson(per_second * self.length))
        for at, which, place, strength in zip(
            self.rng.uniform(0, self.length, many),
            self.rng.integers(0, len(grains), many),
            self.rng.uniform(-spread, spread, many),
            self.rng.exponential(0.5, many) + 0.15,
            strict=True,
        ):
            self.add(grains[int(which)], float(at), gain * min(2.0, float(strength)), float(place))

    def moments(self, every: float, wander: float = 0.25, first: float | None = None) -> list[float]:
        """When it happens: about every so many seconds, faster with the pace, as often as asked for."""
        gap = every / self.ask.pace
        if self.ask.count is not None:
            gap = min(gap, self.length / (self.ask.count + 0.5))
        at = min(self.between(0.05, 0.35) * gap if first is None else first, self.length / 4)
        found: list[float] = []
        while at < self.length and len(found) < (self.ask.count or 4000):
            found.append(at)
            at += gap * (1 + self.between(-wander, wander))
        return found
