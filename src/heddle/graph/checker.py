"""From JSON to a graph that can run, or to everything that is wrong with it, by path.

Only what the outputs need is looked at closely; of the other nodes only the class is. Loops are bounded by the number
of nodes, and nothing recurses: a graph is a stranger's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from heddle.errors import InvalidRequest
from heddle.graph import BlobOf, Graph, Inflow, Input, Link, Node, NodeClass, Shape, Size, SizeOf, Value
from heddle.graph.table import CLASSES, MOST_TEXT, NOTES, SEEDS, SOURCES

#: Nodes of one graph, notes included.
MOST_NODES = 500

#: Pixels of one picture, of one batch, and of everything that the nodes of a graph give, together.
MOST_PICTURE = 16 * 2**20
MOST_BATCH = 64 * 2**20
MOST_WORK = 256 * 2**20

#: Pictures of one batch.
MOST_COUNT = 128

#: Pictures that one run may give.
MOST_RESULTS = 100

#: Pixels per side that the picture engine draws.
SIDES = (64, 2048)

_LISTED = 50
_LONGEST_ID = 100
_PLURALS = {"INT": "a whole number", "FLOAT": "a number", "STRING": "a text", "BOOLEAN": "true or false"}


def unknown(_: str) -> Size | None:
    """The size of sources nobody knows anything of."""
    return None


def checked(raw: object, blob_of: BlobOf = str, size_of: SizeOf = unknown, prefix: str = "workflow") -> Graph:
    """A graph from its JSON. Raises InvalidRequest with all problems, whose paths begin with `prefix`.

    `blob_of` makes blob ids of what nodes that load pictures name.
    """
    problems = _Problems(prefix)
    nodes = _nodes(raw, problems)
    problems.settle()
    drafts = _Wiring(nodes, blob_of, problems).needed()
    problems.settle()
    graph = _measured(_ordered(drafts, problems), size_of, problems)
    problems.settle()
    return graph


def measured(graph: Graph, size_of: SizeOf, prefix: str = "workflow") -> Graph:
    """A graph that is right, with sources of other sizes. Raises InvalidRequest when those do not fit it."""
    problems = _Problems(prefix)
    made = _measured(graph.nodes, size_of, problems)
    problems.settle()
    return made


def shaped(raw: object, prefix: str = "workflow") -> dict[str, Shape]:
    """The nodes of a graph for another program, notes left out: it has the shape of one, and its links lead somewhere.

    Raises InvalidRequest.
    """
    problems = _Problems(prefix)
    given = _members_of(raw, problems)
    kinds = {name: kind for name, value in given.items() if (kind := _class(name, value, problems)) is not None}
    made = {
        name: Shape(id=name, kind=kind, inputs=_members(given[name], "inputs"), title=_title(given[name]))
        for name, kind in kinds.items()
        if kind not in NOTES
    }
    for shape in made.values():
        for name, value in shape.inputs.items():
            if is_link(value) and str(value[0]) not in made:
                where = f"{shape.id}.inputs.{name}"
                problems.add(where, f"is linked to node {_short(value[0])}, which is not in the graph")
    problems.settle()
    if not made:
        problems.add("", "has no nodes")
        problems.settle()
    return made


def is_link(value: object) -> bool:
    """Whether an input of a node whose class nobody here knows comes from another node."""
    if not isinstance(value, list):
        return False
    match cast("list[Any]", value):
        case [str(), int(output)] if not isinstance(output, bool):
            return True
        case _:
            return False


@dataclass(slots=True)
class _Raw:
    """A node as it came in."""

    id: str
    kind: NodeClass
    inputs: Mapping[str, Any]
    title: str


class _Problems:
    """What is wrong, by path; more than so many are only counted."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._found: dict[str, list[str]] = {}
        self._more = 0

    def add(self, path: str, problem: str) -> None:
        where = f"{self.prefix}.{path}" if path else self.prefix
        if where in self._found:
            self._found[where].append(problem)
        elif len(self._found) < _LISTED:
            self._found[where] = [problem]
        else:
            self._more += 1

    def settle(self) -> None:
        """Raise InvalidRequest when there are any."""
        if not self._found:
            return
        first, messages = next(iter(self._found.items()))
        others = len(self._found) - 1 + self._more
        raise InvalidRequest(f"{first}: {messages[0]}{f' (and {others} more fields)' if others else ''}", self._found)


# ── nodes ─────────────────────────────────────────────────────────────────────


