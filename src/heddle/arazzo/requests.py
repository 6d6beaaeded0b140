"""From a planned step and a scope to one HTTP request.

What is absent is left out: an optional input never arrives as `undefined`, `null` or `$inputs.x`.
"""

from __future__ import annotations

import base64
import binascii
import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qsl, quote, unquote, unquote_to_bytes, urlencode

from heddle.arazzo.expressions import ABSENT, Expression, Message, Scope
from heddle.arazzo.files import FileValue
from heddle.arazzo.leniency import Leniency
from heddle.arazzo.openapi import BodyShape, Operation, ParameterShape, is_json, is_xml, media_type
from heddle.arazzo.security import Lock, choose, place
from heddle.arazzo.selectors import Nowhere, Selector
from heddle.arazzo.templates import Literal, Template, Text, as_text
from heddle.arazzo.tree import Place
from heddle.errors import HeddleError


class RequestError(HeddleError):
    """A request that cannot be made from the values at hand."""


@dataclass(frozen=True, slots=True)
class PlannedParameter:
    """A value and how it is written."""

    shape: ParameterShape
    template: Template


@dataclass(frozen=True, slots=True)
class Target:
    """A place inside a payload; `text` is how the document writes it."""

    text: str
    selector: Selector = field(compare=False)


@dataclass(frozen=True, slots=True)
class PlannedBody:
    """A payload, what is set inside it, and the content type it travels as."""

    content_type: str
    shape: BodyShape
    template: Template
    replacements: tuple[tuple[Target, Template], ...]
    place: Place


Part = tuple[str, tuple[str | None, bytes, str | None]]
"""A multipart part: its name, then filename, content and content type."""


@dataclass(slots=True)
class Request:
    """`parts` is set for multipart, `content` for every other body. `absent` did not resolve and was left out.

    `takes_key` says that the operation knows the header Idempotency-Key.
    `credentials` join the rest when it is sent, so that neither an expression nor a record sees them.
    """

    method: str
    url: str
    headers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    content: bytes | None = None
    parts: list[Part] | None = None
    message: Message = field(default_factory=Message)
    absent: list[Expression] = field(default_factory=list[Expression])
    takes_key: bool = False
    credentials: tuple[Lock, ...] = ()


def build_request(
    operation: Operation,
    parameters: Sequence[PlannedParameter],
    body: PlannedBody | None,
    scope: Scope,
    leniency: Leniency,
) -> Request:
    """Raises RequestError where a value that the request cannot do without is missing, or cannot be sent."""
    try:
        return _built(operation, parameters, body, scope, leniency)
    except UnicodeEncodeError as error:  # JSON may hold such a character, and so may an answer
        raise RequestError(
            f"a value holds half a character, {error.object[error.start]!a}, which is no text"
        ) from error


def _built(
    operation: Operation,
    parameters: Sequence[PlannedParameter],
    body: PlannedBody | None,
    scope: Scope,
    leniency: Leniency,
) -> Request:
    request = Request(operation.method, "", takes_key=("idempotency-key", "header") in operation.parameters)
    rendered = list(_rendered(parameters, scope, request.absent))
    request.url = _url(operation, rendered)
    request.headers = [*_headers(rendered), *_cookies(rendered)]
    request.message = _message(rendered, request.headers)
    taken = {place(shape.name, shape.where) for shape, _ in rendered}
    request.credentials = choose(operation.security, taken).opened
    if body is not None:
        _add_body(request, body, scope, leniency)
    return request


def secrets_of(request: Request) -> Iterator[str]:
    """What must never be shown of a request: its credentials."""
    for name, value in request.headers:
        if name.lower() in ("authorization", "proxy-authorization", "cookie", "x-api-key"):
            yield value
            yield value.partition(" ")[2]
    for lock in request.credentials:
        yield from lock.secrets()


def _rendered(
    parameters: Sequence[PlannedParameter], scope: Scope, absent: list[Expression]
) -> Iterator[tuple[ParameterShape, Any]]:
    for parameter in parameters:
        shape = parameter.shape
        value = _query_value(parameter, scope, absent)
        if value is ABSENT or value is None:
            if shape.where == "path":
                cause = f"; {absent[-1]} did not resolve" if value is ABSENT and absent else ""
                raise RequestError(f"the path parameter {shape.name!r} has no value{cause}")
            continue
        yield shape, _as_described(shape, value)


