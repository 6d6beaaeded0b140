"""Sampler names of four programs mean the same solver, and every one of the table runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.torch import WITHOUT, needs_torch

from heddle.engines.diffusers import loading, samplers
from heddle.engines.diffusers.families import FAMILIES
from heddle.engines.diffusers.samplers import UnknownSampler

if WITHOUT is None:
    import diffusers
    import torch
    from tests.torch import tiny

#: One sampler a row: by A1111, the old API, ComfyUI, stable-diffusion.cpp.
ALIKE: list[tuple[str, tuple[str, ...]]] = [
    ("Euler", ("Euler", "euler", "euler normal", "euler+discrete")),
    ("Euler a", ("Euler a", "EulerA", "eulerA", "euler_ancestral", "euler_ancestral+normal", "euler_a")),
    ("LMS Karras", ("LMS Karras", "lmsKarras", "lms+karras", "lms/karras")),
    ("Heun", ("Heun", "heun")),
    ("DPM2 Karras", ("DPM2 Karras", "dpM2Karras", "dpm_2+karras", "dpm2 karras")),
    ("DPM2 a Karras", ("DPM2 a Karras", "dpM2AKarras", "dpm_2_ancestral karras")),
    ("DPM++ 2M Karras", ("DPM++ 2M Karras", "dpM2MKarras", "DPM2MKarras", "dpmpp_2m+karras", "dpm++2m karras")),
    ("DPM++ 2M v2", ("dpm++2mv2",)),
    (
        "DPM++ 2M SDE Exponential",
        ("DPM++ 2M SDE Exponential", "dpmpp_2m_sde exponential", "dpmpp_2m_sde_gpu+exponential"),
    ),
    ("DPM++ 3M SDE", ("DPM++ 3M SDE", "dpM3MSDE", "dpmpp_3m_sde_gpu")),
    ("DPM++ 2S a Karras", ("DPM++ 2S a Karras", "dpM2SAKarras", "dpmpp_2s_ancestral+karras", "dpm++2s_a karras")),
    ("DPM++ SDE Karras", ("DPM++ SDE Karras", "dpmsdeKarras", "dpmpp_sde+karras")),
    ("DDIM", ("DDIM", "ddim")),
    ("DDIM SGM Uniform", ("ddim_trailing", "DDIM SGM Uniform")),
    ("DDIM DDIM Uniform", ("ddim+ddim_uniform",)),
    ("PLMS", ("PLMS", "plms")),
    ("UniPC", ("UniPC", "uniPC", "uni_pc", "uni_pc_bh2")),
    ("Euler Simple", ("euler+simple", "euler simple")),
    ("Euler Beta", ("euler+beta", "Euler Beta")),
    ("LCM", ("LCM", "lcm")),
    ("", ("", "undefined")),
]

UNKNOWN = [
    "DPM fast", "dpmFast", "dpmAdaptive", "dpm_adaptive", "euler_cfg_pp", "euler_ancestral_cfg_pp", "heunpp2",
    "Restart",
    "er_sde", "res_multistep", "res_2s", "ipndm_v", "gradient_estimation", "euler ays", "dpmpp_2m+kl_optimal",
    "euler+gits", "euler bong_tangent", "euler+smoothstep", "Eular", "karras",
]  # fmt: skip


@pytest.mark.parametrize(("title", "names"), ALIKE, ids=lambda value: value if isinstance(value, str) else "")
def test_four_vocabularies_mean_the_same(title: str, names: tuple[str, ...]) -> None:
    for name in names:
        found = samplers.choose(name, flow=False)
        assert (found.title, found.asked) == (title, name)


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_there_is_refused_with_what_is(name: str) -> None:
    for flow in (False, True):
        with pytest.raises(UnknownSampler, match=r"Euler|karras"):
            samplers.choose(name, flow=flow)


def test_a_list_is_for_the_kind_of_model() -> None:
    with pytest.raises(UnknownSampler, match="takes: Euler, Euler a, DPM") as refused:
        samplers.choose("Heun", flow=True)
    assert "LMS" not in str(refused.value).partition("takes:")[2]
    assert "Heun" in samplers.names(flow=False)


def test_approximations_are_named() -> None:
    said = {name: samplers.choose(name, flow=False).approximations for name in samplers.names(flow=False)}
    assert said["DPM++ 2M Karras"] == said["Euler a"] == ()
    assert "adds no noise" in said["DPM++ 2S a"][0]
    assert "run as DPM++ 2M SDE" in said["DPM++ 3M SDE Karras"][0]
    assert "simple" in said["Euler Simple"][0]
    assert "has no schedule Karras" in samplers.choose("DDIM Karras", flow=False).approximations[0]
    assert "fresh noise" in samplers.choose("Euler a", flow=True).approximations[0]
    assert "the model's own" in samplers.choose("Euler SGM Uniform", flow=True).approximations[0]


@needs_torch
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sd1", "flux1", "sd3"])
def test_every_sampler_of_the_table_runs_and_repeats(kind: str) -> None:
    """By itself, with a seed that is larger than 32 bits, and each schedule with one solver."""
    flow = FAMILIES[kind].flow
    pipeline = loading.load(kind, tiny.folder(kind))
    own = pipeline.scheduler
    solvers = [solver.title for solver in samplers.SOLVERS if (solver.flow_cls if flow else solver.cls)]
    names = [*solvers, *(name for name in samplers.names(flow=flow) if name.startswith(("Euler ", "DPM++ 2M ")))]
    made: dict[str, Any] = {}
    for name in dict.fromkeys(names):
        pictures = [drawn(pipeline, samplers.build(samplers.choose(name, flow=flow), own, 2**40)) for _ in range(2)]
        assert np.isfinite(pictures[0]).all(), name
        assert np.array_equal(*pictures), name
        made[name] = pictures[0].tobytes()
    assert len(set(made.values())) > len(solvers) / 2, "samplers differ"


@needs_torch
@pytest.mark.parametrize(
    ("own", "switches", "name", "flow"),
    [
        ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}, "DPM++ 2M", False),
        ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++", "solver_order": 3}, "DPM++ 2M", False),
        ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}, "SA-Solver", False),
        ("EulerDiscreteScheduler", {"use_beta_sigmas": True}, "Euler Karras", False),
        ("FlowMatchEulerDiscreteScheduler", {"stochastic_sampling": True, "use_karras_sigmas": True}, "Euler", True),
    ],
)
def test_a_name_means_the_same_whatever_the_models_own_scheduler_does(
    own: str, switches: dict[str, Any], name: str, flow: bool
) -> None:
    cls = getattr(diffusers, own)
    plain, odd = (samplers.build(samplers.choose(name, flow=flow), cls(**more), 1) for more in ({}, switches))
    for scheduler in (plain, odd):
        scheduler.set_timesteps(8)
    assert torch.equal(plain.sigmas, odd.sigmas)
    told = ("algorithm_type", "solver_type", "solver_order", "stochastic_sampling")
    assert [plain.config.get(switch) for switch in told] == [odd.config.get(switch) for switch in told]


def drawn(pipeline: Any, scheduler: Any) -> np.ndarray:
    pipeline.scheduler = scheduler
    generator = torch.Generator("cpu").manual_seed(2**40)
    with samplers.seeded(2**40):
        return pipeline(
            prompt="a fox", num_inference_steps=4, width=64, height=64, generator=generator, output_type="np"
        ).images[0]
