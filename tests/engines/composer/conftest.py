"""What the tests of the engine `composer` share: a job context, and a reader of MIDI files."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from heddle.engines import Made
from heddle.engines.composer import Composer
from heddle.errors import JobCanceled


class Watcher:
    """A job context that remembers what it was told, and cancels when it was told enough."""

    job_id = "job_test"
    attempt = 1

    def __init__(self, most: int = 10_000) -> None:
        self.most = most
        self.reported: list[float] = []

    def preview(self, draw: object) -> None: ...

    def progress(self, fraction: float, note: str = "") -> None:
        self.reported.append(fraction)
        if len(self.reported) > self.most:
            raise JobCanceled("the job was canceled")

    def log(self, text: str) -> None:
        return

    def read(self, blob_id: str) -> bytes:
        raise KeyError(blob_id)


def payload(description: str, **more: Any) -> dict[str, Any]:
    """A job of a short piece."""
    made = {"family": "composer", "operation": "create", "musicDescription": description, "durationMs": 8000}
    return {**made, "outputFormat": "wav", "seed": 1, **more}


@pytest.fixture
def make() -> Callable[..., list[Made]]:
    return lambda description, **more: list(Composer().run(payload(description, **more), Watcher()))


@dataclass
class Track:
    """What a track of a MIDI file has: metas and controls by tick, notes as (on, off, pitch, velocity, channel)."""

    metas: list[tuple[int, int, bytes]] = field(default_factory=list)
    programs: list[tuple[int, int]] = field(default_factory=list)
    notes: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    end: int = 0


def midi(data: bytes) -> tuple[int, list[Track]]:
    """Ticks of a quarter, and the tracks; every byte is accounted for."""
    kind, length, form, count, ticks = struct.unpack(">4sIHHH", data[:14])
    assert (kind, length, form) == (b"MThd", 6, 1)
    tracks: list[Track] = []
    at = 14
    while at < len(data):
        name, size = struct.unpack(">4sI", data[at : at + 8])
        assert name == b"MTrk"
        tracks.append(_track(data[at + 8 : at + 8 + size]))
        at += 8 + size
    assert (at, len(tracks)) == (len(data), count)
    return ticks, tracks


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    while True:
        byte = data[at]
        value, at = value << 7 | byte & 0x7F, at + 1
        if byte < 0x80:
            return value, at


def _track(data: bytes) -> Track:
    track, now, at = Track(), 0, 0
    sounding: dict[tuple[int, int], tuple[int, int]] = {}
    while at < len(data):
        delta, at = _number(data, at)
        now += delta
        status, channel = data[at] & 0xF0, data[at] & 0x0F
        if data[at] == 0xFF:
            kind = data[at + 1]
            size, at = _number(data, at + 2)
            track.metas.append((now, kind, data[at : at + size]))
            at += size
        elif status == 0xC0:
            track.programs.append((channel, data[at + 1]))
            at += 2
        else:
            one, two = data[at + 1], data[at + 2]
            if status == 0x90:
                assert (channel, one) not in sounding, "a note begins that sounds already"
                sounding[channel, one] = now, two
            elif status == 0x80:
                on, velocity = sounding.pop((channel, one))
                track.notes.append((on, now, one, velocity, channel))
            else:
                assert status == 0xB0
            at += 3
    assert not sounding
    assert track.metas[-1][1:] == (0x2F, b"")
    track.end = now
    return track
