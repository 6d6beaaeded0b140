"""One run of a graph: every node once, in order, and what nobody needs any more let go."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

from heddle import __version__
from heddle.domain import JSON
from heddle.engines import Engine, JobContext, Made
from heddle.engines.comfy_graph import files, masks
from heddle.engines.comfy_graph.nodes import FUNCTIONS, Function
from heddle.engines.comfy_graph.sampling import Share, Studio
from heddle.engines.comfy_graph.values import Given, Inputs, Masks, Pictures, size_of
from heddle.errors import EngineFailed, InvalidRequest
from heddle.graph import Graph, Inflow, Node, Size, checker, weights
from heddle.graph.checker import MOST_PICTURE, MOST_RESULTS, MOST_WORK, wrong_size
from heddle.graph.table import SEEDS, seed_of

#: How much longer a sampler takes for one picture than another node.
_DRAWING = 8

_NOTE = 120

#: Characters of a text in metadata, which may have 64 KiB.
_MOST_TOLD = 3000


class Execution:
    """Runs one graph for one job."""

    def __init__(self, payload: JSON, context: JobContext, pictures: Engine) -> None:
        self._payload = payload
        self._context = context
        self._raw: Mapping[str, Any] = payload["workflow"]
        self._offset = int(payload.get("seedOffset", 0))
        self._graph = _checked(self._raw)
        #: As they turn out; those of the graph are foreseen, and unknown behind a source that nobody had measured.
        self._sizes: dict[str, Size | None] = {}
        self._now = Graph(nodes=self._graph.nodes, sizes=self._sizes)
        self._studio = Studio(pictures, self._offset, self._share)
        self._functions: Mapping[str, Function] = {
            **FUNCTIONS,
            "KSampler": self._studio.sample,
            "KSamplerAdvanced": self._studio.sample_advanced,
            "LoadImage": self._load,
            "LoadImageMask": self._load_mask,
        }
        self._results: dict[str, Given] = {}
        self._uses = _uses(self._graph)
        self._weights = {name: _weight(self._graph, node) for name, node in self._graph.nodes.items()}
        self._done = 0.0
        self._work = 0
        self._made = 0
        self._note = ""
        self._node = next(iter(self._graph.nodes))
        self._text = ""

    def made(self) -> Iterator[Made]:
        """The pictures of all outputs, as they come."""
        for name, node in self._graph.nodes.items():
            self._node = name
            self._note = (f"{name}: {node.title or node.kind.name}")[:_NOTE]
            self._context.progress(self._fraction(), self._note)
            inputs = self._inputs(node)
            if node.kind.saves:
                yield from self._saved(node, inputs.pictures("images"))
            else:
                self._results[name] = self._run(node, inputs)
            del inputs
            self._release(node)
            self._done += self._weights[name]
        self._context.progress(1.0, "done")

    def _run(self, node: Node, inputs: Inputs) -> Given:
        if node.kind.size is not None:
            # Before anything is made: a factor of 8 is a small word for sixty times the memory.
            self._take(node, node.kind.size(Inflow(node, self._now)))
        given = self._functions[node.kind.name](inputs)
        if node.kind.size is None:
            self._take(node, size_of(given[0]))
        return given

    def _take(self, node: Node, size: Size | None) -> None:
        """Note the size of what a node gives. Raises EngineFailed when that is too much."""
        self._sizes[node.id] = size
        if size is None:
            return
        if problem := wrong_size(node, size):
            raise EngineFailed(f"workflow.{node.id}: {problem}")
        self._work += size.pixels
        if self._work > MOST_WORK:
            raise EngineFailed(f"workflow: its nodes give more than {MOST_WORK} pixels together")

    def _inputs(self, node: Node) -> Inputs:
        linked = {name: self._results[link.node][link.output] for name, link in node.links.items()}
        return Inputs(node, linked)

    def _release(self, node: Node) -> None:
        """Let go of what this node was the last one to need."""
        for link in node.links.values():
            self._uses[link.node] -= 1
            if not self._uses[link.node]:
                self._results.pop(link.node, None)

    # ── progress ──

    def _fraction(self) -> float:
        return self._done / sum(self._weights.values())

    def _share(self, index: int, count: int, pictures: Mapping[str, bytes]) -> Share:
        """The world of one nested job: its part of what the node is of the whole."""
        length = self._weights[self._node] / sum(self._weights.values()) / count
        return Share(self._context, self._fraction() + index * length, length, self._note, pictures)

    # ── what comes in ──

    def _load(self, inputs: Inputs) -> tuple[Pictures, Masks]:
        name = inputs.text("image")
        return files.read(self._context.read(name), MOST_PICTURE, f"workflow.{inputs.node.id}.inputs.image: {name!r}")

    def _load_mask(self, inputs: Inputs) -> Given:
        pictures, transparent = self._load(inputs)
        channel = inputs.text("channel")
        return (transparent if channel == "alpha" else masks.channel(pictures, channel),)

    # ── what goes out ──

    def _saved(self, node: Node, pictures: Pictures) -> Iterator[Made]:
        self._made += len(pictures)
        if self._made > MOST_RESULTS:
            raise EngineFailed(f"workflow: gives more than {MOST_RESULTS} pictures")
        beside = node.kind.name == "PreviewImage" and bool(self._graph.of("SaveImage"))
        for index, picture in enumerate(pictures):
            told = self._told(node, index)
            texts = {"prompt": self._prompt()}
            if parameters := self._payload.get("imageMetadata") or told.get("parameters"):
                texts["parameters"] = str(parameters)
            yield Made(
                data=files.png(picture, texts),
                mime="image/png",
                width=picture.shape[1],
                height=picture.shape[0],
                metadata={name: _cut(value) for name, value in (told | self._metadata(node)).items()},
                role="preview" if beside else "",
            )

    def _prompt(self) -> str:
        """The graph with the seeds that were used."""
        if not self._text:
            self._text = json.dumps(_as_run(self._raw, self._graph, self._offset))
        return self._text

    def _told(self, node: Node, index: int) -> dict[str, Any]:
        """What the picture engine said of a picture, where an output shows it as it was drawn."""
        sampler = self._sampler(node)
        told = self._studio.told.get(sampler.id, []) if sampler else []
        if sampler is None or index >= len(told):
            return {}
        return told[index] | {"scheduler": sampler.values["scheduler"]}

    def _metadata(self, node: Node) -> dict[str, Any]:
        made: dict[str, Any] = {"engine": "comfy-graph", "node": node.id, "version": f"heddle {__version__}"}
        if "filename_prefix" in node.values:
            made["filenamePrefix"] = str(node.values["filename_prefix"])[:200]
        if foreign := [w.name for w in weights.named(self._graph) if not w.own]:
            made["standInFor"] = ", ".join(foreign)[:500]
        return made

    def _sampler(self, node: Node) -> Node | None:
        """The sampler whose picture an output shows as it is."""
        decoder = self._graph.nodes[node.links["images"].node]
        if (link := decoder.links.get("samples")) is None:
            return None
        sampler = self._graph.nodes[link.node]
        return sampler if sampler.kind.name in SEEDS else None


def _checked(raw: object) -> Graph:
    """As at submit; texts may have come from other steps since."""
    try:
        return checker.checked(raw)
    except InvalidRequest as error:
        raise EngineFailed(error.message) from error


def _cut(value: Any) -> Any:
    """A text short enough for metadata; the file has it whole."""
    return value[:_MOST_TOLD] if isinstance(value, str) else value


def _uses(graph: Graph) -> dict[str, int]:
    """How many links lead to each node."""
    uses = dict.fromkeys(graph.nodes, 0)
    for node in graph.nodes.values():
        for link in node.links.values():
            uses[link.node] += 1
    return uses


def _weight(graph: Graph, node: Node) -> float:
    size = graph.sizes[node.id]
    return _DRAWING * (size.count if size else 1) if node.kind.name in SEEDS else 1


def _as_run(raw: Mapping[str, Any], graph: Graph, offset: int) -> dict[str, Any]:
    made = copy.deepcopy(dict(raw))
    for node in graph.of(*SEEDS):
        name = SEEDS[node.kind.name]
        made[node.id]["inputs"][name] = seed_of(node, offset)
    return made
