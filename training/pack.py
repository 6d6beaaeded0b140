"""The averaged weights of all networks as the file that is shipped, with where they come from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from torch import nn

from heddle.engines.mini.codec import Codec
from training.data import load_codec
from training.networks import Decoder, Layout, Painter, Reader
from training.shipped import QUALITIES, write
from training.text import Tagged
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


def tensors(made: Mapping[str, nn.Module], codec: Codec) -> dict[str, npt.NDArray[np.float32]]:
    """Everything that the file holds, in its order."""
    held = {
        f"{name}.{key}": weight.detach().float().cpu().numpy()
        for name in STAGES
        for key, weight in made[name].named_parameters()
    }
    return held | {"codec.basis": codec.basis, "codec.mean": codec.mean, "codec.scale": codec.scale}


def pack(folder: Path, target: Path, quality: str = "none") -> None:
    """Write the file. Raises FileNotFoundError where a stage was never trained."""
    if quality not in QUALITIES:
        raise ValueError(f"quality: {quality!r} is not one of: {', '.join(QUALITIES)}")
    with torch.no_grad():
        held = tensors(networks(folder), load_codec(folder / "codec.safetensors"))
    write(target, held, {"format": "mini-1", "quality": quality, "training": json.dumps(history(folder))})
