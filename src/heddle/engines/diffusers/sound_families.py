"""Families of models that make sound, as data and as the arguments of their pipelines. Imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from heddle.engines.diffusers.folders import Folder

#: Sampling steps and guidance of ACE-Step where a job says nothing: of models that were distilled to few steps, and of
#: the others.
_TURBO, _WHOLE = (8, 1.0), (50, 7.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of model."""

    #: What `load` is told.
    name: str
    #: As people write it.
    title: str
    #: The step type that it makes things for, and the family that callers name.
    step_type: str
    answers: str
    pipeline: str
    #: The field of a job that says what is heard.
    says: str


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name="stable-audio",
            title="Stable Audio",
            step_type="audioGen",
            answers="stable-audio",
            pipeline="StableAudioPipeline",
            says="prompt",
        ),
        Kind(
            name="ace-step",
            title="ACE-Step",
            step_type="music",
            answers="ace-step",
            pipeline="AceStepPipeline",
            says="musicDescription",
        ),
    )
}

#: Kinds by the pipeline class that a folder's index names.
OF_CLASS: Mapping[str, Kind] = {kind.pipeline: kind for kind in KINDS.values()}

#: The families that callers may name.
ANSWERS = tuple(kind.answers for kind in KINDS.values())

#: What is taken of a job for a family that has no place for it.
IGNORED = ("instrumentalWeight", "vocalWeight")


def longest(kind: Kind, folder: Folder) -> float | None:
    """How many seconds a checkpoint can make; None: as many as one likes. Raises Unusable."""
    if kind.name != "stable-audio":
        return None
    vae, core = folder.config("vae"), folder.config("transformer")
    hop = math.prod(vae.get("downsampling_ratios", (2, 4, 4, 8, 8)))
    return core.get("sample_size", 1024) * hop / vae.get("sampling_rate", 44100)


def arguments(kind: Kind, payload: Mapping[str, Any], *, turbo: bool = False) -> dict[str, Any]:
    """What the pipeline is called with, but for chance."""
    seconds = payload["durationMs"] / 1000
    if kind.name == "stable-audio":
        call: dict[str, Any] = {
            "prompt": str(payload["prompt"]),
            "negative_prompt": payload.get("negativePrompt"),
            "audio_end_in_s": seconds,
            "num_inference_steps": payload.get("steps") or 100,
            "guidance_scale": payload.get("cfgScale", 7.0),
        }
    else:
        steps, cfg = _TURBO if turbo else _WHOLE
        call = {
            "prompt": str(payload["musicDescription"]),
            "lyrics": str(payload.get("lyrics") or ""),
            "vocal_language": payload.get("language") or "en",
            "audio_duration": seconds,
            "bpm": payload.get("bpm"),
            "keyscale": payload.get("key"),
            "timesignature": payload.get("timeSignature"),
            "num_inference_steps": payload.get("steps") or steps,
            "guidance_scale": payload.get("cfg", cfg),
        }
    return {name: value for name, value in call.items() if value is not None}
