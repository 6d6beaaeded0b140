"""What every request model shares: null means absent, every bad field is listed by path, placeholders are refused."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar, cast

import msgspec
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from heddle.errors import InvalidRequest, TooLarge

M = TypeVar("M", bound=BaseModel)

#: A whole value that is an unresolved Arazzo expression: the client forgot to fill it in.
_PLACEHOLDER = re.compile(r"^\{?\$(?:inputs|steps|outputs|workflows|response|request|components)\b[.#\w/-]*\}?$")

#: A document deeper than this is an attack, not a request.
_DEPTH = 64

#: And so is one with more values: each costs a hundred times more to look at than its two bytes cost to send.
_VALUES = 100_000

#: How many bad fields an answer lists; its message says how many more there are.
LISTED = 50


class Wire(BaseModel):
    """The base of everything that comes in: camelCase on the wire, snake_case here, unknown members ignored."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)


def parse(model: type[M], body: bytes | str) -> M:
    """A JSON body as `model`. Raises InvalidRequest with every bad field."""
    return validate(model, decode(body))


def decode(body: bytes | str, *, keep_null: bool = False) -> Any:
    """JSON without nulls (unless they mean something) or placeholders. Raises InvalidRequest and TooLarge."""
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InvalidRequest.of("body", f"not valid JSON: {error}") from error
    walk = _Walk()
    cleaned = walk.clean(raw)
    if walk.problems:
        raise InvalidRequest(_summary(walk.problems, walk.more), walk.problems)
    return raw if keep_null else cleaned


def refuse_placeholder(name: str, value: str) -> None:
    """A parameter whose whole value is an unresolved expression. Raises InvalidRequest."""
    if problem := _problem_of(value):
        raise InvalidRequest.of(name, problem)


def validate(model: type[M], value: Any, prefix: str = "") -> M:
    """A decoded value as `model`; paths in errors start with `prefix`."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise refused(error, prefix) from error


def refused(error: ValidationError, prefix: str = "") -> InvalidRequest:
    """pydantic's complaints as ours, by path; the first so many."""
    problems: dict[str, list[str]] = {}
    more: set[str] = set()
    for item in error.errors(include_url=False):
        where = path(item["loc"], prefix)
        if where not in problems and len(problems) == LISTED:
            more.add(where)
            continue
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] != "missing" and not isinstance(item["input"], Mapping | list):
            message = f"{message}, not {_short(item['input'])}"
        problems.setdefault(where, []).append(message)
    return InvalidRequest(_summary(problems, len(more)), problems)


def at_most(count: int) -> BeforeValidator:
    """Look at a list's length before its items are looked at: a thousand times too many cost no more than one."""

    def check(value: object) -> object:
        if (given := _length(value)) > count:
            raise ValueError(f"at most {count} items are taken, and there are {given}")
        return value

    return BeforeValidator(check)


def _said(value: str) -> str:
    if not value.strip():
        raise ValueError("is blank; say something")
    return value


#: A text that says something.
Said = Annotated[str, AfterValidator(_said)]


def _length(value: object) -> int:
    return len(cast("list[Any]", value)) if isinstance(value, list) else 0


def count_values(value: Any) -> int:
    """How many values a decoded document has, containers included."""
    found, waiting = 0, [value]
    while waiting:
        found += 1
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(cast("dict[str, Any]", item).values())
        elif isinstance(item, list):
            waiting.extend(cast("list[Any]", item))
    return found


def path(parts: Sequence[str | int], prefix: str = "") -> str:
    """`("steps", 0, "input")` as `steps[0].input`."""
    text = prefix
    for part in parts:
        name = f"[{part}]" if isinstance(part, int) else _cut(part)
        text += f".{name}" if text and isinstance(part, str) else name
    return text or "body"


def _summary(problems: Mapping[str, list[str]], more: int = 0) -> str:
    first, messages = next(iter(problems.items()))
    others = len(problems) - 1 + more
    return f"{first}: {messages[0]}{f' (and {others} more fields)' if others else ''}"


def _short(value: object) -> str:
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."


class _Walk:
    """One walk over a decoded document. Paths are put together only for what is wrong: a name may be long."""

    def __init__(self) -> None:
        self.problems: dict[str, list[str]] = {}
        #: How many further problems there are.
        self.more = 0
        self._at: list[str | int] = []
        self._left = _VALUES

    def clean(self, value: Any) -> Any:
        """The value without nulls. Raises TooLarge."""
        if isinstance(value, dict):
            members = cast("dict[str, Any]", value)
            self._count(len(members))
            return {name: self._inside(name, item) for name, item in members.items() if item is not None}
        if isinstance(value, list):
            items = cast("list[Any]", value)
            self._count(len(items))
            return [self._inside(i, item) for i, item in enumerate(items) if item is not None]
        if isinstance(value, str) and (problem := _problem_of(value)):
            self._refuse(problem)
        return value

    def _inside(self, part: str | int, value: Any) -> Any:
        self._at.append(part)
        if len(self._at) > _DEPTH:
            self._refuse(f"nested deeper than {_DEPTH} levels")
            value = None
        else:
            value = self.clean(value)
        self._at.pop()
        return value

    def _count(self, values: int) -> None:
        self._left -= values
        if self._left < 0:
            raise TooLarge(f"the body has more than {_VALUES} values")

    def _refuse(self, problem: str) -> None:
        if len(self.problems) == LISTED:
            self.more += 1
        else:
            self.problems[path(self._at)] = [problem]


def _problem_of(text: str) -> str | None:
    if _PLACEHOLDER.match(text):
        return f"{_short(text)} is an expression that the client did not resolve"
    return "contains a NUL character" if "\x00" in text else None
