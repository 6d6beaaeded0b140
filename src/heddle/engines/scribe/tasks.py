"""What is asked of the scribe, and what it is to work on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["enhance", "negative", "title", "caption", "tags", "variations", "describe", "story", "about", "unable"]


@dataclass(frozen=True, slots=True)
class Task:
    """A kind of text, what it is about, and how many of it."""

    kind: Kind
    subject: str
    count: int = 1
    #: What is wanted of a picture prompt, beside that it be a better one.
    instruction: str = ""


_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
_COUNT = r"(?P<count>\d{1,2}|" + "|".join(_NUMBERS) + r")"
_OF = (
    r"(?:(?:\s*\b(?:for|of|about|on|from)\b)?"
    r"(?:\s+(?:(?:this|the following)\b(?:\s+(?:picture|image|prompt|scene|photo)\b)?|"
    r"an?\s+(?:picture|image|prompt|scene|photo)\b))?"
    r"\s*(?:of|about)?\s*[:\-]?\s*)"
)

_FROM = (
    r"(?:(?:\s*\b(?:for|of|about|on|from|with|using)\b)?"
    r"(?:\s+(?:(?:these|the following|the|this)\s+(?:key ?)?words?|key ?words?)\b)?\s*[:\-]?\s*)"
)

#: In this order, because a title of a story is a title.
_ASKS: tuple[tuple[Kind, str], ...] = (
    ("negative", r"(?:a |the |some )?negative prompts?" + _OF),
    ("title", r"(?:a |the )?(?:short )?(?:titles?|headlines?|names?)\b" + _OF),
    ("tags", r"(?:a list of |some )?(?:\d+ )?(?:tags|keywords|hashtags)\b" + _OF),
    ("caption", r"(?:a |the )?(?:short )?(?:captions?|alt[- ]text)\b" + _OF),
    ("variations", _COUNT + r"\s+(?:different\s+)?(?:variations?|ideas?|versions?|prompts?)\b" + _OF),
    ("variations", r"(?:some |a few )?(?:variations|ideas|versions)\b" + _OF),
    ("enhance", r"(?:this |the |my )?(?:picture |image )?prompt\b" + _OF),
    ("story", r"(?:a |the )?(?:short |brief |little |fairy )*(?:story|tale)\b" + _FROM),
    ("describe", r"(?:a |the )?(?:short |brief |little )?(?:description|paragraph|text|scene)\b" + _OF),
)
_VERB = (
    r"^(?:please\s+|can you\s+|could you\s+|i (?:want|need)\s+)*"
    r"(?:write|give|make|create|suggest|generate|improve|enhance|expand|rewrite|describe|tell|list|find)"
    r"(?:\s*:\s*|\s+(?:me\s+|us\s+)?(?:this\s*:\s*)?)"
)
_QUESTION = re.compile(
    r"^(?:who|what|when|where|why|how|which|is|are|do|does|did|can|could|will|would|should|solve|calculate|translate|"
    r"explain|compute|prove|summari[sz]e|debug|fix|code)\b",
    re.IGNORECASE,
)
_CODE = re.compile(r"\b(?:python|javascript|function|regex|sql|code|equation|translate)\b", re.IGNORECASE)

#: What wants no text but to know who is there.
_GREETING = re.compile(
    r"^(?:hi|hello|hey|good (?:morning|evening|day)|thanks|thank you|help|who are you|what are you|what can you do)"
    r"[\s!.,]*(?:there|scribe|again)?[\s!.,]*(?:how are you)?[\s!.,?]*$",
    re.IGNORECASE,
)
#: A sum, or what refers to an answer before it.
_UNKNOWN = re.compile(r"^[\d\s+\-*/^=().,%?]+$|^(?:please )?make (?:it|this|that)\b", re.IGNORECASE)
#: Texts that rules cannot write.
_BEYOND = re.compile(
    r"^(?:please\s+)?(?:write|tell|compose|give)\s+(?:me\s+|us\s+)?(?:an?\s+|the\s+|some\s+)?(?:\w+\s+)?"
    r"(?:jokes?|haikus?|poems?|riddles?|limericks?|recipes?|essays?|letters?|e-?mails?|songs?|lyrics|articles?|reviews?)\b",
    re.IGNORECASE,
)
#: Said before what a picture is to show.
_PICTURE = re.compile(
    r"^(?:please\s+)?(?:(?:can|could) you\s+)?(?:make|create|generate|give|show|draw|paint|"
    r"i(?:.d| would)? (?:want|need|like))\s+(?:me\s+)?(?:an?\s+|the\s+|some\s+)?(?:pictures?|images?)\s+of\s+(?=\S)",
    re.IGNORECASE,
)


def find(text: str, *, enhance: bool, instruction: str) -> Task:
    """What a text asks for. A bare description of a picture is a prompt to improve."""
    subject = " ".join(text.split())
    if enhance:
        return Task("enhance", subject, instruction=instruction)
    if instruction:
        asked = _asked(instruction + ": " + subject)
        return asked or Task("enhance", subject, instruction=instruction)
    if _GREETING.match(subject):
        return Task("about", subject)
    if asked := _asked(subject):
        return asked
    able = not (subject.endswith("?") or any(said.search(subject) for said in (_UNKNOWN, _BEYOND, _QUESTION, _CODE)))
    return Task("enhance", _PICTURE.sub("", subject)) if able else Task("unable", subject)


def _asked(text: str) -> Task | None:
    verb = re.match(_VERB, text, re.IGNORECASE)
    rest = text[verb.end() :] if verb else text
    for kind, pattern in _ASKS:
        if match := re.match(pattern, rest, re.IGNORECASE):
            subject = rest[match.end() :].strip(" .:\"'")
            if subject and (verb or ":" in match[0] or re.search(r"\b(?:for|of|about|from)\b", match[0])):
                return Task(kind, subject, _count(match.groupdict().get("count"), kind))
    about = re.match(r"(?:please\s+)?(?:describe\b|tell (?:me |us )?about\b)\s*:?\s*(?=\S)", text, re.IGNORECASE)
    if about:
        return Task("describe", text[about.end() :].strip(" .:"))
    if verb and re.match(r"(?:please\s+)?(?:improve|enhance|expand|rewrite)", text, re.IGNORECASE) and rest.strip():
        return Task("enhance", rest.strip(" .:\"'"))
    return None


def _count(text: str | None, kind: Kind) -> int:
    if text is None:
        return 4 if kind == "variations" else 1
    return max(1, min(10, _NUMBERS.get(text.lower(), 0) or int(text)))
