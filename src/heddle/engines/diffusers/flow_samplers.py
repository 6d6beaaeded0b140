"""Schedulers of video models, which are flow models with a shift of their own.

What names mean is said in `samplers.py`; here the shift comes to it, which schedulers call by two names.
"""

from __future__ import annotations

from typing import Any

from heddle.engines.diffusers.loading import class_named
from heddle.engines.diffusers.opening import again
from heddle.engines.diffusers.samplers import Sampler, UnknownSampler, choose, plain
from heddle.engines.diffusers.samplers import names as every_name

_EULER = "FlowMatchEulerDiscreteScheduler"
_TITLES = {_EULER: "Euler", "UniPCMultistepScheduler": "UniPC", "DPMSolverMultistepScheduler": "DPM++ 2M"}


def named(name: str | None) -> Sampler:
    """What a name means, which may be the model's own. Raises UnknownSampler."""
    return choose(name or "", flow=True)


def names() -> list[str]:
    """What may be asked for; schedules by noise go with Euler alone."""
    return [name for name in every_name(flow=True) if named(name).title == name]


def why_not(name: str, title: str, *, only_euler: bool) -> str | None:
    """What is wrong with a sampler for a model, which may take Euler alone: those give the noise of each step."""
    try:
        cls = named(name).cls
    except UnknownSampler as error:
        return str(error)
    if only_euler and cls not in {"", _EULER}:
        return f"{title} takes Euler alone, and not {name!r}"
    return None


def built(own: Any, sampler: Sampler, shift: float | None) -> Any:
    """A scheduler with the numbers of the model's own."""
    shift = _shift(own) if shift is None else shift
    switches: dict[str, Any] = dict(sampler.switches)
    if shift is not None:
        flows = switches.get("use_flow_sigmas") or (not sampler.cls and "flow_shift" in own.config)
        switches["flow_shift" if flows else "shift"] = shift
    if not sampler.cls:
        return again(own, **switches)
    return class_named(sampler.cls).from_config(own.config, **plain(sampler.cls) | switches)


def said(scheduler: Any, sampler: Sampler) -> str:
    """What is told of it."""
    kind = type(scheduler).__name__
    return sampler.title or _TITLES.get(kind, kind.removesuffix("Scheduler"))


def _shift(own: Any) -> float | None:
    value = own.config.get("flow_shift", own.config.get("shift"))
    return None if value is None else float(value)
