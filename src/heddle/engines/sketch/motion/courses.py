"""How each thing moves: from what it is and what the prompt says, to a transform for every moment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from heddle.engines.sketch.backdrops import backdrops
from heddle.engines.sketch.chance import share
from heddle.engines.sketch.motion.script import Script
from heddle.engines.sketch.objects import catalog
from heddle.engines.sketch.scene import Placed, Scene

BOATS = frozenset(("sailboat", "boat", "ship", "duck", "swan", "submarine"))
FLYERS = frozenset(
    ("bird", "distant bird", "eagle", "butterfly", "bee", "airplane", "helicopter", "ufo", "comet", "dragon", "angel")
)
FLAPPING = frozenset(("bird", "distant bird", "eagle"))
LIGHTER = frozenset(("hot air balloon", "balloon"))
VEHICLES = frozenset(("car", "truck", "bus", "train", "bicycle", "motorcycle", "tractor", "carriage"))
SWIMMERS = frozenset(("fish", "whale", "dolphin", "shark", "seahorse", "octopus", "jellyfish", "turtle"))
PLANTS = frozenset(("tree", "pine tree", "palm tree", "flower", "rose", "sunflower", "tuft of grass", "bamboo", "bush"))
FLAMES = frozenset(("campfire", "candle"))
#: Things that stand fast, whatever the verbs of a prompt are about.
FIXED = frozenset(
    (
        "house", "castle", "lighthouse", "windmill", "tower", "skyscraper", "church", "barn", "bridge", "tent",
        "pyramid", "pagoda", "igloo", "fence", "well", "table", "bed", "chair", "bench", "sign", "rock", "lamp post",
        "log", "cactus", "mushroom", "rainbow", "star", "treasure chest",
    )
)  # fmt: skip
#: How fast things go, in scene units per second.
_SPEEDS = {"airplane": 230, "rocket": 240, "car": 210, "motorcycle": 220, "train": 190, "truck": 160, "bus": 160,
           "eagle": 150, "bird": 150, "distant bird": 90, "horse": 190, "dragon": 150, "comet": 260, "snail": 25,
           "turtle": 40, "sailboat": 85, "boat": 60, "ship": 65, "duck": 45, "swan": 40}  # fmt: skip
_USUAL = 110.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Motion of one thing over a clip; lengths in scene units, times in seconds."""

    #: Where it is at the first and the last frame, from its place.
    start: tuple[float, float] = (0.0, 0.0)
    end: tuple[float, float] = (0.0, 0.0)
    #: Up and down: height, seconds, and where in the swing it starts.
    bob: float = 0.0
    #: Turning to and fro around its foot, degrees.
    rock: float = 0.0
    period: float = 3.0
    phase: float = 0.0
    #: Growing thinner and flatter and back, as shares.
    squeeze: tuple[float, float] = (0.0, 0.0)
    beat: float = 1.0
    #: Jumps: height.
    hop: float = 0.0
    #: Degrees per second, around its middle.
    spin: float = 0.0
    #: It falls from above, this far, and comes to rest.
    fall: float = 0.0

    @property
    def still(self) -> bool:
        """Nothing of it moves."""
        return self == Course(period=self.period, phase=self.phase, beat=self.beat)


def courses(scene: Scene, script: Script, seconds: float) -> tuple[Scene, list[Course]]:
    """The scene as its things start out, and the course of each of its things."""
    things = [_facing(placed, script) for placed in scene.things]
    made = [_course(scene, script, placed, seconds) for placed in things]
    for group in _groups(things, made):
        made = _kept_inside(scene, script, things, made, group)
    for rider, ridden in _riders(things):
        made[rider] = made[ridden]
    # What leaves the ground leaves no shadow where it is.
    lifted = [replace(p, grounded=p.grounded and not _leaves(c)) for p, c in zip(things, made, strict=True)]
    return replace(scene, things=tuple(lifted)), made


def cloud_course(placed: Placed, script: Script, seconds: float) -> Course:
    """Larger clouds are nearer and pass faster."""
    speed = (5 + placed.height * 0.09) * (3 if script.windy else 1) * script.pace
    return Course(end=(speed * seconds, 0.0))


