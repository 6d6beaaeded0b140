"""The networks, which lie with the engine: its pipeline for PyTorch has them too."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

from heddle.engines.mini.torch.networks import WIDTH, Decoder, Layout, Painter, Reader, Residual, Text

__all__ = ["WIDTH", "Decoder", "Layout", "Painter", "Reader", "Residual", "Text", "channels_last"]

_M = TypeVar("_M", bound=nn.Module)


def channels_last(network: _M) -> _M:
    """The network with its convolutions laid out as they are fastest in half precision on a CPU."""
    for weight in network.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return network
