"""The operations and answers of this server, held against the seed APIs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

sys.path.append(str(Path(__file__).parents[1] / "contract"))

from live import running
from schemas import answer_schema, operations, problems
from tour import visit

from heddle.api import openapi
from heddle.api.app import OPERATIONS

SEEDS = Path(__file__).parents[3] / "shared" / "seeds"

pytestmark = pytest.mark.skipif(not SEEDS.is_dir(), reason="the seed documents are not beside the checkout")

#: Where the seed says `string` and the key is sent even at the end, as null.
NULL_AT_THE_END = ("queryWorkflows", "nextCursor")


def _seed(name: str) -> dict[str, Any]:
    path = SEEDS / "openapi" / f"civitai-{name}-api-openapi.yml"
    return yaml.safe_load(path.read_text("utf-8")) if path.is_file() else {"paths": {}}


ORCHESTRATION, SITE = _seed("orchestration"), _seed("site")
OURS = openapi.build(OPERATIONS)
OUR_OPERATIONS = operations(OURS)

#: The operations of the seeds that are here: every one of the Orchestration API.
SHARED = [
    *((ORCHESTRATION, "", name) for name in operations(ORCHESTRATION)),
    *((SITE, "/api/v1", name) for name in operations(SITE) if name in OUR_OPERATIONS),
]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, httpx.Response]]:
    with running(tmp_path_factory.mktemp("seeds") / "home") as server:
        yield visit(server)


def _follow(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        found: Any = document
        for part in node["$ref"].split("/")[1:]:
            found = found[part]
        node = found
    return node


@pytest.mark.parametrize(("seed", "base", "name"), SHARED, ids=[name for _, _, name in SHARED])
def test_every_operation_of_the_seed_is_here(seed: dict[str, Any], base: str, name: str) -> None:
    method, path, op = operations(seed)[name]
    our_method, our_path, ours = OUR_OPERATIONS[name]
    assert (our_method, our_path) == (method, base + path)
    assert {str(status) for status in op["responses"]} <= set(ours["responses"])
    known = {(p["name"], p["in"]): p for p in ours.get("parameters", ())}
    for parameter in op["parameters"]:
        here = known[parameter["name"], parameter["in"]]
        assert here["schema"].get("type", "string") == parameter["schema"]["type"]
        assert here["schema"].get("enum") == parameter["schema"].get("enum")
        assert here.get("required", False) <= parameter.get("required", False)
    for mime in op.get("requestBody", {}).get("content", {}):
        assert mime in ours["requestBody"]["content"]


@pytest.mark.parametrize("name", ["WorkflowRequest", "WorkflowUpdate", "WorkflowStep", "StepInput"])
def test_what_may_be_sent_to_the_seed_may_be_sent_here(name: str) -> None:
    """Members by name; those of step types that are not here yet are not asked for."""
    ours = {"WorkflowStep": "ImageGenStep", "StepInput": "ImageGenInput"}.get(name, name)
    theirs = ORCHESTRATION["components"]["schemas"][name]
    here = OURS["components"]["schemas"][ours]
    later = {"duration", "fps", "upscaler"}
    assert set(theirs["properties"]) - later <= set(here["properties"])
    assert set(here.get("required", ())) - {"prompt"} <= set(theirs.get("required", ()))


@pytest.mark.parametrize("name", ["Workflow", "WorkflowStepResult", "Job", "Blob", "Error"])
def test_what_the_seed_shows_is_shown_here(name: str) -> None:
    theirs = ORCHESTRATION["components"]["schemas"][name]["properties"]
    assert set(theirs) <= set(OURS["components"]["schemas"][name]["properties"])


@pytest.mark.parametrize(("seed", "base", "name"), SHARED, ids=[name for _, _, name in SHARED])
def test_the_answer_is_one_that_the_seed_describes(
    seed: dict[str, Any], base: str, name: str, answers: dict[str, httpx.Response]
) -> None:
    answer = answers[name]
    assert str(answer.status_code) in operations(seed)[name][2]["responses"]
    schema = answer_schema(seed, name, answer.status_code)
    if schema is None:
        return
    body = answer.json()
    if name == NULL_AT_THE_END[0] and body[NULL_AT_THE_END[1]] is None:
        del body[NULL_AT_THE_END[1]]
    assert problems(seed, schema, body) == []


@pytest.mark.parametrize("name", ["submitWorkflow", "getWorkflow", "updateWorkflow", "patchWorkflow"])
def test_a_workflow_fits_the_seeds_json_schema(name: str, answers: dict[str, httpx.Response]) -> None:
    schema = json.loads((SEEDS / "json-schema" / "civitai-workflow-schema.json").read_text("utf-8"))
    assert problems({"components": {}}, schema, answers[name].json()) == []


def test_an_error_fits_the_seeds(answers: dict[str, httpx.Response], tmp_path: Path) -> None:
    with running(tmp_path / "home") as server, server.client(None) as nobody:
        body = nobody.get("/v2/consumer/workflows").json()
    assert problems(ORCHESTRATION, {"$ref": "#/components/schemas/Error"}, body) == []
    assert {"code", "message", "traceId"} <= set(body)
