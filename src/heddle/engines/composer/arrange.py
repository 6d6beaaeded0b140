"""The arrangement: chords, accompaniment, bass and drums for every bar, from a style's patterns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from heddle.engines.composer import styles
from heddle.engines.composer.score import Meter, Note, Section
from heddle.engines.composer.styles import Style
from heddle.engines.composer.theory import Chord, Key, chord, nearest, voiced

_STRENGTH = {"X": 0.9, "x": 0.72, "o": 0.5}
_SIXTEENTH = 0.25

#: Start, length and strength of one stroke of a pattern, in quarters.
Cell = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar, as the players see it."""

    number: int
    section: Section
    chord: Chord
    following: Chord
    #: The chord as close to the one before as can be.
    voices: tuple[int, ...]
    last_of_section: bool

    def start(self, meter: Meter) -> float:
        """In quarters."""
        return float(self.number * meter.quarters)


def bars(key: Key, style: Style, sections: Sequence[Section]) -> list[Bar]:
    """Harmony: each kind of section has its progression; voices move as little as they can."""
    progressions = style.major if key.mode == "major" else style.minor
    kinds = {"intro": 0, "verse": 0, "chorus": 1, "bridge": 2, "outro": 1}
    chords: list[tuple[Section, Chord]] = []
    for section in sections:
        numerals = progressions[kinds[section.name]].split()
        # A blues goes on through all sections; other progressions begin anew with each.
        first = section.first_bar if len(numerals) > 8 else 0
        chords += [(section, chord(key, numerals[(first + i) % len(numerals)])) for i in range(section.bars)]
    home = chord(key, "I" if key.mode == "major" else "i")
    made: list[Bar] = []
    before: tuple[int, ...] = ()
    for number, (section, now) in enumerate(chords):
        before = voiced(now.tones, before)
        following = chords[number + 1][1] if number + 1 < len(chords) else home
        last = number + 1 == section.first_bar + section.bars
        made.append(
            Bar(number=number, section=section, chord=now, following=following, voices=before, last_of_section=last)
        )
    return made