def _nodes(raw: object, problems: _Problems) -> dict[str, _Raw]:
    """Every node whose class is known; all others are problems."""
    return dict(_known(_members_of(raw, problems), problems))


def _members_of(raw: object, problems: _Problems) -> Mapping[str, Any]:
    """The nodes as they came in; none where it is no graph at all."""
    if not isinstance(raw, Mapping):
        problems.add("", "must be an object: node ids, each with `class_type` and `inputs`")
        return {}
    given = cast("Mapping[str, Any]", raw)
    if isinstance(given.get("nodes"), list):
        problems.add("", "is in the editor's format, with `nodes` and `links`; export it in the API format")
        return {}
    if len(given) > MOST_NODES:
        problems.add("", f"has {len(given)} nodes; at most {MOST_NODES} are taken")
        return {}
    return given


def _known(given: Mapping[str, Any], problems: _Problems) -> Iterator[tuple[str, _Raw]]:
    told = False
    for name, value in given.items():
        kind = _class(name, value, problems)
        if kind in NOTES or kind is None:
            continue
        if kind not in CLASSES:
            which = "" if told else f"; it has: {', '.join(sorted(CLASSES))}"
            problems.add(f"{name}.class_type", f"{_short(kind)} is not a node class of this server{which}")
            told = True
            continue
        yield name, _Raw(name, CLASSES[kind], _members(value, "inputs"), _title(value))


def _class(name: str, value: object, problems: _Problems) -> str | None:
    if len(name) > _LONGEST_ID:
        problems.add(name[:_LONGEST_ID], f"the id of a node has at most {_LONGEST_ID} characters")
        return None
    if not isinstance(value, Mapping):
        problems.add(name, f"must be an object with `class_type` and `inputs`, not {_short(value)}")
        return None
    node = cast("Mapping[str, Any]", value)
    kind = node.get("class_type", node.get("classType"))
    if not isinstance(kind, str):
        problems.add(f"{name}.class_type", "must name the class of the node")
        return None
    if not isinstance(node.get("inputs", {}), Mapping):
        problems.add(f"{name}.inputs", "must be an object: names of inputs, each with a value or a link")
        return None
    return kind


