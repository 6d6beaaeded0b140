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
_YEARS = r"(?:[1-9]|1[0-7])"
_CHILD_WORDS = "girl|boy|daughter|son|sister|brother|niece|nephew|student|pupil"
_WHOM = (
    r"(?:him|her|them|people|everyone|everybody|someone|somebody|you|all of them|(?:my|your|his|her|the|a|all) (?:ex |own )?(?:wife|husband|brother|sister|"
    r"family|parents|mother|father|boss|neighbou?rs?|teachers?|classmates?|coworkers?|man|woman|child|children|kids|president|"
    r"police|cops?|prisoners?|hostages?))"
)
#: Groups of people, and what is said of them in hate; that they are equal, or our neighbors, is none.
_GROUPS = (
    r"(?:jews|jewish people|muslims|christians|hindus|gays|gay people|lesbians|homosexuals|trans people|blacks|black people|whites|"
    r"white people|asians|arabs|africans|mexicans|gypsies|immigrants|migrants|refugees|foreigners|women)"
)
_BASE = (
    r"(?:vermin|rats|roaches|cockroaches|animals|parasites|subhumans?|inferior|filth|filthy|scum|trash|garbage|dirt|disgusting|"
    r"evil|a (?:disease|cancer|plague)|criminals|rapists|thieves|stupid)"
)
_HARM = (
    r"(?:die|hang|burn|rot|(?:be )?(?:killed|gassed|shot|hanged|lynched|burned|deported|exterminated|eradicated|wiped out|"
    r"sterilized|enslaved|beaten|sent back))"
)
_UNCLAD = r"(?:(?:wearing|with|in) (?:nothing|no clothes)|no clothes(?! ?(?:lines?|pegs?|hangers?|shops?|stores?))|without (?:any |her |his |their )?cloth(?:es|ing))"

