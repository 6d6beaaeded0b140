"""The networks of `mini` in numpy, written once: for training, where what is learned remembers, and for samples.

They give what their PyTorch modules give (a test compares them). Plans, latents and pictures have their channels last.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heddle.engines.mini import codec, plan, tokens
from heddle.engines.mini.sampling import Told
from heddle.engines.mini.training import tape
from heddle.engines.mini.training.tape import Floats, Given, Kernel, Value


@dataclass(frozen=True, slots=True)
class Adapter:
    """What is learned beside a layer: two matrices, and what their product is multiplied by."""

    down: Given
    up: Given
    scale: float


class Network:
    """The weights of all networks, by the names that the file has, and what is learned beside them."""

    def __init__(self, held: Mapping[str, Floats]) -> None:
        self.held = held
        self.learned: Mapping[str, Adapter] = {}
        self._kernels: dict[str, Kernel] = {}

    def part(self, name: str) -> Part:
        """A part by its path."""
        return Part(self, name)

    def kernel(self, name: str) -> Kernel:
        """A convolution's weights."""
        if name not in self._kernels:
            self._kernels[name] = Kernel(self.held[f"{name}.weight"], self.held[f"{name}.bias"])
        return self._kernels[name]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the networks: its layers by the names behind its own."""

    network: Network
    name: str

    def at(self, name: str) -> Part:
        """A part of it."""
        return Part(self.network, f"{self.name}.{name}")

    def row(self, name: str) -> list[Part]:
        """Its parts `name.0`, `name.1`, …"""
        found: list[Part] = []
        while any(key.startswith(f"{self.name}.{name}.{len(found)}.") for key in self.network.held):
            found.append(self.at(f"{name}.{len(found)}"))
        return found

    def __getitem__(self, name: str) -> Floats:
        return self.network.held[f"{self.name}.{name}"]

    def linear(self, name: str, x: Given) -> Value:
        """A linear layer, or a convolution by 1 x 1."""
        path = f"{self.name}.{name}"
        weight, bias = self[f"{name}.weight"], self.network.held.get(f"{path}.bias")
        weight = weight.reshape(len(weight), -1)
        beside = self.network.learned.get(path)
        if beside is None:
            return tape.linear(x, weight, bias)
        return tape.adapted(x, weight, bias, beside.down, beside.up, beside.scale)

    def conv(self, name: str, x: Given) -> Value:
        """A convolution by 3 x 3."""
        path = f"{self.name}.{name}"
        kernel, beside = self.network.kernel(path), self.network.learned.get(path)
        if beside is None:
            return tape.conv(x, kernel)
        return tape.adapted_conv(x, kernel, beside.down, beside.up, beside.scale)


# ── texts ─────────────────────────────────────────────────────────────────────


def words(network: Network, ids: npt.NDArray[np.int64]) -> Told:
    """What the networks see of texts, by the numbers of their words (B, 40)."""
    text = network.part("text")
    there = (ids != tokens.PADDING).astype(np.float32)
    bias = ((there - 1) * 1e4)[:, None, None, :]
    x: Given = text["words.weight"][ids] + text["places"]
    for block in text.row("blocks"):
        x = tape.add(x, _attention(block.at("attention"), tape.norm(x), bias=bias))
        x = tape.add(x, _feed(block.at("feed"), tape.norm(x)))
    features = tape.norm(x).numbers
    pooled = (features * there[:, :, None]).sum(axis=1) / there.sum(axis=1, keepdims=True)
    return Told(features, pooled, bias)


def _attention(part: Part, x: Given, context: Given | None = None, bias: Floats | None = None) -> Value:
    query = part.linear("query", x)
    both = part.linear("keys", x if context is None else context)
    return part.linear("out", tape.attend(query, both, np.exp(part["scale"]).reshape(-1), bias))


def _feed(part: Part, x: Given) -> Value:
    return part.linear("out", tape.gelu(part.linear("inner", x)))


# ── layout and painter ────────────────────────────────────────────────────────


def layout(network: Network, x: Floats, levels: Floats, told: Told) -> Value:
    """Noised things (B, 4, 22) at noise levels (B) to things."""
    part = network.part("layout")
    made = _trunk(part.at("trunk"), part.linear("enter", x), _condition(part, levels, told), told)
    return part.linear("leave", tape.norm(made))


def painter(network: Network, x: Floats, levels: Floats, plans: Floats, told: Told) -> Value:
    """Noised latents (B, 16, 16, 24) at noise levels (B), under plans, to latents."""
    part = network.part("painter")
    condition = _condition(part, levels, told)
    fine = tape.add(
        part.conv("enter", np.concatenate([x, plans], axis=-1)), part.linear("parts", plan.parts(plans)).numbers
    )
    for block in part.row("down"):
        fine = _residual(block, fine, condition)
    batch, high, wide, width = fine.shape
    split = (batch, high // 2, 2, wide // 2, 2, width)
    patches = tape.turned(fine, split, (0, 1, 3, 5, 2, 4), (batch, high * wide // 4, -1))
    coarse = _trunk(part.at("trunk"), part.linear("shrink", patches), condition, told)
    fine = tape.add(fine, _grown(part.linear("grow", coarse), high // 2, wide // 2, 2))
    for block in part.row("up"):
        fine = _residual(block, fine, condition)
    return part.conv("leave", tape.silu(_group_norm(part.at("norm"), fine)))


def _condition(part: Part, levels: Floats, told: Told) -> Floats:
    """The noise level and the mean of the text, as one vector. Nothing in it learns."""
    at = part.at("condition")
    time = at.linear("time.2", tape.silu(at.linear("time.0", _waves(levels))))
    return tape.silu(tape.add(time, at.linear("text", told.pooled))).numbers


def _waves(levels: Floats, count: int = 64) -> Floats:
    rates = np.exp(np.arange(count, dtype=np.float32) * np.float32(-math.log(1000.0) / count))
    angles = levels[:, None] * np.float32(100.0) * rates[None, :]
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=-1)


def _trunk(part: Part, x: Given, condition: Floats, told: Told) -> Value:
    modulation = part.linear("modulation", condition).numbers.reshape(len(condition), 6, -1)
    x = tape.add(x, np.broadcast_to(part["places"], tape.numbers(x).shape))
    for block in part.row("blocks"):
        x = _block(block, x, modulation + block["shift"], told)
    return x


def _block(part: Part, x: Value, modulation: Floats, told: Told) -> Value:
    a, b, c, d, e, f = (modulation[:, n, None] for n in range(6))
    seen = tape.stretched(tape.norm(x), 1 + a, b)
    x = tape.add(x, tape.stretched(_attention(part.at("itself"), seen), c))
    x = tape.add(x, _attention(part.at("text"), tape.norm(x), told.features, told.bias))
    seen = tape.stretched(tape.norm(x), 1 + d, e)
    return tape.add(x, tape.stretched(_feed(part.at("feed"), seen), f))


def _residual(part: Part, x: Given, condition: Floats | None = None) -> Value:
    y = _group_norm(part.at("norm"), x)
    if condition is not None:
        scale, shift = np.split(part.linear("modulation", condition).numbers[:, None, None], 2, axis=-1)
        y = tape.stretched(y, 1 + scale, shift)
    return tape.add(x, part.conv("second", tape.silu(part.conv("first", tape.silu(y)))))


def _group_norm(part: Part, x: Given) -> Value:
    return tape.group_norm(x, part["weight"], part["bias"])


def _grown(x: Given, high: int, wide: int, times: int) -> Value:
    """Channels put beside each other as places."""
    batch, channels = len(tape.numbers(x)), tape.numbers(x).shape[-1] // times**2
    split = (batch, high, wide, channels, times, times)
    return tape.turned(x, split, (0, 1, 4, 2, 5, 3), (batch, high * times, wide * times, channels))


# ── reader and decoder ────────────────────────────────────────────────────────


def reader(network: Network, latents: Floats) -> Floats:
    """Latents of pictures (B, 16, 16, 24) to their plans."""
    part = network.part("reader")
    y = part.conv("enter", latents)
    for block in part.row("blocks"):
        y = _residual(block, y)
    return part.conv("leave", tape.silu(y)).numbers


def decoder(network: Network, latents: Floats) -> Floats:
    """Latents (B, H, W, 24) to pixels (B, 16 H, 16 W, 3), -1..1."""
    part = network.part("decoder")
    high, wide = latents.shape[1:3]
    y = part.conv("enter", latents)
    for block in part.row("coarse"):
        y = _residual(block, y)
    y = _grown(part.linear("middle_up", y), high, wide, 2)
    for block in part.row("middle"):
        y = _residual(block, y)
    y = _grown(part.linear("fine_up", y), 2 * high, 2 * wide, 2)
    for block in part.row("fine"):
        y = _residual(block, y)
    more = _grown(part.conv("leave", tape.silu(y)), 4 * high, 4 * wide, 4).numbers
    return codec_of(network).decode(latents) + more


def codec_of(network: Network) -> codec.Codec:
    """The one that its latents are of."""
    return codec.Codec(*(network.held[f"codec.{name}"] for name in ("basis", "mean", "scale")))
