"""Puts things into the frame: how large, where, what covers what."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field, replace

from heddle.engines.sketch.backdrops import Backdrop
from heddle.engines.sketch.chance import number, source
from heddle.engines.sketch.objects import Thing, catalog
from heddle.engines.sketch.prompt import Want
from heddle.engines.sketch.scene import Placed, Scene

MOST_THINGS = 64
#: Animals and machines that people sit on.
RIDDEN = frozenset(
    ("horse", "unicorn", "zebra", "camel", "elephant", "dragon", "dinosaur", "cow", "deer", "bicycle", "motorcycle")
)
#: Kinds that hang in the sky behind everything; `heavens` places them.
CELESTIAL = frozenset(("sun", "moon", "cloud", "rainbow", "star"))
#: How large they are, as a share of the frame's shorter side.
CELESTIAL_SIZE = {"sun": 0.17, "moon": 0.17, "cloud": 0.12, "rainbow": 0.42, "star": 0.07}


@dataclass(slots=True)
class _Item:
    """One thing on its way into the frame."""

    want: int
    row: Thing
    rel: float
    colors: tuple[str, ...]
    position: str | None
    seed: int
    traits: tuple[tuple[str, str], ...]
    x: float = 0.0
    y: float = 0.0
    height: float = 0.0
    zone: str = "land"
    order: float = 0.0
    tied: bool = False
    flip: bool = False

    @property
    def wide(self) -> float:
        return self.height * self.row.wide

    @property
    def box(self) -> tuple[float, float, float, float]:
        return (self.x - self.wide / 2, self.y - self.height, self.x + self.wide / 2, self.y)


@dataclass(slots=True)
class _Frame:
    scene: Scene
    row: Backdrop
    rng: random.Random
    close: bool
    done: list[_Item] = field(default_factory=list[_Item])


def place_wants(scene: Scene, row: Backdrop, wants: tuple[Want, ...], close: bool = False) -> tuple[Placed, ...]:
    """Every want in the frame, those farther away first."""
    if scene.backdrop not in ("space", "abstract", "studio", "moon", "cave", "stage", "underwater", "table"):
        wants = tuple(replace(want, count=0) if want.kind in CELESTIAL else want for want in wants)
    rng = source(scene.seed, "layout", *(want.kind for want in wants))
    room = _Frame(scene=scene, row=row, rng=rng, close=close)
    items = _items(scene, row, wants)
    _scale(room, items)
    tied = {index for index, want in enumerate(wants) if want.relation is not None and want.relation[1] < len(wants)}
    for item in sorted((item for item in items if item.want not in tied), key=_importance):
        _settle(room, item)
    for index in _tie_order(wants, tied):
        _tie(room, [item for item in items if item.want == index], wants, index)
    ordered = sorted(room.done, key=lambda item: (item.order, item.y))
    return tuple(_placed(room, item) for item in ordered)


def _items(scene: Scene, row: Backdrop, wants: tuple[Want, ...]) -> list[_Item]:
    items: list[_Item] = []
    for index, want in enumerate(wants):
        thing = catalog()[want.kind]
        zone = _zone(thing, row, want)
        for copy in range(want.count):
            if len(items) >= MOST_THINGS:
                break
            # Two colours on several of a kind alternate; on a single one the second is its second colour.
            colors = (
                want.colors if want.count == 1 else want.colors[copy % len(want.colors) :][:1] if want.colors else ()
            )
            seed = number(scene.seed, want.kind, index, copy)
            rel = thing.tall**0.24 * want.size * (1.18 if index == 0 else 1.0) * (1 + ((seed >> 8) % 100 - 50) / 600)
            # Several of a kind go through its own colours in turn, from one that chance picks.
            own = ("own", str(number(scene.seed, want.kind) % 97 + copy))
            items.append(_Item(index, thing, rel, colors, want.position, seed, (*want.traits, own), zone=zone))
    return items


def _zone(thing: Thing, row: Backdrop, want: Want) -> str:
    if row.floating:
        return "floor" if row.name == "underwater" and thing.place in ("land", "table") else "air"
    if want.position is not None and want.position.startswith("top"):
        return "sky"
    if thing.place == "sky":
        return "sky"
    if thing.place in ("water", "deep") and row.water is not None:
        return "water"
    return "land"


def _importance(item: _Item) -> tuple[int, float]:
    return (item.want, -item.rel)


def _scale(room: _Frame, items: list[_Item]) -> None:
    """One factor for all, so that together they fill the frame well; then limits for each."""
    scene = room.scene
    total = sum(item.rel**2 * item.row.wide for item in items) or 1.0
    kinds = len({item.want for item in items})
    share = min(0.46, 0.21 + 0.045 * kinds + 0.02 * math.sqrt(len(items)))
    if room.close and len(items) <= 2:
        share = 0.55
    # A very long frame is not filled from end to end by one thing.
    area = scene.width * scene.height * min(1.0, 2.2 * min(scene.width, scene.height) / max(scene.width, scene.height))
    factor = math.sqrt(share * area / total)
    for item in items:
        item.height = item.rel * factor
        tallest = scene.height * (0.88 if room.close else 0.66 if item.zone in ("land", "air") else 0.5)
        widest = scene.width * (0.8 if room.close or scene.height > scene.width * 1.2 else 0.62)
        if item.zone == "water":
            tallest = scene.height * 0.52
        if "portrait" in item.row.name:
            item.height = min(scene.height * 0.98, scene.width * 1.5)
            continue
        smallest = 0.035 * min(scene.width, scene.height)
        item.height = max(smallest, min(item.height, tallest, widest / item.row.wide))


def _settle(room: _Frame, item: _Item) -> None:
    """The best of many chance places: little overlap, well inside, near where it should be."""
    scene, rng = room.scene, room.rng
    if "portrait" in item.row.name:
        item.x, item.y = scene.width * 0.5, scene.height * 1.0 + item.height * 0.02
        room.done.append(item)
        return
    base = item.height
    best: tuple[float, float, float, float] | None = None
    tries = max(12, 64 - len(room.done))
    lean = rng.choice((0.36, 0.64)) if scene.width > scene.height * 0.8 else 0.5
    alone = not room.done
    for _ in range(tries):
        depth = _depth(rng, item)
        height = base * _shrink(item, depth)
        wide = height * item.row.wide
        y = _foot(room, item, depth, height)
        x = rng.uniform(wide * 0.45, max(wide * 0.46, scene.width - wide * 0.45))
        cost = _cost(room, item, x, y, height, lean if alone else None)
        if best is None or cost < best[0]:
            best = (cost, x, y, height)
    assert best is not None
    _, item.x, item.y, item.height = best
    if best[0] > 4 and len(room.done) > 3:
        # A crowded frame: better small than stacked.
        item.height *= 0.78
    item.flip = rng.random() < 0.4 if item.zone != "sky" else rng.random() < 0.5
    room.done.append(item)


def _depth(rng: random.Random, item: _Item) -> float:
    if item.position == "far":
        return rng.uniform(0.0, 0.12)
    if item.position == "near":
        return rng.uniform(0.9, 1.0)
    tall = item.row.tall
    low, high = (0.0, 0.4) if tall >= 4.5 else (0.25, 0.75) if tall >= 1.4 else (0.5, 1.0)
    return rng.uniform(low, high)


def _shrink(item: _Item, depth: float) -> float:
    if item.zone not in ("land", "water"):
        return 0.5 if item.position == "far" else 1.0
    if item.position == "far":
        return 0.42
    if item.position == "near":
        return 1.25
    return 0.8 + 0.24 * depth


def _foot(room: _Frame, item: _Item, depth: float, height: float) -> float:
    """Where it stands, from the top of the frame."""
    scene, row, rng = room.scene, room.row, room.rng
    if item.zone == "land":
        far, near = row.ground
        return scene.height * (far + (near - far) * depth)
    if item.zone == "floor":
        return scene.height * rng.uniform(row.ground[0], row.ground[1])
    if item.zone == "water":
        assert row.water is not None
        far, near = row.water
        return scene.height * (far + (near - far) * depth)
    if item.zone == "sky":
        low = (
            scene.height
            * max(row.horizon, 0.5)
            * (0.92 if not any(other.zone == "land" for other in room.done) else 0.84)
        )
        top = scene.height * 0.05 + height
        return rng.uniform(top, max(top + 1, low))
    margin = scene.height * 0.07
    return rng.uniform(
        margin + height, max(margin + height + 1, scene.height * (0.9 if row.name != "underwater" else 0.84))
    )


def _cost(room: _Frame, item: _Item, x: float, y: float, height: float, lean: float | None) -> float:
    scene = room.scene
    wide = height * item.row.wide
    left, top, right, bottom = x - wide / 2, y - height, x + wide / 2, y
    cost = 0.0
    for other in room.done:
        cost += 12 * _overlap((left, top, right, bottom), other.box)
        gap = abs(x - other.x) / scene.width
        cost += 0.3 * max(0.0, 0.25 - gap) if item.want == other.want else 0.12 * max(0.0, 0.2 - gap)
    cost += 18 * (max(0.0, scene.width * 0.025 - left) + max(0.0, right - scene.width * 0.975)) / wide
    cost += 14 * max(0.0, scene.height * 0.04 - top) / height
    target = _target(item.position)
    if target is not None:
        cost += 9 * abs(x / scene.width - target)
        if item.position in ("top left", "top right", "top"):
            cost += 3 * top / scene.height
    elif lean is not None:
        cost += 3.2 * abs(x / scene.width - (0.5 if room.close else lean))
        if item.zone in ("air", "sky"):
            cost += 2.5 * abs((top + bottom) / 2 / scene.height - 0.46)
    else:
        cost += 0.5 * abs(x / scene.width - 0.5)
    return cost


def _target(position: str | None) -> float | None:
    return {"left": 0.24, "top left": 0.22, "right": 0.76, "top right": 0.78, "center": 0.5}.get(position or "")


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """How much of the smaller box the larger one covers; feet far apart in depth count a little less."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    if across <= 0 or down <= 0:
        return 0.0
    smaller = min((one[2] - one[0]) * (one[3] - one[1]), (other[2] - other[0]) * (other[3] - other[1]))
    return across * down / max(1.0, smaller)


