"""Pictures made after an epoch, to see how far it is: by the loop that the engine draws with, in numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from heddle.engines.mini import plan, sampling, tokens
from heddle.engines.mini.sampling import Floats, Knobs, Told
from heddle.engines.mini.training import forward
from heddle.engines.mini.training.forward import Network
from heddle.learning.request import Wanted


def picture(
    network: Network, wanted: Wanted, prompt: str, seed: int, watch: Callable[[], None], *, steps: int
) -> Image.Image:
    """One, as the networks are; `watch` lets a cancel through."""
    told, untold = (forward.words(network, tokens.encode(text)[None]) for text in (prompt, wanted.negative))

    def layout(x: Floats, levels: Floats, told: Told) -> Floats:
        return forward.layout(network, x, levels, told).numbers

    def painter(x: Floats, levels: Floats, plans: Floats, told: Told) -> Floats:
        return _first(forward.painter(network, _last(x), levels, _last(plans), told).numbers)

    def look(_done: int, _count: int, _clean: Floats) -> None:
        watch()

    knobs = Knobs(steps=steps, cfg=wanted.cfg)
    watch()
    against = untold if wanted.negative else None
    made = sampling.laid_out(layout, told, [seed], knobs, against=against, watch=look)
    plans = sampling.plans(made, (plan.CELLS, plan.CELLS))
    latents = sampling.latents(painter, plans, told, untold, [seed], knobs, watch=look)
    pixels = forward.decoder(network, _last(latents))[0]
    return Image.fromarray(((pixels.clip(-1, 1) + 1) * 127.5).round().astype(np.uint8))


def _first(x: Floats) -> Floats:
    """Channels before places, as the loop has them."""
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2))


def _last(x: Floats) -> Floats:
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))