def _as_described(shape: ParameterShape, value: Any) -> Any:
    """A parameter that the description wants as JSON; a text counts as written out already."""
    return as_text(value) if is_json(shape.media) else value


def _url(operation: Operation, rendered: Sequence[tuple[ParameterShape, Any]]) -> str:
    path = operation.path
    for shape, value in rendered:
        if shape.where == "path":
            text = _simple(shape, value, safe="")
            if text in ("", ".", ".."):
                raise RequestError(f"the path parameter {shape.name!r} is {text!r}, which would change the path")
            path = path.replace("{" + shape.name + "}", text)
    pairs = [pair for shape, value in rendered if shape.where == "query" for pair in _form(shape, value)]
    query = "&".join(
        [*(_querystring(shape, value) for shape, value in rendered if shape.where == "querystring"), *pairs]
    )
    url = operation.server.rstrip("/") + path
    return f"{url}{'&' if '?' in url else '?'}{query}" if query else url


def _query_value(parameter: PlannedParameter, scope: Scope, absent: list[Expression]) -> Any:
    """A value; those inside a whole query string that is written as a form are encoded, so that none adds a pair."""
    template = parameter.template
    if parameter.shape.where != "querystring" or not isinstance(template, Text) or _is_other_form(parameter.shape):
        return template.render(scope, absent)
    before = len(absent)
    parts = [
        part if isinstance(part, str) else quote(Text((part,)).fill(scope, absent), safe="") for part in template.parts
    ]
    return ABSENT if len(absent) > before else "".join(parts)


def _querystring(shape: ParameterShape, value: Any) -> str:
    """The whole query: a form, which is written out already or an object of pairs, or one text of another type."""
    if _is_other_form(shape):
        return quote(as_text(value), safe="")
    if isinstance(value, dict):
        return _form_bytes(cast("dict[str, Any]", value), BodyShape(shape.media)).decode()
    return quote(as_text(value).removeprefix("?"), safe="%&=+:/?@!$'()*,;[]~")


def _is_other_form(shape: ParameterShape) -> bool:
    return shape.media not in ("", "application/x-www-form-urlencoded")


def _headers(rendered: Sequence[tuple[ParameterShape, Any]]) -> Iterator[tuple[str, str]]:
    for shape, value in rendered:
        if shape.where == "header":
            if not _HEADER_NAME.fullmatch(shape.name):
                raise RequestError(f"{shape.name!r} is no name of a header")
            text = _header_text(shape.name, _simple(shape, value, safe=None))
            text.encode()  # half a character cannot be sent
            yield shape.name, text


_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def _header_text(name: str, text: str) -> str:
    """A value that cannot end its line and start another header."""
    if _CONTROL.search(text):
        raise RequestError(f"the header {name!r} would hold a control character")
    text.encode()  # raises what `build_request` tells
    return text


def _cookies(rendered: Sequence[tuple[ParameterShape, Any]]) -> Iterator[tuple[str, str]]:
    pairs = [pair for shape, value in rendered if shape.where == "cookie" for pair in _form(shape, value)]
    if pairs:
        yield "Cookie", "; ".join(pairs)


def _message(rendered: Sequence[tuple[ParameterShape, Any]], headers: list[tuple[str, str]]) -> Message:
    whole = [_querystring(shape, value) for shape, value in rendered if shape.where == "querystring"]
    return Message(
        headers={name.lower(): value for name, value in headers},
        query={shape.name: value for shape, value in rendered if shape.where == "query"}
        | dict(pair for text in whole for pair in parse_qsl(text, keep_blank_values=True)),
        path={shape.name: value for shape, value in rendered if shape.where == "path"},
    )


def _simple(shape: ParameterShape, value: Any, *, safe: str | None) -> str:
    """The styles of paths and headers; `safe` None means no percent-encoding (headers)."""

    def encode(item: Any) -> str:
        return as_text(item) if safe is None else quote(as_text(item), safe=safe)

    if shape.style not in _JOINTS:
        raise RequestError(
            f"the parameter {shape.name!r} has the style {shape.style!r}, which no {shape.where} can have"
        )
    first, between = _JOINTS[shape.style]
    between = between if shape.explode else ","
    name = f"{shape.name}=" if shape.style == "matrix" else ""
    if isinstance(value, list):
        items = [encode(item) for item in cast("list[Any]", value)]
        return first + name + (f"{between}{name}" if shape.explode else between).join(items)
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value).items()
        joint = "=" if shape.explode else ","
        pairs = between.join(f"{encode(key)}{joint}{encode(member)}" for key, member in members)
        return first + ("" if shape.explode else name) + pairs
    return first + name + encode(value)


