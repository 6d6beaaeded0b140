"""Whole models with random weights, a few megabytes each, made by the tests: every part that a real one has.

`folder("sdxl")` is such a model as a folder in diffusers' form, made once a process. The pictures are noise; what is
tested is the way of a job through the real code. Import this only where torch is.
"""

from __future__ import annotations

import atexit
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import diffusers
import safetensors.torch
import torch
import transformers

from heddle.engines.diffusers import vocabularies


@cache
def folder(name: str) -> Path:
    """A model as a folder."""
    place = _room() / name
    torch.manual_seed(_seed(name))
    MODELS[name](place)
    return place


@cache
def _room() -> Path:
    place = Path(tempfile.mkdtemp(prefix="heddle-tiny-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return place


def _seed(name: str) -> int:
    return sum(name.encode())


# ── parts ─────────────────────────────────────────────────────────────────────

#: Words of CLIP, which is shipped whole.
_CLIP_WORDS = 49408


def _clip(width: int, *, act: str = "quick_gelu", projected: bool = False) -> Any:
    config = transformers.CLIPTextConfig(
        vocab_size=_CLIP_WORDS, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=3,
        num_attention_heads=2, max_position_embeddings=77, hidden_act=act, projection_dim=width,
        bos_token_id=0, eos_token_id=2, pad_token_id=1,
    )  # fmt: skip
    kind = transformers.CLIPTextModelWithProjection if projected else transformers.CLIPTextModel
    return kind(config).eval()


def _t5_words() -> Any:
    """A tokenizer of single letters, in the manner of T5."""
    letters = "▁abcdefghijklmnopqrstuvwxyz0123456789.,!"
    words = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((letter, -2.0) for letter in letters)]
    return transformers.T5Tokenizer(vocab=words, extra_ids=0, model_max_length=512)


def _t5(width: int = 32) -> Any:
    config = transformers.T5Config(
        vocab_size=64, d_model=width, d_ff=2 * width, d_kv=16, num_heads=2, num_layers=2,
        feed_forward_proj="gated-gelu", tie_word_embeddings=False,
    )  # fmt: skip
    return transformers.T5EncoderModel(config).eval()


_CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_MARKS = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")


def _qwen_words() -> Any:
    """A tokenizer of single bytes, in the manner of Qwen."""
    words = {letter: number for number, letter in enumerate(["<|endoftext|>", *vocabularies.letters()])}
    made = transformers.Qwen2Tokenizer(vocab=words, merges=[], model_max_length=4096)
    made.add_special_tokens({"additional_special_tokens": list(_MARKS)})
    made.chat_template = _CHAT
    return made


def _qwen3(layers: int, width: int = 16) -> Any:
    config = transformers.Qwen3Config(
        vocab_size=300, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=layers,
        num_attention_heads=2, num_key_value_heads=1, head_dim=8, max_position_embeddings=4096,
    )  # fmt: skip
    return transformers.Qwen3ForCausalLM(config).eval()


def _qwen_vl(words: Any, width: int = 16) -> Any:
    mark = words.convert_tokens_to_ids
    config = transformers.Qwen2_5_VLConfig(
        text_config={
            "vocab_size": 300, "hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 8192,
            "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e6},
        },
        vision_config={
            "depth": 1, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": width,
            "fullatt_block_indexes": [0],
        },
        image_token_id=mark("<|image_pad|>"), video_token_id=mark("<|video_pad|>"),
        vision_start_token_id=mark("<|vision_start|>"), vision_end_token_id=mark("<|vision_end|>"),
    )  # fmt: skip
    return transformers.Qwen2_5_VLForConditionalGeneration(config).eval()


def _vae(latents: int, **more: Any) -> Any:
    """Eight pixels a latent, as the real ones."""
    return diffusers.AutoencoderKL(
        block_out_channels=(8, 8, 8, 16), norm_num_groups=4, layers_per_block=1, latent_channels=latents,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, sample_size=64, **more,
    ).eval()  # fmt: skip


def _flow_vae() -> Any:
    return _vae(4, scaling_factor=0.36, shift_factor=0.11, use_quant_conv=False, use_post_quant_conv=False)


_BETAS: dict[str, Any] = {
    "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1,
}  # fmt: skip


def _unet(**more: Any) -> Any:
    given: dict[str, Any] = {
        "sample_size": 8, "block_out_channels": (16, 32), "layers_per_block": 1, "norm_num_groups": 8,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"), "attention_head_dim": 2,
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"), "cross_attention_dim": 32,
    }  # fmt: skip
    return diffusers.UNet2DConditionModel(**given | more).eval()


# ── models ────────────────────────────────────────────────────────────────────


def sd1(place: Path) -> None:
    """Stable Diffusion 1."""
    diffusers.StableDiffusionPipeline(
        vae=_vae(4), text_encoder=_clip(32), tokenizer=vocabularies.clip(), unet=_unet(),
        scheduler=diffusers.PNDMScheduler(skip_prk_steps=True, set_alpha_to_one=False, **_BETAS),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(place)  # fmt: skip


def sd2(place: Path) -> None:
    """Stable Diffusion 2 for 768 pixels, which predicts velocities."""
    diffusers.StableDiffusionPipeline(
        vae=_vae(4), text_encoder=_clip(32, act="gelu"), tokenizer=vocabularies.clip("!"),
        unet=_unet(use_linear_projection=True),
        scheduler=diffusers.DDIMScheduler(
            prediction_type="v_prediction", clip_sample=False, set_alpha_to_one=False, **_BETAS
        ),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(place)  # fmt: skip


def sdxl(place: Path) -> None:
    """SDXL. Its two encoders differ in width, by which they are told apart in a single file."""
    diffusers.StableDiffusionXLPipeline(
        vae=_vae(4, scaling_factor=0.13), text_encoder=_clip(32),
        text_encoder_2=_clip(64, act="gelu", projected=True),
        tokenizer=vocabularies.clip(), tokenizer_2=vocabularies.clip("!"),
        unet=_unet(
            cross_attention_dim=96, use_linear_projection=True, transformer_layers_per_block=(1, 2),
            addition_embed_type="text_time", addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=6 * 8 + 64,
        ),
        scheduler=diffusers.EulerDiscreteScheduler(timestep_spacing="leading", **_BETAS),
    ).save_pretrained(place)  # fmt: skip


def sd3(place: Path) -> None:
    """Stable Diffusion 3, with its three encoders."""
    diffusers.StableDiffusion3Pipeline(
        transformer=diffusers.SD3Transformer2DModel(
            sample_size=8, patch_size=1, in_channels=16, out_channels=16, num_layers=2, attention_head_dim=8,
            num_attention_heads=4, joint_attention_dim=96, caption_projection_dim=32, pooled_projection_dim=96,
            pos_embed_max_size=32,
        ).eval(),
        vae=_vae(16, shift_factor=0.06, use_quant_conv=False, use_post_quant_conv=False),
        text_encoder=_clip(32, projected=True), tokenizer=vocabularies.clip(),
        text_encoder_2=_clip(64, act="gelu", projected=True), tokenizer_2=vocabularies.clip("!"),
        text_encoder_3=_t5(96), tokenizer_3=_t5_words(),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
    ).save_pretrained(place)  # fmt: skip


def _flux_parts() -> dict[str, Any]:
    return {
        "transformer": diffusers.FluxTransformer2DModel(
            patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
            num_attention_heads=2, joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=(4, 4, 8),
            guidance_embeds=True,
        ).eval(),
        "vae": _flow_vae(),
        "text_encoder": _clip(32), "tokenizer": vocabularies.clip(),
        "text_encoder_2": _t5(), "tokenizer_2": _t5_words(),
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0),
    }  # fmt: skip


def flux(place: Path) -> None:
    """Flux.1 dev."""
    diffusers.FluxPipeline(**_flux_parts()).save_pretrained(place)


def flux_kontext(place: Path) -> None:
    """Flux.1 Kontext."""
    diffusers.FluxKontextPipeline(**_flux_parts()).save_pretrained(place)


def _flux2_parts(*, guidance_embeds: bool = False) -> dict[str, Any]:
    return {
        "transformer": diffusers.Flux2Transformer2DModel(
            patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
            num_attention_heads=2, joint_attention_dim=48, timestep_guidance_channels=16, axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=guidance_embeds,
        ).eval(),
        "vae": diffusers.AutoencoderKLFlux2(
            block_out_channels=(8, 8, 8, 16), norm_num_groups=4, layers_per_block=1, latent_channels=4, sample_size=64,
        ).eval(),
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
    }  # fmt: skip


def flux2_klein(place: Path) -> None:
    """Flux.2 Klein, undistilled. It listens to the layers 9, 18 and 27 of its encoder, so it has as many."""
    diffusers.Flux2KleinPipeline(
        **_flux2_parts(), text_encoder=_qwen3(28), tokenizer=_qwen_words(), is_distilled=False
    ).save_pretrained(place)


_MISTRAL_CHAT = (
    "{{ bos_token }}{% for message in messages %}[{{ message['role'] }}]"
    "{% for part in message['content'] %}{{ part['text'] }}{% endfor %}{% endfor %}"
)


def _mistral_words() -> Any:
    """A tokenizer of single bytes, with the chat that Flux.2 has its prompts in."""
    words = _qwen_words()
    words.add_special_tokens({"bos_token": "<s>"})
    words.chat_template = _MISTRAL_CHAT
    return words


def _mistral(layers: int, width: int = 16) -> Any:
    config = transformers.Mistral3Config(
        text_config={
            "model_type": "mistral", "vocab_size": 300, "hidden_size": width, "intermediate_size": 2 * width,
            "num_hidden_layers": layers, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8,
        },
        vision_config={
            "model_type": "pixtral", "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
            "num_attention_heads": 2, "image_size": 56, "patch_size": 14, "head_dim": 8,
        },
    )  # fmt: skip
    return transformers.Mistral3ForConditionalGeneration(config).eval()


def flux2(place: Path) -> None:
    """Flux.2 dev. It listens to the layers 10, 20 and 30 of its encoder, so it has as many."""
    parts = _flux2_parts(guidance_embeds=True)
    diffusers.Flux2Pipeline(**parts, text_encoder=_mistral(30), tokenizer=_mistral_words()).save_pretrained(place)
    _name_processor(place, "tokenizer", "PixtralProcessor")


def _name_processor(place: Path, part: str, cls: str) -> None:
    """A processor of which a folder has what is used, in the class that published folders name."""
    index = json.loads((place / "model_index.json").read_text())
    (place / "model_index.json").write_text(json.dumps(index | {part: ["transformers", cls]}))


def z_image(place: Path) -> None:
    """Z-Image."""
    diffusers.ZImagePipeline(
        transformer=diffusers.ZImageTransformer2DModel(
            in_channels=4, dim=32, n_layers=1, n_refiner_layers=1, n_heads=2, n_kv_heads=2, cap_feat_dim=16,
            axes_dims=[4, 6, 6], axes_lens=[1024, 64, 64],
        ).eval(),
        vae=_flow_vae(), text_encoder=_qwen3(3), tokenizer=_qwen_words(),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
    ).save_pretrained(place)  # fmt: skip


def _qwen_parts() -> dict[str, Any]:
    words = _qwen_words()
    return {
        "transformer": diffusers.QwenImageTransformer2DModel(
            patch_size=2, in_channels=16, out_channels=4, num_layers=1, attention_head_dim=16, num_attention_heads=2,
            joint_attention_dim=16, axes_dims_rope=(4, 6, 6),
        ).eval(),
        "vae": diffusers.AutoencoderKLQwenImage(
            base_dim=8, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True],
            latents_mean=[0.0] * 4, latents_std=[1.0] * 4,
        ).eval(),
        "text_encoder": _qwen_vl(words), "tokenizer": words,
        "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
    }  # fmt: skip


def qwen_image(place: Path) -> None:
    """Qwen-Image."""
    diffusers.QwenImagePipeline(**_qwen_parts()).save_pretrained(place)


def _qwen_edit(place: Path, cls: Any) -> None:
    """The pipeline without its processor, and the processor as published folders have it."""
    parts = _qwen_parts()
    cls(**parts, processor=None).save_pretrained(place)
    parts["tokenizer"].save_pretrained(place / "processor")
    pictures = transformers.Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=4 * 28 * 28)
    pictures.save_pretrained(place / "processor")
    _name_processor(place, "processor", "Qwen2VLProcessor")


