"""The LoRA itself: two small matrices beside each of some layers, by the names that its file has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from heddle.engines.mini import loras
from heddle.engines.mini.training.forward import Adapter
from heddle.engines.mini.training.request import LEARNS
from heddle.engines.mini.training.tape import Floats, Value
from heddle.engines.mini.weights import Unusable
from heddle.errors import EngineFailed
from heddle.learning.batches import Use, chance
from heddle.learning.request import Wanted

#: The largest number of 16 bits, which a file is written in.
_LARGEST = 65504.0
DOWN, UP, ALPHA = ".lora_A.weight", ".lora_B.weight", ".alpha"


class Lora:
    """What is learned: matrices by their names in the file, and each layer's alpha."""

    def __init__(self, values: Mapping[str, Floats], alpha: Mapping[str, float]) -> None:
        self.values = {name: Value(numbers, learns=True) for name, numbers in values.items()}
        self.alpha = alpha

    def beside(self, *, learns: bool) -> dict[str, Adapter]:
        """By layer, as networks take it; where it learns, gradients go into `values`."""
        given = self.values if learns else self.numbers()
        return {
            layer: Adapter(given[layer + DOWN], given[layer + UP], alpha / self.values[layer + DOWN].shape[0])
            for layer, alpha in self.alpha.items()
        }

    def numbers(self) -> dict[str, Floats]:
        """The matrices."""
        return {name: value.numbers for name, value in self.values.items()}

    def tensors(self) -> dict[str, Floats]:
        """As a file has them."""
        return self.numbers() | {
            layer + ALPHA: np.array(alpha, dtype=np.float32) for layer, alpha in self.alpha.items()
        }


def layers(held: Mapping[str, Floats]) -> dict[str, tuple[int, ...]]:
    """The shapes of the weights that learn, by layer."""
    found = {name.removesuffix(".weight"): value.shape for name, value in held.items() if name.endswith(".weight")}
    return {name: shape for name, shape in found.items() if LEARNS.fullmatch(name)}


def fresh(held: Mapping[str, Floats], wanted: Wanted) -> Lora:
    """A new one, which changes nothing yet."""
    drawn = chance(wanted.seed, Use.WEIGHTS)
    values: dict[str, Floats] = {}
    for name, shape in layers(held).items():
        down, up = _shapes(shape, wanted.rank)
        # As large as the layer's own inputs let it be: convolutions have nine times as many.
        spread = 1 / np.sqrt(np.prod(shape[1:]))
        values[name + DOWN] = (drawn.standard_normal(down, dtype=np.float32) * spread).astype(np.float32)
        values[name + UP] = np.zeros(up, dtype=np.float32)
    return Lora(values, dict.fromkeys(layers(held), float(wanted.alpha)))


def read(path: Path, held: Mapping[str, Floats]) -> Lora:
    """One that was trained before, in any form that the engine takes. Raises EngineFailed."""
    try:
        changes = loras.halves(path)
    except Unusable as error:
        raise EngineFailed(f"continueFrom: {error}") from error
    known = layers(held)
    values: dict[str, Floats] = {}
    alpha: dict[str, float] = {}
    for weight, (down, up, said) in sorted(changes.items()):
        layer = weight.removesuffix(".weight")
        if layer not in known:
            raise EngineFailed(f"continueFrom: {path.name!r} changes {layer!r}, which is no layer that learns here")
        first, second = _shapes(known[layer], len(down))
        if max(np.abs(down).max(), np.abs(up).max(), abs(said)) > _LARGEST:
            raise EngineFailed(f"continueFrom: {path.name!r} holds numbers in {layer!r} that 16 bits cannot hold")
        values[layer + DOWN], values[layer + UP] = down.reshape(first), up.reshape(second)
        alpha[layer] = said
    return Lora(values, alpha)


def _shapes(weight: tuple[int, ...], rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of the two matrices beside a layer."""
    return (rank, *weight[1:]), (weight[0], rank, *(1 for _ in weight[2:]))
