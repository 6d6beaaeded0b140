"""The inputs of an Arazzo workflow: typed by its JSON Schema, defaults filled in, every problem told at once."""

from __future__ import annotations

import difflib
import json
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from heddle.arazzo import schemas
from heddle.arazzo.expressions import ABSENT, ExpressionError, follow, pointer_tokens
from heddle.arazzo.files import FileValue
from heddle.arazzo.masking import Masked
from heddle.errors import UsageError

_SECRET_WORDS = ("apikey", "api_key", "api-key", "token", "secret", "password", "passwd", "credential")
_MAX_REFS = 30
_COMBINED = ("allOf", "anyOf", "oneOf")


@dataclass(frozen=True, slots=True)
class InputField:
    """One declared input, for people."""

    name: str
    kind: str
    required: bool
    description: str
    default: Any = None
    secret: bool = False


class InputSchema:
    """The schema of one Arazzo workflow; `root` is the document that its references start from."""

    def __init__(self, schema: Mapping[str, Any], root: Any) -> None:
        self._root = root
        self._schema: Mapping[str, Any] = {}
        self._schema = self._resolved(schema)
        properties = self._schema.get("properties")
        self._properties = cast("dict[str, Any]", properties) if isinstance(properties, dict) else {}
        required = self._schema.get("required")
        self.required = tuple(str(name) for name in cast("list[Any]", required)) if isinstance(required, list) else ()

    @property
    def schema(self) -> Mapping[str, Any]:
        """The schema itself, without references at its top."""
        return self._schema

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._properties) | frozenset(self.required)

    @property
    def closed(self) -> bool:
        """Whether `names` are all the inputs there can be."""
        return bool(self._properties) and self._schema.get("additionalProperties") in (None, False)

    def check(self) -> None:
        """Raises UsageError for what is not a JSON Schema, or refers to nothing."""
        list(self.fields())
        try:
            schemas.check(self._schema)
        except schemas.BadSchema as error:
            raise UsageError(f"the inputs are no JSON Schema: {error.message}") from error

    def fields(self) -> Iterator[InputField]:
        for name in (*self._properties, *(name for name in self.required if name not in self._properties)):
            schema = self._resolved(self._properties.get(name, {}))
            yield InputField(
                name=name,
                kind=_kind(schema),
                required=name in self.required,
                description=str(schema.get("description", "")).strip(),
                default=schema.get("default"),
                secret=self.is_secret(name),
            )

    def is_secret(self, name: str) -> bool:
        return _is_secret(name, [self._resolved(self._properties.get(name, {}))])

    def secrets(self, values: Mapping[str, Any], also: Container[str] = ()) -> Iterator[str | float | FileValue]:
        """What is secret among values, however deep; `also` names inputs that are secret beside those of the schema."""
        schemas = self._combined([self._schema])
        for name, value in values.items():
            yield from _leaves(value) if name in also else self._secrets(name, self._members(schemas, name), value)

    def _secrets(self, name: str, schemas: list[Mapping[str, Any]], value: Any) -> Iterator[str | float | FileValue]:
        if _is_secret(name, schemas):
            yield from _leaves(value)
        elif isinstance(value, Mapping):
            for key, member in cast("Mapping[str, Any]", value).items():
                yield from self._secrets(key, self._members(schemas, key), member)
        elif isinstance(value, list):
            items = self._combined(one.get("items") for one in schemas)
            for item in cast("list[Any]", value):
                yield from self._secrets("", items, item)

    def _members(self, schemas: list[Mapping[str, Any]], name: str) -> list[Mapping[str, Any]]:
        """What schemas of an object say about one of its members."""
        properties = [cast("dict[str, Any]", one["properties"]) for one in schemas if _is_object(one, "properties")]
        named = [one[name] for one in properties if name in one]
        return self._combined(named or [one.get("additionalProperties") for one in schemas])

    def _combined(self, schemas: Iterable[Any]) -> list[Mapping[str, Any]]:
        """With those that they are combined of. A reference to nothing says nothing here; `bind` tells of it."""
        waiting, found = list(schemas), dict[int, Mapping[str, Any]]()
        while waiting:
            try:
                schema = self._resolved(waiting.pop())
            except UsageError:
                continue
            if id(schema) not in found:
                found[id(schema)] = schema
                waiting += [part for key in _COMBINED if isinstance(schema.get(key), list) for part in schema[key]]
        return list(found.values())

    def is_structured(self, name: str) -> bool:
        """Whether the input is a list or an object."""
        kinds = _kinds(self._resolved(self._properties.get(name, {})))
        return bool(kinds) and "string" not in kinds and bool({"array", "object"} & set(kinds))

    def parse(self, name: str, text: str) -> Any:
        """An input given as text, by the type that the schema gives it."""
        kinds = _kinds(self._resolved(self._properties.get(name, {})))
        if not kinds or "string" in kinds:
            return text
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        if isinstance(value, float) and value.is_integer() and "integer" in kinds and "number" not in kinds:
            value = int(value)
        if not any(_is(value, kind) for kind in kinds):
            raise UsageError(f"the input {name!r} is {text!r}, which is not {_article(' or '.join(kinds))}")
        return value

    def bind(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Defaults filled in and everything checked, or one error that names every problem."""
        self._check_names(given)
        values = {**self._defaults(), **given}
        missing = [field for field in self.fields() if field.required and field.name not in values]
        if missing:
            raise UsageError(_missing_message(missing), "give each as `-i name=value`")
        self._validate(values)
        return values

    def _check_names(self, given: Mapping[str, Any]) -> None:
        if not self.closed:
            return
        unknown = next((name for name in given if name not in self.names), None)
        if unknown is None:
            return
        close = difflib.get_close_matches(unknown[:100], sorted(self.names)[:200], n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"its inputs are: {', '.join(self._properties)}"
        raise UsageError(f"the document has no input {unknown!r}", hint)

    def _defaults(self) -> dict[str, Any]:
        resolved = ((name, self._resolved(schema)) for name, schema in self._properties.items())
        return {name: schema["default"] for name, schema in resolved if "default" in schema}

    def _validate(self, values: Mapping[str, Any]) -> None:
        shown = {name: "" if isinstance(value, FileValue) else value for name, value in values.items()}
        schema = {**self._schema, "components": cast("dict[str, Any]", self._root).get("components", {})}
        try:
            found = schemas.problems(schema, shown)
        except schemas.BadSchema as error:
            raise UsageError(f"the inputs of the document cannot be checked: {error.message}") from error
        problems = [
            f"{where.removeprefix('$.')}: {message}"
            for where, message, name in found
            if not _is_unknown(values.get(name))
        ]
        if problems:
            raise UsageError("the inputs do not fit: " + "; ".join(problems))

    def _resolved(self, schema: Any) -> Mapping[str, Any]:
        for _ in range(_MAX_REFS):
            if not isinstance(schema, dict):
                return {}
            fields = cast("dict[str, Any]", schema)
            reference = fields.get("$ref")
            if not isinstance(reference, str):
                return fields
            target = self._referred(reference)
            if target is ABSENT:
                raise UsageError(f"the inputs refer to {reference!r}, which is not in this document")
            schema = target
        raise UsageError("the inputs refer to themselves")

    def _referred(self, reference: str) -> Any:
        try:
            tokens = pointer_tokens(reference[1:]) if reference.startswith("#/") else None
            found = ABSENT if tokens is None else follow(self._root, tokens)
            # A schema may also keep definitions of its own.
            return follow(self._schema, tokens) if found is ABSENT and tokens is not None else found
        except ExpressionError:
            return ABSENT


def _is_unknown(value: Any) -> bool:
    """Whether a schema has nothing to say about a value: there is a file in it, or a secret that is masked."""
    if isinstance(value, Mapping):
        return any(map(_is_unknown, cast("Mapping[str, Any]", value).values()))
    if isinstance(value, list):
        return any(map(_is_unknown, cast("list[Any]", value)))
    return isinstance(value, (FileValue, Masked))


def _is_secret(name: str, schemas: Iterable[Mapping[str, Any]]) -> bool:
    plain = name.lower()
    secret = any(plain.endswith(word) for word in _SECRET_WORDS)
    return secret or any(one.get("format") == "password" for one in schemas)


def _is_object(schema: Mapping[str, Any], key: str) -> bool:
    return isinstance(schema.get(key), dict)


def _leaves(value: Any) -> Iterator[str | float | FileValue]:
    """Texts, numbers and files; what is true or false gives nothing away."""
    if isinstance(value, Mapping):
        for member in cast("Mapping[str, Any]", value).values():
            yield from _leaves(member)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _leaves(item)
    elif isinstance(value, (str, int, float, FileValue)) and not isinstance(value, bool):
        yield value


def _missing_message(missing: list[InputField]) -> str:
    noun = "input is" if len(missing) == 1 else "inputs are"
    listed = "; ".join(f"{field.name} ({field.description or field.kind})" for field in missing)
    return f"{len(missing)} required {noun} missing: {listed}"


def _kinds(schema: Mapping[str, Any]) -> list[str]:
    kind = schema.get("type")
    kinds = cast("list[Any]", kind) if isinstance(kind, list) else [kind] if kind else []
    return [str(one) for one in kinds]


def _kind(schema: Mapping[str, Any]) -> str:
    choices = schema.get("enum")
    if isinstance(choices, list):
        return " | ".join(str(choice) for choice in cast("list[Any]", choices))
    return " or ".join(_kinds(schema)) or "any"


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    types: dict[str, Any] = {
        "integer": int,
        "number": (int, float),
        "array": list,
        "object": dict,
        "null": type(None),
        "string": str,
    }
    return isinstance(value, types.get(kind, ()))


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
