"""A text brought into JSON: an object of its own, or one that a JSON Schema asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from heddle.domain import JSON
from heddle.engines.scribe.tasks import Task
from heddle.errors import EngineFailed

#: Deeper than this no schema is filled.
_DEPTH = 8


def shape(text: str, task: Task, schema: JSON | None) -> dict[str, Any]:
    """Without a schema: the kind and the text, and what it lists. Raises EngineFailed for a schema it cannot fill."""
    if schema is None:
        return {"task": task.kind, "subject": task.subject, "text": text} | (
            {"items": [line.partition(". ")[2] for line in text.splitlines()]} if task.kind == "variations" else {}
        )
    inner: Any = schema.get("schema", schema)
    made = _fill(cast("JSON", inner) if isinstance(inner, Mapping) else {}, text, task, 0)
    if not isinstance(made, dict):
        raise EngineFailed(
            "responseFormat.jsonSchema asks for something that is no object; scribe answers objects only"
        )
    return _checked(cast("dict[str, Any]", made), cast("JSON", inner))


def _checked(made: dict[str, Any], schema: JSON) -> dict[str, Any]:
    from jsonschema import SchemaError, ValidationError, validate  # noqa: PLC0415 - only where a schema is given

    try:
        validate(made, schema)  # pyright: ignore[reportUnknownMemberType]
    except SchemaError as error:
        raise EngineFailed(f"responseFormat.jsonSchema is no JSON Schema: {error.message}") from error
    except ValidationError as error:
        raise EngineFailed(f"scribe cannot fill responseFormat.jsonSchema: {error.message}") from error
    return made


def _fill(schema: JSON, text: str, task: Task, depth: int, name: str = "") -> Any:
    if depth > _DEPTH:
        raise EngineFailed(f"responseFormat.jsonSchema is nested deeper than {_DEPTH} levels")
    fixed: Any = schema.get("const", schema.get("default", next(iter(schema.get("enum", ())), None)))
    if fixed is not None:
        return fixed
    kind: Any = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next(iter(cast("list[str]", kind)), "string")
    if kind == "object":
        members = cast("Mapping[str, JSON]", schema.get("properties", {}))
        return {key: _fill(member, text, task, depth + 1, key) for key, member in members.items()}
    if kind == "array":
        return _items(schema, text, task, depth)
    return _value(str(kind), schema, text, task, name)


def _value(kind: str, schema: JSON, text: str, task: Task, name: str) -> Any:
    if kind in {"integer", "number"}:
        return max(schema.get("minimum", 0), min(schema.get("maximum", task.count), task.count))
    if kind in {"boolean", "null"}:
        return (task.kind != "unable") if kind == "boolean" else None
    found = task.subject if name.lower() in {"subject", "input", "original"} else text
    return found[: int(schema.get("maxLength", len(found)))]


def _items(schema: JSON, text: str, task: Task, depth: int) -> list[Any]:
    """The words of a list of tags, the lines of variations, or the one text."""
    parts = text.split(", ") if task.kind in {"tags", "negative", "enhance"} else text.splitlines()
    most = min(int(schema.get("maxItems", 10)), 100)
    wanted = max(int(schema.get("minItems", 1)), min(len(parts), most))
    inner = cast("JSON", schema.get("items", {}))
    return [_fill(inner, parts[i % len(parts)], task, depth + 1) for i in range(min(wanted, 100))]
