"""A YAML 1.2 or JSON text as plain values, which can say at which line and column each of them stands."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

import yaml

from heddle.arazzo.floods import (
    MAX_DEPTH,
    MAX_NODES,
    MAX_YAML,
    UNFOLDED,
    Flood,
    check_json,
    check_size,
    check_yaml,
    finite,
)
from heddle.errors import UsageError

Way: TypeAlias = tuple[str | int, ...]
"""The keys and indexes that lead from the root to a value."""

_NULL = re.compile(r"null|Null|NULL|~|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_RADIX_INT = re.compile(r"0(?:o[0-7]+|x[0-9a-fA-F]+)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_ESCAPE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
"""Half of a pair in JSON; YAML refuses it. Only places are read from the text in which it is replaced."""
_PLAIN = "heddle:plain"
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class DocumentError(UsageError):
    """A document that cannot be run; the message starts with the place. `code` is one of `findings.RULES`."""

    def __init__(self, place: Place | str, problem: str, hint: str = "", code: str = "not-runnable") -> None:
        super().__init__(f"{place}: {problem}", hint)
        self.place = place
        self.problem = problem
        self.code = code


class Tree:
    """`value` is made of dict, list, str, int, float, bool and None; keys are strings."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self._text = text
        self._root: yaml.Node | None = None
        self._json = False
        self.value: Any = self._read()

    def place(self, way: Way) -> Place:
        """The place of a value, or of the nearest one above it; in a JSON text of many megabytes only its start."""
        if self._json and len(self._text) > MAX_YAML:
            return Place(self.name, 1, 1)
        node = self._nodes()
        for key in way:
            child = _child(node, key)
            if child is None:
                break
            node = child
        return _place(self.name, node)

    def key_place(self, way: Way) -> Place:
        """The place of the key that leads to a value; of the value itself inside a list."""
        if self._json and len(self._text) > MAX_YAML:
            return Place(self.name, 1, 1)
        holder = self._nodes()
        for key in way[:-1]:
            child = _child(holder, key)
            if child is None:
                return self.place(way)
            holder = child
        if isinstance(holder, yaml.MappingNode):
            members: Sequence[tuple[yaml.Node, yaml.Node]] = holder.value
            found = next((name for name, _ in members if name.value == str(way[-1])), None)
            return _place(self.name, found) if found is not None else self.place(way)
        return self.place(way)

    def error(self, way: Way, problem: str, hint: str = "", code: str = "not-runnable") -> DocumentError:
        return DocumentError(self.place(way), problem, hint, code)

    def _read(self) -> Any:
        if self._text.lstrip().startswith(("{", "[")):
            try:
                value = json.loads(self._text, parse_float=finite, parse_constant=_no_constant)
                check_json(self._text, value)
            except (ValueError, RecursionError):
                pass  # flow-style YAML begins the same way; its parser also gives the better message
            except Flood as flood:
                raise DocumentError(Place(self.name, 1, 1), flood.problem, code="syntax") from flood
            else:
                self._json = True
                return value
        return _Builder(self.name, len(self._text)).build(self._nodes(), 0)

    def _nodes(self) -> yaml.Node:
        if self._root is None:
            self._root = _compose(self.name, _as_yaml(self._text) if self._json else self._text)
        return self._root


