"""The page about the engine names all it can draw, and its examples run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from heddle.engines.sketch import objects
from heddle.engines.sketch.backdrops import backdrops
from heddle.engines.sketch.styles import STYLES

PAGE = Path(__file__).parents[3] / "docs" / "sketch.md"


def test_the_page_names_everything() -> None:
    words = " " + " ".join(re.split(r"[\s|,.:]+", PAGE.read_text())) + " "
    for name in (*objects.catalog(), *backdrops(), *STYLES):
        assert f" {name} " in words, name


def test_the_pictures_are_there_and_small() -> None:
    pictures = [PAGE.parent / name for name in re.findall(r"\]\((pictures/[^)]+)\)", PAGE.read_text())]
    assert len(pictures) >= 4
    assert sum(picture.stat().st_size for picture in pictures) < 3_000_000


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
def test_the_examples_run(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "CATALOG", dict(objects.catalog()))
    exec(compile(code, str(PAGE), "exec"), {})
