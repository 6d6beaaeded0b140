"""Words to numbers: the vocabulary of `mini`. A word that it does not hold goes to one of `BUCKETS` by its spelling."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

#: How many tokens of a prompt are read; what follows is cut off.
LENGTH = 40
#: Numbers for words outside the vocabulary; a LoRA's trigger word lives in one of them.
BUCKETS = 256
#: Things in a picture at most, as `things.py` has them.
MOST = 4
PADDING = 0
START = 1
_FIRST_WORD = 2

_WORD = re.compile(r"[a-z]+|[0-9]+|,")
_NETWORK = re.compile(r"<[^<>]{0,200}>")
_WEIGHT = re.compile(r":\s*[0-9]*\.?[0-9]+\s*(?=[)\]])")

#: The vocabulary in the order of its numbers; a new word goes to the end, because weights belong to places.
_SAID = """
, a an the of in on at to and with one two three four 1 2 3 4 single pair
left right top bottom center middle corner side upper lower above below under over beneath next beside near is are
tiny small little big large huge giant medium
red orange yellow green blue purple pink brown black white gray grey cyan violet crimson turquoise colored
"""
_NOUNS = """
circle circles square squares triangle triangles heart hearts star stars balloon balloons sun suns moon moons tree
trees flower flowers mushroom mushrooms cactus cacti cactuses house houses castle castles car cars sailboat sailboats
airplane airplanes rocket rockets fish fishes cat cats bird birds butterfly butterflies snowman snowmen umbrella
umbrellas disc discs dot dots box boxes pyramid pyramids love full crescent oak oaks daisy daisies toadstool toadstools
cottage cottages home homes palace palaces fortress automobile automobiles taxi yacht yachts boat boats plane planes jet
jets spaceship spaceships goldfish kitten kittens kitty sparrow sparrows parasol parasols five pointed round shape
"""
_AROUND = """
meadow grass grassy field mountains mountain desert dunes sand sandy snow snowy winter beach seaside shore sea ocean
water city skyscrapers town night dark hills space outer stars galaxy underwater deep reef by sky starry
background plain simple backdrop
illustration flat design vector minimalist line art drawing outline ink sketch watercolor watercolour painting pixel
pixelated bit 8 retro game style picture image photo scene cartoon
there this that it stands flying standing day sunny
"""

#: All of it.
WORDS = _SAID + _NOUNS + _AROUND
#: Words outside the vocabulary that prompts have and that mean nothing to be drawn.
EMPTY = """
amazing beautiful best cute detailed drawn favorite for hd high highly k kids lovely masterpiece my nice pretty quality
some trending very wonderful
"""

_EMPTY = frozenset(EMPTY.split())
#: Nouns, of which these are none, and how many of them are said.
_THINGS = frozenset(_NOUNS.split()) - frozenset(["love", "full", "crescent", "five", "pointed", "round", "shape"])
_COUNTS = {
    "a": 1,
    "an": 1,
    "one": 1,
    "1": 1,
    "single": 1,
    "pair": 2,
    "two": 2,
    "2": 2,
    "three": 3,
    "3": 3,
    "four": 4,
    "4": 4,
}
_NUMBERS = {word: _FIRST_WORD + index for index, word in enumerate(dict.fromkeys(WORDS.split()))}
#: Padding, the start, the vocabulary, the buckets.
SIZE = _FIRST_WORD + len(_NUMBERS) + BUCKETS


def words(prompt: str) -> list[str]:
    """The words of a prompt, lower case, without the syntax of other tools: `(word:1.3)`, `[word]`, `<lora:…>`."""
    return _WORD.findall(_plain(prompt))


def _plain(prompt: str) -> str:
    return _WEIGHT.sub("", _NETWORK.sub(" ", prompt[:20_000])).lower()


def number(word: str) -> int:
    """A word's number: its place in the vocabulary, or its bucket."""
    known = _NUMBERS.get(word)
    return known if known is not None else SIZE - BUCKETS + zlib.crc32(word.encode()) % BUCKETS


def knows(prompt: str) -> bool:
    """Whether all of a prompt is read, and each of its words is one that was taught or means nothing; and whether it
    asks for no more things than there can be."""
    plain = _plain(prompt)
    found = _WORD.findall(plain)
    unread = any(letter.isalnum() for letter in _WORD.sub("", plain))
    taught = all(word in _NUMBERS or word in _EMPTY for word in found)
    return bool(found) and not unread and len(found) < LENGTH and taught and _asked(found) <= MOST


def _asked(found: list[str]) -> int:
    """How many things words ask for."""
    total, count = 0, 0
    for at, word in enumerate(found):
        if word == "five" and found[at + 1 : at + 2] != ["pointed"]:
            return MOST + 1
        count = _COUNTS.get(word, count)
        if word in _THINGS:
            total, count = total + (count or 1), 0
    return total


def encode(prompt: str) -> npt.NDArray[np.int64]:
    """The numbers of a prompt, `LENGTH` of them: the start, the words, padding."""
    import numpy as np  # noqa: PLC0415 - the server asks what is known, and encodes nothing

    made = np.full(LENGTH, PADDING, dtype=np.int64)
    row = [START, *(number(word) for word in words(prompt))][:LENGTH]
    made[: len(row)] = row
    return made
