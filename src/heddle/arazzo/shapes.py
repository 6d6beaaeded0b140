"""The objects of an Arazzo document as a table, and every place where a document differs from it.

Versions 1.0 and 1.1 share the table: a field says since when it is there.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from heddle.arazzo.findings import Finding
from heddle.arazzo.tree import Tree, Way, called, kind_of

VERSION = re.compile(r"1\.([01])\.\d+(?:-.+)?")


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `kind` is text, number, whole, object, list, map, schema, value, typed or any; `of` names the shape
    inside. A `value` may be a Selector Object; `typed` is a text or an Expression Type Object. `messages` marks what
    only AsyncAPI needs.
    """

    kind: str
    of: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()
    newer_choices: tuple[str, ...] = ()
    pattern: str = ""
    advised: str = ""
    at_least: int = 0
    since: int = 0
    messages: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """One object. `reusable` names the components that may replace it; `check` finds what a field cannot say."""

    fields: Mapping[str, Field]
    reusable: str = ""
    check: Callable[[Mapping[str, Any]], Iterator[tuple[str, str, str]]] | None = None


_NAME = r"[A-Za-z0-9_\-]+"
_KEY = r"[a-zA-Z0-9._\-]+"
_TEXT, _NEEDED = Field("text"), Field("text", required=True)
_TYPES = ("simple", "regex", "jsonpath", "xpath")
_SELECTORS = ("jsonpath", "xpath", "jsonpointer")
_JSONPATHS = ("draft-goessner-dispatch-jsonpath-00",)
_XPATHS = ("xpath-10", "xpath-20", "xpath-30")


