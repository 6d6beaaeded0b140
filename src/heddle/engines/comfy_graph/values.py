"""What flows along the links of a graph while it runs.

A latent is a stand-in: no noise and no numbers of a model, but a size to draw in, or the picture that it would decode
to. So it can be scaled, masked, sampled again and decoded, and nothing of it means anything to a real model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from heddle.errors import EngineFailed
from heddle.graph import Node, Size

#: A batch of pictures: count, height, width, red green blue. Bytes, so that a batch takes a quarter of the memory.
Pictures = npt.NDArray[np.uint8]

#: A batch of masks: count, height, width; 0 to 1.
Masks = npt.NDArray[np.float32]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What draws: a checkpoint by name, and the LoRAs that were added to it, with their strengths."""

    checkpoint: str
    networks: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A text encoder: only how many of its layers are left out is told on."""

    skip: int | None = None


@dataclass(frozen=True, slots=True)
class Vae:
    """A decoder by name; latents here need none."""

    name: str


@dataclass(frozen=True, slots=True)
class Upscaler:
    """How much larger it makes pictures."""

    factor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditioning:
    """A prompt."""

    text: str
    skip: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Latent:
    """A size to draw in; with `pictures`, what was drawn or encoded; with `mask`, where samplers may change it."""

    size: Size
    pictures: Pictures | None = None
    mask: Masks | None = None
    #: The prompt and the seed that the pictures were drawn from.
    scene: tuple[str, int] | None = None


#: What a node gives: one value per output.
Given = tuple[object, ...]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of one node while it runs. The checker made sure of the types."""

    node: Node
    linked: Mapping[str, object]

    def of(self, name: str, kind: type[T]) -> T:
        """What came by a link."""
        value = self.linked[name]
        assert isinstance(value, kind)
        return value

    def pictures(self, name: str) -> Pictures:
        """A batch of pictures."""
        return cast("Pictures", self.linked[name])

    def masks(self, name: str) -> Masks:
        """A batch of masks."""
        return cast("Masks", self.linked[name])

    def has(self, name: str) -> bool:
        """Whether an optional link is there."""
        return name in self.linked

    def number(self, name: str) -> int:
        """A whole number."""
        return self.node.number(name)

    def numbers(self, *names: str) -> tuple[int, ...]:
        """Several."""
        return tuple(self.node.number(name) for name in names)

    def fraction(self, name: str) -> float:
        """A number."""
        return float(self.node.values[name])

    def text(self, name: str) -> str:
        """A text."""
        return str(self.node.values[name])

    def flag(self, name: str) -> bool:
        """Yes or no."""
        return bool(self.node.values[name])

    def failed(self, problem: str) -> EngineFailed:
        """That this node cannot do what it was asked to."""
        return EngineFailed(f"workflow.{self.node.id}: {problem}")


def size_of(value: object) -> Size | None:
    """The size of a batch or a latent; None for everything else."""
    if isinstance(value, Latent):
        return value.size
    if isinstance(value, np.ndarray):
        shape = cast("tuple[int, ...]", cast("npt.NDArray[np.generic]", value).shape)
        return Size(width=shape[2], height=shape[1], count=shape[0])
    return None


def floats(picture: Pictures) -> Floats:
    """Bytes as numbers from 0 to 1."""
    return picture.astype(np.float32) / np.float32(255)


def to_bytes(values: npt.NDArray[np.floating[Any]]) -> Pictures:
    """The inverse, with what lies outside cut off."""
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
