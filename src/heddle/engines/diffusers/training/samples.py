"""Pictures made after an epoch, to see how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from PIL import Image

from heddle.engines.diffusers.families import FAMILIES
from heddle.engines.diffusers.training import request
from heddle.learning.piece import Piece, sample
from heddle.learning.request import Wanted

#: Told of each step of the sampler: which picture, and how far it is (0..1); lets a cancel through.
Watch = Callable[[int, float], None]


def made(pipe: Any, wanted: Wanted, epoch: int, *, side: int, watch: Watch) -> Iterator[Piece]:
    """A picture for each prompt, always from the same noise, so that epochs can be compared."""
    for number, prompt in enumerate(wanted.prompts):
        seed = (wanted.seed + number) % 2**63
        picture = _picture(pipe, wanted, prompt, seed, side, lambda done, n=number: watch(n, done))
        steps = request.FAMILIES[wanted.family].sample_steps
        yield sample(picture, epoch=epoch, prompt=prompt, seed=seed, steps=steps, cfg=wanted.cfg)


@torch.no_grad()
def _picture(
    pipe: Any, wanted: Wanted, prompt: str, seed: int, side: int, watch: Callable[[float], None]
) -> Image.Image:
    steps = request.FAMILIES[wanted.family].sample_steps

    def told(_pipe: Any, step: int, _level: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        watch((step + 1) / steps)
        return tensors

    found = pipe(
        prompt=prompt,
        num_inference_steps=steps,
        width=side,
        height=side,
        generator=torch.Generator().manual_seed(seed),
        callback_on_step_end=told,
        **_guidance(wanted),
    )
    return found.images[0]


def _guidance(wanted: Wanted) -> dict[str, Any]:
    """How a family is told to follow the prompt; Flux.1 takes no negative one."""
    if wanted.family == "qwen":
        return {"true_cfg_scale": wanted.cfg, "negative_prompt": wanted.negative or " "}
    if wanted.family == "flux1":
        return {"guidance_scale": wanted.cfg}
    less = FAMILIES[wanted.family].cfg_less
    return {"guidance_scale": max(0.0, wanted.cfg - less), "negative_prompt": wanted.negative}
