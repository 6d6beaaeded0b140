"""Simple conditions: `$statusCode == 200 && ($response.body#/ok || !$inputs.strict)`.

A Pratt parser makes a tree; the tree is evaluated against a `Scope`. Texts compare without regard to case, null equals
only null, numeric texts count as numbers beside a number. Two things that have no order make the condition undecidable,
which is an error and never a quiet "no".
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from heddle.arazzo.expressions import ABSENT, Expression, ExpressionError, Scope, parse
from heddle.errors import HeddleError


class ConditionError(HeddleError):
    """A text that is not a condition; `column` counts from 1."""

    def __init__(self, text: str, column: int, problem: str) -> None:
        super().__init__(f"{problem} at column {column} of the condition {text!r}")
        self.column = column


class Undecidable(HeddleError):
    """A condition that has neither the answer yes nor no for these values."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal."""

    constant: Any

    def value(self, scope: Scope) -> Any:
        return self.constant

    def __str__(self) -> str:
        if isinstance(self.constant, str):
            return "'" + self.constant.replace("'", "''") + "'"
        return (
            {True: "true", False: "false", None: "null"}[self.constant]
            if _is_word(self.constant)
            else repr(self.constant)
        )


@dataclass(frozen=True, slots=True)
class Reference:
    """A runtime expression; absent reads as null."""

    expression: Expression

    def value(self, scope: Scope) -> Any:
        value = self.expression.value(scope)
        return None if value is ABSENT else value

    def __str__(self) -> str:
        """In braces where a condition could not tell where the expression ends."""
        text = str(self.expression)
        match = _TOKEN.match(text)
        return text if match is not None and match["reference"] == text else f"{{{text}}}"


@dataclass(frozen=True, slots=True)
class Member:
    """`left.name` or `left[key]`; nothing there reads as null."""

    left: Node
    key: Node

    def value(self, scope: Scope) -> Any:
        left, key = self.left.value(scope), self.key.value(scope)
        if isinstance(left, dict) and isinstance(key, str):
            return cast("dict[str, Any]", left).get(key)
        if isinstance(left, list) and isinstance(key, int) and not isinstance(key, bool):
            items = cast("list[Any]", left)
            return items[key] if 0 <= key < len(items) else None
        return None

    def __str__(self) -> str:
        return f"({self.left})[{self.key}]"


@dataclass(frozen=True, slots=True)
class Not:
    """`!operand`."""

    operand: Node

    def value(self, scope: Scope) -> Any:
        return not truth(self.operand.value(scope))

    def __str__(self) -> str:
        return f"!({self.operand})"


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands; `&&` and `||` look at the right one only when they must."""

    sign: str
    left: Node
    right: Node

    def value(self, scope: Scope) -> Any:
        if self.sign == "&&":
            return truth(self.left.value(scope)) and truth(self.right.value(scope))
        if self.sign == "||":
            return truth(self.left.value(scope)) or truth(self.right.value(scope))
        left, right = self.left.value(scope), self.right.value(scope)
        if self.sign in ("==", "!="):
            return equal(left, right) == (self.sign == "==")
        return ordered(self.sign, left, right)

    def __str__(self) -> str:
        return f"({self.left} {self.sign} {self.right})"


Node: TypeAlias = Constant | Reference | Member | Not | Binary


def parse_condition(text: str, on_double_quotes: Callable[[], bool] = lambda: True) -> Node:
    """`on_double_quotes` is asked once a text in double quotes appears; False refuses it."""
    parser = _Parser(text, on_double_quotes)
    tree = parser.expression(0)
    parser.expect_end()
    return tree


def truth(value: Any) -> bool:
    """The specification defines true, false and null; of the rest, zero and the empty text do not pass."""
    if value is None or isinstance(value, bool):
        return bool(value)
    return value not in (0, "")


def equal(left: Any, right: Any) -> bool:
    """Loose equality of two JSON values."""
    if left is None or right is None:
        return left is right
    if isinstance(left, bool) or isinstance(right, bool):
        return _equal_truths(left, right)
    if isinstance(left, str) and isinstance(right, str):
        return left.casefold() == right.casefold()
    if isinstance(left, (int, float, str)) and isinstance(right, (int, float, str)):
        numbers = number(left), number(right)
        return None not in numbers and numbers[0] == numbers[1]
    return bool(left == right)


def ordered(sign: str, left: Any, right: Any) -> bool:
    """`<` and its kin. Null has no order, so nothing is below or above it."""
    compare = _ORDERS[sign]
    if left is None or right is None:
        return False
    numbers = number(left), number(right)
    if numbers[0] is not None and numbers[1] is not None:
        return compare(numbers[0], numbers[1])
    if isinstance(left, str) and isinstance(right, str):
        return compare(left.casefold(), right.casefold())
    raise Undecidable(f"{left!r} {sign} {right!r} has no answer: the two have no order")


def number(value: Any) -> float | int | None:
    """The number that a value is, or that its text spells."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, str) and _NUMBER_TEXT.fullmatch(value.strip()):
        return float(value) if any(mark in value for mark in ".eE") else int(value)
    return None


