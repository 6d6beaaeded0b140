"""Swagger 2.0 in the words of OpenAPI 3, as far as making a request needs them.

Only what is asked for is translated, and nothing is moved: `definitions`, `parameters` and `responses` stay where their
`$ref`s look for them, and what is said about a description keeps its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

Fields: TypeAlias = Mapping[str, Any]
#: The object at the end of its `$ref`s; an empty one where there is none.
Resolve: TypeAlias = Callable[[Any], Fields]

_MULTIPART = "multipart/form-data"
_URLENCODED = "application/x-www-form-urlencoded"
#: collectionFormat as style and explode; `tabDelimited` is a style that OpenAPI 3 no longer has.
_COLLECTIONS = {
    "csv": ("form", False),
    "ssv": ("spaceDelimited", False),
    "tsv": ("tabDelimited", False),
    "pipes": ("pipeDelimited", False),
    "multi": ("form", True),
}


def is_swagger(root: Fields) -> bool:
    return "openapi" not in root and str(root.get("swagger", "")) == "2.0"


def translated(root: Fields) -> dict[str, Any]:
    """The description with `servers` and security schemes; operations are left to `operation_of`."""
    described = root.get("securityDefinitions")
    schemes = cast("dict[str, Any]", described) if isinstance(described, dict) else {}
    return {
        **root,
        "servers": [{"url": _server(root)}],
        "components": {"securitySchemes": {name: _scheme(one) for name, one in schemes.items()}},
    }


def operation_of(root: Fields, item: Fields, fields: Fields, resolve: Resolve) -> dict[str, Any]:
    """One operation, with the parameters of its path."""
    parameters = _parameters(item, fields, resolve)
    plain = [_parameter(one) for one in parameters if one.get("in") not in ("body", "formData")]
    body = next((one for one in parameters if one.get("in") == "body"), None)
    form = [one for one in parameters if one.get("in") == "formData"]
    consumes = _texts(fields, root, "consumes")
    produces = _texts(fields, root, "produces") or ["application/json"]
    return {
        **fields,
        "parameters": plain,
        "requestBody": _form_body(form, consumes) if form else _body(body, consumes) if body else None,
        "responses": {
            code: _response(resolve(one), produces[0]) for code, one in resolve(fields.get("responses")).items()
        },
    }


def _server(root: Fields) -> str:
    """HTTPS where it is offered, or where nothing is said."""
    path = str(root.get("basePath") or "/")
    host = root.get("host")
    schemes = _texts({}, root, "schemes")
    scheme = "http" if "http" in schemes and "https" not in schemes else "https"
    return f"{scheme}://{host}{path}" if host else path


def _scheme(described: Any) -> Fields:
    if not isinstance(described, dict):
        return {}
    fields = cast("dict[str, Any]", described)
    return {"type": "http", "scheme": "basic"} if fields.get("type") == "basic" else fields


def _parameters(item: Fields, fields: Fields, resolve: Resolve) -> Sequence[Fields]:
    """Those of the operation replace those of its path."""
    listed = [resolve(one) for holder in (item, fields) for one in _items(holder, "parameters")]
    return list({(str(one.get("name")), str(one.get("in"))): one for one in listed}.values())


def _parameter(fields: Fields) -> dict[str, Any]:
    found = {"name": fields.get("name"), "in": fields.get("in"), "required": fields.get("required"), "schema": fields}
    return found | (_collection(fields) if fields.get("type") == "array" else {})


def _collection(fields: Fields) -> dict[str, Any]:
    style, explode = _COLLECTIONS.get(str(fields.get("collectionFormat", "csv")), _COLLECTIONS["csv"])
    in_path = fields.get("in") in ("path", "header") and style == "form"
    return {"style": "simple" if in_path else style, "explode": explode}


def _body(fields: Fields, consumes: Sequence[str]) -> dict[str, Any]:
    media = {"schema": fields.get("schema", {})}
    return {"required": fields.get("required"), "content": dict.fromkeys(consumes or ["application/json"], media)}


def _form_body(form: Iterable[Fields], consumes: Sequence[str]) -> dict[str, Any]:
    """A file needs multipart; without one the operation says which of both, else the shorter."""
    parts = {str(one.get("name")): one for one in form}
    files = any(one.get("type") == "file" for one in parts.values())
    kinds = [kind for kind in (_URLENCODED, _MULTIPART) if kind in consumes] or [_URLENCODED]
    media = {
        "schema": {"properties": {name: _part(one) for name, one in parts.items()}},
        "encoding": {name: _collection(one) for name, one in parts.items() if one.get("type") == "array"},
    }
    required = any(one.get("required") for one in parts.values())
    return {"required": required, "content": dict.fromkeys([_MULTIPART] if files else kinds, media)}


def _part(fields: Fields) -> Fields:
    return {"type": "string", "format": "binary"} if fields.get("type") == "file" else fields


def _response(fields: Fields, kind: str) -> dict[str, Any]:
    return {**fields, "content": {kind: {"schema": fields["schema"]}} if "schema" in fields else {}}


def _texts(fields: Fields, root: Fields, name: str) -> list[str]:
    """A list of the operation, else of the description."""
    return [str(one).lower() for one in _items(fields if name in fields else root, name)]


def _items(fields: Fields, name: str) -> list[Any]:
    items = fields.get(name)
    return cast("list[Any]", items) if isinstance(items, list) else []
