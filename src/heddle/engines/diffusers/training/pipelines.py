"""The base models of trainings, in memory."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import torch

from heddle import registry
from heddle.engines import LoadContext
from heddle.engines.diffusers import files, loading
from heddle.engines.diffusers.options import Options


def load(path: Path, context: LoadContext) -> Any:
    """A pipeline, on the device if there is one. Raises EngineFailed."""
    context.progress(0.0, "loading the base model")
    on_gpu = torch.cuda.is_available()
    # What stands in `[diffusers]` of where parts of models lie holds here as well.
    options = Options.of(registry.options().get("diffusers", {}))
    pipe = loading.load(
        files.look(path).kind,
        path,
        "cuda" if on_gpu else "cpu",
        "bfloat16" if on_gpu else "float32",
        options,
    )
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.requires_grad_(False).eval()
    return pipe


def free() -> None:
    """Give back the memory of models that were let go."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
