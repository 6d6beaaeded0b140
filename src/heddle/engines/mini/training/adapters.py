"""The LoRA itself: two small matrices beside each of some layers, by the names that its file has."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from heddle.engines.mini.training.forward import Adapter
from heddle.engines.mini.training.tape import Floats, Value
from heddle.errors import EngineFailed
from heddle.learning.batches import Use, chance
from heddle.learning.request import Wanted

DOWN, UP, ALPHA = ".lora_A.weight", ".lora_B.weight", ".alpha"

#: Layers that learn: those of attention, the two that follow it, and what makes the finest of a picture.
TARGETS = re.compile(
    r"(layout|painter)\.trunk\.blocks\.\d+\.((itself|text)\.(query|keys|out)|feed\.(inner|out))"
    r"|painter\.up\.\d+\.(first|second)"
)
_LARGEST_RANK = 256


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
    return {name: shape for name, shape in found.items() if TARGETS.fullmatch(name)}


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


def read(data: bytes, held: Mapping[str, Floats], name: str) -> Lora:
    """One that was trained here before. Raises EngineFailed."""
    try:
        tensors = load(data)
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise EngineFailed(f"continueFrom: {name} is no safetensors file that can be read: {error}") from error
    known = layers(held)
    values: dict[str, Floats] = {}
    alpha: dict[str, float] = {}
    for layer in sorted({key.removesuffix(DOWN) for key in tensors if key.endswith(DOWN)}):
        if layer not in known:
            raise EngineFailed(f"continueFrom: {name} has the layer {layer!r}, which is none that learns here")
        down, up = tensors[layer + DOWN], tensors.get(layer + UP)
        rank = len(down) if down.ndim else 0
        if not 0 < rank <= _LARGEST_RANK or up is None or (down.shape, up.shape) != _shapes(known[layer], rank):
            raise EngineFailed(f"continueFrom: {name} does not fit {layer!r}, whose weights are {list(known[layer])}")
        said = tensors.get(layer + ALPHA)
        alpha[layer] = float(rank) if said is None or said.size != 1 else float(said.reshape(-1)[0])
        values[layer + DOWN], values[layer + UP] = down.astype(np.float32), up.astype(np.float32)
        if not all(np.isfinite(v).all() for v in (values[layer + DOWN], values[layer + UP], alpha[layer])):
            raise EngineFailed(f"continueFrom: {name} holds what are no numbers in {layer!r}")
    if not values:
        raise EngineFailed(f"continueFrom: {name} is no LoRA of 'mini': it has no layer such as {next(iter(known))!r}")
    return Lora(values, alpha)


def _shapes(weight: tuple[int, ...], rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of the two matrices beside a layer."""
    return (rank, *weight[1:]), (weight[0], rank, *(1 for _ in weight[2:]))
