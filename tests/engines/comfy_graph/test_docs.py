"""What the page says of limits, names and examples is true."""

from __future__ import annotations

import json
from pathlib import Path

from heddle.engines.sketch import SIDES
from heddle.graph import checker, table, weights

from .conftest import run

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "comfy.md").read_text("utf-8")


def test_the_example_draws() -> None:
    graph = json.loads((ROOT / "examples" / "graph.json").read_text("utf-8"))
    (made,) = run(graph)
    assert (made.width, made.height) == (768, 512)


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"{len(table.CLASSES)} node classes" in PAGE
    mi = 2**20
    for row in (
        f"| nodes | {checker.MOST_NODES} |",
        f"| one picture | {checker.MOST_PICTURE // mi} Mi pixels (4096x4096) |",
        f"| one batch | {checker.MOST_COUNT} pictures and {checker.MOST_BATCH // mi} Mi pixels |",
        f"together | {checker.MOST_WORK // mi} Mi pixels |",
        f"| results of one run | {checker.MOST_RESULTS} pictures |",
        f"draws | {checker.SIDES[0]} to {checker.SIDES[1]} |",
    ):
        assert row in PAGE
    assert f"{table.MOST_TEXT:,} characters" in PAGE


def test_every_built_in_model_is_named() -> None:
    assert [name for kind in weights.BUILT_IN.values() for name in kind if f"`{name}`" not in PAGE] == []


def test_both_sides_draw_the_same_sizes() -> None:
    """The checker knows what the picture engine draws without knowing that engine."""
    assert checker.SIDES == SIDES
