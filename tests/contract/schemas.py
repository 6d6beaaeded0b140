"""Answers held against OpenAPI documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema_rs


def operations(document: Mapping[str, Any]) -> dict[str, tuple[str, str, Mapping[str, Any]]]:
    """operationId -> (method, path, operation), parameters of the path included."""
    found: dict[str, tuple[str, str, Mapping[str, Any]]] = {}
    for path, item in document["paths"].items():
        shared = item.get("parameters", [])
        for method, op in item.items():
            if method != "parameters":
                found[op["operationId"]] = method, path, {**op, "parameters": [*shared, *op.get("parameters", ())]}
    return found


def answer_schema(document: Mapping[str, Any], operation_id: str, status: int) -> Mapping[str, Any] | None:
    """What an operation says of the body of an answer; None when it says nothing."""
    _, _, op = operations(document)[operation_id]
    response = op["responses"][str(status)]
    if "$ref" in response:
        response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
    content = response.get("content", {})
    return content["application/json"]["schema"] if "application/json" in content else None


def problems(document: Mapping[str, Any], schema: Mapping[str, Any], value: Any) -> list[str]:
    """What is wrong with a value, one line each."""
    whole = {**schema, "components": document["components"]}
    validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
    return [f"/{'/'.join(map(str, error.instance_path))}: {error.message}" for error in validator.iter_errors(value)]


def closed(node: Any) -> Any:
    """The same, where an object may have no member that is not described."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {name: closed(item) for name, item in node.items()}
    if node.get("type") == "object" and "properties" in node:
        made.setdefault("additionalProperties", False)
    return made
