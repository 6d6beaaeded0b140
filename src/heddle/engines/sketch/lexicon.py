"""The lexicon: every phrase the reader knows, with what it means. Built once from the catalogues and `words`."""

# ruff: noqa: E501 - tables

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from heddle.engines.sketch import words
from heddle.engines.sketch.backdrops import backdrops
from heddle.engines.sketch.objects import catalog

Part = Literal[
    "thing", "things", "backdrop", "color", "shade", "number", "size", "position", "relation", "time", "weather",
    "season", "mood", "style", "garment", "hair", "eyes", "close", "sky", "without", "skip", "snow", "far view",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a phrase is, and which one of them."""

    part: Part
    value: str


#: Backdrop words that are better read as something else; a phrase around them still finds the backdrop.
_NOT_BACKDROPS = frozenset(
    ("trees", "wood", "clouds", "castle", "table", "sky", "moon", "snow", "ice", "party", "tree")
)
_UNCOUNTABLE = {
    "sheep",
    "fish",
    "deer",
    "grass",
    "bamboo",
    "cattle",
    "coffee",
    "tea",
    "fire",
    "people",
    "bread",
    "wine",
}
_IRREGULAR = {
    "mice": "mouse",
    "geese": "goose",
    "wolves": "wolf",
    "knives": "knife",
    "oxen": "ox",
    "leaves": "leaf",
    "cacti": "cactus",
}
#: Words with another meaning that is more frequent in prompts.
_OVERRIDES: dict[str, Meaning] = {
    "1girl": Meaning("thing", "woman"), "1boy": Meaning("thing", "man"), "on the moon": Meaning("backdrop", "moon"),
    "in the snow": Meaning("backdrop", "snowfield"), "snow": Meaning("snow", "snow"), "hair": Meaning("hair", ""),
    "haired": Meaning("hair", ""), "eyes": Meaning("eyes", ""), "eyed": Meaning("eyes", ""), "skin": Meaning("skip", ""),
    "sky": Meaning("sky", ""), "skies": Meaning("sky", ""), "without": Meaning("without", ""), "no": Meaning("without", ""),
    "christmas tree": Meaning("thing", "pine tree"), "starry sky": Meaning("backdrop", "night hills"),
    "clouds": Meaning("things", "cloud"), "stars": Meaning("time", "night"), "mountain lake": Meaning("backdrop", "lake"),
    "beach house": Meaning("thing", "house"), "tree house": Meaning("thing", "house"), "light bulb": Meaning("thing", "lamp"),
    "flower field": Meaning("backdrop", "garden"), "ocean": Meaning("backdrop", "sea"), "water": Meaning("far view", "water"),
    "crescent moon": Meaning("thing", "moon"), "shooting star": Meaning("thing", "comet"), "boys": Meaning("things", "child"),
    "boy": Meaning("thing", "child"), "girl": Meaning("thing", "woman"), "hat": Meaning("garment", "hat"),
    "cat ears": Meaning("skip", ""), "street cat": Meaning("thing", "cat"), "in the city": Meaning("backdrop", "city"),
}  # fmt: skip


def _plurals(word: str) -> Iterator[str]:
    if word.endswith(("s", "x", "ch", "sh")):
        yield word + "es"
    elif word.endswith("y") and word[-2:-1] not in "aeiou":
        yield word[:-1] + "ies"
    elif word.endswith("f"):
        yield word[:-1] + "ves"
    elif word.endswith("man"):
        yield word[:-3] + "men"
    else:
        yield word + "s"
    if word.endswith("o"):
        yield word + "es"


def _enter(book: dict[str, Meaning], table: Mapping[str, object], part: Part) -> None:
    for phrase, value in table.items():
        book.setdefault(phrase, Meaning(part, str(value)))


def _enter_things(book: dict[str, Meaning]) -> None:
    # A close view makes a person a portrait; that is compose's to say, not the prompt's words.
    rows = {name: row for name, row in catalog().items() if not name.startswith(("portrait of", "distant"))}
    named = [(word, name) for name, row in rows.items() for word in (name, *row.words)]
    for word, name in named:
        book.setdefault(word, Meaning("thing", name))
    for word, name in named:
        for plural in _plurals(word) if word not in _UNCOUNTABLE else ():
            book.setdefault(plural, Meaning("things", name))
    for plural, singular in _IRREGULAR.items():
        if singular in book:
            book[plural] = Meaning("things", book[singular].value)


def _enter_backdrops(book: dict[str, Meaning]) -> None:
    named = [(word, name) for name, row in backdrops().items() for word in (name, *row.words)]
    for word, name in named:
        if word not in _NOT_BACKDROPS and book.get(word, Meaning("skip", "")).part != "backdrop":
            book[word] = Meaning("backdrop", name)
            for plural in _plurals(word):
                book.setdefault(plural, Meaning("backdrop", name))


@cache
def lexicon() -> Mapping[str, Meaning]:
    """Phrase -> meaning."""
    book: dict[str, Meaning] = dict(_OVERRIDES)
    _enter_things(book)
    _enter_backdrops(book)
    _enter(book, words.STYLES, "style")
    _enter(book, words.COLORS, "color")
    _enter(book, words.POSITIONS, "position")
    _enter(book, words.RELATIONS, "relation")
    _enter(book, words.TIMES, "time")
    _enter(book, words.WEATHERS, "weather")
    _enter(book, words.SEASONS, "season")
    _enter(book, words.NUMBERS, "number")
    _enter(book, words.SIZES, "size")
    _enter(book, words.SHADES, "shade")
    _enter(book, words.MOODS, "mood")
    _enter(book, dict.fromkeys(words.GARMENTS, ""), "garment")
    _enter(book, dict.fromkeys(words.CLOSE, ""), "close")
    _enter(book, dict.fromkeys(words.SKIPPED, ""), "skip")
    return book
