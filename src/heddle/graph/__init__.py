"""Graphs in the API format of ComfyUI, as values: what a node class takes and gives, and a graph that was checked.

A graph is JSON: `{nodeId: {"class_type": name, "inputs": {name: value or [nodeId, outputIndex]}}}`. `table` lists the
node classes, `checker` turns JSON into a `Graph` or says all that is wrong with it, `sizes` tells how large pictures
will be. Step types check graphs here and engines run them: the package is pure and imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: What is written into a graph, unlike what flows along a link.
Value = int | float | str | bool

#: Types whose values are written into the graph; all others come by a link only.
WRITTEN = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large pictures, latents or masks are, in pixels, and how many lie in the batch."""

    width: int
    height: int
    count: int = 1

    @property
    def pixels(self) -> int:
        """Of the whole batch."""
        return self.width * self.height * self.count

    def __str__(self) -> str:
        return f"{self.width}x{self.height}" + (f" times {self.count}" if self.count > 1 else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input of a node class."""

    name: str
    type: str
    #: What is taken when nothing is given; None: something must be given, unless it is optional.
    default: Value | None = None
    optional: bool = False
    low: float | None = None
    high: float | None = None
    #: The only texts that are taken, where there are few.
    choices: tuple[str, ...] = ()
    #: Of a text that names a model: which kind (`checkpoint`, `lora`, ...).
    weights: str = ""

    @property
    def written(self) -> bool:
        """Whether its value may stand in the graph itself."""
        return self.type in WRITTEN


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeClass:
    """What `class_type` names."""

    name: str
    group: str
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    #: What it does, as a phrase for the docs.
    does: str
    #: How large what it gives is.
    size: Measure | None = None
    #: Whether what it takes is a result of the graph.
    saves: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Where an input comes from."""

    node: str
    output: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node that was checked: every written input has its value, every other its link."""

    id: str
    kind: NodeClass
    values: Mapping[str, Value] = field(default_factory=dict[str, Value])
    links: Mapping[str, Link] = field(default_factory=dict[str, Link])
    title: str = ""

    def number(self, name: str) -> int:
        """A written whole number."""
        return int(self.values[name])


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A node of which only the shape was checked: another program knows its class."""

    id: str
    kind: str
    inputs: Mapping[str, Any]
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A graph that can run. Reroutes and primitives are gone: links lead to what makes, values are at hand."""

    #: What the outputs need, each after what it needs itself.
    nodes: Mapping[str, Node]
    #: How large what a node gives will be, where that can be told.
    sizes: Mapping[str, Size | None]

    def of(self, *names: str) -> list[Node]:
        """The nodes of these classes."""
        return [node for node in self.nodes.values() if node.kind.name in names]

    def size(self, node: Node, name: str) -> Size | None:
        """How large what comes in by a link is."""
        link = node.links.get(name)
        return self.sizes[link.node] if link else None


@dataclass(frozen=True, slots=True)
class Inflow:
    """What is known of a node when its size is worked out: what is written in it, how large what comes in is."""

    node: Node
    graph: Graph

    def size(self, name: str) -> Size | None:
        """How large what comes in by a link is."""
        return self.graph.size(self.node, name)

    def number(self, name: str) -> int:
        """A written whole number."""
        return self.node.number(name)

    def fraction(self, name: str) -> float:
        """A written number."""
        return float(self.node.values[name])


#: The size of what a node gives; None when that is not known.
Measure = Callable[[Inflow], Size | None]

#: The blob id for what a node that loads a picture names. Raises ValueError.
BlobOf = Callable[[str], str]

#: The size of a source picture, None when it is not known yet.
SizeOf = Callable[[str], Size | None]