def lamp_course(scene: Scene, placed: Placed, script: Script) -> Course:
    """The sun or the moon: up or down when the hours say so."""
    below = scene.horizon + placed.height * 1.3 - placed.y
    if placed.kind == "moon":
        return Course(start=(0.0, below * 0.5), end=(0.0, 0.0)) if script.hours[-1:] == ("night",) else Course()
    if script.hours[:1] in {("dawn",), ("night",)}:
        return Course(start=(0.0, below), end=(0.0, 0.0))
    if script.hours:
        return Course(start=(0.0, 0.0), end=(0.0, below))
    return Course()


def transform(course: Course, placed: Placed, t: float, share_done: float) -> str:
    """An SVG transform for a moment; empty: as it was drawn."""
    dx = course.start[0] + (course.end[0] - course.start[0]) * share_done
    dy = course.start[1] + (course.end[1] - course.start[1]) * share_done
    swing = math.sin(2 * math.pi * (t / course.period + course.phase))
    dy += course.bob * swing
    turn = course.rock * math.sin(2 * math.pi * (t / course.period + course.phase + 0.2))
    if course.hop:
        dy -= course.hop * abs(math.sin(math.pi * (t / course.period + course.phase)))
    if course.fall:
        dy -= _falling(course.fall, share_done)
    x, y, middle = placed.x, placed.y, placed.y - placed.height / 2
    parts = [f"translate({dx:.2f} {dy:.2f})"]
    if turn:
        parts.append(f"rotate({turn:.3f} {x:.1f} {y:.1f})")
    if course.spin:
        parts.append(f"rotate({course.spin * t:.2f} {x:.1f} {middle:.1f})")
    if course.squeeze != (0.0, 0.0):
        beat = 0.5 - 0.5 * math.cos(2 * math.pi * (t / course.beat + course.phase))
        sx, sy = 1 - course.squeeze[0] * beat, 1 - course.squeeze[1] * beat
        about = y if placed.kind in FLAMES or placed.grounded else middle
        parts.append(f"translate({x:.1f} {about:.1f}) scale({sx:.4f} {sy:.4f}) translate({-x:.1f} {-about:.1f})")
    return " ".join(parts)


def _falling(height: float, share_done: float) -> float:
    """How far above its place: down by gravity in the first half, two bounces, at rest."""
    s = share_done / 0.55
    if s < 1:
        return height * (1 - s * s)
    for start, length, bounce in ((1.0, 0.42, 0.16), (1.42, 0.26, 0.05)):
        if start <= s < start + length:
            u = (s - start) / length
            return height * bounce * 4 * u * (1 - u)
    return 0.0


def _facing(placed: Placed, script: Script) -> Placed:
    """Turned the way that it is to go; a thing that is drawn from the front has no way."""
    if script.direction and (placed.kind in FLYERS | VEHICLES | BOATS | SWIMMERS or _walks(placed)):
        return replace(placed, flip=script.direction < 0)
    return placed


def _walks(placed: Placed) -> bool:
    row = catalog()[placed.kind]
    return row.place == "land" and placed.kind not in FIXED | PLANTS | FLAMES | VEHICLES and row.home != "table"


