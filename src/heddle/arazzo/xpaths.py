"""XPath conditions on XML answers.

A document of an answer is parsed without a document type, so that no entity is ever expanded and no file ever read; and
the functions of XPath that read files, addresses or the environment are refused.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from importlib import import_module
from typing import Any, cast
from xml.etree import ElementTree as ET

from heddle.arazzo.conditions import Undecidable
from heddle.errors import HeddleError

#: By version: module and class of the parser. Without a version it is the newest. XPath 1.0 is read by the parser of
#: 2.0 with the rules of 1.0, because the library's own for 1.0 finds no node equal to a number.
_PARSERS = {
    "xpath-10": ("elementpath", "XPath2Parser"),
    "xpath-20": ("elementpath", "XPath2Parser"),
    "xpath-30": ("elementpath.xpath30", "XPath30Parser"),
    "xpath-31": ("elementpath.xpath31", "XPath31Parser"),
}
MAX_TEXT = 1_000_000
_OUTSIDE = re.compile(
    r"(?<![\w.\-])(?:doc|doc-available|document|collection|uri-collection|unparsed-text[\w\-]*|json-doc|parse-xml[\w\-]*"
    r"|environment-variable|available-environment-variables|function-lookup|load-xquery-module|transform|static-base-uri"
    r"|trace|id|idref|element-with-id)\s*(?:\(|#)"
)


class XPathError(HeddleError):
    """A text that is not XPath, or that reaches outside of the answer. `code` is one of `findings.RULES`."""

    def __init__(self, message: str, code: str = "bad-condition") -> None:
        super().__init__(message)
        self.code = code


class XPath:
    """One compiled expression."""

    def __init__(self, text: str, version: str | None) -> None:
        if version is not None and version not in _PARSERS:
            raise XPathError(f"{version!r} is not a version of XPath; there is {', '.join(_PARSERS)}")
        outside = _OUTSIDE.search(text)
        if outside is not None:
            raise XPathError(f"{text!r} calls {outside.group()[:-1].strip()}, which reaches outside of the answer")
        module, name = _PARSERS[version or "xpath-31"]
        rules = {"compatibility_mode": True} if version == "xpath-10" else {}
        self._library = _library()
        try:
            self._token: Any = getattr(import_module(module), name)(**rules).parse(text)
        except (self._library.ElementPathError, RecursionError) as error:
            raise XPathError(f"{text!r} is not XPath: {error}") from error
        self._text = text

    def holds(self, xml: str) -> bool:
        """The effective boolean value on a document."""
        root = _parsed(xml)
        try:
            context = self._library.XPathContext(root=ET.ElementTree(root))
            return _truth(self._token.get_results(context))
        except (self._library.ElementPathError, ArithmeticError, ValueError, TypeError, RecursionError) as error:
            raise Undecidable(f"{self._text!r} has no answer for this document: {error}") from error


@lru_cache(maxsize=256)
def compile_xpath(text: str, version: str | None) -> XPath:
    """Raises XPathError."""
    return XPath(text, version)


def _library() -> Any:
    try:
        return import_module("elementpath")
    except ImportError as error:
        message = "criteria of the type xpath need the library elementpath: pip install elementpath"
        raise XPathError(message, "not-supported") from error


class _NoDocumentType(ET.TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise Undecidable("the answer has a document type (<!DOCTYPE …>), which is refused")


def _parsed(xml: str) -> ET.Element:
    if len(xml) > MAX_TEXT:
        raise Undecidable(f"the answer is longer than {MAX_TEXT} characters")
    try:
        parser = ET.XMLParser(target=_NoDocumentType())  # noqa: S314 - without a document type, nothing expands
        parser.feed(re.sub(r"^\s*<\?xml[^>]*\?>", "", xml))
        root: ET.Element = parser.close()
    except ET.ParseError as error:
        raise Undecidable(f"the answer is not XML: {error}") from error
    return root


def _truth(value: Any) -> bool:
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return _truth(items[0]) if len(items) == 1 and isinstance(items[0], (bool, int, float, str)) else bool(items)
    return bool(value) and not (isinstance(value, float) and math.isnan(value))
