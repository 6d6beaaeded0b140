"""What media cost, as data: the public price formulas of each model family, in Buzz."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Family:
    """A model family: its price, its native size and its defaults.

    The price of one picture is `buzz`, times pixels / `side`², times steps / `per_steps`, where given; families with
    `doubles_cfg` run the model twice per step when cfgScale is not 1; `per_source` is added for each source picture.
    """

    buzz: float
    side: int | None = None
    per_steps: int | None = None
    doubles_cfg: bool = False
    per_source: float = 0.0
    #: Source pictures that cost nothing extra.
    free_sources: int = 0
    native: int = 1024
    steps: int = 20
    cfg: float = 7.0
    edits: bool = False
    #: The price of an edit, where it is another one.
    edit: Family | None = None
    #: Ecosystems whose models it can load, as AIRs name them; empty: the one of its own name.
    ecosystems: tuple[str, ...] = ()


#: Image families by the name that `input.engine` gives.
IMAGE: Mapping[str, Family] = {
    "sketch": Family(1.0, side=1000),
    "sd1": Family(4.0, side=512, per_steps=20, native=512),
    "sdxl": Family(8.0, side=1024, per_steps=20),
    "flux1": Family(
        0.5,
        per_steps=1,
        doubles_cfg=True,
        per_source=1.0,
        steps=28,
        cfg=3.5,
        edits=True,
        ecosystems=("flux1", "fluxkrea", "flux1kontext"),
    ),
    "flux2": Family(0.3, per_steps=1, doubles_cfg=True, per_source=1.0, cfg=5.0, edits=True),
    "z-image": Family(8.0, side=1024, per_steps=9, steps=9, cfg=1.0, ecosystems=("zimageturbo", "zimagebase")),
    "qwen": Family(
        30.0,
        side=1328,
        per_steps=20,
        cfg=2.5,
        edits=True,
        edit=Family(40.0, side=1024, per_steps=20, per_source=0.1, free_sources=1),
        ecosystems=("qwen", "qwen2"),
    ),
    "seedream": Family(40.0, edits=True),
    "grok": Family(26.0),
    "openai": Family(100.0, edits=True),
    "google": Family(40.0),
    "gemini": Family(60.0, edits=True),
}

#: Other names for the same families.
ALIASES: Mapping[str, str] = {
    "flux": "flux1",
    "zimage": "z-image",
    "sd15": "sd1",
    "pony": "sdxl",
    "illustrious": "sdxl",
}


def image(payload: Mapping[str, Any]) -> float:
    """The price of one picture, before rounding; `payload` is an image job's."""
    family = IMAGE.get(payload["family"], IMAGE["sketch"])
    editing = family.edits and payload.get("operation") == "edit"
    if editing and family.edit is not None:
        family = family.edit
    price = family.buzz
    if family.side:
        price *= payload["width"] * payload["height"] / family.side**2
    if family.per_steps:
        price *= payload["steps"] / family.per_steps
    if family.doubles_cfg and payload["cfgScale"] != 1:
        price *= 2
    if editing:
        price *= 1 + family.per_source * max(0, len(payload.get("images", ())) - family.free_sources)
    return price


#: Families that make sound: Buzz for one, and for each of its seconds.
AUDIO: Mapping[str, tuple[float, float]] = {
    "soundscape": (1.0, 1 / 60),
    "composer": (1.0, 1 / 60),
    "ace-step": (1.0, 0.1),
    "stable-audio": (1.0, 0.1),
}


def audio(payload: Mapping[str, Any]) -> float:
    """The price of one sound or piece of music, before rounding; a stand-in costs what the family costs."""
    once, per_second = AUDIO.get(payload["family"], AUDIO["soundscape"])
    return once + per_second * payload["durationMs"] / 1000


def speech(payload: Mapping[str, Any]) -> float:
    """The price of a text that is read out: 1 for every 100 characters begun."""
    return float(max(1, math.ceil(payload["characters"] / 100)))
