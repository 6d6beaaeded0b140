"""Criteria: compiled once, asked after every call.

A criterion that cannot be compiled refuses the document; one that cannot be decided for the values at hand raises
`Undecidable`. Neither is ever a quiet "no". A context that is null or absent fails, as the specification says.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from heddle.arazzo.conditions import ConditionError, Node, Undecidable, parse_condition, references, truth
from heddle.arazzo.expressions import ABSENT, Body, Expression, ExpressionError, Scope
from heddle.arazzo.jsonpaths import GOESSNER, VERSIONS, BadQuery, JsonPath, compile_comparison, compile_jsonpath
from heddle.arazzo.leniency import Leniency
from heddle.arazzo.patterns import compiled, found
from heddle.arazzo.selectors import SelectorError, compile_selector
from heddle.arazzo.templates import Compiler, Literal, Template, Whole, as_text, expressions_in, filled
from heddle.arazzo.tree import Place
from heddle.arazzo.xpath_engine import XPathError
from heddle.arazzo.xpaths import compile_xpath
from heddle.errors import HeddleError


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
            return found(filled(self.pattern, scope), as_text(value))
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
    version: str | None
    leniency: Leniency
    place: Callable[[], Place] = field(compare=False)

    def holds(self, scope: Scope) -> bool:
        value = _context(self.context, scope)
        if value is None:
            return False
        if isinstance(value, str) and any(isinstance(part, Body) for part in expressions_in(self.context)):
            raise Undecidable(f"{self.text!r} needs JSON, and the answer is text that starts with {value[:40]!r}")
        text = filled(self.query, scope)
        try:
            return self._selects(compile_jsonpath(text, self.version), value)
        except BadQuery as error:
            comparison = compile_comparison(text, self.version)
            if comparison is None:
                raise Undecidable(error.message) from error
        if not self.leniency.allows("bare-comparison", self.place, self.text):
            raise Undecidable(f"{self.text!r} is a bare comparison; JSONPath wants a query, such as `$[?{self.text}]`")
        return comparison.holds(value)

    def _selects(self, path: JsonPath, value: Any) -> bool:
        if path.selects(value):
            return True
        return (
            self.version != GOESSNER
            and isinstance(value, dict)
            and self.text.startswith("$[?")
            and path.selects([value])
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
            return compile_xpath(filled(self.path, scope), self.version).holds(value)
        except XPathError as error:
            raise Undecidable(error.message) from error

    def blind(self, scope: Scope) -> bool:
        """Whether there is nothing to look at."""
        return _context(self.context, scope) is None

    def expressions(self) -> list[Expression]:
        return [*expressions_in(self.context), *expressions_in(self.path)]


@dataclass(frozen=True, slots=True)
class Pointing:
    """A JSON Pointer that must lead to something; null is something."""

    text: str
    context: Template
    pointer: Template

    def holds(self, scope: Scope) -> bool:
        value = _context(self.context, scope)
        if value is None:
            return False
        try:
            return compile_selector("jsonpointer", None, filled(self.pointer, scope)).pick(value) is not ABSENT
        except SelectorError as error:
            raise Undecidable(error.message) from error

    def blind(self, scope: Scope) -> bool:
        """Whether there is nothing to look at."""
        return _context(self.context, scope) is None

    def expressions(self) -> list[Expression]:
        return [*expressions_in(self.context), *expressions_in(self.pointer)]


Criterion: TypeAlias = Simple | Matching | Selecting | Locating | Pointing


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
    if kind == "jsonpath" and version in (None, *VERSIONS):
        return _selecting(condition, version, context, compiler, place)
    if kind == "jsonpointer" and version in (None, "rfc6901"):
        return _pointing(condition, context, compiler)
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


def _selecting(
    condition: str, version: str | None, context: str, compiler: Compiler, place: Callable[[], Place]
) -> Selecting:
    query = _condition_template(condition, compiler)
    if isinstance(query, Literal):
        try:
            compile_jsonpath(condition, version)
        except BadQuery as error:
            if compile_comparison(condition, version) is None:
                raise CriterionError(error.message) from error
            if not compiler.leniency.allows("bare-comparison", place, condition):
                message = f"{condition!r} is a bare comparison; JSONPath wants a query, such as `$[?{condition}]`"
                raise CriterionError(message) from error
    return Selecting(condition, _context_template(context, compiler), query, version, compiler.leniency, place)


def _pointing(condition: str, context: str, compiler: Compiler) -> Pointing:
    pointer = _condition_template(condition, compiler)
    if isinstance(pointer, Literal):
        try:
            compile_selector("jsonpointer", None, condition)
        except SelectorError as error:
            raise CriterionError(error.message) from error
    return Pointing(condition, _context_template(context, compiler), pointer)


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
    try:
        return compiler.embedded(condition)
    except ExpressionError as error:
        raise CriterionError(error.message, error.code) from error


def _context(template: Template, scope: Scope) -> Any:
    value = template.render(scope, [])
    return None if value is ABSENT else value


def _unsupported(kind: str, version: str | None) -> str:
    if kind == "jsonpath":
        return f"JSONPath version {version!r} is not known; {' and '.join(VERSIONS)} are"
    return f"{kind!r} is not a type of criterion; known are simple, regex, jsonpath and xpath"
