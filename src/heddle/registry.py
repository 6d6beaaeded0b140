"""The plug-in table of the four seams: step types, engines, storages, executors.

Built-ins are rows of a table (`"name": "module:Attribute"`); strangers are entry points in the group
`heddle.<seam>`. Both are loaded the same way, on first use, so that a heavy import happens only in the process
that needs it. A name that is taken twice is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

SEAMS = ("steps", "engines", "storages", "executors")

_BUILT_IN: dict[str, dict[str, str]] = {
    "steps": {
        "imageGen": "heddle.steps.image_gen:ImageGen",
        "moderation": "heddle.steps.moderation:Moderation",
        "textGen": "heddle.steps.text_gen:TextGen",
        "transcribe": "heddle.steps.transcribe:Transcribe",
        "training": "heddle.steps.training:Training",
        "comfy": "heddle.steps.comfy:Comfy",
        "audioGen": "heddle.steps.audio_gen:AudioGen",
        "music": "heddle.steps.music:Music",
        "videoGen": "heddle.steps.video_gen:VideoGen",
        "upscale": "heddle.steps.upscale:Upscale",
        "interpolate": "heddle.steps.interpolate:Interpolate",
        "tts": "heddle.steps.tts:Tts",
    },
    "engines": {
        "pocketsphinx": "heddle.engines.sphinx:Sphinx",
        "rules": "heddle.engines.rules:Rules",
        "scribe": "heddle.engines.scribe:Scribe",
        "sketch": "heddle.engines.sketch:Sketch",
        "comfy-graph": "heddle.engines.comfy_graph:ComfyGraph",
        "soundscape": "heddle.engines.soundscape:Soundscape",
        "composer": "heddle.engines.composer:Composer",
        "resample": "heddle.engines.resample:Resample",
        "minterpolate": "heddle.engines.minterpolate:Minterpolate",
        "espeak": "heddle.engines.espeak:Espeak",
    },
    "storages": {
        "disk": "heddle.storage.disk:DiskStorage",
        "s3": "heddle.storage.s3:S3Storage",
    },
    "executors": {
        "local": "heddle.fleet.local:LocalExecutor",
        "ray": "heddle.fleet.ray.executor:RayExecutor",
    },
}


class DuplicatePlugin(RuntimeError):
    """Two plug-ins claim one name."""


@cache
def targets(seam: str) -> Mapping[str, str]:
    """Every plug-in of a seam: name -> `module:Attribute`; nothing is imported."""
    found = dict(_BUILT_IN[seam])
    for point in entry_points(group=f"heddle.{seam}"):
        if found.setdefault(point.name, point.value) != point.value:
            raise DuplicatePlugin(f"two {seam} are named {point.name!r}: {found[point.name]} and {point.value}")
    return found


def load(target: str) -> Any:
    """Import `module:Attribute`. Any, because the caller knows which protocol it asked for."""
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def get(seam: str, name: str) -> Any:
    """The plug-in called `name`; KeyError when there is none."""
    return load(targets(seam)[name])


def add(seam: str, name: str, target: str) -> None:
    """Register a plug-in in this process (tests and benchmarks; distributions use entry points)."""
    table = dict(targets(seam))
    if table.setdefault(name, target) != target:
        raise DuplicatePlugin(f"two {seam} are named {name!r}: {table[name]} and {target}")
    _BUILT_IN[seam][name] = target
    targets.cache_clear()
