"""Reads a prompt: words in, a reading out. Never fails; what it does not know it hands on as unknown words."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from heddle.engines.sketch import words
from heddle.engines.sketch.color import strengthen, tone
from heddle.engines.sketch.lexicon import Meaning, lexicon
from heddle.engines.sketch.objects import catalog

#: A prompt may be longer; what stands after this many words is not read.
MOST_WORDS = 1200
MOST_WANTS = 14
MOST_OF_A_KIND = 48
LONGEST_PHRASE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """A thing that was asked for."""

    kind: str
    count: int = 1
    colors: tuple[str, ...] = ()
    size: float = 1.0
    position: str | None = None
    #: How it stands to another want, and the index of that one.
    relation: tuple[str, int] | None = None
    traits: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All that was understood."""

    wants: tuple[Want, ...] = ()
    backdrop: str | None = None
    backdrop_color: str | None = None
    sky_color: str | None = None
    ground_color: str | None = None
    time: str | None = None
    weather: frozenset[str] = frozenset()
    season: str | None = None
    mood: frozenset[str] = frozenset()
    style: str | None = None
    #: Near enough that a person shows head and shoulders only.
    close: bool = False
    water: bool = False
    without: frozenset[str] = frozenset()
    unknown: tuple[str, ...] = ()


_NETWORK = re.compile(r"<[^<>]{0,200}>")
_WEIGHT = re.compile(r":\s*([0-9]*\.?[0-9]+)\s*(?=[)\]])")
_WORD = re.compile(r"[^\W_]+(?:[-'][^\W_]+)*|[,.;:!?|\n]")
_TAG = re.compile(r"^(\d{1,2})\+?(girl|boy|cat|dog|man|woman|men|women|bird|other)s?$")


@dataclass(slots=True)
class _Pending:
    """What was read and waits for its noun."""

    count: int | None = None
    colors: list[str] = field(default_factory=list[str])
    shade: str | None = None
    size: float = 1.0
    position: str | None = None
    relation: tuple[str, int] | None = None
    articled: bool = False


def tokens(prompt: str) -> list[str]:
    """Words and breaks, lower case, with the syntax of other tools taken off: `(word:1.3)`, `[word]`, `<lora:…>`."""
    text = _WEIGHT.sub("", _NETWORK.sub(" ", prompt[:40_000]))
    text = re.sub(r"\bBREAK\b|\bAND\b", " , ", text).lower()
    text = re.sub(r"[()\[\]{}\\\"“”«»*]", " ", text).replace("\u2019", "'").replace("_", " ")
    return ["," if not word[0].isalnum() else word for word in _WORD.findall(text)][:MOST_WORDS]


def read(prompt: str) -> Reading:
    """Understand a prompt."""
    return _Reader().read(tokens(prompt))


def read_negative(prompt: str) -> Reading:
    """A negative prompt: the same words, all meant as things to leave out."""
    seen = read(prompt)
    kinds = {want.kind for want in seen.wants} | seen.without
    extra = {
        "people": {"man", "woman", "child"},
        "person": {"man", "woman", "child"},
        "tree": {"pine tree", "palm tree"},
    }
    for word in tokens(prompt):
        kinds |= extra.get(word, set[str]())
    if "tree" in kinds:
        kinds |= {"pine tree", "palm tree", "bush"}
    if "man" in kinds:
        kinds |= {"woman", "child"} if {"people", "person", "human", "humans"} & set(tokens(prompt)) else set[str]()
    return replace(seen, without=frozenset(kinds))


