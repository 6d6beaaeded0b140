"""Tiny base models with random weights, as diffusers folders, and datasets for them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from PIL import Image, ImageDraw
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

import torch


def _bytes() -> list[str]:
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    rest = [i for i in range(256) if i not in plain]
    return [chr(i) for i in plain] + [chr(256 + i) for i in range(len(rest))]


def _clip_tokenizer() -> Any:
    words = [*_bytes(), *(f"{byte}</w>" for byte in _bytes()), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=[], model_max_length=77)


def _clip(width: int, kind: Any = CLIPTextModel) -> Any:
    config = CLIPTextConfig(
        vocab_size=514, hidden_size=width, intermediate_size=37, num_hidden_layers=2, num_attention_heads=4,
        projection_dim=width, bos_token_id=512, eos_token_id=513, pad_token_id=513,
    )  # fmt: skip
    return kind(config).eval()


def _vae(channels: int = 4, **more: Any) -> Any:
    return AutoencoderKL(
        block_out_channels=(8, 16), down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=channels, norm_num_groups=4, layers_per_block=1,
        **more,
    )  # fmt: skip


def _sd1() -> Any:
    unet = UNet2DConditionModel(
        block_out_channels=(16, 32), layers_per_block=1, sample_size=16, norm_num_groups=4, attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=32,
    )  # fmt: skip
    return StableDiffusionPipeline(
        vae=_vae(), text_encoder=_clip(32), tokenizer=_clip_tokenizer(), unet=unet,
        scheduler=EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def _sdxl() -> Any:
    unet = UNet2DConditionModel(
        block_out_channels=(16, 32, 32), layers_per_block=2, sample_size=16, norm_num_groups=4,
        attention_head_dim=(2, 4, 4), transformer_layers_per_block=(1, 1, 1), use_linear_projection=True,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        addition_embed_type="text_time", addition_time_embed_dim=8, projection_class_embeddings_input_dim=6 * 8 + 24,
        cross_attention_dim=40,
    )  # fmt: skip
    return StableDiffusionXLPipeline(
        vae=_vae(), text_encoder=_clip(16), text_encoder_2=_clip(24, CLIPTextModelWithProjection),
        tokenizer=_clip_tokenizer(), tokenizer_2=_clip_tokenizer(), unet=unet,
        scheduler=EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1),
    )  # fmt: skip


def _flux1() -> Any:
    letters = "abcdefghijklmnopqrstuvwxyz,.0123456789"
    vocab = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -10.0), ("▁", -2.0), *((letter, -3.0) for letter in letters)]
    t5 = T5EncoderModel(
        T5Config(vocab_size=len(vocab) + 2, d_model=32, d_kv=8, d_ff=37, num_layers=1, num_heads=4,
                 decoder_start_token_id=0)
    ).eval()  # fmt: skip
    transformer = FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=(4, 4, 8), guidance_embeds=True,
    )  # fmt: skip
    return FluxPipeline(
        vae=_vae(4, shift_factor=0.0609, scaling_factor=1.5035, use_quant_conv=False, use_post_quant_conv=False),
        text_encoder=_clip(32), tokenizer=_clip_tokenizer(), text_encoder_2=t5,
        tokenizer_2=T5Tokenizer(vocab=vocab, extra_ids=0, model_max_length=64), transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )  # fmt: skip


_BUILDERS = {"sd1": _sd1, "sdxl": _sdxl, "flux1": _flux1}


def base_model(family: str, folder: Path) -> Path:
    """A base model of a family, always the same."""
    torch.manual_seed(7)
    _BUILDERS[family]().save_pretrained(folder)
    return folder


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip of these files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def picture(n: int = 0, size: tuple[int, int] = (40, 40), kind: str = "PNG") -> bytes:
    """A red disk on green, somewhere."""
    image = Image.new("RGB", size, (30, 120 + n % 7, 60))
    ImageDraw.Draw(image).ellipse((4 + n % 9, 6, size[0] - 8, size[1] - 6 - n % 5), fill=(220, 40, 20))
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def dataset(count: int = 4) -> bytes:
    """Pictures with captions."""
    files: dict[str, bytes] = {}
    for n in range(count):
        files |= {f"{n}.png": picture(n), f"{n}.txt": f"zlomp, a red disk, number {n}".encode()}
    return zipped(files)