def qwen_edit(place: Path) -> None:
    """Qwen-Image-Edit."""
    _qwen_edit(place, diffusers.QwenImageEditPipeline)


def qwen_edit_plus(place: Path) -> None:
    """Qwen-Image-Edit of September 2025 and later."""
    _qwen_edit(place, diffusers.QwenImageEditPlusPipeline)


def chroma(place: Path) -> None:
    """Chroma."""
    diffusers.ChromaPipeline(
        transformer=diffusers.ChromaTransformer2DModel(
            patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
            num_attention_heads=2, joint_attention_dim=32, axes_dims_rope=(4, 4, 8), approximator_num_channels=8,
            approximator_hidden_dim=16, approximator_layers=1,
        ).eval(),
        vae=_flow_vae(), text_encoder=_t5(), tokenizer=_t5_words(),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
    ).save_pretrained(place)  # fmt: skip


#: Every model here, by the name of its kind.
MODELS: dict[str, Callable[[Path], None]] = {
    "sd1": sd1,
    "sd2-768": sd2,
    "sdxl": sdxl,
    "sd3": sd3,
    "flux1": flux,
    "flux1-kontext": flux_kontext,
    "flux2": flux2,
    "flux2-klein": flux2_klein,
    "z-image": z_image,
    "qwen": qwen_image,
    "qwen-edit": qwen_edit,
    "qwen-edit-plus": qwen_edit_plus,
    "chroma": chroma,
}


