"""The order in which the steps of an Arazzo workflow run: as listed, unless `dependsOn` of a step says otherwise."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from heddle.arazzo.expressions import ExpressionError

_NAMED = re.compile(
    r"\$sourceDescriptions\.(?P<source>[A-Za-z0-9_\-]+)\.(?P<other>[A-Za-z0-9_\-]+)\.steps\.(?P<theirs>[A-Za-z0-9_\-]+)"
    r"|\$workflows\.(?P<workflow>[A-Za-z0-9_\-]+)\.steps\.(?P<step>[A-Za-z0-9_\-]+)"
    r"|\$steps\.(?P<own>[A-Za-z0-9_\-]+)"
)
_USED = re.compile(r"\$steps\.([A-Za-z0-9_\-]+)\.outputs\.")


@dataclass(frozen=True, slots=True)
class StepName:
    """A step that another waits for. Without `workflow` it is of the same Arazzo workflow."""

    step: str
    workflow: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A step as far as its place in the order goes: what it depends on, and every value in which it may use outputs."""

    id: str
    depends_on: Sequence[str]
    values: Sequence[Any]


class Circle(Exception):
    """Steps that wait for each other, by their places in the list."""

    def __init__(self, steps: Sequence[int]) -> None:
        super().__init__()
        self.steps = steps


def step_name(text: str) -> StepName:
    """Read an entry of `dependsOn`; raises ExpressionError."""
    if not text.startswith("$"):
        return StepName(text)
    match = _NAMED.fullmatch(text)
    if match is None:
        raise ExpressionError(
            f"{text!r} names no step; write a stepId, $workflows.<id>.steps.<id>"
            " or $sourceDescriptions.<name>.<id>.steps.<id>"
        )
    if match["own"]:
        return StepName(match["own"])
    if match["workflow"]:
        return StepName(match["step"], match["workflow"])
    return StepName(match["theirs"], f"$sourceDescriptions.{match['source']}.{match['other']}")


def in_order(steps: Sequence[Waiting]) -> Sequence[int]:
    """Every step behind those that it depends on and, as far as that goes, behind those whose outputs it uses.

    Steps are named by their places in the list, which stays as it is where no step depends on one. Raises Circle.
    """
    if not any(step.depends_on for step in steps):
        return range(len(steps))
    return _Sorting(steps).sorted()


class _Sorting:
    """Takes the first step that waits for nothing, again and again.

    `soft` are uses of outputs as well, which may go in a circle where there is a loop.
    """

    def __init__(self, steps: Sequence[Waiting]) -> None:
        index = {step.id: at for at, step in enumerate(steps)}
        self._hard = [{index[name] for name in _waited_for(step) if name in index} for step in steps]
        used = [{index[name] for name in _used(step) if name in index} for step in steps]
        self._soft = [(used[at] - {at}) | self._hard[at] for at in range(len(steps))]
        self._followers: list[list[int]] = [[] for _ in steps]
        for at, before in enumerate(self._soft):
            for one in before:
                self._followers[one].append(at)

    def sorted(self) -> list[int]:
        ready = [at for at, before in enumerate(self._soft) if not before]
        able = [at for at, before in enumerate(self._hard) if not before]
        placed: dict[int, None] = {}
        while ready or able:
            at = heapq.heappop(ready or able)
            if at not in placed:
                placed[at] = None
                self._release(at, ready, able)
        if len(placed) < len(self._hard):
            raise Circle([at for at in range(len(self._hard)) if at not in placed])
        return list(placed)

    def _release(self, done: int, ready: list[int], able: list[int]) -> None:
        for at in self._followers[done]:
            self._soft[at].discard(done)
            if not self._soft[at]:
                heapq.heappush(ready, at)
            if done in self._hard[at]:
                self._hard[at].discard(done)
                if not self._hard[at]:
                    heapq.heappush(able, at)


def _waited_for(step: Waiting) -> Iterator[str]:
    for text in step.depends_on:
        try:
            name = step_name(text)
        except ExpressionError:
            continue  # the plan says so, with its place
        if name.workflow is None:
            yield name.step


def _used(step: Waiting) -> set[str]:
    return {name for text in _texts(list(step.values)) for name in _USED.findall(text)}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in cast("dict[str, Any]", value).values():
            yield from _texts(member)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _texts(item)
