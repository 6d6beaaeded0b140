"""What is seen of a video while it is made: its middle frame in the right colors, and nothing changed by looking."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.torch import WITHOUT, needs_torch

if WITHOUT is None:
    import torch
    from tests.engines.diffusers.media import Job, tiny
    from tests.engines.diffusers.test_eye import CORNERS, Reader, colors
    from tests.engines.diffusers.test_videos import payload, run
    from tests.torch import tiny_video

    from heddle.engines.diffusers.eye import Eye, middle, straight_on
    from heddle.engines.diffusers.videos import DiffusersVideo

pytestmark = needs_torch


def frames_of(channels: int) -> tuple[Any, Any]:
    """A reader of frames, and latents of three of them: the corners' colors are those of the second."""
    reader = Reader(channels)
    shown = reader.latents(colors())
    return reader, torch.stack([shown * 0, shown, shown * 0 + 3], 1)[None]


def seen(eye: Any, latents: Any, frames: int) -> Any:
    shown = eye.see(middle(latents, frames), (96, 64))
    return np.asarray(Image.open(io.BytesIO(shown.data)).convert("RGB")).astype(int)


def check(picture: Any) -> None:
    for y in (0, 1):
        for x in (0, 1):
            assert np.abs(picture[16 + 32 * y, 24 + 48 * x] - CORNERS[y, x]).max() < 16


def test_the_middle_frame_in_its_colors() -> None:
    reader, latents = frames_of(16)
    check(seen(Eye(reader, frames=True), latents, 3))


def test_frames_in_a_row() -> None:
    """As LTX has them."""
    reader, latents = frames_of(16)
    row = latents.permute(0, 2, 3, 4, 1).reshape(1, -1, 16)
    check(seen(Eye(reader, frames=True), row, 3))
    with pytest.raises(ValueError, match="for 5 frames"):
        middle(row, 5)


def test_moments_that_are_weights() -> None:
    reader, latents = frames_of(16)
    wide: Any = reader
    wide.latents_mean, wide.latents_std = torch.linspace(-1, 1, 16), torch.linspace(0.5, 2, 16)
    wide.config["scaling_factor"] = 0.5
    columns = [one.view(1, -1, 1, 1, 1) for one in (wide.latents_mean, wide.latents_std)]
    check(seen(Eye(wide, frames=True), (latents - columns[0]) / columns[1] * 0.5, 3))


def test_many_numbers_for_many_pixels() -> None:
    """A latent of 128 numbers for 32 by 32 pixels: a pattern of 192 pixels has too few of them to tell the colors."""
    reader = Reader(128)
    sizes: list[int] = []

    def encode(shown: Any) -> Any:
        sizes.append(shown.shape[-1])
        made = reader.latents(torch.nn.functional.avg_pool2d(shown[0, :, 0], 32))
        return SimpleNamespace(latent_dist=SimpleNamespace(mode=lambda: made[None, :, None]))

    reader.encode = encode
    latents = reader.latents(colors())[None, :, None]
    check(seen(Eye(reader, frames=True), latents, 1))
    assert sizes == [192, 384, 768]


def test_a_step_tells_where_it_goes() -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler  # noqa: PLC0415 - heavy

    scheduler: Any = FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(4)
    end, latents = torch.full((1, 4, 1, 2, 2), 0.25), torch.randn(1, 4, 1, 2, 2)
    noise, before = latents, None
    for n, moment in enumerate(scheduler.timesteps):
        before, latents = latents, scheduler.step(noise - end, moment, latents, return_dict=False)[0]
        assert torch.allclose(straight_on(before, latents, *map(float, scheduler.sigmas[n : n + 2])), end, atol=1e-5)
    assert straight_on(None, latents, 1.0, 0.5) is latents


class Onlooker(Job if WITHOUT is None else object):
    def __init__(self) -> None:
        super().__init__()
        self.shown: list[Any] = []

    def preview(self, draw: Any) -> None:
        self.shown.append(draw(0))


KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "wan": ("wan", {}),
    "ltx": ("ltx", {"family": "lightricks"}),
    "ltx2": ("ltx2", {"family": "ltx2", "cfgScale": 1.0, "generateAudio": True, "height": 64}),
    "hunyuan": ("hunyuan", {"family": "hunyuan"}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_family_is_seen_and_made_as_without_looking(kind: str) -> None:
    name, given = KINDS[kind]
    folder: Path = tiny(getattr(tiny_video, name))
    job, onlooker, engine = payload(folder, **{"steps": 3, **given}), Onlooker(), DiffusersVideo()
    made = run(engine, job, onlooker)
    assert len(onlooker.shown) == 3
    assert {(one.width, one.height) for one in onlooker.shown} == {(job["width"], job["height"])}
    assert len({one.data for one in onlooker.shown}) == 3
    [blind] = engine._models.values()
    blind.eye = None
    assert run(engine, job).data == made.data


def test_who_tells_nobody_of_its_steps_is_made_unseen() -> None:
    onlooker = Onlooker()
    assert run(DiffusersVideo(), payload(tiny(tiny_video.hunyuan15), family="hunyuan"), onlooker).data
    assert onlooker.shown == []
