"""JSON Schemas of documents, applied within bounds.

A schema can say much with little: references that refer to themselves or unfold without end, regular expressions that
take for ever, references to files and addresses. Nothing is ever fetched, and what could take long is worked out in a
process that can be ended (`bounded`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from heddle.arazzo import bounded
from heddle.arazzo.conditions import Undecidable
from heddle.arazzo.expressions import ABSENT, ExpressionError, follow, pointer_tokens
from heddle.arazzo.patterns import is_harmless
from heddle.errors import HeddleError

MAX_PARTS = 5_000
_MAX_DEPTH = 200


class BadSchema(HeddleError):
    """What is not a JSON Schema, or cannot be applied."""


def problems(schema: Mapping[str, Any], values: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What does not fit: a JSON path, a message, and the name of the value it is about. Raises BadSchema."""
    if _parts(schema, schema) <= MAX_PARTS and _patterns_are_harmless(schema, values):
        return problems_of(schema, values)
    try:
        return bounded.call("heddle.arazzo.schemas:problems_of", schema, values)
    except Undecidable as error:
        raise BadSchema("the schema takes too long to apply, or too much memory") from error


def problems_of(schema: Mapping[str, Any], values: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The same without bounds."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - a tenth of a second that --help need not pay
    from jsonschema.exceptions import SchemaError, ValidationError  # noqa: PLC0415
    from referencing.exceptions import Unresolvable  # noqa: PLC0415
    from referencing.jsonschema import EMPTY_REGISTRY  # noqa: PLC0415

    try:
        Draft202012Validator.check_schema(schema)
        validator: Any = Draft202012Validator(schema, registry=EMPTY_REGISTRY)
        errors: list[ValidationError] = list(validator.iter_errors(values))
    except SchemaError as error:
        raise BadSchema(f"{'.'.join(map(str, error.absolute_path)) or 'it'}: {error.message}") from error
    except Unresolvable as error:
        raise BadSchema(f"it refers to {error.ref!r}, which is not in this document; nothing is fetched") from error
    except RecursionError as error:
        raise BadSchema("it refers to itself without end, or is nested too deep") from error
    except (re.error, OverflowError) as error:
        raise BadSchema(f"a pattern is no regular expression: {error}") from error
    return [(error.json_path, error.message, str(next(iter(error.absolute_path), ""))) for error in errors]


def check(schema: Mapping[str, Any]) -> None:
    """Raises BadSchema for what is not a JSON Schema."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - a tenth of a second that --help need not pay
    from jsonschema.exceptions import SchemaError  # noqa: PLC0415

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise BadSchema(f"{'.'.join(map(str, error.absolute_path)) or 'they'}: {error.message}") from error
    except RecursionError as error:
        raise BadSchema("they are nested too deep") from error


def _parts(schema: Mapping[str, Any], root: Any) -> int:
    """How many schemas there are once every local reference is unfolded; a circle counts once."""
    return _Unfolding(root).count({key: value for key, value in schema.items() if key != "components"}, 0)


class _Unfolding:
    """Counts each part once and multiplies, so that the count itself takes no time."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._known: dict[int, int] = {}

    def count(self, value: Any, depth: int) -> int:
        if not isinstance(value, (dict, list)) or depth > _MAX_DEPTH:
            return 1
        key = id(cast("object", value))
        if key not in self._known:
            self._known[key] = 1
            total = sum(self.count(child, depth + 1) for child in _inside(cast("Any", value), self._root))
            self._known[key] = min(1 + total, MAX_PARTS + 1)
        return self._known[key]


def _inside(value: dict[str, Any] | list[Any], root: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from value
        return
    yield from value.values()
    reference = value.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        try:
            target = follow(root, pointer_tokens(reference[1:]))
        except ExpressionError:
            return
        if target is not ABSENT:
            yield target


def _patterns_are_harmless(schema: Any, values: Mapping[str, Any]) -> bool:
    patterns = list(_patterns(schema))
    if not patterns:
        return True
    longest = max((len(text) for text in _texts(values)), default=0)
    return all(is_harmless(pattern, longest) for pattern in patterns)


def _patterns(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        if isinstance(fields.get("pattern"), str):
            yield fields["pattern"]
        if isinstance(fields.get("patternProperties"), dict):
            yield from fields["patternProperties"]
        for member in fields.values():
            yield from _patterns(member)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _patterns(item)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, member in cast("dict[str, Any]", value).items():
            yield name
            yield from _texts(member)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _texts(item)