def read_tree(path: Path, name: str | None = None) -> Tree:
    """`name` is what messages call the file; the path unless given."""
    shown = name or str(path)
    try:
        check_size(path.stat().st_size)
        return Tree(shown, path.read_text(encoding="utf-8-sig"))
    except Flood as flood:
        raise DocumentError(Place(shown, 1, 1), flood.problem, code="syntax") from flood
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {shown}", "check the path") from error
    except IsADirectoryError as error:
        raise UsageError(f"{shown} is a folder", "name the document inside it") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{shown} is not UTF-8 text", "an Arazzo document is YAML or JSON") from error
    except OSError as error:
        raise UsageError(f"{shown} cannot be read: {error.strerror}") from error


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):
    """Composes nodes only. Plain scalars get a tag of our own, because PyYAML's resolver speaks YAML 1.1."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        if kind is yaml.ScalarNode:
            return _PLAIN if implicit[0] else f"{_TAG}str"
        return f"{_TAG}seq" if kind is yaml.SequenceNode else f"{_TAG}map"


def _as_yaml(text: str) -> str:
    """JSON that YAML takes as well, with everything at the same place."""
    return _ESCAPE.sub(r"\\u0020", text).replace("\t", " ")


def _compose(name: str, text: str) -> yaml.Node:
    try:
        check_yaml(text)
    except Flood as flood:
        raise DocumentError(_marked(name, flood.mark), flood.problem, code="syntax") from flood
    loader: Any = _Loader(text)
    try:
        root: yaml.Node | None = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        place = _marked(name, error.problem_mark or error.context_mark)
        raise DocumentError(place, error.problem or "this is not YAML", code="syntax") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise DocumentError(name, f"this is not YAML: {error}", code="syntax") from error
    finally:
        loader.dispose()
    if root is None:
        raise DocumentError(name, "the file is empty", "an Arazzo document starts with `arazzo: 1.0.1`", "syntax")
    return root


class _Builder:
    """Nodes to values. Counts them, so that a few aliases cannot unfold into a flood."""

    def __init__(self, name: str, characters: int) -> None:
        self._name = name
        self._count = 0
        # A text that is read by a person unfolds into few values for each of its characters.
        self._most = min(MAX_NODES, 20_000 + UNFOLDED * characters)

    def build(self, node: yaml.Node, depth: int) -> Any:
        self._count += 1
        if self._count > self._most or depth > MAX_DEPTH:
            raise DocumentError(
                _place(self._name, node), "the document is too large or too deeply nested", code="syntax"
            )
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if isinstance(node, yaml.SequenceNode):
            items: Sequence[yaml.Node] = node.value
            return [self.build(item, depth + 1) for item in items]
        return self._mapping(node, depth)

    def _mapping(self, node: yaml.Node, depth: int) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise DocumentError(_place(self._name, key), "a key must be text", code="syntax")
            name = str(key.value)
            if name in members:
                raise DocumentError(_place(self._name, key), f"the key {name!r} appears twice", code="syntax")
            members[name] = self.build(value, depth + 1)
        return members

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text = str(node.value)
        if node.tag == _PLAIN:
            return _plain(text)
        kind = node.tag.removeprefix(_TAG)
        if kind in ("str", "binary", "timestamp") or node.tag.startswith("!"):
            return text
        value = _plain(text)
        if type(value).__name__ != {"int": "int", "float": "float", "bool": "bool", "null": "NoneType"}.get(kind):
            raise DocumentError(_place(self._name, node), f"{text!r} is not of the type {kind}", code="syntax")
        return value


def _plain(text: str) -> Any:
    """An unquoted scalar by YAML 1.2's core schema; infinity and NaN stay text, as JSON has neither."""
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text[0] in "tT"
    if _INT.fullmatch(text):
        return int(text) if len(text) < 400 else text
    if _RADIX_INT.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return finite(text)
    return text


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _marked(name: str, mark: Any) -> Place | str:
    return Place(name, mark.line + 1, mark.column + 1) if mark else name


def _place(name: str, node: yaml.Node) -> Place:
    mark: Any = node.start_mark
    return Place(name, mark.line + 1, mark.column + 1)


def _child(node: yaml.Node, key: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        members: Sequence[tuple[yaml.Node, yaml.Node]] = node.value
        return next((value for name, value in members if name.value == str(key)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        item: yaml.Node = node.value[key]
        return item
    return None


def called(way: Way) -> str:
    """`workflows[0].steps[2].name`, or `the document`."""
    shown = ""
    for key in way:
        shown += f"[{key}]" if isinstance(key, int) else f".{key}"
    return f"`{shown.lstrip('.')}`" if way else "the document"


def kind_of(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a truth value", type(None): "empty"}
    return names.get(cast("type[Any]", type(value)), "a number")
