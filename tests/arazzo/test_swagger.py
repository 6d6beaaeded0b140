"""Swagger 2.0 descriptions: what they mean in the words of OpenAPI 3."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heddle.arazzo.lint import lint
from heddle.arazzo.openapi import METHODS, Description, Operation
from heddle.arazzo.tree import Tree
from heddle.errors import UsageError


def described(**fields: Any) -> Description:
    data = {"swagger": "2.0", "info": {"title": "t", "version": "1"}, "paths": {}, **fields}
    return Description("api", Tree("api.json", json.dumps(data)))


def operation(parameters: list[Any], **fields: Any) -> Operation:
    found = described(paths={"/a": {"post": {"operationId": "a", "parameters": parameters, **fields}}}).operation("a")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("fields", "server"),
    [
        ({}, "/"),
        ({"basePath": "/v1"}, "/v1"),
        ({"host": "h.example.org"}, "https://h.example.org/"),
        ({"host": "h.example.org:81", "basePath": "/v1", "schemes": ["http"]}, "http://h.example.org:81/v1"),
        ({"host": "h", "schemes": ["http", "https", "ws"]}, "https://h/"),
        ({"host": "h", "schemes": ["ws"]}, "https://h/"),
    ],
)
def test_the_server(fields: dict[str, Any], server: str) -> None:
    assert described(**fields).server == server


@pytest.mark.parametrize(
    ("where", "collection", "style", "explode"),
    [
        ("query", None, "form", False),
        ("query", "csv", "form", False),
        ("query", "multi", "form", True),
        ("query", "ssv", "spaceDelimited", False),
        ("query", "tsv", "tabDelimited", False),
        ("query", "pipes", "pipeDelimited", False),
        ("header", None, "simple", False),
        ("path", "csv", "simple", False),
    ],
)
def test_lists(where: str, collection: str | None, style: str, explode: bool) -> None:
    fields = {"name": "x", "in": where, "type": "array", "items": {"type": "string"}}
    found = operation([fields | ({"collectionFormat": collection} if collection else {})]).shape("x", where)
    assert (found.style, found.explode) == (style, explode)


@pytest.mark.parametrize(
    ("parameters", "fields", "kinds"),
    [
        ([{"name": "b", "in": "body", "schema": {}}], {}, ["application/json"]),
        ([{"name": "b", "in": "body"}], {"consumes": ["application/xml"]}, ["application/xml"]),
        ([{"name": "f", "in": "formData"}], {}, ["application/x-www-form-urlencoded"]),
        ([{"name": "f", "in": "formData"}], {"consumes": ["multipart/form-data"]}, ["multipart/form-data"]),
        ([{"name": "f", "in": "formData", "type": "file"}], {}, ["multipart/form-data"]),
        ([{"name": "q", "in": "query"}], {"consumes": ["application/xml"]}, []),
    ],
)
def test_bodies(parameters: list[Any], fields: dict[str, Any], kinds: list[str]) -> None:
    assert [body.content_type for body in operation(parameters, **fields).bodies] == kinds


def test_the_operation_replaces_what_its_path_says() -> None:
    path = {
        "parameters": [{"name": "q", "in": "query", "type": "array"}, {"name": "b", "in": "body", "required": True}],
        "get": {"operationId": "a", "parameters": [{"name": "q", "in": "query", "type": "string", "required": True}]},
    }
    found = described(paths={"/a": path}).operation("a")
    assert found is not None
    assert found.shape("q", "query").required
    assert found.shape("q", "query").explode
    assert found.body_required
    assert list(found.parameters) == [("q", "query")]


def test_a_broken_reference_costs_its_own_operation_only() -> None:
    broken = {"operationId": "b", "parameters": [{"$ref": "#/parameters/none"}], "responses": {}}
    description = described(paths={"/a": {"get": {"operationId": "a"}}, "/b": {"get": broken}})
    assert description.operation("a") is not None
    with pytest.raises(UsageError, match="'#/parameters/none' leads nowhere"):
        description.operation("b")


@pytest.mark.parametrize(
    ("fields", "found"),
    [({"swagger": "1.2"}, "Swagger 1.2"), ({"openapi": "2.0"}, "OpenAPI 2.0"), ({}, "no OpenAPI description")],
)
def test_other_versions_are_refused(fields: dict[str, str], found: str) -> None:
    with pytest.raises(UsageError, match=f"api.json is {found}"):
        Description("api", Tree("api.json", json.dumps(fields)))


def test_findings_keep_their_place(tmp_path: Path) -> None:
    """What an answer cannot have is found in a translated description too."""
    thing = {"type": "object", "properties": {"id": {"type": "string"}}}
    path = {"get": {"operationId": "a", "responses": {"200": {"$ref": "#/responses/thing"}}}}
    description = {
        "swagger": "2.0",
        "info": {"title": "t", "version": "1"},
        "definitions": {"Thing": thing},
        "responses": {"thing": {"description": "ok", "schema": {"$ref": "#/definitions/Thing"}}},
        "paths": {"/a": path},
    }
    (tmp_path / "api.json").write_text(json.dumps(description))
    (tmp_path / "flow.yaml").write_text(
        "arazzo: 1.0.1\n"
        "info: {title: t, version: '1'}\n"
        "sourceDescriptions: [{name: api, url: api.json, type: openapi}]\n"
        "workflows:\n"
        "- workflowId: main\n"
        "  steps:\n"
        "  - stepId: a\n"
        "    operationId: a\n"
        "    outputs:\n"
        "      good: $response.body#/id\n"
        "      bad: $response.body#/ide\n"
        "  outputs: {good: $steps.a.outputs.good, bad: $steps.a.outputs.bad}\n"
    )
    found = [one for one in lint(tmp_path / "flow.yaml") if "ide" in one.message]
    assert [(one.place.line, one.place.column) for one in found] == [(11, 12)]


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["array", "file", "csv", "body", "formData", "query"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "in", "type", "schema", "parameters", "responses", "consumes", "collectionFormat", "200"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(_VALUES, _VALUES, _VALUES)
def test_no_shape_is_too_odd(item: Any, fields: Any, other: Any) -> None:
    holder = item if isinstance(item, dict) else {}
    data = {"swagger": "2.0", "paths": {"/a": {**holder, "get": fields}}, "consumes": other, "schemes": other}
    data |= {"securityDefinitions": other, "definitions": other, "security": other}
    description = Description("api", Tree("api.json", json.dumps(data)))
    list(description.operation_ids())
    for method in METHODS:
        description.operation_at(f"/paths/~1a/{method}")
