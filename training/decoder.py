"""The decoder: pixels of latents, learned on crops of drawings; some noise on the latents, as the painter leaves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from heddle.engines.mini.codec import PATCH, Codec
from training import pictures
from training.data import load_codec
from training.networks import Decoder, channels_last
from training.scenes import sample
from training.trainer import Plan, Trainer

_CROP = 8  # patches
_EACH = 4  # crops of a picture


def _crops(step: int, size: int, pool: pictures.Pool, codec: Codec) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng((step, 53))
    latents: list[npt.NDArray[np.float32]] = []
    pixels: list[npt.NDArray[np.float32]] = []
    for at in range(size // _EACH):
        drawn, _ = pictures.picture(sample(3_000_000_000 + step * size + at, pictures.wides()), pool)
        z = codec.encode(drawn)
        for _ in range(_EACH):
            y, x = rng.integers(0, 17 - _CROP, 2)
            latents.append(z[y : y + _CROP, x : x + _CROP])
            cut = drawn[y * PATCH : (y + _CROP) * PATCH, x * PATCH : (x + _CROP) * PATCH]
            pixels.append(cut.astype(np.float32) / 127.5 - 1)
    return _first(latents), _first(pixels)


def _first(rows: list[npt.NDArray[np.float32]]) -> Tensor:
    return torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def _edges(one: Tensor, other: Tensor) -> Tensor:
    """How unlike the differences of neighbours are."""
    off = one - other
    return off.diff(dim=2).abs().mean() + off.diff(dim=3).abs().mean()


def train(folder: Path, plan: Plan, device: torch.device) -> None:
    """Until the plan's last step."""
    torch.manual_seed(5)
    codec, pool = load_codec(folder / "codec.safetensors"), pictures.Pool(folder / "pool")
    network = channels_last(Decoder(codec).to(device))
    trainer = Trainer("decoder", network, plan, folder)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        latents, pixels = (part.to(device) for part in _crops(step, plan.batch, pool, codec))
        generator = torch.Generator().manual_seed(step)
        level = torch.rand((len(latents), 1, 1, 1), generator=generator) * 0.12
        latents = latents + (level * torch.randn(latents.shape, generator=generator)).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            made = network(latents).float()
        square = float(((made - pixels) ** 2).mean().detach())
        loss = (made - pixels).abs().mean() + _edges(made, pixels)
        return loss, {"psnr": 10 * float(np.log10(4 / square))}

    trainer.run(loss_of)
