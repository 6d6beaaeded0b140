"""An XML text as a tree that still knows where everything stands, so that a value can be set and the rest stays.

Nothing outside of the text is ever read: a document type is refused, and with it every entity.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from heddle.errors import HeddleError

MAX_TEXT = 1_000_000
MAX_DEPTH = 300
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_ATTRIBUTE = re.compile(rb"\s([^\s=/>]+)\s*=\s*(\"[^\"]*\"|'[^']*')")
_START_TAG = re.compile(rb"<([^\s/>]+)(?:\s+[^\s=/>]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*\s*(/?)>")


class BadMarkup(HeddleError):
    """A text that is not XML, or more of it than is read."""


class Markup:
    """`root` is for looking; `prefixes` are those that the text declares, the outermost of each name."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_TEXT:
            raise BadMarkup(f"it is longer than {MAX_TEXT} characters")
        self._bytes = _DECLARATION.sub(lambda found: " " * len(found[0].encode()), text).encode("utf-8", "replace")
        self._original = text.encode("utf-8", "replace")
        self.prefixes: dict[str, str] = {}
        self._open: list[tuple[ET.Element, int]] = []
        self._spans: dict[int, tuple[int, int]] = {}
        self._builder = ET.TreeBuilder()
        self.root = self._parsed()

    def with_content(self, element: ET.Element, value: str) -> str:
        """The text with `value` as all that is inside an element."""
        start, end = self._spans[id(element)]
        tag = self._start_tag(start)
        if not tag[2]:
            return self._spliced(tag.end(), end, escape(value))
        opened = tag[0][:-2].rstrip().decode()
        return self._spliced(start, tag.end(), f"{opened}>{escape(value)}</{tag[1].decode()}>")

    def with_attribute(self, element: ET.Element, name: str, value: str) -> str:
        """The text with another value of an attribute that is there; `name` is `name` or `{uri}name`."""
        tag = self._start_tag(self._spans[id(element)][0])
        plain = name.rpartition("}")[2].encode()
        for match in _ATTRIBUTE.finditer(self._bytes, tag.start(), tag.end()):
            prefix, _, local = match[1].rpartition(b":")
            if local == plain and bool(prefix) == ("}" in name):
                return self._spliced(match.start(2), match.end(2), quoteattr(value))
        raise BadMarkup(f"the attribute {name!r} is not written where it stands")

    def _start_tag(self, start: int) -> re.Match[bytes]:
        tag = _START_TAG.match(self._bytes, start)
        assert tag is not None, "expat has read it"
        return tag

    def _spliced(self, start: int, end: int, value: str) -> str:
        return (self._original[:start] + value.encode() + self._original[end:]).decode()

    def _parsed(self) -> ET.Element:
        parser = expat.ParserCreate("utf-8", "}")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.StartNamespaceDeclHandler = self._declare
        parser.StartElementHandler = lambda name, given: self._start(parser, name, given)
        parser.EndElementHandler = lambda name: self._end(parser, name)
        parser.CharacterDataHandler = self._builder.data
        try:
            parser.Parse(self._bytes, True)
        except expat.ExpatError as error:
            raise BadMarkup(f"it is not XML: {error}") from error
        return self._builder.close()

    def _declare(self, prefix: str | None, uri: str | None) -> None:
        self.prefixes.setdefault(prefix or "", uri or "")

    def _start(self, parser: Any, name: str, given: dict[str, str]) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise BadMarkup(f"it is nested more than {MAX_DEPTH} deep")
        attributes = {_full(key): value for key, value in given.items()}
        self._open.append((self._builder.start(_full(name), attributes), parser.CurrentByteIndex))

    def _end(self, parser: Any, name: str) -> None:
        self._builder.end(_full(name))
        element, start = self._open.pop()
        self._spans[id(element)] = start, parser.CurrentByteIndex


def text_of(element: ET.Element) -> str:
    """What an element says: its text, or, where it has elements inside, these as XML."""
    if len(element) == 0:
        return element.text or ""
    return (element.text or "") + "".join(ET.tostring(child, encoding="unicode") for child in element)


def _full(name: str) -> str:
    """As ElementTree writes names with a namespace."""
    return "{" + name if "}" in name else name


def _refuse_doctype(*_: object) -> None:
    raise BadMarkup("it has a document type (<!DOCTYPE …>), which is refused")
