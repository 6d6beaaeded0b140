"""AIR, the name of a model on the wire: `urn:air:{ecosystem}:{type}:{source}:{id}@{version}`.

`parse` takes every form that clients send; `str(air)` writes the one form that we send.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from heddle.errors import InvalidRequest

#: Sources whose ids are numbers, and whose version may carry `+fileId` and `.format`.
NUMBERED = frozenset({"civitai", "heddle"})

#: Ecosystems that some clients write, and what they mean.
ECOSYSTEM_ALIASES: Mapping[str, str] = {
    "sd15": "sd1",
    "illustrious": "sdxl",
    "noobai": "sdxl",
    "pony": "sdxl",
    "zimage": "zimageturbo",
}

#: Model types (as the Site API writes them) with a type of their own in an AIR; all others are `unknown`.
TYPE_OF_MODEL: Mapping[str, str] = {
    "Checkpoint": "checkpoint",
    "LORA": "lora",
    "LoCon": "lycoris",
    "DoRA": "dora",
    "TextualInversion": "embedding",
    "Hypernetwork": "hypernet",
    "AestheticGradient": "ag",
    "Controlnet": "controlnet",
    "Upscaler": "upscaler",
    "MotionModule": "motion",
    "VAE": "vae",
    "UNet": "unet",
    "TextEncoder": "text_encoders",
    "CLIPVision": "clipvision",
    "CLIP": "clip",
    "VisionLanguage": "visionlanguage",
}

#: Types that an AIR may name.
TYPES = frozenset(TYPE_OF_MODEL.values()) | {"diffusionmodel", "repository", "image", "nodepack", "other", "unknown"}

# Base models whose ecosystem is not just their name in lower case without blanks and dots.
_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "sd1": ("SD 1.4", "SD 1.5", "SD 1.5 LCM", "SD 1.5 Hyper"),
    "sd2": ("SD 2.0", "SD 2.0 768", "SD 2.1", "SD 2.1 768", "SD 2.1 Unclip"),
    "sd3": ("SD 3", "SD 3.5", "SD 3.5 Large", "SD 3.5 Large Turbo"),
    "sd3_5m": ("SD 3.5 Medium",),
    "sdxl": (
        "SDXL 0.9",
        "SDXL 1.0",
        "SDXL 1.0 LCM",
        "SDXL Lightning",
        "SDXL Hyper",
        "SDXL Turbo",
        "Pony",
        "Illustrious",
        "NoobAI",
    ),
    "sdxldistilled": ("SDXL Distilled",),
    "auraflow": ("AuraFlow", "Pony V7"),
    "flux1": ("Flux.1 S", "Flux.1 D"),
    "fluxkrea": ("Flux.1 Krea",),
    "flux1kontext": ("Flux.1 Kontext",),
    "flux2": ("Flux.2 D", "Flux.2 Klein 9B", "Flux.2 Klein 9B-base", "Flux.2 Klein 4B", "Flux.2 Klein 4B-base"),
    "hidream-o1": ("HiDream-O1",),
    "ideogram": ("Ideogram 4.0",),
    "hydit1": ("Hunyuan 1",),
    "hyv1": ("Hunyuan Video",),
    "pixarta": ("PixArt a",),
    "pixarte": ("PixArt E",),
    "scascade": ("Stable Cascade",),
    "svd": ("SVD", "SVD XT"),
    "ltxv23": ("LTXV 2.3",),
    "vidu": ("Vidu Q1",),
    "wanvideo1_3b_t2v": ("Wan Video 1.3B t2v",),
    "wanvideo14b_t2v": ("Wan Video 14B t2v",),
    "wanvideo14b_i2v_480p": ("Wan Video 14B i2v 480p",),
    "wanvideo14b_i2v_720p": ("Wan Video 14B i2v 720p",),
    "wanvideo-22-ti2v-5b": ("Wan Video 2.2 TI2V-5B",),
    "wanvideo-22-i2v-a14b": ("Wan Video 2.2 I2V-A14B",),
    "wanvideo-22-t2v-a14b": ("Wan Video 2.2 T2V-A14B",),
    "wanvideo-25-t2v": ("Wan Video 2.5 T2V",),
    "wanvideo-25-i2v": ("Wan Video 2.5 I2V",),
    "wanimage27": ("Wan Image 2.7",),
    "wanvideo27": ("Wan Video 2.7",),
    "ace": ("ACE Audio",),
    "other": ("Upscaler", "Other"),
}
_ECOSYSTEM_OF = {name.lower(): ecosystem for ecosystem, names in _FAMILIES.items() for name in names}

_LONGEST = 1024
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_PREFIX = re.compile(r"(?:urn:)?(?:air:)?", re.IGNORECASE)
_AIR = re.compile(
    r"(?:(?P<ecosystem>[A-Za-z0-9_\-/]+):)?(?:(?P<type>[A-Za-z0-9_\-/]+):)?"
    r"(?P<source>[A-Za-z0-9_\-/]+):(?P<id>[A-Za-z0-9_\-/.]+)(?:@(?P<version>[A-Za-z0-9_\-/.=,%+:]+))?"
)
_NUMBERED_ID = re.compile(r"([0-9]+)(?:\.([A-Za-z0-9_]+))?")
_NUMBERED_VERSION = re.compile(r"([0-9]+)(?:\+([0-9]+))?(?:\.([A-Za-z0-9_]+))?")
_FORM = "urn:air:{ecosystem}:{type}:{source}:{id}@{version}"


class NotAnAir(InvalidRequest, ValueError):
    """A text that names no model. A ValueError as well, so that a pydantic validator may let it fly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Air:
    """A model by name. Ecosystem, type and source are in lower case; id and version are the source's own."""

    source: str
    id: str
    version: str | None = None
    ecosystem: str | None = None
    type: str | None = None
    file_id: str | None = None
    format: str | None = None

    def __str__(self) -> str:
        """The written form, with the parts that are known."""
        before = [part for part in (self.ecosystem, self.type) if part]
        text = ":".join(["urn", "air", *before, self.source, self.id])
        text += f"@{self.version}" if self.version else ""
        text += f"+{self.file_id}" if self.file_id else ""
        return text + (f".{self.format}" if self.format else "")