#: By style: what stands in front, and between exploded items.
_JOINTS = {"simple": ("", ","), "label": (".", "."), "matrix": (";", ";")}


def _form(shape: ParameterShape, value: Any) -> Iterator[str]:
    """The styles of queries and cookies, as `name=value` pairs."""
    safe = ":/?#[]@!$&'()*+,;=" if shape.allow_reserved else ""

    def encode(item: Any) -> str:
        return quote(as_text(item), safe=safe)

    name = quote(shape.name, safe="[]")
    if isinstance(value, list):
        items = [encode(item) for item in cast("list[Any]", value) if item is not None]
        if shape.explode and shape.style == "form":
            yield from (f"{name}={item}" for item in items)
        elif items:
            yield f"{name}={_SEPARATORS.get(shape.style, ',').join(items)}"
    elif isinstance(value, dict):
        yield from _form_object(shape, name, cast("dict[str, Any]", value), encode)
    else:
        yield f"{name}={encode(value)}"


_SEPARATORS = {"spaceDelimited": "%20", "pipeDelimited": "%7C", "tabDelimited": "%09"}


def _form_object(shape: ParameterShape, name: str, value: Mapping[str, Any], encode: Any) -> Iterator[str]:
    members = [(encode(key), encode(member)) for key, member in value.items() if member is not None]
    if shape.style == "deepObject":
        yield from (f"{name}[{key}]={member}" for key, member in members)
    elif shape.explode:
        yield from (f"{key}={member}" for key, member in members)
    elif members:
        yield f"{name}=" + ",".join(f"{key},{member}" for key, member in members)


def _add_body(request: Request, body: PlannedBody, scope: Scope, leniency: Leniency) -> None:
    payload = _payload(body, scope, request.absent, is_json=is_json(media_type(body.content_type)))
    if payload is ABSENT:
        return
    content_type = _sent_type(body.content_type, payload)
    kind = media_type(content_type)
    request.message.body = payload
    if kind.startswith("multipart/"):
        if kind != "multipart/form-data":
            raise RequestError(f"a body of the type {kind} cannot be sent; of multipart, only form-data can")
        request.parts = list(_parts(body, payload, leniency))
        return
    if not any(name.lower() == "content-type" for name, _ in request.headers):
        request.headers.append(("Content-Type", _header_text("Content-Type", content_type)))
    if is_json(kind):
        raw = isinstance(payload, str) and _is_written_out(body)
        request.content = _json_bytes(payload, raw=raw)
        if raw:
            request.message.body = json.loads(request.content)
    elif kind == "application/x-www-form-urlencoded":
        request.content = _form_bytes(payload, body.shape)
    else:
        request.content = _bytes(kind, payload)


def _sent_type(content_type: str, payload: Any) -> str:
    """Where the description has only a range (`image/*`), the payload says what it is."""
    if "*" not in content_type:
        return content_type
    if isinstance(payload, FileValue):
        return payload.media_type
    if isinstance(payload, bytes):
        return "application/octet-stream"
    return "text/plain; charset=utf-8" if isinstance(payload, str) else "application/json"


def _bytes(kind: str, value: Any) -> bytes:
    """A body or a part that is no form."""
    if isinstance(value, FileValue):
        return value.read()
    if isinstance(value, bytes):
        return value
    if isinstance(value, (dict, list)) and is_xml(kind):
        raise RequestError(f"{kind} must be written out as text: an object could become XML in many ways")
    return as_text(value).encode()


def _payload(body: PlannedBody, scope: Scope, absent: list[Expression], *, is_json: bool) -> Any:
    if isinstance(body.template, Text):
        payload: Any = _filled(body.template, scope, absent, is_json=is_json)
    else:
        payload = body.template.render(scope, absent)
    if not body.replacements:
        return payload
    payload = _read(payload) if is_json and isinstance(payload, str) else copy.deepcopy(payload)
    try:
        for target, template in body.replacements:
            value = template.render(scope, absent)
            if value is not ABSENT:
                payload = target.selector.put(payload, value, "" if value is None else as_text(value))
    except Nowhere as error:
        raise RequestError(error.message) from error
    return payload