def _members(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else {}


def _title(value: Mapping[str, Any]) -> str:
    meta = _members(value, "_meta") or _members(value, "meta")
    title = meta.get("title")
    return title[:80] if isinstance(title, str) else ""


# ── inputs ────────────────────────────────────────────────────────────────────


class _Wiring:
    """Looks at every input of every node that the outputs need."""

    def __init__(self, nodes: Mapping[str, _Raw], blob_of: BlobOf, problems: _Problems) -> None:
        self._nodes = nodes
        self._blob_of = blob_of
        self._problems = problems

    def needed(self) -> dict[str, Node]:
        """The nodes that the outputs need, the outputs first."""
        waiting = [raw for raw in self._nodes.values() if raw.kind.saves]
        if not waiting:
            self._problems.add("", "has no output: a SaveImage or a PreviewImage")
        made: dict[str, Node] = {}
        while waiting:
            raw = waiting.pop(0)
            if raw.id in made:
                continue
            node = self._node(raw)
            made[raw.id] = node
            waiting += [self._nodes[link.node] for link in node.links.values()]
        return made

    def _node(self, raw: _Raw) -> Node:
        values: dict[str, Value] = {}
        links: dict[str, Link] = {}
        for wanted in raw.kind.inputs:
            path = f"{raw.id}.inputs.{wanted.name}"
            given = raw.inputs.get(wanted.name)
            if given is None:
                self._absent(path, wanted, values)
            elif isinstance(given, list):
                self._linked(path, wanted, cast("list[Any]", given), values, links)
            elif wanted.written:
                self._written(path, wanted, given, values)
            else:
                self._problems.add(path, f"must be a link to {_a(wanted.type)}, not {_short(given)}")
        if raw.kind.name in SOURCES:
            self._load(raw, values)
        return Node(id=raw.id, kind=raw.kind, values=values, links=links, title=raw.title)

    def _load(self, raw: _Raw, values: dict[str, Value]) -> None:
        if "image" not in values:
            return
        try:
            values["image"] = self._blob_of(str(values["image"]))
        except ValueError as error:
            self._problems.add(f"{raw.id}.inputs.image", str(error))

    def _absent(self, path: str, wanted: Input, values: dict[str, Value]) -> None:
        if wanted.default is not None:
            values[wanted.name] = wanted.default
        elif not wanted.optional:
            self._problems.add(path, f"is missing; {_describe(wanted)}")

    def _written(self, path: str, wanted: Input, given: object, values: dict[str, Value]) -> None:
        try:
            values[wanted.name] = _value(wanted, given)
        except ValueError as error:
            self._problems.add(path, str(error))

    def _linked(
        self, path: str, wanted: Input, given: list[Any], values: dict[str, Value], links: dict[str, Link]
    ) -> None:
        try:
            link = _link(given)
            source = self._origin(link)
            if source is None:
                return
            raw, output = source
            have = raw.kind.outputs[output]
            if not _fits(have, wanted.type):
                raise ValueError(f"takes {_a(wanted.type)}, and node {raw.id!r} gives {_a(have)}")
            if wanted.written:
                values[wanted.name] = _value(wanted, self._constant(raw))
            else:
                links[wanted.name] = Link(node=raw.id, output=output)
        except ValueError as error:
            self._problems.add(path, str(error))

    def _origin(self, link: Link) -> tuple[_Raw, int] | None:
        """What a link leads to behind all reroutes. Raises ValueError; None when there is nothing new to say."""
        for _ in range(len(self._nodes) + 1):
            raw = self._nodes.get(link.node)
            if raw is None:
                raise ValueError(f"is linked to node {_short(link.node)}, which is not in the graph")
            if not 0 <= link.output < len(raw.kind.outputs):
                gives = ", ".join(f"{i} {kind}" for i, kind in enumerate(raw.kind.outputs)) or "nothing"
                raise ValueError(f"is linked to output {link.output} of node {raw.id!r}, which gives: {gives}")
            if raw.kind.name != "Reroute":
                return raw, link.output
            link = _through(raw)
        raise ValueError(f"goes in a circle through the Reroute {link.node!r}")

    def _constant(self, raw: _Raw) -> object:
        """The value of a primitive, which another one may give."""
        (holds,) = raw.kind.inputs
        for _ in range(len(self._nodes) + 1):
            given = raw.inputs.get("value")
            if given is None:
                raise ValueError(f"is linked to node {raw.id!r}, which has no value")
            if not isinstance(given, list):
                return _value(holds, given)
            source = self._origin(_link(cast("list[Any]", given)))
            if source is None or not _fits(source[0].kind.outputs[source[1]], holds.type):
                raise ValueError(f"is linked to node {raw.id!r}, whose value is not {_PLURALS[holds.type]}")
            raw = source[0]
        raise ValueError(f"goes in a circle through node {raw.id!r}")


def _through(reroute: _Raw) -> Link:
    """What a reroute is linked to; the name of its one input differs. Raises ValueError."""
    for given in reroute.inputs.values():
        if isinstance(given, list):
            return _link(cast("list[Any]", given))
    raise ValueError(f"is linked to the Reroute {reroute.id!r}, which is linked to nothing")


def _link(given: list[Any]) -> Link:
    if len(given) != 2 or isinstance(given[0], bool) or not isinstance(given[0], str | int):
        raise ValueError("is a list; a link is [nodeId, outputIndex]")
    output = given[1]
    if isinstance(output, bool) or not isinstance(output, int | float) or output % 1 != 0:
        raise ValueError("is a link whose second member is not the number of an output")
    return Link(node=str(given[0]), output=int(output))


def _fits(have: str, wanted: str) -> bool:
    return have == wanted or (have == "INT" and wanted == "FLOAT")


def _value(wanted: Input, given: object) -> Value:
    """A written value of the right type and within its bounds. Raises ValueError."""
    if wanted.type == "BOOLEAN":
        if not isinstance(given, bool):
            raise ValueError(f"must be true or false, not {_short(given)}")
        return given
    if wanted.type == "STRING":
        return _text(wanted, given)
    return _number(wanted, given)


def _text(wanted: Input, given: object) -> str:
    if not isinstance(given, str):
        raise ValueError(f"must be a text, not {_short(given)}")  # noqa: TRY004 - a wrong value of a caller
    if wanted.choices and given not in wanted.choices:
        raise ValueError(f"{_short(given)} is not one of: {', '.join(wanted.choices)}")
    if len(given) > MOST_TEXT:
        raise ValueError(f"has {len(given)} characters; at most {MOST_TEXT} are taken")
    if wanted.weights and not given.strip():
        raise ValueError("must name a model")
    return given


def _number(wanted: Input, given: object) -> int | float:
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise ValueError(f"must be {_PLURALS[wanted.type]}, not {_short(given)}")  # noqa: TRY004 - a wrong value of a caller
    assert wanted.low is not None
    assert wanted.high is not None
    if not wanted.low <= given <= wanted.high:
        raise ValueError(f"must be from {wanted.low} to {wanted.high}, not {_short(given)}")
    if wanted.type == "FLOAT":
        return float(given)
    if given % 1 != 0:
        raise ValueError(f"must be a whole number, not {_short(given)}")
    return int(given)


def _describe(wanted: Input) -> str:
    if not wanted.written:
        return f"it takes a link to {_a(wanted.type)}"
    return f"it takes {_PLURALS[wanted.type]}"


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'AEIOU' else 'a'} {kind}"