#: By label: pattern of whole words -> how sure it alone makes us, 0..1. Endings are part of the pattern.
_PLAIN: Mapping[str, Mapping[str, float]] = {
    "sexual": {
        r"porn\w*": 0.95, r"hentai": 0.9, r"nsfw": 0.7, r"(?:fully |completely )?nud(?:e|es|ity)": 0.7,
        r"naked": 0.6, r"topless": 0.65, r"bottomless": 0.3, r"erotic\w*": 0.8, r"sex(?:y|ual|ually)?": 0.55, r"having sex": 0.95,
        r"orgasm\w*|cunnilingus|ejaculat\w*": 0.9, r"masturbat\w*": 0.95, r"(?:blow ?|hand)jobs?|gang ?bangs?|bukkake": 0.95, r"genitals?": 0.8, r"penis(?:es)?": 0.8,
        r"vaginas?": 0.8, r"nipples?": 0.6, r"breasts?": 0.3, r"lingerie": 0.4, r"fetish\w*": 0.7, r"strip(?:per|tease)s?": 0.6,
        r"seductive\w*": 0.4, r"orgy": 0.95, r"cum(?:shot|ming)": 0.95, r"fuck(?:s|ed|ing)? (?:him|her|me|them|you)": 0.8,
        r"sexuali[sz]\w+": 0.6, r"undress(?:ed|es|ing)?": 0.5, r"unclothed": 0.6, r"(?:bare|exposed|naked)[ -]?breast(?:s|ed)": 0.7,
        rf"(?:{_UNCLAD})": 0.5, r"(?:boobs|titties)": 0.6, r"(?:big|huge|bare|exposed) tits|tits out": 0.8, r"thongs?|g-string": 0.35,
        r"bdsm": 0.7, r"anal(?! (?:fins?|canal|retentive|glands?))": 0.6, r"deep ?throat\w*": 0.9, r"cum on": 0.8, r"dildos?": 0.9, r"semen(?! (?:analysis|samples?|donors?))": 0.6, r"threesomes?|milfs?|creampies?": 0.7, r"(?:no|without) panties|spread legs|legs spread": 0.6, r"doggy ?style": 0.8,
        r"up ?skirts?": 0.85, r"(?:suck\w*|erect|hard|huge|big) (?:a |his |my )?(?:cocks?|dicks?)": 0.9, r"(?:cock|dick) in": 0.8,
        r"(?:wet |lick\w* |eat\w* )(?:her |my )?pussy|pussy (?:lick\w*|juice|lips)": 0.9,
    },
    "minors": {
        r"child(?:ren)?": 0.6, r"kids?": 0.55, r"bab(?:y|ies)": 0.5, r"toddlers?": 0.7, r"infants?": 0.7, r"minors?": 0.5,
        r"pre-?teens?|tweens?": 0.8, r"teen(?:s|age|ager|agers)?": 0.6, r"under ?age": 0.8, r"school ?(?:girl|boy)s?": 0.7,
        r"(?:pre-?)?pubescents?": 0.8, r"kindergart(?:en|n)?ers?": 0.8, r"pre-?schoolers?": 0.8,
        r"(?:middle|high|elementary|primary|grade)[ -]?school(?:er|ers| (?:girl|boy|kid|student|pupil)s?)": 0.7,
        r"little (?:girl|boy)s?": 0.75, r"young (?:girl|boy)s?": 0.55, r"loli(?:con|ta|tas)?": 0.95, r"shota\w*": 0.95, r"jailbait": 0.95,
        rf"{_YEARS}[ -]?(?:y(?:ea)?rs?[ -]olds?|yo|y/o|y\.o\.?)": 0.85, rf"(?:ages?|aged|turning):? ?{_YEARS}": 0.85,
        rf"(?:{_CHILD_WORDS})s? ?\({_YEARS}\)": 0.85, rf"(?:{_CHILD_WORDS}), {_YEARS}(?=[,.;)]|$)": 0.85,
        rf"(?:{_YOUNG})[ -]years?[ -]olds?": 0.85, r"(?:girl|boy)s?": 0.3, r"pa?edo(?:phil\w*)?": 0.95,
    },
    "violence": {
        r"gore": 0.8, r"gory": 0.8, r"behead\w*": 0.9, r"decapitat\w*": 0.9, r"dismember\w*": 0.9, r"mutilat\w*": 0.85,
        r"tortur(?:e|ed|es|ing)": 0.8, r"massacres?": 0.75, r"murder(?:s|ed|ing|er|ers)?": 0.6, r"stabb(?:ed|ing)": 0.6,
        r"bloodbath": 0.8, r"corpses?": 0.45, r"disembowel\w*": 0.9, r"eviscerat\w*": 0.85, r"severed (?:heads?|limbs?|arms?|legs?)": 0.7,
        rf"kill(?:s|ed|ing)? {_WHOM}": 0.8, rf"stabs? {_WHOM}": 0.75, rf"execut(?:e|es|ed|ing) {_WHOM}": 0.7,
        rf"shoot(?:s|ing)? (?!the (?:man|woman|child|children|kids|family)){_WHOM}(?!['\u2019]s| with (?:an? |my |the )?(?:water|nerf|paint|toy|camera|lens)| (?:an? |the )?(?:e-?mail|messages?|text|note|line|look|glance|smile))": 0.75,
        r"shoot(?:s|ing)? up (?:a|the|my) \w+": 0.75, r"rap(?:e|ed|es|ing|ists?)": 0.9,
        r"(?:slit|slits|slitting|cut|cuts|cutting) (?:his|her|their|a|my|your) throats?": 0.85,
        r"burn(?:s|ed|ing|t)? (?:\w+ ){1,2}alive": 0.8, r"strangl(?:e|es|ed|ing)": 0.7, r"(?:chok|beat|burn|stabb|strangl|stomp|kick|club|hack|ston)\w* (?:\w+ )?to death": 0.8, r"(?:skinned|flayed|buried|eaten) alive": 0.7, r"impaled": 0.55, r"entrails|guts spill\w*|spilled guts": 0.6, r"(?:mass|school) shoot(?:ings?|ers?)": 0.7, r"cut(?:s|ting)? off (?:his|her|their|a|the) heads?": 0.85,
    },
    "hate": {
        r"nazis?": 0.6, r"heil hitler": 0.95, r"white (?:power|supremac\w+)": 0.95, r"ethnic cleansing": 0.9, r"genocide": 0.7,
        r"swastikas?": 0.6, r"kkk|ku klux klan": 0.6, r"sub-?humans?": 0.9,
        rf"(?:kill|gas|hang|exterminate|deport|death to) (?:(?:all|the) )?(?:\w+ ){{0,2}}{_GROUPS}": 0.98,
        rf"{_GROUPS} (?:are|is) (?:(?!not |never )\w+ )?{_BASE}": 0.9,
        rf"{_GROUPS} (?:should|must|deserve to|need to)(?: all)? {_HARM}": 0.9,
        r"lynch(?:ed|ings?|es| mobs?)": 0.7, r"nigg(?:er|a)s?": 0.9, r"faggots?": 0.8, r"kikes?": 0.9, r"wetbacks?": 0.8,
        r"(?:rag|towel)heads?": 0.85, r"trannies": 0.7,
    },
    "self-harm": {
        r"suicid(?:e|al)": 0.7, r"kill(?:ing)? (?:my|your|him|her)self": 0.95, r"self[ -]?harm\w*": 0.8,
        r"(?:cut|slit)(?:ting)? (?:my|your) wrists?": 0.9, r"(?:cut|hang)(?:ting|ing)? (?:my|your)self(?! (?:a|an|some|off|out|in|loose|up|the)\b)": 0.9,
        r"overdos(?:e|ing)": 0.6, r"(?:want to|wish to|wanna) die(?! (?:laughing|of (?:laughter|embarrassment|shame)))": 0.85,
        r"(?:do not|don.?t) want to (?:live(?! (?:in|here|there|at|on|near|like|next))|be alive|exist)": 0.85, r"better off dead": 0.8, r"starv(?:e|ing) myself": 0.5,
        r"end(?:ing)? my life(?! (?:insurance|sentence|story))": 0.9, r"anorexi\w+": 0.4,
    },
    "illegal": {
        r"(?:make|build|making|building) (?:a |an )?(?:(?:real|homemade|pipe|nail|car|dirty|petrol|fertilizer|nuclear|chemical) )?bombs?(?! (?:disposal|shelter|squad|detector))": 0.9,
        r"(?:make|build|making|building) (?:a |an |some )?(?:explosives?|molotovs?|ricin|sarin|nerve gas|napalm|thermite|gun silencers?)": 0.85,
        r"pipe[ -]bombs?": 0.85, r"meth(?:amphetamine)?": 0.7, r"(?:cook|sell|buy)(?:ing)? (?:meth|heroin|cocaine|drugs|fentanyl)": 0.9,
        r"heroin": 0.6, r"cocaine": 0.6, r"fentanyl": 0.55, r"credit card (?:fraud|numbers|skimm\w+)": 0.85, r"counterfeit\w*": 0.6, r"ransomware": 0.6,
        r"pa?edo(?:phil\w*)?": 0.9, r"(?:steal|stealing|stolen) (?:passwords?|identit\w+|credit cards?)": 0.8, r"child (?:porn\w*|abuse)": 0.98,
        r"money laundering|launder(?:ing)? (?:\w+ )?money": 0.6, r"(?:fake|forge|forged|forging) (?:an? )?(?:passports?|ids?|driver.?s? licen[cs]es?)": 0.7,
        r"hack(?:ing)? into (?:[\w'\u2019]+ ){0,3}(?:banks?|accounts?|e-?mails?|computers?|phones?|networks?|servers?|systems?|wi-?fi)": 0.65, r"(?:unregistered|untraceable) (?:guns?|firearms?|weapons?)": 0.75,
        r"human trafficking": 0.65, r"hire (?:an? )?(?:hit ?man|assassin|killer)": 0.7,
    },
}  # fmt: skip

