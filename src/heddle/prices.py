"""What media cost, as data: the public price formulas of each model family, in Buzz per result."""

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


#: Of a language model that is of no family with a name.
OTHER = "other"

#: Families of language models, as their models' names begin.
TEXT = ("llama", "gpt", "openai", "qwen", "mistral", "gemma", "deepseek", "claude", "gemini", OTHER)

#: Those of them whose weights are published.
OPEN_TEXT = ("llama", "qwen", "mistral", "gemma", "deepseek", OTHER)

#: Image families by the name that `input.engine` gives.
IMAGE: Mapping[str, Family] = {
    "sketch": Family(1.0, side=1000),
    # Its work is by steps, and the same for every size of one shape.
    "mini": Family(1.0, per_steps=20, native=512, cfg=2.0),
    "sd1": Family(4.0, side=512, per_steps=20, native=512),
    # Of these three no price is public: they cost what the one beside them costs for its work.
    "sd2": Family(4.0, side=512, per_steps=20, native=768),
    "sd3": Family(8.0, side=1024, per_steps=20, steps=28, cfg=4.5, ecosystems=("sd3", "sd3_5m")),
    "chroma": Family(0.5, per_steps=1, doubles_cfg=True, steps=28, cfg=4.0),
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


#: How many letters a token of a language model has, about.
_LETTERS = 4


def text(payload: Mapping[str, Any], per_1000_tokens: float, tokens: int) -> float:
    """The price of answers of a language model: 1 for each, and for what it reads and may write. `tokens` is how long
    an answer may be where the caller does not say."""
    read = sum(len(message["text"]) for message in payload["messages"]) / _LETTERS
    counted = read + (payload.get("maxWords") or tokens)
    return payload.get("n", 1) * (1 + per_1000_tokens * counted / 1000)


# ── larger, smoother ──────────────────────────────────────────────────────────

#: What is assumed of a source of which nobody says anything: a picture of 4 megapixels, 5 seconds of video. Steps that
#: can tell how large theirs may be say so (`Learner`).
_UNKNOWN_MEGAPIXELS, _UNKNOWN_MS, _UNKNOWN_FPS = 4.0, 5000, 24.0


def megapixels(payload: Mapping[str, Any]) -> float:
    """Millions of pixels of one picture or frame."""
    if not payload.get("width") or not payload.get("height"):
        return _UNKNOWN_MEGAPIXELS
    return payload["width"] * payload["height"] / 1e6


def frames(payload: Mapping[str, Any]) -> int:
    """How many pictures there are: 1, or a video's frames."""
    lasts = payload.get("durationMs")
    if payload.get("kind") == "image" or not (payload.get("kind") == "video" or lasts):
        return 1
    seconds = (_UNKNOWN_MS if lasts is None else lasts) / 1000
    return max(1, round(seconds * (payload.get("fps") or _UNKNOWN_FPS)))


def upscale(payload: Mapping[str, Any]) -> float:
    """What an upscaling model costs: by the megapixels of the source, doubled by every pass. `payload` describes the
    result."""
    larger = payload["scaleFactor"] ** payload["numberOfRepeats"]
    source = megapixels(payload) / larger**2
    if payload.get("kind") == "video":
        # No public figure can be written down for videos; this one is near those of interpolation.
        return max(1.0, 0.1 * larger * source * frames(payload))
    return max(1, math.ceil(source)) * 2.0 ** payload["numberOfRepeats"]


def interpolation(payload: Mapping[str, Any]) -> float:
    """What an interpolating model costs: by the pixels of all frames of the source."""
    factor = payload["interpolationFactor"]
    base, each = (0.324, 0.51379) if factor == 3 else (2.188, 0.29297)
    return base + each * megapixels(payload) * frames({"kind": "video", **payload}) / factor


# ── videos ────────────────────────────────────────────────────────────────────

#: Other names for families of video models, with the version that they mean.
VIDEO_ALIASES: Mapping[str, tuple[str, str | None]] = {
    "wan2.1": ("wan", "v2.1"), "wan2.2": ("wan", "v2.2"), "wan2.5": ("wan", "v2.5"), "wan2.6": ("wan", "v2.6"),
    "wan2.7": ("wan", "v2.7"), "veo": ("veo3", None), "ltx": ("ltx2", None), "hunyuanvideo": ("hunyuan", None),
}  # fmt: skip

#: Families with a price per clip of 5 seconds, or per second. Where no figure is public (mochi, and all per second),
#: these are estimates: they decide what a stand-in costs.
_PER_CLIP: Mapping[str, float] = {"kling": 600, "kling-v3": 600, "vidu": 600, "mochi": 500}
_PER_SECOND: Mapping[str, float] = {
    "sora": 100, "grok": 100, "haiper": 60, "minimax": 100, "seedance": 100, "happyhorse": 100, "lightricks": 40,
}  # fmt: skip
_VIDU_Q3: Mapping[int, float] = {360: 46, 540: 92, 720: 138, 1080: 200}

#: Every family of video models.
VIDEO = ("sketch", "wan", "ltx2", "ltx2.3", "hunyuan", "vidu-q3", "veo3", *_PER_CLIP, *_PER_SECOND)


def video(payload: Mapping[str, Any]) -> float:  # noqa: PLR0911 - one family a line
    """The price of one video, before rounding."""
    family, seconds = payload.get("family") or "sketch", payload["durationMs"] / 1000
    area, steps = megapixels(payload), payload.get("steps") or 20
    volume = area * seconds * payload["fps"]
    lines = _lines(payload)
    if family == "wan":
        return _wan(payload, seconds, steps, lines)
    if family in {"ltx2", "ltx2.3"}:
        return math.ceil(volume * 1.2 * steps / 20)
    if family == "hunyuan":
        # The public price is by GPU second, 5 Buzz each; how many it takes is our estimate.
        return max(100, math.ceil(volume * steps / 20 * 2 * 5 / 25) * 25)
    if family == "vidu-q3":
        return _VIDU_Q3[lines] * seconds
    if family == "veo3":
        return _veo(payload, seconds)
    if family in _PER_CLIP:
        return _PER_CLIP[family] * (2 if payload.get("mode") == "professional" else 1) * max(1.0, seconds / 5)
    return _PER_SECOND[family] * seconds if family in _PER_SECOND else 0.05 * volume


def _lines(payload: Mapping[str, Any]) -> int:
    """The resolution as it is sold."""
    shorter = min(payload["width"], payload["height"])
    return next((lines for lines in (360, 540, 720) if shorter <= lines), 1080)


def _wan(payload: Mapping[str, Any], seconds: float, steps: int, lines: int) -> float:
    version = payload.get("version") or "v2.1"
    if version.startswith("v2.2"):
        a, b = (1.22e-6, -0.14) if payload.get("images") else (2.53e-7, -0.0259)
        area = max(a * payload["width"] * payload["height"] + b, 0)
        return max(100, math.ceil(seconds * 16 * steps * area * 420 / 3600 * 8 / 25) * 25)
    if version in {"v2.6", "v2.7"}:
        return (195 if version == "v2.6" and lines > 720 else 130) * seconds
    return 100 * (1 if lines <= 540 else 2 if lines == 720 else 3) * seconds


def _veo(payload: Mapping[str, Any], seconds: float) -> float:
    base = 1667 if seconds <= 4 else 2500 if seconds <= 6 else 3333
    share = {"fast": 0.6, "lite": 0.3}.get(payload.get("mode") or "", 1.0)
    return base * share * (1.0 if payload.get("generateAudio") else 0.67)


# ── training ──────────────────────────────────────────────────────────────────

#: Model families that a LoRA can be trained for, somewhere: steps and Buzz by default, Buzz per step and per epoch.
TRAINING: Mapping[str, tuple[int, float, float, float]] = {
    "mini": (400, 10, 0.02, 1),
    "sd1": (2000, 500, 0.20, 10),
    "sd2": (2000, 500, 0.20, 10),
    "sdxl": (2000, 500, 0.20, 10),
    "flux1": (2000, 2000, 0.9, 20),
    "flux2": (2000, 2000, 0.20, 10),
    "qwen": (2000, 2000, 0.95, 10),
    "chroma": (2000, 2000, 0.95, 10),
    "z-image": (2000, 2000, 0.45, 10),
    "ltx2": (3000, 2750, 0.75, 50),
    "wan": (2000, 3000, 0.5, 200),
}


def training(payload: Mapping[str, Any]) -> float:
    """The price of a training, before rounding: by steps and epochs, and most of the family's usual price at least;
    with the samples that are made on the way, as pictures of the family."""
    _, usual, per_step, per_epoch = TRAINING[payload["family"]]
    steps, epochs = payload["steps"], payload["epochs"]
    samples = len(payload.get("samples", ())) * epochs
    return max(0.8 * usual, round(steps * per_step + epochs * per_epoch)) + samples * _sample(payload["family"])


def _sample(family: str) -> float:
    known = IMAGE.get(family)
    if known is None:
        return 1.0
    size = {"width": known.native, "height": known.native, "steps": known.steps, "cfgScale": known.cfg}
    return image({"family": family, **size})
