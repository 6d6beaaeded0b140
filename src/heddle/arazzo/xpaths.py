"""XPath in conditions, Selector Objects and targets of replacements.

A prefix stands for what the XML at hand declares; a name without one has no namespace. Functions that read files,
addresses or the environment refuse the document, and so does an answer with a document type. An expression that could
take long is worked out in a process that can be ended (`bounded`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from heddle.arazzo import bounded, xpath_engine
from heddle.arazzo.conditions import Undecidable
from heddle.arazzo.xpath_engine import VERSIONS, XPathError

_ENGINE = "heddle.arazzo.xpath_engine"
_OUTSIDE = re.compile(
    r"(?<![\w.\-])(?:doc|doc-available|document|collection|uri-collection|unparsed-text[\w\-]*|json-doc|parse-xml[\w\-]*"
    r"|environment-variable|available-environment-variables|function-lookup|load-xquery-module|transform|static-base-uri"
    r"|trace|id|idref|element-with-id)\s*(?:\(|#)"
)
_TEXTS = re.compile(r"'[^']*'|\"[^\"]*\"")
#: Whatever calls something else than these, loops or makes up sequences may take long.
_SAFE_CALLS = re.compile(
    r"(?:count|sum|not|boolean|number|string|string-length|contains|starts-with|ends-with|position|last|local-name|name"
    r"|normalize-space|exists|empty|true|false|text|node|concat|lower-case|upper-case|floor|ceiling|round|abs|and|or"
    r"|div|mod)\s*\("
)
_CALL = re.compile(r"[A-Za-z_][\w.\-]*\s*\(")
_RISKY = re.compile(r"(?<![\w.\-])(?:for|some|every|let|to|function|return|satisfies|map|array)(?![\w.\-])|[{}#!?]|=>")
_DEEP = re.compile(r"//|descendant|following|preceding|ancestor")
_MAX_HARMLESS_LENGTH = 400
_HARMLESS_VISITS = 60_000
_CHARACTERS_PER_NODE = 12
MAX_EXPRESSION = 10_000


class XPath:
    """One expression that has been looked through."""

    def __init__(self, text: str, version: str | None) -> None:
        if version is not None and version not in VERSIONS:
            raise XPathError(f"{version!r} is not a version of XPath; there is {', '.join(VERSIONS)}")
        if find_spec("elementpath") is None:
            message = "XPath needs the library elementpath: pip install elementpath"
            raise XPathError(message, "not-supported")
        if len(text) > MAX_EXPRESSION:
            raise XPathError(f"an XPath expression may have {MAX_EXPRESSION} characters, not {len(text)}")
        outside = _OUTSIDE.search(text)
        if outside is not None:
            raise XPathError(f"{text!r} calls {outside.group()[:-1].strip()}, which reaches outside of the answer")
        self._text = text
        self._version = version
        self._plain = _is_plain(text)
        self._check()

    def holds(self, xml: str) -> bool:
        """The effective boolean value on a document; raises Undecidable."""
        if self._is_harmless(xml):
            return xpath_engine.truth(self._text, self._version, xml)
        return bounded.call(f"{_ENGINE}:truth", self._text, self._version, xml)

    def values(self, xml: str) -> list[Any]:
        """What is selected, as text where it is an element or an attribute; raises Undecidable."""
        if self._is_harmless(xml):
            return xpath_engine.values(self._text, self._version, xml)
        return bounded.call(f"{_ENGINE}:values", self._text, self._version, xml)

    def replaced(self, xml: str, value: str) -> str:
        """The document with a value set at every place that is selected; raises Undecidable."""
        if self._is_harmless(xml):
            return xpath_engine.replaced(self._text, self._version, xml, value)
        return bounded.call(f"{_ENGINE}:replaced", self._text, self._version, xml, value)

    def _check(self) -> None:
        if self._plain:
            xpath_engine.check(self._text, self._version)
            return
        try:
            bounded.call(f"{_ENGINE}:check", self._text, self._version)
        except Undecidable as error:
            raise XPathError(error.message) from error

    def _is_harmless(self, xml: str) -> bool:
        """A path with several steps to everywhere may look at every node once for every other."""
        steps = max(len(_DEEP.findall(self._text)) + self._text.count("[") // 2, 1)
        return self._plain and (len(xml) // _CHARACTERS_PER_NODE + 1) ** steps <= _HARMLESS_VISITS


@lru_cache(maxsize=256)
def compile_xpath(text: str, version: str | None) -> XPath:
    """Raises XPathError."""
    return XPath(text, version)


def _is_plain(text: str) -> bool:
    bare = _TEXTS.sub("''", text)
    calls = _SAFE_CALLS.sub("(", bare)
    return len(text) <= _MAX_HARMLESS_LENGTH and not _RISKY.search(bare) and not _CALL.search(calls)
