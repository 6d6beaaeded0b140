"""Optimizers by their names, and what they remember."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from heddle.learning.checkpoints import Array
from heddle.learning.request import OPTIMIZERS, Wanted


def made(wanted: Wanted, values: Sequence[torch.nn.Parameter]) -> torch.optim.Optimizer:
    """That of a training."""
    kinds: Mapping[str, Callable[..., torch.optim.Optimizer]] = {
        "adamw": torch.optim.AdamW,
        "adam": torch.optim.Adam,
        "adafactor": torch.optim.Adafactor,
        "adagrad": torch.optim.Adagrad,
    }
    return kinds[OPTIMIZERS[wanted.optimizer]](values, lr=wanted.rate)


def remembered(optimizer: torch.optim.Optimizer, values: Mapping[str, torch.nn.Parameter]) -> dict[str, Array]:
    """What an optimizer remembers of each parameter."""
    found: dict[str, Array] = {}
    for name, value in values.items():
        state: dict[str, Any] = optimizer.state.get(value, {})
        found |= {
            f"{name}/{key}": torch.as_tensor(kept).detach().cpu().numpy()
            for key, kept in state.items()
            if kept is not None
        }
    return found


def remind(
    optimizer: torch.optim.Optimizer, values: Mapping[str, torch.nn.Parameter], memory: Mapping[str, Array]
) -> None:
    """Give it back."""
    for name, value in values.items():
        begins = f"{name}/"
        state = {key.removeprefix(begins): kept for key, kept in memory.items() if key.startswith(begins)}
        # Counters stay where they are, as the optimizer itself keeps them.
        optimizer.state[value] = {
            key: torch.tensor(kept) if key == "step" else torch.tensor(kept, device=value.device)
            for key, kept in state.items()
        }
