"""References between steps: `{"$ref": "caption", "path": "output.text"}` in an input stands for what a step gives.

At submit each reference is replaced by a token, a text that planning passes on unread, so that a step is planned,
priced and paid for before the steps that it follows have run. When they have succeeded, the tokens in its jobs'
payloads are replaced by the values. References to `$arguments` are known at submit and replaced there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any, cast

import msgspec

from heddle.contract.base import count_values
from heddle.contract.base import path as join
from heddle.contract.orchestration import StepRequest, WorkflowRequest, check_size, small
from heddle.domain import JSON, Artifact
from heddle.errors import InvalidRequest

#: Two characters that Unicode keeps out of all text, around the number of the step and the path.
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
_TOKEN = re.compile(f"{_OPEN}([0-9]{{1,3}}):([^{_CLOSE}]*){_CLOSE}")
#: The same in a message, where it may be quoted and cut off.
_SHOWN = re.compile(r"'?(?:\ufdd0|\\ufdd0)([0-9]+):(.*?)(?:(?:\ufdd1|\\ufdd1)'?|\.\.\.|$)")
_PART = re.compile(r"\.?([A-Za-z_$][\w$-]*)|\[([0-9]{1,6})\]")
_INDEX = re.compile(r"\$([0-9]{1,3})")

#: The longest text that a reference may bring into a payload, in characters.
LONGEST = 100_000

#: And all that they bring into one payload.
_MOST = 1_000_000

#: What stands for a blob's link in outputs that are made for a resolver.
_LINK = "heddle-blob:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Where the input has it, which step it is to, and the path below that step."""

    at: str
    step: int
    path: str

    @property
    def member(self) -> str:
        """The member of `output` that it begins with."""
        parts = split(self.path)
        return parts[1] if len(parts) > 1 and isinstance(parts[1], str) else ""

    @property
    def token(self) -> str:
        """What stands for it in a payload."""
        return f"{_OPEN}{self.step}:{self.path}{_CLOSE}"


@dataclass(frozen=True, slots=True)
class Bound:
    """An input whose references are tokens."""

    input: dict[str, Any]
    references: Sequence[Reference] = field(default_factory=list[Reference])

    @property
    def follows(self) -> list[int]:
        """The steps that must succeed first."""
        return sorted({r.step for r in self.references})


class Unresolved(ValueError):
    """A reference that leads nowhere in what the step gave."""


@dataclass(frozen=True, slots=True)
class Argument:
    """A value that inputs may refer to, its bytes as JSON, and how many values it has."""

    value: Any
    size: int
    count: int


class Arguments:
    """A workflow's own values. Each is measured once, however many references are to it."""

    def __init__(self, values: JSON) -> None:
        self._values = values
        self._known: dict[str, Argument] = {}

    def at(self, path: str) -> Argument:
        """The value at a path. Raises Unresolved."""
        if path not in self._known:
            value = follow(self._values, path if _is_path(path) else "?")
            self._known[path] = Argument(value, len(msgspec.json.encode(value)), count_values(value))
        return self._known[path]

    @property
    def names(self) -> str:
        """For a message."""
        return ", ".join(self._values) or "none"


def argument_path(value: Any) -> str | None:
    """The path of a reference to an argument; None for everything else."""
    if not isinstance(value, Mapping):
        return None
    members = cast("JSON", value)
    path = members.get("path", "")
    return path if members.get("$ref") == "$arguments" and isinstance(path, str) else None


# ── at submit ─────────────────────────────────────────────────────────────────


def bind(request: WorkflowRequest) -> list[Bound]:
    """The inputs of all steps with tokens in them. Raises InvalidRequest for every bad reference."""
    problems: dict[str, list[str]] = {}
    arguments = Arguments(request.arguments)
    bound = [_Binder(request, arguments, i, problems).bound() for i in range(len(request.steps))]
    if problems:
        first = next(iter(problems))
        raise InvalidRequest(f"{first}: {problems[first][0]}", problems)
    return bound


