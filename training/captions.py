"""What is said of a scene: many ways of saying it, with words left out, typing errors and words that mean nothing."""

from __future__ import annotations

import random
from dataclasses import dataclass

from training.scenes import Group, Scene

NOUNS: dict[str, tuple[tuple[str, str], ...]] = {
    "circle": (("circle", "circles"), ("disc", "discs"), ("dot", "dots")),
    "square": (("square", "squares"), ("box", "boxes")),
    "triangle": (("triangle", "triangles"),),
    "heart": (("heart", "hearts"),),
    "star": (("star", "stars"),),
    "balloon": (("balloon", "balloons"),),
    "sun": (("sun", "suns"),),
    "moon": (("moon", "moons"),),
    "tree": (("tree", "trees"), ("oak", "oaks")),
    "flower": (("flower", "flowers"), ("daisy", "daisies")),
    "mushroom": (("mushroom", "mushrooms"), ("toadstool", "toadstools")),
    "cactus": (("cactus", "cacti"), ("cactus", "cactuses")),
    "house": (("house", "houses"), ("cottage", "cottages"), ("home", "homes")),
    "castle": (("castle", "castles"), ("palace", "palaces")),
    "car": (("car", "cars"), ("automobile", "automobiles")),
    "sailboat": (("sailboat", "sailboats"), ("boat", "boats"), ("yacht", "yachts")),
    "airplane": (("airplane", "airplanes"), ("plane", "planes"), ("jet", "jets")),
    "rocket": (("rocket", "rockets"), ("spaceship", "spaceships")),
    "fish": (("fish", "fish"), ("fish", "fishes"), ("goldfish", "goldfish")),
    "cat": (("cat", "cats"), ("kitten", "kittens")),
    "bird": (("bird", "birds"), ("sparrow", "sparrows")),
    "butterfly": (("butterfly", "butterflies"),),
    "snowman": (("snowman", "snowmen"),),
    "umbrella": (("umbrella", "umbrellas"), ("parasol", "parasols")),
}
_COUNTS = {
    1: ("a", "a", "a", "one", "1", "the", "a single"),
    2: ("two", "two", "2", "a pair of"),
    3: ("three", "three", "3"),
    4: ("four", "four", "4"),
}
_SIZES = {
    "small": ("small", "small", "tiny", "little"),
    "large": ("big", "large", "large", "huge", "giant"),
    "medium": ("",),
}
_COLORS = {
    "gray": ("gray", "grey"),
    "purple": ("purple", "purple", "violet"),
    "cyan": ("cyan", "turquoise"),
    "red": ("red", "red", "red", "crimson"),
}
_PLACES = {
    "top left": ("in the top left corner", "at the top left", "in the upper left", "top left"),
    "top": ("at the top", "at the top", "on the top side"),
    "top right": ("in the top right corner", "at the top right", "in the upper right", "top right"),
    "left": ("on the left", "on the left", "on the left side", "to the left"),
    "center": ("in the center", "in the middle", "at the center"),
    "right": ("on the right", "on the right", "on the right side", "to the right"),
    "bottom left": ("in the bottom left corner", "at the bottom left", "in the lower left", "bottom left"),
    "bottom": ("at the bottom", "at the bottom", "on the bottom side"),
    "bottom right": ("in the bottom right corner", "at the bottom right", "in the lower right", "bottom right"),
}
_BACKGROUNDS = {
    "meadow": ("in a meadow", "on a meadow", "in a grassy field", "on the grass", "meadow"),
    "mountains": ("in the mountains", "in front of mountains", "mountain background", "mountains"),
    "desert": ("in the desert", "in a desert", "on sand dunes", "desert"),
    "snowfield": ("in the snow", "in a snowy field", "snow", "in winter", "snowy background"),
    "beach": ("on the beach", "at the beach", "on a sandy beach", "beach", "at the seaside"),
    "sea": ("on the sea", "on the ocean", "at sea", "ocean", "sea", "on the water"),
    "city": ("in the city", "in a city", "city background", "in front of skyscrapers", "city"),
    "night hills": ("at night", "in the night", "under the night sky", "night", "dark night"),
    "space": ("in space", "in outer space", "space", "galaxy background", "space background"),
    "underwater": ("underwater", "under water", "under the sea", "in the deep sea"),
}
_PLAIN = (
    "on a plain {} background",
    "on a {} background",
    "{} background",
    "in front of a {} background",
    "plain {} background",
    "simple {} background",
)
_STYLES = {
    "illustration": (
        ("an illustration of ", "illustration"),
        ("a cartoon of ", "cartoon style"),
        ("a picture of ", "illustration style"),
    ),
    "flat": (
        ("a flat design of ", "flat design"),
        ("a flat illustration of ", "flat style"),
        ("a flat vector of ", "flat vector art"),
    ),
    "line art": (
        ("a line drawing of ", "line art"),
        ("line art of ", "line drawing"),
        ("an ink drawing of ", "ink outline drawing"),
    ),
    "watercolor": (
        ("a watercolor of ", "watercolor"),
        ("a watercolor painting of ", "watercolor painting"),
        ("watercolour painting of ", "watercolor style"),
    ),
    "pixel art": (
        ("pixel art of ", "pixel art"),
        ("a pixel art picture of ", "pixel art style"),
        ("8 bit pixel art of ", "retro pixel game art"),
    ),
}
_RELATIONS = {
    "above": ("above", "above", "over"), "below": ("below", "under", "beneath"),
    "left of": ("to the left of", "left of"), "right of": ("to the right of", "right of"),
    "beside": ("next to", "beside", "near"),
}  # fmt: skip
_FILLERS = (
    "beautiful", "masterpiece", "best quality", "highly detailed", "4k", "cute", "lovely", "trending", "my favorite",
    "old", "shiny", "happy", "wonderful", "dreamy", "fluffy", "modern", "wooden", "amazing", "for kids", "vintage",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption, and for each group the number of the word that is its noun (-1: typing errors hid it)."""

    text: str
    nouns: tuple[int, ...]
    #: The style and the background were left in.
    told_style: bool
    told_background: bool


def write(scene: Scene, seed: int, errors: bool = True) -> Caption:
    """A caption for a scene."""
    rng = random.Random(seed * 104_729 + 5)
    phrases = [_phrase(rng, group) for group in scene.groups]
    style = rng.choice(_STYLES[scene.style])
    background = _background(rng, scene)
    parts = _told(rng, scene, phrases)
    text = _assembled(rng, scene, parts, style, background)
    if errors and rng.random() < 0.15:
        text = _filled(rng, text)
    words = text.split()
    nouns = tuple(_find(words, index) for index in range(len(scene.groups)))
    words = [word.split("\x00")[0] for word in words]
    if errors and rng.random() < 0.12:
        at = rng.randrange(len(words))
        if at not in nouns or rng.random() < 0.15:
            words[at] = _mistyped(rng, words[at])
    return Caption(" ".join(words).replace(" ,", ","), nouns, scene.told_style, scene.told_background)


def _find(words: list[str], index: int) -> int:
    """Which word carries the mark of a group."""
    return next((at for at, word in enumerate(words) if word.endswith(f"\x00{index}")), -1)


def _phrase(rng: random.Random, group: Group) -> list[str]:
    color = rng.choice(_COLORS.get(group.color, (group.color,))) if group.color is not None else ""
    noun = rng.choice(NOUNS[group.kind])[0 if group.count == 1 else 1]
    size = rng.choice(_SIZES[group.size])
    adjectives = [size, color] if rng.random() < 0.85 else [color, size]
    count = rng.choice(_COUNTS[group.count])
    return [count, *(word for word in adjectives if word), noun]


def _joined(phrase: list[str], index: int, article: bool = True) -> str:
    words = phrase if article or phrase[0] not in ("a", "the") else phrase[1:]
    if words[0] == "a" and words[1][0] in "aeiou":
        words = ["an", *words[1:]]
    return " ".join([*words[:-1], f"{words[-1]}\x00{index}"])


def _told(rng: random.Random, scene: Scene, phrases: list[list[str]]) -> str:
    """All groups in one clause."""
    said = [_joined(phrase, index, rng.random() < 0.85) for index, phrase in enumerate(phrases)]
    if scene.relation is not None:
        return f"{said[0]} {rng.choice(('', '', 'is '))}{rng.choice(_RELATIONS[scene.relation])} {said[1]}"
    first = rng.random() < 0.12
    parts: list[str] = []
    for group, text in zip(scene.groups, said, strict=True):
        where = rng.choice(_PLACES[group.place]) if group.place is not None else ""
        parts.append(text if not where else f"{where} {text}" if first else f"{text} {where}")
    if len(parts) == 1:
        return parts[0]
    joint = rng.choice((" , ", " and ", " and ", " with "))
    return joint.join((" , ".join(parts[:-1]), parts[-1])) if len(parts) > 2 else joint.join(parts)


def _background(rng: random.Random, scene: Scene) -> str:
    if not scene.told_background:
        return ""
    if scene.background.startswith("plain "):
        color = scene.background.removeprefix("plain ")
        return rng.choice(_PLAIN).format(rng.choice(_COLORS.get(color, (color,))))
    return rng.choice(_BACKGROUNDS[scene.background])


def _assembled(rng: random.Random, scene: Scene, parts: str, style: tuple[str, str], background: str) -> str:
    if rng.random() < 0.3:
        tags = [tag for tag in (parts, background, style[1] if scene.told_style else "") if tag]
        if rng.random() < 0.25:
            rng.shuffle(tags)
        return " , ".join(tags)
    front = scene.told_style and rng.random() < 0.6
    text = (style[0] if front else "") + parts
    if background:
        text += (" , " if rng.random() < 0.35 else " ") + background
    if scene.told_style and not front:
        text += " , " + style[1]
    return text


def _filled(rng: random.Random, text: str) -> str:
    words = text.split()
    at = rng.choice((0, len(words), rng.randrange(len(words) + 1)))
    more = (
        rng.choice(_FILLERS)
        if rng.random() < 0.7
        else "".join(rng.choice("abcdefghijklmnoprstuvw") for _ in range(rng.randint(3, 9)))
    )
    return " ".join([*words[:at], more, *([","] if at == 0 and rng.random() < 0.5 else []), *words[at:]])


def _mistyped(rng: random.Random, word: str) -> str:
    if len(word) < 3:
        return word
    at = rng.randrange(len(word) - 1)
    way = rng.randrange(3)
    if way == 0:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + word[at + 1 :] if way == 1 else word[: at + 1] + word[at] + word[at + 1 :]
