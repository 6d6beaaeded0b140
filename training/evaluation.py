"""Pictures of fixed prompts, as a person looks at them: at each checkpoint of the painter, and when all is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from heddle.engines.mini import plan, sampling, tokens
from heddle.engines.mini.codec import Pixels
from heddle.engines.mini.sampling import Floats, Knobs, Told
from training import pack

#: The prompts. The last one names what the model was never shown.
TWENTY = (
    "a red house under a yellow sun in a meadow", "two blue cars in the city", "a black cat on the beach",
    "three balloons, plain blue background", "a green tree in the snow", "a rocket in space", "four yellow circles",
    "a purple castle in the mountains, watercolor", "a blue car on the left, a red car on the right, desert",
    "an orange fish underwater", "pixel art of a red mushroom", "a line drawing of a sailboat on the sea",
    "a white moon at night", "a large pink flower on a green background", "a red triangle above a blue square",
    "a snowman next to a tree, snow", "two white birds over the ocean", "a butterfly in the top left corner, meadow",
    "a flat design of a yellow umbrella on the beach", "a dragon eating pizza",
)  # fmt: skip


@torch.no_grad()
def paint(networks: dict[str, nn.Module], texts: Sequence[str], seed: int, knobs: Knobs) -> list[Pixels]:
    """A picture for each text, by the engine's loop with the networks in PyTorch."""

    def run(name: str) -> Callable[..., Floats]:
        # The texts come last, and are three.
        return lambda *given: networks[name](*map(torch.from_numpy, (*given[:-1], *given[-1]))).float().numpy()

    def told(texts: Sequence[str]) -> Told:
        ids = np.stack([tokens.encode(text) for text in texts])
        return Told(*(part.numpy() for part in networks["text"](torch.from_numpy(ids))))

    seeds = range(seed, seed + len(texts))
    said, unsaid = told(texts), told([""] * len(texts))
    plans = sampling.plans(sampling.laid_out(run("layout"), said, seeds, knobs), (plan.CELLS, plan.CELLS))
    latents = sampling.latents(run("painter"), plans, said, unsaid, seeds, knobs)
    return pixels(networks["decoder"](torch.from_numpy(latents)))


def pixels(values: Tensor) -> list[Pixels]:
    """What the decoder made (B, 3, H, W; -1..1) as pictures."""
    return list(((values.clamp(-1, 1) + 1) * 127.5 + 0.5).to(torch.uint8).permute(0, 2, 3, 1).numpy())


def sheet(images: Sequence[Pixels], across: int, target: Path, side: int = 192) -> None:
    """Pictures side by side in a file."""
    made = Image.new("RGB", (across * side, -(-len(images) // across) * side), "white")
    for at, image in enumerate(images):
        small = Image.fromarray(image).resize((side, side), Image.Resampling.LANCZOS)
        made.paste(small, (at % across * side, at // across * side))
    made.save(target)


def show(folder: Path, step: int, count: int = 10) -> None:
    """The first prompts with what all stages have learned so far, into the run's folder; nothing before all have."""
    try:
        networks = pack.networks(folder)
    except FileNotFoundError:
        return
    sheet(paint(networks, TWENTY[:count], 7, Knobs(steps=10)), 5, folder / f"prompts-{step:06}.png")
