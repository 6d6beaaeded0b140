"""Spoken languages and voices by the names that callers use. Pure tables: step types check requests with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: Asks the engine to tell the language from the text.
AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """A way to speak: a variant that gives any language another throat, and how high it speaks."""

    variant: str = ""
    #: A factor; 1 is the variant's own.
    pitch: float = 1.0
    #: What is said of it where it stands in for a voice that is not here.
    note: str = ""


#: Language tag, in small letters -> English name.
LANGUAGES: Mapping[str, str] = {
    "af": "Afrikaans",
    "am": "Amharic",
    "an": "Aragonese",
    "ar": "Arabic",
    "as": "Assamese",
    "az": "Azerbaijani",
    "ba": "Bashkir",
    "be": "Belarusian",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "bs": "Bosnian",
    "ca": "Catalan",
    "cmn": "Chinese",
    "cs": "Czech",
    "cv": "Chuvash",
    "cy": "Welsh",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en-gb": "British English",
    "en-gb-scotland": "Scottish English",
    "en-us": "English",
    "eo": "Esperanto",
    "es": "Spanish",
    "es-419": "Latin American Spanish",
    "et": "Estonian",
    "eu": "Basque",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "fr-be": "Belgian French",
    "fr-ch": "Swiss French",
    "ga": "Irish",
    "gd": "Scottish Gaelic",
    "gn": "Guarani",
    "grc": "Ancient Greek",
    "gu": "Gujarati",
    "hak": "Hakka",
    "haw": "Hawaiian",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "ht": "Haitian Creole",
    "hu": "Hungarian",
    "hy": "Armenian",
    "ia": "Interlingua",
    "id": "Indonesian",
    "io": "Ido",
    "is": "Icelandic",
    "it": "Italian",
    "ja": "Japanese",
    "ka": "Georgian",
    "kk": "Kazakh",
    "kn": "Kannada",
    "ko": "Korean",
    "kok": "Konkani",
    "ku": "Kurdish",
    "ky": "Kyrgyz",
    "la": "Latin",
    "lb": "Luxembourgish",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "mi": "Maori",
    "mk": "Macedonian",
    "ml": "Malayalam",
    "mr": "Marathi",
    "ms": "Malay",
    "mt": "Maltese",
    "my": "Burmese",
    "nb": "Norwegian",
    "ne": "Nepali",
    "nl": "Dutch",
    "om": "Oromo",
    "or": "Oriya",
    "pa": "Punjabi",
    "pap": "Papiamento",
    "pl": "Polish",
    "pt": "Portuguese",
    "pt-br": "Brazilian Portuguese",
    "qu": "Quechua",
    "ro": "Romanian",
    "ru": "Russian",
    "sd": "Sindhi",
    "si": "Sinhala",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sq": "Albanian",
    "sr": "Serbian",
    "sv": "Swedish",
    "sw": "Swahili",
    "ta": "Tamil",
    "te": "Telugu",
    "th": "Thai",
    "ti": "Tigrinya",
    "tk": "Turkmen",
    "tn": "Setswana",
    "tr": "Turkish",
    "tt": "Tatar",
    "ug": "Uyghur",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "uz": "Uzbek",
    "vi": "Vietnamese",
    "yue": "Cantonese",
}

#: Other tags and names of the same.
_ALSO = {
    "en": "en-us",
    "eng": "en-us",
    "american english": "en-us",
    "en-uk": "en-gb",
    "es-mx": "es-419",
    "zh": "cmn",
    "zh-hk": "yue",
    "mandarin": "cmn",
    "no": "nb",
    "nn": "nb",
    "farsi": "fa",
    "iw": "he",
    "in": "id",
}

_SPELLED = {name.lower(): tag for tag, name in LANGUAGES.items()} | {tag: tag for tag in LANGUAGES} | _ALSO

#: Voices by name. The second half are the speakers of the live API: its voices are not here, and these stand for them.
VOICES: Mapping[str, Voice] = {
    "default": Voice(),
    **{name: Voice(variant=name) for name in ("f1", "f2", "f3", "f4", "f5")},
    **{name: Voice(variant=name) for name in ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8")},
    **{name: Voice(variant=name) for name in ("whisper", "whisperf", "croak")},
    "aiden": Voice(variant="m3", note="stands for the speaker aiden"),
    "dylan": Voice(variant="m7", pitch=1.1, note="stands for the speaker dylan"),
    "eric": Voice(variant="m1", pitch=1.15, note="stands for the speaker eric"),
    "ono_anna": Voice(variant="f4", pitch=1.15, note="stands for the speaker ono_anna"),
    "ryan": Voice(variant="m1", pitch=0.9, note="stands for the speaker ryan"),
    "serena": Voice(variant="f2", pitch=0.95, note="stands for the speaker serena"),
    "sohee": Voice(variant="f5", pitch=1.05, note="stands for the speaker sohee"),
    "uncle_fu": Voice(variant="m8", pitch=0.8, note="stands for the speaker uncle_fu"),
    "vivian": Voice(variant="f3", pitch=1.1, note="stands for the speaker vivian"),
}


def language(name: str) -> str | None:
    """The tag of a language given by tag (`pt-BR`, `zh_CN`) or English name; None when it is not known.

    A tag with parts that are not known is the language without them: `de-AT` is `de`.
    """
    wanted = " ".join(name.replace("_", "-").split()).lower()
    if wanted == AUTO:
        return AUTO
    while wanted:
        if wanted in _SPELLED:
            return _SPELLED[wanted]
        wanted = wanted.rpartition("-")[0]
    return None


def english(name: str) -> bool:
    """Whether a language given by tag or name is English of any kind, or left to the engine."""
    return (language(name) or "").partition("-")[0] in {"en", AUTO}


def voice(name: str) -> str | None:
    """The name of a voice as the table has it; None when it is not there."""
    wanted = name.strip().lower().replace(" ", "_").replace("-", "_")
    return wanted if wanted in VOICES else None
