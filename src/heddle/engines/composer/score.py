"""A piece of music as data: what is played when, by whom. Sound and MIDI are both made from it, so they agree."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One note. Times are quarter notes from the beginning."""

    start: float
    length: float
    #: MIDI number; for drums, the number of the drum.
    pitch: int
    #: 0 to 1.
    velocity: float
    part: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A player: `lead`, `comp`, `pad`, `bass` or `drums`."""

    name: str
    instrument: str
    #: LUFS of all that it plays, before the whole is brought to its own loudness.
    level: float
    #: -1 left to 1 right.
    side: float
    #: How much of it goes into the room.
    send: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """2, 3, 4 quarters or 6 eighths in a bar."""

    signature: str = "4"

    @property
    def quarters(self) -> int:
        """The length of a bar in quarter notes."""
        return {"2": 2, "3": 3, "4": 4, "6": 3}[self.signature]

    @property
    def fraction(self) -> tuple[int, int]:
        """As it is written."""
        return (6, 8) if self.signature == "6" else (int(self.signature), 4)

    @property
    def beats(self) -> tuple[float, ...]:
        """Where the beats of a bar are, in quarters: two in 6/8."""
        return (0.0, 1.5) if self.signature == "6" else tuple(float(i) for i in range(self.quarters))


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A stretch of bars with one character."""

    name: str
    first_bar: int
    bars: int
    #: 0 to 1: who plays, and how much.
    energy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A whole piece."""

    bpm: int
    meter: Meter
    key: str
    seconds: float
    sections: tuple[Section, ...]
    #: The chord of each bar, by name.
    chords: tuple[str, ...]
    parts: tuple[Part, ...]
    notes: tuple[Note, ...]

    def at(self, quarters: float) -> float:
        """Seconds from quarter notes."""
        return quarters * 60 / self.bpm
