"""Judge a text: normalize it, look for words, and look at what stands around those that may be harmless."""

# ruff: noqa: E501 - tables

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

#: Letters that are written as something else.
_LEET = str.maketrans(
    {"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i", "|": "i"}
)

#: Letters of other alphabets that look like Latin ones, and are written for them to slip by.
_LOOKALIKES = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0445\u0443\u0456\u0455\u03bf\u03b1\u03b5\u03b9", "aeopcxyisoaei"
)

_YOUNG = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen"

#: By label: pattern of whole words -> how sure it alone makes us, 0..1. Endings are part of the pattern.
_PLAIN: Mapping[str, Mapping[str, float]] = {
    "sexual": {
        r"porn\w*": 0.95, r"hentai": 0.9, r"nsfw": 0.7, r"(?:fully |completely )?nud(?:e|es|ity)": 0.7,
        r"naked": 0.6, r"topless": 0.65, r"erotic\w*": 0.8, r"sex(?:y|ual|ually)?": 0.55, r"having sex": 0.95,
        r"orgasm\w*": 0.9, r"masturbat\w*": 0.95, r"blowjobs?": 0.95, r"genitals?": 0.8, r"penis(?:es)?": 0.8,
        r"vaginas?": 0.8, r"nipples?": 0.6, r"breasts?": 0.3, r"lingerie": 0.4, r"fetish\w*": 0.7, r"strip(?:per|tease)s?": 0.6,
        r"seductive\w*": 0.4, r"orgy": 0.95, r"cum(?:shot|ming)": 0.95, r"fuck(?:s|ed|ing)? (?:him|her|me|them|you)": 0.8,
    },
    "minors": {
        r"child(?:ren)?": 0.6, r"kids?": 0.55, r"bab(?:y|ies)": 0.5, r"toddlers?": 0.7, r"infants?": 0.7, r"minors?": 0.5,
        r"pre-?teens?": 0.8, r"teen(?:s|age|ager|agers)?": 0.6, r"under ?age": 0.8, r"school ?(?:girl|boy)s?": 0.7,
        r"little (?:girl|boy)s?": 0.75, r"loli(?:con|ta|tas)?": 0.95, r"shota\w*": 0.95, r"jailbait": 0.95,
        r"(?:[1-9]|1[0-7])[ -]?(?:years?[ -]olds?|yo|y/o|y\.o\.?)": 0.85, r"(?:aged?|turning) (?:[1-9]|1[0-7])": 0.85,
        rf"(?:{_YOUNG})[ -]years?[ -]olds?": 0.85, r"(?:young )?(?:girl|boy)s?": 0.3, r"pa?edo(?:phil\w*)?": 0.95,
    },
    "violence": {
        r"gore": 0.8, r"gory": 0.8, r"behead\w*": 0.9, r"decapitat\w*": 0.9, r"dismember\w*": 0.9, r"mutilat\w*": 0.85,
        r"tortur(?:e|ed|es|ing)": 0.8, r"massacres?": 0.75, r"murder(?:s|ed|ing|er|ers)?": 0.6, r"stabb(?:ed|ing)": 0.6,
        r"bloodbath": 0.8, r"corpses?": 0.45,
        r"kill(?:s|ed|ing)? (?:him|her|them|people|everyone|you|my (?:wife|husband|family|boss|neighbou?r)|the (?:man|woman|child))": 0.8,
        r"shoot(?:s|ing)? (?:him|her|them|people|everyone|up (?:a|the|my) \w+)": 0.75, r"rap(?:e|ed|es|ing|ists?)": 0.9,
        r"strangl(?:e|es|ed|ing)": 0.7,
    },
    "hate": {
        r"nazis?": 0.6, r"heil hitler": 0.95, r"white (?:power|supremac\w+)": 0.95, r"ethnic cleansing": 0.9, r"genocide": 0.7,
        r"subhumans?": 0.9, r"(?:kill|gas|exterminate|deport) (?:all|the) (?:\w+ ){0,2}(?:jews|muslims|christians|gays|blacks|whites|immigrants|refugees|women)": 0.98,
        r"(?:all|those|these) (?:jews|muslims|gays|blacks|immigrants|women) (?:are|should)": 0.8, r"lynch(?:ed|ings?|es| mobs?)": 0.7,
    },
    "self-harm": {
        r"suicid(?:e|al)": 0.7, r"kill(?:ing)? (?:my|your|him|her)self": 0.95, r"self[ -]?harm\w*": 0.8,
        r"cut(?:ting)? (?:my|your)(?:self| wrists?)": 0.9, r"hang(?:ing)? (?:my|your)self": 0.9, r"overdos(?:e|ing)": 0.6,
        r"(?:want|wish) to die": 0.85, r"end(?:ing)? my life": 0.9, r"anorexi\w+": 0.4,
    },
    "illegal": {
        r"(?:make|build|making|building) (?:a |an )?(?:(?:real|homemade|pipe|nail|car|dirty|petrol|fertilizer|nuclear|chemical) )?bombs?": 0.9, r"pipe bombs?": 0.85, r"meth(?:amphetamine)?": 0.7,
        r"(?:cook|sell|buy)(?:ing)? (?:meth|heroin|cocaine|drugs)": 0.9, r"heroin": 0.6, r"cocaine": 0.6,
        r"credit card (?:fraud|numbers|skimm\w+)": 0.85, r"counterfeit\w*": 0.6, r"ransomware": 0.6,
        r"pa?edo(?:phil\w*)?": 0.9, r"(?:steal|stolen) (?:passwords?|identit\w+)": 0.8, r"child (?:porn\w*|abuse)": 0.98,
    },
}  # fmt: skip

