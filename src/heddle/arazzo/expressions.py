"""Runtime expressions: a grammar (`parse`), a small tree per expression, and evaluation against a `Scope`.

The grammar is that of Arazzo 1.1, which only makes precise what 1.0 means. Nothing here runs code from a document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from heddle.errors import HeddleError


class ExpressionError(HeddleError):
    """A text that is not a runtime expression, or one that names nothing. `code` is one of `findings.RULES`."""

    def __init__(self, message: str, code: str = "bad-expression") -> None:
        super().__init__(message)
        self.code = code


class _Absent:
    """What an expression yields when there is nothing at its end; null is a value, this is not."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT = _Absent()


@dataclass(slots=True)
class Message:
    """One side of an HTTP call. Header names are in lower case."""

    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    query: Mapping[str, Any] = field(default_factory=dict[str, Any])
    path: Mapping[str, Any] = field(default_factory=dict[str, Any])
    body: Any = ABSENT


@dataclass(slots=True)
class Call:
    """The HTTP call of the step that is being looked at; without an answer, `status` is None."""

    method: str
    url: str
    request: Message
    response: Message = field(default_factory=Message)
    status: int | None = None


@dataclass(slots=True)
class Scope:
    """Everything that an expression can reach."""

    inputs: Mapping[str, Any]
    steps: Mapping[str, Mapping[str, Any]]
    workflows: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(
        default_factory=dict[str, Mapping[str, Mapping[str, Any]]]
    )
    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    outputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    call: Call | None = None
    self_uri: str | None = None


Pointer: TypeAlias = tuple[str, ...] | None
"""A JSON Pointer cut into its unescaped tokens; None where the expression has no `#`."""


@dataclass(frozen=True, slots=True)
class CallField:
    """`$url`, `$method` or `$statusCode`."""

    name: str

    def value(self, scope: Scope) -> Any:
        call = scope.call
        if call is None:
            return ABSENT
        found = {"url": call.url, "method": call.method, "statusCode": call.status}[self.name]
        return ABSENT if found is None else found

    def __str__(self) -> str:
        return f"${self.name}"


@dataclass(frozen=True, slots=True)
class MessageField:
    """`$request.header.X`, `$request.query.q`, `$request.path.p` and the same of `$response`."""

    side: str
    part: str
    name: str

    def value(self, scope: Scope) -> Any:
        if scope.call is None:
            return ABSENT
        message = scope.call.request if self.side == "request" else scope.call.response
        if self.part == "header":
            return message.headers.get(self.name.lower(), ABSENT)
        return (message.query if self.part == "query" else message.path).get(self.name, ABSENT)

    def __str__(self) -> str:
        return f"${self.side}.{self.part}.{self.name}"


@dataclass(frozen=True, slots=True)
class Body:
    """`$request.body` or `$response.body`, as a whole, by pointer, or (a leniency) by dots."""

    side: str
    pointer: Pointer = None
    dotted: bool = False

    def value(self, scope: Scope) -> Any:
        if scope.call is None:
            return ABSENT
        message = scope.call.request if self.side == "request" else scope.call.response
        return follow(message.body, self.pointer)

    def __str__(self) -> str:
        if self.dotted:
            return ".".join((f"${self.side}.body", *(self.pointer or ())))
        return f"${self.side}.body{_written(self.pointer)}"


@dataclass(frozen=True, slots=True)
class Input:
    """`$inputs.name`."""

    name: str
    pointer: Pointer = None

    def value(self, scope: Scope) -> Any:
        return follow(named(scope.inputs, self.name), self.pointer)

    def __str__(self) -> str:
        return f"$inputs.{self.name}{_written(self.pointer)}"


@dataclass(frozen=True, slots=True)
class Output:
    """`$outputs.name`: an output of the Arazzo workflow in hand (for a step that runs one: of that one)."""

    name: str
    pointer: Pointer = None

    def value(self, scope: Scope) -> Any:
        return follow(named(scope.outputs, self.name), self.pointer)

    def __str__(self) -> str:
        return f"$outputs.{self.name}{_written(self.pointer)}"


