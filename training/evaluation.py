"""Pictures of held-out captions, and what the checker says of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from heddle.engines.mini import codec, plan, tokens

Pixels = npt.NDArray[np.uint8]


def sigmas(steps: int, shift: float) -> list[float]:
    """Noise levels from 1 to 0, more of them where there is much noise."""
    even = [1 - at / steps for at in range(steps + 1)]
    return [shift * level / (1 + (shift - 1) * level) for level in even]


class Sampler:
    """Texts to pictures with the networks in PyTorch."""

    def __init__(self, networks: dict[str, nn.Module], steps: int = 20) -> None:
        self.networks, self.steps = networks, steps
        self.layout_guidance, self.painter_guidance = 2.0, 1.5
        self.layout_shift, self.painter_shift = 3.0, 2.0

    @torch.no_grad()
    def pictures(self, texts: Sequence[str], seed: int, negative: str = "") -> tuple[list[Pixels], Tensor]:
        """A picture for each text, and the plans."""
        told = self._told(texts)
        unsaid = self._told([negative] * len(texts))
        generator = torch.Generator().manual_seed(seed)
        layout = self._run(
            "layout",
            (len(texts), plan.CHANNELS, 16, 16),
            generator,
            told,
            unsaid,
            self.layout_guidance,
            self.layout_shift,
            (),
        )
        latents = self._run(
            "painter", (len(texts), codec.CHANNELS, 16, 16), generator, told, unsaid, self.painter_guidance,
            self.painter_shift, (layout,),
        )  # fmt: skip
        return decoded(self.networks["decoder"], latents), layout

    @torch.no_grad()
    def painted(self, texts: Sequence[str], layout: Tensor, seed: int) -> list[Pixels]:
        """A picture for each text under a plan that is given."""
        generator = torch.Generator().manual_seed(seed)
        told, unsaid = self._told(texts), self._told([""] * len(texts))
        shape = (len(texts), codec.CHANNELS, 16, 16)
        latents = self._run(
            "painter", shape, generator, told, unsaid, self.painter_guidance, self.painter_shift, (layout,)
        )
        return decoded(self.networks["decoder"], latents)

    def _told(self, texts: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        made: tuple[Tensor, Tensor, Tensor] = self.networks["text"](
            torch.from_numpy(np.stack([tokens.encode(t) for t in texts]))
        )
        return made

    def _run(
        self, name: str, shape: tuple[int, ...], generator: torch.Generator, told: tuple[Tensor, Tensor, Tensor],
        unsaid: tuple[Tensor, Tensor, Tensor], guidance: float, shift: float, given: tuple[Tensor, ...],
    ) -> Tensor:  # fmt: skip
        x = torch.randn(shape, generator=generator)
        levels = sigmas(self.steps, shift)
        network = self.networks[name]
        for now, then in pairwise(levels):
            level = torch.full((shape[0],), now)
            with torch.autocast("cpu", torch.bfloat16):
                clean = network(x, level, *given, *told).float()
                if guidance != 1:
                    other = network(x, level, *given, *unsaid).float()
                    clean = other + guidance * (clean - other)
            x = x + (then - now) * (x - clean) / now
        return x


@torch.no_grad()
def decoded(decoder: nn.Module, latents: Tensor) -> list[Pixels]:
    """Pixels of latents."""
    made: list[Pixels] = []
    for start in range(0, len(latents), 32):
        values = decoder(latents[start : start + 32]).clamp(-1, 1)
        made += list(((values + 1) * 127.5 + 0.5).to(torch.uint8).permute(0, 2, 3, 1).numpy())
    return made


def drawn_plan(layout: Tensor) -> Pixels:
    """A plan as a person can look at it: colours where something is."""
    cover = (layout[: plan.QUARTERS].mean(dim=0).clamp(-1, 1) + 1) / 2
    color = (layout[plan.QUARTERS + plan.CODE : plan.QUARTERS + plan.CODE + 3] / cover.clamp(min=0.2)).clamp(
        -1, 1
    ) * 0.5 + 0.5
    values = (color * cover + 0.85 * (1 - cover)).permute(1, 2, 0).numpy()
    return np.asarray(
        Image.fromarray((values * 255).clip(0, 255).astype(np.uint8)).resize((256, 256), Image.Resampling.NEAREST)
    )


def sheet(images: Sequence[Pixels], across: int, target: Path, side: int = 192) -> None:
    """Pictures side by side in a file."""
    rows = -(-len(images) // across)
    made = Image.new("RGB", (across * side, rows * side), "white")
    for at, image in enumerate(images):
        made.paste(
            Image.fromarray(image).resize((side, side), Image.Resampling.LANCZOS),
            (at % across * side, at // across * side),
        )
    made.save(target)
