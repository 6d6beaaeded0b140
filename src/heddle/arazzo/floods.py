"""Texts that would unfold into more than anybody wants: how large, how deep, how many.

Parsers of YAML and JSON are written in C and recurse; a million brackets end the process. So the text is looked at
first, roughly where that is enough and event by event where it is not.
"""

from __future__ import annotations

import math
import re
from typing import Any, cast

import yaml

MAX_NODES = 500_000
#: Values for each character of a text, beyond the first 20,000: aliases make more of it than is written.
UNFOLDED = 20
MAX_DEPTH = 100
#: A document in YAML is read at about a megabyte per second.
MAX_YAML = 16 << 20
MAX_JSON = 64 << 20
_ROUGHLY = 1 << 20
_BRACKETS = re.compile(r"[\[\]{}]")
_LINE = re.compile(r"^[ ]*(?:[-?][ ]+)*", re.MULTILINE)
_DASHES = re.compile(r"[-?](?=[ ])")


class Flood(Exception):
    """A text that is refused; `mark` is where, for YAML."""

    def __init__(self, problem: str, mark: Any = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.mark = mark


def check_size(size: int) -> None:
    """Before a file is read at all."""
    if size > MAX_JSON:
        raise Flood(f"the text has {size / (1 << 20):.0f} MiB; at most {MAX_JSON >> 20} are read")


def check_yaml(text: str) -> None:
    """Raises Flood for what must not get to the parser that builds a tree."""
    if len(text) > MAX_YAML:
        raise Flood(f"the text has {len(text) >> 20} MiB; at most {MAX_YAML >> 20} are read as YAML, more as JSON")
    if len(text) > _ROUGHLY or _rough_depth(text) > MAX_DEPTH:
        _check_events(text)


def check_json(text: str, value: Any) -> None:
    """Raises Flood for a value that is nested too deep for those who walk through it."""
    if text.count("[") + text.count("{") > MAX_DEPTH and is_deeper(value, MAX_DEPTH):
        raise Flood(f"the document is nested more than {MAX_DEPTH} deep")


def is_deeper(value: Any, depth: int) -> bool:
    """Whether lists and objects are nested more than so deep; level by level, so that nothing recurses."""
    level: list[Any] = [value]
    for _ in range(depth + 1):
        level = [child for one in level for child in _children(one)]
        if not level:
            return False
    return True


def finite(text: str) -> float | str:
    """A number, or the text of one that is too large to be one."""
    value = float(text)
    return value if math.isfinite(value) else text


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(cast("dict[str, Any]", value).values())
    return cast("list[Any]", value) if isinstance(value, list) else []


def _rough_depth(text: str) -> int:
    """Never less than the depth is: brackets that are open, spaces and dashes in front of a line."""
    deepest = depth = 0
    if text.count("[") + text.count("{") > MAX_DEPTH // 2:
        for bracket in _BRACKETS.finditer(text):
            depth += 1 if bracket[0] in "[{" else -1
            deepest = max(deepest, depth)
            depth = max(depth, 0)
    else:
        deepest = MAX_DEPTH // 2
    lines = max((len(found[0]) + len(_DASHES.findall(found[0])) for found in _LINE.finditer(text)), default=0)
    return deepest + lines


def _check_events(text: str) -> None:
    nodes = depth = 0
    library: Any = yaml
    try:
        for event in library.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            nodes += isinstance(event, yaml.NodeEvent)
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if nodes > MAX_NODES or depth > MAX_DEPTH:
                raise Flood("the document is too large or too deeply nested", event.start_mark)
    except yaml.YAMLError:
        return  # whoever builds the tree says it better
