"""Reads a prompt: words in, a reading out. Never fails; what it does not know it hands on as unknown words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from heddle.engines.soundscape import words
from heddle.engines.soundscape.sources import catalog

#: A prompt may be longer; what stands after this many words is not read.
MOST_WORDS = 600
MOST_LAYERS = 10
MOST_PARTS = 6
_LONGEST_PHRASE = 4

_WORD = re.compile(r"[^\W_]+(?:[-'][^\W_]+)*|[,.;:!?|\n]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One source, and what was said of it."""

    source: str
    amount: float = 0.6
    distance: str = "normal"
    side: float | None = None
    pace: float = 1.0
    count: int | None = None
    surface: str | None = None
    #: Heard behind the others, because the place has it and nobody named it.
    behind: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All that was understood."""

    #: One after the other.
    parts: tuple[tuple[Layer, ...], ...] = ()
    #: The first one answers; all have sounds of their own.
    places: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def heard(self) -> list[str]:
        """The names of all sources, each once."""
        return list(dict.fromkeys(layer.source for part in self.parts for layer in part))


@cache
def lexicon() -> Mapping[str, tuple[str, object]]:
    """Phrase -> part of speech, value. What is entered later does not replace what is there."""
    book: dict[str, tuple[str, object]] = {}
    tables = (
        ("then", dict.fromkeys(words.THEN, True)),
        ("without", dict.fromkeys(words.WITHOUT, True)),
        ("times", dict.fromkeys(words.TIMES, True)),
        ("composite", words.COMPOSITE_WORDS),
        ("source", {word: row.name for row in catalog().values() for word in row.words}),
        ("place", words.PLACE_WORDS),
        ("surface", words.SURFACES),
        ("distance", words.DISTANCES),
        ("side", words.SIDES),
        ("amount", words.AMOUNTS),
        ("pace", words.PACES),
        ("count", words.NUMBERS),
    )
    for part, table in tables:
        for word, value in table.items():
            book.setdefault(word, (part, value))
    return book


def tokens(prompt: str) -> list[str]:
    """Words and breaks, lower case."""
    found = _WORD.findall(prompt[:20_000].lower().replace("\u2019", "'").replace("_", " "))
    return ["," if not word[0].isalnum() else word for word in found][:MOST_WORDS]


def read(prompt: str) -> Reading:
    """Understand a prompt."""
    return _Reader().read(tokens(prompt))


@dataclass(slots=True)
class _Reader:
    """One pass over the words, left to right."""

    parts: list[list[Layer]] = field(default_factory=lambda: [[]])
    #: What was said and waits for its source.
    waiting: dict[str, object] = field(default_factory=dict[str, object])
    #: Each once, in order.
    places: dict[str, None] = field(default_factory=dict[str, None])
    unknown: list[str] = field(default_factory=list[str])
    refused: set[str] = field(default_factory=set[str])
    #: Whether what comes is to be left out.
    negated: bool = False
    #: Whether the last source was named in this clause.
    fresh: bool = False

    def read(self, found: list[str]) -> Reading:
        at = 0
        while at < len(found):
            at += self._step(found, at)
        parts = [[layer for layer in part if layer.source not in self.refused] for part in self.parts]
        reading = Reading(
            parts=tuple(tuple(part) for part in parts if part),
            places=tuple(self.places),
            unknown=tuple(dict.fromkeys(self.unknown))[:40],
        )
        return _with_places(reading, self.refused)

    def _step(self, found: list[str], at: int) -> int:
        """Read the longest known phrase at a place; returns how many words it had."""
        if found[at] == ",":
            self._clause()
            return 1
        for length in range(min(_LONGEST_PHRASE, len(found) - at), 0, -1):
            meaning = _meaning(" ".join(found[at : at + length]))
            if meaning is not None:
                self._take(*meaning)
                return length
        self._stranger(found[at])
        return 1

    def _stranger(self, word: str) -> None:
        if word.isdecimal():
            self.waiting["count"] = max(1, min(60, int(word[:4])))
        elif "-" in word and any(_meaning(part) for part in word.split("-")):
            for part in word.split("-"):
                self._step([part], 0)
        elif word not in words.SKIPPED:
            self.unknown.append(word)

    def _clause(self) -> None:
        self.waiting.clear()
        self.negated = self.fresh = False

    def _take(self, part: str, value: object) -> None:
        """What a phrase does, by the part of speech it is."""
        match part:
            case "source":
                self._source(str(value))
            case "composite":
                self._composite(str(value))
            case "place":
                self.places.setdefault(str(value))
            case "times":
                self._times()
            case "then":
                self._clause()
                if self.parts[-1] and len(self.parts) < MOST_PARTS:
                    self.parts.append([])
            case "without":
                self.negated = True
            case _:
                self._say(part, value)

    def _say(self, what: str, value: object) -> None:
        """Something about a source: the coming one, or, where places stand ("in the distance"), the last one."""
        last = self.parts[-1]
        after = what in {"surface", "side"} or (what in {"distance", "pace"} and not self.waiting)
        if after and self.fresh and last and what not in {"count", "amount"}:
            last[-1] = _but(last[-1], {what: value})
            # "distant" may also belong to what follows; the last one keeps it only when nothing does.
            if what == "distance":
                self.waiting["__back"] = True
                self.waiting[what] = value
        else:
            self.waiting[what] = value

    def _times(self) -> None:
        """A number that came after its source: "rings three times"."""
        count, last = self.waiting.pop("count", None), self.parts[-1]
        if isinstance(count, int) and last:
            last[-1] = replace(last[-1], count=count)

    def _source(self, name: str) -> None:
        if self.negated:
            self.refused.add(name)
            return
        part = self.parts[-1]
        if self.waiting.pop("__back", False) and part:
            part[-1] = replace(part[-1], distance="normal")
        same = [i for i, layer in enumerate(part) if layer.source == name]
        if same and self.fresh:
            # "dog barking", "bell ringing": the same thing said twice.
            part[same[-1]] = _but(part[same[-1]], _facts(name, self.waiting))
        elif not same and len(part) < MOST_LAYERS:
            part.append(_but(Layer(source=name), _facts(name, self.waiting)))
        self.waiting.clear()
        self.fresh = True

    def _composite(self, name: str) -> None:
        said = dict(self.waiting)
        said.pop("__back", None)
        for source, amount, distance in words.COMPOSITES[name]:
            if self.negated:
                self.refused.add(source)
            elif all(layer.source != source for layer in self.parts[-1]):
                layer = Layer(source=source, amount=amount, distance=distance)
                self.parts[-1].append(_but(layer, _facts(source, said)))
        self.waiting.clear()
        self.fresh = True


def _meaning(phrase: str) -> tuple[str, object] | None:
    """What a phrase means; plurals and possessives mean what the word means."""
    book = lexicon()
    for form in (phrase, phrase.removesuffix("'s"), phrase.removesuffix("s"), phrase.removesuffix("es")):
        if form in book and (form == phrase or len(form) > 2):
            return book[form]
    return None


def _but(layer: Layer, facts: Mapping[str, Any]) -> Layer:
    return replace(layer, **facts)


def _facts(name: str, waiting: Mapping[str, object]) -> dict[str, object]:
    """What waited, as members of a layer. A number counts strikes, or those who make the sound."""
    facts = dict(waiting)
    count = facts.get("count")
    if isinstance(count, int) and not catalog()[name].strikes:
        del facts["count"]
        facts.setdefault("amount", min(1.0, 0.25 + 0.12 * count))
    return facts


def _with_places(reading: Reading, refused: set[str]) -> Reading:
    """What places have of their own, behind what was named; in front of nothing, it is the whole sound."""
    named = set(reading.heard)
    rows = {row[0]: row for place in reading.places for row in words.PLACES[place][1]}
    behind = tuple(
        Layer(source=source, amount=amount, distance=distance, behind=bool(named))
        for source, amount, distance in rows.values()
        if source not in named and source not in refused
    )
    parts = tuple((*part, *behind) for part in reading.parts) if reading.parts else ((behind,) if behind else ())
    return replace(reading, parts=parts)
