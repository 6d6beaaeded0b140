"""From a reading to one stereo sound: layers at their loudness and distance, parts after each other, a room, the end.

Every layer is brought to the loudness of its row first, so that a source may be made at any level.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from heddle.engines.soundscape import words
from heddle.engines.soundscape.canvas import Ask, Canvas
from heddle.engines.soundscape.prompt import Layer
from heddle.engines.soundscape.sources import catalog
from heddle.studio import loudness
from heddle.studio.acoustics import RATE, Room, Sound, answered, chance, decibels, ends, filtered, high, low, placed

#: What plays when nothing was understood.
NEUTRAL = (Layer(source="drone tone"),)

_LAYER = -24.0
_BEHIND = -9.0
_BEND = np.float32(0.45)
#: How much softer, above which frequency it is swallowed, and how much more of the room is heard.
_DISTANCES: Mapping[str, tuple[float, float, float]] = {
    "near": (3.0, 20_000.0, 0.6),
    "normal": (0.0, 20_000.0, 1.0),
    "far": (-9.0, 1700.0, 1.8),
}
ROOMS: Mapping[str, Room] = {
    "dry": Room(seconds=0.1, wet=0.0),
    "open": Room(seconds=0.5, wet=0.06, bright=3500),
    "woods": Room(seconds=1.1, wet=0.2, bright=3500, delay=0.03),
    "street": Room(seconds=0.9, wet=0.16, bright=4500, delay=0.02),
    "valley": Room(seconds=2.6, wet=0.4, bright=2600, delay=0.18),
    "room": Room(seconds=0.45, wet=0.28, bright=5000, delay=0.005),
    "bathroom": Room(seconds=1.0, wet=0.42, bright=8000, delay=0.004),
    "hall": Room(seconds=2.2, wet=0.48, bright=5500, delay=0.02),
    "tunnel": Room(seconds=2.8, wet=0.52, bright=3000, delay=0.015),
    "cave": Room(seconds=3.2, wet=0.52, bright=3200, delay=0.03),
    "cathedral": Room(seconds=4.5, wet=0.55, bright=4500, delay=0.04),
    "underwater": Room(seconds=1.2, wet=0.5, bright=900),
}
_FADE_S = 0.02
_CLOSE_S = 0.35
_SEAM_S = 1.5

Report = Callable[[float], None]


def mixed(
    parts: Sequence[Sequence[Layer]], places: Sequence[str], length: float, seed: int, *, loop: bool, report: Report
) -> Sound:
    """All parts, at the loudness of files, exactly as long as asked for."""
    count = round(length * RATE)
    # A loop needs more than its length: its end is laid under its beginning.
    seam = min(_SEAM_S, length / 4) if loop else 0.0
    sound = _in_a_row(parts or (NEUTRAL,), length + seam, seed, report)
    room = ROOMS[_room(places)]
    sound = answered(sound, room, chance(seed, "room"))
    sound = np.stack([filtered(sound[:, c], high(25)) for c in range(2)], axis=1)
    if "underwater" in places:
        sound = np.stack([filtered(sound[:, c], low(520, 3)) for c in range(2)], axis=1)
    report(0.9)
    if loop:
        sound = _closed(sound, count)
    else:
        fade = min(_FADE_S, length / 8), min(_CLOSE_S, length / 4)
        sound = sound[:count] * ends(count, *fade)[:, None]
    return loudness.normalized(sound, RATE)


def _room(places: Sequence[str]) -> str:
    """The room of the first place that has walls; else of the first one."""
    rooms = [words.PLACES[place][0] for place in places]
    return next((room for room in rooms if room != "open"), "open")


def _closed(sound: Sound, count: int) -> Sound:
    """What is past the end goes under the beginning, at equal power."""
    over = len(sound) - count
    rise = np.sqrt(np.linspace(0, 1, over, dtype=np.float32))[:, None]
    made = sound[:count].copy()
    made[:over] = made[:over] * rise + sound[count:] * rise[::-1]
    return made


def _in_a_row(parts: Sequence[Sequence[Layer]], length: float, seed: int, report: Report) -> Sound:
    """Parts after each other, each fading into the next."""
    count = round(length * RATE)
    total = np.zeros((count, 2), np.float32)
    each = length / len(parts)
    seam = min(1.2, each / 3)
    done, layers = 0, sum(len(part) for part in parts)
    for index, part in enumerate(parts):
        start = max(0.0, index * each - seam / 2)
        end = min(length, (index + 1) * each + seam / 2)
        first, last = round(start * RATE), min(count, round(end * RATE))
        piece = np.zeros((last - first, 2), np.float32)
        for layer in part:
            piece += _layer(layer, len(piece), seed, f"{index}")
            done += 1
            report(0.85 * done / layers)
        shape = ends(len(piece), seam if index else 0.0, seam if index < len(parts) - 1 else 0.0)
        total[first:last] += piece * shape[:, None]
    return total


def _layer(layer: Layer, count: int, seed: int, part: str) -> Sound:
    """One source at its place."""
    row = catalog()[layer.source]
    ask = Ask(
        amount=layer.amount,
        pace=layer.pace,
        count=layer.count if row.strikes else None,
        surface=layer.surface,
    )
    canvas = Canvas(count / RATE, ask, chance(seed, part, layer.source))
    row.paint(canvas)
    sound = _fitted(canvas.sound, count)
    softer, cutoff, more_room = _DISTANCES[layer.distance]
    if cutoff < RATE / 2:
        sound = np.stack([filtered(sound[:, c], low(cutoff, 1)) for c in range(2)], axis=1)
        sound = answered(sound, Room(seconds=1.4, wet=0.15 * more_room, bright=2500, delay=0.04), chance(seed, "far"))
    if layer.side is not None:
        sound = placed(sound.mean(axis=1), layer.side)
    had = loudness.integrated(sound, RATE)
    if had <= loudness.SILENCE:
        return sound
    sound = _rounded(sound * np.float32(decibels(_LAYER - had)))
    said = row.trim + softer + (_BEHIND if layer.behind else 0.0) + 8 * (layer.amount - 0.6)
    return sound * np.float32(decibels(said))


def _rounded(sound: Sound) -> Sound:
    """Peaks far above the loudness are bent down, as ears and tape do: else one click would hold the rest down."""
    return (np.tanh(sound / _BEND) * _BEND).astype(np.float32)


def _fitted(sound: Sound, count: int) -> Sound:
    return np.pad(sound, ((0, max(0, count - len(sound))), (0, 0)))[:count]
