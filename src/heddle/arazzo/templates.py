"""Values of a document that hold runtime expressions: compiled once, rendered at every use.

A text that is one whole expression keeps the type of its value; inside a longer text the value becomes text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from heddle.arazzo.conditions import Undecidable
from heddle.arazzo.expressions import (
    ABSENT,
    Expression,
    ExpressionError,
    Input,
    Scope,
    Selected,
    StepOutput,
    looks_like_one,
    parse,
)
from heddle.arazzo.files import FileValue
from heddle.arazzo.leniency import Leniency
from heddle.arazzo.selectors import KINDS, SelectorError, compile_selector
from heddle.arazzo.tree import Place
from heddle.errors import UsageError


@dataclass(frozen=True, slots=True)
class Literal:
    """A value without expressions."""

    value: Any

    def render(self, scope: Scope, absent: list[Expression]) -> Any:
        return self.value


@dataclass(frozen=True, slots=True)
class Whole:
    """A text that is one expression."""

    expression: Expression

    def render(self, scope: Scope, absent: list[Expression]) -> Any:
        value = self.expression.value(scope)
        if value is ABSENT:
            absent.append(self.expression)
        return value


@dataclass(frozen=True, slots=True)
class Text:
    """A text with expressions inside; absent as a whole as soon as one of them is."""

    parts: tuple[str | Expression, ...]

    def render(self, scope: Scope, absent: list[Expression]) -> Any:
        before = len(absent)
        text = self.fill(scope, absent)
        return ABSENT if len(absent) > before else text

    def fill(self, scope: Scope, absent: list[Expression]) -> str:
        """The text, with nothing in the place of what is absent."""
        return "".join(part if isinstance(part, str) else _embedded(part, scope, absent) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Items:
    """A list; absent items are left out."""

    items: tuple[Template, ...]

    def render(self, scope: Scope, absent: list[Expression]) -> Any:
        rendered = (item.render(scope, absent) for item in self.items)
        return [value for value in rendered if value is not ABSENT]


@dataclass(frozen=True, slots=True)
class Members:
    """An object; absent members are left out."""

    members: tuple[tuple[str, Template], ...]

    def render(self, scope: Scope, absent: list[Expression]) -> Any:
        rendered = ((name, member.render(scope, absent)) for name, member in self.members)
        return {name: value for name, value in rendered if value is not ABSENT}


Template: TypeAlias = Literal | Whole | Text | Items | Members

_MAX_UNBRACED = 400
_BRACED = re.compile(r"\{(\$[^{}]*)\}")
_UNBRACED = re.compile(
    r"\$(?:url|method|statusCode)\b"
    r"|\$(?:request|response|inputs|outputs|steps|workflows)(?:\.[A-Za-z0-9_\-]+)+(?:#(?:/[^\s/{}\"'<>,;&?]*)*)?"
)


@dataclass(frozen=True, slots=True)
class Compiler:
    """Compiles the values of one Arazzo workflow; `inputs` and `steps` are the names that resolve there.

    `selectors` says whether Selector Objects are read, which came with Arazzo 1.1.
    """

    leniency: Leniency
    inputs: Collection[str]
    steps: Collection[str]
    selectors: bool = False

    def value(self, value: Any, place: Callable[[], Place] | None = None) -> Template:
        """Any value of a document."""
        if isinstance(value, str):
            return self.text(value, place)
        if isinstance(value, list):
            items = cast("list[Any]", value)
            return _settled(Items(tuple(self.value(item, place) for item in items)), items)
        if isinstance(value, dict):
            members = cast("Mapping[str, Any]", value)
            if self.selectors and is_selector(members):
                return Whole(self._selected(members, place))
            compiled = Members(tuple((name, self.value(member, place)) for name, member in members.items()))
            return _settled(compiled, members)
        return Literal(value)

    def text(self, text: str, place: Callable[[], Place] | None = None) -> Template:
        if "$" not in text:
            return Literal(text)
        found = _whole(text)
        if found is not None:
            return Whole(self.checked(found, place))
        whole = _BRACED.fullmatch(text)
        if whole is not None:
            return Whole(self.checked(parse(whole.group(1)), place))
        parts = tuple(self._parts(text, place))
        return Text(parts) if any(not isinstance(part, str) for part in parts) else Literal(text)

    def embedded(self, text: str) -> Template:
        """A text in which only braces embed: a bare `$` is JSONPath's root and the end of a regular expression."""
        return Literal(text) if "{$" not in text else self._strict().text(text)

    def _strict(self) -> Compiler:
        return Compiler(Leniency(frozenset()), self.inputs, self.steps)

    def _selected(self, fields: Mapping[str, Any], place: Callable[[], Place] | None) -> Selected:
        """A Selector Object; its selector is compiled now unless expressions in it are to be filled in first."""
        context = self.text(str(fields["context"]), place)
        if not isinstance(context, Whole):
            raise ExpressionError(f"the context {fields['context']!r} is not a runtime expression")
        kind, version = selector_type(fields["type"])
        text = str(fields["selector"])
        selector = self.embedded(text)
        try:
            if isinstance(selector, Literal):
                compile_selector(kind, version, text)
        except SelectorError as error:
            raise ExpressionError(error.message, error.code) from error

        def pick(value: Any, scope: Scope) -> Any:
            return compile_selector(kind, version, filled(selector, scope)).pick(value)

        return Selected(context.expression, kind, text, pick, tuple(expressions_in(selector)))

    def checked(self, expression: Expression, place: Callable[[], Place] | None = None) -> Expression:
        """Refuse a name that nothing in the workflow can ever give."""
        if isinstance(expression, StepOutput) and expression.step not in self.steps:
            raise ExpressionError(
                f"{expression}: there is no step {expression.step!r} in this Arazzo workflow", "unknown-step"
            )
        if getattr(expression, "dotted", False) and not self.leniency.allows("dotted-body", place, str(expression)):
            raise ExpressionError(
                f"{expression}: write the way into the body as a JSON Pointer after `#`", "dotted-body"
            )
        return expression

    def _parts(self, text: str, place: Callable[[], Place] | None) -> Iterator[str | Expression]:
        end = 0
        for match in _BRACED.finditer(text):
            yield from self._unbraced(text[end : match.start()], place)
            yield self.checked(parse(match.group(1)), place)
            end = match.end()
        yield from self._unbraced(text[end:], place)

    def _unbraced(self, text: str, place: Callable[[], Place] | None) -> Iterator[str | Expression]:
        """Leave `$100 off` alone, expand `$inputs.name` when there is such an input."""
        end = 0
        for match in _UNBRACED.finditer(text):
            found = self._resolvable(match.group())
            if found is None or not self.leniency.allows("unbraced-expression", place, text):
                continue
            written, expression = found
            yield text[end : match.start()]
            yield expression
            end = match.start() + len(written)
        if end < len(text):
            yield text[end:]

    def _resolvable(self, candidate: str) -> tuple[str, Expression] | None:
        """The longest beginning of `candidate` that names something known: `$inputs.a-$inputs.b` is two."""
        while candidate and len(candidate) <= _MAX_UNBRACED:
            try:
                expression = self.checked(parse(candidate))
            except ExpressionError:
                pass
            else:
                if not isinstance(expression, Input) or _known(expression.name, self.inputs):
                    return candidate, expression
            candidate = candidate[: max(candidate.rfind(mark) for mark in ".-/#")] if "." in candidate else ""
        return None


