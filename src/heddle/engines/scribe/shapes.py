"""A text brought into JSON: an object of its own, or one that a JSON Schema asks for."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from typing import Any, cast

from heddle.domain import JSON
from heddle.engines.scribe import writing
from heddle.engines.scribe.tasks import Kind, Task
from heddle.errors import EngineFailed

#: Deeper than this no schema is filled.
_DEPTH = 8

#: Values of one answer: a list of lists of lists is small to ask for and large to give.
_VALUES = 1000
_LONGEST = 10_000

#: References in one schema: each may be followed twice at each level of those before it.
_REFERENCES = 20

#: Members that say by their name which text belongs there.
_NAMED: Mapping[str, Kind] = {
    "title": "title",
    "name": "title",
    "headline": "title",
    "caption": "caption",
    "alt": "caption",
    "alttext": "caption",
    "summary": "caption",
    "description": "describe",
    "story": "story",
    "negativeprompt": "negative",
    "tags": "tags",
    "keywords": "tags",
    "hashtags": "tags",
    "variations": "variations",
    "ideas": "variations",
    "prompt": "enhance",
    "enhancedprompt": "enhance",
}
_SUBJECTS = frozenset({"subject", "input", "original"})


def shape(text: str, task: Task, schema: JSON | None) -> dict[str, Any]:
    """Without a schema: the kind and the text, and what it lists. Raises EngineFailed for a schema it cannot fill."""
    if schema is None:
        return {"task": task.kind, "subject": task.subject, "text": text} | (
            {"items": [line.partition(". ")[2] for line in text.splitlines()]} if task.kind == "variations" else {}
        )
    inner: Any = schema.get("schema", schema)
    if not isinstance(inner, Mapping):
        raise EngineFailed("responseFormat.jsonSchema.schema is no JSON Schema: it must be an object")
    root = cast("JSON", inner)
    _check_schema(root)
    made = _Filling(root, text, task).value(root, "", 0)
    _check_value(made, root)
    if not isinstance(made, dict):
        raise EngineFailed(
            "responseFormat.jsonSchema asks for something that is no object; scribe answers objects only"
        )
    return cast("dict[str, Any]", made)


# ── the schema, which is somebody's, and what is made of it ───────────────────


def _check_schema(schema: JSON) -> None:
    """Nothing of it may run for long or fetch anything."""
    from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415 - only where a schema is given

    references = 0
    for where, at in _mappings(schema):
        references += "$ref" in at
        if references > _REFERENCES:
            raise EngineFailed(f"responseFormat.jsonSchema has more than {_REFERENCES} references")
        # A pattern can be made to take for ever; a member that is called so has a schema for its value.
        for word in ("pattern", "patternProperties"):
            if isinstance(at.get(word), str) or (word == "patternProperties" and word in at):
                raise EngineFailed(f"scribe cannot fill responseFormat.jsonSchema: {where}{word} is not supported")
        for word in ("$ref", "$dynamicRef"):
            if isinstance(at.get(word), str) and not at[word].startswith("#"):
                raise EngineFailed(
                    f"responseFormat.jsonSchema: {where}{word} {at[word]!r} leads out of the schema; use '#/$defs/...'"
                )
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise EngineFailed(f"responseFormat.jsonSchema is no JSON Schema: {error.message[:300]}") from error


def _mappings(value: Any, where: str = "") -> Iterator[tuple[str, JSON]]:
    if isinstance(value, Mapping):
        yield where, cast("JSON", value)
        for name, inner in cast("JSON", value).items():
            yield from _mappings(inner, f"{where}{name}.")
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from _mappings(inner, where)


def _check_value(made: Any, schema: JSON) -> None:
    from jsonschema import Draft202012Validator, ValidationError  # noqa: PLC0415 - only where a schema is given
    from referencing import Registry  # noqa: PLC0415
    from referencing.exceptions import Unresolvable  # noqa: PLC0415

    # An empty registry retrieves nothing: jsonschema's own would fetch what `$id` and `$ref` make together.
    nothing: Any = Registry()  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    try:
        Draft202012Validator(schema, registry=nothing).validate(made)  # pyright: ignore[reportUnknownMemberType]
    except ValidationError as error:
        raise EngineFailed(f"scribe cannot fill responseFormat.jsonSchema: {error.message[:300]}") from error
    except (Unresolvable, RecursionError) as error:
        raise EngineFailed("responseFormat.jsonSchema: a $ref leads nowhere, or round in a circle") from error


# ── filling ───────────────────────────────────────────────────────────────────


class _Filling:
    """One object for one schema, from one text."""

    def __init__(self, root: JSON, text: str, task: Task) -> None:
        self._root = root
        self._text = text
        self._task = task
        self._left = _VALUES

    def value(self, schema: Any, name: str, depth: int, text: str | None = None) -> Any:
        """What stands at one place; `text` is what a list has for it."""
        self._left -= 1
        if depth > _DEPTH or self._left < 0:
            most = (
                f"is nested deeper than {_DEPTH} levels" if depth > _DEPTH else f"asks for more than {_VALUES} values"
            )
            raise EngineFailed(f"responseFormat.jsonSchema {most}")
        found = self._plain(schema)
        if fixed := [found[word] for word in ("const", "default") if word in found]:
            return fixed[0]
        if found.get("enum"):
            return self._choice(found["enum"])
        kind = _kind(found)
        if kind in {"object", "array"}:
            return self._object(found, depth) if kind == "object" else self._array(found, name, depth)
        if kind in {"integer", "number"}:
            return _number(found, kind, self._task.count)
        if kind in {"boolean", "null"}:
            return (self._task.kind not in {"about", "unable"}) if kind == "boolean" else None
        return _fitted(text or self._written(name), found)

    def _plain(self, schema: Any) -> JSON:
        """A schema without references and alternatives: the first of those is taken."""
        found: dict[str, Any] = dict(cast("JSON", schema)) if isinstance(schema, Mapping) else {}
        for _ in range(_DEPTH):
            more: list[Any] = [self._pointed(found.pop("$ref"))] if "$ref" in found else []
            more += found.pop("allOf", [])
            more += [options[0] for word in ("anyOf", "oneOf") if (options := found.pop(word, []))]
            if not more:
                break
            for part in more:
                found = _merged(found, part)
        return found

    def _pointed(self, pointer: str) -> Any:
        at: Any = self._root
        for step in pointer.removeprefix("#").split("/")[1:]:
            at = cast("JSON", at).get(step.replace("~1", "/").replace("~0", "~")) if isinstance(at, Mapping) else None
        return at

    def _object(self, schema: JSON, depth: int) -> dict[str, Any]:
        members = cast("Mapping[str, Any]", schema.get("properties", {}))
        required = cast("list[str]", schema.get("required", []))
        # What may be left out is, where a schema holds itself.
        names = required if depth >= _DEPTH - 2 else dict.fromkeys((*members, *required))
        return {name: self.value(members.get(name, {}), name, depth + 1) for name in names}

    def _array(self, schema: JSON, name: str, depth: int) -> list[Any]:
        """The words of a list of tags, the lines of variations, or the one text."""
        first = [self.value(item, name, depth + 1) for item in schema.get("prefixItems", [])]
        parts = self._parts(name)
        least, most = int(schema.get("minItems", 0)), int(schema.get("maxItems", 10))
        count = max(least, min(max(len(parts), 1), most)) - len(first)
        item = schema.get("items", {})
        if item is False:
            return first
        rest = [self.value(item, name, depth + 1, _nth(parts, i)) for i in range(min(count, _VALUES + 1))]
        return first + rest

    def _parts(self, name: str) -> list[str]:
        kind = _NAMED.get(_bare(name), self._task.kind)
        text = self._written(name)
        if kind == "variations":
            return [line.partition(". ")[2] or line for line in text.splitlines()]
        return text.split(", ") if kind in {"tags", "negative", "enhance"} else text.splitlines()

    def _written(self, name: str) -> str:
        """The text for a member of this name."""
        bare = _bare(name)
        if bare in _SUBJECTS:
            return self._task.subject
        kind = _NAMED.get(bare)
        if kind is None or self._task.kind in {kind, "about", "unable"}:
            return self._text
        chance = random.Random(f"{self._text} {bare}")  # noqa: S311 - repeatable, not secret
        return writing.write(Task(kind, self._task.subject, 4 if kind == "variations" else 1), chance, 1)

    def _choice(self, options: list[Any]) -> Any:
        """The one that the text names, else the first."""
        words = self._task.subject.lower()
        return next((o for o in options if isinstance(o, str) and o and o.lower() in words), options[0])


def _merged(one: JSON, other: Any) -> dict[str, Any]:
    if not isinstance(other, Mapping):
        return dict(one)
    more = cast("JSON", other)
    made = {**more, **one}
    for word in ("properties", "$defs"):
        if word in one and word in more:
            made[word] = {**more[word], **one[word]}
    if "required" in one and "required" in more:
        made["required"] = list(dict.fromkeys([*one["required"], *more["required"]]))
    return made


def _kind(schema: JSON) -> str:
    kind: Any = schema.get("type")
    if isinstance(kind, list):
        return next(iter(cast("list[str]", kind)), "string")
    if kind is None:
        return "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(kind)


def _number(schema: JSON, kind: str, wanted: int) -> int | float:
    """The count that was asked for, brought between the limits."""
    step = schema.get("multipleOf", 1 if kind == "integer" else None)
    low = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf))
    high = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf))
    found: float = max(low, min(high, wanted))
    if step is not None:
        found = math.ceil(found / step) * step
    found = found + (step or _gap(low, high)) if found == schema.get("exclusiveMinimum") else found
    found = found - (step or _gap(low, high)) if found == schema.get("exclusiveMaximum") or found > high else found
    return int(found) if found == int(found) else found


def _gap(low: float, high: float) -> float:
    return (high - low) / 2 if math.isfinite(high - low) else 1


def _fitted(text: str, schema: JSON) -> str:
    """As long as it has to be, and no longer than it may."""
    least, most = int(schema.get("minLength", 0)), int(schema.get("maxLength", _LONGEST))
    if least > _LONGEST:
        raise EngineFailed(
            f"responseFormat.jsonSchema: minLength {least} is more than the {_LONGEST} that scribe writes"
        )
    while text and len(text) < least:
        text = f"{text} {text}"
    return text[: min(most, _LONGEST)]


def _nth(parts: list[str], index: int) -> str | None:
    return parts[index % len(parts)] if parts else None


def _bare(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()