def parse(text: str) -> Air:
    """Read an AIR. Raises NotAnAir."""
    short = text if len(text) <= 80 else text[:77] + "..."
    if _URL.match(text):
        raise NotAnAir(f"{short!r} is an address, not an AIR such as {_FORM}")
    match = _AIR.fullmatch(text, _prefix_end(text)) if len(text) <= _LONGEST else None
    if match is None or match["source"].lower() in ("urn", "air"):
        raise NotAnAir(f"{short!r} is not an AIR such as {_FORM}")
    ecosystem, kind = _sort_out(match["ecosystem"], match["type"])
    air = Air(source=match["source"].lower(), id=match["id"], version=match["version"], ecosystem=ecosystem, type=kind)
    return _numbered(air, short) if air.source in NUMBERED else air


def ecosystem_of(base_model: str) -> str:
    """The ecosystem segment for a base model such as `SDXL 1.0`; a name of its own for one that is not known."""
    name = base_model.strip().lower()
    return _ECOSYSTEM_OF.get(name) or re.sub(r"[^a-z0-9_-]", "", name) or "other"


def type_of(model_type: str) -> str:
    """The type segment for a model type such as `LORA`."""
    return TYPE_OF_MODEL.get(model_type, "unknown")


def _prefix_end(text: str) -> int:
    match = _PREFIX.match(text)
    return match.end() if match else 0


def _sort_out(first: str | None, second: str | None) -> tuple[str | None, str | None]:
    """The two optional segments; one alone is a type where it can only be one."""
    first, second = first and first.lower(), second and second.lower()
    if first and not second and first in TYPES - {"other"}:
        first, second = None, first
    if second == "textencoder":
        second = "text_encoders"
    return (ECOSYSTEM_ALIASES.get(first, first) if first else None), second


def _numbered(air: Air, text: str) -> Air:
    """Split what `+fileId` and `.format` hang on; other sources keep file paths there."""
    model = _NUMBERED_ID.fullmatch(air.id)
    version = _NUMBERED_VERSION.fullmatch(air.version) if air.version else None
    if model is None or (air.version and (version is None or model[2])):
        raise NotAnAir(f"{text!r}: the model and version of a {air.source} AIR are numbers, as in 101055@128078")
    return Air(
        source=air.source,
        id=model[1],
        version=version[1] if version else None,
        ecosystem=air.ecosystem,
        type=air.type,
        file_id=version[2] if version else None,
        format=version[3] if version else model[2],
    )
