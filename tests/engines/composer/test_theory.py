"""Keys, chords, form, melody: the parts of a score."""

from __future__ import annotations

import itertools

import pytest

from heddle.engines.composer import form, styles
from heddle.engines.composer.arrange import hits
from heddle.engines.composer.compose import Asked, composed
from heddle.engines.composer.description import INSTRUMENTS, read
from heddle.engines.composer.instruments import INSTRUMENTS as VOICES
from heddle.engines.composer.midi import PROGRAMS
from heddle.engines.composer.score import Meter, Score
from heddle.engines.composer.theory import Key, chord, nearest, stepped, voiced
from heddle.steps.music import KEYS


def score(description: str, seconds: float = 60.0, **asked: object) -> Score:
    return composed(read(description), Asked(seconds=seconds, seed=3, **asked))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("key", "numeral", "name", "tones"),
    [
        ("C major", "I", "C", (0, 4, 7)),
        ("C major", "ii7", "Dm7", (2, 5, 9, 0)),
        ("C major", "bVII", "Bb", (10, 2, 5)),
        ("A minor", "i", "Am", (9, 0, 4)),
        ("A minor", "V7", "E7", (4, 8, 11, 2)),
        ("F# minor", "VI", "D", (2, 6, 9)),
        ("Eb major", "Vsus", "Bbsus4", (10, 3, 5)),
        ("C minor", "io7", "Cdim7", (0, 3, 6, 10)),
    ],
)
def test_chords(key: str, numeral: str, name: str, tones: tuple[int, ...]) -> None:
    found = chord(Key.named(key), numeral)
    assert (found.name.replace("A#", "Bb"), found.tones) == (name, tones)


@pytest.mark.parametrize("name", KEYS)
def test_every_key_has_a_scale_and_a_signature(name: str) -> None:
    key = Key.named(name)
    assert len(set(key.scale)) == 7
    assert abs(key.sharps) <= 7


@pytest.mark.parametrize(
    ("name", "sharps"), [("C major", 0), ("A minor", 0), ("G major", 1), ("D minor", -1), ("F# minor", 3)]
)
def test_signatures(name: str, sharps: int) -> None:
    assert Key.named(name).sharps == sharps


def test_steps_and_neighbors() -> None:
    c = Key.named("C major").scale
    assert [stepped(60, n, c) for n in (-1, 0, 1, 7)] == [59, 60, 62, 72]
    assert nearest(61, (0, 4, 7)) == 60
    assert voiced((5, 9, 0), (60, 64, 67)) == (60, 65, 69)


def test_voices_move_little() -> None:
    plan = score("classical piano", key="C major")
    bars: dict[int, list[int]] = {}
    for note in plan.notes:
        if note.part == "pad":
            bars.setdefault(round(note.start / 4), []).append(note.pitch)
    moves = [
        abs(a - b) for i in range(len(bars) - 1) for a, b in zip(sorted(bars[i]), sorted(bars[i + 1]), strict=False)
    ]
    assert sum(moves) / len(moves) < 3


@pytest.mark.parametrize("style", styles.STYLES, ids=lambda s: s.name)
def test_a_style_can_be_played(style: styles.Style) -> None:
    for progression in (*style.major, *style.minor):
        for mode, table in (("major", style.major), ("minor", style.minor)):
            if progression in table:
                assert all(chord(Key.named(f"C {mode}"), n).tones for n in progression.split())
    assert style.comping in styles.RHYTHMS
    assert style.bassline in styles.BASSLINES
    assert style.drums is None or style.drums in styles.DRUMS
    players = {style.lead, style.comp, style.pad, style.bass} - {None}
    assert players <= VOICES.keys()
    assert set(INSTRUMENTS) - {"bass", "drums"} <= VOICES.keys() <= PROGRAMS.keys()
    assert read(f"some {style.name} music").style.name == style.name


def test_patterns_fill_a_bar() -> None:
    rows = [*styles.RHYTHMS.items(), *styles.BASSLINES.items()]
    rows += [(name, p) for name, drums in styles.DRUMS.items() for p in drums.values()]
    for name, pattern in rows:
        assert len(pattern) == (12 if name.endswith(("/3", "/6")) else 16), name
        assert set(pattern) <= set("Xxo-.")
    for signature in "2346":
        meter = Meter(signature=signature)
        assert all(start < meter.quarters for start, _, _ in hits("X---x---x---x-x-", meter))


