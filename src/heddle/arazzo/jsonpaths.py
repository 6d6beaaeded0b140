"""JSONPath in both dialects that Arazzo knows: RFC 9535, and Gössner's draft."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, cast

from jsonpath_rfc9535 import JSONPathEnvironment, JSONPathError, JSONPathQuery
from jsonpath_rfc9535.filter_expressions import FilterContext, FilterExpression
from jsonpath_rfc9535.selectors import FilterSelector

from heddle.arazzo import bounded
from heddle.arazzo.conditions import Undecidable
from heddle.arazzo.goessner import Formula, Goessner, GoessnerError, Node, TooMuchWork, parse_formula, truthy
from heddle.errors import HeddleError

RFC = "rfc9535"
GOESSNER = "draft-goessner-dispatch-jsonpath-00"
VERSIONS = (RFC, GOESSNER)

_ENVIRONMENT = JSONPathEnvironment()
_SEARCH = re.compile(r"\b(?:match|search)\s*\(")
_RISKY = re.compile(r"\)\s*[*+{]")
_HARMLESS_VISITS = 100_000
MAX_QUERY = 10_000


class BadQuery(HeddleError):
    """A text that is not JSONPath."""


class JsonPath:
    """A query. `singular` says that it can select one value at most: it consists of names and indexes."""

    def __init__(self, text: str, version: str | None) -> None:
        self.text = text
        self._query: JSONPathQuery | Goessner
        self._cost = _Cost(text)
        if len(text) > MAX_QUERY:
            raise BadQuery(f"a JSONPath query may have {MAX_QUERY} characters, not {len(text)}")
        try:
            if version == GOESSNER:
                self._query = Goessner(text)
                self.singular = self._query.singular
            else:
                self._query = _ENVIRONMENT.compile(text)
                self.singular = self._query.singular_query()
        except GoessnerError as error:
            raise BadQuery(f"{error.message} (JSONPath of Gössner's draft)") from error
        except (JSONPathError, RecursionError) as error:
            raise BadQuery(f"{text!r} is not a JSONPath query (RFC 9535)") from error

    def selects(self, value: Any) -> bool:
        """Whether there is anything at all; raises Undecidable."""
        if isinstance(self._query, Goessner):
            return bool(self.nodes(value))
        if not self._cost.is_small(value):
            return bounded.call("heddle.arazzo.jsonpaths:selects", self.text, value)
        try:
            return next(iter(self._query.finditer(value)), None) is not None
        except (JSONPathError, RecursionError) as error:
            raise Undecidable(f"{self.text!r} has no answer here: {error}") from error

    def nodes(self, value: Any) -> list[Node]:
        """Everything that is selected, with the way to it; raises Undecidable where that takes too long."""
        try:
            if isinstance(self._query, Goessner):
                return self._query.nodes(value)
            if not self._cost.is_small(value):
                return [
                    (tuple(way), one) for way, one in bounded.call("heddle.arazzo.jsonpaths:nodes", self.text, value)
                ]
            return [(node.location, node.value) for node in self._query.finditer(value)]
        except (TooMuchWork, JSONPathError, RecursionError) as error:
            raise Undecidable(f"{self.text!r} has no answer here: {error}") from error


class Comparison:
    """A bare comparison: a filter without the brackets around it."""

    def __init__(self, text: str, version: str | None) -> None:
        self._text = text
        self._cost = _Cost(f"$[?{text}]")
        if len(text) > MAX_QUERY:
            raise BadQuery(f"a comparison may have {MAX_QUERY} characters, not {len(text)}")
        self._condition: FilterExpression | Formula = _draft_formula(text) if version == GOESSNER else _filter_of(text)

    def holds(self, value: Any) -> bool:
        if not isinstance(self._condition, FilterExpression):
            return truthy(self._condition(value, value))
        if not self._cost.is_small(value):
            return bounded.call("heddle.arazzo.jsonpaths:compares", self._text, value)
        try:
            return bool(self._condition.evaluate(FilterContext(env=_ENVIRONMENT, current=value, root=value)))
        except (JSONPathError, RecursionError) as error:
            raise Undecidable(f"{self._text!r} has no answer here: {error}") from error


@lru_cache(maxsize=512)
def compile_jsonpath(text: str, version: str | None = None) -> JsonPath:
    """Raises BadQuery. Without a version it is RFC 9535."""
    return JsonPath(text, version)


@lru_cache(maxsize=512)
def compile_comparison(text: str, version: str | None = None) -> Comparison | None:
    """None for what is no comparison either."""
    try:
        return Comparison(text, version)
    except BadQuery:
        return None


def selects(text: str, value: Any) -> bool:
    """In a process that can be ended: whether a query of RFC 9535 selects anything."""
    return next(iter(_ENVIRONMENT.compile(text).finditer(value)), None) is not None


def nodes(text: str, value: Any) -> list[Node]:
    """In a process that can be ended: what a query of RFC 9535 selects."""
    return [(node.location, node.value) for node in _ENVIRONMENT.compile(text).finditer(value)]


def compares(text: str, value: Any) -> bool:
    """In a process that can be ended: whether a bare comparison holds."""
    return bool(_filter_of(text).evaluate(FilterContext(env=_ENVIRONMENT, current=value, root=value)))


class _Cost:
    """What a query looks like it takes: how often it looks at every value, and whether it searches texts."""

    def __init__(self, text: str) -> None:
        rounds = max(text.count("..") + max(text.count("?") - 1, 0), 1)
        # `..` inside of `..`, and a query inside a filter, start again at every value.
        self._rounds = rounds + (text.count("$") - 1 if "?" in text else 0)
        self._searches = _SEARCH.search(text) is not None
        self._risky = self._searches and _RISKY.search(text) is not None

    def is_small(self, value: Any) -> bool:
        if self._risky:
            return False
        if self._rounds == 1 and not self._searches:
            return True
        return _size(value) ** self._rounds <= _HARMLESS_VISITS


def _size(value: Any) -> int:
    """How many values there are, as far as that matters."""
    count = 0
    waiting = [value]
    while waiting and count < _HARMLESS_VISITS:
        one = waiting.pop()
        count += 1 + (len(one) >> 6 if isinstance(one, str) else 0)
        if isinstance(one, (dict, list)):
            waiting += cast("dict[str, Any]", one).values() if isinstance(one, dict) else cast("list[Any]", one)
    return count


def _draft_formula(text: str) -> Formula:
    try:
        return parse_formula(text)
    except GoessnerError as error:
        raise BadQuery(error.message) from error


def _filter_of(text: str) -> FilterExpression:
    try:
        segments = _ENVIRONMENT.compile(f"$[?{text}]").segments
    except (JSONPathError, RecursionError) as error:
        raise BadQuery(f"{text!r} is not a comparison") from error
    selector = segments[0].selectors[0] if len(segments) == 1 and len(segments[0].selectors) == 1 else None
    if not isinstance(selector, FilterSelector):
        raise BadQuery(f"{text!r} closes a bracket that it did not open")
    return selector.expression