# ── single files ──────────────────────────────────────────────────────────────


@cache
def single_file(name: str) -> Path:
    """The same model (`sd1` or `sdxl`) as one file, in the layout that it was published in."""
    pipeline = getattr(diffusers, PIPELINES[name]).from_pretrained(folder(name), local_files_only=True)
    tensors = {f"model.diffusion_model.{_unet_key(key)}": value for key, value in pipeline.unet.state_dict().items()}
    tensors |= {f"first_stage_model.{key}": value for key, value in _vae_tensors(pipeline.vae)}
    before = "cond_stage_model.transformer." if name == "sd1" else "conditioner.embedders.0.transformer."
    tensors |= {f"{before}{_clip_key(key)}": value for key, value in pipeline.text_encoder.state_dict().items()}
    if name == "sdxl":
        second = _open_clip(pipeline.text_encoder_2)
        tensors |= {f"conditioner.embedders.1.model.{key}": value for key, value in second.items()}
    path = _room() / f"{name}.safetensors"
    safetensors.torch.save_file({key: value.contiguous().clone() for key, value in tensors.items()}, path)
    return path


PIPELINES = {"sd1": "StableDiffusionPipeline", "sdxl": "StableDiffusionXLPipeline"}


@cache
def configs() -> Path:
    """Configurations of the single files, which are smaller than those that are shipped."""
    place = _room() / "configs"
    for name in PIPELINES:
        shutil.copytree(folder(name), place / name, ignore=shutil.ignore_patterns("*.safetensors", "tokenizer*"))
    return place


