"""The project's text speaks of itself: no paths of a machine, no hosts of package registries, no other spelling."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.pages import ROOT

SUFFIXES = {"", ".css", ".lock", ".md", ".py", ".sh", ".sql", ".toml", ".txt", ".yaml", ".yml"}

#: Put together here so that this file does not find itself.
FORBIDDEN = {
    "a path of one machine": rf"(?<![\w.])/({'wor'}k|{'roo'}t|home/[a-z]+|Users/[A-Za-z]+)(?![\w-])",
    "a folder beside the checkout": rf"\.\./{'shar'}ed\b|(?<![\w.])/{'shar'}ed\b",
    "the host of a package registry": rf"\b({'py'}pi\.org|{'python'}hosted\.org|registry\.{'np'}mjs\.org)\b",
    "an open end": rf"\b({'FIX'}ME|{'TO'}DO)\b",
}

#: Look for the seed documents where they may lie, and skip without them.
_SEEDS = ROOT / "tests" / "seeds"


def texts() -> Iterator[Path]:
    """Every text file that is, or is about to be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout.splitlines()  # fmt: skip
    for path in (ROOT / name for name in listed):
        if path.suffix in SUFFIXES and path.is_file() and not path.is_relative_to(_SEEDS):
            yield path


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_text_holds(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    files = list(texts())
    if not files:
        pytest.skip("not a git checkout")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in files
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if (match := pattern.search(line))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("what", "text", "wrong"),
    [
        ("a path of one machine", "see /" + "work/main", True),
        ("a path of one machine", "POST /v2/consumer/workflows and /" + "workflows", False),
        ("a folder beside the checkout", "../" + "shared/seeds", True),
        ("the host of a package registry", "https://" + "pypi" + ".org/simple", True),
    ],
)
def test_the_check_itself(what: str, text: str, wrong: bool) -> None:
    assert bool(re.search(FORBIDDEN[what], text)) is wrong
