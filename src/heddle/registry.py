"""The plug-in table of the four seams: step types, engines, storages, executors.

Built-ins are rows of a table (`"name": "module:Attribute"`); strangers are entry points in the group
`heddle.<seam>`. Both are loaded the same way, on first use, so that a heavy import happens only in the process
that needs it. A name that is taken twice is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoints, entry_points
from typing import Any

from heddle.errors import UsageError

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
        "whisper": "heddle.engines.transformers:Whisper",
        "rules": "heddle.engines.rules:Rules",
        "classifier": "heddle.engines.transformers:Classifier",
        "nudenet": "heddle.engines.nudenet:NudeNet",
        "openai-api": "heddle.engines.openai_api:OpenAIApi",
        "lora": "heddle.engines.diffusers.training:LoraTraining",
        "mini-lora": "heddle.engines.mini.training:MiniTraining",
        "scribe": "heddle.engines.scribe:Scribe",
        "llama-cpp": "heddle.engines.llama_cpp:LlamaCpp",
        "transformers-text": "heddle.engines.transformers:Text",
        "mini": "heddle.engines.mini:Mini",
        "sketch": "heddle.engines.sketch:Sketch",
        "diffusers": "heddle.engines.diffusers:Diffusers",
        "comfy-graph": "heddle.engines.comfy_graph:ComfyGraph",
        "comfyui": "heddle.engines.comfyui:ComfyUI",
        "soundscape": "heddle.engines.soundscape:Soundscape",
        "composer": "heddle.engines.composer:Composer",
        "resample": "heddle.engines.resample:Resample",
        "spandrel": "heddle.engines.spandrel:Spandrel",
        "minterpolate": "heddle.engines.minterpolate:Minterpolate",
        "espeak": "heddle.engines.espeak:Espeak",
        "diffusers-video": "heddle.engines.diffusers.videos:DiffusersVideo",
        "diffusers-audio": "heddle.engines.diffusers.sounds:DiffusersAudio",
        "openai-images": "heddle.engines.openai_images:OpenAIImages",
        "orchestrator": "heddle.engines.orchestrator:Orchestrator",
        "transformers-tts": "heddle.engines.transformers:Speech",
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


#: What the operator set for engines, by name: a table each of `engines.toml`.
_OPTIONS: dict[str, Mapping[str, Any]] = {}


class DuplicatePlugin(RuntimeError):
    """Two plug-ins claim one name."""


@cache
def targets(seam: str) -> Mapping[str, str]:
    """Every plug-in of a seam: name -> `module:Attribute`; nothing is imported."""
    found = dict(_BUILT_IN[seam])
    for point in _installed()[seam]:
        if found.setdefault(point.name, point.value) != point.value:
            raise DuplicatePlugin(f"two {seam} are named {point.name!r}: {found[point.name]} and {point.value}")
    return found


@cache
def _installed() -> Mapping[str, EntryPoints]:
    """The strangers of all seams, read once in a process: a file of every distribution is opened for it."""
    found = entry_points()
    return {seam: found.select(group=f"heddle.{seam}") for seam in SEAMS}


def load(target: str) -> Any:
    """Import `module:Attribute`. Any, because the caller knows which protocol it asked for."""
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def get(seam: str, name: str) -> Any:
    """The plug-in called `name`; KeyError when there is none."""
    return load(targets(seam)[name])


def configure(options: Mapping[str, Mapping[str, Any]]) -> None:
    """From now on engines are built with these in this process. Raises UsageError when an engine cannot use them."""
    known = targets("engines")
    for name in options:
        if name not in known:
            raise UsageError(f"[{name}] is no engine", f"there are: {', '.join(sorted(known))}")
    set_options(options)
    for name in options:
        engine(name)


def set_options(options: Mapping[str, Mapping[str, Any]]) -> None:
    """The same without a look at them: for processes that are told what another one has looked at."""
    _OPTIONS.clear()
    _OPTIONS.update(options)


def options() -> dict[str, dict[str, Any]]:
    """What was set, for processes elsewhere."""
    return {name: dict(table) for name, table in _OPTIONS.items()}


def engine(name: str, target: str | None = None) -> Any:
    """A new engine with its options. Raises UsageError when it has none, or cannot use one of them."""
    made = load(target or targets("engines")[name])()
    given = _OPTIONS.get(name)
    if given is not None:
        if not hasattr(made, "configure"):
            raise UsageError(f"[{name}] has no options", "leave the table out")
        made.configure(given)
    return made


def add(seam: str, name: str, target: str) -> None:
    """Register a plug-in in this process (tests and benchmarks; distributions use entry points)."""
    table = dict(targets(seam))
    if table.setdefault(name, target) != target:
        raise DuplicatePlugin(f"two {seam} are named {name!r}: {table[name]} and {target}")
    _BUILT_IN[seam][name] = target
    targets.cache_clear()
