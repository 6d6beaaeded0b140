"""A score as a Standard MIDI File, format 1: a track for the time, and one for each player."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from heddle.engines.composer.score import Note, Part, Score
from heddle.engines.composer.theory import Key

#: Ticks of a quarter note.
TICKS = 480
#: Drums are on the tenth channel.
_DRUMS = 9

#: General MIDI programs, from 0.
PROGRAMS: Mapping[str, int] = {
    "piano": 0, "electric piano": 4, "music box": 10, "bells": 9, "vibraphone": 11, "marimba": 12, "organ": 16,
    "accordion": 21, "guitar": 24, "clean guitar": 27, "electric guitar": 29, "power guitar": 30, "upright bass": 32,
    "electric bass": 33, "synth bass": 38, "sub bass": 39, "chip bass": 80, "violin": 40, "cello": 42, "harp": 46,
    "strings": 48, "brass": 61, "tuba": 58, "saxophone": 65, "clarinet": 71, "flute": 73, "square": 80,
    "synth lead": 81, "synth pad": 89, "pluck synth": 84, "drums": 0,
}  # fmt: skip


def encode(score: Score, title: str) -> bytes:
    """The bytes of the file."""
    tracks = [_track(_time(score, title))]
    channels = (c for c in range(16) if c != _DRUMS)
    for part in score.parts:
        channel = _DRUMS if part.name == "drums" else next(channels)
        tracks.append(_track(_player(score, part, channel)))
    return b"MThd" + _number(6, 4) + _number(1, 2) + _number(len(tracks), 2) + _number(TICKS, 2) + b"".join(tracks)


def _time(score: Score, title: str) -> list[tuple[int, bytes]]:
    over, under = score.meter.fraction
    key = Key.named(score.key)
    sharps = key.sharps if abs(key.sharps) <= 7 else 0
    return [
        (0, _meta(0x03, title.encode("utf-8")[:100])),
        (0, _meta(0x51, _number(round(60_000_000 / score.bpm), 3))),
        (0, _meta(0x58, bytes([over, under.bit_length() - 1, 24, 8]))),
        (0, _meta(0x59, bytes([sharps % 256, int(key.mode == "minor")]))),
        *((_ticks(s.first_bar * score.meter.quarters), _meta(0x06, s.name.encode())) for s in score.sections),
        # The file is as long as the sound.
        (_ticks(score.seconds * score.bpm / 60), b""),
    ]


def _player(score: Score, part: Part, channel: int) -> list[tuple[int, bytes]]:
    pan = round(64 + 63 * part.side)
    events = [
        (0, _meta(0x03, f"{part.name}: {part.instrument}".encode())),
        (0, bytes([0xC0 | channel, PROGRAMS[part.instrument]])),
        (0, bytes([0xB0 | channel, 10, min(127, pan)])),
    ]
    return [*events, *_notes((n for n in score.notes if n.part == part.name), channel)]


def _notes(notes: Iterable[Note], channel: int) -> list[tuple[int, bytes]]:
    """Ons and offs. A note that begins while the same one sounds ends that first."""
    spans: list[list[int]] = []
    last: dict[int, list[int]] = {}
    for note in sorted(notes, key=lambda n: n.start):
        on, off = _ticks(note.start), max(_ticks(note.start) + 1, _ticks(note.start + note.length))
        if note.pitch in last and last[note.pitch][1] > on:
            last[note.pitch][1] = max(last[note.pitch][0] + 1, on)
        last[note.pitch] = [on, off, note.pitch, max(1, min(127, round(note.velocity * 127)))]
        spans.append(last[note.pitch])
    ons = [(on, 1, bytes([0x90 | channel, pitch, velocity])) for on, _, pitch, velocity in spans]
    offs = [(off, 0, bytes([0x80 | channel, pitch, 64])) for _, off, pitch, _ in spans]
    return [(tick, data) for tick, _, data in sorted([*ons, *offs])]


def _track(events: list[tuple[int, bytes]]) -> bytes:
    """Events with the time since the one before; an event without bytes only moves the end."""
    body = bytearray()
    now = end = 0
    for tick, data in sorted(events, key=lambda event: event[0]):
        end = max(end, tick)
        if data:
            body += _variable(tick - now) + data
            now = tick
    body += _variable(end - now) + _meta(0x2F, b"")
    return b"MTrk" + _number(len(body), 4) + bytes(body)


def _ticks(quarters: float) -> int:
    return round(quarters * TICKS)


def _meta(kind: int, data: bytes) -> bytes:
    return bytes([0xFF, kind]) + _variable(len(data)) + data


def _number(value: int, length: int) -> bytes:
    return value.to_bytes(length, "big")


def _variable(value: int) -> bytes:
    """Seven bits a byte, the highest bit set on all but the last."""
    made = [value & 0x7F]
    while value := value >> 7:
        made.insert(0, value & 0x7F | 0x80)
    return bytes(made)
