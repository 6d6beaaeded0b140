"""What is kept of a run between machines: the averaged weights of each stage in half precision, and its logs."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

_PARTS = ("*.average.safetensors", "codec.safetensors", "*.log.jsonl", "*.loss.png")


def keep(run: Path, target: Path) -> None:
    """From a run into a folder that is small enough to be handed on."""
    target.mkdir(parents=True, exist_ok=True)
    for path in (path for pattern in _PARTS for path in sorted(run.glob(pattern))):
        if path.name.endswith(".average.safetensors"):
            with safe_open(path, "pt") as held:
                where = held.metadata()
            save_file({key: value.half() for key, value in load_file(path).items()}, target / path.name, metadata=where)
        else:
            shutil.copyfile(path, target / path.name)


def take_up(kept: Path, run: Path) -> None:
    """The other way: a run starts from what was kept. Stages that the run has already stay."""
    run.mkdir(parents=True, exist_ok=True)
    for path in sorted(kept.iterdir()):
        if (run / path.name).exists():
            continue
        if path.name.endswith(".average.safetensors"):
            with safe_open(path, "pt") as held:
                where = held.metadata()
            weights = {key: value.to(torch.float32) for key, value in load_file(path).items()}
            save_file(weights, run / path.name, metadata=where)
        else:
            shutil.copyfile(path, run / path.name)