_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection",
}  # fmt: skip
_OUTSIDE = {
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
}  # fmt: skip
#: Blocks of the tiny U-Nets that have attention: the second going down, the first going up.
_ATTENTIVE = {"down": 1, "up": 0}


def _unet_key(key: str) -> str:
    """Of one layer for each block: each block is a resnet, perhaps attention, and what changes the size."""
    for mine, theirs in _OUTSIDE.items():
        if key.startswith(f"{mine}."):
            return theirs + key.removeprefix(mine)
    side, *rest = key.split(".")
    if side == "mid_block":
        kind, number, *rest = rest
        place = f"middle_block.{1 if kind == 'attentions' else 2 * int(number)}"
    else:
        block, kind, number, *rest = rest
        place = _block(side.removesuffix("_blocks"), int(block), kind, int(number))
        rest = rest if "samplers" not in kind else rest[1:]
    if kind == "resnets":
        rest = [_RESNET[rest[0]], *rest[1:]]
    return ".".join([place, *rest])


def _block(side: str, block: int, kind: str, number: int) -> str:
    if side == "down":
        if kind == "downsamplers":
            return f"input_blocks.{2 * (block + 1)}.0.op"
        return f"input_blocks.{2 * block + number + 1}.{int(kind == 'attentions')}"
    if kind == "upsamplers":
        return f"output_blocks.{2 * block + 1}.{2 if block == _ATTENTIVE['up'] else 1}.conv"
    return f"output_blocks.{2 * block + number}.{int(kind == 'attentions')}"


