"""The networks in numpy: as PyTorch computes them, and their gradients as differences say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.engines.mini_training import weights
from tests.torch import needs_torch

from heddle.engines.mini import plan, things, tokens
from heddle.engines.mini.codec import Codec
from heddle.engines.mini.training import adapters, forward
from heddle.engines.mini.training.adapters import DOWN, UP, Lora
from heddle.engines.mini.training.forward import Network


def network() -> Network:
    return Network({name: value.astype(np.float32) for name, value in weights.drawn().items()})


def inputs(batch: int = 2) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    prompts = ["a red circle on the left, zlomp", ""][:batch]
    return {
        "ids": np.stack([tokens.encode(prompt) for prompt in prompts]),
        "things": rng.normal(size=(batch, *things.SHAPE)).astype(np.float32),
        "plans": rng.normal(size=(batch, 16, 16, plan.CHANNELS)).astype(np.float32),
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
    layout = forward.layout(mine, given["things"], given["levels"], told)
    close(layout.numbers, made["layout"](first["things"], first["levels"], features, pooled, bias))
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


@needs_torch
def test_gradients_are_those_of_torch() -> None:
    """Of every matrix of a LoRA, beside linear layers and convolutions."""
    import torch  # noqa: PLC0415
    from torch.func import functional_call  # noqa: PLC0415

    mine, given, lora = network(), inputs(), learning()
    told = forward.words(mine, given["ids"])
    mine.learned = lora.beside(learns=True)
    run(mine, given, told).learn(np.ones_like(given["latents"]) / 1000)

    held = {name: torch.from_numpy(value).requires_grad_() for name, value in lora.numbers().items()}
    module = modules()["painter"].requires_grad_(False)
    merged = dict(module.named_parameters())
    for layer in lora.alpha:
        name = f"{layer.removeprefix('painter.')}.weight"
        merged[name] = merged[name] + delta(held[layer + DOWN], held[layer + UP]) * (ALPHA / RANK)
    first = {name: torch.from_numpy(value) for name, value in given.items()}
    plans, latents = (first[name].permute(0, 3, 1, 2) for name in ("plans", "latents"))
    texts = [torch.from_numpy(part) for part in told]
    (functional_call(module, merged, (latents, first["levels"], plans, *texts)).sum() / 1000).backward()
    for name, value in lora.values.items():
        assert value.gradient is not None, name
        other = held[name].grad
        assert other is not None
        assert other.abs().max() > 1e-5, name
        close(value.gradient, other)


def test_gradients_are_what_differences_say() -> None:
    """Without torch: along a direction in which every matrix changes a little."""
    mine, given, lora = network(), inputs(), learning()
    told = forward.words(mine, given["ids"])
    target = np.random.default_rng(8).normal(size=given["latents"].shape).astype(np.float32) / 100
    mine.learned = lora.beside(learns=True)
    run(mine, given, told).learn(target)
    rng = np.random.default_rng(9)
    ways = {name: rng.normal(size=v.shape).astype(np.float32) for name, v in lora.values.items()}
    slope = sum(float((ways[name] * v.gradient).sum()) for name, v in lora.values.items())

    def moved(by: float) -> float:
        other = Lora({name: v + np.float32(by) * ways[name] for name, v in lora.numbers().items()}, lora.alpha)
        mine.learned = other.beside(learns=False)
        return float((run(mine, given, told).numbers.astype(np.float64) * target).sum())

    assert abs(slope) > 0.1
    assert (moved(1e-3) - moved(-1e-3)) / 2e-3 == pytest.approx(slope, rel=0.01)


def test_what_does_not_learn_is_not_remembered() -> None:
    mine, given = network(), inputs()
    told = forward.words(mine, given["ids"])
    made = run(mine, given, told)
    assert (made.learns, made.sources, made.back) == (False, (), None)


RANK, ALPHA = 3, 2.0


def learning() -> Lora:
    """A LoRA in which no matrix is without effect."""
    rng = np.random.default_rng(4)
    values: dict[str, np.ndarray] = {}
    layers = adapters.layers(network().held)
    for name, shape in layers.items():
        values[name + DOWN] = (rng.normal(size=(RANK, *shape[1:])) * 0.1).astype(np.float32)
        values[name + UP] = (rng.normal(size=(shape[0], RANK, *(1,) * len(shape[2:]))) * 0.1).astype(np.float32)
    return Lora(values, dict.fromkeys(layers, ALPHA))


def delta(down: Any, up: Any) -> Any:
    return (up.flatten(1) @ down.flatten(1)).reshape(up.shape[0], *down.shape[1:])


def run(mine: Network, given: dict[str, Any], told: Any) -> Any:
    return forward.painter(mine, given["latents"], given["levels"], given["plans"], told)
