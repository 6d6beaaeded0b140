"""From a brief to a score: tempo, key, players, form; then every bar; then the small delays that make it human."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from heddle.engines.composer import arrange, form, melody
from heddle.engines.composer.arrange import Bar
from heddle.engines.composer.description import INSTRUMENTS, Brief
from heddle.engines.composer.score import Meter, Note, Part, Score
from heddle.engines.composer.styles import Style
from heddle.engines.composer.theory import Key, chord, nearest, voiced
from heddle.studio.acoustics import chance

Report = Callable[[float], None]

#: How long the last chord needs at least, seconds.
_TAIL_S = 1.6
#: Where the players stand: LUFS, side, share into the room.
_PLACES: dict[str, tuple[float, float, float]] = {
    "lead": (-21.5, 0.08, 1.2),
    "comp": (-25.0, -0.25, 0.9),
    "pad": (-30.0, 0.0, 1.3),
    "bass": (-25.0, 0.0, 0.15),
    "drums": (-26.0, 0.0, 0.35),
}
#: The lowest and highest note of a melody.
_SPANS: dict[str, tuple[int, int]] = {
    "violin": (62, 86), "flute": (67, 88), "saxophone": (56, 77), "clarinet": (58, 80), "brass": (55, 76),
    "electric guitar": (55, 79), "guitar": (55, 79), "bells": (72, 91), "music box": (72, 93), "cello": (43, 67),
    "vibraphone": (60, 82), "piano": (64, 86), "square": (64, 86), "marimba": (60, 84), "strings": (62, 84),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the request says beside its description; it goes before what the description says."""

    seconds: float
    seed: int
    bpm: int | None = None
    signature: str | None = None
    key: str | None = None


def composed(brief: Brief, asked: Asked) -> Score:
    """The score."""
    style = staffed(brief)
    meter = Meter(signature=asked.signature or brief.signature or (style.signature if brief.named_style else "4"))
    bpm = asked.bpm or brief.bpm or _tempo(brief)
    key = Key.named(asked.key or brief.key or f"C {brief.mode or style.mode}")
    per_bar = meter.quarters * 60 / bpm
    count = max(1, int((asked.seconds - _TAIL_S) / per_bar))
    sections = form.sections(count, brief.sections, brief.energy)
    plan = arrange.bars(key, style, sections)
    notes = [*_played(plan, style, meter, asked.seed, brief), *_sung(plan, style, meter, key, asked.seed)]
    if asked.seconds - count * per_bar >= _TAIL_S * 0.8:
        notes += _ending(plan[-1], style, meter, key, count, asked.seconds * bpm / 60)
    played = _swung(notes, style.swing if meter.signature != "6" else 0.5)
    return Score(
        bpm=bpm,
        meter=meter,
        key=f"{key.tonic} {key.mode}",
        seconds=asked.seconds,
        sections=sections,
        chords=tuple(bar.chord.name for bar in plan),
        parts=_parts(style),
        notes=_within(_human(played, asked.seed), asked.seconds * bpm / 60),
    )


def _tempo(brief: Brief) -> int:
    """The style's, changed by the moods; 120 when neither is named."""
    base = brief.style.tempo if brief.named_style else 120
    return max(40, min(200, round(base * brief.pace)))


def staffed(brief: Brief) -> Style:
    """The style with the players that were named; when they are to be alone, nobody else plays."""
    style = brief.style
    chosen: dict[str, Any] = {}
    for name in brief.instruments:
        roles = INSTRUMENTS[name][1]
        role = next((role for role in roles if role not in chosen), None)
        if role is not None:
            chosen[role] = name
    if "bass" in chosen:
        chosen["bass"] = (style.bass or "electric bass") if chosen["bass"] == "bass" else chosen["bass"]
    if brief.alone and brief.instruments:
        style = replace(
            style, pad=chosen.get("pad"), bass=chosen.get("bass"), drums=style.drums if "drums" in chosen else None
        )
    if "drums" in chosen and style.drums is None:
        style = replace(style, drums="backbeat")
    only = chosen.get("comp") or chosen.get("lead") or chosen.get("pad")
    if brief.instruments and only and "lead" not in chosen and brief.alone:
        chosen["lead"] = only
    if brief.alone and only and "comp" not in chosen:
        chosen["comp"] = only
    chosen.pop("drums", None)
    if brief.alone and style.comping == "blocks":
        style = replace(style, comping="rolling")
    style = replace(style, **chosen)
    return _reduced(style, brief)


def _reduced(style: Style, brief: Brief) -> Style:
    """Without whom the description does not want."""
    if "drums" in brief.without:
        style = replace(style, drums=None)
    if style.pad in brief.without:
        style = replace(style, pad=None)
    if "bass" in brief.without or style.bass in brief.without:
        style = replace(style, bass=None)
    if style.lead in brief.without:
        style = replace(style, lead=style.comp)
    if style.comp in brief.without:
        style = replace(style, comp=style.lead)
    return style


