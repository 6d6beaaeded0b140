"""Pipelines of random weights that make sound, as folders that diffusers loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AceStepPipeline,
    AceStepTransformer1DModel,
    AutoencoderOobleck,
    CosineDPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    StableAudioDiTModel,
    StableAudioPipeline,
)
from diffusers.pipelines.ace_step import AceStepConditionEncoder
from diffusers.pipelines.stable_audio import StableAudioProjectionModel
from transformers import Qwen3Config, Qwen3Model, T5Config, T5EncoderModel

from tests.torch.tiny_text import qwen_tokenizer, t5_tokenizer

#: Samples per second of the sound that they make: few, so that a second is quick.
RATE = 8000


def stable_audio(folder: Path, *, seed: int = 0) -> Path:
    """Stable Audio Open: at most 4.096 seconds."""
    torch.manual_seed(seed)
    tokenizer = t5_tokenizer(longest=32)
    pipe = StableAudioPipeline(
        vae=_vae(8, [4, 4, 8], [1, 1, 2]),
        text_encoder=T5EncoderModel(
            T5Config(vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
        ),
        projection_model=StableAudioProjectionModel(
            text_encoder_dim=16, conditioning_dim=16, min_value=0.0, max_value=8.0
        ),
        tokenizer=tokenizer,
        transformer=StableAudioDiTModel(
            sample_size=256,
            in_channels=8,
            num_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            num_key_value_attention_heads=1,
            out_channels=8,
            cross_attention_dim=16,
            time_proj_dim=16,
            global_states_input_dim=32,
            cross_attention_input_dim=16,
        ),
        scheduler=CosineDPMSolverMultistepScheduler(solver_order=2),
    )
    return _saved(pipe, folder)


def ace_step(folder: Path, *, turbo: bool = False, seed: int = 0) -> Path:
    """ACE-Step 1.5."""
    torch.manual_seed(seed)
    tokenizer = qwen_tokenizer()
    vae = _vae(8, [4, 8, 10], [1, 1, 2])
    shared: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "sliding_window": 16,
    }
    pipe = AceStepPipeline(
        vae=vae,
        text_encoder=Qwen3Model(
            Qwen3Config(
                vocab_size=len(tokenizer),
                hidden_size=16,
                intermediate_size=16,
                num_hidden_layers=1,
                num_attention_heads=2,
                num_key_value_heads=1,
                head_dim=8,
            )
        ),
        tokenizer=tokenizer,
        transformer=AceStepTransformer1DModel(
            **shared,
            num_hidden_layers=2,
            in_channels=24,
            audio_acoustic_hidden_dim=8,
            is_turbo=turbo,
        ),
        condition_encoder=AceStepConditionEncoder(
            **shared,
            text_hidden_dim=16,
            timbre_hidden_dim=8,
            num_lyric_encoder_hidden_layers=1,
            num_timbre_encoder_hidden_layers=1,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0),
    )
    return _saved(pipe, folder)


def _vae(channels: int, ratios: list[int], multiples: list[int]) -> AutoencoderOobleck:
    return AutoencoderOobleck(
        encoder_hidden_size=8,
        downsampling_ratios=ratios,
        channel_multiples=multiples,
        decoder_channels=8,
        decoder_input_channels=channels,
        audio_channels=2,
        sampling_rate=RATE,
    )


def _saved(pipe: Any, folder: Path) -> Path:
    pipe.save_pretrained(folder, safe_serialization=True)
    return folder
