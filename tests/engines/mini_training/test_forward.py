"""The networks in numpy: as PyTorch computes them, and their gradients as differences say."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.engines.mini_training import weights
from tests.torch import needs_torch

from heddle.engines.mini import tokens
from heddle.engines.mini.codec import Codec
from heddle.engines.mini.training import forward
from heddle.engines.mini.training.forward import Network


def network() -> Network:
    return Network({name: value.astype(np.float32) for name, value in weights.drawn().items()})


def inputs(batch: int = 2) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    prompts = ["a red circle on the left, zlomp", ""][:batch]
    return {
        "ids": np.stack([tokens.encode(prompt) for prompt in prompts]),
        "plans": rng.normal(size=(batch, 16, 16, 21)).astype(np.float32),
        "latents": rng.normal(size=(batch, 16, 16, 24)).astype(np.float32),
        "levels": np.array([0.3, 0.95][:batch], dtype=np.float32),
    }


def close(one: np.ndarray, other: Any) -> None:
    held = other.detach().numpy()
    if held.ndim == 4 and held.shape != one.shape:
        held = held.transpose(0, 2, 3, 1)
    assert np.abs(one - held).max() < 1e-4 * max(1.0, np.abs(held).max())


@needs_torch
def test_numpy_gives_what_torch_gives() -> None:
    import torch  # noqa: PLC0415

    made = modules()
    given, mine = inputs(), network()
    first = {name: torch.from_numpy(value) for name, value in given.items()}
    plans, latents = (first[name].permute(0, 3, 1, 2) for name in ("plans", "latents"))
    features, pooled, bias = made["text"](first["ids"])
    told = forward.words(mine, given["ids"])
    for one, other in zip((told.features, told.pooled, told.bias), (features, pooled, bias), strict=True):
        close(one, other)
    layout = forward.layout(mine, given["plans"], given["levels"], told)
    close(layout.numbers, made["layout"](plans, first["levels"], features, pooled, bias))
    painted = forward.painter(mine, given["latents"], given["levels"], given["plans"], told)
    close(painted.numbers, made["painter"](latents, first["levels"], plans, features, pooled, bias))
    close(forward.reader(mine, given["latents"]), made["reader"](latents))
    close(forward.decoder(mine, given["latents"]), made["decoder"](latents))


def modules() -> dict[str, Any]:
    import torch  # noqa: PLC0415
    from training import networks  # noqa: PLC0415

    drawn = {name: torch.from_numpy(value.astype(np.float32)) for name, value in weights.drawn().items()}
    held = Codec(*(drawn[f"codec.{name}"].numpy() for name in ("basis", "mean", "scale")))
    made = {
        "text": networks.Text(), "layout": networks.Layout(), "painter": networks.Painter(),
        "decoder": networks.Decoder(held), "reader": networks.Reader(),
    }  # fmt: skip
    for name, module in made.items():
        mine = {key.removeprefix(f"{name}."): value for key, value in drawn.items() if key.startswith(f"{name}.")}
        module.load_state_dict(mine)
    return made
