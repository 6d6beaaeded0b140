"""Criteria: compiled once, asked after every call.

A criterion that cannot be compiled refuses the document; one that cannot be decided for the values at hand raises
`Undecidable`. Neither is ever a quiet "no". A context that is null or absent fails, as the specification says.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

from jsonpath_rfc9535 import JSONPathEnvironment, JSONPathError, JSONPathQuery
from jsonpath_rfc9535.filter_expressions import FilterContext, FilterExpression
from jsonpath_rfc9535.selectors import FilterSelector

from heddle.arazzo.conditions import ConditionError, Node, Undecidable, parse_condition, references, truth
from heddle.arazzo.expressions import ABSENT, Body, Expression, ExpressionError, Scope
from heddle.arazzo.leniency import Leniency
from heddle.arazzo.patterns import compiled, found
from heddle.arazzo.templates import Compiler, Literal, Template, Text, Whole, as_text, expressions_in
from heddle.arazzo.tree import Place
from heddle.arazzo.xpaths import XPathError, compile_xpath
from heddle.errors import HeddleError

GOESSNER = "draft-goessner-dispatch-jsonpath-00"


class CriterionError(HeddleError):
    """A criterion that can never be decided as it is written. `code` is one of `findings.RULES`."""

    def __init__(self, message: str, code: str = "bad-condition") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Simple:
    """A condition in the small language of `conditions`."""

    text: str
    condition: Node

    def holds(self, scope: Scope) -> bool:
        return truth(self.condition.value(scope))

    def expressions(self) -> list[Expression]:
        return list(references(self.condition))


@dataclass(frozen=True, slots=True)
class Matching:
    """A regular expression that must be found somewhere in the context's text."""

    text: str
    context: Template
    pattern: Template

    def holds(self, scope: Scope) -> bool:
        value = _context(self.context, scope)
        if value is None:
            return False
        try:
            return found(_condition(self.pattern, scope), as_text(value))
        except re.error as error:
            raise Undecidable(f"{self.text!r} is not a regular expression: {error}") from error

    def blind(self, scope: Scope) -> bool:
        """Whether there is nothing to look at."""
        return _context(self.context, scope) is None

    def expressions(self) -> list[Expression]:
        return [*expressions_in(self.context), *expressions_in(self.pattern)]


@dataclass(frozen=True, slots=True)
class Selecting:
    """A JSONPath query that must select something."""

    text: str
    context: Template
    query: Template
    leniency: Leniency
    place: Callable[[], Place] = field(compare=False)

    def holds(self, scope: Scope) -> bool:
        value = _context(self.context, scope)
        if value is None:
            return False
        if isinstance(value, str) and any(isinstance(part, Body) for part in expressions_in(self.context)):
            raise Undecidable(f"{self.text!r} needs JSON, and the answer is text that starts with {value[:40]!r}")
        selection = _compile_selection(_condition(self.query, scope))
        if selection is None:
            raise Undecidable(f"{self.text!r} is not a JSONPath query")
        return self._asked(selection, value)

    def _asked(self, selection: Selection, value: Any) -> bool:
        if isinstance(selection, FilterExpression):
            if not self.leniency.allows("bare-comparison", self.place, self.text):
                raise Undecidable(f"{self.text!r} is a bare comparison; RFC 9535 wants `$[?{self.text}]`")
            return selection.evaluate(FilterContext(env=_JSONPATH, current=value, root=value))
        if next(iter(selection.finditer(value)), None) is not None:
            return True
        return (
            isinstance(value, dict)
            and self.text.startswith("$[?")
            and next(iter(selection.finditer([value])), None) is not None
            and self.leniency.allows("wrapped-root", self.place, self.text)
        )

    def blind(self, scope: Scope) -> bool:
        """Whether there is nothing to look at."""
        return _context(self.context, scope) is None

    def expressions(self) -> list[Expression]:
        return [*expressions_in(self.context), *expressions_in(self.query)]


@dataclass(frozen=True, slots=True)
class Locating:
    """An XPath expression whose effective boolean value must be true."""

    text: str
    context: Template
    path: Template
    version: str | None

    def holds(self, scope: Scope) -> bool:
        value = _context(self.context, scope)
        if value is None:
            return False
        if not isinstance(value, str):
            raise Undecidable(f"{self.text!r} needs XML, and the context is {type(value).__name__}")
        try:
            return compile_xpath(_condition(self.path, scope), self.version).holds(value)
        except XPathError as error:
            raise Undecidable(error.message) from error

    def blind(self, scope: Scope) -> bool:
        """Whether there is nothing to look at."""
        return _context(self.context, scope) is None

    def expressions(self) -> list[Expression]:
        return [*expressions_in(self.context), *expressions_in(self.path)]


Criterion: TypeAlias = Simple | Matching | Selecting | Locating
Selection: TypeAlias = JSONPathQuery | FilterExpression

_JSONPATH = JSONPathEnvironment()