def order(bound: Sequence[Bound]) -> list[int]:
    """The steps, each after those that it follows. Raises InvalidRequest when they wait for each other."""
    try:
        return list(TopologicalSorter({i: b.follows for i, b in enumerate(bound)}).static_order())
    except CycleError as error:
        ring = cast("list[int]", error.args[1])
        names = " → ".join(f"steps[{i}]" for i in ring)
        where = next(r.at for r in bound[ring[1]].references if r.step == ring[0])
        raise InvalidRequest.of(where, f"steps wait for each other: {names}") from error


def tokens(value: Any) -> Iterator[str]:
    """Every token in a payload."""
    for text in _texts(value):
        yield from (match[0] for match in _TOKEN.finditer(text))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        items = cast("JSON", value).values() if isinstance(value, Mapping) else cast("list[Any]", value)
        for item in items:
            yield from _texts(item)


def is_token(text: str) -> bool:
    """Whether the whole of a text is a token."""
    return _TOKEN.fullmatch(text) is not None


def readable(message: str) -> str:
    """A message in which tokens are words."""
    return _SHOWN.sub(lambda match: f"a reference to {match[2]} of steps[{match[1]}]", message)


class _Binder:
    """Walks through one step's input."""

    def __init__(
        self, request: WorkflowRequest, arguments: Arguments, index: int, problems: dict[str, list[str]]
    ) -> None:
        self._steps = request.steps
        self._arguments = arguments
        self._index = index
        self._problems = problems
        self._references: list[Reference] = []
        #: Bytes and values that arguments brought in.
        self._size = self._count = 0

    def bound(self) -> Bound:
        at: list[str | int] = ["steps", self._index, "input"]
        walked = self._walk(self._steps[self._index].input, at)
        try:
            check_size(self._size, self._count)
            small(walked)  # a few references to one long argument are many times its size
        except ValueError as error:
            self._refuse(join(at), f"with its arguments in place {error}")
        if not isinstance(walked, dict):
            if join(at) not in self._problems:
                self._refuse(join(at), "is an object, or a reference to an argument that is one")
            return Bound({}, self._references)
        return Bound(cast("dict[str, Any]", walked), self._references)

    def _walk(self, value: Any, at: list[str | int]) -> Any:
        if isinstance(value, Mapping):
            members = cast("JSON", value)
            # `#/…` is a reference inside a JSON Schema, which is a value like any other.
            if "$ref" in members and not str(members["$ref"]).startswith("#"):
                return self._refer(members, join(at))
            return {name: self._walk(item, [*at, name]) for name, item in members.items()}
        if isinstance(value, list):
            return [self._walk(item, [*at, i]) for i, item in enumerate(cast("list[Any]", value))]
        if isinstance(value, str) and (_OPEN in value or _CLOSE in value):
            self._refuse(join(at), "has a character that is not for text (U+FDD0 or U+FDD1)")
        return value

    def _refer(self, given: JSON, at: str) -> Any:
        name, path = given["$ref"], given.get("path", "")
        if not isinstance(name, str) or not isinstance(path, str):
            return self._refuse(at, "`$ref` and `path` of a reference are texts")
        if name == "$arguments":
            return self._argument(path, at)
        step = _find(self._steps, name)
        if step is None:
            return self._refuse(at, f"no step is named {name!r}; there are: {', '.join(_names(self._steps))}")
        if step == self._index:
            return self._refuse(at, "a step cannot refer to itself")
        if not _is_path(path) or split(path)[:1] != ["output"] or len(split(path)) < 2:
            return self._refuse(at, f"`path` is {path!r}; it should be one like 'output.images[0].url'")
        reference = Reference(at=at, step=step, path=path)
        self._references.append(reference)
        return reference.token

    def _argument(self, path: str, at: str) -> Any:
        try:
            found = self._arguments.at(path)
        except Unresolved:
            known = self._arguments.names
            return self._refuse(at, f"`path` is {path!r}, which `arguments` does not have; there are: {known}")
        self._size += found.size
        self._count += found.count
        try:
            check_size(self._size, self._count)
        except ValueError:
            return None  # refused at the end; nothing more is put in
        if any(_OPEN in text or _CLOSE in text for text in _texts(found.value)):
            return self._refuse(at, "is an argument with a character that is not for text (U+FDD0 or U+FDD1)")
        return found.value

    def _refuse(self, at: str, problem: str) -> None:
        self._problems.setdefault(at, []).append(problem)