def _course(scene: Scene, script: Script, placed: Placed, seconds: float) -> Course:  # noqa: PLR0911 - one kind of thing a line
    """By what it is; then by what is said."""
    phase = share(placed.seed, "phase")
    kind, verbs, tall = placed.kind, script.verbs, placed.height
    if "portrait" in kind:
        return Course(squeeze=(0.0, 0.006), beat=3.4, phase=phase)
    if kind in PLANTS:
        return Course(rock=(3.2 if script.windy else 1.0), period=2.6 + phase, phase=phase)
    if kind in FLAMES:
        return Course(squeeze=(0.03, 0.09), beat=0.45 + 0.1 * phase, phase=phase)
    if kind in FIXED and not verbs & {"spin"}:
        return Course()
    for wanted, course in (
        ("fall", Course(fall=placed.y + tall * 0.2)),
        ("spin", Course(spin=70 * script.pace)),
    ):
        if wanted in verbs and kind not in FLYERS | BOATS | LIGHTER:
            return course
    if kind in LIGHTER or (kind == "rocket" and (verbs & {"rise", "travel"} or scene.backdrop == "space")):
        return _rising(scene, script, placed, seconds, phase)
    if placed.afloat or (kind in BOATS and not placed.grounded):
        return _afloat(script, placed, seconds, phase)
    if kind in FLYERS and not placed.grounded:
        return _flying(script, placed, seconds, phase)
    if kind in SWIMMERS or backdrops()[scene.backdrop].floating:
        return _swimming(script, placed, seconds, phase)
    return _ashore(script, placed, seconds, phase)


def _ahead(script: Script, placed: Placed, seconds: float, usual: float = 1.0) -> float:
    """How far it goes in the way that it faces; smaller things are farther away and cross less of the frame."""
    near = min(1.2, 0.55 + placed.height / 500)
    speed = _SPEEDS.get(placed.kind, _USUAL) * script.pace * near * usual
    return speed * seconds * (-1 if placed.flip else 1)


def _rising(scene: Scene, script: Script, placed: Placed, seconds: float, phase: float) -> Course:
    speed = _SPEEDS.get(placed.kind, 38) * script.pace * (1.5 if "rise" in script.verbs else 1.0)
    # Not out of the frame.
    room = placed.y - placed.height - 0.03 * scene.height
    up = min(max(0.0, room) + scene.height * 0.04, speed * seconds)
    below = min(up * 0.5, scene.height * 0.08) if placed.kind != "rocket" else 0.0
    sway = 0.0 if placed.kind == "rocket" else 1.6
    across = 14 * seconds * (1 if phase < 0.5 else -1) if placed.kind != "rocket" else 0.0
    return Course(start=(-across / 2, below), end=(across / 2, below - up), rock=sway, period=3.2 + phase, phase=phase)


def _afloat(script: Script, placed: Placed, seconds: float, phase: float) -> Course:
    ahead = _ahead(script, placed, seconds, 1.0 if script.verbs & {"travel", "cross"} else 0.4)
    rough = 1.9 if script.windy else 1.0
    small = placed.kind in ("duck", "swan")
    return Course(
        end=(ahead, 0.0), bob=placed.height * 0.014 * rough, rock=(0.8 if small else 1.9) * rough,
        period=2.4 + phase, phase=phase,
    )  # fmt: skip


def _flying(script: Script, placed: Placed, seconds: float, phase: float) -> Course:
    hovering = "hover" in script.verbs and not script.verbs & {"travel", "cross"}
    ahead = _ahead(script, placed, seconds, 0.15 if hovering or placed.kind in ("ufo", "angel") else 1.0)
    rise = -0.06 * abs(ahead) if placed.kind == "airplane" else 0.0
    squeeze, beat = (0.0, 0.0), 1.0
    if placed.kind in FLAPPING:
        squeeze, beat = (0.0, 0.42 if placed.kind != "eagle" else 0.22), 0.62 + 0.2 * phase
    elif placed.kind == "butterfly":
        squeeze, beat = (0.55, 0.0), 0.5 + 0.1 * phase
    bob = placed.height * (0.02 if placed.kind in ("airplane", "comet") else 0.09)
    return Course(
        end=(ahead, rise), bob=bob, rock=1.5 if placed.kind in ("helicopter", "ufo") else 0.0, period=2.2 + phase,
        phase=phase, squeeze=squeeze, beat=beat,
    )  # fmt: skip


def _swimming(script: Script, placed: Placed, seconds: float, phase: float) -> Course:
    if placed.kind in ("jellyfish", "octopus"):
        return Course(bob=placed.height * 0.12, squeeze=(0.1, 0.0), beat=2.0 + phase, period=4 + phase, phase=phase)
    if placed.kind in SWIMMERS:
        ahead = _ahead(script, placed, seconds, 0.9)
        return Course(end=(ahead, 0.0), bob=placed.height * 0.05, rock=2.2, period=1.6 + phase, phase=phase)
    if placed.grounded or placed.kind in FIXED:
        return Course()
    return Course(bob=placed.height * 0.05, rock=2.5, period=4.5 + 2 * phase, phase=phase)