#: What looks like one of them and is not: blanked out before anything is looked for.
_HARMLESS = (
    r"scunthorpe|essex|sussex|middlesex|wessex|sextant\w*|sextet\w*|unisex|cocktails?|peacocks?|hancock|cockpit|dickens|"
    r"shitake|shiitake|matsushita|nude (?:lipstick|color\w*|shade|heels|tone\w*|mouse)|naked eye|naked mole[ -]?rats?|"
    r"chicken breasts?|robin red ?breasts?|breast ?(?:stroke|plate)s?|kill(?:s|ed|ing)? (?:the )?(?:lights?|time|engine|process|mood)|"
    r"shoot(?:s|ing)? (?:a |the )?(?:photos?|pictures?|film|movie|video|hoops|scene|breeze|stars?)|photo ?shoots?|"
    r"shooting stars?|bath ?bombs?|photo ?bombs?|bombshell|sex(?:es)? of|same[- ]sex|sexton|sex(?:ual)? (?:selection|reproduction|dimorphism|education|and the city|pistols)|baby (?:blue|grand|shower|elephant|"
    r"animal|bird|dragon|dinosaur|turtle|yoda|fox|penguin|owl|panda|deer|seal|rabbit|duck|carriage)s?|in [a-g](?: flat| sharp)? minor|[b-g](?: flat| sharp)? minor|(?:a )?minor (?:key|chord|scale|"
    r"details?|planet|issue)s?|asia minor|ursa minor|canis minor|kid leather|goat kids?|rape ?seeds?|oil ?seed rape|al gore|gore[- ]?tex|gore verbinski|naked (?:trees?|branch(?:es)?|cakes?|truth|flames?|juice)|(?:wire|paint|cable) strippers?|grease nipples?|nude (?:pumps|dress|make ?up|palette|polish|nails)|topless (?:car|jeep|convertible)|with kindness|corpse bride|murder of crows|murder mystery|corpse flower|"
    r"suicide (?:prevention|hotline|awareness|squad)|killer whales?|lady ?killer|torture(?:d)? (?:artist|poets?)|cocaine bear|teen titans|cut(?:ting)? yourself some slack"
)  # fmt: skip

_PATTERNS = {
    label: [(re.compile(rf"(?<!\w)(?:{pattern})(?!\w)"), score) for pattern, score in words.items()]
    for label, words in _PLAIN.items()
}
_IGNORED = re.compile(rf"(?<!\w)(?:{_HARMLESS})(?!\w)")
_SPACED = re.compile(r"(?<!\w)(?:\w[ ._*-]){2,}\w(?!\w)")
#: Said of something that is not wanted or not there.
_DENIED = re.compile(
    r"(?:^|[ ,.;])(?:no|not|without|never|non|anti|against|prevent(?:ion|ing)?|stop(?:ping)?|avoid(?:ing)?)[ -]$"
)
#: As far back as such a word can begin.
_BEHIND = 16

#: Together with a child, even what is barely sexual is too much.
_BARELY = 0.3
_CHILD = 0.5


@dataclass(frozen=True, slots=True)
class Judged:
    """By label: how sure, 0..1, and the words that it was judged by."""

    scores: Mapping[str, float]
    matched: Mapping[str, list[str]]
    #: A child and something sexual in one text.
    forbidden: bool


def judge(text: str) -> Judged:
    """Look for every label. Several signs of one make it surer than each alone."""
    readings = _readings(text)
    scores: dict[str, float] = {}
    matched: dict[str, list[str]] = {}
    for label, patterns in _PATTERNS.items():
        found: dict[str, float] = {}
        for reading in readings:
            for pattern, score in patterns:
                for match in pattern.finditer(reading):
                    if not _DENIED.search(reading[max(0, match.start() - _BEHIND) : match.start()]):
                        found[match[0]] = max(score, found.get(match[0], 0.0))
        scores[label] = _together(found.values())
        matched[label] = sorted(found)
    return Judged(scores, matched, scores["minors"] >= _CHILD and scores["sexual"] >= _BARELY)


def _readings(text: str) -> list[str]:
    """The text in small letters without accents; as it is, with digits read as letters, and with spaced words closed."""
    plain = unicodedata.normalize("NFKD", text).casefold().translate(_LOOKALIKES)
    plain = "".join(c for c in plain if not unicodedata.combining(c) and unicodedata.category(c) != "Cf")
    plain = re.sub(r"[\s_]+", " ", plain)
    closed = _SPACED.sub(_closed, plain)
    return [_IGNORED.sub(" ", reading) for reading in dict.fromkeys((plain, closed, closed.translate(_LEET)))]


def _closed(match: re.Match[str]) -> str:
    """Spaced letters as words; an article before them may have been taken for the first of them."""
    word = re.sub(r"[ ._*-]", "", match[0])
    return f"{word} {word[1:]}"


def _together(scores: Iterable[float]) -> float:
    """As chances that do not depend on each other."""
    doubt = 1.0
    for score in scores:
        doubt *= 1 - score
    return round(1 - doubt, 3)
