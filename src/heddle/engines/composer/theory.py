"""Keys, scales and chords. Pitches are MIDI numbers, pitch classes 0 (C) to 11."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_LETTERS: Mapping[str, int] = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SHARPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_FLATS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_SCALES: Mapping[str, tuple[int, ...]] = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
_NUMERALS = ("I", "II", "III", "IV", "V", "VI", "VII")
_NUMERAL = re.compile(r"(b?)(VII|VI|IV|V|III|II|I|vii|vi|iv|v|iii|ii|i)(.*)")
_EXTRAS: Mapping[str, tuple[int, ...]] = {
    "": (),
    "7": (10,),
    "maj7": (11,),
    "9": (10, 14),
    "maj9": (11, 14),
    "6": (9,),
    "add9": (14,),
}
#: Sharps (or, below 0, flats) of the major keys.
_SIGNATURES: Mapping[str, int] = {
    "C": 0,
    "G": 1,
    "D": 2,
    "A": 3,
    "E": 4,
    "B": 5,
    "F#": 6,
    "C#": 7,
    "D#": -3,
    "G#": -4,
    "A#": -2,
    "F": -1,
    "Bb": -2,
    "Eb": -3,
    "Ab": -4,
    "Db": -5,
    "Gb": -6,
}


def pitch_class(name: str) -> int:
    """Of a note's name."""
    return (_LETTERS[name[0]] + name.count("#") - name.count("b")) % 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A tonic and its mode."""

    tonic: str
    mode: str

    @classmethod
    def named(cls, name: str) -> Key:
        """`A minor`."""
        tonic, mode = name.split()
        return cls(tonic=tonic, mode=mode)

    @property
    def root(self) -> int:
        """The pitch class of the tonic."""
        return pitch_class(self.tonic)

    @property
    def scale(self) -> tuple[int, ...]:
        """The pitch classes of the key."""
        return tuple((self.root + step) % 12 for step in _SCALES[self.mode])

    @property
    def sharps(self) -> int:
        """Sharps of the key signature, negative for flats; a minor key has those of its relative."""
        if self.mode == "major":
            return _SIGNATURES[self.tonic]
        relative = (self.root + 3) % 12
        names = _FLATS if "b" in self.tonic or self.tonic in {"C", "F", "G", "D"} else _SHARPS
        return _SIGNATURES[names[relative]]

    def spelled(self, pitch: int) -> str:
        """A pitch class's name as this key would write it."""
        return (_FLATS if self.sharps < 0 else _SHARPS)[pitch % 12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chord:
    """A root and what stands on it."""

    name: str
    root: int
    #: Pitch classes, the root first.
    tones: tuple[int, ...]


def chord(key: Key, numeral: str) -> Chord:
    """`V7` or `bVII` of a key: capitals are major, small letters minor; `o` is diminished, `sus` suspended."""
    found = _NUMERAL.fullmatch(numeral)
    assert found is not None, numeral
    flat, degree, suffix = found.groups()
    root = (key.root + _SCALES[key.mode][_NUMERALS.index(degree.upper())] - len(flat)) % 12
    minor = degree.islower()
    if suffix.startswith("o"):
        triad, suffix, quality = (0, 3, 6), suffix[1:], "dim"
    elif suffix.startswith("sus"):
        triad, suffix, quality = (0, 5, 7), "", "sus4"
    else:
        triad, quality = ((0, 3, 7) if minor else (0, 4, 7)), "m" if minor else ""
    tones = tuple((root + step) % 12 for step in (*triad, *_EXTRAS[suffix]))
    return Chord(name=f"{key.spelled(root)}{quality}{suffix}", root=root, tones=tones)


def voiced(tones: Sequence[int], before: Sequence[int], center: int = 62) -> tuple[int, ...]:
    """A chord close to the one before: the inversion and octave whose voices move least."""
    most = tones[:4] if len(tones) <= 4 else (tones[1], tones[3], tones[4], tones[2])
    best: tuple[float, tuple[int, ...]] | None = None
    for turn in range(len(most)):
        for octave in (-12, 0, 12):
            pitches = _stacked([*most[turn:], *most[:turn]], center - 6 + octave)
            middle = sum(pitches) / len(pitches)
            if abs(middle - center) > 7:
                continue
            cost = sum(min(abs(p - q) for q in before) for p in pitches) if before else 0.0
            cost += 0.4 * abs(middle - center)
            if best is None or cost < best[0]:
                best = (cost, pitches)
    assert best is not None
    return best[1]


def _stacked(classes: Sequence[int], bottom: int) -> tuple[int, ...]:
    """Upward from `bottom`, each the next of its class."""
    pitches: list[int] = []
    floor = bottom
    for wanted in classes:
        pitch = floor + (wanted - floor) % 12
        pitches.append(pitch)
        floor = pitch + 1
    return tuple(pitches)


def nearest(pitch: float, classes: Sequence[int]) -> int:
    """The pitch of one of these classes that is closest."""
    around = range(round(pitch) - 7, round(pitch) + 8)
    return min((p for p in around if p % 12 in classes), key=lambda p: (abs(p - pitch), p))


def stepped(pitch: int, steps: int, scale: Sequence[int]) -> int:
    """So many steps of a scale up or down."""
    now = nearest(pitch, scale)
    direction = 1 if steps > 0 else -1
    for _ in range(abs(steps)):
        now += direction
        while now % 12 not in scale:
            now += direction
    return now