@dataclass(frozen=True, slots=True)
class StepOutput:
    """`$steps.step.outputs.name`."""

    step: str
    name: str
    pointer: Pointer = None

    def value(self, scope: Scope) -> Any:
        outputs = scope.steps.get(self.step)
        return ABSENT if outputs is None else follow(named(outputs, self.name), self.pointer)

    def __str__(self) -> str:
        return f"$steps.{self.step}.outputs.{self.name}{_written(self.pointer)}"


@dataclass(frozen=True, slots=True)
class WorkflowField:
    """`$workflows.id.inputs.name` or `$workflows.id.outputs.name`."""

    workflow: str
    part: str
    name: str
    pointer: Pointer = None

    def value(self, scope: Scope) -> Any:
        parts = scope.workflows.get(self.workflow)
        return ABSENT if parts is None else follow(named(parts.get(self.part, {}), self.name), self.pointer)

    def __str__(self) -> str:
        return f"$workflows.{self.workflow}.{self.part}.{self.name}{_written(self.pointer)}"


@dataclass(frozen=True, slots=True)
class SourceField:
    """`$sourceDescriptions.name.reference`."""

    source: str
    reference: str

    def value(self, scope: Scope) -> Any:
        return scope.sources.get(self.source, {}).get(self.reference, ABSENT)

    def __str__(self) -> str:
        return f"$sourceDescriptions.{self.source}.{self.reference}"


@dataclass(frozen=True, slots=True)
class Component:
    """`$components.kind.name`; it names a part of the document and has no value in a run."""

    kind: str
    name: str

    def value(self, scope: Scope) -> Any:
        return ABSENT

    def __str__(self) -> str:
        return f"$components.{self.kind}.{self.name}"


@dataclass(frozen=True, slots=True)
class SelfUri:
    """`$self`, as the document has it."""

    def value(self, scope: Scope) -> Any:
        return ABSENT if scope.self_uri is None else scope.self_uri

    def __str__(self) -> str:
        return "$self"


@dataclass(frozen=True, slots=True)
class Selected:
    """A Selector Object: what `pick` finds in the value of `context`. `embedded` are expressions in the selector."""

    context: Expression
    kind: str
    selector: str
    pick: Callable[[Any, Scope], Any] = field(compare=False, repr=False)
    embedded: tuple[Expression, ...] = ()

    def value(self, scope: Scope) -> Any:
        value = self.context.value(scope)
        return ABSENT if value is ABSENT else self.pick(value, scope)

    def __str__(self) -> str:
        return f"{self.context} by {self.kind} {self.selector}"


Expression: TypeAlias = (
    CallField
    | MessageField
    | Body
    | Input
    | Output
    | StepOutput
    | WorkflowField
    | SourceField
    | Component
    | SelfUri
    | Selected
)