_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def _vae_tensors(vae: Any) -> Iterator[tuple[str, Any]]:
    blocks = len(vae.config.block_out_channels)
    for key, value in vae.state_dict().items():
        for mine, theirs in _ATTENTION.items():
            if f"mid_block.attentions.0.{mine}." in key:
                name = key.replace(f"mid_block.attentions.0.{mine}", f"mid.attn_1.{theirs}")
                flat = theirs != "norm" and name.endswith("weight")
                yield name, value[:, :, None, None] if flat else value
                break
        else:
            yield _vae_key(key, blocks), value


def _vae_key(key: str, blocks: int) -> str:
    key = re.sub(r"down_blocks\.(\d+)\.resnets\.(\d+)", r"down.\1.block.\2", key)
    key = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", key)
    key = re.sub(r"up_blocks\.(\d+)", lambda found: f"up.{blocks - 1 - int(found[1])}", key)
    key = re.sub(r"(up\.\d+)\.resnets\.(\d+)", r"\1.block.\2", key)
    key = re.sub(r"(up\.\d+)\.upsamplers\.0", r"\1.upsample", key)
    key = re.sub(r"mid_block\.resnets\.(\d)", lambda found: f"mid.block_{int(found[1]) + 1}", key)
    return key.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")


def _clip_key(key: str) -> str:
    return key if key.startswith("text_model.") else f"text_model.{key}"


def _open_clip(encoder: Any) -> dict[str, Any]:
    """The second encoder of SDXL is published in the names of OpenCLIP, with the three projections in one."""
    mine = {_clip_key(key): value for key, value in encoder.state_dict().items() if key != "text_projection.weight"}
    made = {
        "token_embedding.weight": mine["text_model.embeddings.token_embedding.weight"],
        "positional_embedding": mine["text_model.embeddings.position_embedding.weight"],
        "ln_final.weight": mine["text_model.final_layer_norm.weight"],
        "ln_final.bias": mine["text_model.final_layer_norm.bias"],
        "text_projection": encoder.text_projection.weight.T,
    }
    names = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
    names |= {"self_attn.out_proj": "attn.out_proj"}
    for layer in range(encoder.config.num_hidden_layers):
        here, there = f"text_model.encoder.layers.{layer}", f"transformer.resblocks.{layer}"
        for end in ("weight", "bias"):
            three = [mine[f"{here}.self_attn.{part}_proj.{end}"] for part in "qkv"]
            made[f"{there}.attn.in_proj_{end}"] = torch.cat(three)
            made |= {f"{there}.{theirs}.{end}": mine[f"{here}.{ours}.{end}"] for ours, theirs in names.items()}
    return made