def _tie_order(wants: tuple[Want, ...], tied: set[int]) -> list[int]:
    """Those that depend on a settled one first; a ring is cut where it starts."""
    anchors = {index: relation[1] for index in tied if (relation := wants[index].relation) is not None}
    order: list[int] = []
    waiting = sorted(anchors)
    while waiting:
        chosen = [index for index in waiting if anchors[index] not in waiting] or waiting[:1]
        order += chosen
        waiting = [index for index in waiting if index not in chosen]
    return order


def _tie(room: _Frame, items: list[_Item], wants: tuple[Want, ...], index: int) -> None:
    relation = wants[index].relation
    assert relation is not None
    anchors = [item for item in room.done if item.want == relation[1]]
    for copy, item in enumerate(items):
        if not anchors or anchors[0].row.name in CELESTIAL:
            _settle(room, item)
            continue
        _relate(room, item, anchors[copy % len(anchors)], relation[0], copy, len(items))


def _relate(room: _Frame, item: _Item, anchor: _Item, relation: str, copy: int, count: int) -> None:
    """Where the relation says."""
    scene, rng = room.scene, room.rng
    spread = (copy - (count - 1) / 2) / max(1, count)
    item.flip = rng.random() < 0.4
    item.order = anchor.order
    match relation:
        case "on" | "in" if anchor.row.top is not None or anchor.row.name in ("boat", "cup"):
            _on(item, anchor, spread, count)
        case "under":
            item.height = min(item.height, anchor.height * (0.5 if anchor.row.tall > 1.5 else 0.8))
            item.x = anchor.x + anchor.wide * (
                spread * 0.6 + (0.2 if anchor.row.name in ("tree", "palm tree") else 0.0)
            )
            item.y = anchor.y + (0.015 if anchor.zone == "land" else 0.3) * scene.height
            item.order = anchor.order + 0.1
            if anchor.zone in ("sky", "air"):
                _settle(room, item)
                return
        case "above":
            item.height = min(item.height, max(0.12 * scene.height, anchor.box[1] - scene.height * 0.06))
            item.zone = "sky" if item.zone != "air" else "air"
            item.y = max(scene.height * 0.04 + item.height, anchor.box[1] - scene.height * 0.04)
            item.x = anchor.x + scene.width * 0.1 * spread * count + rng.uniform(-0.06, 0.06) * scene.width
        case "behind":
            item.x = (
                anchor.x + (0.5 * anchor.wide + 0.1 * item.wide) * rng.choice((-1, 1))
                if item.height < anchor.height * 1.3
                else anchor.x + 0.25 * item.wide
            )
            item.y = anchor.y - scene.height * 0.035
        case "before":
            item.x = anchor.x + anchor.wide * (0.22 * rng.choice((-1, 1)) + spread)
            item.y = min(scene.height * 0.95, anchor.y + scene.height * 0.06)
            item.height = min(item.height, anchor.height * 0.8) if anchor.row.tall > item.row.tall else item.height
            item.order = anchor.order + 0.1
        case "held":
            _held(room, item, anchor)
        case "worn":
            share = 0.30 if "portrait" in anchor.row.name else 0.24
            item.height = anchor.height * share / max(1.0, item.row.wide)
            item.x, item.y = anchor.x, anchor.y - anchor.height * (0.85 if "portrait" in anchor.row.name else 0.9)
            item.order, item.zone, item.flip = anchor.order + 0.1, "held", False
        case _:
            _beside(room, item, anchor, relation, copy)
    half = item.wide / 2
    item.x = min(max(item.x, half * 0.98), scene.width - half * 0.98)
    room.done.append(item)


