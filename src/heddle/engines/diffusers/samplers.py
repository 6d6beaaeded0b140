"""Samplers by the names that four programs give them, as the schedulers of diffusers.

`DPM++ 2M Karras` (A1111, and what pictures say of themselves), `dpM2MKarras` (the old API), `dpmpp_2m karras` (ComfyUI)
and `dpm++2m karras` (stable-diffusion.cpp) are one solver and one schedule of noise. What diffusers has not quite is
an approximation, which says so; what it has not at all is refused.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from heddle.engines.diffusers.loading import class_named


class UnknownSampler(ValueError):
    """A name that means no sampler here; the text says what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Solver:
    """How one step is taken."""

    #: As A1111 writes it.
    title: str
    #: Other spellings, without case, blanks and signs.
    names: tuple[str, ...]
    #: The scheduler for diffusion models, and its switches; empty: there is none.
    cls: str = ""
    switches: Mapping[str, Any] = field(default_factory=dict[str, Any])
    #: The scheduler for flow models.
    flow_cls: str = ""
    flow_switches: Mapping[str, Any] = field(default_factory=dict[str, Any])
    #: Whether a schedule of noise can be chosen.
    schedules: bool = True
    #: What is not as the name says.
    approximation: str = ""
    flow_approximation: str = ""
    #: The switch that takes the seed of a scheduler that draws noise by itself.
    seed: str = ""


#: What turns a solver of diffusion models into one of flow models.
_FLOW: Mapping[str, Any] = {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}

