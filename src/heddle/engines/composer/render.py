"""A score as sound: every note by its instrument, players at their places, one room, one loudness."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from heddle.engines.composer.instruments import INSTRUMENTS, drum, hertz
from heddle.engines.composer.score import Note, Part, Score
from heddle.engines.composer.styles import Style
from heddle.studio import loudness
from heddle.studio.acoustics import (
    RATE,
    Room,
    Sound,
    Wave,
    answered,
    band,
    chance,
    decibels,
    ends,
    filtered,
    sides,
)

Report = Callable[[float], None]

#: A note that sounded like this is kept, because music repeats itself.
_KEPT = 600
_FADE_S = 0.6


def rendered(score: Score, style: Style, report: Report) -> Sound:
    """Two channels, exactly as long as the score."""
    count = round(score.seconds * RATE)
    dry, wet = np.zeros((count, 2), np.float32), np.zeros((count, 2), np.float32)
    for index, part in enumerate(score.parts):
        bus = _player(score, part, count, lambda share, i=index: report((i + share) / len(score.parts) * 0.8))
        dry += bus
        wet += bus * np.float32(part.send)
    length, share = style.room
    reply = answered(wet, Room(seconds=length, wet=1.0, bright=5200, delay=0.018), chance("room", style.name))
    report(0.9)
    total = (dry + reply * np.float32(share * 2)).astype(np.float32)
    finished = np.stack([filtered(total[:, c], band(28, style.bright)) for c in range(2)], axis=1)
    finished *= ends(count, 0.003, min(_FADE_S, score.seconds / 4))[:, None]
    return loudness.normalized(_glued(finished), RATE)


def _glued(sound: Sound) -> Sound:
    """Peaks are bent a little before the limiter sees them."""
    top = float(np.abs(sound).max(initial=0.0))
    if top <= 0:
        return sound
    bend = np.float32(top * 0.75)
    return (np.tanh(sound / bend) * bend).astype(np.float32)


def _player(score: Score, part: Part, count: int, report: Report) -> Sound:
    """Everything that one player plays, as loud as its part is to be."""
    notes = [note for note in score.notes if note.part == part.name]
    bus = np.zeros((count, 2), np.float32)
    kept: dict[tuple[int, int, int], Wave] = {}
    for index, note in enumerate(notes):
        start = round(score.at(note.start) * RATE)
        wave = _note(score, part, note, kept)[: max(0, count - start)]
        left, right = sides(_side(part, note))
        strength = np.float32(note.velocity**1.4 * 0.2)
        bus[start : start + len(wave), 0] += wave * (left * strength)
        bus[start : start + len(wave), 1] += wave * (right * strength)
        if index % 16 == 0:
            report(index / len(notes))
    had = loudness.integrated(bus, RATE)
    return bus * np.float32(decibels(part.level - had)) if had > loudness.SILENCE else bus


def _side(part: Part, note: Note) -> float:
    """Low keys are left and high ones right; a kit is spread out."""
    if part.name == "drums":
        return {42: 0.3, 46: 0.3, 51: -0.35, 49: -0.4, 70: 0.45, 50: -0.3, 47: 0.0, 45: 0.35}.get(note.pitch, 0.0)
    if part.name in {"comp", "pad"}:
        return max(-0.8, min(0.8, part.side + (note.pitch - 62) / 40))
    return part.side


def _note(score: Score, part: Part, note: Note, kept: dict[tuple[int, int, int], Wave]) -> Wave:
    if part.name == "drums":
        return drum(note.pitch)
    length = max(0.06, score.at(note.length))
    # Lengths in hundredths and strengths in eighths: what differs by less sounds the same.
    key = (note.pitch, round(length * 50), round(note.velocity * 8))
    if key not in kept:
        if len(kept) >= _KEPT:
            kept.clear()
        kept[key] = INSTRUMENTS[part.instrument](hertz(note.pitch), key[1] / 50, key[2] / 8)
    return kept[key]