def hits(pattern: str, meter: Meter) -> Iterator[Cell]:
    """The strokes of a pattern."""
    cells = meter.quarters * 4
    pattern = (pattern * -(-cells // len(pattern)))[:cells]
    for index, cell in enumerate(pattern):
        if cell in _STRENGTH:
            held = 1
            while index + held < cells and pattern[index + held] == "-":
                held += 1
            yield index * _SIXTEENTH, held * _SIXTEENTH, _STRENGTH[cell]


def _row(table: Mapping[str, str], name: str, meter: Meter) -> str:
    """The pattern for this meter, if it has one of its own."""
    return table.get(f"{name}/{meter.signature}", table[name])


def comp(bar: Bar, style: Style, meter: Meter, rng: np.random.Generator) -> list[Note]:
    """Chords in a rhythm, or their tones one after the other."""
    cells = list(hits(_row(styles.RHYTHMS, style.comping, meter), meter))
    if style.comping in styles.BROKEN:
        return _broken(bar, style, meter, cells)
    if style.comping == "jazz":
        cells = [cell for cell in cells if rng.random() >= 0.3]
    notes = _chords(bar, style, meter, cells)
    if style.bass is None:
        # The left hand: nobody else plays the root.
        root = nearest(43, (bar.chord.root,))
        held = meter.quarters * 0.95
        notes.append(Note(start=bar.start(meter), length=held, pitch=root, velocity=0.6, part="comp"))
    return notes


def _broken(bar: Bar, style: Style, meter: Meter, cells: Sequence[Cell]) -> list[Note]:
    order, start, touch = _order(style.comping, bar.voices), bar.start(meter), 0.6 + 0.35 * bar.section.energy
    return [
        Note(start=start + at, length=length * 1.6, pitch=order[i % len(order)], velocity=v * touch, part="comp")
        for i, (at, length, v) in enumerate(cells)
    ]


def _chords(bar: Bar, style: Style, meter: Meter, cells: Sequence[Cell]) -> list[Note]:
    """All tones at once, or from string to string."""
    strum = 0.02 if style.comp in {"guitar", "clean guitar", "power guitar", "harp"} else 0.004
    tones = _power(bar) if style.comp == "power guitar" else bar.voices
    start, touch = bar.start(meter), 0.6 + 0.35 * bar.section.energy
    return [
        Note(start=start + at + i * strum, length=length * 0.95, pitch=p, velocity=v * touch, part="comp")
        for at, length, v in cells
        for i, p in enumerate(tones)
    ]


def _power(bar: Bar) -> tuple[int, ...]:
    root = nearest(48, (bar.chord.root,))
    return (root, root + 7, root + 12)


def _order(comping: str, voices: Sequence[int]) -> tuple[int, ...]:
    low, *upper = voices
    match comping:
        case "alberti":
            return (low, voices[-1], voices[len(voices) // 2], voices[-1])
        case "picking":
            return (low - 12, voices[1], voices[-1], voices[1], low, voices[-1], voices[1], voices[-1])
        case "ostinato":
            return (low, low, voices[1], low, voices[-1], low, voices[1], low)
        case "rolling":
            return (low - 12, low, *upper, low + 12, *reversed(upper))
        case _:
            return (low, *upper, low + 12, *reversed(upper))


def pad(bar: Bar, meter: Meter) -> list[Note]:
    """The chord, held through the bar."""
    velocity = 0.4 + 0.25 * bar.section.energy
    return [
        Note(start=bar.start(meter), length=meter.quarters * 1.0, pitch=p, velocity=velocity, part="pad")
        for p in bar.voices
    ]


def bass(bar: Bar, style: Style, meter: Meter, rng: np.random.Generator) -> list[Note]:
    """The root, and what leads from it to the next one."""
    root = nearest(40, (bar.chord.root,))
    fifth = root + (bar.chord.tones[2] - bar.chord.root) % 12
    start = bar.start(meter)
    notes: list[Note] = []
    pattern = _row(styles.BASSLINES, style.bassline, meter)
    for index, (at, length, strength) in enumerate(hits(pattern, meter)):
        pitch = _bass_pitch(style.bassline, index, at, (root, fifth), bar, meter, rng)
        if at == 0 and style.bassline == "waltz" and bar.number % 2:
            pitch = fifth if fifth < 48 else fifth - 12
        notes.append(Note(start=start + at, length=length * 0.92, pitch=pitch, velocity=strength, part="bass"))
    return notes


def _bass_pitch(
    line: str, index: int, at: float, tones: tuple[int, int], bar: Bar, meter: Meter, rng: np.random.Generator
) -> int:
    root, fifth = tones
    if line == "walking":
        if at >= meter.quarters - 1:
            # A half step beside the next root, from whichever side is nearer.
            target = nearest(root, (bar.following.root,))
            return target + (1 if target < root else -1)
        third = root + (bar.chord.tones[1] - bar.chord.root) % 12
        return (root, third, fifth)[index % 3] if rng.random() < 0.7 else (root, fifth, third)[index % 3]
    if line == "octaves":
        return root + (12 if index % 2 else 0)
    if line == "funk":
        return (root, root + 12, fifth, root, root, root + 12, fifth)[index % 7]
    if line in {"bossa", "reggae", "roots"}:
        return root if index % 2 == 0 else fifth if fifth < 50 else fifth - 12
    return root


def drums(bar: Bar, style: Style, meter: Meter, rng: np.random.Generator) -> list[Note]:
    """The pattern, thinner where there is less energy; a fill leads to the next section, which a cymbal opens."""
    assert style.drums is not None
    rows = styles.DRUMS.get(f"any/{meter.signature}") if meter.quarters == 3 else None
    start, energy = bar.start(meter), bar.section.energy
    filling = meter.quarters - (1.0 if meter.quarters < 4 else 1.5) if bar.last_of_section and bar.number else 99.0
    notes: list[Note] = []
    for drum, pattern in (rows or styles.DRUMS[style.drums]).items():
        if energy < 0.5 and drum in {styles.SNARE, styles.CLAP, styles.KICK}:
            continue
        for at, _, strength in hits(pattern, meter):
            if at < filling and (strength > 0.5 or rng.random() < 0.4 + 0.6 * energy):
                notes.append(_drum(start + at, drum, strength * (0.7 + 0.3 * energy)))
    if filling < 99:
        notes += _fill(start, filling, meter, energy, rng)
    if bar.number == bar.section.first_bar and bar.number and energy > 0.6:
        notes.append(_drum(start, styles.CRASH, 0.7))
    return notes


def _fill(start: float, at: float, meter: Meter, energy: float, rng: np.random.Generator) -> list[Note]:
    """Down the drums, in sixteenths or eighths."""
    step = 0.25 if energy > 0.6 else 0.5
    count = round((meter.quarters - at) / step)
    voices = (styles.SNARE, *styles.TOMS)
    return [
        _drum(start + at + i * step, voices[min(3, i * 4 // count)], 0.55 + 0.35 * i / count)
        for i in range(count)
        if i == 0 or rng.random() < 0.85
    ]


def _drum(start: float, drum: int, strength: float) -> Note:
    return Note(start=start, length=0.2, pitch=drum, velocity=min(1.0, strength), part="drums")
