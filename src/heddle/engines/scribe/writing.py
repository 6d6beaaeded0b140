"""Writing by rules: what is added to a picture prompt never contradicts what it says."""

# ruff: noqa: E501 - tables

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence

from heddle.engines.scribe import prose
from heddle.engines.scribe.tasks import Task

#: Places without weather and without an hour of the day.
_INSIDE = (
    r"indoors?|interior|inside|\w*room|kitchen|library|studio|cellar|attic|office|shop|caf[eé]|hall|museum|cave\w*|tunnel|"
    r"underground|dungeon|table|desk|shelf|still life|plain background|white background"
)
_ELSEWHERE = (
    r"space|galaxy|nebula|planets?|mars|orbit|cosm\w+|astronauts?|on the moon|universe|submarine|underwater|undersea|"
    r"under the (?:sea|ocean|water)|deep sea|coral|reef|seabed|ocean floor"
)
_DARK_HOURS = r"\w*night\w*|moon\w*|star(?:s|ry|lit|light)|midnight|aurora|fireworks|nocturnal"
_HOURS = _DARK_HOURS + r"|day\w*|dawn|dusk|sun\w*|noon|midday|morning|evening|afternoon|twilight|\w+ hour|eclipse"
_WEATHER = (
    r"\w*rain\w*|\w*snow\w*|\w*fog\w*|mist\w*|haz[ey]\w*|\w*storm\w*|thunder\w*|lightning|blizzard|drizzle|downpour|"
    r"tempest|cloud\w*|overcast|sun\w*|clear|\w*wind\w*|hail|tornado|hurricane|weather|sky|skies|ic[ey]\w*|frost\w*|"
    r"frozen|winter|desert"
)

#: By what it says of a picture: the words by which a prompt already says it, and what may be added where it does not.
#: Every addition is one that the illustrator of this server can draw.
_ASPECTS: Mapping[str, tuple[str, Sequence[str]]] = {
    "time": (
        f"{_HOURS}|{_INSIDE}|{_ELSEWHERE}|dark\\w*|noir",
        ("at sunset", "in the early morning", "at golden hour", "at dusk", "in the afternoon"),
    ),
    "weather": (
        f"{_WEATHER}|{_DARK_HOURS}|{_INSIDE}|{_ELSEWHERE}",
        ("under a clear sky", "cloudy", "in light mist"),
    ),
    "light": (
        (
            rf"\w*light\w*|\w*lit|glow\w*|shadow\w*|bright|dark\w*|neon|sunbeams?|rays|noir|black[ -]and[ -]white|monochrome|"
            rf"silhouettes?|{_WEATHER}|{_DARK_HOURS}"
        ),
        ("natural light", "soft light", "gentle shadows", "sun rays"),
    ),
    "frame": (
        (
            r"close[- ]?up|portrait|headshot|selfie|wide|panorama\w*|aerial|macro|view|shot|center\w*|centre\w*|left|right|"
            r"symmetr\w+|foreground|background|framed|distan\w+|far|horizon|perspective|angle|top|above|below|overhead"
        ),
        ("wide view", "natural composition", "wide shot", "full view"),
    ),
    "style": (
        (
            r"water ?colou?r\w*|\w*paint\w*|sketch\w*|draw\w*|pixel\w*|\d+-?bit|line ?art|\w*photo\w*|render\w*|illustrat\w+|"
            r"cartoon|comic|manga|anime|ink|flat|style\w*|oil|acrylic|gouache|impasto|impressionis\w+|pencil|charcoal|"
            r"graphite|crayon|pastel\w*|engraving|etching|woodcut|linocut|print|poster|pop art|art deco|paper ?\w*|origami|collage|"
            r"blueprint|schematic|vector|minimal\w*|neon|synthwave|cyberpunk|vintage|retro|sepia|noir|monochrome|silhouettes?|"
            r"grayscale|greyscale|black[ -]and[ -]white|3d|cgi|film|cinematic|realis\w+|sculpture|mosaic|tapestry|"
            r"van gogh|monet|ghibli|pixar|storybook|logo|icon"
        ),
        ("watercolor", "storybook illustration", "ink drawing", "flat design", "oil painting"),
    ),
    "mood": (
        (
            r"calm\w*|peace\w*|drama\w*|cheer\w*|gloom\w*|myst\w+|co[sz]y|epic|sad\w*|happy|joy\w*|quiet\w*|seren\w+|mood\w*|lone\w*|"
            r"tense|spooky|scary|creepy|horror|haunt\w*|eerie|ghost\w*|terri\w+|war|battle\w*|angry|rage|fight\w*|fierce|attack\w*|"
            r"dark\w*|melanchol\w+|nostalgi\w+|dream\w*|surreal|whimsical|ethereal|magic\w*|fantasy|enchanted|romantic|funeral|"
            r"grave\w*|skull\w*|ruin\w*|apocaly\w+|storm\w*|\w+storm|cold|warm|vibrant|colou?rful|pastel\w*"
        ),
        ("calm mood", "cheerful mood", "quiet and peaceful", "dreamy mood"),
    ),
}
_SAID = {aspect: re.compile(rf"\b(?:{said})\b", re.IGNORECASE) for aspect, (said, _) in _ASPECTS.items()}
_NEGATIVE = ("blurry", "low quality", "distorted", "watermark", "text", "cropped", "duplicate")
_STOPWORDS = frozenset(
    {"a", "an", "the", "of", "in", "on", "at", "with", "and", "or", "to", "for", "from", "by", "under", "over", "near"}
    | {"its", "it", "is", "are", "as", "into", "this", "that", "some", "very", "two", "three"}
)


