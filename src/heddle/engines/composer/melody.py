"""Melody: a motif, its repetition and its variation, over the chords."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heddle.engines.composer.score import Meter
from heddle.engines.composer.theory import Chord, Key, nearest, stepped


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """One note of a motif: where in the bar, how long, and so many steps of the scale from the one before."""

    start: float
    length: float
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sung:
    """One note of a melody."""

    start: float
    length: float
    pitch: int
    velocity: float


#: Quarters that divide a beat: sparse, usual, busy.
_CELLS: tuple[tuple[tuple[float, ...], ...], ...] = (
    ((2.0,), (1.0, 1.0), (3.0, 1.0), (4.0,)),
    ((1.0,), (0.5, 0.5), (1.5, 0.5), (1.0, 0.5, 0.5), (2.0,)),
    ((0.5, 0.5), (0.75, 0.25), (0.5, 0.25, 0.25), (1.0,), (0.25, 0.25, 0.5), (1.5, 0.5)),
)
_STEPS = (-2, -1, -1, 0, 1, 1, 2, 3, -3)


def motif(rng: np.random.Generator, meter: Meter, density: float) -> tuple[Stroke, ...]:
    """One bar of rhythm and contour."""
    cells = _CELLS[0 if density < 0.6 else 1 if density < 1.15 else 2]
    strokes: list[Stroke] = []
    at = 0.0 if rng.random() < 0.7 else 0.5
    while at < meter.quarters - 0.01:
        for length in cells[int(rng.integers(0, len(cells)))]:
            if at >= meter.quarters - 0.01:
                break
            held = min(length, meter.quarters - at)
            # Breath: now and then nothing, more often late in the bar.
            if not strokes or rng.random() > 0.12 + 0.2 * at / meter.quarters:
                step = int(rng.choice(_STEPS)) if strokes else 0
                strokes.append(Stroke(start=at, length=held, step=step))
            at += length
    return tuple(strokes)


def varied(rng: np.random.Generator, known: Sequence[Stroke]) -> tuple[Stroke, ...]:
    """The same rhythm; some steps turned around, or the end held."""
    turned = tuple(
        Stroke(start=s.start, length=s.length, step=-s.step if rng.random() < 0.25 else s.step) for s in known
    )
    if len(turned) > 2 and rng.random() < 0.5:
        last = turned[-2]
        return (*turned[:-2], Stroke(start=last.start, length=last.length + turned[-1].length, step=last.step))
    return turned


def phrases(
    rng: np.random.Generator, meter: Meter, key: Key, chords: Sequence[Chord], density: float, span: tuple[int, int]
) -> list[Sung]:
    """A melody over these bars, one chord each: motif, motif again, something else, a close; and so on."""
    first, second = motif(rng, meter, density), motif(rng, meter, density * 1.1)
    shapes = (first, varied(rng, first), second, ())
    low, high = span
    pitch = nearest((low + high) / 2, chords[0].tones)
    sung: list[Sung] = []
    for bar, chord in enumerate(chords):
        strokes = shapes[bar % 4] if bar % 8 != 5 else varied(rng, second)
        if bar % 4 == 3 or not strokes:
            strokes = _close(meter, rng)
        for stroke in strokes:
            pitch = _moved(pitch, stroke, chord, key, meter, (low, high))
            strong = stroke.start in meter.beats
            sung.append(
                Sung(
                    start=bar * meter.quarters + stroke.start,
                    length=stroke.length,
                    pitch=pitch,
                    velocity=min(1.0, (0.78 if strong else 0.66) + 0.14 * (pitch - low) / (high - low)),
                )
            )
    return sung


def _close(meter: Meter, rng: np.random.Generator) -> tuple[Stroke, ...]:
    """A long note, and silence to breathe in."""
    lead_in = Stroke(start=0.0, length=1.0, step=int(rng.choice((-1, 1))))
    rest = max(1.0, meter.quarters - 2.0)
    return (lead_in, Stroke(start=1.0, length=rest, step=int(rng.choice((-1, 1)))))


def _moved(pitch: int, stroke: Stroke, chord: Chord, key: Key, meter: Meter, span: tuple[int, int]) -> int:
    """The next pitch: by step; a tone of the chord where the beat is strong or the note long; within the span."""
    low, high = span
    wanted = stepped(pitch, stroke.step, key.scale)
    if wanted > high or wanted < low:
        wanted = stepped(pitch, -stroke.step, key.scale)
    if stroke.start in meter.beats[:: 2 if len(meter.beats) > 2 else 1] or stroke.length >= 1.5:
        wanted = nearest(wanted, chord.tones)
    while wanted > high:
        wanted -= 12
    while wanted < low:
        wanted += 12
    return wanted
