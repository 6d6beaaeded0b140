"""What XPath expressions do with an XML text. May run in a process of its own: takes and gives what JSON knows."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import import_module
from types import TracebackType
from typing import Any
from xml.etree import ElementTree as ET

from heddle.arazzo.conditions import Undecidable
from heddle.arazzo.markup import BadMarkup, Markup, text_of
from heddle.errors import HeddleError

#: By version: module and class of the parser. Without a version it is the newest. XPath 1.0 is read by the parser of
#: 2.0 with the rules of 1.0, because the library's own for 1.0 finds no node equal to a number.
_PARSERS = {
    "xpath-10": ("elementpath", "XPath2Parser"),
    "xpath-20": ("elementpath", "XPath2Parser"),
    "xpath-30": ("elementpath.xpath30", "XPath30Parser"),
    "xpath-31": ("elementpath.xpath31", "XPath31Parser"),
}
VERSIONS = tuple(_PARSERS)
MAX_PLACES = 100
_TEXTS = re.compile(r"'[^']*'|\"[^\"]*\"|\(:.*?:\)", re.DOTALL)
_PREFIX = re.compile(r"(?<![\w.\-:])([A-Za-z_][\w.\-]*):(?=[A-Za-z_*])")


class XPathError(HeddleError):
    """A text that is not XPath, or that reaches outside of the answer. `code` is one of `findings.RULES`."""

    def __init__(self, message: str, code: str = "bad-condition") -> None:
        super().__init__(message)
        self.code = code


def check(text: str, version: str | None) -> None:
    """Raises XPathError. What a prefix stands for only the XML at hand can say."""
    dummies = {prefix: f"urn:{prefix}" for prefix in _PREFIX.findall(_TEXTS.sub("''", text))}
    _parsed(text, version, _kept(dummies))


def truth(text: str, version: str | None, xml: str) -> bool:
    """The effective boolean value; raises Undecidable."""
    with _Looking(text, version, xml) as (token, context):
        return bool(token.boolean_value(list(token.select(context))))


def values(text: str, version: str | None, xml: str) -> list[Any]:
    """What is selected: texts of elements and attributes, and numbers, texts and truth values as they are."""
    with _Looking(text, version, xml) as (token, context):
        return [_plain(one) for one in token.select(context)]


def replaced(text: str, version: str | None, xml: str, value: str) -> str:
    """The XML with a value set at everything that is selected; raises Undecidable where that is nothing."""
    places = 0
    with _Looking(text, version, xml) as (token, context):
        places = len(list(token.select(context)))
    if not 0 < places <= MAX_PLACES:
        raise Undecidable(f"{text!r} leads nowhere" if not places else f"{text!r} leads to {places} places")
    for at in range(places):
        with _Looking(text, version, xml) as (token, context):
            found = list(token.select(context))
            xml = _set(context.markup, found[at], value) if at < len(found) else xml
    return xml


class _Looking:
    """An expression over a text; whatever goes wrong inside is Undecidable."""

    def __init__(self, text: str, version: str | None, xml: str) -> None:
        self._text = text
        self._version = version
        self._xml = xml

    def __enter__(self) -> tuple[Any, Any]:
        library: Any = import_module("elementpath")
        try:
            markup = Markup(self._xml)
        except BadMarkup as error:
            raise Undecidable(f"{self._text!r} needs XML: {error.message}") from error
        try:
            token = _parsed(self._text, self._version, _kept(markup.prefixes))
        except XPathError as error:
            raise Undecidable(error.message) from error
        context: Any = library.XPathContext(root=ET.ElementTree(markup.root))
        context.markup = markup
        return token, context

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        library: Any = import_module("elementpath")
        expected = (library.ElementPathError, ArithmeticError, ValueError, TypeError, RecursionError, LookupError)
        if isinstance(error, expected):
            raise Undecidable(f"{self._text!r} has no answer for this document: {error}") from error


@lru_cache(maxsize=256)
def _parsed(text: str, version: str | None, prefixes: tuple[tuple[str, str], ...]) -> Any:
    library: Any = import_module("elementpath")
    module, name = _PARSERS[version or "xpath-31"]
    rules = {"compatibility_mode": True} if version == "xpath-10" else {}
    try:
        return getattr(import_module(module), name)(namespaces=dict(prefixes), **rules).parse(text)
    except (library.ElementPathError, RecursionError, ArithmeticError, ValueError) as error:
        raise XPathError(f"{text!r} is not XPath: {error}") from error


def _kept(prefixes: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """A default namespace of the XML is none for a path: a name without prefix has no namespace."""
    return tuple((name, uri) for name, uri in prefixes.items() if name and uri)


def _plain(node: Any) -> Any:
    element = getattr(node, "elem", None)
    if element is not None:
        return text_of(element)
    value = getattr(node, "value", node)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, (bool, int, float, str)) or value is None else str(value)


def _set(markup: Markup, node: Any, value: str) -> str:
    element, parent = getattr(node, "elem", None), getattr(node, "parent", None)
    try:
        if element is not None:
            return markup.with_content(element, value)
        if hasattr(node, "name") and node.name and parent is not None:
            return markup.with_attribute(parent.elem, node.name, value)
        if parent is not None:
            return markup.with_content(parent.elem, value)
    except BadMarkup as error:
        raise Undecidable(error.message) from error
    raise Undecidable("the target is a value and no element, attribute or text of the payload")
