"""The OpenAPI document, made from the route table; and the handlers that serve it and the page made from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from html import escape
from typing import Any, cast

import msgspec
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema
from starlette.requests import Request
from starlette.responses import Response

import heddle
from heddle import media, registry
from heddle.api import reference
from heddle.api.deps import base_url
from heddle.api.operations import Handler, Operation
from heddle.contract import shown
from heddle.contract.orchestration import StepRequest
from heddle.errors import CallerError, Unavailable

Document = dict[str, Any]

#: Stands for the server's own address until somebody asks: whoever asks knows under which address they reach us.
SERVER = "http://server.invalid"

_REF = "#/components/schemas/{model}"
_JSON = "application/json"
_BYTES: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}

_TAGS = {
    "Workflows": "Submit, watch, change and list workflows.",
    "Blobs": "Upload sources, and fetch what was made.",
    "ModelVersions": "What the catalog knows of a version of a model.",
    "Users": "Who asks.",
    "ArazzoRuns": "Arazzo documents that the server runs. Heddle's own.",
}

_ABOUT = (
    "A generation cloud of one's own: the Orchestration API and the first operations of the Site API. "
    "A member that is null is the same as one that is left out; members that are not described are ignored."
)

#: The query of a signed link. It is part of the link; nobody puts it together.
_SIGNATURE: dict[str, tuple[bool, str]] = {
    "exp": (True, "When the link ends, in seconds since 1970."),
    "sig": (True, "The signature over the link."),
}
_SIGNATURE_OF_UPLOAD: dict[str, tuple[bool, str]] = {
    **_SIGNATURE,
    "type": (True, "The media type that was promised."),
    "size": (False, "The number of bytes that was promised."),
}

_SUCCESS = {
    200: "As asked.",
    201: "Stored.",
    202: "Accepted; it runs when its turn comes.",
    204: "Done; nothing to say.",
}

ERRORS = {
    400: "The request is wrong; `errors` lists every bad field.",
    401: "The token is missing, unknown, expired or revoked.",
    402: "The account has not enough Buzz; nothing was written.",
    403: "The signature of the link is wrong, or the link has expired.",
    404: "There is no such thing, or it belongs to another account.",
    409: "Its state does not allow this.",
    413: "More bytes, pixels or items than this server takes.",
    415: "A media type that this server does not take, or bytes that are not what they are said to be.",
    416: "The range lies outside the bytes.",
    429: "Slow down; `Retry-After` says for how long.",
    503: "The server cannot do this now; nothing was written, try again.",
}


def document(operations: Sequence[Operation]) -> Handler:
    """GET /openapi.json."""

    @cache
    def encoded() -> bytes:
        return msgspec.json.encode(build(operations))

    async def openapi(request: Request) -> Response:
        own = msgspec.json.encode(base_url(request))[1:-1]
        return Response(encoded().replace(SERVER.encode(), own), 200, {"Cache-Control": "no-cache"}, _JSON)

    return openapi


def page(operations: Sequence[Operation]) -> Handler:
    """GET /docs."""

    @cache
    def written() -> str:
        engines = {name: registry.engine(name).offer() for name in registry.targets("engines")}
        return reference.page(build(operations), engines)

    async def docs(request: Request) -> Response:
        text = written().replace(SERVER, escape(base_url(request)))
        headers = {"Cache-Control": "no-cache", "Content-Security-Policy": reference.POLICY}
        return Response(text, 200, headers, "text/html")

    return docs


def build(operations: Sequence[Operation], *, server: str = SERVER, base: str = "", title: str = "Heddle") -> Document:
    """The document of some operations; the part `base` of their paths belongs to `server` and is left out."""
    schemas = _schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for op in operations:
        paths.setdefault(op.path.removeprefix(base), {})[op.method.lower()] = _operation(op)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": heddle.__version__,
            "description": _ABOUT,
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server}],
        "security": [{"BearerAuth": []}],
        "tags": [
            {"name": tag, "description": _TAGS.get(tag, "")} for tag in dict.fromkeys(op.tag for op in operations)
        ],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "BearerAuth": {"type": "http", "scheme": "bearer", "description": "`heddle tokens create` makes one."}
            },
            "responses": {_response_name(status): _error(status) for status in _statuses(operations)},
            "schemas": schemas,
        },
    }


# ── operations ────────────────────────────────────────────────────────────────


def _operation(op: Operation) -> dict[str, Any]:
    summary, _, more = op.summary.rstrip(".").partition(". ")
    shown: dict[str, Any] = {"operationId": op.id, "tags": [op.tag], "summary": summary}
    if text := "\n".join(part for part in (f"{more}." if more else "", _description(op)) if part):
        shown["description"] = text
    if op.auth != "bearer":
        shown["security"] = [{"BearerAuth": []}, {}] if op.auth == "optional" else []
    if parameters := [*_path(op), *_query(op), *_headers(op)]:
        shown["parameters"] = parameters
    if content := _takes(op):
        shown["requestBody"] = {"required": True, "content": content}
    errors = {str(s): {"$ref": f"#/components/responses/{_response_name(s)}"} for s in _statuses([op])}
    shown["responses"] = _answers(op) | errors
    return shown


def _description(op: Operation) -> str:
    """The handler's docstring after its first line."""
    return "\n".join(line.strip() for line in (op.handler.__doc__ or "").strip().splitlines()[1:]).strip()


def _path(op: Operation) -> list[dict[str, Any]]:
    kind = {"id": "integer"}
    return [
        {"name": n, "in": "path", "required": True, "description": text, "schema": {"type": kind.get(n, "string")}}
        for n, text in op.params.items()
    ]


