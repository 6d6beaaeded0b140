"""Writing by rules: what is added to a picture prompt never contradicts what it says."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence

from heddle.engines.scribe.tasks import Task

#: By what it says of a picture: the words by which a prompt already says it, and what may be added where it does not.
_ASPECTS: Mapping[str, tuple[str, Sequence[str]]] = {
    "time": (
        r"night|day|dawn|dusk|sunset|sunrise|noon|midnight|morning|evening|moon|stars?|twilight|golden hour|studio",
        ("at sunset", "in the early morning", "at golden hour", "at dusk", "in the afternoon"),
    ),
    "weather": (
        r"rain\w*|snow\w*|fog\w*|mist\w*|storm\w*|cloud\w*|sunny|clear|wind\w*|indoors|room|kitchen|studio|space|underwater|night",
        ("under a clear sky", "with soft clouds", "in light mist"),
    ),
    "light": (
        r"light\w*|lit|glow\w*|shadow\w*|bright|dark|neon|backlit|sunbeams?",
        ("warm light", "soft light", "gentle shadows", "a bright rim of light"),
    ),
    "frame": (
        r"close[- ]?up|portrait|wide|panorama|aerial|macro|view|shot|centered|symmetr\w+|foreground|background|framed",
        ("wide view", "centered composition", "seen from a low angle", "with a quiet foreground"),
    ),
    "style": (
        r"watercolou?r|paint\w*|sketch|drawing|pixel|line art|photo\w*|render\w*|illustration|cartoon|ink|flat|style",
        ("watercolor", "storybook illustration", "ink drawing", "flat design", "soft pastel"),
    ),
    "mood": (
        r"calm|peaceful|dramatic|cheerful|gloomy|mysterious|cozy|epic|sad|happy|quiet|serene|moody|lonely|tense",
        ("calm mood", "cheerful mood", "quiet and peaceful", "a little mysterious"),
    ),
}
_NEGATIVE = ("blurry", "low quality", "distorted", "watermark", "text", "cropped", "duplicate")
_STOPWORDS = frozenset(
    {"a", "an", "the", "of", "in", "on", "at", "with", "and", "or", "to", "for", "from", "by", "under", "over", "near"}
    | {"its", "it", "is", "are", "as", "into", "this", "that", "some", "very", "two", "three"}
)
_OPENINGS = ("Here is", "We see", "This is", "Before us lies")
_CLOSINGS = (
    "Nothing hurries here.", "The air holds still for a moment.", "It is a picture to stay with for a while.",
    "Every small thing has its place.", "The eye wanders, and comes back.",
)  # fmt: skip


def write(task: Task, chance: random.Random, temperature: float) -> str:
    """The text. At temperature 0 the first of each list is taken, and less is added."""
    if task.kind == "variations":
        return "\n".join(f"{i + 1}. {_enhance(task.subject, chance, max(temperature, 0.5))}" for i in range(task.count))
    if task.kind == "describe":
        scene = _enhance(task.subject, chance, temperature)
        opening, closing = _pick(_OPENINGS, chance, temperature), _pick(_CLOSINGS, chance, temperature)
        return f"{opening} {scene[:1].lower()}{scene[1:]}. {closing}"
    if task.kind == "enhance":
        return _enhance(task.subject, chance, temperature)
    return _PLAIN[task.kind](task.subject)


def _pick(options: Sequence[str], chance: random.Random, temperature: float) -> str:
    return options[0] if temperature == 0 else chance.choice(options)


def _enhance(subject: str, chance: random.Random, temperature: float) -> str:
    subject = subject.strip().rstrip(".,;")
    lacking = [a for a, (said, _) in _ASPECTS.items() if not re.search(rf"\b(?:{said})\b", subject, re.IGNORECASE)]
    count = min(len(lacking), 2 if temperature == 0 else chance.randint(3, 4))
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


def _unable(_subject: str) -> str:
    return (
        "I am scribe, a set of rules and not a language model, so I cannot answer that. I can improve a picture "
        "prompt, and write negative prompts, titles, captions, tags, variations and short descriptions."
    )


_PLAIN: Mapping[str, Callable[[str], str]] = {
    "negative": _negative,
    "title": _title,
    "caption": _sentence,
    "tags": _tags,
    "unable": _unable,
}
