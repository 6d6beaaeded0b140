"""Adam, and AdamW: with the same numbers as PyTorch's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from heddle.engines.mini.training.tape import Floats, Value

_FIRST, _SECOND, _LEAST = 0.9, 0.999, 1e-8
#: Gradients together are at most this long.
_LONGEST = 1.0


class Adam:
    """One optimizer of some values."""

    def __init__(self, values: Mapping[str, Value], decay: float, memory: Mapping[str, Floats] | None = None) -> None:
        """`decay`: how far AdamW pulls toward nothing, as a share of the rate. `memory`: of an earlier attempt."""
        self._values = values
        self._decay = decay
        self._steps = int(memory["steps"]) if memory else 0
        self._mean = _begun(values, "mean", memory)
        self._square = _begun(values, "square", memory)

    def step(self, rate: float) -> None:
        """Follow the gradients, and forget them."""
        self._steps += 1
        told = {name: value.gradient for name, value in self._values.items() if value.gradient is not None}
        length = np.sqrt(sum(float(np.vdot(gradient, gradient)) for gradient in told.values()))
        shorter = np.float32(min(1.0, _LONGEST / (length + 1e-6)))
        first, second = 1 - _FIRST**self._steps, np.sqrt(1 - _SECOND**self._steps)
        for name, gradient in told.items():
            value, mean, square = self._values[name], self._mean[name], self._square[name]
            followed = gradient * shorter
            mean += (followed - mean) * np.float32(1 - _FIRST)
            square += (followed * followed - square) * np.float32(1 - _SECOND)
            kept = value.numbers * np.float32(1 - rate * self._decay)
            value.numbers = kept - np.float32(rate / first) * mean / (np.sqrt(square) / np.float32(second) + _LEAST)
            value.gradient = None

    def memory(self) -> dict[str, Floats]:
        """For a checkpoint."""
        parts = (("mean", self._mean), ("square", self._square))
        held = {f"{name}/{part}": value for part, rows in parts for name, value in rows.items()}
        return held | {"steps": np.array(self._steps)}


def _begun(values: Mapping[str, Value], part: str, memory: Mapping[str, Floats] | None) -> dict[str, Floats]:
    if memory:
        return {name: np.array(memory[f"{name}/{part}"]) for name in values}
    return {name: np.zeros_like(value.numbers) for name, value in values.items()}
