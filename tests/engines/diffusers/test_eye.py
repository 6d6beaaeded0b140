"""What is seen of latents: the right colors for every way in which models keep them, and nothing changed by looking."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.engines.diffusers.conftest import blobs, draw, payload, pixels
from tests.moving import Watcher
from tests.torch import WITHOUT, needs_torch

from heddle.engines.diffusers import Diffusers
from heddle.engines.diffusers.eye import Eye, estimate, eye_for

if WITHOUT is None:
    import torch
    from tests.torch import tiny

pytestmark = needs_torch

#: A picture with a color in each corner, as latents of 8 by 12 see it.
CORNERS = np.array([[[200, 40, 40], [40, 200, 40]], [[40, 40, 200], [180, 180, 180]]], np.uint8)


class Reader:
    """A decoder whose encoder mixes the mean color of 8 by 8 pixels into `channels` numbers."""

    dtype = None if WITHOUT else torch.float32
    device = "cpu"

    def __init__(self, channels: int, **config: Any) -> None:
        self.config: Any = _Config(config)
        self.mix = torch.tensor(np.random.default_rng(channels).normal(size=(channels, 3)), dtype=torch.float32)

    def latents(self, colors: Any) -> Any:
        """Of mean colors in -1..1: channels by height by width."""
        return torch.einsum("zc,chw->zhw", self.mix, colors) + 0.5

    def encode(self, shown: Any) -> Any:
        frames = shown if shown.ndim == 5 else shown[:, :, None]
        colors = torch.nn.functional.avg_pool2d(frames[0, :, 0], 8)
        made = self.latents(colors)
        made = made[None, :, None] if shown.ndim == 5 else made[None]
        return SimpleNamespace(latent_dist=SimpleNamespace(mode=lambda: made))


class _Config(dict[str, Any]):
    __getattr__ = dict.__getitem__


def colors() -> Any:
    large = CORNERS.repeat(4, axis=0).repeat(6, axis=1)
    return torch.tensor(large / 127.5 - 1, dtype=torch.float32).permute(2, 0, 1)


def in_a_row(latents: Any) -> Any:
    """Four of a square in one, as Flux.1 and Qwen have them."""
    return torch.pixel_unshuffle(latents, 2).flatten(1).T


def check(reader: Reader, latents: Any) -> None:
    shown = Eye(reader).see(latents, (96, 64))
    seen = np.asarray(Image.open(io.BytesIO(shown.data)).convert("RGB")).astype(int)
    assert (shown.width, shown.height) == (96, 64)
    for y in (0, 1):
        for x in (0, 1):
            assert np.abs(seen[16 + 32 * y, 24 + 48 * x] - CORNERS[y, x]).max() < 16


def test_latents_that_are_scaled_and_moved() -> None:
    reader = Reader(4, scaling_factor=0.13, shift_factor=0.7)
    check(reader, (reader.latents(colors()) - 0.7) * 0.13)
    check(Reader(16), Reader(16).latents(colors()))


def test_latents_in_a_row() -> None:
    reader = Reader(16, scaling_factor=0.36, shift_factor=0.11)
    check(reader, in_a_row((reader.latents(colors()) - 0.11) * 0.36))


def test_latents_with_a_mean_for_each_channel() -> None:
    mean, deviation = [0.1 * n for n in range(16)], [0.5 + 0.1 * n for n in range(16)]
    reader = Reader(16, z_dim=16, latents_mean=mean, latents_std=deviation)
    made = reader.latents(colors()) - torch.tensor(mean).view(-1, 1, 1)
    check(reader, in_a_row(made / torch.tensor(deviation).view(-1, 1, 1)))


def test_latents_that_are_normal_in_a_row() -> None:
    reader: Any = Reader(32, batch_norm_eps=0.5)
    mean, variance = torch.linspace(-1, 1, 128), torch.linspace(0.1, 2, 128)
    reader.bn = SimpleNamespace(running_mean=mean, running_var=variance)
    made = torch.pixel_unshuffle(reader.latents(colors()), 2) - mean.view(-1, 1, 1)
    check(reader, (made / (variance + 0.5).sqrt().view(-1, 1, 1)).flatten(1).T)


def test_numbers_that_are_none_are_gray_and_odd_shapes_are_refused() -> None:
    eye = Eye(Reader(4))
    assert eye.see(torch.full((4, 8, 8), float("nan")), (64, 64)).width == 64
    with pytest.raises(ValueError, match="37 latents for 64x64 pixels"):
        eye.see(torch.zeros(37, 16), (64, 64))
    with pytest.raises(ValueError, match=r"shape \(4, 1, 8, 8\)"):
        eye.see(torch.zeros(4, 1, 8, 8), (64, 64))
    assert eye_for(SimpleNamespace(config={})) is None


def test_a_step_of_flow_tells_where_it_goes() -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler  # noqa: PLC0415 - heavy

    scheduler: Any = FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(4)
    end, noise = torch.full((1, 4, 2, 2), 0.25), torch.randn(1, 4, 2, 2)
    latents = noise
    for moment in scheduler.timesteps:
        given = (noise - end, moment, latents)
        stepped = scheduler.step(*given, return_dict=False)
        assert torch.allclose(estimate(scheduler, given, stepped), end, atol=1e-5)
        latents = stepped[0]


class Onlooker(Watcher):
    def __init__(self) -> None:
        super().__init__(**blobs())
        self.shown: list[Any] = []

    def preview(self, draw: Any) -> None:
        self.shown.append(draw(0))


@pytest.mark.parametrize("kind", ["sd1", "sdxl", "sd3", "flux1", "flux2-klein", "z-image", "qwen", "chroma"])
def test_every_family_is_seen_and_drawn_as_without_looking(kind: str) -> None:
    engine, onlooker = Diffusers(), Onlooker()
    engine.configure({"device": "cpu"})
    job = payload(kind, tiny.folder(kind), width=96)
    made = draw(engine, job, onlooker)
    assert len(onlooker.shown) >= 3
    assert {(one.width, one.height) for one in onlooker.shown} == {(96, 64)}
    assert len({one.data for one in onlooker.shown}) == len(onlooker.shown)
    assert np.array_equal(pixels(made.data), pixels(draw(engine, job).data))
