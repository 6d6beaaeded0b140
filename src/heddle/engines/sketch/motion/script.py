"""Reads what a prompt says of motion: verbs, the camera, the hours that pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from heddle.engines.sketch.prompt import tokens

T = TypeVar("T")

Verb = Literal["travel", "cross", "rise", "sink", "fall", "hover", "jump", "spin", "sway"]
Camera = Literal["left", "right", "up", "down", "in", "out", "still"]

_VERBS: Mapping[Verb, str] = {
    "travel": "sail sails sailing drive drives driving ride rides riding walk walks walking run runs running gallop "
    "gallops galloping trot trotting swim swims swimming fly flies flying soar soars soaring glide glides gliding "
    "cruise cruises cruising move moves moving race races racing speeding marching crawl crawls crawling roll rolls "
    "rolling migrating wander wanders wandering jogging strolling chasing traveling travelling rowing paddling",
    "cross": "cross crosses crossing across past pass passes passing",
    "rise": "rise rises rising ascend ascends ascending launch launches launching liftoff lifting climbing",
    "sink": "sink sinks sinking set sets setting descend descends descending landing lands",
    "fall": "falls falling drop drops dropping tumble tumbles tumbling plummeting",
    "hover": "float floats floating hover hovers hovering drift drifts drifting bob bobs bobbing",
    "jump": "jump jumps jumping hop hops hopping bounce bounces bouncing leap leaps leaping dance dances dancing "
    "playing skipping",
    "spin": "spin spins spinning rotate rotates rotating twirl twirls twirling whirling",
    "sway": "waving sway sways swaying swing swings swinging nodding rocking shaking",
}
_OF: Mapping[str, Verb] = {word: verb for verb, text in _VERBS.items() for word in text.split()}

#: What falls or rises by itself, as weather or as time does.
_NOT_FALLING = frozenset(("leaves", "snow", "rain", "snowflakes", "night", "darkness", "dusk", "water", "snowing"))

_PHRASES: Mapping[str, Verb] = {
    "taking off": "rise", "takes off": "rise", "take off": "rise", "blasts off": "rise", "blast off": "rise",
    "lifts off": "rise", "floating up": "rise", "floats up": "rise", "flies up": "rise", "going up": "rise",
    "flying by": "cross", "drives by": "cross", "driving by": "cross",
}  # fmt: skip

_CAMERA: Mapping[str, Camera] = {
    "pan left": "left", "pans left": "left", "panning left": "left", "pan to the left": "left",
    "pans to the left": "left", "camera moves left": "left", "move left": "left", "truck left": "left",
    "pan right": "right", "pans right": "right", "panning right": "right", "pan to the right": "right",
    "pans to the right": "right", "camera moves right": "right", "truck right": "right", "camera pan": "right",
    "panning shot": "right", "panorama": "right", "slow pan": "right", "camera pans": "right", "tracking shot": "right",
    "zoom in": "in", "zooms in": "in", "zooming in": "in", "zoom": "in", "push in": "in", "pushes in": "in",
    "dolly in": "in", "close in": "in", "camera approaches": "in", "moving closer": "in",
    "zoom out": "out", "zooms out": "out", "zooming out": "out", "pull back": "out", "pulls back": "out",
    "pull out": "out", "dolly out": "out", "camera retreats": "out",
    "tilt up": "up", "tilts up": "up", "tilting up": "up", "pan up": "up", "pans up": "up", "crane up": "up",
    "tilt down": "down", "tilts down": "down", "tilting down": "down", "pan down": "down", "pans down": "down",
    "crane down": "down",
    "static camera": "still", "static shot": "still", "fixed camera": "still", "locked camera": "still",
    "still camera": "still", "no camera movement": "still",
}  # fmt: skip

_HOURS: Mapping[str, tuple[str, ...]] = {
    "day to night": ("day", "sunset", "night"), "from day to night": ("day", "sunset", "night"),
    "day turns to night": ("day", "sunset", "night"), "day turning to night": ("day", "sunset", "night"),
    "day turns into night": ("day", "sunset", "night"), "night falls": ("sunset", "night"),
    "night falling": ("sunset", "night"), "nightfall": ("sunset", "night"), "darkness falls": ("sunset", "night"),
    "sun sets": ("day", "sunset", "dusk"), "sun setting": ("day", "sunset", "dusk"),
    "setting sun": ("day", "sunset", "dusk"), "sun goes down": ("day", "sunset", "dusk"),
    "night to day": ("night", "dawn", "day"), "from night to day": ("night", "dawn", "day"),
    "sun rises": ("dawn", "day"), "sun rising": ("dawn", "day"), "rising sun": ("dawn", "day"),
    "sun comes up": ("dawn", "day"), "day breaks": ("night", "dawn", "day"), "timelapse": ("day", "sunset", "night"),
    "time lapse": ("day", "sunset", "night"), "time-lapse": ("day", "sunset", "night"),
}  # fmt: skip

_DIRECTIONS: Mapping[str, int] = {
    "from left to right": 1, "left to right": 1, "toward the right": 1, "towards the right": 1, "rightward": 1,
    "rightwards": 1, "from right to left": -1, "right to left": -1, "toward the left": -1, "towards the left": -1,
    "leftward": -1, "leftwards": -1,
}  # fmt: skip

_PACES: Mapping[str, float] = {
    "fast": 1.7, "quickly": 1.7, "rapidly": 1.8, "racing": 1.8, "speeding": 1.8, "swiftly": 1.6, "slowly": 0.6,
    "slow": 0.6, "gently": 0.7, "calmly": 0.7, "leisurely": 0.6,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What is said of motion."""

    verbs: frozenset[Verb] = frozenset()
    camera: Camera | None = None
    #: The hours that pass, first to last; empty: the hour stays.
    hours: tuple[str, ...] = ()
    #: 1 to the right, -1 to the left, 0 not said.
    direction: int = 0
    pace: float = 1.0
    windy: bool = False


def read(prompt: str) -> Script:
    """Understand what moves."""
    found = tokens(prompt)
    text = f" {' '.join(found)} "
    camera = _first(_CAMERA, text)
    verbs: set[Verb] = {verb for phrase, verb in _PHRASES.items() if f" {phrase} " in text}
    for at, word in enumerate(found):
        near = set(found[max(0, at - 1) : at + 2])
        if word in _OF and not (_OF[word] == "fall" and near & _NOT_FALLING) and "camera" not in near:
            verbs.add(_OF[word])
    return Script(
        verbs=frozenset(verbs),
        camera=camera,
        hours=_first(_HOURS, text) or (),
        direction=_first(_DIRECTIONS, text) or 0,
        pace=next((_PACES[word] for word in found if word in _PACES), 1.0),
        windy=bool({"wind", "windy", "storm", "stormy", "breeze", "gale"} & set(found)),
    )


def _first(table: Mapping[str, T], text: str) -> T | None:
    """The meaning of the longest phrase that stands in the text."""
    known = [phrase for phrase in table if f" {phrase} " in text]
    return table[max(known, key=len)] if known else None
