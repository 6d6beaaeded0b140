"""The leniency profile: every departure from the specification that published documents need, each with a name.

A leniency is reported once per document, with the first place that needed it. `strict()` switches all of them off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from heddle.arazzo.tree import Place
from heddle.errors import UsageError

LENIENCIES = {
    "unbraced-expression": "a runtime expression inside a longer text is expanded without braces: `Bearer $inputs.x`",
    "bare-comparison": "a jsonpath condition may be a bare comparison: `$.x == 1`, read as `$[?$.x == 1]`",
    "wrapped-root": "a filter on an object, `$[?@.x == 1]`, that finds nothing among its members may match the object",
    "parameter-place": "a parameter without `in` stands where the operation declares the only one of its name",
    "double-quotes": "a simple condition may write texts in double quotes",
    "dotted-body": "`$response.body.a.b` reads `$response.body#/a/b`",
    "bare-operation": "an operationId without its source is accepted among several sources when it is unique",
    "unresolved-output": "an output that does not resolve is null and a warning; it does not fail its step",
    "absent-input": "an optional input that is absent omits the parameter or the member that uses it",
    "retry-on-success": "`type: retry` among onSuccess actions repeats the step, within retryLimit",
    "multipart-text": "a part that the description calls binary may be sent as a text part",
    "loop-pacing": "a jump back without a delay waits 250 ms, growing to 2 s",
}


@dataclass(frozen=True, slots=True)
class Departure:
    """One use of a leniency; `text` is what the document wrote there."""

    name: str
    place: Place | None
    text: str

    @property
    def meaning(self) -> str:
        return LENIENCIES[self.name]


@dataclass(slots=True)
class Leniency:
    """What is allowed, and what was needed so far."""

    allowed: frozenset[str] = frozenset(LENIENCIES)
    used: dict[str, Departure] = field(default_factory=dict[str, Departure])

    def allows(self, name: str, place: Callable[[], Place] | None = None, text: str = "") -> bool:
        """Whether `name` is on; the first use is remembered, and only then is `place` asked."""
        if name not in self.allowed:
            return False
        if name not in self.used:
            self.used[name] = Departure(name, place() if place else None, text)
        return True


def strict() -> Leniency:
    return Leniency(frozenset())


def without(names: Iterable[str]) -> Leniency:
    """Everything but `names`."""
    unwanted = set(names)
    unknown = sorted(unwanted - set(LENIENCIES))
    if unknown:
        raise UsageError(f"{unknown[0]!r} is not a leniency", f"known are: {', '.join(LENIENCIES)}")
    return Leniency(frozenset(LENIENCIES) - unwanted)
