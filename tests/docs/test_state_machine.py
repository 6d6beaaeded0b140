"""The drawing in docs/state_machine.md has the arrows of `domain.TRANSITIONS`, and no others; so has its table."""

from __future__ import annotations

import re

import pytest
from tests.docs.pages import PAGES, ROOT

from heddle import domain
from heddle.domain import TRANSITIONS, Status
from heddle.workflows import advance, amend

PAGE = next(page for page in PAGES if page.path == ROOT / "docs" / "state_machine.md")

_ARROW = re.compile(r"^ *(\[\*\]|\w+) *--> *(\[\*\]|\w+) *(?:: *(.+))?$", re.MULTILINE)
_ROW = re.compile(r"^\| (\w+) \| (\w+) \| ([jsw ]+|none) \| (.+?) \| (.*?) ?\|$", re.MULTILINE)

EXPECTED = {(str(one), str(other)) for one, others in TRANSITIONS.items() for other in others}


def arrows() -> list[tuple[str, str, str]]:
    (drawing,) = [block.text for block in PAGE.blocks if block.language == "mermaid"]
    return _ARROW.findall(drawing)


def rows() -> list[tuple[str, str, str, str, str]]:
    return _ROW.findall(PAGE.prose)


def test_the_drawing_has_exactly_the_arrows_of_the_code() -> None:
    drawn = [(one, other) for one, other, _ in arrows() if "[*]" not in {one, other}]
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == EXPECTED


def test_it_begins_and_ends_where_the_code_does() -> None:
    assert {other for one, other, _ in arrows() if one == "[*]"} == {"unassigned", "preparing"}
    assert {one for one, other, _ in arrows() if other == "[*]"} == set(domain.TERMINAL)


def test_every_arrow_says_why() -> None:
    assert [(one, other) for one, other, why in arrows() if not why and "[*]" not in {one, other}] == []


def test_the_table_explains_each_arrow_once() -> None:
    explained = [(one, other) for one, other, *_ in rows()]
    assert len(explained) == len(set(explained))
    assert set(explained) == EXPECTED


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]}-{row[1]}")
def test_a_row_names_its_verbs(row: tuple[str, str, str, str, str]) -> None:
    *_, who, _cause, verbs = row
    named = re.findall(r"`(\w+)\.(\w+)`", verbs)
    assert bool(named) is (who != "none")
    modules = {"advance": advance, "amend": amend}
    assert all(hasattr(modules[module], verb) for module, verb in named)


def test_every_status_is_there() -> None:
    assert {state for one, other, _ in arrows() for state in (one, other)} - {"[*]"} == set(Status)