#: Words of an instruction that a prompt takes over as they are.
_WISHES: Mapping[str, str] = {
    "time": r"at (?:night|dawn|dusk|sunset|sunrise|noon|midnight|golden hour)|night|dawn|dusk|sunset|sunrise|morning|golden hour",
    "weather": r"rainy?|snowy?|snowing|foggy|misty|stormy|cloudy|sunny|windy",
    "light": r"(?:soft|warm|neon|dramatic) light(?:ing)?",
    "frame": r"close[- ]?up|portrait|wide (?:view|shot)",
    "style": r"water ?colou?r|oil painting|pixel art|line art|ink drawing|pencil sketch|flat design|papercut|blueprint|poster|"
    r"cartoon|anime|vintage|noir|neon|illustration",
    "mood": r"calm|cheerful|happy|gloomy|spooky|dreamy|mysterious|magical|cozy|sad|dramatic",
}


def write(task: Task, chance: random.Random, temperature: float) -> str:
    """The text. At temperature 0 the first of each list is taken, and less is added."""
    if task.kind == "variations":
        return "\n".join(f"{i + 1}. {_enhance(task.subject, chance, max(temperature, 0.5))}" for i in range(task.count))
    if task.kind in {"describe", "story"}:
        subject = task.subject.strip().rstrip(".,;")
        lacking = {aspect for aspect in _ASPECTS if not _says(aspect, subject)}
        tell = prose.describe if task.kind == "describe" else prose.story
        return tell(subject, lacking, lambda options: _pick(options, chance, temperature))
    if task.kind == "enhance":
        return _enhance(_wished(task), chance, temperature)
    return _PLAIN[task.kind](task.subject)


def _pick(options: Sequence[str], chance: random.Random, temperature: float) -> str:
    return options[0] if temperature == 0 else chance.choice(options)


def _says(aspect: str, text: str) -> bool:
    return _SAID[aspect].search(text) is not None


def _wished(task: Task) -> str:
    """The subject, and what an instruction wants of it where the subject leaves that open."""
    subject = task.subject.strip().rstrip(".,;")
    wishes = [
        found[0]
        for aspect, pattern in _WISHES.items()
        if not _says(aspect, subject)
        and (found := re.search(rf"(?<!not )(?<!no )\b(?:{pattern})\b", task.instruction, re.IGNORECASE))
    ]
    return ", ".join([subject, *wishes])


def _enhance(subject: str, chance: random.Random, temperature: float) -> str:
    subject = subject.strip().rstrip(".,;")
    lacking = [aspect for aspect in _ASPECTS if not _says(aspect, subject)]
    count = 2 if temperature == 0 else chance.randint(3, 4)
    count = min(len(lacking), count)
    chosen = lacking[:count] if temperature == 0 else sorted(chance.sample(lacking, count), key=lacking.index)
    added = [_pick(_ASPECTS[a][1], chance, temperature) for a in chosen]
    return ", ".join([subject, *added])


def _title(subject: str) -> str:
    words = re.findall(r"[\w'-]+", subject.partition(",")[0])[:8]
    small = _STOPWORDS - {words[0].lower()} if words else _STOPWORDS
    return " ".join(w if w.lower() in small else w[:1].upper() + w[1:] for w in words) or "Untitled"


def _sentence(subject: str) -> str:
    text = subject.strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."


def _key_words(subject: str) -> list[str]:
    words = (w.lower() for w in re.findall(r"[^\W\d_][\w'-]+", subject))
    return list(dict.fromkeys(w for w in words if w not in _STOPWORDS)) or ["untitled"]


def _tags(subject: str) -> str:
    return ", ".join(_key_words(subject)[:10])


def _negative(subject: str) -> str:
    return ", ".join(word for word in _NEGATIVE if word not in subject.lower())


_ABLE = (
    "I can improve a picture prompt, and write negative prompts, titles, captions, tags, variations, short descriptions "
    "and little stories from key words."
)


def _about(_subject: str) -> str:
    return f"I am scribe, a set of rules and not a language model. {_ABLE}"


def _unable(_subject: str) -> str:
    return f"I am scribe, a set of rules and not a language model, so I cannot answer that. {_ABLE}"


_PLAIN: Mapping[str, Callable[[str], str]] = {
    "negative": _negative,
    "title": _title,
    "caption": _sentence,
    "tags": _tags,
    "about": _about,
    "unable": _unable,
}
