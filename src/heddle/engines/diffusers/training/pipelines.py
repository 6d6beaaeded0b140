"""The base models of trainings, in memory."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

from diffusers import DiffusionPipeline

import torch
from heddle.engines import LoadContext
from heddle.errors import EngineFailed


def load(family: str, path: Path, context: LoadContext) -> Any:
    """A pipeline, on the device if there is one. Raises EngineFailed."""
    context.progress(0.0, "loading the base model")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    try:
        pipe: Any = DiffusionPipeline.from_pretrained(path, dtype=dtype, local_files_only=True, use_safetensors=True)
    except Exception as error:  # whatever is wrong with the files of strangers
        raise EngineFailed(f"the base model at {path.name!r} cannot be loaded for {family}: {error}") from error
    context.progress(0.8, "moving it to the device")
    pipe.to(device)
    pipe.set_progress_bar_config(disable=True)
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.requires_grad_(False).eval()
    return pipe


def free() -> None:
    """Give back the memory of models that were let go."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
