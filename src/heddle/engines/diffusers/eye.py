"""What is seen of a picture while it is drawn: colors from its latents, at a cost that no step notices.

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

#: The side of the pattern, and of its squares, in pixels.
_SIDE, _SQUARE = 192, 24


class Eye:
    """Sees latents of one model."""

    def __init__(self, vae: Any) -> None:
        """Whatever torch raises for a decoder whose encoder is not as others are."""
        self._config = dict(vae.config)
        self._norm = _norm(vae)
        self._matrix: NDArray[np.float32] = _fitted(vae)

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
        config = self._config
        if config.get("latents_mean") is not None:
            return latents * _column(config["latents_std"]) + _column(config["latents_mean"])
        return latents / (config.get("scaling_factor") or 1.0) + (config.get("shift_factor") or 0.0)


def eye_for(vae: Any) -> Eye | None:
    """For a model that was loaded; None where nothing can be seen, which is no reason not to draw with it."""
    try:
        return Eye(vae)
    except Exception as error:
        if memory.lacks(error):
            raise
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


def _fitted(vae: Any) -> NDArray[np.float32]:
    """From the numbers of a latent, and a one, to red, green and blue in -1..1. On a copy: the model stays as it is."""
    import numpy as np  # noqa: PLC0415 - heavy
    import torch  # noqa: PLC0415 - heavy

    pattern = _pattern()
    shown = torch.tensor(pattern).permute(2, 0, 1)[None].to(vae.device)
    exact = vae if vae.dtype == torch.float32 else copy.deepcopy(vae).float()
    with torch.no_grad():
        read = exact.encode(shown[:, :, None] if "z_dim" in vae.config else shown).latent_dist.mode()
    latents = read.reshape(read.shape[1], *read.shape[-2:]).permute(1, 2, 0).float().cpu().numpy()
    height, width, channels = latents.shape
    colors = pattern.reshape(height, _SIDE // height, width, _SIDE // width, 3).mean(axis=(1, 3)).reshape(-1, 3)
    ones = np.ones((height * width, 1), np.float32)
    wanted = np.hstack([latents.reshape(-1, channels), ones])
    solve: Any = np.linalg.lstsq
    return np.asarray(solve(wanted, colors, rcond=None)[0], np.float32)


def _pattern() -> NDArray[np.float32]:
    """Squares of many colors under a soft light, always the same ones."""
    import numpy as np  # noqa: PLC0415 - heavy

    colors = np.random.default_rng(0).uniform(-0.9, 0.9, (_SIDE // _SQUARE, _SIDE // _SQUARE, 3))
    squares = colors.repeat(_SQUARE, axis=0).repeat(_SQUARE, axis=1)
    light = np.linspace(0.7, 1.0, _SIDE)
    return (squares * light[:, None, None] * light[None, :, None]).astype(np.float32)


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