def compile_criterion(
    condition: str,
    kind: str,
    version: str | None,
    context: str | None,
    *,
    compiler: Compiler,
    place: Callable[[], Place],
) -> Criterion:
    """Raises CriterionError for what can never be decided."""
    if kind == "simple":
        return _simple(condition, compiler, place)
    if context is None:
        raise CriterionError(
            f"a criterion of the type {kind} needs a `context`, such as $response.body", "missing-field"
        )
    if kind == "regex":
        return _matching(condition, context, compiler)
    if kind == "jsonpath" and version in (None, "rfc9535", GOESSNER):
        if version == GOESSNER and not compiler.leniency.allows("goessner-jsonpath", place, condition):
            raise CriterionError("JSONPath of Gössner's draft is read by RFC 9535 as a leniency only", "not-supported")
        return _selecting(condition, context, compiler, place)
    if kind == "xpath":
        return _locating(condition, version, context, compiler)
    raise CriterionError(_unsupported(kind, version), "not-supported")


def _simple(condition: str, compiler: Compiler, place: Callable[[], Place]) -> Simple:
    try:
        tree = parse_condition(condition, lambda: compiler.leniency.allows("double-quotes", place, condition))
        for expression in references(tree):
            compiler.checked(expression, place)
    except ConditionError as error:
        raise CriterionError(error.message) from error
    except ExpressionError as error:
        raise CriterionError(error.message, error.code) from error
    return Simple(condition, tree)


def _matching(condition: str, context: str, compiler: Compiler) -> Matching:
    pattern = _condition_template(condition, compiler)
    if isinstance(pattern, Literal):
        try:
            compiled(condition)
        except re.error as error:
            raise CriterionError(f"{condition!r} is not a regular expression: {error}") from error
    return Matching(condition, _context_template(context, compiler), pattern)


def _selecting(condition: str, context: str, compiler: Compiler, place: Callable[[], Place]) -> Selecting:
    query = _condition_template(condition, compiler)
    if isinstance(query, Literal):
        selection = _compile_selection(condition)
        if selection is None:
            raise CriterionError(f"{condition!r} is not a JSONPath query (RFC 9535)")
        bare = isinstance(selection, FilterExpression)
        if bare and not compiler.leniency.allows("bare-comparison", place, condition):
            raise CriterionError(f"{condition!r} is a bare comparison; RFC 9535 wants `$[?{condition}]`")
    return Selecting(condition, _context_template(context, compiler), query, compiler.leniency, place)


def _locating(condition: str, version: str | None, context: str, compiler: Compiler) -> Locating:
    path = _condition_template(condition, compiler)
    if isinstance(path, Literal):
        try:
            compile_xpath(condition, version)
        except XPathError as error:
            raise CriterionError(error.message, error.code) from error
    return Locating(condition, _context_template(context, compiler), path, version)


def _context_template(context: str, compiler: Compiler) -> Template:
    try:
        template = compiler.text(context)
    except ExpressionError as error:
        raise CriterionError(error.message, error.code) from error
    if not isinstance(template, Whole):
        raise CriterionError(f"the context {context!r} is not a runtime expression", "bad-expression")
    return template


def _condition_template(condition: str, compiler: Compiler) -> Template:
    """Only braces embed here: a bare `$` is JSONPath's root and the end of a text in a regular expression."""
    if "{$" not in condition:
        return Literal(condition)
    try:
        return Compiler(Leniency(frozenset()), compiler.inputs, compiler.steps).text(condition)
    except ExpressionError as error:
        raise CriterionError(error.message, error.code) from error


def _context(template: Template, scope: Scope) -> Any:
    value = template.render(scope, [])
    return None if value is ABSENT else value


def _condition(template: Template, scope: Scope) -> str:
    if isinstance(template, Literal):
        return template.value
    absent: list[Expression] = []
    text = template.fill(scope, absent) if isinstance(template, Text) else template.render(scope, absent)
    if absent:
        raise Undecidable(f"{absent[0]}, which the condition needs, did not resolve")
    return as_text(text)


@lru_cache(maxsize=512)
def _compile_selection(text: str) -> Selection | None:
    """A query, else the filter of a bare comparison, else None."""
    try:
        return _JSONPATH.compile(text)
    except JSONPathError:
        pass
    try:
        segments = _JSONPATH.compile(f"$[?{text}]").segments
    except JSONPathError:
        return None
    if len(segments) != 1 or len(segments[0].selectors) != 1:
        return None  # the text closed our bracket and opened its own
    selector = segments[0].selectors[0]
    return selector.expression if isinstance(selector, FilterSelector) else None


def _unsupported(kind: str, version: str | None) -> str:
    if kind == "jsonpath":
        return f"JSONPath version {version!r} is not known; {GOESSNER} and rfc9535 are"
    return f"{kind!r} is not a type of criterion; known are simple, regex, jsonpath and xpath"
