"""The three languages that lead into a value: JSON Pointer, JSONPath and XPath.

A selector picks a value out of another (Selector Objects), or puts one in (targets of replacements).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Protocol, cast

from heddle.arazzo.expressions import ABSENT, ExpressionError, follow, pointer_tokens
from heddle.arazzo.jsonpaths import VERSIONS as JSONPATHS
from heddle.arazzo.jsonpaths import BadQuery, compile_jsonpath
from heddle.arazzo.xpath_engine import VERSIONS as XPATHS
from heddle.arazzo.xpath_engine import XPathError
from heddle.arazzo.xpaths import compile_xpath
from heddle.errors import HeddleError

KINDS = {"jsonpath": JSONPATHS, "xpath": XPATHS, "jsonpointer": ("rfc6901",)}


class SelectorError(HeddleError):
    """A text that is no selector of its type. `code` is one of `findings.RULES`."""

    def __init__(self, message: str, code: str = "bad-condition") -> None:
        super().__init__(message)
        self.code = code


class Nowhere(HeddleError):
    """A place to put a value at that is not there."""


class Selector(Protocol):
    """A compiled selector."""

    def pick(self, value: Any) -> Any:
        """What it leads to, or ABSENT. Raises Undecidable where that cannot be found out in time."""
        ...

    def put(self, holder: Any, value: Any, text: str) -> Any:
        """`holder` with a value set; `text` is the value as text. Raises Nowhere or Undecidable."""
        ...


@lru_cache(maxsize=512)
def compile_selector(kind: str, version: str | None, text: str) -> Selector:
    """Raises SelectorError."""
    if kind not in KINDS:
        raise SelectorError(f"{kind!r} is no type of selector; there is {', '.join(KINDS)}")
    if version is not None and version not in KINDS[kind]:
        raise SelectorError(f"{version!r} is no version of {kind}; there is {', '.join(KINDS[kind])}")
    if kind == "jsonpath":
        return _ByJsonPath(text, version)
    return _ByXPath(text, version) if kind == "xpath" else _ByPointer(text)


class _ByPointer:
    def __init__(self, text: str) -> None:
        try:
            self._tokens = pointer_tokens(text.removeprefix("#"))
        except ExpressionError as error:
            raise SelectorError(error.message) from error

    def pick(self, value: Any) -> Any:
        return follow(value, self._tokens)

    def put(self, holder: Any, value: Any, text: str) -> Any:
        return _set(holder, self._tokens, value)


class _ByJsonPath:
    """One value where the query can only select one, else the list of all that it selects."""

    def __init__(self, text: str, version: str | None) -> None:
        self._text = text
        try:
            self._path = compile_jsonpath(text, version)
        except BadQuery as error:
            raise SelectorError(error.message) from error

    def pick(self, value: Any) -> Any:
        if not isinstance(value, (dict, list)):
            return ABSENT
        nodes = self._path.nodes(cast("Any", value))
        if self._path.singular:
            return nodes[0][1] if nodes else ABSENT
        return [selected for _, selected in nodes]

    def put(self, holder: Any, value: Any, text: str) -> Any:
        ways = [way for way, _ in self._path.nodes(holder)] if isinstance(holder, (dict, list)) else []
        if not ways:
            raise Nowhere(f"the replacement target {self._text} leads nowhere")
        for way in sorted(ways, key=len, reverse=True):
            holder = _set(holder, tuple(str(key) for key in way), value)
        return cast("Any", holder)


class _ByXPath:
    """Nothing is absent; one value stands for itself, several are a list."""

    def __init__(self, text: str, version: str | None) -> None:
        self._text = text
        try:
            self._path = compile_xpath(text, version)
        except XPathError as error:
            raise SelectorError(error.message, error.code) from error

    def pick(self, value: Any) -> Any:
        if not isinstance(value, str):
            return ABSENT
        found = self._path.values(value)
        if not found:
            return ABSENT
        return found[0] if len(found) == 1 else found

    def put(self, holder: Any, value: Any, text: str) -> Any:
        if not isinstance(holder, str):
            raise Nowhere(f"the replacement target {self._text} is XPath, and the payload is not written as XML")
        return self._path.replaced(holder, text)


def _set(payload: Any, tokens: tuple[str, ...], value: Any) -> Any:
    """Set a value at a JSON Pointer; the way to it must exist."""
    if not tokens:
        return value
    holder = payload
    for token in tokens[:-1]:
        holder = _inside(holder, token, tokens)
    last = tokens[-1]
    if isinstance(holder, dict):
        cast("dict[str, Any]", holder)[last] = value
    elif isinstance(holder, list) and (last == "-" or _is_at(last, len(cast("list[Any]", holder)))):
        items = cast("list[Any]", holder)
        at = len(items) if last == "-" else int(last)
        items[at : at + 1] = [value]
    else:
        raise Nowhere(f"the replacement target /{'/'.join(tokens)} leads nowhere")
    return payload


def _inside(holder: Any, token: str, tokens: tuple[str, ...]) -> Any:
    found = follow(holder, (token,))
    if found is ABSENT:
        raise Nowhere(f"the replacement target /{'/'.join(tokens)} leads nowhere")
    return found


def _is_at(token: str, length: int) -> bool:
    return token.isascii() and token.isdigit() and len(token) < 10 and int(token) <= length
