"""How far a run is, from the events that tell of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heddle.graph import Shape
from heddle.studio import remote

_NOTE = 120


class Tally:
    """Nodes that are done, and how far the others are."""

    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        self._shapes = shapes
        self._parts: dict[str, float] = {}
        self._now = ""
        self.fraction = 0.0
        self.note = ""

    def take(self, kind: str, data: Mapping[str, Any]) -> None:
        """An event of the run."""
        node = data.get("node")
        if kind == "execution_cached":
            self._parts |= {str(one): 1.0 for one in remote.items(data.get("nodes"))}
        elif kind == "executing" and node is not None:
            self._parts |= {self._now: 1.0} if self._now else {}
            self._now = str(node)
            self.note = self._named(self._now)
        elif kind == "executed":
            self._parts[str(node)] = 1.0
        elif kind == "progress":
            self._part(self._now if node is None else str(node), data)
        elif kind == "progress_state":
            self._state(remote.members(data.get("nodes")))
        done = sum(self._parts.get(node, 0.0) for node in self._shapes) / max(1, len(self._shapes))
        self.fraction = max(self.fraction, min(0.99, done))

    def _state(self, nodes: Mapping[str, Any]) -> None:
        for node, told in nodes.items():
            one = remote.members(told)
            if one.get("state") == "finished":
                self._parts[node] = 1.0
            elif one.get("state") == "running":
                self._part(node, one)

    def _part(self, node: str, told: Mapping[str, Any]) -> None:
        value, most = told.get("value"), told.get("max")
        if not isinstance(value, int | float) or not isinstance(most, int | float) or not most > 0:
            return
        self._parts[node] = min(1.0, max(0.0, value / most))
        self.note = f"{self._named(node)}: {value:g} of {most:g}"

    def _named(self, node: str) -> str:
        shape = self._shapes.get(node)
        return f"{node}: {shape.title or shape.kind}"[:_NOTE] if shape else node[:_NOTE]