SOLVERS: tuple[Solver, ...] = (
    Solver(title="Euler", names=("euler",), cls="EulerDiscreteScheduler", flow_cls="FlowMatchEulerDiscreteScheduler"),
    Solver(
        title="Euler a",
        names=("eulera", "eulerancestral"),
        cls="EulerAncestralDiscreteScheduler",
        flow_cls="FlowMatchEulerDiscreteScheduler",
        flow_switches={"stochastic_sampling": True},
        schedules=False,
        flow_approximation="Euler a on a flow model is Euler with fresh noise at every step",
    ),
    Solver(title="LMS", names=("lms",), cls="LMSDiscreteScheduler"),
    Solver(title="Heun", names=("heun",), cls="HeunDiscreteScheduler"),
    Solver(title="DPM2", names=("dpm2",), cls="KDPM2DiscreteScheduler"),
    Solver(title="DPM2 a", names=("dpm2a", "dpm2ancestral"), cls="KDPM2AncestralDiscreteScheduler"),
    Solver(
        title="DPM++ 2M",
        names=("dpmpp2m", "dpm2m"),
        cls="DPMSolverMultistepScheduler",
        flow_cls="DPMSolverMultistepScheduler",
        flow_switches=_FLOW,
    ),
    Solver(
        title="DPM++ 2M v2",
        names=("dpmpp2mv2",),
        cls="DPMSolverMultistepScheduler",
        approximation="DPM++ 2M v2 is run as DPM++ 2M",
        flow_cls="DPMSolverMultistepScheduler",
        flow_switches=_FLOW,
        flow_approximation="DPM++ 2M v2 is run as DPM++ 2M",
    ),
    Solver(
        title="DPM++ 2M SDE",
        names=("dpmpp2msde", "dpmpp2msdegpu", "dpm2msde"),
        cls="DPMSolverMultistepScheduler",
        switches={"algorithm_type": "sde-dpmsolver++"},
    ),
    Solver(
        title="DPM++ 3M SDE",
        names=("dpmpp3msde", "dpmpp3msdegpu", "dpm3msde"),
        cls="DPMSolverMultistepScheduler",
        switches={"algorithm_type": "sde-dpmsolver++", "solver_order": 2},
        approximation="DPM++ 3M SDE is run as DPM++ 2M SDE: a stochastic solver of the third order is not there",
    ),
    Solver(
        title="DPM++ 2S a",
        names=("dpmpp2sa", "dpmpp2sancestral", "dpm2sa"),
        cls="DPMSolverSinglestepScheduler",
        approximation="DPM++ 2S a is run as DPM++ 2S, which adds no noise",
        flow_cls="DPMSolverSinglestepScheduler",
        flow_switches=_FLOW,
        flow_approximation="DPM++ 2S a is run as DPM++ 2S, which adds no noise",
    ),
    Solver(
        title="DPM++ SDE",
        names=("dpmppsde", "dpmppsdegpu", "dpmsde"),
        cls="DPMSolverSDEScheduler",
        seed="noise_sampler_seed",
    ),
    Solver(title="DDIM", names=("ddim",), cls="DDIMScheduler", switches={"clip_sample": False}, schedules=False),
    Solver(title="PLMS", names=("plms",), cls="PNDMScheduler", switches={"skip_prk_steps": True}, schedules=False),
    Solver(title="DDPM", names=("ddpm",), cls="DDPMScheduler", switches={"clip_sample": False}, schedules=False),
    Solver(
        title="UniPC",
        # Of its two variants, bh1 gives no numbers in diffusers when the last noise is zero.
        names=("unipc", "unipcbh2"),
        cls="UniPCMultistepScheduler",
        switches={"solver_type": "bh2"},
        flow_cls="UniPCMultistepScheduler",
        flow_switches={**_FLOW, "solver_type": "bh2"},
    ),
    Solver(title="LCM", names=("lcm",), cls="LCMScheduler", flow_cls="FlowMatchLCMScheduler", schedules=False),
    Solver(
        title="DEIS",
        names=("deis",),
        cls="DEISMultistepScheduler",
        flow_cls="DEISMultistepScheduler",
        flow_switches=_FLOW,
    ),
    Solver(title="IPNDM", names=("ipndm",), cls="IPNDMScheduler", schedules=False),
    Solver(title="TCD", names=("tcd",), cls="TCDScheduler", schedules=False),
    Solver(title="SA-Solver", names=("sasolver",), cls="SASolverScheduler"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How the noise falls from step to step."""

    title: str
    names: tuple[str, ...]
    switches: Mapping[str, Any] = field(default_factory=dict[str, Any])
    approximation: str = ""
    #: On flow models: whether it is the model's own schedule there.
    own_on_flow: bool = False


SCHEDULES: tuple[Schedule, ...] = (
    Schedule(title="", names=("normal", "discrete", "automatic"), own_on_flow=True),
    Schedule(title="Karras", names=("karras",), switches={"use_karras_sigmas": True}),
    Schedule(title="Exponential", names=("exponential",), switches={"use_exponential_sigmas": True}),
    Schedule(title="Beta", names=("beta",), switches={"use_beta_sigmas": True}),
    Schedule(
        title="SGM Uniform",
        names=("sgmuniform", "trailing"),
        switches={"timestep_spacing": "trailing"},
        own_on_flow=True,
    ),
    Schedule(
        title="Simple",
        names=("simple",),
        switches={"timestep_spacing": "trailing"},
        approximation="the schedule simple is run as SGM Uniform",
        own_on_flow=True,
    ),
    Schedule(
        title="DDIM Uniform",
        names=("ddimuniform",),
        switches={"timestep_spacing": "leading"},
        approximation="the schedule DDIM Uniform is run with timesteps that are spaced alike from the end",
    ),
)

#: Schedules that are in the vocabularies and not in diffusers.
_NO_SCHEDULES = ("ays", "gits", "bongtangent", "smoothstep", "kloptimal", "linearquadratic")

#: What makes a solver or a schedule another one.
_OTHERS = (
    "use_karras_sigmas",
    "use_exponential_sigmas",
    "use_beta_sigmas",
    "use_lu_lambdas",
    "stochastic_sampling",
    "algorithm_type",
    "solver_type",
    "solver_order",
)

#: Solvers for distilled models, which choose among this many timesteps.
FEW_STEPS = {"LCMScheduler": 50, "TCDScheduler": 50}

#: Those that have a switch for schedules by noise (`use_karras_sigmas`, ...).
_BY_NOISE = frozenset({"Karras", "Exponential", "Beta"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    """A solver and a schedule, as diffusers runs them."""

    #: As asked for.
    asked: str
    #: As run; empty: as the model itself says.
    title: str
    cls: str
    switches: Mapping[str, Any]
    #: A sentence for each thing that is not as asked.
    approximations: tuple[str, ...] = ()
    seed: str = ""


def choose(name: str, *, flow: bool) -> Sampler:
    """What a name means for a diffusion or a flow model. Raises UnknownSampler with the names that may be used."""
    key = _key(name)
    if key in {"", "undefined", "default", "automatic"}:
        return Sampler(asked=name, title="", cls="", switches={})
    solver, schedule = _read(name, key)
    cls = solver.flow_cls if flow else solver.cls
    if not cls:
        raise UnknownSampler(f"{name!r} is for diffusion models, and this is a flow model, which takes: {_list(flow)}")
    base = solver.flow_switches if flow else solver.switches
    switches, said = _switches(solver, schedule, flow=flow)
    first = solver.flow_approximation if flow else solver.approximation
    return Sampler(
        asked=name,
        title=solver.title if said and switches == base else f"{solver.title} {schedule.title}".strip(),
        cls=cls,
        switches=switches,
        approximations=tuple(filter(None, (first, said))),
        seed=solver.seed,
    )


def draws_for_all(name: str) -> bool:
    """Whether it draws noise by itself on one kind of model or the other, and not from what each picture is given."""
    return any(_draws(name, flow=flow) for flow in (False, True))


def _draws(name: str, *, flow: bool) -> bool:
    try:
        chosen = choose(name, flow=flow)
    except UnknownSampler:
        return False
    return bool(chosen.seed or chosen.switches.get("stochastic_sampling") or chosen.cls == "FlowMatchLCMScheduler")


def names(*, flow: bool) -> list[str]:
    """What may be asked for, as A1111 writes it."""
    return [name for solver in SOLVERS if (solver.flow_cls if flow else solver.cls) for name in _titles(solver, flow)]


def build(sampler: Sampler, own: Any, seed: int) -> Any:
    """A fresh scheduler: of the sampler, with the settings of the model's own; without a sampler, the own one anew."""
    if not sampler.cls:
        return own.__class__.from_config(own.config)
    switches = dict(sampler.switches)
    if sampler.seed:
        switches[sampler.seed] = seed
    if switches.get("use_flow_sigmas"):
        switches["flow_shift"] = own.config.get("flow_shift", own.config.get("shift", 1.0))
    return class_named(sampler.cls).from_config(own.config, **plain(sampler.cls) | switches)


def plain(cls: str) -> dict[str, Any]:
    """The switches that make a solver or a schedule another one, as they are in a class by itself.

    The scheduler of a model may have some on, and a name means the same on every model.
    """
    taken = inspect.signature(class_named(cls).__init__).parameters
    return {name: taken[name].default for name in _OTHERS if name in taken}


@contextmanager
def seeded(seed: int) -> Generator[None]:
    """Chance for schedulers that draw without the generator of a call; whoever draws afterwards notices nothing."""
    random: Any = _random()
    with random.fork_rng():
        random.manual_seed(seed)
        yield


def _random() -> Any:
    import torch  # noqa: PLC0415 - heavy

    return torch.random


# ── names ─────────────────────────────────────────────────────────────────────


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower().replace("+", "p"))


def _read(name: str, key: str) -> tuple[Solver, Schedule]:
    for solver in SOLVERS:
        for spelled in solver.names:
            if key == spelled:
                return solver, SCHEDULES[0]
            if key.startswith(spelled) and (schedule := _schedule(name, key.removeprefix(spelled))):
                return solver, schedule
    raise UnknownSampler(f"{name!r} is not one of: {_list(flow=False)}")


def _schedule(name: str, key: str) -> Schedule | None:
    # Between the two, ComfyUI's pairs are written with a sign that may be a plus.
    key = key.lstrip("p") if key.startswith("p") else key
    if key in _NO_SCHEDULES:
        known = ", ".join(schedule.names[0] for schedule in SCHEDULES)
        raise UnknownSampler(f"{name!r} asks for the schedule {key!r}, which is not there; there are: {known}")
    return next((schedule for schedule in SCHEDULES if key in schedule.names), None)


def _switches(solver: Solver, schedule: Schedule, *, flow: bool) -> tuple[Mapping[str, Any], str]:
    """The switches of both, and what is not as asked."""
    base = solver.flow_switches if flow else solver.switches
    if flow and schedule.own_on_flow:
        return base, f"on a flow model the schedule {schedule.title} is the model's own" if schedule.title else ""
    if schedule.title in _BY_NOISE and not solver.schedules:
        return base, f"{solver.title} has no schedule {schedule.title}: it is run without"
    if schedule.title in _BY_NOISE and base.get("use_flow_sigmas"):
        # These schedulers would take the noise of diffusion models instead, and give no numbers.
        said = f"{solver.title} {schedule.title} is run as {solver.title}"
        return base, f"{said}: on a flow model it has the model's own schedule"
    if schedule.title not in _BY_NOISE and schedule.title and flow:
        return base, f"on a flow model the schedule {schedule.title} is the model's own"
    return {**base, **schedule.switches}, schedule.approximation


def _titles(solver: Solver, flow: bool) -> list[str]:
    more = [schedule.title for schedule in SCHEDULES if schedule.title]
    noisy = solver.schedules and not (flow and solver.flow_switches.get("use_flow_sigmas"))
    usable = [title for title in more if (noisy if title in _BY_NOISE else not flow)]
    return [solver.title, *(f"{solver.title} {title}" for title in usable)]


def _list(flow: bool) -> str:
    solvers = [solver.title for solver in SOLVERS if (solver.flow_cls if flow else solver.cls)]
    schedules = [schedule.title for schedule in SCHEDULES if schedule.title]
    return f"{', '.join(solvers)}; each with {', '.join(schedules)} where it has them"
