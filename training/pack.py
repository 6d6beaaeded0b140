"""The file that is shipped: the averaged weights of all networks in half precision, with where they come from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import nn

from training.data import load_codec
from training.denoisers import Tagged
from training.networks import Decoder, Layout, Painter, Reader
from training.trainer import averaged

STAGES = ("text", "layout", "painter", "decoder", "reader")


def networks(folder: Path) -> dict[str, nn.Module]:
    """Every network with its averaged weights."""
    tagged = Tagged()
    averaged(tagged, folder, "text")
    made: dict[str, nn.Module] = {"text": tagged.text}
    for name, network in (
        ("layout", Layout()), ("painter", Painter()), ("decoder", Decoder(load_codec(folder / "codec.safetensors"))),
        ("reader", Reader()),
    ):  # fmt: skip
        made[name] = averaged(network, folder, name)
    return made


def history(folder: Path) -> dict[str, dict[str, float]]:
    """For each stage: steps, views, and the seconds that they took."""
    told: dict[str, dict[str, float]] = {}
    for name in STAGES:
        with safe_open(folder / f"{name}.average.safetensors", "np") as held:
            told[name] = {key: float(value) for key, value in held.metadata().items()}
    return told


def pack(folder: Path, target: Path) -> None:
    """Write the file. Raises FileNotFoundError where a stage was never trained."""
    held: dict[str, npt.NDArray[np.float16]] = {}
    for name, network in networks(folder).items():
        for key, weight in network.named_parameters():
            held[f"{name}.{key}"] = weight.detach().to(torch.float16).numpy()
    codec = load_codec(folder / "codec.safetensors")
    for key, value in (("basis", codec.basis), ("mean", codec.mean), ("scale", codec.scale)):
        held[f"codec.{key}"] = value.astype(np.float16)
    save_file(held, target, metadata={"format": "mini-1", "training": json.dumps(history(folder))})
