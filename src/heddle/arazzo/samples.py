"""Values for a JSON Schema: what the description gives as examples, else something of the right shape.

The same seed and turn give the same value. `turn` counts how often was asked before: examples and enumerations take
the next one each time, so that a state which is polled moves on.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from heddle.arazzo.expressions import ABSENT, ExpressionError, follow, pointer_tokens

MAX_DEPTH = 8
MAX_REFS = 30
MAX_ITEMS = 20
MAX_TEXT = 10_000
MAX_VALUES = 5_000

_FORMATS: Mapping[str, str] = {
    "date-time": "2030-01-01T00:00:00Z",
    "date": "2030-01-01",
    "time": "00:00:00Z",
    "duration": "PT1S",
    "email": "somebody@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri-reference": "/made-up",
    "json-pointer": "/made-up",
    "byte": "bWFkZSB1cA==",
    "binary": "made up",
    "password": "made-up-password",
    "regex": ".*",
}


@dataclass(frozen=True, slots=True)
class Samples:
    """Makes values. `root` is the description that references start from, `server` what made-up links lead to."""

    root: Any
    server: str
    seed: int = 0

    def of_media(self, media: Mapping[str, Any], turn: int) -> Any:
        """The body that a Media Type Object describes; ABSENT where it says nothing."""
        if "example" in media:
            return media["example"]
        examples = media.get("examples")
        if isinstance(examples, dict) and examples:
            one = self.resolved(_picked(list(cast("dict[str, Any]", examples).values()), self.seed, turn))
            if "value" in one:
                return one["value"]
        return self.of_schema(media["schema"], turn) if "schema" in media else ABSENT

    def of_schema(self, schema: Any, turn: int) -> Any:
        return _Maker(self, turn).value(schema, 0, "")

    def resolved(self, value: Any) -> Mapping[str, Any]:
        """The object at the end of its local references; an empty one where they lead nowhere, or round in a circle."""
        for _ in range(MAX_REFS):
            if not isinstance(value, dict):
                return {}
            fields = cast("dict[str, Any]", value)
            reference = fields.get("$ref")
            if not isinstance(reference, str):
                return fields
            value = self._referred(reference)
        return {}

    def _referred(self, reference: str) -> Any:
        try:
            found = follow(self.root, pointer_tokens(reference[1:])) if reference.startswith("#") else ABSENT
        except ExpressionError:
            return {}
        return {} if found is ABSENT else found


class _Maker:
    """Makes one value. It has a limited number of parts, because a schema of ten lines can describe billions."""

    def __init__(self, samples: Samples, turn: int) -> None:
        self._samples = samples
        self._turn = turn
        self._left = MAX_VALUES

    def _pick(self, choices: Sequence[Any]) -> Any:
        return _picked(choices, self._samples.seed, self._turn)

    def value(self, schema: Any, depth: int, way: str) -> Any:
        fields = self._merged(schema)
        if "example" in fields:
            return fields["example"]
        examples = fields.get("examples")
        if isinstance(examples, list) and examples:
            return self._pick(cast("list[Any]", examples))
        if "const" in fields:
            return fields["const"]
        if "default" in fields:
            return fields["default"]
        if isinstance(fields.get("enum"), list) and fields["enum"]:
            return self._pick(fields["enum"])
        return self._by_type(fields, depth, way)

    def _merged(self, schema: Any, depth: int = 0) -> Mapping[str, Any]:
        """With everything that allOf adds, and the first choice of oneOf and anyOf."""
        fields = dict(self._samples.resolved(schema))
        self._left -= 1
        if depth > MAX_DEPTH or self._left <= 0:
            return fields
        parts = _items(fields.pop("allOf", None))
        for name in ("oneOf", "anyOf"):
            choices = [
                one for one in _items(fields.pop(name, None)) if self._samples.resolved(one).get("type") != "null"
            ]
            if choices:
                parts = [*parts, choices[self._samples.seed % len(choices)]]
        for part in parts:
            fields = _joined(self._merged(part, depth + 1), fields)
        return fields

    def _by_type(self, fields: Mapping[str, Any], depth: int, way: str) -> Any:  # noqa: PLR0911 - a case per type
        match _type(fields):
            case "object":
                return self._object(fields, depth, way)
            case "array":
                return self._array(fields, depth, way)
            case "boolean":
                return True
            case "integer":
                return int(_number(fields, whole=True))
            case "number":
                return _number(fields, whole=False)
            case "null":
                return None
            case _:
                return self._text(fields, way)

    def _object(self, fields: Mapping[str, Any], depth: int, way: str) -> dict[str, Any]:
        properties = fields.get("properties")
        members = cast("dict[str, Any]", properties) if isinstance(properties, dict) else {}
        required = {name for name in _items(fields.get("required")) if isinstance(name, str)}
        names = [
            name for name in (*members, *sorted(required - members.keys())) if depth < MAX_DEPTH or name in required
        ]
        if depth >= 2 * MAX_DEPTH or self._left <= 0:
            return {}
        wanted = [name for name in names if self._samples.resolved(members.get(name)).get("writeOnly") is not True]
        return {name: self.value(members.get(name, {}), depth + 1, f"{way}/{name}") for name in wanted}

    def _array(self, fields: Mapping[str, Any], depth: int, way: str) -> list[Any]:
        if depth >= MAX_DEPTH or self._left <= 0:
            return []
        least = fields.get("minItems")
        most = fields.get("maxItems")
        count = max(1, least) if isinstance(least, int) else 1
        count = min(count, most) if isinstance(most, int) else count
        items = fields.get("items", {})
        return [self.value(items, depth + 1, f"{way}/{at}") for at in range(max(0, min(count, MAX_ITEMS)))]

    def _text(self, fields: Mapping[str, Any], way: str) -> str:
        form = str(fields.get("format", ""))
        mark = hashlib.sha256(f"{self._samples.seed} {way}".encode()).hexdigest()
        if form == "uuid":
            return f"{mark[:8]}-{mark[8:12]}-4{mark[13:16]}-8{mark[17:20]}-{mark[20:32]}"
        if form in ("uri", "url", "iri"):
            return f"{self._samples.server}/made-up/{mark[:8]}"
        text = _FORMATS.get(form) or f"{way.rsplit('/', 1)[-1] or 'text'}-{mark[:6]}"
        least, most = fields.get("minLength"), fields.get("maxLength")
        text = text.ljust(min(least, MAX_TEXT), "x") if isinstance(least, int) else text
        return text[: max(0, most)] if isinstance(most, int) else text


def _picked(choices: Sequence[Any], seed: int, turn: int) -> Any:
    """The next one each turn; the last one stays."""
    at = seed % len(choices)
    return [*choices[at:], *choices[:at]][min(turn, len(choices) - 1)]


def _type(fields: Mapping[str, Any]) -> str:
    """The first type that is not null; guessed where none is given."""
    given = fields.get("type")
    kinds = [one for one in (cast("list[Any]", given) if isinstance(given, list) else [given]) if isinstance(one, str)]
    if kinds:
        return next((kind for kind in kinds if kind != "null"), "null")
    if "properties" in fields or "additionalProperties" in fields or "required" in fields:
        return "object"
    if "items" in fields:
        return "array"
    return "number" if "minimum" in fields or "maximum" in fields else "string"


def _number(fields: Mapping[str, Any], *, whole: bool) -> float:
    """One, or the nearest that the bounds allow."""
    least, above = _bound(fields, "minimum", "exclusiveMinimum")
    most, below = _bound(fields, "maximum", "exclusiveMaximum")
    step = _real(fields.get("multipleOf")) or (1.0 if whole else 0.0)
    value = 1.0
    if least is not None and (value < least or (above and value == least)):
        value = least + (step or 0.5) if above else least
    if most is not None and (value > most or (below and value == most)):
        value = most - (step or 0.5) if below else most
    if step:
        up = math.ceil(value / step) * step
        value = up if most is None or up < most or (up == most and not below) else math.floor(value / step) * step
    return value


def _bound(fields: Mapping[str, Any], name: str, exclusive: str) -> tuple[float | None, bool]:
    """A bound, and whether it is excluded: a truth value in 3.0, a number of its own in 3.1."""
    bound, beyond = _real(fields.get(name)), fields.get(exclusive)
    if isinstance(beyond, bool):
        return bound, beyond
    other = _real(beyond)
    return (bound, False) if other is None else (other, True)


def _real(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value) if abs(value) < 1e15 else None


def _joined(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two schemas that both hold."""
    joined = {**below, **above}
    if isinstance(below.get("properties"), dict) and isinstance(above.get("properties"), dict):
        joined["properties"] = {**below["properties"], **above["properties"]}
    if "required" in below and "required" in above:
        joined["required"] = [*_items(below["required"]), *_items(above["required"])]
    return joined


def _items(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []
