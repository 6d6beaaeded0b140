"""The pages of the documentation, taken apart: prose, headings, links, code blocks, and code inside a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>```+|~~~+)(?P<lang>[\w-]*)[^\n]*\n(?P<body>.*?)^(?P=indent)(?P=fence) *$",
    re.MULTILINE | re.DOTALL,
)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)
_LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_HTML_LINK = re.compile(r"<(?:a|img|source)\b[^>]*?\b(?:href|src)=\"([^\"]+)\"")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#* *$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @cached_property
    def blocks(self) -> list[Block]:
        return [
            Block(str(self), self.text.count("\n", 0, m.start()) + 1, m["lang"], _dedented(m["body"], len(m["indent"])))
            for m in _FENCE.finditer(self.text)
        ]

    @cached_property
    def prose(self) -> str:
        """Without code blocks and comments."""
        return _COMMENT.sub("", _FENCE.sub("", self.text))

    @property
    def code(self) -> Iterator[str]:
        """What stands between backticks inside a line."""
        return (" ".join(m[2].split()) for m in _CODE.finditer(self.prose))

    @property
    def links(self) -> list[str]:
        prose = _CODE.sub("", self.prose)
        return _LINK.findall(prose) + _HTML_LINK.findall(prose)

    @cached_property
    def anchors(self) -> set[str]:
        """What a heading can be linked by."""
        seen: dict[str, int] = {}
        found: set[str] = set()
        for heading in _HEADING.findall(self.prose):
            name = _anchor(heading)
            n = seen.get(name, 0)
            seen[name] = n + 1
            found.add(f"{name}-{n}" if n else name)
        return found


def _anchor(heading: str) -> str:
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")


def _dedented(text: str, by: int) -> str:
    return "".join(line[min(by, len(line) - len(line.lstrip(" "))) :] for line in text.splitlines(keepends=True))


def _pages() -> list[Page]:
    made = {"node_modules", "out", "dist", "build"}
    paths = [
        path
        for path in sorted(ROOT.rglob("*.md"))
        if not any(part.startswith(".") or part in made for part in path.relative_to(ROOT).parts)
    ]
    return [Page(path) for path in paths]


PAGES = _pages()
BLOCKS = [block for page in PAGES for block in page.blocks]