def references(node: Node) -> Iterator[Expression]:
    """Every runtime expression of a condition."""
    if isinstance(node, Reference):
        yield node.expression
    elif isinstance(node, Not):
        yield from references(node.operand)
    elif isinstance(node, Binary):
        yield from references(node.left)
        yield from references(node.right)
    elif isinstance(node, Member):
        yield from references(node.left)
        yield from references(node.key)


_NUMBER_TEXT = re.compile(r"[-+]?[0-9]{1,300}(?:\.[0-9]{1,300})?(?:[eE][-+]?[0-9]{1,3})?")
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_BINDING = {"||": 1, "&&": 2, "==": 3, "!=": 3, "<": 4, "<=": 4, ">": 4, ">=": 4}
_NOT_BINDING = 5
_MAX_DEPTH = 60
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<sign>&&|\|\||==|!=|<=|>=|[<>!()\[\].])
    | (?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)
    | (?P<text>'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"\\]|\\.)*")
    | \{(?P<braced>\$[^{}]*)\}
    | (?P<reference>\$[A-Za-z]+(?:\.[A-Za-z0-9_\-]+)*(?:\#(?:/(?:[^\s/(){}\[\]<>=!&|,'"]|~[01])*)*)?)
    | (?P<word>[A-Za-z_][A-Za-z0-9_\-]*)
    | (?P<end>$)
    )""",
    re.VERBOSE,
)
_WORDS = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int


class _Parser:
    """Precedence climbing: `expression(n)` reads everything that binds tighter than n."""

    def __init__(self, text: str, on_double_quotes: Callable[[], bool]) -> None:
        self._text = text
        self._on_double_quotes = on_double_quotes
        self._tokens = list(_tokens(text))
        self._next = 0
        self._depth = 0

    def expression(self, floor: int) -> Node:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._error("the condition is too deeply nested")
        left = self._postfix(self._prefix())
        while _BINDING.get(self._sign(), 0) > floor:
            sign = self._take().text
            left = Binary(sign, left, self.expression(_BINDING[sign]))
        self._depth -= 1
        return left

    def expect_end(self) -> None:
        if self._peek().kind != "end":
            raise self._error(f"{self._peek().text!r} was not expected")

    def _prefix(self) -> Node:
        token = self._take()
        if token.text == "!" and token.kind == "sign":
            return Not(self.expression(_NOT_BINDING))
        if token.text == "(" and token.kind == "sign":
            inner = self.expression(0)
            self._expect(")")
            return inner
        return self._operand(token)

    def _operand(self, token: _Token) -> Node:
        if token.kind == "number":
            return Constant(self._number(token))
        if token.kind == "text":
            return Constant(token.text[1:-1].replace("''", "'"))
        if token.kind == "quoted" and self._on_double_quotes():
            return Constant(re.sub(r"\\(.)", r"\1", token.text[1:-1]))
        if token.kind == "word" and token.text in _WORDS:
            return Constant(_WORDS[token.text])
        if token.kind in ("reference", "braced"):
            return Reference(self._reference(token))
        raise self._refusal(token)

    def _number(self, token: _Token) -> float | int:
        value = number(token.text)
        if value is None:
            raise ConditionError(self._text, token.column, "this number is too long")
        return value

    def _reference(self, token: _Token) -> Expression:
        try:
            return parse(token.text)
        except ExpressionError as error:
            raise ConditionError(self._text, token.column, error.message) from error

    def _postfix(self, left: Node) -> Node:
        while self._sign() in (".", "["):
            if self._take().text == ".":
                left = Member(left, Constant(self._name()))
            else:
                left = Member(left, self.expression(0))
                self._expect("]")
        return left

    def _name(self) -> str:
        token = self._take()
        if token.kind not in ("word", "number"):
            raise ConditionError(self._text, token.column, "a name was expected after `.`")
        return token.text

    def _sign(self) -> str:
        token = self._peek()
        return token.text if token.kind == "sign" else ""

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        if token.kind != "end":
            self._next += 1
        return token

    def _expect(self, sign: str) -> None:
        if self._sign() != sign:
            raise self._error(f"{sign!r} was expected")
        self._take()

    def _error(self, problem: str) -> ConditionError:
        return ConditionError(self._text, self._peek().column, problem)

    def _refusal(self, token: _Token) -> ConditionError:
        if token.kind == "end":
            return ConditionError(self._text, token.column, "a value was expected")
        if token.kind == "quoted":
            return ConditionError(self._text, token.column, "texts stand in single quotes")
        if token.kind == "word":
            return ConditionError(self._text, token.column, f"{token.text!r} needs single quotes to be a text")
        return ConditionError(self._text, token.column, f"{token.text!r} was not expected")


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while True:
        match = _TOKEN.match(text, at)
        if match is None:
            gap = len(text) - len(text[at:].lstrip()) + 1
            raise ConditionError(text, gap, f"{text[gap - 1]!r} was not expected")
        kind = str(match.lastgroup)
        yield _Token(kind, match.group(kind), match.start(kind) + 1)
        if kind == "end":
            return
        at = match.end()


def _equal_truths(left: Any, right: Any) -> bool:
    """A truth value equals itself and the word for it, never a number."""
    words = [str(side).casefold() for side in (left, right) if isinstance(side, (bool, str))]
    return len(words) == 2 and words[0] == words[1]


def _is_word(value: Any) -> bool:
    return value is None or isinstance(value, bool)
