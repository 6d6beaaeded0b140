"""Every link leads somewhere, and every page can be reached."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from tests.docs.pages import PAGES, ROOT, Page

_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_BY_PATH = {page.path: page for page in PAGES}


def problem(page: Page, link: str) -> str | None:
    """What is wrong with a link; None when it is right, or leads out of the project."""
    if _ELSEWHERE.match(link):
        return None
    name, _, anchor = unquote(link).partition("#")
    if name.startswith("/"):
        return f"{link} is absolute"
    target = (page.path.parent / name).resolve() if name else page.path
    if not target.is_relative_to(ROOT):
        return f"{link} leads out of the project"
    if not target.exists():
        return f"{link}: there is no {target.relative_to(ROOT)}"
    if anchor and (target not in _BY_PATH or anchor not in _BY_PATH[target].anchors):
        return f"{link}: {target.name} has no heading {anchor!r}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Page) -> None:
    assert [p for link in page.links if (p := problem(page, link))] == []


def test_every_page_can_be_reached() -> None:
    """From the front page and the index."""
    todo = [ROOT / "README.md", ROOT / "docs" / "README.md"]
    reached = set(todo)
    while todo:
        page = _BY_PATH[todo.pop()]
        for link in page.links:
            target = (page.path.parent / unquote(link).partition("#")[0]).resolve()
            if target in _BY_PATH and target not in reached:
                reached.add(target)
                todo.append(target)
    docs = {path for path in _BY_PATH if path.is_relative_to(ROOT / "docs")}
    assert sorted(str(path.relative_to(ROOT)) for path in docs - reached) == []


@pytest.mark.parametrize(
    ("link", "wrong"),
    [
        ("glossary.md", False),
        ("glossary.md#money", False),
        ("https://example.org/#x", False),
        ("#no-such-heading", True),
        ("glossary.md#no-such-heading", True),
        ("no-such-page.md", True),
        ("../../elsewhere.md", True),
        ("/docs/glossary.md", True),
    ],
)
def test_the_check_itself(link: str, wrong: bool) -> None:
    assert (problem(_BY_PATH[ROOT / "docs" / "README.md"], link) is not None) is wrong
