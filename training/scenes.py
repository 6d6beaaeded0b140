"""Scenes to learn from: what is in a picture, as data. `captions` says it, `pictures` draws it, `maps` labels it."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

#: The things, each with the name that the catalog of `sketch` has for it.
KINDS: dict[str, str] = {
    "circle": "circle", "square": "square", "triangle": "triangle", "heart": "heart", "star": "five-pointed star",
    "balloon": "balloon", "sun": "sun", "moon": "moon", "tree": "tree", "flower": "flower", "mushroom": "mushroom",
    "cactus": "cactus", "house": "house", "castle": "castle", "car": "car", "sailboat": "sailboat",
    "airplane": "airplane", "rocket": "rocket", "fish": "fish", "cat": "cat", "bird": "bird",
    "butterfly": "butterfly", "snowman": "snowman", "umbrella": "umbrella",
}  # fmt: skip
NAMES = tuple(KINDS)
#: Those that hang or fly where there is a sky; the others stand on the ground.
AIRY = frozenset(
    (
        "circle",
        "square",
        "triangle",
        "heart",
        "star",
        "balloon",
        "sun",
        "moon",
        "airplane",
        "rocket",
        "bird",
        "butterfly",
    )
)
COLORS: dict[str, str] = {
    "red": "#dd2f2f", "orange": "#f0862a", "yellow": "#f4cf2e", "green": "#3c9f4a", "blue": "#2f6fd0",
    "purple": "#8040b0", "pink": "#f07aa8", "brown": "#85552f", "black": "#2c2a31", "white": "#fbf9f5",
    "gray": "#8e8f96", "cyan": "#38c4dc",
}  # fmt: skip
COLOR_NAMES = tuple(COLORS)
#: Scenic backdrops by the catalog's names, with whether things float in them, and the lowest and highest foot of what
#: stands there (shares of the height).
SCENIC: dict[str, tuple[bool, float, float]] = {
    "meadow": (False, 0.68, 0.93), "mountains": (False, 0.74, 0.94), "desert": (False, 0.7, 0.93),
    "snowfield": (False, 0.7, 0.93), "beach": (False, 0.74, 0.94), "sea": (False, 0.58, 0.92),
    "city": (False, 0.76, 0.94), "night hills": (False, 0.76, 0.94), "space": (True, 0.0, 0.0),
    "underwater": (True, 0.0, 0.0),
}  # fmt: skip
#: Plain backdrops, by colour.
PLAIN: dict[str, str] = {
    "white": "#f4f2ee", "gray": "#b9bcc2", "yellow": "#f2dc7c", "pink": "#f4bfd0", "blue": "#8fc0ea",
    "green": "#a3d6a0", "purple": "#b9a0dc", "red": "#e08078", "orange": "#f0b278", "black": "#33323c",
}  # fmt: skip
BACKGROUNDS = (*SCENIC, *(f"plain {color}" for color in PLAIN))
STYLES = ("illustration", "flat", "line art", "watercolor", "pixel art")
SIZES = ("small", "medium", "large")
#: Column and row of the nine places.
PLACES: dict[str, tuple[int, int]] = {
    f"{row}{' ' if row and column else ''}{column}" or "center": (x, y)
    for y, row in enumerate(("top", "", "bottom"))
    for x, column in enumerate(("left", "", "right"))
}
PLACE_NAMES = tuple(PLACES)
RELATIONS = ("above", "below", "left of", "right of", "beside")
MOST = 4


@dataclass(frozen=True, slots=True)
class Box:
    """Where one thing is, in shares of the frame: its middle and its size."""

    x: float
    y: float
    wide: float
    high: float
    flip: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Things of a kind: what is drawn, and what of it the caption says."""

    kind: str
    count: int
    #: None: the thing's own colour, of which nothing is said.
    color: str | None
    size: str
    #: None: the caption does not say where.
    place: str | None
    boxes: tuple[Box, ...] = ()
    #: Which of the looks that were drawn of this kind and colour.
    look: int = 0


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture to be: everything that can be told of it."""

    seed: int
    background: str
    told_background: bool
    style: str
    told_style: bool
    groups: tuple[Group, ...] = ()
    #: How the first group stands to the second.
    relation: str | None = None


def twins(scene: Scene, wides: dict[str, float]) -> Scene:
    """The scene with its second group of the first one's kind, in another colour; as it is where that cannot be.

    Pictures to learn from never have two groups of a kind, and still "a red car and a blue car" is to be two cars.
    """
    if len(scene.groups) < 2 or None in (colors := [group.color for group in scene.groups[:2]]):
        return scene
    first, second = scene.groups[:2]
    boxes = tuple(replace(box, wide=box.high * wides[first.kind]) for box in second.boxes)
    others = [box for group in (first, *scene.groups[2:]) for box in group.boxes]
    inside = all(box.wide / 2 < min(box.x, 1 - box.x) for box in boxes)
    apart = all(_apart(one, other) for at, one in enumerate(boxes) for other in (*others, *boxes[:at]))
    if colors[0] == colors[1] or not (inside and apart):
        return scene
    return replace(scene, groups=(first, replace(second, kind=first.kind, boxes=boxes), *scene.groups[2:]))


#: Height over the frame, by size, for one thing and for several.
_HEIGHTS = {"small": (0.19, 0.25), "medium": (0.3, 0.4), "large": (0.48, 0.62)}


def sample(seed: int, wides: dict[str, float]) -> Scene:
    """A scene by its seed. `wides`: width over height of each kind."""
    rng = random.Random(seed * 7919 + 17)
    background = rng.choice(tuple(SCENIC)) if rng.random() < 0.55 else f"plain {rng.choice(tuple(PLAIN))}"
    style = rng.choices(STYLES, (0.36, 0.16, 0.16, 0.16, 0.16))[0]
    if style == "line art" and background not in SCENIC:
        # Ink is on white paper, whatever colour was asked for.
        background = "plain white"
    groups = _groups(rng, background)
    relation = None
    if len(groups) == 2 and all(group.count == 1 and group.place is None for group in groups) and rng.random() < 0.55:
        relation = rng.choice(RELATIONS)
    placed = _placed(rng, background, groups, relation, wides)
    if placed is None:
        return sample(seed + 1_000_000_007, wides)
    return Scene(
        seed=seed, background=background, told_background=rng.random() < 0.85, style=style,
        told_style=style != "illustration" or rng.random() < 0.2, groups=placed, relation=relation,
    )  # fmt: skip


def _groups(rng: random.Random, background: str) -> list[Group]:
    kinds = rng.sample(NAMES, 3)
    many = rng.choices((1, 2, 3), (0.45, 0.45, 0.1))[0]
    left = MOST
    groups: list[Group] = []
    for index in range(many):
        most = left - (many - index - 1)
        count = min(most, rng.choices((1, 2, 3, 4), (0.64, 0.14, 0.12, 0.1))[0])
        left -= count
        color = rng.choice([name for name in COLORS if name != background.removeprefix("plain ")])
        said = rng.random() < 0.78
        size = "medium"
        if many == 1 and count == 1:
            size = rng.choices(SIZES, (0.2, 0.45, 0.35))[0]
        elif count <= 2:
            size = rng.choices(SIZES, (0.25, 0.65, 0.1 if many == 2 and count == 1 else 0.0))[0]
        place = rng.choice(PLACE_NAMES) if count == 1 and rng.random() < 0.4 else None
        if size == "large" and place is not None and rng.random() < 0.7:
            place = None
        groups.append(Group(kinds[index], count, color if said else None, size, place, look=rng.randrange(2)))
    if len({group.place for group in groups if group.place is not None}) < sum(
        group.place is not None for group in groups
    ):
        groups = [Group(g.kind, g.count, g.color, g.size, None, look=g.look) for g in groups]
    return groups


def _placed(
    rng: random.Random, background: str, groups: list[Group], relation: str | None, wides: dict[str, float]
) -> tuple[Group, ...] | None:  # fmt: skip
    """The groups with their boxes; None where chance found no room."""
    total = sum(group.count for group in groups)
    for _ in range(12):
        boxes: list[list[Box]] = []
        for group in groups:
            made = _boxes(rng, background, group, wides[group.kind], total, [b for row in boxes for b in row])
            if made is None:
                break
            boxes.append(made)
        else:
            if relation is None or _stands(boxes[0][0], boxes[1][0], relation):
                return tuple(
                    Group(g.kind, g.count, g.color, g.size, g.place, tuple(row), g.look)
                    for g, row in zip(groups, boxes, strict=True)
                )
            boxes = []
    if relation is not None:
        return _related(rng, groups, relation, wides)
    return None


def _height(rng: random.Random, group: Group, wide: float, total: int) -> float:
    low, high = _HEIGHTS[group.size]
    # Wide things are lower, so that every kind fills about the same area.
    high_of = rng.uniform(low, high) / max(0.8, min(1.6, wide**0.5))
    return high_of * (1.0 if total <= 2 else 0.88 if total == 3 else 0.8)


def _boxes(
    rng: random.Random, background: str, group: Group, wide: float, total: int, taken: list[Box]
) -> list[Box] | None:  # fmt: skip
    made: list[Box] = []
    for _ in range(group.count):
        for _ in range(24):
            high = _height(rng, group, wide, total)
            across = high * wide
            if across > 0.94:
                high, across = high * 0.94 / across, 0.94
            x, y = _spot(rng, background, group, across, high)
            box = Box(x, y, across, high, rng.random() < 0.5)
            if all(_apart(box, other) for other in (*taken, *made)):
                made.append(box)
                break
        else:
            return None
    return made


def _spot(rng: random.Random, background: str, group: Group, wide: float, high: float) -> tuple[float, float]:
    """The middle of a thing."""
    free_x, free_y = (wide / 2 + 0.02, 1 - wide / 2 - 0.02), (high / 2 + 0.02, 1 - high / 2 - 0.02)
    if group.place is not None:
        column, row = PLACES[group.place]
        middle = ((0.2, 0.5, 0.8)[column], (0.2, 0.5, 0.8)[row])
        x = min(max(middle[0] + rng.uniform(-0.06, 0.06), min(free_x)), max(free_x))
        return x, min(max(middle[1] + rng.uniform(-0.06, 0.06), min(free_y)), max(free_y))
    x = rng.uniform(*free_x) if free_x[0] < free_x[1] else 0.5
    floating, far, near = SCENIC.get(background, (True, 0.0, 0.0))
    if floating:
        return x, rng.uniform(*free_y) if free_y[0] < free_y[1] else 0.5
    if group.kind in AIRY:
        return x, rng.uniform(free_y[0], max(free_y[0] + 0.01, min(free_y[1], far - high / 2)))
    return x, min(free_y[1], rng.uniform(far, near) - high / 2)


def _apart(one: Box, other: Box) -> bool:
    """Nearly no overlap."""
    across = (one.wide + other.wide) / 2 - abs(one.x - other.x)
    down = (one.high + other.high) / 2 - abs(one.y - other.y)
    return across < 0.012 or down < 0.012


def _stands(one: Box, other: Box, relation: str) -> bool:
    """Whether the first stands to the second as the word says."""
    dx, dy = one.x - other.x, one.y - other.y
    match relation:
        case "above":
            return dy < -0.18 and abs(dx) < 0.2
        case "below":
            return dy > 0.18 and abs(dx) < 0.2
        case "left of":
            return dx < -0.25 and abs(dy) < 0.22
        case "right of":
            return dx > 0.25 and abs(dy) < 0.22
        case _:
            return 0.2 < abs(dx) < 0.55 and abs(dy) < 0.15


def _related(
    rng: random.Random, groups: list[Group], relation: str, wides: dict[str, float]
) -> tuple[Group, ...] | None:  # fmt: skip
    """Both placed by their relation alone, where the ground left no room for it."""
    for _ in range(200):
        pair: list[Box] = []
        for group in groups:
            high = _height(rng, group, wides[group.kind], 3)
            wide = high * wides[group.kind]
            if wide > 0.6:
                high, wide = high * 0.6 / wide, 0.6
            pair.append(
                Box(
                    rng.uniform(wide / 2, 1 - wide / 2),
                    rng.uniform(high / 2, 1 - high / 2),
                    wide,
                    high,
                    rng.random() < 0.5,
                )
            )
        if _apart(pair[0], pair[1]) and _stands(pair[0], pair[1], relation):
            return tuple(
                Group(g.kind, g.count, g.color, g.size, g.place, (box,), g.look)
                for g, box in zip(groups, pair, strict=True)
            )
    return None
