"""Graphs that a ComfyUI server is to run: whether this one must go there, and which of its inputs are files.

Nobody here knows the node classes of that server, so inputs are told by their names, as ComfyUI's own nodes and the
usual custom ones call them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from heddle.graph import Shape
from heddle.graph.table import CLASSES, NOTES
from heddle.graph.weights import OWN_FAMILY, Weights

#: The family of graphs that only a ComfyUI server can run.
FAMILY = "comfyui"

_MEDIA = re.compile(r"(image|mask|audio|video|file)(_?[0-9]+|_path|_file|_upload)?")
_KINDS: Mapping[str, tuple[str, ...]] = {
    "image": ("image",),
    "mask": ("image",),
    "audio": ("audio",),
    "video": ("video",),
    "file": ("image", "video", "audio"),
}

#: What any input may hold that names a blob.
ANY = ("image", "video", "audio")

#: Names by which ComfyUI's loaders reach what lies in one of the server's folders.
ANNOTATED = re.compile(r".*\[(input|output|temp)\]\s*")

#: Inputs that hold a seed.
SEEDS = ("seed", "noise_seed")


def strangers(workflow: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What this server does not have, by the paths that name it: node classes first, then models."""
    classes: list[tuple[str, str]] = []
    models: list[tuple[str, str]] = []
    for name, node in _nodes(workflow):
        kind = node.get("class_type", node.get("classType"))
        if isinstance(kind, str) and kind not in CLASSES and kind not in NOTES:
            classes.append((f"{name}.class_type", kind))
        elif isinstance(kind, str) and kind in CLASSES:
            models += _models(name, kind, node.get("inputs"))
    return classes + models


def _nodes(workflow: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, node in workflow.items():
        if isinstance(node, Mapping):
            yield name, cast("Mapping[str, Any]", node)


def _models(node: str, kind: str, inputs: object) -> Iterator[tuple[str, str]]:
    given = cast("Mapping[str, Any]", inputs if isinstance(inputs, Mapping) else {})
    for wanted in CLASSES[kind].inputs:
        value, path = given.get(wanted.name), f"{node}.inputs.{wanted.name}"
        if not wanted.weights or not isinstance(value, str):
            continue
        if Weights(kind=wanted.weights, name=value, path=path).family != OWN_FAMILY:
            yield path, value


def media(name: str) -> tuple[str, ...]:
    """What an input of this name may hold as a file; nothing for most."""
    found = _MEDIA.fullmatch(name.lower())
    return _KINDS[found[1]] if found else ()


def loads(shape: Shape, name: str) -> bool:
    """Whether a text in this input names a file, and is no word of a choice."""
    return bool(media(name)) and "load" in shape.kind.lower()