def _parts(style: Style) -> tuple[Part, ...]:
    players = {"lead": style.lead, "comp": style.comp, "pad": style.pad, "bass": style.bass}
    players["drums"] = "drums" if style.drums else None
    offsets = dict(style.mix)
    made: list[Part] = []
    for role, instrument in players.items():
        if instrument is not None:
            level, side, send = _PLACES[role]
            level += offsets.get(role, 0.0)
            made.append(Part(name=role, instrument=instrument, level=level, side=side, send=send))
    return tuple(made)


def _played(plan: list[Bar], style: Style, meter: Meter, seed: int, brief: Brief) -> list[Note]:
    """The band. Bars of one kind of section are played alike, so a chorus that comes back is known again."""
    notes: list[Note] = []
    for bar in plan:
        rng = chance(seed, "bar", bar.section.name, (bar.number - bar.section.first_bar) % 4)
        energy = bar.section.energy
        notes += arrange.comp(bar, style, meter, rng)
        if style.pad is not None:
            notes += arrange.pad(bar, meter)
        if style.bass is not None and (energy >= 0.35 or style.drums is None):
            notes += arrange.bass(bar, style, meter, rng)
        if style.drums is not None and (energy >= 0.35 or brief.energy < 0):
            notes += arrange.drums(bar, style, meter, rng)
    return notes


def _sung(plan: list[Bar], style: Style, meter: Meter, key: Key, seed: int) -> list[Note]:
    """The melody, section by section; sections of one name have one melody. The intro waits."""
    notes: list[Note] = []
    low, high = _SPANS.get(style.lead, (60, 84))
    names = {bar.section.name for bar in plan}
    for section in dict.fromkeys(bar.section for bar in plan):
        if section.name == "intro" and len(names) > 1:
            continue
        chords = [bar.chord for bar in plan if bar.section == section]
        lift = 2 if section.name == "chorus" else 0
        kind = "chorus" if section.name == "outro" else section.name
        rng = chance(seed, "melody", kind)
        density = style.density * (0.8 + 0.3 * section.energy)
        first = section.first_bar * meter.quarters
        sung = melody.phrases(rng, meter, key, chords, density, (low + lift, high))
        notes += [
            Note(
                start=first + s.start,
                length=s.length * 0.95,
                pitch=s.pitch,
                velocity=s.velocity * (0.75 + 0.25 * section.energy),
                part="lead",
            )
            for s in sung
        ]
    return notes


def _ending(last: Bar, style: Style, meter: Meter, key: Key, bar: int, end: float) -> list[Note]:
    """The last chord: home, held until the end."""
    start = float(bar * meter.quarters)
    home = chord(key, "I" if key.mode == "major" else "i")
    held = max(0.5, min(end - start - 0.2, 2.0 * meter.quarters))
    voices = voiced(home.tones, last.voices)
    notes = [
        Note(start=start + i * 0.03, length=held, pitch=p, velocity=0.7, part="comp") for i, p in enumerate(voices)
    ]
    low, high = _SPANS.get(style.lead, (60, 84))
    notes.append(
        Note(start=start, length=held, pitch=nearest((low + high) / 2, (home.root,)), velocity=0.75, part="lead")
    )
    if style.pad is not None:
        notes += [Note(start=start, length=held, pitch=p, velocity=0.5, part="pad") for p in voices]
    if style.bass is not None:
        notes.append(Note(start=start, length=held, pitch=nearest(38, (home.root,)), velocity=0.8, part="bass"))
    if style.drums is not None:
        notes += [Note(start=start, length=0.2, pitch=drum, velocity=0.8, part="drums") for drum in (36, 49)]
    return notes


def _swung(notes: list[Note], swing: float) -> list[Note]:
    """Every second eighth comes later, and what lies between moves with it."""
    if swing == 0.5:
        return notes

    def moved(quarters: float) -> float:
        whole = np.floor(quarters)
        part = quarters - whole
        bent = part * swing * 2 if part <= 0.5 else swing + (part - 0.5) * (1 - swing) * 2
        return float(whole + bent)

    return [
        replace(n, start=moved(n.start), length=max(0.1, moved(n.start + n.length) - moved(n.start))) for n in notes
    ]


def _human(notes: list[Note], seed: int) -> list[Note]:
    """Nobody is a machine: a few milliseconds, a little softer or stronger."""
    rng = chance(seed, "human")
    late = rng.normal(0, 0.008, len(notes))
    strength = rng.normal(1, 0.05, len(notes))
    return [
        replace(
            n, start=max(0.0, n.start + float(late[i])), velocity=max(0.15, min(1.0, n.velocity * float(strength[i])))
        )
        for i, n in enumerate(notes)
    ]


def _within(notes: list[Note], end: float) -> tuple[Note, ...]:
    """In order, and nothing after the end."""
    kept = [replace(n, length=min(n.length, end - n.start)) for n in notes if n.start < end - 0.05]
    return tuple(sorted(kept, key=lambda n: (n.start, n.part, n.pitch)))
