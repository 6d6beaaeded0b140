"""JSONPath as Gössner's draft has it (draft-goessner-dispatch-jsonpath-00), where RFC 9535 reads a query differently.

Filters `?( )` and scripts `( )` hold a small expression in the manner of JavaScript: what is empty, zero or not there
is false, a text that spells a number equals it, and `.length` is that of a list or a text. Nothing else of JavaScript
is there: no calls, no assignments. Work is counted, so that no query takes for ever.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from heddle.arazzo.expressions import ABSENT
from heddle.errors import HeddleError

MAX_VISITS = 400_000
_MAX_DEPTH = 40

Node: TypeAlias = tuple[tuple[str | int, ...], Any]
"""A value with the keys and indexes that lead to it."""

Formula: TypeAlias = Callable[[Any, Any], Any]
"""An expression: from `@` and `$` to its value."""


class GoessnerError(HeddleError):
    """A text that is not JSONPath of the draft; `column` counts from 1."""

    def __init__(self, text: str, column: int, problem: str) -> None:
        super().__init__(f"{problem} at column {column} of the query {text!r}")
        self.column = column


class TooMuchWork(HeddleError):
    """A query that visits more than MAX_VISITS values."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one pair of brackets selects. `deep` looks at everything below as well."""

    choices: tuple[Choice, ...]
    deep: bool = False


@dataclass(frozen=True, slots=True)
class Name:
    """A member, or an item of a list."""

    key: str | int


@dataclass(frozen=True, slots=True)
class Every:
    """`*`."""


@dataclass(frozen=True, slots=True)
class Slice:
    """`[start:end:step]`."""

    start: int | None
    end: int | None
    step: int | None


@dataclass(frozen=True, slots=True)
class Script:
    """`( )`: the name or index that a formula gives; as a filter `?( )`, whatever it is true for."""

    formula: Formula
    filters: bool


Choice: TypeAlias = Name | Every | Slice | Script


class Goessner:
    """One compiled query."""

    def __init__(self, text: str) -> None:
        self._steps = _Parser(text).query()
        self.singular = all(
            not step.deep and len(step.choices) == 1 and _is_single(step.choices[0]) for step in self._steps
        )

    def nodes(self, root: Any) -> list[Node]:
        """Everything that the query selects, in order; raises TooMuchWork."""
        work = _Work()
        found: list[Node] = [((), root)]
        for step in self._steps:
            starts = [below for node in found for below in _below(node, work)] if step.deep else found
            found = [
                inner
                for node in starts
                for choice in step.choices
                for inner in work.counted(_selected(choice, node, root))
            ]
        return found


def parse_formula(text: str) -> Formula:
    """A condition that stands alone, without the brackets of a filter: `$.status == 'done'`."""
    return _Parser(text).whole_formula()


class _Work:
    def __init__(self) -> None:
        self._visits = 0

    def counted(self, nodes: Iterator[Node]) -> Iterator[Node]:
        for node in nodes:
            self._visits += 1
            if self._visits > MAX_VISITS:
                raise TooMuchWork(f"the query looks at more than {MAX_VISITS} values")
            yield node


def _is_single(choice: Choice) -> bool:
    return isinstance(choice, Name) or (isinstance(choice, Script) and not choice.filters)


