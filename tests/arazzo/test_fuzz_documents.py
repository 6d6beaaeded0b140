"""Documents that are broken at random: there are findings, a refusal or a run that ends, and never anything else.

The documents of the checklist are the seeds; they are changed as values (something else in the place of a part) and as
texts (cut, doubled, with characters that mean something).
"""

from __future__ import annotations

import asyncio
import copy
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heddle.arazzo.budgets import Options
from heddle.arazzo.document import Document, document_of
from heddle.arazzo.events import RunEnded
from heddle.arazzo.exchange import Client
from heddle.arazzo.findings import RULES
from heddle.arazzo.leniency import Leniency, strict
from heddle.arazzo.lint import lint_tree
from heddle.arazzo.outline import drawn, mermaid, outline
from heddle.arazzo.plan import make_plan
from heddle.arazzo.rehearsal import rehearse
from heddle.arazzo.runner import Run
from heddle.arazzo.sources import Servers, load_linked
from heddle.arazzo.tree import Tree, read_tree
from heddle.errors import UsageError

FOLDER = Path(__file__).parent / "checklist"
#: Those that are about what takes a second of computing are no seeds.
SEEDS = [path for path in sorted(FOLDER.glob("*.arazzo.yaml")) if "bound" not in path.name]
TEXTS = {path.name: path.read_text() for path in SEEDS}
VALUES = {path.name: read_tree(path).value for path in SEEDS}
#: Seconds that one document may take, also on a busy machine.
PATIENCE = 20.0

ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**400,
    1e308,
    "",
    " ",
    "x",
    "$",
    "{$",
    "{$}",
    "$inputs.",
    "$inputs.x",
    "{$response.body#/}",
    "$steps.a.outputs.x",
    "$workflows.main.outputs.x",
    "$message.payload",
    "$self",
    "$components.parameters.x",
    "$sourceDescriptions.api.look",
    "main",
    "a",
    "$[?(@.a)]",
    "$..*",
    "//*[",
    "(",
    "a\r\nb: c\x00",
    "\ud800",
    [],
    [None],
    [{}],
    {},
    {"": None},
    {"reference": "$components.parameters.x"},
    {"context": "$response.body", "selector": "$..a", "type": "jsonpath"},
    {"context": "$response.body", "selector": "//a", "type": {"type": "xpath", "version": "xpath-10"}},
    {"type": "jsonpath", "version": "draft-goessner-dispatch-jsonpath-00"},
    {"$ref": "#"},
]
MARKS = [
    "{",
    "}",
    "[",
    "]",
    ":",
    "- ",
    "\n",
    "  ",
    "'",
    '"',
    "$",
    "#",
    "&a ",
    "*a",
    "!",
    "|",
    "?",
    "\t",
    "\x00",
    "é",
    "~",
]


def ways(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way, *(deeper for key, child in inside for deeper in ways(child, (*way, key)))]


@st.composite
def changed_values(draw: st.DrawFn) -> str:
    """A document with one to four parts replaced, left out, doubled, or put in another's place."""
    document = copy.deepcopy(VALUES[draw(st.sampled_from(sorted(VALUES)))])
    document.pop("x-check", None)
    document["arazzo"] = draw(st.sampled_from(["1.0.1", "1.1.0"]))
    for _ in range(draw(st.integers(1, 4))):
        places = ways(document)[1:]
        way = draw(st.sampled_from(places))
        holder = document
        for key in way[:-1]:
            holder = holder[key]
        match draw(st.sampled_from(["odd", "gone", "double", "other"])):
            case "odd":
                holder[way[-1]] = copy.deepcopy(draw(st.sampled_from(ODD)))
            case "gone":
                del holder[way[-1]]
            case "double" if isinstance(holder, list):
                holder.insert(way[-1], copy.deepcopy(holder[way[-1]]))
            case _:
                other: Any = document
                for key in draw(st.sampled_from(places)):
                    other = other[key] if isinstance(other, (dict, list)) and key in _keys(other) else other
                holder[way[-1]] = copy.deepcopy(other)
    return json.dumps(document)


def _keys(value: Any) -> Any:
    return value if isinstance(value, dict) else range(len(value))


@st.composite
def changed_texts(draw: st.DrawFn) -> str:
    """A document as text: pieces cut out, doubled, or with a mark put in."""
    text = TEXTS[draw(st.sampled_from(sorted(TEXTS)))]
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        piece = text[start : start + draw(st.integers(0, 40))]
        new = draw(st.sampled_from(["", piece + piece, *MARKS]))
        text = text[:start] + new + text[start + len(piece) :]
    return text


class Answers(httpx.AsyncBaseTransport):
    """Something of everything."""

    def __init__(self) -> None:
        self._count = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._count += 1
        match self._count % 4:
            case 1:
                return httpx.Response(200, json={"a": [1, {"b": None}], "id": "x"}, headers={"x-id": "1"})
            case 2:
                return httpx.Response(200, text="<a><b>1</b></a>", headers={"content-type": "application/xml"})
            case 3:
                return httpx.Response(503, text="busy", headers={"retry-after": "1"})
            case _:
                return httpx.Response(404)


class Clock:
    """Time that only passes in sleeps."""

    def __init__(self) -> None:
        self._time = 0.0

    def now(self) -> float:
        return self._time

    async def sleep(self, seconds: float) -> None:
        self._time += seconds


async def _carried_out(document: Document, leniency: Leniency) -> None:
    linked = load_linked(document, Servers(default="http://h"), {})
    plan = make_plan(document, document.workflows[0].id, linked.descriptions, leniency, linked.others)
    inputs = plan.main.inputs.bind({"n": 1} if "n" in plan.main.inputs.names else {})
    list(rehearse(plan, inputs))
    async with Client(Answers()) as client:
        run = Run(plan, inputs, client, options=Options(max_steps=12, deadline=60), clock=Clock())
        events = [event async for event in run.events()]
    assert isinstance(events[-1], RunEnded)


def survives(text: str) -> None:
    """Everything that may be done with a document."""
    started = time.monotonic()
    with suppress(UsageError):
        _all_of_it(text)
    assert time.monotonic() - started < PATIENCE


def _all_of_it(text: str) -> None:
    tree = Tree("flow.yaml", text)
    for one in lint_tree(tree, FOLDER, {}):
        assert one.place.line >= 1
        assert one.code in RULES
    document = document_of(tree, FOLDER)
    picture = drawn(document, {})
    list(outline(picture, document.workflows))
    mermaid(picture, document.workflows)
    for leniency in (Leniency(), strict()):
        asyncio.run(_carried_out(document, leniency))


def fuzz(strategy: st.SearchStrategy[str], examples: int) -> None:
    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    @given(text=strategy)
    def one(text: str) -> None:
        survives(text)

    one()


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_the_seeds_survive(name: str) -> None:
    survives(TEXTS[name])


def test_changed_values() -> None:
    fuzz(changed_values(), 150)


def test_changed_texts() -> None:
    fuzz(changed_texts(), 150)


@pytest.mark.slow
def test_many_changed_values() -> None:
    fuzz(changed_values(), 1000)


@pytest.mark.slow
def test_many_changed_texts() -> None:
    fuzz(changed_texts(), 1000)