def expressions_in(template: Template) -> Iterator[Expression]:
    """Every expression of a template."""
    if isinstance(template, Whole):
        yield from _parts_of(template.expression)
    elif isinstance(template, Text):
        yield from (part for part in template.parts if not isinstance(part, str))
    elif isinstance(template, Items):
        for item in template.items:
            yield from expressions_in(item)
    elif isinstance(template, Members):
        for _, member in template.members:
            yield from expressions_in(member)


def _parts_of(expression: Expression) -> Iterator[Expression]:
    """A Selector Object is looked at as the expressions that it is made of."""
    if isinstance(expression, Selected):
        yield expression.context
        yield from expression.embedded
    else:
        yield expression


def is_selector(fields: Mapping[str, Any]) -> bool:
    """A Selector Object has `context`, `selector` and a `type` that is known, and besides only extensions."""
    own = {name for name in fields if not name.startswith("x-")}
    return own == {"context", "selector", "type"} and selector_type(fields["type"])[0] in KINDS


def selector_type(value: Any) -> tuple[str, str | None]:
    """Type and version, as a text or as an Expression Type Object."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return str(fields.get("type")), str(fields["version"]) if "version" in fields else None
    return str(value), None


def filled(template: Template, scope: Scope) -> str:
    """A text with expressions in braces, filled in; raises Undecidable where one has no value."""
    if isinstance(template, Literal):
        return template.value
    absent: list[Expression] = []
    text = template.fill(scope, absent) if isinstance(template, Text) else template.render(scope, absent)
    if absent:
        raise Undecidable(f"{absent[0]}, which the condition needs, did not resolve")
    return as_text(text)


def as_text(value: Any) -> str:
    """A value inside a text: JSON for everything that is not text already."""
    if isinstance(value, FileValue):
        return value.text()
    if isinstance(value, bytes):
        return _decoded(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _decoded(value: bytes) -> str:
    """For places that hold text only: JSON, headers, queries."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"an answer of {len(value)} bytes is not text, and this place of the request holds text only",
            "send bytes as a multipart or binary body",
        ) from error


def _whole(text: str) -> Expression | None:
    """The expression that a text is; None for a text that at most begins with one."""
    if not looks_like_one(text):
        return None
    try:
        return parse(text)
    except ExpressionError:
        return None


def _embedded(expression: Expression, scope: Scope, absent: list[Expression]) -> str:
    value = expression.value(scope)
    if value is ABSENT:
        absent.append(expression)
        return ""
    return as_text(value)


def _settled(compiled: Items | Members, value: Any) -> Template:
    """A list or object without expressions is a literal."""
    children = compiled.items if isinstance(compiled, Items) else tuple(member for _, member in compiled.members)
    return Literal(value) if all(isinstance(child, Literal) for child in children) else compiled


def _known(name: str, names: Collection[str]) -> bool:
    return name in names or any(name.startswith(f"{known}.") for known in names)