def _on(item: _Item, anchor: _Item, spread: float, count: int) -> None:
    top = anchor.row.top if anchor.row.top is not None else 0.5
    widest = anchor.wide * (0.8 if count == 1 else 0.9 / count)
    if item.row.name == "house" or item.row.tall > 3:
        widest = anchor.wide
    item.height = min(
        item.height,
        widest / item.row.wide * 1.1,
        anchor.height * (0.72 if anchor.row.top is not None and anchor.row.top <= 0.6 else 1.0),
    )
    item.x = anchor.x + anchor.wide * spread * 0.85
    item.y = anchor.y - anchor.height * top + item.height * 0.03
    item.zone = "held"
    item.order = anchor.order + 0.1
    if item.row.person and anchor.row.home is not None and anchor.row.tall > 1 and anchor.row.name in RIDDEN:
        # A rider: the legs are behind the animal.
        item.y += item.height * 0.3
        item.order, item.flip = anchor.order - 0.05, anchor.flip
    if anchor.row.name == "boat":
        item.y, item.order = anchor.y - anchor.height * 0.3, anchor.order - 0.05


def _held(room: _Frame, item: _Item, anchor: _Item) -> None:
    """In a hand; an umbrella over the head, a kite and a balloon above it."""
    item.zone, item.flip, item.order = "held", False, anchor.order + 0.1
    name = item.row.name
    if name == "umbrella":
        item.height = anchor.height * 0.72
        item.x, item.y, item.order = anchor.x + anchor.wide * 0.06, anchor.y - anchor.height * 0.5, anchor.order - 0.05
    elif name == "kite":
        item.height = min(item.height, anchor.height * 0.7)
        side = 1 if anchor.x < room.scene.width * 0.6 else -1
        item.x = anchor.x + side * anchor.height * 0.75
        item.y = max(item.height + room.scene.height * 0.05, anchor.y - anchor.height * 1.1)
    else:
        item.height = min(item.height, anchor.height * (0.66 if name == "balloon" else 0.34))
        item.x, item.y = anchor.x + anchor.wide * 0.44, anchor.y - anchor.height * 0.36


