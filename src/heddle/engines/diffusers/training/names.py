"""How LoRA files name layers. The form that nearly every program reads is that of kohya's scripts.

There a layer is its path with `_` for `.` behind `lora_unet_`; families whose models were first published with other
names of layers keep those: SDXL's U-Net counts its blocks in one row, and Flux.1 has layers that diffusers splits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

#: A layer's two matrices and its alpha.
Layer = tuple[Tensor, Tensor, float]

#: Flux.1 as it was published; readers that split its joined layers know no other width.
_FLUX_WIDTH = 3072

_DOUBLE: Mapping[str, Sequence[str]] = {
    "img_attn_qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "img_attn_proj": ("attn.to_out.0",),
    "img_mlp_0": ("ff.net.0.proj",),
    "img_mlp_2": ("ff.net.2",),
    "txt_attn_qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    "txt_attn_proj": ("attn.to_add_out",),
    "txt_mlp_0": ("ff_context.net.0.proj",),
    "txt_mlp_2": ("ff_context.net.2",),
}
_SINGLE: Mapping[str, Sequence[str]] = {
    "linear1": ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"),
    "linear2": ("proj_out",),
}


def layers(values: Mapping[str, Tensor], alpha: Mapping[str, float]) -> dict[str, Layer]:
    """The matrices of each layer, by its path."""
    ends = ".lora_A.weight"
    return {
        name: (values[f"{name}{ends}"], values[f"{name}.lora_B.weight"], alpha[name])
        for name in sorted(key.removesuffix(ends) for key in values if key.endswith(ends))
    }


def written(family: str, core: Any, found: Mapping[str, Layer]) -> dict[str, Tensor]:
    """The tensors of a file."""
    if family != "flux1":
        rename = _sdxl(core) if family == "sdxl" else str
        return _kohya({f"lora_unet_{rename(name).replace('.', '_')}": layer for name, layer in found.items()})
    if core.inner_dim != _FLUX_WIDTH:
        return _diffusers(found)
    return _kohya(_flux(found))


def _kohya(found: Mapping[str, Layer]) -> dict[str, Tensor]:
    made: dict[str, Tensor] = {}
    for name, (down, up, alpha) in found.items():
        made |= {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up, f"{name}.alpha": torch.tensor(alpha)}
    return made


def _diffusers(found: Mapping[str, Layer]) -> dict[str, Tensor]:
    """In diffusers' own form, which has no alpha: it goes into the matrices."""
    made: dict[str, Tensor] = {}
    for name, (down, up, alpha) in found.items():
        made[f"transformer.{name}.lora_A.weight"] = down
        made[f"transformer.{name}.lora_B.weight"] = up * (alpha / len(down))
    return made


def _sdxl(core: Any) -> Any:
    """Paths with the blocks in one row: all going down, the one in the middle, all going up."""
    down = core.config.layers_per_block + 1  # the last of each block makes the picture smaller
    up = core.config.layers_per_block + 1

    def rename(name: str) -> str:
        name = name.replace("mid_block.attentions.0", "middle_block.1")
        name = re.sub(
            r"down_blocks\.(\d+)\.attentions\.(\d+)",
            lambda at: f"input_blocks.{down * int(at[1]) + int(at[2]) + 1}.1",
            name,
        )
        return re.sub(
            r"up_blocks\.(\d+)\.attentions\.(\d+)", lambda at: f"output_blocks.{up * int(at[1]) + int(at[2])}.1", name
        )

    return rename


def _flux(found: Mapping[str, Layer]) -> dict[str, Layer]:
    """Layers that were one are one again."""
    made: dict[str, Layer] = {}
    for prefix, kind, joins in (
        ("transformer_blocks", "double_blocks", _DOUBLE),
        ("single_transformer_blocks", "single_blocks", _SINGLE),
    ):
        for number in sorted({int(name.split(".")[1]) for name in found if name.startswith(f"{prefix}.")}):
            for joined, parts in joins.items():
                layer = _joined([found.get(f"{prefix}.{number}.{part}") for part in parts])
                if layer is not None:
                    made[f"lora_unet_{kind}_{number}_{joined}"] = layer
    return made


def _joined(parts: Sequence[Layer | None]) -> Layer | None:
    """Several layers that see the same as one: downwards below each other, upwards in a diagonal, so that none sees
    what the others learned; of a rank so many times theirs. Says exactly what they say."""
    known = [part for part in parts if part is not None]
    if len(known) != len(parts):
        return None
    if len(known) == 1:
        return known[0]
    downs, ups, alphas = zip(*known, strict=True)
    library: Any = torch
    joined: Layer = torch.cat(downs), library.block_diag(*ups), alphas[0] * len(known)
    return joined