_STRICT_ID = r"[A-Za-z0-9_\-]+"
_ID = r"[A-Za-z0-9._\-]+"
_POINTER = r"(?:#(?P<pointer>(?:/(?:[^/~{}]|~[01])*)*))?"
_HEADER_NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_GRAMMAR = tuple(
    (re.compile(pattern, re.DOTALL), kind)
    for pattern, kind in (
        (r"\$(?P<name>url|method|statusCode)", CallField),
        (r"\$self", SelfUri),
        (rf"\$(?P<side>request|response)\.(?P<part>header)\.(?P<name>{_HEADER_NAME})", MessageField),
        (r"\$(?P<side>request|response)\.(?P<part>query|path)\.(?P<name>[^{}]+)", MessageField),
        (rf"\$(?P<side>request|response)\.body(?P<dotted>(?:\.{_STRICT_ID})*){_POINTER}", Body),
        (rf"\$inputs\.(?P<name>{_ID}){_POINTER}", Input),
        (rf"\$outputs\.(?P<name>{_ID}){_POINTER}", Output),
        (rf"\$steps\.(?P<step>{_STRICT_ID})\.outputs\.(?P<name>{_ID}){_POINTER}", StepOutput),
        (
            rf"\$workflows\.(?P<workflow>{_STRICT_ID})\.(?P<part>inputs|outputs)\.(?P<name>{_ID}){_POINTER}",
            WorkflowField,
        ),
        (rf"\$sourceDescriptions\.(?P<source>{_STRICT_ID})\.(?P<reference>[^{{}}]+)", SourceField),
        (
            rf"\$components\.(?P<kind>parameters|successActions|failureActions|inputs)\.(?P<name>{_ID})",
            Component,
        ),
    )
)
_ROOTS = re.compile(
    r"\$(?:url|method|statusCode|self)\b|\$(?:request|response|inputs|outputs|steps|workflows|sourceDescriptions|components|message)\."
)


def parse(text: str) -> Expression:
    """Read one whole expression, or raise ExpressionError."""
    for pattern, kind in _GRAMMAR:
        match = pattern.fullmatch(text)
        if match is not None:
            return _build(kind, match)
    raise ExpressionError(_complaint(text))


def looks_like_one(text: str) -> bool:
    """Whether `text` starts like a runtime expression, well formed or not."""
    return _ROOTS.match(text) is not None


def follow(value: Any, pointer: Pointer) -> Any:
    """The value at the end of a JSON Pointer, or ABSENT."""
    for token in pointer or ():
        if isinstance(value, dict):
            value = value.get(token, ABSENT)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        elif isinstance(value, list) and _is_index(token) and int(token) < len(value):  # pyright: ignore[reportUnknownArgumentType]
            value = value[int(token)]  # pyright: ignore[reportUnknownVariableType]
        else:
            return ABSENT
    return value  # pyright: ignore[reportUnknownVariableType]


def named(values: Mapping[str, Any], name: str) -> Any:
    """`values[name]`; a name with dots may also be a way into an object: `customer.address.city`."""
    found = values.get(name, ABSENT)
    if found is not ABSENT or "." not in name:
        return found
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        head = values.get(".".join(parts[:end]), ABSENT)
        if head is not ABSENT:
            return follow(head, tuple(parts[end:]))
    return ABSENT


def pointer_tokens(text: str) -> tuple[str, ...]:
    """Cut a JSON Pointer into tokens. The empty text is the whole value."""
    if text and not text.startswith("/"):
        raise ExpressionError(f"{text!r} is not a JSON Pointer; it must start with `/`")
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in text.split("/")[1:])


def _build(kind: type[Expression], match: re.Match[str]) -> Expression:
    parts: dict[str, Any] = match.groupdict()
    if "pointer" in parts:
        parts["pointer"] = None if parts["pointer"] is None else pointer_tokens(parts["pointer"])
    if kind is Body and parts["dotted"]:
        names = tuple(parts["dotted"].split(".")[1:])
        return Body(parts["side"], names + (parts["pointer"] or ()), dotted=True)
    parts.pop("dotted", None)
    return kind(**parts)


def _complaint(text: str) -> str:
    if text.startswith("$message."):
        return f"{text!r} needs AsyncAPI; this runner speaks HTTP, where there is a $response"
    if text.startswith("$steps.") and ".outputs." not in text:
        return f"{text!r} is not a runtime expression; write $steps.<stepId>.outputs.<name>"
    if looks_like_one(text):
        return f"{text!r} is not a runtime expression"
    return f"{text!r} is not a runtime expression; those start with $inputs., $steps., $response. and the like"


def _written(pointer: Pointer) -> str:
    if pointer is None:
        return ""
    return "#" + "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in pointer)


def _is_index(text: str) -> bool:
    return re.fullmatch(r"0|[1-9][0-9]{0,9}", text) is not None