@pytest.mark.parametrize("bars", [1, 2, 3, 5, 7, 12, 16, 23, 45, 100, 158])
def test_form_fills_all_bars(bars: int) -> None:
    for wanted in ((), ("intro", "chorus", "outro"), ("verse",) * 12):
        plan = form.sections(bars, wanted, 0.0)
        assert sum(s.bars for s in plan) == bars
        assert [s.first_bar for s in plan] == [sum(s.bars for s in plan[:i]) for i in range(len(plan))]
        assert all(s.bars > 0 for s in plan)


def test_a_chorus_that_comes_back_is_the_same() -> None:
    plan = score("pop", 120)
    first, second, *_ = [s for s in plan.sections if s.name == "chorus"]

    def sung(bar: int) -> list[int]:
        span = range(bar * 4, (bar + 4) * 4)
        return [n.pitch for n in plan.notes if n.part == "lead" and round(n.start) in span]

    assert sung(first.first_bar)
    assert sung(first.first_bar)[:8] == sung(second.first_bar)[:8]


def test_the_melody_keeps_to_the_key_and_steps_more_than_it_leaps() -> None:
    plan = score("folk flute", key="D major")
    sung = [n.pitch for n in plan.notes if n.part == "lead"]
    scale = Key.named("D major").scale
    assert sum(p % 12 in scale for p in sung) / len(sung) > 0.95
    moves = [abs(a - b) for a, b in itertools.pairwise(sung)]
    assert sum(m <= 4 for m in moves) / len(moves) > 0.7
    assert len(set(sung)) >= 6


def test_it_ends_at_home() -> None:
    plan = score("pop", key="G major")
    last = max(n.start for n in plan.notes)
    final = [n for n in plan.notes if n.start > last - 0.4 and n.part in {"comp", "bass"}]
    assert {n.pitch % 12 for n in final} == {7, 11, 2}


def test_fills_lead_to_the_next_section() -> None:
    plan = score("rock", 90)
    for section in plan.sections[1:]:
        start = section.first_bar * 4
        assert [n for n in plan.notes if n.part == "drums" and n.pitch in styles.TOMS and start - 1.6 < n.start < start]


@pytest.mark.parametrize(
    ("description", "wanted"),
    [
        ("calm lo-fi with piano", {"style": "lo-fi", "moods": ("calm",), "instruments": ("piano",)}),
        ("jazz at 90 bpm in Bb major", {"style": "jazz", "bpm": 90, "key": "Bb major"}),
        ("in the key of F sharp minor", {"key": "F# minor"}),
        ("a sad song", {"mode": "minor", "style": "pop", "named_style": False}),
        ("waltz in 3/4", {"style": "waltz", "signature": "3"}),
        ("rock without drums, no bass", {"without": frozenset({"drums", "bass"})}),
        ("solo cello", {"alone": True, "instruments": ("cello",)}),
        ("intro, verse, chorus, verse", {"sections": ("intro", "verse", "chorus", "verse")}),
        ("drum and zxqv", {"unknown": ("zxqv",)}),
    ],
)
def test_descriptions(description: str, wanted: dict[str, object]) -> None:
    found = read(description)
    for name, value in wanted.items():
        assert (found.style.name if name == "style" else getattr(found, name)) == value


def test_who_plays() -> None:
    def band(description: str) -> dict[str, str]:
        return {part.name: part.instrument for part in score(description, 20).parts}

    assert band("jazz trio with vibraphone")["lead"] == "vibraphone"
    assert "drums" not in band("rock without drums")
    assert band("solo piano") == {"lead": "piano", "comp": "piano"}
    assert band("ambient with drums")["drums"] == "drums"


def test_what_the_request_says_goes_first() -> None:
    made = score("sad waltz at 90 bpm in A minor", bpm=140, key="D major", signature="4")
    assert (made.bpm, made.key, made.meter.signature) == (140, "D major", "4")
    assert (score("a happy tune").bpm, score("a tune").bpm, score("a tune").key) == (130, 120, "C major")
