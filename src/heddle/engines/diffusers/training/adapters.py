"""The LoRA itself: two small matrices beside each of some layers of a model, put there and taken away by peft."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from peft import LoraConfig
from torch import Tensor
from torch.nn import Parameter

from heddle.errors import EngineFailed
from heddle.learning.batches import Use, chance
from heddle.learning.request import Wanted

#: The name of the adapter while it learns.
NAME = "learned"

_ATTENTION = r"to_q|to_k|to_v|to_out\.0"
_BOTH = rf"{_ATTENTION}|add_[qkv]_proj|to_add_out"
_UNET = (
    rf".*\.attentions\.\d+\.(proj_in|proj_out|transformer_blocks\.\d+\.(attn[12]\.({_ATTENTION})|ff\.net\.(0\.proj|2)))"
)
_FLUX = (
    rf"transformer_blocks\.\d+\.(attn\.({_BOTH})|ff(_context)?\.net\.(0\.proj|2))"
    r"|single_transformer_blocks\.\d+\.(attn\.to_[qkv]|proj_mlp|proj_out)"
)
#: Layers that learn, by family: those of attention, and the two that follow it.
TARGETS: Mapping[str, str] = {
    "sd1": _UNET,
    "sd2": _UNET,
    "sdxl": _UNET,
    "flux1": _FLUX,
    "z-image": rf"layers\.\d+\.(attention\.({_ATTENTION})|feed_forward\.w[123])",
    "qwen": rf"transformer_blocks\.\d+\.(attn\.({_BOTH})|(img|txt)_mlp\.net\.(0\.proj|2))",
}


def attach(core: Any, wanted: Wanted) -> dict[str, Parameter]:
    """A new LoRA, which changes nothing yet; its matrices by name."""
    core.requires_grad_(False)
    # peft draws from the one chance that torch has for everybody.
    random: Any = torch.random
    with random.fork_rng(devices=[]):
        random.manual_seed(int(chance(wanted.seed, Use.WEIGHTS).integers(2**62)))
        core.add_adapter(
            LoraConfig(
                r=wanted.rank,
                lora_alpha=wanted.alpha,
                init_lora_weights="gaussian",
                target_modules=TARGETS[wanted.family],
            ),
            adapter_name=NAME,
        )
    return _learning(core)


def resume(pipe: Any, core: Any, tensors: Mapping[str, Tensor], name: str) -> dict[str, Parameter]:
    """A LoRA that was trained before, in any form that diffusers reads; its matrices by name. Raises EngineFailed."""
    core.requires_grad_(False)
    try:
        pipe.load_lora_weights(dict(tensors), adapter_name=NAME)
    except Exception as error:  # whatever diffusers finds wrong with it
        detach(pipe)
        raise EngineFailed(f"continueFrom: {name} does not fit the base model: {error}") from error
    for key, value in core.named_parameters():
        value.requires_grad_(f".lora_A.{NAME}." in key or f".lora_B.{NAME}." in key)
    found = _learning(core)
    if not found:
        detach(pipe)
        raise EngineFailed(f"continueFrom: {name} changes nothing that can be trained here, only text encoders")
    return found


def detach(pipe: Any) -> None:
    """As the models were before."""
    pipe.unload_lora_weights()


def alpha(core: Any) -> Mapping[str, float]:
    """By how much each layer multiplies what its matrices say, times their rank: kohya's alpha."""
    return {
        name: float(layer.scaling[NAME] * layer.r[NAME])
        for name, layer in core.named_modules()
        if NAME in getattr(layer, "scaling", ())
    }


def _learning(core: Any) -> dict[str, Parameter]:
    found: dict[str, Parameter] = {}
    for name, value in core.named_parameters():
        if value.requires_grad:
            # In full, whatever the model is in: what one step changes would be lost in fewer bits.
            value.data = value.data.float()
            found[name.replace(f".{NAME}.", ".")] = value
    return found