#: What looks like one of them and is not: blanked out before anything is looked for.
_HARMLESS = (
    r"scunthorpe|essex|sussex|middlesex|wessex|sextant\w*|sextet\w*|unisex|cocktails?|peacocks?|hancock|cockpit|dickens|"
    r"shitake|shiitake|matsushita|nude (?:lipstick|color\w*|shade|heels|tone\w*|mouse)|naked eye|naked mole[ -]?rats?|"
    r"chicken breasts?|robin red ?breasts?|breast ?(?:stroke|plate|milk|pump|cancer|screening)s?|nude descending|naked chef|undressed (?:salad|stone|timber|wounds?)|breast ?(?:feed|fed)\w*|"
    r"kill(?:s|ed|ing)? (?:\w+ )?with kindness|kill(?:s|ed|ing)? (?:\w+ )?child(?:ren)? process(?:es)?|kill(?:s|ed|ing)? (?:the )?(?:lights?|time|engine|process|mood)|"
    r"shoot(?:s|ing)? (?:a |the )?(?:photos?|pictures?|film|movie|video|hoops|scene|breeze|stars?)|photo ?shoots?|"
    r"shooting stars?|bath ?bombs?|photo ?bombs?|bombshell|sex(?:es)? of|same[- ]sex|sexton|sex appeal|sex(?:ual)? (?:selection|reproduction|dimorphism|education|and the city|pistols)|baby (?:blue|grand|shower|elephant|"
    r"animal|bird|dragon|dinosaur|turtle|yoda|fox|penguin|owl|panda|deer|seal|rabbit|duck|carriage)s?|in [a-g](?: flat| sharp)? minor|[b-g](?: flat| sharp)? minor|(?:a )?minor (?:key|chord|scale|"
    r"details?|planet|issue|injur(?:y|ie))s?|asia minor|ursa minor|canis minor|kid leather|goat kids?|rape ?seeds?|oil ?seed rape|rape of (?:the )?(?:sabines?|europa|proserpina|persephone|lucretia)(?: women)?|"
    r"al gore|gore[- ]?tex|gore verbinski|naked (?:trees?|branch(?:es)?|cakes?|truth|flames?|juice|gun)|(?:wire|paint|cable) strippers?|grease nipples?|nude (?:pumps|dress|make ?up|palette|polish|nails)|topless (?:car|jeep|convertible)|corpse bride|murder of crows|murder mystery|corpse flower|"
    r"suicide squad|killer whales?|lady ?killer|tortur(?:ed|ing) (?:artist|poet|soul)s?|tortur(?:ed|ing) (?:my|your)self|(?:gory|gruesome) details|stabbing pains?|strangl(?:ed|ing) (?:cry|cries|voice|vines?|figs?)|"
    r"cocaine bear|heroin chic|teen titans|teenage mutant|mutant ninja|overdos(?:e|ing) (?:of|on) (?:cute\w*|sugar|colou?rs?|sweet\w*|joy)|penis envy|anal[ -]retentive|faggots? of (?:wood|sticks|twigs)|"
    r"counterfeit (?:\w+ )?(?:detect\w+|money pens?)|beheading (?:holofernes|of (?:saint|st\.?))|(?:buddhist|hindu|jain) swastikas?"
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
#: What speaks against it or remembers it. Not of bodies: a naked survivor is naked.
_AGAINST = re.compile(
    r"(?: \w+)? (?:awareness|prevention|hotlines?|memorials?|museums?|remembrance|survivors?|recovery|helplines?)(?!\w)"
)
_BODIES = frozenset({"sexual", "minors"})

#: How many of the words that a label was judged by are told, and how many characters of each.
_LISTED, _SHOWN = 100, 100

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
                    if not _meant_well(label, reading, match):
                        found[match[0]] = max(score, found.get(match[0], 0.0))
        scores[label] = _together(found.values())
        matched[label] = sorted(match[:_SHOWN] for match in found)[:_LISTED]
    return Judged(scores, matched, scores["minors"] >= _CHILD and scores["sexual"] >= _BARELY)


def _meant_well(label: str, reading: str, match: re.Match[str]) -> bool:
    """Whether what stands before or after says that it is not wanted."""
    if _DENIED.search(reading[max(0, match.start() - _BEHIND) : match.start()]):
        return True
    return label not in _BODIES and _AGAINST.match(reading, match.end()) is not None


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
