"""Reads a description: style, mood, tempo, key, instruments and parts. What it does not know it hands on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from heddle.engines.composer.styles import DEFAULT, STYLES, Style

_WORD = re.compile(r"[^\W_]+(?:[-&'][^\W_]+)*#?|[,.;:!?|\n]")
_KEY = re.compile(r"\b(?:in )?(?:the key of )?([A-Ga-g](?:#|b|♭|-flat|-sharp| flat| sharp)?)[ -](major|minor)\b")
_BPM = re.compile(r"\b(\d{2,3}) ?bpm\b", re.IGNORECASE)
_METER = re.compile(r"\b([2346])/[48]\b")
_LONGEST_PHRASE = 3

#: Mood -> mode (None: leaves it), tempo factor, energy.
MOODS: Mapping[str, tuple[str | None, float, float]] = {
    **dict.fromkeys(
        ("happy", "cheerful", "joyful", "bright", "playful", "uplifting", "fun", "sunny"), ("major", 1.08, 0.1)
    ),
    **dict.fromkeys(("hopeful", "inspiring", "triumphant", "romantic", "warm", "sweet", "tender"), ("major", 1.0, 0.0)),
    **dict.fromkeys(
        ("sad", "melancholic", "melancholy", "gloomy", "lonely", "somber", "nostalgic"), ("minor", 0.8, -0.25)
    ),
    **dict.fromkeys(
        ("dark", "mysterious", "ominous", "scary", "spooky", "tense", "eerie", "gothic"), ("minor", 0.92, -0.05)
    ),
    **dict.fromkeys(("angry", "aggressive", "intense", "dramatic", "powerful"), ("minor", 1.1, 0.2)),
    **dict.fromkeys(("calm", "peaceful", "relaxing", "gentle", "dreamy", "soothing"), (None, 0.9, -0.25)),
    **dict.fromkeys(("soft", "quiet", "delicate"), (None, 1.0, -0.15)),
    **dict.fromkeys(("slow", "ballad", "lazy"), (None, 0.72, -0.15)),
    **dict.fromkeys(("fast", "energetic", "driving", "exciting", "lively"), (None, 1.22, 0.2)),
}

#: Instrument -> the words for it, and what it can be in a band, the likeliest first.
INSTRUMENTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "piano": ("piano, grand piano, pianos", ("comp", "lead")),
    "electric piano": ("electric piano, rhodes, keys, keyboard", ("comp", "lead")),
    "organ": ("organ, hammond, church organ, pipe organ", ("comp", "pad", "lead")),
    "accordion": ("accordion, harmonica, musette", ("comp", "lead")),
    "guitar": ("guitar, acoustic guitar, nylon guitar, ukulele, banjo, mandolin, guitars, plucked", ("comp", "lead")),
    "clean guitar": ("clean guitar, rhythm guitar", ("comp", "lead")),
    "electric guitar": ("electric guitar, guitar solo, lead guitar", ("lead", "comp")),
    "power guitar": ("distorted guitar, distortion, power chords, heavy guitars", ("comp",)),
    "harp": ("harp, lyre, koto, sitar, kalimba", ("comp", "lead")),
    "marimba": ("marimba, xylophone, steel drum", ("comp", "lead")),
    "vibraphone": ("vibraphone, vibes", ("lead", "comp")),
    "music box": ("music box", ("lead", "comp")),
    "bells": ("bells, bell, glockenspiel, chimes, celesta", ("lead", "comp")),
    "flute": ("flute, whistle, recorder, pan flute, oboe, flutes, woodwinds", ("lead",)),
    "clarinet": ("clarinet, bassoon", ("lead",)),
    "saxophone": ("saxophone, sax, saxophones", ("lead",)),
    "brass": ("brass, trumpet, trombone, horn, horns, trumpets, french horn", ("lead", "comp")),
    "violin": ("violin, fiddle, solo violin, viola", ("lead",)),
    "strings": ("strings, string section, violins, string orchestra", ("pad", "comp", "lead")),
    "synth pad": ("pad, pads, synth pad, choir, synth pads, texture, textures", ("pad", "comp")),
    "synth lead": ("synth, synths, synthesizer, synth lead, lead synth, theremin", ("lead", "comp")),
    "pluck synth": ("arpeggio, arpeggios, arpeggiated, pluck", ("comp", "lead")),
    "square": ("square wave, chip", ("lead", "comp")),
    "upright bass": ("upright bass, double bass, contrabass", ("bass",)),
    "electric bass": ("bass guitar, electric bass, slap bass", ("bass",)),
    "synth bass": ("synth bass, acid bass", ("bass",)),
    "sub bass": ("sub bass, 808, deep bass", ("bass",)),
    "bass": ("bass, bassline, bass line", ("bass",)),
    "cello": ("cello, cellos", ("bass", "lead")),
    "tuba": ("tuba", ("bass",)),
    "drums": ("drums, drum, percussion, drum machine, drum kit, beat drums, breakbeat, brushes", ("drums",)),
}
SECTIONS: Mapping[str, str] = {
    **dict.fromkeys(("intro", "introduction", "opening"), "intro"),
    **dict.fromkeys(("verse", "verses"), "verse"),
    **dict.fromkeys(("chorus", "refrain", "hook", "drop"), "chorus"),
    **dict.fromkeys(("bridge", "breakdown", "interlude"), "bridge"),
    **dict.fromkeys(("outro", "ending", "finale", "coda"), "outro"),
}
_WITHOUT = frozenset({"without", "no", "minus"})
_ALONE = frozenset({"solo", "only", "alone", "unaccompanied"})
_SKIPPED = frozenset(
    """
    a an and as at by for from in into is it its of on or the this that to with while music song track tune piece
    melody melodic instrumental bpm key major minor style like sounding sound very really some your my his her their our
    background theme loop good nice beautiful high quality make create please about featuring feat tempo beats time
    light heavy big short long then over under be are was me simple modern vintage old new rhythm rhythmic harmony mood
    feel feeling vibe vibes mix one two three four slight slightly little bit section part without no flat sharp
    """.split()  # noqa: SIM905 - a paragraph reads better than a column of 90 lines
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """All that was understood."""

    style: Style
    #: Whether the description named the style.
    named_style: bool = False
    moods: tuple[str, ...] = ()
    mode: str | None = None
    key: str | None = None
    bpm: int | None = None
    #: The product of what the moods ask for.
    pace: float = 1.0
    energy: float = 0.0
    signature: str | None = None
    instruments: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()
    #: Whether nobody else should play.
    alone: bool = False
    sections: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


@cache
def lexicon() -> Mapping[str, tuple[str, str]]:
    """Phrase -> part of speech, value."""
    book: dict[str, tuple[str, str]] = {}
    for name, (said, _) in INSTRUMENTS.items():
        for word in said.split(", "):
            book[word] = ("instrument", name)
    for word in MOODS:
        book.setdefault(word, ("mood", word))
    for word, name in SECTIONS.items():
        book.setdefault(word, ("section", name))
    for style in STYLES:
        for word in style.words:
            book.setdefault(word, ("style", style.name))
    return book


def read(text: str) -> Brief:
    """Understand a description."""
    text = text[:20_000]
    return _Reader(text).brief()


@dataclass(slots=True)
class _Reader:
    text: str
    found: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    without: set[str] = field(default_factory=set[str])
    alone: bool = False

    def brief(self) -> Brief:
        key, bpm, meter = _KEY.search(self.text), _BPM.search(self.text), _METER.search(self.text)
        self._walk(_METER.sub(" ", _BPM.sub(" ", _KEY.sub(" ", self.text))).lower())
        names = self.found.get("style", [])
        style = next(s for s in STYLES if s.name == (names[0] if names else DEFAULT))
        moods = list(dict.fromkeys(self.found.get("mood", [])))
        modes = [MOODS[m][0] for m in moods if MOODS[m][0] is not None]
        pace = 1.0
        for mood in moods[:3]:
            pace *= MOODS[mood][1]
        return Brief(
            style=style,
            named_style=bool(names),
            moods=tuple(moods),
            mode=modes[0] if modes else None,
            key=_key(key) if key else None,
            bpm=max(40, min(200, int(bpm[1]))) if bpm else None,
            pace=max(0.6, min(1.5, pace)),
            energy=max(-0.4, min(0.4, sum(MOODS[m][2] for m in moods[:3]))),
            signature=meter[1] if meter else None,
            instruments=tuple(dict.fromkeys(i for i in self.found.get("instrument", []) if i not in self.without)),
            without=frozenset(self.without),
            alone=self.alone,
            sections=tuple(self.found.get("section", []))[:12],
            unknown=tuple(dict.fromkeys(self.found.get("unknown", [])))[:40],
        )

    def _walk(self, text: str) -> None:
        words = [w if w[0].isalnum() else "," for w in _WORD.findall(text.replace("\u2019", "'"))][:600]
        at, negated = 0, False
        while at < len(words):
            if words[at] == ",":
                negated = False
                at += 1
                continue
            negated = negated or words[at] in _WITHOUT
            at += self._step(words, at, negated)

    def _step(self, words: list[str], at: int, negated: bool) -> int:
        """Read the longest known phrase at a place; returns how many words it had."""
        for length in range(min(_LONGEST_PHRASE, len(words) - at), 0, -1):
            phrase = " ".join(words[at : at + length])
            if phrase in lexicon():
                self._take(*lexicon()[phrase], negated=negated)
                return length
        word = words[at]
        self.alone = self.alone or word in _ALONE
        if word not in _SKIPPED | _ALONE and not word.isdecimal():
            if "-" in word and any(part in lexicon() for part in word.split("-")):
                self._walk(word.replace("-", " "))
            else:
                self.found.setdefault("unknown", []).append(word)
        return 1

    def _take(self, part: str, value: str, *, negated: bool) -> None:
        if negated:
            self.without.add(value)
        else:
            self.found.setdefault(part, []).append(value)


def _key(found: re.Match[str]) -> str | None:
    tonic = found[1][0].upper() + found[1][1:].replace("♭", "b").replace("flat", "b").replace("sharp", "#").strip(" -")
    # E#, B#, Cb and Fb are keys that nobody writes in; their neighbors sound the same.
    tonic = {"E#": "F", "B#": "C", "Cb": "B", "Fb": "E"}.get(tonic, tonic)
    return f"{tonic} {found[2].lower()}"
