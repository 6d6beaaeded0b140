"""Tells the language of a text: by its script, and where many share one, by letters and the commonest words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

#: First and last character of a script, and the language that is the likeliest in it.
_SCRIPTS = (
    ("\u0370", "\u03ff", "el"),
    ("\u0400", "\u052f", "ru"),
    ("\u0530", "\u058f", "hy"),
    ("\u0590", "\u05ff", "he"),
    ("\u0600", "\u06ff", "ar"),
    ("\u0900", "\u097f", "hi"),
    ("\u0980", "\u09ff", "bn"),
    ("\u0a00", "\u0a7f", "pa"),
    ("\u0a80", "\u0aff", "gu"),
    ("\u0b00", "\u0b7f", "or"),
    ("\u0b80", "\u0bff", "ta"),
    ("\u0c00", "\u0c7f", "te"),
    ("\u0c80", "\u0cff", "kn"),
    ("\u0d00", "\u0d7f", "ml"),
    ("\u0d80", "\u0dff", "si"),
    ("\u0e00", "\u0e7f", "th"),
    ("\u1000", "\u109f", "my"),
    ("\u10a0", "\u10ff", "ka"),
    ("\u1200", "\u137f", "am"),
    ("\u3040", "\u30ff", "ja"),
    ("\u4e00", "\u9fff", "cmn"),
    ("\uac00", "\ud7af", "ko"),
)

#: Letters that tell a language from the likeliest one of its script.
_LETTERS: Mapping[str, Mapping[str, str]] = {
    "ru": {"uk": "іїєґ", "be": "ў", "sr": "ђћџљњ", "mk": "ѓќѕ", "kk": "әғқңұһ"},
    "ar": {"ur": "ٹڈڑںے", "fa": "پچژگ"},
}

#: Words that every text of the language has many of. The first is spoken when nothing in a text says otherwise.
_WORDS = {
    "en-us": "the and of to is that it you for with this was are have not be on what they will from",
    "de": "der die das und ist nicht ein eine ich sie mit auf für zu den wir von auch es dem sich",
    "fr": "le la les des est une et je vous nous dans que pas pour qui avec sur il elle du au suis là à ce ne",
    "es": "el los las una que es por con para como pero del está muy y no se lo mi son yo",
    "it": "il gli che è di una per non con sono questo della nel più anche ma ho come lo si",
    "pt": "o os uma não que é com para como mas do da em você muito são eu isso ao mais",
    "nl": "de het een en van is niet ik je dat met voor zijn op maar ook wij naar deze bij",
    "sv": "och är det att en inte jag som på med för har den till av om vi men ett du",
    "da": "og er det at en ikke jeg som på med for har den til af vi men et du hvad",
    "nb": "og er det at en ikke jeg som på med for har den til av vi men et du hva",
    "fi": "ja on ei se hän että minä olen tämä mutta kun niin myös ovat oli kuin mitä sinä",
    "pl": "i w nie się to jest na że z do jak ale co po tak był dla jestem od czy",
    "cs": "a je se na že to v ne jsem ale jak co tak byl pro jsou když by za si",
    "tr": "ve bir bu da ne için çok ama ben değil var gibi daha sen şey o ile kadar",
    "ro": "și este nu un o că în pe cu la de sunt mai dar ce din se am care pentru",
    "hu": "a az és hogy nem is egy van ez meg de mint volt csak már ha vagy én itt mi",
    "vi": "và của không một có cho tôi được người này với các những trong đã bạn nhưng",
    "id": "dan yang di itu ini tidak untuk dengan saya dari ada akan pada ke kita apa adalah",
}

_LANGUAGES_OF: dict[str, list[str]] = {}
for _language, _line in _WORDS.items():
    for _word in _line.split():
        _LANGUAGES_OF.setdefault(_word, []).append(_language)

#: Letters that one language of those above writes, and few others do.
_TELLING: Mapping[str, str] = {
    "de": "ß",
    "es": "ñ¿¡",
    "pt": "ãõ",
    "pl": "łęśź",
    "cs": "řě",
    "hu": "őű",
    "tr": "ğı",
    "ro": "țș",
    "vi": "ơưđ",
}


def language(text: str) -> str:
    """The likeliest language of a text."""
    scripts = Counter(found for character in text if (found := _script(character)))
    letters = sum(character.isalpha() for character in text)
    if not scripts or sum(scripts.values()) * 2 < letters:
        return _latin(text)
    # Japanese is mostly written in Chinese characters, with some of its own between them.
    likeliest = "ja" if scripts["ja"] and scripts["ja"] * 9 > scripts["cmn"] else scripts.most_common(1)[0][0]
    for other, telling in _LETTERS.get(likeliest, {}).items():
        if any(letter in text.lower() for letter in telling):
            return other
    return likeliest


def _script(character: str) -> str:
    if character < "\u0370":
        return ""
    return next((language for first, last, language in _SCRIPTS if first <= character <= last), "")


def _latin(text: str) -> str:
    """By the words, of which rare ones tell more; a telling letter counts as one such word."""
    small = text.lower()
    points: Counter[str] = Counter()
    for word in re.findall(r"[^\W\d_]+", small):
        for found in _LANGUAGES_OF.get(word, ()):
            points[found] += 12 // len(_LANGUAGES_OF[word])
    for found, letters in _TELLING.items():
        points[found] += 12 * sum(letter in small for letter in letters)
    # Of several with as many points, the first of the table.
    return max(_WORDS, key=lambda name: points[name])