def _below(node: Node, work: _Work) -> Iterator[Node]:
    """A node and everything inside, outermost first."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield from work.counted(iter((one,)))
        waiting += reversed(list(_children(one)))


def _children(node: Node) -> Iterator[Node]:
    way, value = node
    if isinstance(value, dict):
        yield from (((*way, name), member) for name, member in cast("dict[str, Any]", value).items())
    elif isinstance(value, list):
        yield from (((*way, at), item) for at, item in enumerate(cast("list[Any]", value)))


def _selected(choice: Choice, node: Node, root: Any) -> Iterator[Node]:
    match choice:
        case Name():
            yield from _named(node, choice.key)
        case Every():
            yield from _children(node)
        case Slice():
            way, value = node
            if isinstance(value, list):
                items = cast("list[Any]", value)
                kept = range(len(items))[choice.start : choice.end : choice.step]
                yield from (((*way, at), items[at]) for at in kept)
        case Script() if choice.filters:
            yield from (child for child in _children(node) if truthy(choice.formula(child[1], root)))
        case Script():
            key = choice.formula(node[1], root)
            if isinstance(key, str) or (isinstance(key, float) and key.is_integer()):
                yield from _named(node, int(key) if isinstance(key, float) else key)


def _named(node: Node, key: Any) -> Iterator[Node]:
    way, value = node
    if isinstance(value, dict) and str(key) in value:
        yield (*way, str(key)), value[str(key)]
    elif isinstance(value, list) and re.fullmatch(r"-?[0-9]{1,9}", str(key)):
        items = cast("list[Any]", value)
        at = int(key) + (len(items) if int(key) < 0 else 0)
        if 0 <= at < len(items):
            yield (*way, at), items[at]


# The values of formulas, in the manner of JavaScript


def truthy(value: Any) -> bool:
    if value is ABSENT or value is None or value is False or value == "":
        return False
    return not (isinstance(value, (int, float)) and (value == 0 or math.isnan(value)))


def _number(value: Any) -> float:
    if value is None:
        return 0.0
    if isinstance(value, (bool, int, float)):
        return _float(value)
    if isinstance(value, str):
        return _float(value.strip() or 0)
    return math.nan


def _float(value: Any) -> float:
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def _equal(left: Any, right: Any) -> bool:
    nothing = [one is None or one is ABSENT for one in (left, right)]
    if any(nothing):
        return all(nothing)
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    if isinstance(left, (dict, list)) or isinstance(right, (dict, list)):
        return left is right
    return _number(left) == _number(right)


def _same(left: Any, right: Any) -> bool:
    return _kind(left) == _kind(right) and _equal(left, right)


def _kind(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "number"
    return "nothing" if value is ABSENT else type(value).__name__


def _compared(sign: str, left: Any, right: Any) -> bool:
    if not (isinstance(left, str) and isinstance(right, str)):
        left, right = _number(left), _number(right)
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[sign]


def _counted(sign: str, left: Any, right: Any) -> Any:
    if sign == "+" and isinstance(left, str) and isinstance(right, str):
        return left + right
    first, second = _number(left), _number(right)
    try:
        return {
            "+": lambda: first + second,
            "-": lambda: first - second,
            "*": lambda: first * second,
            "/": lambda: first / second,
            "%": lambda: math.fmod(first, second),
        }[sign]()
    except (ZeroDivisionError, OverflowError, ValueError):
        return math.nan


def _binary(sign: str, left: Formula, right: Formula) -> Formula:
    if sign == "&&":
        return lambda current, root: truthy(left(current, root)) and truthy(right(current, root))
    if sign == "||":
        return lambda current, root: truthy(left(current, root)) or truthy(right(current, root))
    if sign in ("==", "!="):
        return lambda current, root: _equal(left(current, root), right(current, root)) == (sign == "==")
    if sign in ("===", "!=="):
        return lambda current, root: _same(left(current, root), right(current, root)) == (sign == "===")
    if sign in ("+", "-", "*", "/", "%"):
        return lambda current, root: _counted(sign, left(current, root), right(current, root))
    return lambda current, root: _compared(sign, left(current, root), right(current, root))


def _way(start: str, keys: tuple[str | int, ...]) -> Formula:
    """`@.a.b` or `$.a[0]`."""

    def formula(current: Any, root: Any) -> Any:
        value = current if start == "@" else root
        for key in keys:
            value = _member(value, key)
        return value

    return formula


def _member(value: Any, key: str | int) -> Any:
    found = next(_named(((), value), key), None)
    if found is not None:
        return found[1]
    return len(cast("str | list[Any]", value)) if key == "length" and isinstance(value, (str, list)) else ABSENT


_LEVELS = ("||", "&&", "== != === !==", "< <= > >=", "+ -", "* / %")
_BINDING = {sign: level for level, signs in enumerate(_LEVELS, 1) for sign in signs.split()}
_SIGN = re.compile(r"\s*(===|!==|==|!=|<=|>=|&&|\|\||[<>+\-*/%])")
_NAME = re.compile(r"[^\s.\[\]()'\"*,?@$:=<>!&|+/%]+")
_WORD = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_INTEGER = re.compile(r"-?[0-9]{1,9}")
_NUMBER = re.compile(r"[0-9]{1,300}(?:\.[0-9]{1,300})?(?:[eE][-+]?[0-9]{1,3})?")
_TEXT = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}


class _Parser:
    """Reads from left to right; `_at` is where."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def query(self) -> tuple[Step, ...]:
        if not self._taken("$"):
            raise self._error("a query starts with `$`")
        steps: list[Step] = []
        while self._at < len(self._text):
            steps.append(self._step())
        return tuple(steps)

    def whole_formula(self) -> Formula:
        formula = self._formula(0)
        self._spaces()
        if self._at < len(self._text):
            raise self._error(f"{self._text[self._at]!r} was not expected")
        return formula

    def _step(self) -> Step:
        if self._taken(".."):
            choices = self._brackets() if self._taken("[") else (self._dotted(),)
            return Step(choices, deep=True)
        if self._taken("."):
            return Step((self._dotted(),))
        if self._taken("["):
            return Step(self._brackets())
        raise self._error(f"`.` or `[` was expected, not {self._text[self._at]!r}")

    def _dotted(self) -> Choice:
        return Every() if self._taken("*") else Name(self._match(_NAME, "a name"))

    def _brackets(self) -> tuple[Choice, ...]:
        choices = [self._choice()]
        while self._taken(","):
            choices.append(self._choice())
        self._need("]")
        return tuple(choices)

    def _choice(self) -> Choice:
        self._spaces()
        if self._taken("?"):
            self._need("(")
            return self._script(filters=True)
        if self._taken("("):
            return self._script(filters=False)
        if self._taken("*"):
            return Every()
        text = self._quoted()
        return self._index() if text is None else Name(text)

    def _script(self, *, filters: bool) -> Script:
        formula = self._formula(0)
        self._need(")")
        return Script(formula, filters)

    def _index(self) -> Choice:
        parts = [self._integer()]
        while len(parts) < 3 and self._taken(":"):
            parts.append(self._integer())
        if len(parts) > 1:
            if parts[2:] == [0]:
                raise self._error("a slice cannot go on by 0")
            return Slice(*parts, *[None] * (3 - len(parts)))
        if parts[0] is None:
            raise self._error("a name in quotes, an index, a slice, `*`, `?( )` or `( )` was expected")
        return Name(parts[0])

    def _integer(self) -> int | None:
        self._spaces()
        match = _INTEGER.match(self._text, self._at)
        if match is None:
            return None
        self._at = match.end()
        return int(match.group())

    def _formula(self, floor: int) -> Formula:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._error("the expression is too deeply nested")
        left = self._operand()
        while True:
            sign = _SIGN.match(self._text, self._at)
            if sign is None or _BINDING[sign[1]] <= floor:
                break
            self._at = sign.end()
            left = _binary(sign[1], left, self._formula(_BINDING[sign[1]]))
        self._depth -= 1
        return left

    def _operand(self) -> Formula:
        self._spaces()
        if self._taken("("):
            inner = self._formula(0)
            self._need(")")
            return inner
        if self._taken("!"):
            negated = self._formula(6)
            return lambda current, root: not truthy(negated(current, root))
        if self._taken("-"):
            positive = self._formula(6)
            return lambda current, root: -_number(positive(current, root))
        for start in "@$":
            if self._taken(start):
                return _way(start, self._keys())
        return self._constant()

    def _constant(self) -> Formula:
        constant: Any = self._quoted()
        if constant is None:
            number = _NUMBER.match(self._text, self._at)
            word = None if number else _WORD.match(self._text, self._at)
            if number is not None:
                constant, self._at = float(number.group()), number.end()
            elif word is not None and word.group() in _WORDS:
                constant, self._at = _WORDS[word.group()], word.end()
            else:
                raise self._error("a value was expected: `@…`, `$…`, a number, a text in quotes, true, false or null")
        return lambda _current, _root: constant

    def _keys(self) -> tuple[str | int, ...]:
        """Names and indexes behind `@`; nothing that could select several."""
        keys: list[str | int] = []
        while True:
            if self._text.startswith(("..", ".*"), self._at):
                raise self._error("an expression reads single values; `..` and `*` select many")
            if self._taken("."):
                keys.append(self._match(_WORD, "a name"))
            elif self._text.startswith("[", self._at):
                self._at += 1
                text = self._quoted()
                index = self._integer() if text is None else None
                if text is None and index is None:
                    raise self._error("a name in quotes or an index was expected")
                keys.append(text if text is not None else cast("int", index))
                self._need("]")
            else:
                return tuple(keys)

    def _quoted(self) -> str | None:
        self._spaces()
        match = _TEXT.match(self._text, self._at)
        if match is None:
            return None
        self._at = match.end()
        return re.sub(r"\\(.)", r"\1", match[1] if match[1] is not None else match[2])

    def _match(self, pattern: re.Pattern[str], what: str) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise self._error(f"{what} was expected")
        self._at = match.end()
        return match.group()

    def _spaces(self) -> None:
        while self._text[self._at : self._at + 1].isspace():
            self._at += 1

    def _taken(self, sign: str) -> bool:
        if sign in (",", ":"):
            self._spaces()
        found = self._text.startswith(sign, self._at)
        self._at += len(sign) if found else 0
        return found

    def _need(self, sign: str) -> None:
        self._spaces()
        if not self._taken(sign):
            raise self._error(f"{sign!r} was expected")

    def _error(self, problem: str) -> GoessnerError:
        return GoessnerError(self._text, self._at + 1, problem)