def _beside(room: _Frame, item: _Item, anchor: _Item, relation: str, copy: int) -> None:
    """Side by side with room for both: the anchor gives way, and if the frame is too narrow both shrink."""
    scene = room.scene
    side = {"left of": -1, "right of": 1}.get(relation, 1 if anchor.x < scene.width / 2 else -1)
    if copy % 2 and relation not in ("left of", "right of"):
        side = -side
    both = (anchor.wide + item.wide) * 1.06
    if copy == 0 and both > scene.width * 0.94:
        factor = scene.width * 0.94 / both
        anchor.height, item.height = anchor.height * factor, item.height * factor
    reach = (anchor.wide + item.wide) / 2 * 1.06 + (copy // 2) * item.wide * 1.05
    edge = anchor.x + side * (reach + item.wide / 2)
    margin = scene.width * 0.02
    beyond = max(0.0, edge - (scene.width - margin)) if side > 0 else max(0.0, margin - edge)
    if copy == 0:
        anchor.x -= side * beyond
    item.x = anchor.x + side * reach
    item.y = anchor.y + room.rng.uniform(0.0, 0.02) * scene.height
    if item.zone == "sky" and anchor.zone != "sky":
        item.y = anchor.y - anchor.height * 0.4


def _placed(room: _Frame, item: _Item) -> Placed:
    scene, row = room.scene, room.row
    near = row.ground[1] * scene.height
    far = scene.horizon
    haze = 0.0
    if item.zone in ("land", "water") and row.sky:
        haze = 0.3 * max(0.0, min(1.0, (near - item.y) / max(1.0, near - far))) ** 1.6
    if item.position == "far":
        haze = max(haze, 0.3)
    turn = (
        room.rng.uniform(-7, 7)
        if item.zone in ("air", "sky")
        and item.row.place in ("sky", "deep", "any")
        and item.row.name not in ("planet", "sun", "moon")
        else 0.0
    )
    if item.zone == "air" and item.row.place == "land" and row.name in ("space", "sky"):
        turn = room.rng.uniform(-16, 16)
    asked_side = item.traits
    return Placed(
        kind=item.row.name, x=item.x, y=item.y, height=item.height, colors=item.colors, seed=item.seed, flip=item.flip,
        turn=turn, haze=haze, grounded=item.zone in ("land", "floor"), order=item.order, traits=asked_side,
        afloat=item.zone == "water" and item.row.place == "water",
    )  # fmt: skip