def _names(steps: Sequence[StepRequest]) -> list[str]:
    return [step.name if step.name is not None else str(i) for i, step in enumerate(steps)]


def _find(steps: Sequence[StepRequest], name: str) -> int | None:
    """By name, and by position as `$0`."""
    if name in (names := _names(steps)):
        return names.index(name)
    index = _INDEX.fullmatch(name)
    return int(index[1]) if index and int(index[1]) < len(steps) else None


# ── paths ─────────────────────────────────────────────────────────────────────


def split(path: str) -> list[str | int]:
    """`output.images[0].url` as its parts."""
    return [name or int(index) for name, index in _PART.findall(path)]


def _is_path(path: str) -> bool:
    return len(path) <= 200 and "".join(match[0] for match in _PART.finditer(path)) == path


def follow(value: Any, path: str) -> Any:
    """The value at a path. Raises Unresolved."""
    here = value
    for part in split(path):
        if isinstance(part, str) and isinstance(here, Mapping) and part in here:
            here = cast("JSON", here)[part]
        elif isinstance(part, int) and isinstance(here, list) and part < len(cast("list[Any]", here)):
            here = cast("list[Any]", here)[part]
        else:
            raise Unresolved(path)
    return here


# ── when the steps before have succeeded ──────────────────────────────────────


def link(artifact: Artifact) -> str:
    """The links in outputs that a resolver reads."""
    return f"{_LINK}{artifact.blob_id}"


@dataclass(frozen=True, slots=True)
class Resolver:
    """Puts values in the place of tokens."""

    #: What steps gave, by their index, with `link` above as their links.
    outputs: Mapping[int, JSON]
    #: The blobs that those steps made. An output also holds what engines wrote, who may not hand out other blobs.
    made: frozenset[str]

    def payload(self, payload: JSON, inputs: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
        """A payload and its input blobs without tokens. Raises Unresolved with a sentence."""
        blobs = {token: self._blob(token) for token in inputs if is_token(token)}
        if (size := sum(len(self._text(t)) for t in tokens(dict(payload)) if t not in blobs)) > _MOST:
            raise Unresolved(f"the texts that it refers to have {size} characters together; at most {_MOST} are taken")
        filled = {name: self._fill(value, blobs) for name, value in payload.items()}
        return filled, [blobs.get(blob_id, blob_id) for blob_id in inputs]

    def _fill(self, value: Any, blobs: Mapping[str, str]) -> Any:
        if isinstance(value, Mapping):
            return {name: self._fill(item, blobs) for name, item in cast("JSON", value).items()}
        if isinstance(value, list):
            return [self._fill(item, blobs) for item in cast("list[Any]", value)]
        if isinstance(value, str) and _OPEN in value:
            return _TOKEN.sub(lambda match: blobs.get(match[0]) or self._text(match[0]), value)
        return value

    def _blob(self, token: str) -> str:
        value = self._value(token)
        found = cast("JSON", value).get("id") if isinstance(value, Mapping) else value
        blob_id = found.removeprefix(_LINK) if isinstance(found, str) else ""
        if blob_id not in self.made:
            raise Unresolved(f"{readable(token)} is no blob, and one is wanted there")
        return blob_id

    def _text(self, token: str) -> str:
        value = self._value(token)
        if isinstance(value, Mapping | list):
            raise Unresolved(f"{readable(token)} is no text, and one is wanted there")
        text = str(value).removeprefix(_LINK)
        if len(text) > LONGEST:
            raise Unresolved(f"{readable(token)} has {len(text)} characters; at most {LONGEST} are taken")
        return text

    def _value(self, token: str) -> Any:
        match = _TOKEN.fullmatch(token)
        assert match is not None
        try:
            return follow({"output": self.outputs.get(int(match[1]), {})}, match[2])
        except Unresolved as error:
            raise Unresolved(f"{readable(token)} is not there") from error


def fits(kind: str, media: Sequence[str]) -> bool:
    """Whether what a step gives as `kind` may be a source of these media; what may be anything is seen later."""
    return kind in {"blob", "data"} or kind in media