def _read(payload: str) -> Any:
    """A JSON payload that is written as text, for a value to be set inside."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the payload is not JSON once its expressions are filled in: {error}") from error


def _is_written_out(body: PlannedBody) -> bool:
    """Whether the document wrote the payload as one text, serialized already."""
    return isinstance(body.template, Text) or (
        isinstance(body.template, Literal) and isinstance(body.template.value, str)
    )


def _filled(template: Text, scope: Scope, absent: list[Expression], *, is_json: bool) -> str:
    """The text of a payload. Inside a JSON string a value is escaped, so that a quote in a prompt stays a quote."""
    text = ""
    for part in template.parts:
        if isinstance(part, str):
            text += part
            continue
        filled = Text((part,)).fill(scope, absent)
        inside = is_json and len(re.findall(r'(?<!\\)(?:\\\\)*"', text)) % 2 == 1
        text += json.dumps(filled, ensure_ascii=False)[1:-1] if inside else filled
    return text


def _json_bytes(payload: Any, *, raw: bool) -> bytes:
    if raw:
        try:
            json.loads(payload)
        except ValueError as error:
            raise RequestError(f"the payload is not JSON once its expressions are filled in: {error}") from error
        return str(payload).encode()
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"), default=as_text).encode()


def _form_bytes(payload: Any, shape: BodyShape) -> bytes:
    if not isinstance(payload, dict):
        return as_text(payload).encode()
    fields = cast("dict[str, Any]", payload).items()
    return "&".join(pair for name, value in fields for pair in _field(shape, name, value)).encode()


def _field(shape: BodyShape, name: str, value: Any) -> Iterator[str]:
    """By its style where the description gives one; else a list is repeated and an object is JSON."""
    if name in shape.styles and value is not None:
        yield from _form(shape.styles[name], value)
        return
    values = cast("list[Any]", value) if isinstance(value, list) else [value]
    yield from (urlencode([(name, as_text(item))]) for item in values if item is not None)


def _parts(body: PlannedBody, payload: Any, leniency: Leniency) -> Iterator[Part]:
    if not isinstance(payload, dict):
        raise RequestError(f"a multipart payload must be an object of parts, not {type(payload).__name__}")
    for name, value in cast("dict[str, Any]", payload).items():
        for item in _part_values(body.shape, name, value):
            if item is not None:
                yield name, _part(body, name, item, leniency)


def _part_values(shape: BodyShape, name: str, value: Any) -> list[Any]:
    """One part for each item of a list, unless the description wants them in one."""
    if not isinstance(value, list):
        return [value]
    items = cast("list[Any]", value)
    style = shape.styles.get(name)
    if style is None or style.explode or any(isinstance(item, FileValue) for item in items):
        return items
    return [unquote(_SEPARATORS.get(style.style, ",")).join(as_text(item) for item in items if item is not None)]


def _part(body: PlannedBody, name: str, value: Any, leniency: Leniency) -> tuple[str | None, bytes, str | None]:
    declared = body.shape.part_types.get(name)
    _header_text(f"Content-Type of the part {name}", declared or "")
    if isinstance(value, FileValue):
        return value.name, value.read(), _part_type(declared, value.media_type)
    if isinstance(value, bytes):
        return name, value, _part_type(declared, "application/octet-stream")
    if name in body.shape.binary:
        data = _data_url(value)
        if data is not None:
            return name, data[1], _part_type(declared, data[0])
        if not leniency.allows("multipart-text", lambda: body.place, name):
            raise RequestError(f"the part {name!r} is a file, and its value is text; give the input as `@path`")
    kind = _part_type(declared, "application/json" if isinstance(value, (dict, list)) else None)
    return None, _bytes(media_type(kind or ""), value), kind


def _part_type(declared: str | None, own: str | None) -> str | None:
    """What the description names; of a range or a choice, what the part is by itself."""
    kinds = [kind.strip() for kind in (declared or "").split(",") if kind.strip()]
    named = [kind for kind in kinds if "*" not in kind]
    if own is None:
        return named[0] if named else None
    return named[0] if len(kinds) == len(named) == 1 else own


def _data_url(value: Any) -> tuple[str, bytes] | None:
    """Media type and bytes of a `data:` URL."""
    if not isinstance(value, str) or not value.startswith("data:"):
        return None
    head, comma, data = value[5:].partition(",")
    if not comma:
        return None
    kind = _header_text("Content-Type", head.removesuffix(";base64") or "text/plain")
    try:
        content = base64.b64decode(data, validate=True) if head.endswith(";base64") else unquote_to_bytes(data)
    except (binascii.Error, ValueError) as error:
        raise RequestError("the data: URL is not valid base64") from error
    return kind, content
