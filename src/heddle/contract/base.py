"""What every request model shares: null means absent, every bad field is listed by path, placeholders are refused."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

import msgspec
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from heddle.errors import InvalidRequest

M = TypeVar("M", bound=BaseModel)

#: A whole value that is an unresolved Arazzo expression: the client forgot to fill it in.
_PLACEHOLDER = re.compile(r"^\{?\$(?:inputs|steps|outputs|workflows|response|request|components)\b[.#\w/-]*\}?$")

#: A document deeper than this is an attack, not a request.
_DEPTH = 64


class Wire(BaseModel):
    """The base of everything that comes in: camelCase on the wire, snake_case here, unknown members ignored."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)


def parse(model: type[M], body: bytes | str) -> M:
    """A JSON body as `model`. Raises InvalidRequest with every bad field."""
    return validate(model, decode(body))


def decode(body: bytes | str, *, keep_null: bool = False) -> Any:
    """JSON with nulls dropped (unless they mean something) and placeholders refused. Raises InvalidRequest."""
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest.of("body", f"not valid JSON: {error}") from error
    problems: dict[str, list[str]] = {}
    cleaned = _clean(raw, "", problems, 0)
    if keep_null:
        cleaned = raw
    if problems:
        raise InvalidRequest(_summary(problems), problems)
    return cleaned


def refuse_placeholder(name: str, value: str) -> None:
    """A parameter whose whole value is an unresolved expression. Raises InvalidRequest."""
    problems: dict[str, list[str]] = {}
    _check_text(value, name, problems)
    if problems:
        raise InvalidRequest(_summary(problems), problems)


def validate(model: type[M], value: Any, prefix: str = "") -> M:
    """A decoded value as `model`; paths in errors start with `prefix`."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise refused(error, prefix) from error


def refused(error: ValidationError, prefix: str = "") -> InvalidRequest:
    """pydantic's complaints as ours, by path."""
    problems: dict[str, list[str]] = {}
    for item in error.errors(include_url=False):
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] != "missing" and not isinstance(item["input"], Mapping | list):
            message = f"{message}, not {_short(item['input'])}"
        problems.setdefault(path(item["loc"], prefix), []).append(message)
    return InvalidRequest(_summary(problems), problems)


def path(parts: Sequence[str | int], prefix: str = "") -> str:
    """`("steps", 0, "input")` as `steps[0].input`."""
    text = prefix
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "body"


def _summary(problems: Mapping[str, list[str]]) -> str:
    first, messages = next(iter(problems.items()))
    more = f" (and {len(problems) - 1} more fields)" if len(problems) > 1 else ""
    return f"{first}: {messages[0]}{more}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _clean(value: Any, where: str, problems: dict[str, list[str]], depth: int) -> Any:
    if depth > _DEPTH:
        problems[where or "body"] = [f"nested deeper than {_DEPTH} levels"]
        return None
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {
            key: _clean(item, f"{where}.{key}" if where else key, problems, depth + 1)
            for key, item in members.items()
            if item is not None
        }
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [_clean(item, f"{where}[{i}]", problems, depth + 1) for i, item in enumerate(items) if item is not None]
    if isinstance(value, str):
        _check_text(value, where, problems)
    return value


def _check_text(value: str, where: str, problems: dict[str, list[str]]) -> None:
    if _PLACEHOLDER.match(value):
        problems[where or "body"] = [f"{_short(value)} is an expression that the client did not resolve"]
    elif "\x00" in value:
        problems[where or "body"] = ["contains a NUL character"]