def _step(fields: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    targets = [name for name in ("operationId", "operationPath", "workflowId", "channelPath") if name in fields]
    if not targets:
        yield "", "missing-field", "a step needs an operationId, an operationPath or a workflowId"
    elif len(targets) > 1:
        yield targets[1], "conflicting-fields", f"a step calls one thing; this one has {' and '.join(targets)}"
    if "workflowId" in fields and "requestBody" in fields:
        yield "requestBody", "conflicting-fields", "a step that runs an Arazzo workflow sends no body"
    if "channelPath" in fields and "action" not in fields:
        yield "", "missing-field", "a step on a channel needs an `action`: send or receive"
    for name in ("action", "correlationId"):
        if name in fields and ("workflowId" in fields or "operationPath" in fields):
            yield name, "conflicting-fields", f"`{name}` belongs to a step on a channel"
    if "correlationId" in fields and fields.get("action") == "send":
        yield "correlationId", "conflicting-fields", "`correlationId` belongs to the action receive"


def _action(fields: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    kind = fields.get("type")
    targets = [name for name in ("stepId", "workflowId") if name in fields]
    if len(targets) == 2:
        yield "workflowId", "conflicting-fields", "an action names a stepId or a workflowId, not both"
    if kind == "goto" and not targets:
        yield "", "missing-field", "a goto needs a stepId or a workflowId"
    if kind == "end" and targets:
        yield targets[0], "conflicting-fields", "an `end` leads nowhere"
    if "parameters" in fields and "workflowId" not in fields:
        yield "parameters", "conflicting-fields", "`parameters` are inputs of the workflow that a workflowId names"
    for name in ("retryAfter", "retryLimit"):
        if name in fields and kind in ("end", "goto"):
            yield name, "conflicting-fields", f"`{name}` belongs to the type retry"


def _criterion(fields: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    kind = fields.get("type", "simple")
    if kind != "simple" and "context" not in fields:
        shown = kind if isinstance(kind, str) else "this"
        yield "", "missing-field", f"a criterion of the type {shown} needs a `context`, such as $response.body"


def _expression_type(fields: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    kind, found = fields.get("type"), fields.get("version")
    known: tuple[str, ...] = _JSONPATHS if kind == "jsonpath" else _XPATHS if kind == "xpath" else ()
    newer = ("rfc9535",) if kind == "jsonpath" else ("xpath-31",) if kind == "xpath" else ("rfc6901",)
    if not isinstance(found, str) or not isinstance(kind, str) or found in known:
        return
    if found in newer:
        yield "version", "newer-field", f"{found!r} came with Arazzo 1.1"
    else:
        yield "version", "wrong-value", f"{found!r} is no version of {kind}; there is {', '.join(known or newer)}"


def _self(fields: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if "#" in str(fields.get("$self", "")):
        yield "$self", "wrong-value", "`$self` names a whole document, so it has no `#`"


def _url(fields: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    url = fields.get("url")
    if isinstance(url, str) and (not url or re.search(r"[\x00-\x20\x7f]", url)):
        yield "url", "wrong-value", f"{url!r} is no URL: it is empty, or holds a space or a control character"


_COMMON: dict[str, Field] = {
    "name": _NEEDED,
    "workflowId": _TEXT,
    "stepId": _TEXT,
    "parameters": Field("list", "argument", since=1),
    "criteria": Field("list", "criterion"),
}

SHAPES: dict[str, Shape] = {
    "document": Shape(
        {
            "arazzo": _NEEDED,
            "$self": Field("text", since=1),
            "info": Field("object", "info", required=True),
            "sourceDescriptions": Field("list", "source", required=True, at_least=1),
            "workflows": Field("list", "workflow", required=True, at_least=1),
            "components": Field("object", "components"),
        },
        check=_self,
    ),
    "info": Shape({"title": _NEEDED, "summary": _TEXT, "description": _TEXT, "version": _NEEDED}),
    "source": Shape(
        {
            "name": Field("text", required=True, pattern=_NAME),
            "url": _NEEDED,
            "type": Field("text", choices=("openapi", "arazzo"), newer_choices=("asyncapi",), messages=True),
        },
        check=_url,
    ),
    "workflow": Shape(
        {
            "workflowId": Field("text", required=True, advised=_NAME),
            "summary": _TEXT,
            "description": _TEXT,
            "inputs": Field("schema"),
            "dependsOn": Field("list", "text"),
            "steps": Field("list", "step", required=True, at_least=1),
            "successActions": Field("list", "success"),
            "failureActions": Field("list", "failure"),
            "outputs": Field("map", "output"),
            "parameters": Field("list", "parameter"),
        }
    ),
    "step": Shape(
        {
            "stepId": Field("text", required=True, advised=_NAME),
            "description": _TEXT,
            "operationId": _TEXT,
            "operationPath": _TEXT,
            "workflowId": _TEXT,
            "channelPath": Field("text", since=1, messages=True),
            "action": Field("text", choices=("send", "receive"), since=1, messages=True),
            "correlationId": Field("any", since=1, messages=True),
            "timeout": Field("whole", since=1),
            "dependsOn": Field("list", "text", since=1, at_least=1),
            "parameters": Field("list", "parameter"),
            "requestBody": Field("object", "body"),
            "successCriteria": Field("list", "criterion", at_least=1),
            "onSuccess": Field("list", "success"),
            "onFailure": Field("list", "failure"),
            "outputs": Field("map", "output"),
        },
        check=_step,
    ),
    "body": Shape({"contentType": _TEXT, "payload": Field("value"), "replacements": Field("list", "replacement")}),
    "replacement": Shape(
        {
            "target": _NEEDED,
            "targetSelectorType": Field("typed", "expression-type", choices=_SELECTORS, since=1),
            "value": Field("value", required=True),
        }
    ),
    "parameter": Shape(
        {
            "name": _NEEDED,
            "in": Field("text", choices=("path", "query", "header", "cookie"), newer_choices=("querystring",)),
            "value": Field("value", required=True),
        },
        reusable="parameters",
    ),
    "argument": Shape({"name": _NEEDED, "value": Field("value", required=True)}, reusable="parameters"),
    "success": Shape(
        {
            **_COMMON,
            "type": Field("text", required=True, choices=("end", "goto")),
            "criteria": Field("list", "criterion", at_least=1),
        },
        reusable="successActions",
        check=_action,
    ),
    "failure": Shape(
        {
            **_COMMON,
            "type": Field("text", required=True, choices=("end", "goto", "retry")),
            "retryAfter": Field("number"),
            "retryLimit": Field("whole"),
        },
        reusable="failureActions",
        check=_action,
    ),
    "criterion": Shape(
        {
            "context": _TEXT,
            "condition": _NEEDED,
            "type": Field("typed", "expression-type", choices=_TYPES),
        },
        check=_criterion,
    ),
    "expression-type": Shape(
        {
            "type": Field("text", required=True, choices=("jsonpath", "xpath"), newer_choices=("jsonpointer",)),
            "version": _NEEDED,
        },
        check=_expression_type,
    ),
    "selector": Shape(
        {
            "context": _NEEDED,
            "selector": _NEEDED,
            "type": Field("typed", "expression-type", required=True, choices=_SELECTORS),
        }
    ),
    "components": Shape(
        {
            "inputs": Field("map", "schema"),
            "parameters": Field("map", "parameter"),
            "successActions": Field("map", "success"),
            "failureActions": Field("map", "failure"),
        }
    ),
    "reusable": Shape({"reference": _NEEDED, "value": Field("any")}),
}


def misshapen(tree: Tree) -> Iterator[Finding]:
    """Everything about the shape of a document that is not as the specification says."""
    return _Walk(tree).document()


def message_parts(tree: Tree) -> Iterator[tuple[Way, str]]:
    """Where a document of Arazzo 1.1 sends or receives messages, and by what it does."""
    yield from _messages(tree.value, "document", ())


def _messages(value: Any, name: str, way: Way) -> Iterator[tuple[Way, str]]:
    if name not in SHAPES or not isinstance(value, dict):
        return
    for key, member in cast("dict[str, Any]", value).items():
        one = SHAPES[name].fields.get(key)
        if one is None:
            continue
        if one.messages and (one.since or member in one.newer_choices):
            what = f"the field `{key}`" if one.since else f"the source type {member!r}"
            yield (*way, key), what
        else:
            yield from _messages_inside(member, one, (*way, key))


def _messages_inside(value: Any, one: Field, way: Way) -> Iterator[tuple[Way, str]]:
    if one.kind == "map" and isinstance(value, dict):
        for key, member in cast("dict[str, Any]", value).items():
            yield from _messages_inside(member, Field("object", one.of), (*way, key))
    elif isinstance(value, list):
        for at, item in enumerate(cast("list[Any]", value)):
            yield from _messages_inside(item, Field("object", one.of), (*way, at))
    elif one.of in SHAPES:
        yield from _messages(value, one.of, way)
    elif isinstance(value, str) and re.match(r"\{?\$message\.", value):
        yield way, "`$message`"


class _Walk:
    """Walks values and table side by side; `way` says where it is."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._version = 0

    def document(self) -> Iterator[Finding]:
        root = self._tree.value
        if not isinstance(root, dict) or "arazzo" not in root:
            fields = cast("dict[str, Any]", root) if isinstance(root, dict) else {}
            hint = "this is an OpenAPI description; name the document that uses it" if "openapi" in fields else ""
            yield self._at((), "not-arazzo", "the field `arazzo` is missing", hint or "it starts with `arazzo: 1.0.1`")
            return
        text = str(cast("dict[str, Any]", root)["arazzo"])
        match = VERSION.fullmatch(text)
        if match is None:
            yield self._at(("arazzo",), "unknown-version", f"{text!r} is not a version that is known", "write 1.0.1")
            return
        self._version = int(match[1])
        yield from self._object(root, "document", ())

    def _object(self, value: Any, name: str, way: Way) -> Iterator[Finding]:
        if not isinstance(value, dict):
            yield self._at(way, "wrong-type", f"{called(way)} must be an object, not {kind_of(value)}")
            return
        fields = cast("dict[str, Any]", value)
        shape = SHAPES[name]
        if shape.reusable and "reference" in fields and way[0] != "components":
            yield from self._object(fields, "reusable", way)
            yield from self._reference(str(fields["reference"]), shape.reusable, (*way, "reference"))
            return
        for key, member in fields.items():
            yield from self._member(key, member, shape, way)
        for key, one in shape.fields.items():
            if one.required and key not in fields and one.since <= self._version:
                yield self._at(way, "missing-field", f"`{key}` is missing in {called(way)}", f"add `{key}:`")
        for key, code, message in shape.check(fields) if shape.check else ():
            if code != "newer-field" or not self._version:
                yield self._at((*way, key) if key else way, code, message)

    def _reference(self, text: str, kind: str, way: Way) -> Iterator[Finding]:
        components = self._tree.value.get("components")
        members = cast("dict[str, Any]", components).get(kind) if isinstance(components, dict) else None
        known = cast("dict[str, Any]", members) if isinstance(members, dict) else {}
        names = [f"$components.{kind}.{name}" for name in known]
        if text not in names:
            hint = f"there are: {', '.join(names)}" if names else f"the document has no components.{kind}"
            yield self._at(way, "unknown-component", f"there is no {text!r}", hint)

    def _member(self, key: str, value: Any, shape: Shape, way: Way) -> Iterator[Finding]:
        one = shape.fields.get(key)
        if one is None:
            if not key.startswith("x-") and shape is not SHAPES["reusable"]:
                place = self._tree.key_place((*way, key))
                yield Finding("unknown-field", place, f"{called(way)} has no field {key!r}", _near(key, shape))
        elif one.since > self._version:
            place = self._tree.key_place((*way, key))
            yield Finding("newer-field", place, f"{key!r} came with Arazzo 1.1", "write `arazzo: 1.1.0`, or leave it")
        else:
            yield from self._value(value, one, (*way, key))

    def _value(self, value: Any, one: Field, way: Way) -> Iterator[Finding]:
        match one.kind:
            case "object":
                yield from self._object(value, one.of, way)
            case "list":
                yield from self._list(value, one, way)
            case "map":
                yield from self._map(value, one, way)
            case "text":
                yield from self._text(value, one, way)
            case "number" | "whole":
                yield from self._number(value, one, way)
            case "typed":
                if isinstance(value, dict):
                    yield from self._object(value, one.of, way)
                else:
                    yield from self._text(value, one, way)
            case "value" if self._version and way[-1] == "value" and _is_meant_as_selector(value):
                yield from self._object(value, "selector", way)
            case "schema":
                if not isinstance(value, (dict, bool)):
                    yield self._at(way, "bad-inputs", f"{called(way)} must be a JSON Schema, not {kind_of(value)}")
            case _:
                pass

    def _list(self, value: Any, one: Field, way: Way) -> Iterator[Finding]:
        if not isinstance(value, list):
            yield self._at(way, "wrong-type", f"{called(way)} must be a list, not {kind_of(value)}", "start with `- `")
            return
        items = cast("list[Any]", value)
        if len(items) < one.at_least:
            yield self._at(way, "empty-list", f"{called(way)} needs at least one entry")
        for index, item in enumerate(items):
            if one.of == "text":
                yield from self._text(item, _TEXT, (*way, index))
            else:
                yield from self._object(item, one.of, (*way, index))
        yield from self._doubles(items, one.of, way)

    def _doubles(self, items: list[Any], name: str, way: Way) -> Iterator[Finding]:
        """Entries of a list that share what must tell them apart."""
        field_name = {"source": "name", "workflow": "workflowId", "step": "stepId"}.get(name)
        seen: set[object] = set()
        for index, item in enumerate(items):
            identity = _identity(item, name)
            if identity is None:
                continue
            if identity in seen:
                code = "duplicate-name" if field_name else "duplicate-item"
                here = (*way, index, field_name or "name") if name != "text" else (*way, index)
                shown = identity if isinstance(identity, str) else " in ".join(str(part) for part in identity if part)
                hint = "leave one out" if name in ("criterion", "replacement", "text") else "give one another name"
                yield self._at(here, code, f"{shown!r} appears twice in {called(way)}", hint)
            seen.add(identity)

    def _map(self, value: Any, one: Field, way: Way) -> Iterator[Finding]:
        if not isinstance(value, dict):
            yield self._at(way, "wrong-type", f"{called(way)} must be an object, not {kind_of(value)}")
            return
        for key, member in cast("dict[str, Any]", value).items():
            if not re.fullmatch(_KEY, key):
                place = self._tree.key_place((*way, key))
                message = f"the name {key!r} may hold letters, digits, `.`, `_` and `-` only"
                yield Finding("wrong-value", place, message)
            if one.of == "output":
                yield from self._output(member, (*way, key))
            elif one.of == "schema":
                yield from self._value(member, Field("schema"), (*way, key))
            else:
                yield from self._object(member, one.of, (*way, key))

    def _output(self, value: Any, way: Way) -> Iterator[Finding]:
        if self._version and isinstance(value, dict):
            yield from self._object(value, "selector", way)
        elif not isinstance(value, str):
            message = f"{called(way)} must be a runtime expression, not {kind_of(value)}"
            yield self._at(way, "wrong-type", message, "for example $response.body#/id")

    def _text(self, value: Any, one: Field, way: Way) -> Iterator[Finding]:
        if isinstance(value, (int, float)) and not one.choices:
            message = f"{called(way)} is {kind_of(value)} to YAML and belongs in quotes"
            yield self._at(way, "unquoted-text", message, f"write '{str(value).lower()}'")
        elif not isinstance(value, str):
            yield self._at(way, "wrong-type", f"{called(way)} must be text, not {kind_of(value)}")
        elif one.choices and value not in self._allowed(one):
            yield self._choice(value, one, way)
        elif one.pattern and not re.fullmatch(one.pattern, value):
            message = f"{called(way)} is {value!r}; it may hold letters, digits, `_` and `-` only"
            yield self._at(way, "wrong-value", message)
        elif one.advised and not re.fullmatch(one.advised, value):
            message = f"{value!r} holds more than letters, digits, `_` and `-`"
            yield self._at(way, "name-style", message, "some runners cannot refer to it")

    def _allowed(self, one: Field) -> tuple[str, ...]:
        return (*one.choices, *(one.newer_choices if self._version else ()))

    def _choice(self, value: str, one: Field, way: Way) -> Finding:
        if value in one.newer_choices and not self._version:
            return self._at(way, "newer-field", f"{value!r} came with Arazzo 1.1", f"1.0 has {', '.join(one.choices)}")
        if value == "retry" and way[-1] == "type":
            message = "`retry` belongs to onFailure; a step that succeeded uses goto"
            return self._at(way, "retry-on-success", message, "go to the step itself: `type: goto`, `stepId: …`")
        return self._at(
            way, "wrong-value", f"{called(way)} is {value!r}", f"allowed are: {', '.join(self._allowed(one))}"
        )

    def _number(self, value: Any, one: Field, way: Way) -> Iterator[Finding]:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            yield self._at(way, "wrong-type", f"{called(way)} must be a number, not {kind_of(value)}")
        elif value < 0 or (one.kind == "whole" and not float(value).is_integer()):
            what = "a whole number, zero or more" if one.kind == "whole" else "zero or more"
            yield self._at(way, "wrong-value", f"{called(way)} is {value}; it must be {what}")

    def _at(self, way: Way, code: str, message: str, hint: str = "") -> Finding:
        return Finding(code, self._tree.place(way), message, hint)


def _identity(item: Any, name: str) -> str | tuple[str, str] | None:
    """What must be unique about an entry of a list."""
    if name == "text":
        return item if isinstance(item, str) else None
    if name in ("criterion", "replacement"):
        return json.dumps(item, sort_keys=True, default=str)
    if not isinstance(item, dict):
        return None
    fields = cast("dict[str, Any]", item)
    key = {"source": "name", "workflow": "workflowId", "step": "stepId"}.get(name, "name")
    value = fields.get(key)
    if name not in ("source", "workflow", "step", "parameter", "argument", "success", "failure") or not isinstance(
        value, str
    ):
        return None
    if name != "parameter":
        return value
    where = str(fields.get("in") or "")
    return (value.lower() if where == "header" else value), where


def _is_meant_as_selector(value: Any) -> bool:
    """So that a missing third field is told, and an object that only looks a little like one is left alone."""
    if not isinstance(value, dict) or "selector" not in value:
        return False
    fields = cast("dict[str, Any]", value)
    kind = fields.get("type")
    named = cast("dict[str, Any]", kind).get("type") if isinstance(kind, dict) else kind
    return named in _SELECTORS or str(fields.get("context", "")).startswith("$")


def _near(key: str, shape: Shape) -> str:
    """The field that was perhaps meant."""
    known = [*shape.fields]
    near = [one for one in known if one.lower() == key.lower()] or difflib.get_close_matches(key[:100], known, 1, 0.7)
    return f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(known)}; your own start with `x-`"
