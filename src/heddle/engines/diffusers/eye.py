"""What is seen of a picture or a video while it is drawn: colors from its latents, at a cost that no step notices.

A latent is nearly to the eye what the mean color of its pixels is, so a matrix turns one into the other. It is found
once for a model, by least squares over a pattern that the model's own encoder has read: so it is right for every
family, and for decoders that nobody has seen yet.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from heddle.engines.diffusers import memory
from heddle.studio import previews

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from heddle.engines import JobContext

#: The side of the pattern in pixels, and how many squares are on it.
_SIDE, _SQUARES = 192, 8


class Eye:
    """Sees latents of one model."""

    def __init__(self, vae: Any, *, frames: bool = False) -> None:
        """`frames`: it is of videos. Whatever torch raises for a decoder whose encoder is not as others are."""
        self._config = dict(vae.config)
        self._norm = _norm(vae)
        self._moments = _moments(vae)
        self._matrix: NDArray[np.float32] = _fitted(vae, frames=frames)

    def see(self, latents: Any, size: tuple[int, int]) -> previews.Preview:
        """One picture, without its batch. `size`: its width and height. Raises ValueError for what are no latents."""
        import numpy as np  # noqa: PLC0415 - heavy

        plain = self._plain(_spread(latents.detach().float().cpu(), size))
        colors = plain.permute(1, 2, 0).numpy() @ self._matrix[:-1] + self._matrix[-1]
        return previews.live(np.nan_to_num((colors + 1) * 127.5).clip(0, 255).astype(np.uint8), size)

    def _plain(self, latents: Any) -> Any:
        """As the decoder takes them: without what the steps want them to be, and four of one square apart."""
        import torch  # noqa: PLC0415 - heavy

        if self._norm is not None:
            mean, deviation = self._norm
            return torch.pixel_shuffle(latents * deviation + mean, 2)
        if len(latents) == 4 * (len(self._matrix) - 1):
            latents = torch.pixel_shuffle(latents, 2)
        if self._moments is not None:
            mean, deviation = self._moments
            return latents * deviation + mean
        config = self._config
        return latents / (config.get("scaling_factor") or 1.0) + (config.get("shift_factor") or 0.0)


class Glimpse:
    """What a video's pipeline is given to call after each step: shows the frame in the middle as far as it is."""

    def __init__(self, eye: Eye, context: JobContext, size: tuple[int, int], frames: int) -> None:
        """`size`: its width and height in pixels. `frames`: how many latents it has one after the other."""
        self._eye, self._context, self._size, self._frames = eye, context, size, frames
        self._before: Any = None

    def __call__(self, pipeline: Any, _step: int, _moment: Any, given: dict[str, Any]) -> dict[str, Any]:
        """Changes nothing of what it is given."""
        latents, before = given["latents"], self._before
        self._before = latents
        scheduler, size = pipeline.scheduler, self._size
        now = int(scheduler.step_index)
        noise = [float(scheduler.sigmas[min(n, len(scheduler.sigmas) - 1)]) for n in (now - 1, now)]
        self._context.preview(lambda _: self._eye.see(middle(straight_on(before, latents, *noise), self._frames), size))
        return {}


def straight_on(before: Any, latents: Any, noise_before: float, noise: float) -> Any:
    """Where latents come to when they go on as in their last step until no noise is left: the way of flow models."""
    if before is None or before.shape != latents.shape or noise_before <= noise:
        return latents
    return latents - (latents - before) * (noise / (noise - noise_before))


