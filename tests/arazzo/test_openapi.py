"""Descriptions: finding operations, merging parameters, and the server that a request goes to."""

from __future__ import annotations

from importlib import resources
from typing import Any

import pytest
import yaml
from openapi_spec_validator import validate

from heddle.arazzo.openapi import Description, relocated
from heddle.arazzo.tree import Tree
from heddle.errors import UsageError


def described(server: str | None = None, **fields: Any) -> Description:
    data = {"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": {}, **fields}
    return Description("api", Tree("api.yaml", yaml.safe_dump(data)), server)


PATHS = {
    "/a/{id}": {
        "parameters": [
            {"name": "id", "in": "path", "required": True, "schema": {}},
            {"name": "q", "in": "query", "style": "pipeDelimited", "schema": {}},
            {"name": "X-One", "in": "header", "schema": {}},
        ],
        "get": {"operationId": "getA", "parameters": [{"$ref": "#/components/parameters/q"}]},
        "post": {
            "requestBody": {"$ref": "#/components/requestBodies/up"},
            "servers": [{"url": "https://up.example.org/{v}/", "variables": {"v": {"default": "v9"}}}],
        },
    }
}
COMPONENTS = {
    "parameters": {"q": {"name": "q", "in": "query", "explode": False, "schema": {}}},
    "requestBodies": {"up": {"content": {"multipart/form-data": {"schema": {"$ref": "#/components/schemas/up"}}}}},
    "schemas": {
        "up": {
            "properties": {
                "one": {"type": "string", "format": "binary"},
                "many": {"type": "array", "items": {"contentMediaType": "image/png"}},
                "text": {"type": "string"},
            }
        }
    },
}


def test_the_operation_overrides_its_path() -> None:
    operation = described(paths=PATHS, components=COMPONENTS).operation("getA")
    assert operation is not None
    assert (operation.method, operation.path) == ("GET", "/a/{id}")
    q = operation.shape("q", "query")
    assert (q.style, q.explode) == ("form", False)
    assert operation.shape("x-one", "header").name == "X-One"
    assert operation.shape("unknown", "query").explode


def test_an_operation_by_its_path() -> None:
    description = described(paths=PATHS, components=COMPONENTS, servers=[{"url": "https://e.org/base"}])
    operation = description.operation_at("/paths/~1a~1{id}/post")
    assert operation is not None
    assert operation.server == "https://up.example.org/v9/"
    assert operation.body("multipart/form-data; x=1").binary == {"one", "many"}
    for wrong in ("/paths/~1a~1{id}/put", "/paths/~1b/get", "paths", "/paths/~1a~1{id}", "/info/~1a/get"):
        assert description.operation_at(wrong) is None


def test_a_moved_source_moves_its_operations() -> None:
    operation = described("http://127.0.0.1:1/x", paths=PATHS, components=COMPONENTS).operation_at(
        "/paths/~1a~1{id}/post"
    )
    assert operation is not None
    assert operation.server == "http://127.0.0.1:1/v9"


@pytest.mark.parametrize(
    ("own", "server", "base"),
    [
        ("https://civitai.com/api/v1", "http://127.0.0.1:8765", "http://127.0.0.1:8765/api/v1"),
        ("https://orchestration.civitai.com", "http://127.0.0.1:8765/", "http://127.0.0.1:8765"),
        ("/api/v2/", "https://h", "https://h/api/v2"),
        ("/", "https://h/prefix", "https://h/prefix"),
        ("v2", "https://h", "https://h/v2"),
        (".example.org", "https://h", "https://h/.example.org"),
        ("@example.org/x", "https://h", "https://h/@example.org/x"),
        (":81/x", "https://h", "https://h/:81/x"),
        ("//example.org/x", "https://h", "https://h/example.org/x"),
    ],
)
def test_the_path_is_kept(own: str, server: str, base: str) -> None:
    """And no text of a description becomes part of the host."""
    assert relocated(own, server) == base


def test_a_schema_that_is_combined_of_itself_many_times_takes_no_time() -> None:
    itself = {"$ref": "#/components/schemas/up"}
    up = {"allOf": [itself] * 20_000, "properties": {"one": {"type": "string", "format": "binary"}}}
    more = {"anyOf": [itself, {"properties": {"two": {"type": "string", "format": "binary"}}}]}
    body = {"content": {"multipart/form-data": {"schema": {"allOf": [more, itself], "properties": {"one": {}}}}}}
    paths = {"/a": {"post": {"operationId": "a", "requestBody": body}}}
    operation = described(paths=paths, components={"schemas": {"up": up}}).operation("a")
    assert operation is not None
    assert operation.body("multipart/form-data").binary == {"two"}


@pytest.mark.parametrize("path", [".example.org", "@example.org/x", "x-hidden"])
def test_a_path_starts_with_a_slash(path: str) -> None:
    description = described(paths={path: {"get": {"operationId": "a"}}})
    assert description.operation("a") is None
    assert description.operation_at(f"/paths/{path.replace('/', '~1')}/get") is None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"openapi": "2.0"}, "OpenAPI 2.0"),
        ({"openapi": None}, "no OpenAPI description|OpenAPI None"),
        ({"paths": {"/a": {"$ref": "other.yaml#/a"}}}, "leads to another file"),
        ({"paths": {"/a": {"$ref": "#/nowhere"}}}, "leads nowhere"),
        ({"paths": {"/a": {"$ref": "#nowhere"}}}, r"api\.yaml: the reference '#nowhere' leads nowhere"),
        ({"paths": {"/a": {"$ref": "#/paths/~1a"}}}, "refers to itself"),
    ],
)
def test_what_cannot_be_used_says_so(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        list(described(**fields).operation_ids())


def test_a_reference_is_part_of_a_url() -> None:
    fields: dict[str, Any] = {"paths": {"/a": {"$ref": "#/x-%20items"}}}
    fields["x- items"] = {"get": {"operationId": "spaced"}}
    assert list(described(**fields).operation_ids()) == ["spaced"]


@pytest.mark.parametrize("name", ["civitai-orchestration-api-openapi.yml", "civitai-site-api-openapi.yml"])
def test_the_descriptions_in_the_package_are_valid(name: str) -> None:
    text = (resources.files("heddle.arazzo") / "descriptions" / name).read_text()
    validate(yaml.safe_load(text))
    names = list(Description("api", Tree(name, text)).operation_ids())
    assert len(names) == len(set(names)) > 0