def _query(op: Operation) -> list[dict[str, Any]]:
    if op.auth == "signature":
        names = _SIGNATURE if op.method == "GET" else _SIGNATURE_OF_UPLOAD
        return [
            _parameter(n, required, {"type": "string", "description": text}) for n, (required, text) in names.items()
        ]
    if op.query is None:
        return []
    model = _schema(op.query)
    return [_parameter(n, n in model.get("required", ()), s) for n, s in model["properties"].items()]


def _parameter(name: str, required: bool, schema: Mapping[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in schema.items() if key != "description"}
    said = {"description": schema["description"]} if "description" in schema else {}
    must = {"required": True} if required else {}
    return {"name": name, "in": "query", **must, **said, "schema": rest}


def _headers(op: Operation) -> list[dict[str, Any]]:
    if op.id != "submitWorkflow":
        return []
    text = "A key of your own: the same key again returns the workflow of the first time, and nothing is submitted."
    schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}
    return [{"name": "Idempotency-Key", "in": "header", "description": text, "schema": schema}]


def _takes(op: Operation) -> dict[str, Any]:
    if op.auth == "signature" and op.method != "GET":
        return dict.fromkeys(media.TYPES, _BYTES)
    if op.body is None:
        return {}
    content = {op.body_type: {"schema": _ref(op.body)}}
    if op.body_type == "multipart/form-data":
        content |= {mime: _BYTES for mime in media.TYPES if mime != _JSON}
    return content


def _answers(op: Operation) -> dict[str, Any]:
    if op.id == "openBlob":
        bytes_out = {"content": {"*/*": _BYTES}}
        return {
            "200": {"description": "The bytes.", **bytes_out},
            "206": {"description": "The part of them that was asked for.", **bytes_out},
            "304": {"description": "The caller has them already."},
            "307": {"description": "The bytes are at `Location`, for a while."},
        }
    answer: dict[str, Any] = {"description": _SUCCESS[op.status]}
    if op.gives:
        answer["content"] = dict.fromkeys(op.gives.split(", "), _BYTES)
    if op.shows is not None:
        answer["content"] = {_JSON: {"schema": _ref(op.shows)}}
    return {str(op.status): answer}


def _statuses(operations: Iterable[Operation]) -> list[int]:
    return sorted({status for op in operations for status in (*op.errors, 503)})


def _response_name(status: int) -> str:
    """The error's own name; the phrases of the statuses change from one Python to the next."""
    names = {error.status: error.__name__ for error in CallerError.__subclasses__()}
    return names.get(status, Unavailable.__name__)


def _error(status: int) -> dict[str, Any]:
    return {"description": ERRORS[status], "content": {_JSON: {"schema": {"$ref": _REF.format(model="Error")}}}}


# ── schemas ───────────────────────────────────────────────────────────────────


class _Generator(GenerateJsonSchema):
    """pydantic's schemas as this API means them: optional is absent, not null; and no titles that repeat names."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if made.get("default", ...) is not None:
            return made
        del made["default"]
        some = [kind for kind in made.pop("anyOf", ()) if kind != {"type": "null"}]
        return {**made, **some[0]} if len(some) == 1 else made | ({"anyOf": some} if some else {})

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False


def _schemas(operations: Sequence[Operation]) -> dict[str, Any]:
    """Every component: the bodies, the answers, and one step per step type."""
    models = {shown.Error} | {model for op in operations for model in (op.body, op.shows) if model is not None}
    types: dict[str, type[BaseModel]] = {}
    if any(op.body is not None for op in operations):
        types = {name: registry.load(target).model for name, target in registry.targets("steps").items()}
    ordered = sorted({*models, *types.values()}, key=lambda model: model.__name__)
    _, found = models_json_schema(
        [(model, "validation") for model in ordered], schema_generator=_Generator, ref_template=_REF
    )
    schemas: dict[str, Any] = found.get("$defs", {})
    if StepRequest.__name__ in schemas:
        schemas |= _steps(schemas[StepRequest.__name__], types)
    return {name: _tidy(schemas[name]) for name in sorted(schemas)}


def _steps(shared: Mapping[str, Any], types: Mapping[str, type[BaseModel]]) -> dict[str, Any]:
    """A step is one of the step types, told apart by `$type`."""
    made: dict[str, Any] = {}
    mapping: dict[str, str] = {}
    for name, model in types.items():
        step = f"{name[0].upper()}{name[1:]}Step"
        own = {"$type": {"const": name, "type": "string"}, "input": _ref(model)}
        made[step] = {**shared, "properties": {**shared["properties"], **own}, "description": f"A step `{name}`."}
        mapping[name] = _REF.format(model=step)
    made[StepRequest.__name__] = {
        "description": shared["description"],
        "oneOf": [{"$ref": ref} for ref in mapping.values()],
        "discriminator": {"propertyName": "$type", "mapping": mapping},
    }
    return made


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """One model by itself, nothing referred to."""
    whole = _tidy(model.model_json_schema(schema_generator=_Generator))
    return _inlined(whole, whole.get("$defs", {}))


def _inlined(node: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    members = cast("dict[str, Any]", node)
    if "$ref" in members:
        members = {
            **definitions[members["$ref"].rpartition("/")[2]],
            **{k: v for k, v in members.items() if k != "$ref"},
        }
    return {name: _inlined(item, definitions) for name, item in members.items() if name != "$defs"}


def _tidy(node: Any) -> Any:
    """Without `title`s (unless a property has that name), and without defaults that only say "absent"."""
    if isinstance(node, list):
        return [_tidy(item) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    members = cast("dict[str, Any]", node)
    return {
        name: {key: _tidy(value) for key, value in item.items()} if name == "properties" else _tidy(item)
        for name, item in members.items()
        if not (name == "title" and isinstance(item, str))
    }


def _ref(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": _REF.format(model=model.__name__)}
