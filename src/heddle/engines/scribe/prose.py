"""Descriptions and little stories: plain sentences from what a text names, and nothing that contradicts it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence

#: Chooses one of several sentences.
Pick = Callable[[Sequence[str]], str]

#: By what a subject leaves open: how it is, and how it was.
_NOW: Mapping[str, Sequence[str]] = {
    "time": ("It is early in the morning.", "It is late in the afternoon.", "The sun is about to set."),
    "weather": ("The sky is clear.", "A few clouds drift by.", "A light mist lies over everything."),
    "light": ("The light is soft.", "The shadows are gentle.", "Light falls in from one side."),
    "mood": ("All is calm.", "It looks cheerful.", "It might be a dream."),
}
_THEN: Mapping[str, Sequence[str]] = {
    "time": ("It was early in the morning.", "It was late in the afternoon.", "The sun was about to set."),
    "weather": ("The sky was clear.", "A few clouds drifted by.", "A light mist lay over everything."),
}
_SHOWN = ("We see {}.", "The picture shows {}.", "Before us: {}.")
_ENDS = (
    "It is a picture to stay with for a while.",
    "Every small thing has its place.",
    "The eye wanders, and comes back.",
)

_BEGINNINGS = ("This is the story of {}.", "This story begins with {}.")
_MEETINGS = ("Along the way came {}.", "Behind the next bend waited {}.", "Then, out of nowhere, appeared {}.")
_ALONE = (
    "One day the path ended, and no map said what came next.",
    "One day there was a sound from far away, and nobody else heard it.",
    "One day everything that had been easy was hard.",
)
_TURNS = ("{} stopped, looked, and went on.", "{} waited for a long time.", "{} had seen nothing like it before.")
_RETURNS = ("In the end, all was well with {}.", "And nobody forgot {}.")

#: Words before a noun that make an article needless.
_GIVEN = re.compile(
    r"(?:an?|the|this|that|these|those|some|many|my|your|his|her|its|our|their|no|one|two|three|four|five|six|seven|"
    r"eight|nine|ten|\d+)\b",
    re.IGNORECASE,
)
_HEAD_ENDS = re.compile(
    r"[,;]|\s(?:who|that|which|whose|in|on|at|with|by|under|over|near|from|and|of)\s", re.IGNORECASE
)
_BETWEEN = re.compile(r"\s*[,;\n]\s*(?:and\s+)?|\s+and\s+")
#: Words that end as plurals do, and are none.
_SINGULAR = re.compile(r"(?:ss|us|is|glass|lens)$", re.IGNORECASE)
#: There is one of each.
_ONLY = frozenset(
    {"moon", "sun", "sky", "sea", "ocean", "world", "universe", "earth", "north", "south", "rain", "snow"}
)
#: Things that one story can hold.
_MOST = 6


def describe(subject: str, open_aspects: Collection[str], pick: Pick) -> str:
    """A few sentences in the present."""
    said = [pick(_SHOWN).format(_begun_small(subject))]
    said += [pick(_NOW[aspect]) for aspect in _NOW if aspect in open_aspects]
    return " ".join([*said, pick(_ENDS)])


def story(subject: str, open_aspects: Collection[str], pick: Pick) -> str:
    """A beginning, what comes along, a turn and an end. What stands first is whom it is about."""
    hero, *others = [part for part in _BETWEEN.split(subject.strip(" .")) if part][:_MOST] or ["somebody"]
    said = [pick(_BEGINNINGS).format(_with_article(hero))]
    said += [pick(_THEN[aspect]) for aspect in _THEN if aspect in open_aspects]
    said += _met(others, pick) or [pick(_ALONE)]
    said.append(_begun_large(pick(_TURNS).format(_known(hero))))
    said.append(pick(_RETURNS).format(_known(hero)))
    return " ".join(said)


def _met(others: Sequence[str], pick: Pick) -> list[str]:
    """One sentence each, never twice the same in a row."""
    said: list[str] = []
    last = ""
    for other in others:
        last = pick([sentence for sentence in _MEETINGS if sentence != last])
        said.append(last.format(_with_article(other)))
    return said


def _with_article(noun: str) -> str:
    noun = _begun_small(noun)
    word = noun.partition(" ")[0]
    named = noun[:1].isupper() or _GIVEN.match(noun)
    if named or (_head(noun).endswith("s") and not _SINGULAR.search(_head(noun))) or not word:
        return noun
    if noun.lower() in _ONLY:
        return f"the {noun}"
    return f"{'an' if word[0].lower() in 'aeiou' else 'a'} {noun}"


def _known(noun: str) -> str:
    """As it is called the second time: `the robot` for `a robot in the rain`."""
    head = _begun_small(_head(noun))
    if head[:1].isupper():
        return head
    bare = re.sub(r"^(?:an?|one|some)\s+", "", head, flags=re.IGNORECASE)
    return bare if re.match(r"(?:the|this|that|these|those|my|your|his|her|its|our|their)\b", bare) else f"the {bare}"


def _head(noun: str) -> str:
    return _HEAD_ENDS.split(noun, maxsplit=1)[0].strip()


def _begun_small(text: str) -> str:
    """Only what begins with an article or a number: others may be names."""
    return text[:1].lower() + text[1:] if _GIVEN.match(text) else text


def _begun_large(text: str) -> str:
    return text[:1].upper() + text[1:]
