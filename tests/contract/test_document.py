"""The OpenAPI document and the reference page by themselves."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from heddle.api import openapi
from heddle.api.app import OPERATIONS
from heddle.arazzo.openapi import Description
from heddle.arazzo.tree import Tree

DOCUMENT = openapi.build(OPERATIONS)
DESCRIPTIONS = Path(__file__).parents[2] / "src" / "heddle" / "arazzo" / "descriptions"


def test_the_document_is_valid_openapi() -> None:
    assert [str(error) for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_every_operation_of_the_table_is_in_it_once() -> None:
    found = [
        (op["operationId"], method.upper(), path)
        for path, item in DOCUMENT["paths"].items()
        for method, op in item.items()
    ]
    assert sorted(found) == sorted((op.id, op.method, op.path) for op in OPERATIONS)


def test_every_parameter_of_a_path_is_described() -> None:
    for op in OPERATIONS:
        assert set(re.findall(r"\{(\w+)\}", op.path)) == set(op.params), op.id


def test_nothing_is_described_that_nothing_refers_to() -> None:
    components = DOCUMENT["components"]
    for kind in ("schemas", "responses"):
        for name in components[kind]:
            assert f"#/components/{kind}/{name}'" in repr(DOCUMENT), name


def test_every_object_says_what_it_is_in_a_sentence() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert re.fullmatch(r"[A-Z].*[.]", schema.get("description", ""), re.DOTALL), name


def test_null_is_only_where_it_is_sent() -> None:
    nullable = [
        f"{name}.{member}"
        for name, schema in DOCUMENT["components"]["schemas"].items()
        for member, inner in schema.get("properties", {}).items()
        if {"type": "null"} in inner.get("anyOf", ())
    ]
    assert nullable == [
        f"{page}.{name}" for page in ("ArazzoRunPage", "WorkflowPage") for name in ("nextCursor", "next")
    ]


def test_a_step_is_told_by_its_type() -> None:
    request = DOCUMENT["components"]["schemas"]["StepRequest"]
    assert request["discriminator"]["mapping"]["imageGen"] == "#/components/schemas/ImageGenStep"
    step = DOCUMENT["components"]["schemas"]["ImageGenStep"]
    assert step["properties"]["$type"]["const"] == "imageGen"
    assert step["properties"]["input"] == {"$ref": "#/components/schemas/ImageGenInput"}
    assert step["required"] == ["$type", "input"]


def _script() -> Any:
    path = Path(__file__).parents[2] / "scripts" / "descriptions.py"
    spec = spec_from_file_location("descriptions", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_descriptions_in_the_package_are_current() -> None:
    assert _script().stale() == []


@pytest.mark.parametrize(
    ("name", "server", "operation"),
    [
        ("civitai-orchestration-api-openapi.yml", "http://127.0.0.1:8765", "submitWorkflow"),
        ("civitai-site-api-openapi.yml", "http://127.0.0.1:8765/api/v1", "getModelVersion"),
    ],
)
def test_the_arazzo_runner_reads_them(name: str, server: str, operation: str) -> None:
    description = Description("api", Tree(name, (DESCRIPTIONS / name).read_text("utf-8")))
    found = description.operation(operation)
    assert found is not None
    assert found.server == server
    assert not found.path.startswith("/api/v1")


def test_it_is_served_with_the_address_that_the_caller_used(nobody: httpx.Client) -> None:
    answer = nobody.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["servers"] == [{"url": str(nobody.base_url).rstrip("/")}]
    assert answer.json()["paths"] == DOCUMENT["paths"]
    elsewhere = nobody.get("/openapi.json", headers={"Host": "heddle.example"})
    assert elsewhere.json()["servers"] == [{"url": "http://heddle.example"}]


class _Page(HTMLParser):
    """Collects ids and links, and complains about tags that do not match."""

    VOID = frozenset({"meta", "br", "link", "img", "hr", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {"script", "link", "img", "iframe", "form"}
        given = dict(attrs)
        assert not {name for name in given if name.startswith("on") or name in {"src", "style"}}
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links += [given["href"] or ""] if "href" in given else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_shows_every_operation_and_its_links_lead_somewhere(nobody: httpx.Client) -> None:
    answer = nobody.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    page = _Page()
    page.feed(answer.text)
    page.close()
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert {op.id for op in OPERATIONS} <= set(page.ids)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert [link for link in page.links if not link.startswith("#")] == ["/openapi.json"]
    assert f'curl -X POST "{str(nobody.base_url).rstrip("/")}/v2/consumer/workflows"' in page.text
    assert openapi.SERVER not in answer.text


def test_the_page_shows_the_inputs_and_the_engines(nobody: httpx.Client) -> None:
    text = nobody.get("/docs").text
    for word in ("negativePrompt", "64 to 2048", "What the picture shows.", "additionalNetworks", "sketch"):
        assert word in text


def test_a_hostile_host_is_only_text_on_the_page(nobody: httpx.Client) -> None:
    text = nobody.get("/docs", headers={"Host": "x\"'><b>y</b>"}).text
    assert "<b>y" not in text
