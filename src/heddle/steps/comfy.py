"""The step type `comfy`: runs a graph in the API format of ComfyUI. One job per repetition.

A graph whose node classes and models this server knows is checked whole. One with others is for a ComfyUI server, and
of it only the shape is checked: what its nodes take is that server's own affair.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, cast

from pydantic import AliasChoices, ConfigDict, Field

from heddle.contract.base import Wire, at_most, validate
from heddle.domain import JSON
from heddle.errors import InvalidRequest
from heddle.graph import Graph, Shape, Size, checker, elsewhere, weights
from heddle.graph.table import SEEDS, SOURCES
from heddle.graph.weights import OTHER, OWN_FAMILY, Weights
from heddle.prices import ALIASES, IMAGE
from heddle.steps import FactsOf, Plan, Resource, Result, Source, awaits

#: Bytes of one graph as JSON, and of the graphs of all repetitions together.
MOST_BYTES = 256 * 1024
MOST_BYTES_TOGETHER = 8 * 1024 * 1024

#: What a picture counts as while its size is not known, and as what its drawing is paid for until then: the first of
#: these that is not too large for the graph.
_USUAL_SIDE = 1024
_LARGEST_FIRST = (4096, 3072, 2048, 1536, 1024, 768, 512)

#: Names by which a caller says that this server's own engine may draw, whatever models the graph names.
_OWN_ENGINES = frozenset({OWN_FAMILY, "comfy-graph"})

#: Says nothing here: it is what the step type is called.
_NO_ENGINE = "comfy"

_SPELLINGS = ("workflow", "comfyWorkflow", "prompt")
_NUMBERED = re.compile(r"images\[(\d{1,3})\]")
_BLOB = "blob_"
#: What is a blob id in any input.
_WHOLE = re.compile(r"blob_[0-9A-Z]{26}")


class ComfyInput(Wire):
    """Every input of `comfy`."""

    model_config = ConfigDict(json_schema_extra={"x-aliases": list(_SPELLINGS[1:])})

    engine: str | None = Field(
        None,
        max_length=64,
        description="`sketch`: let it draw, whatever models the graph names; `comfyui`: let a ComfyUI server run it.",
    )
    workflow: dict[str, Any] = Field(
        validation_alias=AliasChoices(*_SPELLINGS),
        description="The graph, in ComfyUI's API format; also called `comfyWorkflow` or `prompt`.",
    )
    images: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=20), at_most(20)] = Field(
        default_factory=list[str],
        description="Source pictures for LoadImage nodes to name: blob ids, URLs, data: URLs or base64.",
    )
    quantity: int = Field(1, ge=1, le=100, description="How often the graph is run, each time with other seeds.")
    image_metadata: str | None = Field(
        None, max_length=20_000, description="Written into every picture as its `parameters`."
    )


class Comfy:
    """Plans runs of a graph."""

    model = ComfyInput
    families = (*IMAGE, OTHER, elsewhere.FAMILY)
    media: Mapping[str, tuple[str, ...]] = {
        "images[*]": ("image",),
        **{f"{name}.*.inputs.image": ("image",) for name in _SPELLINGS},
    }
    gives: Mapping[str, str] = {"blobs": "image"}

    def plan(self, raw: JSON, facts_of: FactsOf) -> Plan:
        given = validate(ComfyInput, raw)
        spelling = next(name for name in _SPELLINGS if name in raw)
        _check_bytes(given, spelling)
        pictures = _Pictures(given, facts_of)
        if given.engine == elsewhere.FAMILY:
            return _Elsewhere(given, spelling, pictures).plan()
        try:
            graph = checker.checked(given.workflow, pictures.blob_of, pictures.size_of, spelling)
        except InvalidRequest as error:
            if given.engine in _OWN_ENGINES or not elsewhere.strangers(given.workflow):
                raise
            return _Elsewhere(given, spelling, pictures, error).plan()
        models = _Models(graph, given, spelling)
        drawings = list(_drawings(graph))
        shared: dict[str, Any] = {
            "family": models.family,
            "workflow": _with_sources(given.workflow, graph),
            "uploads": [[node.id, "image"] for node in graph.of(*SOURCES)] or None,
            "images": given.images or None,
            "drawings": drawings,
            "imageMetadata": given.image_metadata,
            **_result_size(graph),
        }
        known = {name: value for name, value in shared.items() if value is not None}
        # Wide enough that the seeds of two repetitions never meet inside a batch.
        stride = max((row["count"] for row in drawings), default=1)
        return Plan(
            family=models.family,
            operation="create",
            payloads=[{**known, "seedOffset": i * stride} for i in range(given.quantity)],
            sources=[*_listed(given), *_loaded(graph, spelling)],
            resources=models.resources(),
            asked=models.asked,
        )

    def learn(self, payload: JSON, facts_of: FactsOf) -> Sequence[dict[str, Any]]:
        if not any(row.get("sized") is False for row in payload.get("drawings", ())):
            return [dict(payload)]
        graph = checker.checked(payload["workflow"])  # once: to measure it is cheap
        for side in _LARGEST_FIRST:

            def size_of(blob_id: str, side: int = side) -> Size:
                width, height = facts_of(blob_id).size or (side, side)
                return Size(width=width, height=height)

            with suppress(InvalidRequest):  # so large a picture would be refused
                sized = checker.measured(graph, size_of)
                return [{**payload, "drawings": list(_drawings(sized)), **_result_size(sized)}]
        return [dict(payload)]

    def output(self, results: Sequence[Result]) -> dict[str, Any]:
        return {"blobs": [r.blob for r in results if not r.role]}


class _Elsewhere:
    """Plans a graph that only a ComfyUI server can run; `refusal` is what is said where there is none."""

    def __init__(
        self, given: ComfyInput, spelling: str, pictures: _Pictures, refusal: InvalidRequest | None = None
    ) -> None:
        self._given = given
        self._spelling = spelling
        self._pictures = pictures
        self._refusal = refusal
        self._shapes = checker.shaped(given.workflow, spelling)
        self._workflow = dict(given.workflow)
        #: Inputs that hold blob ids, and those that name files of that server.
        self._uploads: list[list[str]] = []
        self._files: list[list[str]] = []
        self._sources = list(_listed(given))

    def plan(self) -> Plan:
        """One run for each repetition."""
        for shape in self._shapes.values():
            for name, value in shape.inputs.items():
                if isinstance(value, str):
                    self._text(shape, name, value)
        engine = None if self._given.engine == _NO_ENGINE else self._given.engine
        family = ALIASES.get(engine, engine) if engine else elsewhere.FAMILY
        shared: dict[str, Any] = {
            "family": family,
            "workflow": self._workflow,
            "uploads": self._uploads or None,
            "files": self._files or None,
            "images": self._given.images or None,
            "imageMetadata": self._given.image_metadata,
        }
        known = {name: value for name, value in shared.items() if value is not None}
        return Plan(
            family=family,
            operation="create",
            payloads=[{**known, "seedOffset": i} for i in range(self._given.quantity)],
            sources=self._sources,
            refusal=self._refusal,
        )

    def _text(self, shape: Shape, name: str, value: str) -> None:
        """A text that is a source becomes its blob id."""
        kinds = elsewhere.media(name) or elsewhere.ANY
        if kinds is elsewhere.ANY and awaits(value):
            return
        file = elsewhere.loads(shape, name) and _is_file(value)
        if not (file or _WHOLE.fullmatch(value) or _NUMBERED.fullmatch(value) or awaits(value)):
            return
        if file and not self._given.images:
            self._files.append([shape.id, name])
            return
        path = f"{self._spelling}.{shape.id}.inputs.{name}"
        try:
            blob_id = self._pictures.blob_of(value)
        except ValueError as error:
            raise InvalidRequest.of(path, str(error)) from error
        self._uploads.append([shape.id, name])
        node = self._workflow[shape.id]
        self._workflow[shape.id] = {**node, "inputs": {**node["inputs"], name: blob_id}}
        self._sources.append(Source(blob_id=blob_id, path=path, media=kinds))


def _check_bytes(given: ComfyInput, spelling: str) -> None:
    size = len(json.dumps(given.workflow))
    if size > MOST_BYTES:
        raise InvalidRequest.of(spelling, f"has {size} bytes; at most {MOST_BYTES} are taken")
    if size * given.quantity > MOST_BYTES_TOGETHER:
        most = MOST_BYTES_TOGETHER // size
        raise InvalidRequest.of("quantity", f"{given.quantity} runs of a graph so large are too many: at most {most}")


# ── sources ───────────────────────────────────────────────────────────────────


class _Pictures:
    """What LoadImage nodes name: a blob id, one of `images` by its number, or a file, of which `images` has one each.

    Files are told from blob ids by their names: a graph that was made elsewhere names files on another disk.
    """

    def __init__(self, given: ComfyInput, facts_of: FactsOf) -> None:
        self._images = given.images
        self._facts_of = facts_of
        self._files = list(dict.fromkeys(name for name in _texts(given.workflow) if _is_file(name)))

    def blob_of(self, name: str) -> str:
        """The blob id. Raises ValueError."""
        if numbered := _NUMBERED.fullmatch(name):
            return self._image(int(numbered[1]), name)
        return self._image(self._files.index(name), name) if name in self._files else name

    def _image(self, index: int, name: str) -> str:
        if index < len(self._images):
            return self._images[index]
        if not self._images:
            raise ValueError(f"{name!r} is no blob id; upload the picture and name its id, or give it in `images`")
        raise ValueError(f"{name!r} would be images[{index}], and `images` has {len(self._images)}")

    def size_of(self, blob_id: str) -> Size | None:
        """As far as it is known."""
        size = self._facts_of(blob_id).size
        return Size(width=size[0], height=size[1]) if size else None


def _texts(workflow: Mapping[str, Any]) -> Iterator[str]:
    """What nodes that load pictures name, in the order of the graph."""
    for node in workflow.values():
        inputs: Any = cast("dict[str, Any]", node).get("inputs") if isinstance(node, dict) else None
        image: Any = cast("dict[str, Any]", inputs).get("image") if isinstance(inputs, dict) else None
        if isinstance(image, str):
            yield image


def _is_file(name: str) -> bool:
    """Neither a blob id nor one of `images`; and what is not printable stands for what another step gives."""
    return name.isprintable() and not name.startswith(_BLOB) and not _NUMBERED.fullmatch(name)


def _listed(given: ComfyInput) -> Iterator[Source]:
    for i, blob_id in enumerate(given.images):
        yield Source(blob_id=blob_id, path=f"images[{i}]", media=("image",))


def _loaded(graph: Graph, spelling: str) -> Iterator[Source]:
    for node in graph.of(*SOURCES):
        blob_id = str(node.values["image"])
        yield Source(blob_id=blob_id, path=f"{spelling}.{node.id}.inputs.image", media=("image",))


def _with_sources(workflow: Mapping[str, Any], graph: Graph) -> dict[str, Any]:
    """The graph with blob ids where it named pictures in another way."""
    made = dict(workflow)
    for node in graph.of(*SOURCES):
        made[node.id] = {**made[node.id], "inputs": {**made[node.id]["inputs"], "image": node.values["image"]}}
    return made


# ── models, sizes ─────────────────────────────────────────────────────────────


class _Models:
    """Which family a graph asks for, by the models that it names; `engine` overrules them."""

    def __init__(self, graph: Graph, given: ComfyInput, spelling: str) -> None:
        engine = None if given.engine == _NO_ENGINE else given.engine
        self._spelling = spelling
        self._named = [] if engine else list(weights.named(graph))
        foreign = [w for w in self._named if not w.own]
        self.asked: tuple[str, str] | None = None
        self.family: str | None = OWN_FAMILY if self._named else None
        if engine:
            self.family = OWN_FAMILY if engine in _OWN_ENGINES else ALIASES.get(engine, engine)
        elif foreign:
            self.family = _known(foreign[0].family)
            self.asked = (f"{spelling}.{foreign[0].path}", foreign[0].name)

    def resources(self) -> list[Resource]:
        """What the catalog must have."""
        return [self._resource(w, air) for w in self._named if (air := w.air) and w.kind in {"checkpoint", "lora"}]

    def _resource(self, named: Weights, air: str) -> Resource:
        return Resource(air=air, path=f"{self._spelling}.{named.path}", added=named.kind == "lora")


def _known(ecosystem: str) -> str:
    """The family that models of an ecosystem are for."""
    if ecosystem in IMAGE:
        return ecosystem
    return next((name for name, family in IMAGE.items() if ecosystem in family.ecosystems), OTHER)


def _drawings(graph: Graph) -> Iterator[dict[str, Any]]:
    """What samplers draw, for the price."""
    for node in graph.of(*SEEDS):
        known = graph.sizes[node.id]
        size = known or Size(width=_USUAL_SIDE, height=_USUAL_SIDE)
        row = {"width": size.width, "height": size.height, "count": size.count} | ({} if known else {"sized": False})
        yield {**row, "steps": node.number("steps"), "cfgScale": node.values["cfg"]}


def _result_size(graph: Graph) -> dict[str, int]:
    """Width and height of the results, where they are known and all have the same."""
    results = graph.of("SaveImage") or graph.of("PreviewImage")
    sizes = {(size.width, size.height) if (size := graph.size(node, "images")) else None for node in results}
    one = sizes.pop() if len(sizes) == 1 else None
    return {"width": one[0], "height": one[1]} if one else {}