def middle(latents: Any, frames: int) -> Any:
    """The frame in the middle of a batch with one video. Raises ValueError for what is none of so many frames."""
    if latents.ndim == 5:
        return latents[0, :, latents.shape[2] // 2]
    if latents.ndim != 3 or latents.shape[1] % frames:
        raise ValueError(f"latents of the shape {tuple(latents.shape)} for {frames} frames")
    return latents[0].reshape(frames, -1, latents.shape[2])[frames // 2]


def eye_for(vae: Any, *, frames: bool = False) -> Eye | None:
    """For a model that was loaded; None where nothing can be seen, which is no reason not to draw with it."""
    try:
        return Eye(vae, frames=frames)
    except Exception as error:
        if memory.lacks(error) and not frames:
            raise
        # What a video model has left over is too little to see with, and enough to work with.
        memory.give_back()
        return None


def estimate(scheduler: Any, given: Sequence[Any], stepped: Any) -> Any:
    """What a step thinks that the end will be, where it tells; else the latents as they are, with their noise.

    `given` are the arguments of the step: what the model said, when, and of which latents.
    """
    latents = stepped[0]
    if len(stepped) > 1 and getattr(stepped[1], "shape", None) == latents.shape:
        return stepped[1]
    if type(scheduler).__name__ == "FlowMatchEulerDiscreteScheduler":
        said, _, before = given[:3]
        return before - float(scheduler.sigmas[scheduler.step_index - 1]) * said
    said = getattr(scheduler, "model_outputs", None) or [None]
    clean = str(scheduler.config.get("algorithm_type") or "").endswith("dpmsolver++")
    return said[-1] if clean and getattr(said[-1], "shape", None) == latents.shape else latents


def _fitted(vae: Any, *, frames: bool) -> NDArray[np.float32]:
    """From the numbers of a latent, and a one, to red, green and blue in -1..1. On a copy: the model stays as it is."""
    import numpy as np  # noqa: PLC0415 - heavy
    import torch  # noqa: PLC0415 - heavy

    exact = vae if vae.dtype == torch.float32 else copy.deepcopy(vae).float()
    side, in_frames = _SIDE, frames or "z_dim" in vae.config
    latents = _read(exact, _pattern(side), in_frames)
    # Fewer latents than numbers in each would fit any matrix: such models make one latent of many pixels.
    while latents.shape[0] * latents.shape[1] < 2 * latents.shape[2]:
        side *= 2
        latents = _read(exact, _pattern(side), in_frames)
    height, width, channels = latents.shape
    colors = _pattern(side).reshape(height, side // height, width, side // width, 3).mean(axis=(1, 3)).reshape(-1, 3)
    ones = np.ones((height * width, 1), np.float32)
    wanted = np.hstack([latents.reshape(-1, channels), ones])
    solve: Any = np.linalg.lstsq
    return np.asarray(solve(wanted, colors, rcond=None)[0], np.float32)


def _read(vae: Any, pattern: NDArray[np.float32], in_frames: bool) -> NDArray[np.float32]:
    """Its latents, by height, width and channel."""
    import torch  # noqa: PLC0415 - heavy

    shown = torch.tensor(pattern).permute(2, 0, 1)[None].to(vae.device)
    with torch.no_grad():
        read = vae.encode(shown[:, :, None] if in_frames else shown).latent_dist.mode()
    return read.reshape(read.shape[1], *read.shape[-2:]).permute(1, 2, 0).float().cpu().numpy()


def _pattern(side: int) -> NDArray[np.float32]:
    """Squares of many colors under a soft light, always the same ones."""
    import numpy as np  # noqa: PLC0415 - heavy

    colors = np.random.default_rng(0).uniform(-0.9, 0.9, (_SQUARES, _SQUARES, 3))
    squares = colors.repeat(side // _SQUARES, axis=0).repeat(side // _SQUARES, axis=1)
    light = np.linspace(0.7, 1.0, side)
    return (squares * light[:, None, None] * light[None, :, None]).astype(np.float32)


def _moments(vae: Any) -> tuple[Any, Any] | None:
    """The mean and the deviation of each channel, where a decoder has them: as its weights, or as it is set up."""
    import torch  # noqa: PLC0415 - heavy

    mean, deviation = getattr(vae, "latents_mean", None), getattr(vae, "latents_std", None)
    if torch.is_tensor(mean) and torch.is_tensor(deviation):
        return _column(mean), _column(deviation) / float(vae.config.get("scaling_factor") or 1.0)
    if vae.config.get("latents_mean") is None:
        return None
    return _column(vae.config["latents_mean"]), _column(vae.config["latents_std"])


def _norm(vae: Any) -> tuple[Any, Any] | None:
    """The mean and the deviation of latents that are kept four in one; None for other decoders."""
    norm = getattr(vae, "bn", None)
    if norm is None:
        return None
    deviation = (norm.running_var.detach().float() + float(vae.config.batch_norm_eps)).sqrt()
    return _column(norm.running_mean), _column(deviation)


def _column(values: Any) -> Any:
    import torch  # noqa: PLC0415 - heavy

    return torch.as_tensor(values).detach().float().cpu().view(-1, 1, 1)


def _spread(latents: Any, size: tuple[int, int]) -> Any:
    """Channels by height by width; some models have the latents in a row, four of a square in one."""
    if latents.ndim == 3:
        return latents
    if latents.ndim != 2:
        raise ValueError(f"latents of the shape {tuple(latents.shape)}")
    count, channels = latents.shape
    height = max(1, round(math.sqrt(count * size[1] / size[0])))
    if count % height:
        raise ValueError(f"{count} latents for {size[0]}x{size[1]} pixels")
    return latents.T.reshape(channels, height, count // height)
