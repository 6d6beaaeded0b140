"""What a job asks for, read from its payload; and what of it cannot be done, told at submit. Imports nothing heavy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heddle import air
from heddle.domain import JSON
from heddle.engines.diffusers import added, files, loading, samplers
from heddle.engines.diffusers.families import ANSWERS, FAMILIES, Family
from heddle.engines.diffusers.files import Layout, Unreadable
from heddle.engines.diffusers.options import Options
from heddle.engines.diffusers.samplers import Sampler, UnknownSampler

#: Base models, as the catalog writes them, that a file does not tell from others of its layout.
_BY_NAME: Mapping[str, Mapping[str, str]] = {
    "flux1": {"flux.1 kontext": "flux1-kontext"},
    "sd2": {"sd 2.0 768": "sd2-768", "sd 2.1 768": "sd2-768"},
    "sd1": {"sd 2.0": "sd2", "sd 2.1": "sd2", "sd 2.0 768": "sd2-768", "sd 2.1 768": "sd2-768"},
}
#: Ecosystems of AIRs that say the same.
_BY_ECOSYSTEM = {"flux1kontext": "flux1-kontext"}

#: Channels of a core that knows of masks.
_MASKED = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The base model of a job."""

    air: str
    row: Family
    path: Path
    layout: Layout

    @property
    def name(self) -> str:
        """What `load` gets."""
        return f"{self.row.name}:{self.path}"

    @property
    def operations(self) -> tuple[str, ...]:
        """What it can do: a core that knows of masks does nothing else."""
        masked = self.row.core == "unet" and self.layout.channels == _MASKED
        return ("inpaint",) if masked else self.row.operations


def model(payload: JSON) -> Model:
    """Raises Unreadable where its files are not what this engine loads."""
    named = str(payload["model"])
    where: Mapping[str, Any] = payload["weights"][named]
    path = Path(where["path"])
    layout = files.look(path)
    kind = _kind(layout, str(where.get("baseModel") or ""), named)
    family = str(payload["family"])
    if family in FAMILIES and FAMILIES[kind].pipelines == FAMILIES[family].pipelines:
        kind = kind if FAMILIES[kind].answers == family else family
    elif FAMILIES[kind].answers != family and family in ANSWERS:
        raise Unreadable(f"{path.name!r} is a model of the kind {kind}, and the job is for {family!r}")
    return Model(air=named, row=FAMILIES[kind], path=path, layout=layout)


def _kind(layout: Layout, base_model: str, named: str) -> str:
    kind = _BY_NAME.get(layout.kind, {}).get(base_model.strip().lower(), layout.kind)
    ecosystem = air.parse(named).ecosystem or ""
    told = _BY_ECOSYSTEM.get(ecosystem, kind)
    return told if FAMILIES[told].answers == FAMILIES[kind].answers else kind


def operation(payload: JSON, of: Model) -> str:
    """What is done. An edit by a model that takes no instructions is a variant: the source again, by noise."""
    wanted = str(payload.get("operation") or "create")
    return "variant" if wanted == "edit" and "edit" not in of.operations and "variant" in of.operations else wanted


def sampler(payload: JSON, of: Model) -> Sampler:
    """Raises UnknownSampler."""
    return samplers.choose(str(payload.get("sampler") or ""), flow=of.row.flow)


#: What may differ between the jobs of one call.
_OWN = frozenset({"prompt", "negativePrompt", "seed", "outputFormat"})


def alike(payload: JSON, options: Options) -> str:
    """The same for all jobs that one call can draw; empty for a job that is drawn by itself.

    A source is noised and cut for one picture, and some schedulers draw one noise for all pictures of a call.
    """
    large = int(payload["width"]) * int(payload["height"]) > options.batch_pixels
    if options.batch < 2 or large or (payload.get("operation") or "create") != "create":
        return ""
    if samplers.draws_for_all(str(payload.get("sampler") or "")):
        return ""
    shared = {name: value for name, value in payload.items() if name not in _OWN}
    # Where guidance goes by whether there is a negative prompt, one call cannot do both.
    shared["negative"] = bool(payload.get("negativePrompt"))
    return json.dumps(shared, sort_keys=True, default=str)


def parse(name: str) -> tuple[Family, Path]:
    """The kind and the files of a model by the name that `load` gets."""
    kind, _, path = name.partition(":")
    return FAMILIES[kind], Path(path)


# ── what cannot be done ───────────────────────────────────────────────────────


def problems(payload: JSON, options: Options) -> dict[str, str]:
    """By the field of the step's input."""
    try:
        of = model(payload)
    except Unreadable as error:
        return {"model": str(error)}
    return dict(_problems(payload, of, options))


def _problems(payload: JSON, of: Model, options: Options) -> Iterator[tuple[str, str]]:
    row = of.row
    wanted = operation(payload, of)
    if wanted not in of.operations:
        field = "mask" if wanted == "inpaint" else "images"
        yield field, f"{of.path.name!r} ({row.name}) cannot {wanted}; it can {', '.join(of.operations)}"
    if lacking := _lacking(of, options):
        yield "model", lacking
    if payload.get("negativePrompt") and not row.negative:
        yield "negativePrompt", f"{row.name} takes no negative prompt; say in `prompt` what is to be seen"
    if (payload.get("clipSkip") or 1) > 1 and not row.clip_skip:
        yield "clipSkip", f"{row.name} has no text encoder whose layers may be left out; 1 leaves out none"
    if payload.get("networks") and not row.lora:
        yield "additionalNetworks", f"{row.name} takes none"
    else:
        yield from added.problems(payload, row, wanted)
    yield from _of_sampler(payload, of, wanted)
    yield from _of_strength(payload, wanted)


def _lacking(of: Model, options: Options) -> str:
    """Why a single file cannot be loaded."""
    if of.layout.folder or of.row.opener:
        return ""
    if of.row.parts:
        lacking = [part for part in of.row.parts if part not in of.layout.parts]
        return loading.lacks(of.row, of.path.name, lacking) if lacking else ""
    if loading.base_folder(of.row, options) is None:
        return loading.lacks(of.row, of.path.name, ["text encoders", "VAE", "tokenizers"])
    return ""


def _of_sampler(payload: JSON, of: Model, wanted: str) -> Iterator[tuple[str, str]]:
    try:
        chosen = sampler(payload, of)
    except UnknownSampler as error:
        yield "sampler", str(error)
        return
    if chosen.cls == "IPNDMScheduler" and wanted in {"variant", "inpaint"}:
        yield "sampler", f"{chosen.asked!r} begins with noise alone and takes no source; DEIS is near to it"
    steps, most = int(payload.get("steps") or 1), samplers.FEW_STEPS.get(chosen.cls)
    if most and steps > most:
        yield "steps", f"{chosen.asked!r} takes at most {most} steps, and {steps} were asked for"


def _of_strength(payload: JSON, wanted: str) -> Iterator[tuple[str, str]]:
    strength, steps = payload.get("strength"), int(payload.get("steps") or 1)
    if wanted in {"variant", "inpaint"} and strength is not None and int(steps * strength) < 1:
        yield "strength", f"{strength:g} of {steps} steps is not one step; at least {1 / steps:.3g} is needed"
