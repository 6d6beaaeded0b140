"""Files that are added to tiny models: LoRAs, embeddings, VAEs and ControlNets, with random weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch
from safetensors.torch import save_file
from tests.torch import tiny

#: Attention layers of each kind's core, as diffusers names them.
LAYERS: dict[str, list[str]] = {
    "sd1": [
        "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q",
        "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k",
        "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0",
        "unet.up_blocks.0.attentions.0.transformer_blocks.0.ff.net.0.proj",
        "text_encoder.text_model.encoder.layers.0.self_attn.q_proj",
    ],
    "sdxl": [
        "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q",
        "unet.down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_k",
        "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0",
        "text_encoder.text_model.encoder.layers.0.self_attn.q_proj",
        "text_encoder_2.text_model.encoder.layers.1.mlp.fc1",
    ],
    "flux1": [
        "transformer.transformer_blocks.0.attn.to_q",
        "transformer.transformer_blocks.0.attn.to_out.0",
        "transformer.single_transformer_blocks.0.attn.to_k",
    ],
}


def pair(kind: str, layer: str, rank: int, chance: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """The two halves of a layer's change, strong enough to be seen."""
    part, _, name = layer.partition(".")
    model = getattr(pipeline(kind), part)
    if not hasattr(model, "text_model"):
        name = name.removeprefix("text_model.")
    out, into = model.get_submodule(name).weight.shape[:2]
    return torch.randn(rank, into, generator=chance) * 0.3, torch.randn(out, rank, generator=chance) * 0.3


_LOADED: dict[str, Any] = {}


def pipeline(kind: str) -> Any:
    """The model alone, loaded once."""
    if kind not in _LOADED:
        _LOADED[kind] = diffusers.DiffusionPipeline.from_pretrained(tiny.folder(kind), local_files_only=True)
    return _LOADED[kind]


def lora(kind: str, place: Path, seed: int = 1, rank: int = 4, layers: list[str] | None = None) -> Path:
    """In the form of peft."""
    chance = torch.Generator().manual_seed(seed)
    state: dict[str, torch.Tensor] = {}
    for layer in layers or LAYERS[kind]:
        down, up = pair(kind, layer, rank, chance)
        state[f"{layer}.lora_A.weight"], state[f"{layer}.lora_B.weight"] = down, up
    return save(state, place)


def kohya(kind: str, place: Path, seed: int = 1, rank: int = 4, alpha: float | None = None) -> Path:
    """The same numbers in the form of kohya."""
    chance = torch.Generator().manual_seed(seed)
    state: dict[str, torch.Tensor] = {}
    for layer in LAYERS[kind]:
        down, up = pair(kind, layer, rank, chance)
        name = kohya_name(kind, layer)
        state[f"{name}.lora_down.weight"], state[f"{name}.lora_up.weight"] = down, up
        state[f"{name}.alpha"] = torch.tensor(float(rank if alpha is None else alpha))
    return save(state, place)


def kohya_name(kind: str, layer: str) -> str:
    part, _, name = layer.partition(".")
    parts = {"unet": "unet", "text_encoder": "te1" if kind == "sdxl" else "te", "text_encoder_2": "te2"}
    return f"lora_{parts[part]}_{name.replace('.', '_')}"


def embedding(place: Path, keys: Mapping[str, tuple[int, int]], seed: int = 1) -> Path:
    """Tensors by name, each with its number of vectors and their width."""
    chance = torch.Generator().manual_seed(seed)
    return save({key: torch.randn(*shape, generator=chance) for key, shape in keys.items()}, place)


def vae(kind: str, place: Path, seed: int = 1) -> Path:
    """Another decoder for a kind."""
    torch.manual_seed(seed)
    made = diffusers.AutoencoderKL.from_config(dict(pipeline(kind).vae.config))
    return save(dict(made.state_dict()), place)


def control(kind: str, place: Path, seed: int = 1, *, folder: bool = False) -> Path:
    """A ControlNet whose last layers are not zero, as they are before training."""
    torch.manual_seed(seed)
    made = diffusers.ControlNetModel.from_unet(pipeline(kind).unet)
    with torch.no_grad():
        for name, tensor in made.named_parameters():
            if name.startswith(
                ("controlnet_down_blocks", "controlnet_mid_block", "controlnet_cond_embedding.conv_out")
            ):
                tensor.normal_(0, 0.2)
    if folder:
        made.save_pretrained(place)
        return place
    return save(dict(made.state_dict()), place)


def flux_control(place: Path, seed: int = 1) -> Path:
    """The same for Flux."""
    torch.manual_seed(seed)
    made = diffusers.FluxControlNetModel.from_transformer(
        pipeline("flux1").transformer, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2
    )
    with torch.no_grad():
        for name, tensor in made.named_parameters():
            if name.startswith(("controlnet_blocks", "controlnet_single_blocks", "controlnet_x_embedder")):
                tensor.normal_(0, 0.2)
    made.save_pretrained(place)
    return place


def save(state: dict[str, torch.Tensor], place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous().clone() for name, tensor in state.items()}, place)
    return place
