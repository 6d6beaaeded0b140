"""The model files that a graph names: which of them this server has by itself, and what it makes of the others.

Graphs name files on the disk of whoever made them. Here a name is one of a few that are built in, or an AIR of the
catalog; anything else is foreign, and runs only where an engine may stand in for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from heddle import air
from heddle.errors import CallerError
from heddle.graph import Graph

#: The family that is here by itself.
OWN_FAMILY = "sketch"

_STYLES = {"watercolor": 2, "pixel-art": 3, "line-art": 4}

#: Names that are built in, by kind, and the AIRs that they stand for.
BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "checkpoint": {"sketch": "urn:air:sketch:checkpoint:heddle:1@1"},
    "lora": {f"sketch-{name}": f"urn:air:sketch:lora:heddle:{n}@{n}" for name, n in _STYLES.items()},
    "clip": {"sketch": ""},
    "vae": {"sketch": ""},
    "upscaler": {f"lanczos-{n}x": "" for n in (2, 3, 4)},
}

#: What the name of a checkpoint file often has in it, and the family that it then is of; the first match counts.
_HINTS: Mapping[str, str] = {
    "flux2": "flux2",
    "flux.2": "flux2",
    "flux": "flux1",
    "z_image": "z-image",
    "z-image": "z-image",
    "qwen": "qwen",
    "xl": "sdxl",
    "pony": "sdxl",
    "illustrious": "sdxl",
    "noob": "sdxl",
    "v1-5": "sd1",
    "v1-4": "sd1",
    "sd15": "sd1",
    "sd1": "sd1",
}

#: The family of what no hint tells.
OTHER = "other"

#: A name may carry a file ending.
_ENDINGS = (".safetensors", ".ckpt", ".pth", ".pt", ".gguf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A model that a graph names, and where."""

    kind: str
    name: str
    path: str

    @property
    def own(self) -> bool:
        """Whether this server has it, or may have it in its catalog, without standing in for anything."""
        return self.family == OWN_FAMILY

    @property
    def air(self) -> str | None:
        """Its AIR in the one form that is sent; None when it is named in another way."""
        return as_air(self.name)

    @property
    def family(self) -> str:
        """The family that it is of, or seems to be of."""
        if bare(self.name) in BUILT_IN[self.kind]:
            return OWN_FAMILY
        if (named := self.air) is not None:
            return air.parse(named).ecosystem or OTHER
        lower = self.name.lower()
        return next((family for hint, family in _HINTS.items() if hint in lower), OTHER)


def bare(name: str) -> str:
    """Without its ending."""
    lower = name.strip().lower()
    return next((lower.removesuffix(ending) for ending in _ENDINGS if lower.endswith(ending)), lower)


def as_air(name: str) -> str | None:
    """The AIR that a name is, in the one form that is sent; None when it is none."""
    if not name.strip().lower().startswith(("urn:air:", "air:")):
        return None
    try:
        return str(air.parse(name.strip()))
    except CallerError:
        return None


def network(name: str) -> str:
    """What the picture engine is told of a LoRA: its AIR, or the name as it is."""
    return BUILT_IN["lora"].get(bare(name)) or as_air(name) or name


def named(graph: Graph) -> Iterator[Weights]:
    """Every model of a graph: checkpoints first, because they decide the family."""
    found = [
        Weights(kind=wanted.weights, name=str(node.values[wanted.name]), path=f"{node.id}.inputs.{wanted.name}")
        for node in graph.nodes.values()
        for wanted in node.kind.inputs
        if wanted.weights
    ]
    return iter(sorted(found, key=lambda weights: weights.kind != "checkpoint"))