def _short(value: object) -> str:
    text = repr(value) if not isinstance(value, dict | list) else type(cast("object", value)).__name__
    return text if len(text) <= 80 else text[:77] + "..."


# ── order and sizes ───────────────────────────────────────────────────────────


def _ordered(drafts: Mapping[str, Node], problems: _Problems) -> dict[str, Node]:
    """Each node after what it needs; a circle is a problem."""
    left = {name: dict.fromkeys(link.node for link in node.links.values()) for name, node in drafts.items()}
    users: dict[str, list[str]] = {name: [] for name in drafts}
    for name, needs in left.items():
        for need in needs:
            users[need].append(name)
    # From the last seen to the first: what was found last lies deepest.
    ready = [name for name in reversed(list(drafts)) if not left[name]]
    made: dict[str, Node] = {}
    while ready:
        name = ready.pop(0)
        made[name] = drafts[name]
        del left[name]
        for user in users[name]:
            left[user].pop(name)
            if not left[user]:
                ready.append(user)
    _report_circles(left, drafts, problems)
    return made


def _report_circles(left: dict[str, dict[str, None]], drafts: Mapping[str, Node], problems: _Problems) -> None:
    """Every circle among nodes that never became ready; each node is told of once."""
    while left:
        way: list[str] = []
        name = next(iter(left))
        while name in left and name not in way:
            way.append(name)
            name = next((need for need in left[name] if need in left), "")
        if name in way:
            circle = [*way[way.index(name) :], name]
            told = " from ".join(circle if len(circle) <= 12 else [*circle[:11], "..."])
            first = next(n for n, link in drafts[name].links.items() if link.node == circle[1])
            problems.add(f"{name}.inputs.{first}", f"goes in a circle: {told}")
        for seen in way:
            del left[seen]


def _measured(nodes: Mapping[str, Node], size_of: SizeOf, problems: _Problems) -> Graph:
    """With sizes, which must be within the limits."""
    sizes: dict[str, Size | None] = {}
    graph = Graph(nodes=nodes, sizes=sizes)
    work = 0
    for name, node in nodes.items():
        sizes[name] = size = _measure(graph, node, size_of)
        if size is not None and (problem := wrong_size(node, size)):
            problems.add(name, problem)
        work += size.pixels if size else 0
    if work > MOST_WORK:
        problems.add("", f"its nodes give {work} pixels together; at most {MOST_WORK} are taken")
    results = sum(size.count for node in nodes.values() if node.kind.saves and (size := graph.size(node, "images")))
    if results > MOST_RESULTS:
        problems.add("", f"gives {results} pictures; at most {MOST_RESULTS} are taken")
    return graph


def _measure(graph: Graph, node: Node, size_of: SizeOf) -> Size | None:
    if node.kind.name in SOURCES:
        return size_of(str(node.values["image"]))
    return node.kind.size(Inflow(node, graph)) if node.kind.size else None


def wrong_size(node: Node, size: Size) -> str:
    """Why a node may not give pictures of this size; empty when it may."""
    if size.width * size.height > MOST_PICTURE:
        return f"gives {size}; a picture has at most {MOST_PICTURE} pixels"
    if size.count > MOST_COUNT or size.pixels > MOST_BATCH:
        return f"gives {size}; a batch has at most {MOST_COUNT} pictures and {MOST_BATCH} pixels"
    low, high = SIDES
    if node.kind.name in SEEDS and not (low <= size.width <= high and low <= size.height <= high):
        return f"draws {size}; the picture engine draws {low} to {high} pixels a side"
    return ""