def _ashore(script: Script, placed: Placed, seconds: float, phase: float) -> Course:
    verbs, kind, tall = script.verbs, placed.kind, placed.height
    if kind in VEHICLES and (placed.grounded or verbs & {"travel", "cross"}):
        return Course(end=(_ahead(script, placed, seconds), 0.0), bob=tall * 0.006, period=0.5 + 0.1 * phase)
    if "jump" in verbs:
        return Course(hop=tall * 0.22, period=0.85 + 0.15 * phase, phase=phase)
    if not _walks(placed):
        return Course(rock=2.0, period=2.4, phase=phase) if verbs & {"sway", "hover"} else Course()
    if verbs & {"travel", "cross"}:
        ahead = _ahead(script, placed, seconds)
        return Course(end=(ahead, 0.0), hop=tall * 0.035, rock=1.3, period=0.5 + 0.08 * phase, phase=phase)
    if "sway" in verbs:
        return Course(rock=3.0, period=1.4, phase=phase)
    return Course(squeeze=(0.0, 0.014), beat=2.6 + phase, phase=phase)


def _leaves(course: Course) -> bool:
    return bool(course.fall or course.spin) or course.end[1] != course.start[1] or course.hop > 20


def _groups(things: Sequence[Placed], made: Sequence[Course]) -> list[list[int]]:
    """Travelers of one kind that face one way go together, so that none runs into another."""
    found: dict[tuple[str, bool], list[int]] = {}
    for i, (placed, course) in enumerate(zip(things, made, strict=True)):
        if course.end[0] != course.start[0]:
            found.setdefault((placed.kind, placed.flip), []).append(i)
    return list(found.values())


def _kept_inside(
    scene: Scene, script: Script, things: Sequence[Placed], made: list[Course], group: list[int]
) -> list[Course]:
    """Travel that starts and ends inside the frame, or that crosses all of it when that was said."""
    half = [things[i].height * catalog()[things[i].kind].wide / 2 for i in group]
    left = min(things[i].x - h for i, h in zip(group, half, strict=True))
    right = max(things[i].x + h for i, h in zip(group, half, strict=True))
    way = sum(made[i].end[0] - made[i].start[0] for i in group) / len(group)
    sign = 1 if way > 0 else -1
    if "cross" in script.verbs and abs(way) > 0.3 * scene.width:
        # From half in at the one side to half out at the other: neither end shows an empty place.
        middle = (left + right) / 2
        first, last = (-middle, scene.width - middle) if sign > 0 else (scene.width - middle, -middle)
    else:
        margin = 0.03 * scene.width
        low, high = min(0.0, margin - left), max(0.0, scene.width - margin - right)
        length = min(abs(way), high - low)
        # Around its place, as far as the frame allows.
        begin = min(max(-length / 2, low), high - length)
        first, last = (begin, begin + length) if sign > 0 else (begin + length, begin)
    changed = list(made)
    for i in group:
        course = made[i]
        changed[i] = replace(course, start=(first, course.start[1]), end=(last, course.end[1]))
    return changed


def _riders(things: Sequence[Placed]) -> list[tuple[int, int]]:
    """Who stands on whom: they move as one."""
    pairs: list[tuple[int, int]] = []
    for i, placed in enumerate(things):
        if placed.grounded or placed.afloat or placed.kind in FLYERS | LIGHTER:
            continue
        for j, other in enumerate(things):
            half = other.height * catalog()[other.kind].wide / 2
            above = other.y - other.height * 1.05 <= placed.y <= other.y + 1
            if i != j and placed.order == other.order and abs(placed.x - other.x) <= half and above and (
                other.grounded or other.afloat or other.kind in LIGHTER
            ):  # fmt: skip
                pairs.append((i, j))
                break
    return pairs