class _Reader:
    """One pass over the words, left to right."""

    def __init__(self) -> None:
        self.wants: list[Want] = []
        self.found: Reading = Reading()
        self.pending = _Pending()
        self.unknown: list[str] = []
        self.negated = False
        self.fresh = False  # the last want was named in this clause

    def read(self, found: list[str]) -> Reading:
        """All words."""
        at = 0
        while at < len(found):
            at += self._step(found, at)
        self._clause()
        evoked = [words.EVOKED[word] for word in found if word in words.EVOKED]
        if not self.wants and evoked:
            self.wants.append(Want(kind=evoked[0], count=1))
        return replace(self.found, wants=tuple(self.wants), unknown=tuple(dict.fromkeys(self.unknown))[:40])

    def _step(self, found: list[str], at: int) -> int:
        """Read the longest known phrase at a place; returns how many words it had."""
        if found[at] == ",":
            self._clause()
            return 1
        book = lexicon()
        for length in range(min(LONGEST_PHRASE, len(found) - at), 0, -1):
            phrase = " ".join(found[at : at + length])
            meaning = book.get(phrase)
            if meaning is not None:
                self._take(self._sense(meaning, phrase, found, at + length), phrase)
                return length
        self._stranger(found[at])
        return 1

    def _sense(self, meaning: Meaning, phrase: str, found: list[str], after: int) -> Meaning:
        """Words with two senses, by what follows."""
        following = found[after] if after < len(found) else ","
        coming = lexicon().get(following)
        part = coming.part if coming is not None else None
        if phrase in words.NAMED_AFTER_THINGS:
            modifies = part in ("thing", "things", "garment", "backdrop", "sky", "hair", "eyes")
            if modifies or phrase in ("silver", "gold") or (phrase == "orange" and following == "and"):
                return Meaning("color", words.NAMED_AFTER_THINGS[phrase])
        if phrase in words.SHADES and part == "color":
            return Meaning("shade", phrase)
        if phrase == "light":
            return Meaning("skip", "")
        if phrase == "baby" and part in ("thing", "things"):
            return Meaning("size", "0.6")
        return meaning

    def _stranger(self, word: str) -> None:
        if word.isdecimal():
            self.pending.count = max(1, min(MOST_OF_A_KIND, int(word[:4])))
            return
        tag = _TAG.match(word)
        if tag is not None:
            self.pending.count = int(tag[1])
            self._thing(
                {"other": "man", "girl": "woman", "women": "woman", "boy": "man", "men": "man"}.get(tag[2], tag[2]), 1
            )
            return
        if "-" in word:
            for part in word.split("-"):
                self._step([part], 0)
            return
        self.unknown.append(word)

    def _take(self, meaning: Meaning, phrase: str) -> None:
        """What a phrase does, by the part of speech it is."""
        value = meaning.value
        match meaning.part:
            case "thing":
                self._thing(value, 1, phrase)
            case "things":
                self._thing(value, _usual(value), phrase)
            case "number" | "color" | "shade" | "size":
                self._modifier(meaning, phrase)
            case "position":
                self._position(value)
            case "relation":
                self._relation(value)
            case "garment":
                self._garment(value)
            case "hair" | "eyes":
                self._feature(meaning.part)
            case "without":
                self.negated = True
            case "skip":
                pass
            case _:
                self._setting(meaning, phrase)

    def _modifier(self, meaning: Meaning, phrase: str) -> None:
        """Waits for its noun."""
        pending, value = self.pending, meaning.value
        if meaning.part == "number":
            if phrase not in ("a", "an") or pending.count is None:
                pending.count, pending.articled = int(value), phrase in ("a", "an")
        elif meaning.part == "shade":
            pending.shade = phrase
        elif meaning.part == "size":
            pending.size *= float(value)
        else:
            if pending.shade is not None:
                step, vivid = words.SHADES[pending.shade]
                value, pending.shade = strengthen(tone(value, step), vivid), None
            pending.colors.append(value)

    def _setting(self, meaning: Meaning, phrase: str) -> None:
        """Backdrop, hour, weather, season, mood, style."""
        found: Reading = self.found
        value = meaning.value
        if self.negated:
            self.found = replace(found, without=found.without | {value})
            return
        match meaning.part:
            case "backdrop":
                self._backdrop(value, phrase)
            case "sky":
                self.found = replace(found, sky_color=self._color() or found.sky_color)
                self._forget()
            case "time":
                self.found = replace(found, time=found.time or value)
            case "weather":
                self.found = replace(found, weather=found.weather | {value})
            case "snow":
                self.found = replace(found, season="winter", weather=found.weather | {"lying snow"})
                self._forget()
            case "far view":
                self.found = replace(found, water=True)
                self._forget()
            case _:
                self._manner(meaning)

    def _manner(self, meaning: Meaning) -> None:
        """Season, mood, style and nearness."""
        found: Reading = self.found
        match meaning.part:
            case "season":
                self.found = replace(found, season=found.season or meaning.value)
            case "mood":
                self.found = replace(found, mood=found.mood | {meaning.value})
            case "style":
                self.found = replace(found, style=found.style or meaning.value)
            case _:
                self.found = replace(found, close=True)

    def _backdrop(self, value: str, phrase: str) -> None:
        """The first one named counts; a plain one gives way, and keeps the colour that was said of it."""
        found: Reading = self.found
        color = self._color()
        if phrase in ("background", "backdrop") and color is None:
            return
        if value in ("night hills", "night forest"):
            found = replace(found, time=found.time or "night")
        if found.backdrop is None or (found.backdrop == "studio" and value != "studio"):
            found = replace(found, backdrop=value)
        if color is not None and value in ("studio", "room", "table", "cave", "abstract"):
            found = replace(found, backdrop_color=color)
        elif color is not None:
            found = replace(found, ground_color=color)
        self.found = found
        self._forget()

    def _color(self) -> str | None:
        return self.pending.colors[-1] if self.pending.colors else None

    def _thing(self, kind: str, usual: int, phrase: str = "") -> None:
        if self.negated:
            self.found = replace(self.found, without=self.found.without | {kind})
            self._forget()
            return
        pending = self.pending
        if kind in ("sun", "moon") or (kind == "star" and usual > 1 and pending.count is None):
            usual = 1
        known = [index for index, want in enumerate(self.wants) if want.kind == kind]
        if known and pending.count is None and not pending.colors and usual == 1:
            index = known[-1]  # "the cat" again: the one named before
        elif len(self.wants) < MOST_WANTS:
            count = pending.count if pending.count is not None and not (pending.articled and usual > 1) else usual
            traits = (("phase", "crescent"),) if "crescent" in phrase or "half moon" in phrase else ()
            index = len(self.wants)
            self.wants.append(
                Want(kind=kind, count=min(MOST_OF_A_KIND, count), colors=tuple(pending.colors), size=pending.size,
                     position=pending.position, traits=traits)
            )  # fmt: skip
        else:
            return
        if pending.relation is not None:
            self._relate(pending.relation, index)
        self._forget()
        self.fresh = True

    def _relate(self, relation: tuple[str, int], index: int) -> None:
        """Join the want named before a relation with the one named after it."""
        name, first = relation
        if first == index or first >= len(self.wants):
            return
        kind = self.wants[index].kind
        wearable = kind in ("crown", "hat") and catalog()[self.wants[first].kind].place == "land"
        if name == "with" and not wearable:
            return
        if kind == "umbrella" and name == "under" and catalog()[self.wants[first].kind].person:
            name = "holds"
        if name in ("holds", "wears", "with"):
            self.wants[index] = replace(self.wants[index], relation=("held" if name == "holds" else "worn", first))
        elif self.wants[first].relation is None and self.wants[index].relation != (name, first):
            self.wants[first] = replace(self.wants[first], relation=(name, index))

    def _relation(self, name: str) -> None:
        if name == "and":
            return
        if name == "with":
            self.pending.relation = ("with", len(self.wants) - 1) if self.wants else None
            return
        if self.wants:
            self.pending.relation = (name, len(self.wants) - 1)

    def _position(self, value: str) -> None:
        if value == "top" and self.wants and catalog()[self.wants[-1].kind].person:
            return
        if self.wants and self.fresh and self.wants[-1].position is None and self.pending.count is None:
            self.wants[-1] = replace(self.wants[-1], position=value)
            self.pending.relation = None
        else:
            self.pending.position = value

    def _garment(self, value: str) -> None:
        """What somebody wears has the colour; a hat is also a thing of its own when nobody is there to wear it."""
        people = [index for index, want in enumerate(self.wants) if catalog()[want.kind].person]
        if people:
            index = people[-1]
            if self.pending.colors and not self.wants[index].colors and value != "hat":
                self.wants[index] = replace(self.wants[index], colors=tuple(self.pending.colors))
            if value == "hat":
                hat = Want(kind="hat", colors=tuple(self.pending.colors), relation=("worn", index))
                self.wants.append(hat)
            self._forget()
        elif value == "hat":
            self._thing("hat", 1)
        else:
            self._forget()

    def _feature(self, name: str) -> None:
        people = [index for index, want in enumerate(self.wants) if catalog()[want.kind].person]
        if people and self.pending.colors:
            index = people[-1]
            self.wants[index] = replace(
                self.wants[index], traits=(*self.wants[index].traits, (name, self.pending.colors[-1]))
            )
        if people and len(self.wants) == 1 and name == "eyes":
            self.found = replace(self.found, close=True)
        self._forget()

    def _clause(self) -> None:
        """A comma: colours that wait belong to what was just named ("a ball, red")."""
        if self.pending.colors and self.wants and not self.wants[-1].colors:
            self.wants[-1] = replace(self.wants[-1], colors=tuple(self.pending.colors))
        elif self.pending.colors and not self.wants and self.found.backdrop_color is None:
            self.found = replace(self.found, backdrop_color=self.pending.colors[0])
        position = self.pending.position
        self._forget()
        self.pending.position = position if not self.fresh else None
        self.negated = self.fresh = False

    def _forget(self) -> None:
        self.pending = _Pending()


def _usual(kind: str) -> int:
    """How many a plural without a number means: flowers come in bunches."""
    row = catalog()[kind]
    return 7 if row.home in ("garden", "farm") and row.place == "land" and row.top is None else 3
