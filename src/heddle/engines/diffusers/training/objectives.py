"""What a family is taught: to see the noise in a picture, or the way from noise to picture.

An objective knows how its pipeline makes latents of pixels and conditions of words, and measures how far off the model
is. Everything here is torch; diffusers has no types to speak of, so that pipelines are `Any`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad

from heddle.learning.request import Wanted

#: What words become: named tensors, without a dimension for the batch.
Words = Mapping[str, Tensor]


class Objective(ABC):
    """One family."""

    def __init__(self, pipe: Any, wanted: Wanted) -> None:
        self.pipe = pipe
        self.wanted = wanted

    @property
    def core(self) -> Any:
        """The model that learns."""
        return getattr(self.pipe, "unet", None) or self.pipe.transformer

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.core.device

    @property
    def step(self) -> int:
        """What sides of pictures must be a multiple of."""
        fine = self.finest
        return max(fine, min(64, self.wanted.resolution // 8) // fine * fine)

    @property
    @abstractmethod
    def finest(self) -> int:
        """The least that sides may be a multiple of."""

    @torch.no_grad()
    def latents(self, picture: Image.Image) -> Tensor:
        """A picture as the model sees it, without noise and without a dimension for the batch."""
        pixels = torch.tensor(np.array(picture, dtype=np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
        return self._encode(pixels.to(self.device, self.pipe.vae.dtype))[0].float().cpu()

    @abstractmethod
    def _encode(self, pixels: Tensor) -> Tensor: ...

    @torch.no_grad()
    def words(self, caption: str) -> Words:
        """A caption as the model reads it."""
        return {name: found.cpu() for name, found in self._read(caption).items()}

    @abstractmethod
    def _read(self, caption: str) -> dict[str, Tensor]: ...

    @abstractmethod
    def loss(self, latents: Tensor, words: Sequence[Words], drawn: torch.Generator) -> Tensor:
        """How far off the model is on a batch."""

    def _stacked(self, words: Sequence[Words], name: str) -> Tensor:
        return torch.stack([one[name] for one in words]).to(self.device, self.core.dtype)


# ── diffusion ─────────────────────────────────────────────────────────────────


class Diffusion(Objective):
    """SD 1 and SD 2: a U-Net that tells the noise, or the velocity, of a picture at one of 1,000 levels."""

    def __init__(self, pipe: Any, wanted: Wanted) -> None:
        super().__init__(pipe, wanted)
        scheduler: Any = DDPMScheduler
        self._noise = scheduler.from_config(pipe.scheduler.config)

    @property
    def finest(self) -> int:
        return self.pipe.vae_scale_factor

    def _encode(self, pixels: Tensor) -> Tensor:
        return self.pipe.vae.encode(pixels).latent_dist.mode() * self.pipe.vae.config.scaling_factor

    def _read(self, caption: str) -> dict[str, Tensor]:
        found = self.pipe.encode_prompt(caption, self.device, 1, do_classifier_free_guidance=False)
        return {"text": found[0][0]}

    def loss(self, latents: Tensor, words: Sequence[Words], drawn: torch.Generator) -> Tensor:
        noise = _noise(latents, drawn)
        if self.wanted.noise_offset:
            noise += self.wanted.noise_offset * torch.randn((*latents.shape[:2], 1, 1), generator=drawn)
        levels = torch.randint(0, self._noise.config.num_train_timesteps, (len(latents),), generator=drawn)
        noisy = self._noise.add_noise(latents, noise, levels)
        velocity = self._noise.config.prediction_type == "v_prediction"
        target = self._noise.get_velocity(latents, noise, levels) if velocity else noise
        said = self._said(noisy.to(self.device, self.core.dtype), levels.to(self.device), words)
        each = ((said.float() - target.to(self.device)) ** 2).mean(dim=(1, 2, 3))
        return (each * self._weights(levels, velocity=velocity).to(self.device)).mean()

    def _said(self, noisy: Tensor, levels: Tensor, words: Sequence[Words]) -> Tensor:
        return self.core(noisy, levels, encoder_hidden_states=self._stacked(words, "text")).sample

    def _weights(self, levels: Tensor, *, velocity: bool) -> Tensor:
        """Min-SNR: levels with little noise count for no more than gamma says."""
        if not self.wanted.min_snr:
            return torch.ones(len(levels))
        kept: Tensor = self._noise.alphas_cumprod[levels]
        ratio = kept / (1 - kept)
        held = ratio.clamp(max=self.wanted.min_snr)
        return held / (ratio + 1) if velocity else held / ratio.clamp(min=1e-8)


class DiffusionXL(Diffusion):
    """SDXL: the same with a second text encoder, and told of the size."""

    def _read(self, caption: str) -> dict[str, Tensor]:
        text, _, pooled, _ = self.pipe.encode_prompt(
            caption, device=self.device, num_images_per_prompt=1, do_classifier_free_guidance=False
        )
        return {"text": text[0], "pooled": pooled[0]}

    def _said(self, noisy: Tensor, levels: Tensor, words: Sequence[Words]) -> Tensor:
        high, wide = (side * self.finest for side in noisy.shape[2:])
        sizes = torch.tensor([[high, wide, 0, 0, high, wide]] * len(noisy), device=self.device, dtype=noisy.dtype)
        told = {"text_embeds": self._stacked(words, "pooled"), "time_ids": sizes}
        text = self._stacked(words, "text")
        return self.core(noisy, levels, encoder_hidden_states=text, added_cond_kwargs=told).sample


# ── flow ──────────────────────────────────────────────────────────────────────


class Flow(Objective):
    """A transformer that tells which way leads from a picture to noise, anywhere on that way."""

    @property
    def finest(self) -> int:
        return 2 * self.pipe.vae_scale_factor

    def _encode(self, pixels: Tensor) -> Tensor:
        vae = self.pipe.vae
        return (vae.encode(pixels).latent_dist.mode() - vae.config.shift_factor) * vae.config.scaling_factor

    def loss(self, latents: Tensor, words: Sequence[Words], drawn: torch.Generator) -> Tensor:
        noise = _noise(latents, drawn)
        # Most of what is to be learned lies in the middle of the way.
        far = torch.sigmoid(torch.randn((len(latents),), generator=drawn))
        share = far.view(-1, *[1] * (latents.dim() - 1))
        between = (1 - share) * latents + share * noise
        said = self._said(between.to(self.device, self.core.dtype), far.to(self.device, self.core.dtype), words)
        return ((said.float() - (noise - latents).to(self.device)) ** 2).mean()

    @abstractmethod
    def _said(self, between: Tensor, far: Tensor, words: Sequence[Words]) -> Tensor: ...


class Flux(Flow):
    """Flux.1."""

    def _read(self, caption: str) -> dict[str, Tensor]:
        text, pooled, _ = self.pipe.encode_prompt(caption, None, device=self.device)
        return {"text": text[0], "pooled": pooled[0]}

    def _said(self, between: Tensor, far: Tensor, words: Sequence[Words]) -> Tensor:
        high, wide = between.shape[2:]
        text = self._stacked(words, "text")
        guided = torch.ones_like(far) if self.core.config.guidance_embeds else None
        said = self.core(
            hidden_states=_packed(between),
            timestep=far,
            guidance=guided,
            pooled_projections=self._stacked(words, "pooled"),
            encoder_hidden_states=text,
            txt_ids=torch.zeros(text.shape[1], 3, device=self.device, dtype=text.dtype),
            img_ids=_places(high // 2, wide // 2).to(self.device, text.dtype),
        ).sample
        return _unpacked(said, high, wide)


class ZImage(Flow):
    """Z-Image: its texts are as long as they are, and it looks the other way."""

    def _read(self, caption: str) -> dict[str, Tensor]:
        text, _ = self.pipe.encode_prompt(caption, device=self.device, do_classifier_free_guidance=False)
        return {"text": text[0]}

    def _said(self, between: Tensor, far: Tensor, words: Sequence[Words]) -> Tensor:
        texts = [one["text"].to(self.device, self.core.dtype) for one in words]
        said = self.core(list(between.unsqueeze(2).unbind(0)), 1 - far, texts, return_dict=False)[0]
        return -torch.stack(list(said)).squeeze(2)


class Qwen(Flow):
    """Qwen-Image: its VAE is one of videos, and shorter texts of a batch are filled up."""

    def _encode(self, pixels: Tensor) -> Tensor:
        vae = self.pipe.vae
        mean, spread = (
            torch.tensor(values, device=pixels.device, dtype=pixels.dtype).view(1, -1, 1, 1, 1)
            for values in (vae.config.latents_mean, vae.config.latents_std)
        )
        return ((vae.encode(pixels.unsqueeze(2)).latent_dist.mode() - mean) / spread).squeeze(2)

    def _read(self, caption: str) -> dict[str, Tensor]:
        text, mask = self.pipe.encode_prompt(caption, device=self.device)
        return {"text": text[0] if mask is None else text[0][mask[0].bool()]}

    def _said(self, between: Tensor, far: Tensor, words: Sequence[Words]) -> Tensor:
        high, wide = between.shape[2:]
        texts = [one["text"] for one in words]
        longest = max(len(text) for text in texts)
        filled = torch.stack([pad(text, (0, 0, 0, longest - len(text))) for text in texts])
        mask = torch.tensor([[place < len(text) for place in range(longest)] for text in texts], device=self.device)
        said = self.core(
            hidden_states=_packed(between),
            timestep=far,
            guidance=None,
            encoder_hidden_states=filled.to(self.device, self.core.dtype),
            encoder_hidden_states_mask=None if bool(mask.all()) else mask,
            img_shapes=[[(1, high // 2, wide // 2)]] * len(between),
            return_dict=False,
        )[0]
        return _unpacked(said, high, wide)


def _noise(latents: Tensor, drawn: torch.Generator) -> Tensor:
    return torch.randn(latents.shape, generator=drawn)


def _packed(latents: Tensor) -> Tensor:
    """Squares of 2 by 2 in a row, each with all its channels."""
    batch, channels, high, wide = latents.shape
    squares = latents.view(batch, channels, high // 2, 2, wide // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return squares.reshape(batch, high // 2 * (wide // 2), channels * 4)


def _unpacked(squares: Tensor, high: int, wide: int) -> Tensor:
    batch, _, values = squares.shape
    rows = squares.view(batch, high // 2, wide // 2, values // 4, 2, 2).permute(0, 3, 1, 4, 2, 5)
    return rows.reshape(batch, values // 4, high, wide)


def _places(rows: int, columns: int) -> Tensor:
    """Where each square lies."""
    places = torch.zeros(rows, columns, 3)
    places[..., 1] += torch.arange(rows)[:, None]
    places[..., 2] += torch.arange(columns)[None, :]
    return places.reshape(rows * columns, 3)


_OBJECTIVES: Mapping[str, type[Objective]] = {
    "sd1": Diffusion,
    "sd2": Diffusion,
    "sdxl": DiffusionXL,
    "flux1": Flux,
    "z-image": ZImage,
    "qwen": Qwen,
}


def objective(pipe: Any, wanted: Wanted) -> Objective:
    """That of a family."""
    return _OBJECTIVES[wanted.family](pipe, wanted)
