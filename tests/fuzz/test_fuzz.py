"""Thousands of requests made up from the OpenAPI document, right and wrong, against a running server.

Whatever comes in: no status of 500 and above, an answer in time, and one that the document describes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from live import Live, running
from schemathesis.checks import not_a_server_error
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tour import png, run_of, submit

from heddle.api.app import OPERATIONS

pytestmark = pytest.mark.slow

#: One request may take this long, also on a busy machine.
ANSWER_S = 15.0

#: Cases per operation, kind of data and kind of ids. Where nothing can be varied, there are fewer.
CASES = 60
BODIES = {"submitWorkflow": 300, "updateWorkflow": 120, "patchWorkflow": 120, "uploadBlob": 100}
LEAST = 2000

#: No schema says which graphs are right.
GRAPH = {
    "1": {"class_type": "EmptyImage", "inputs": {}},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
}

Change = Callable[[Any], object]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@dataclass(slots=True)
class Run:
    """A server under fire."""

    live: Live
    schema: Any
    session: requests.Session
    #: Values of path and query that name what exists.
    real: dict[str, dict[str, Any]]
    statuses: Counter[int] = field(default_factory=Counter[int])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with running(tmp_path_factory.mktemp("fuzz") / "home") as live, requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {live.owner}"
        schema = schemathesis.openapi.from_url(f"{live.url}/openapi.json", timeout=ANSWER_S)
        yield Run(live, schema, session, _real(live))


def _real(live: Live) -> dict[str, dict[str, Any]]:
    with live.client(live.owner) as client:
        blob = client.post("/v2/consumer/blobs", files={"file": ("a.png", png(), "image/png")}).json()
        promised = client.get("/v2/consumer/blobs/upload-url", params={"mimeType": "image/png"}).json()
        workflow = submit(client)
    with live.client(live.owner) as client:
        run = run_of(client).json()
    return {
        "runId": {"path_parameters": {"runId": run["id"]}},
        "workflowId": {"path_parameters": {"workflowId": workflow["id"]}},
        "blobId": {"path_parameters": {"blobId": blob["id"]}},
        "id": {"path_parameters": {"id": 1}},
        "openBlob": _link(blob["url"], blob["id"]),
        "putBlob": _link(promised["uploadUrl"], promised["blobId"]),
        "postBlob": _link(promised["uploadUrl"], promised["blobId"]),
    }


def _link(url: str, blob_id: str) -> dict[str, Any]:
    return {"path_parameters": {"blobId": blob_id}, "query": dict(httpx.URL(url).params)}


def _fixed(run: Run, op: Any) -> list[dict[str, Any]]:
    """Made-up ids; and ids of what exists, where the operation has any."""
    known = run.real.get(op.id) or next((run.real[name] for name in op.params), None)
    return [{}] if known is None else [{}, known]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("op", OPERATIONS, ids=lambda op: op.id)
def test_no_request_breaks_the_server(run: Run, op: Any, mode: GenerationMode) -> None:
    for fixed in _fixed(run, op):
        strategy = run.schema[op.path][op.method].as_strategy(generation_mode=mode, **fixed)
        # Where every part is given, there is nothing left that could be wrong.
        with suppress(Unsatisfiable) if fixed else nullcontext():
            _fire(run, strategy, BODIES.get(op.id, CASES))


#: Fields that name what would have to exist, or that go with such a field.
NOT_HERE = (
    *("engine", "model", "sampler", "images", "strength", "additionalNetworks", "aspectRatio"),
    *("mask", "vae", "controlNets", "firstFrame", "lastFrame", "shift", "speaker"),
)


def test_what_the_document_allows_is_accepted(run: Run) -> None:
    """Made-up steps with everything but names of models and blobs, which would have to exist."""
    strategy = run.schema["/v2/consumer/workflows"]["POST"].as_strategy(generation_mode=GenerationMode.POSITIVE)
    seen: Counter[int] = Counter()

    def affordable(case: Any) -> None:
        if not isinstance(case.body, dict):
            return
        case.body.pop("callbackUrl", None)
        # Made-up keys repeat, and a key with another request is a conflict.
        case.headers.pop("Idempotency-Key", None)
        for i, step in enumerate(case.body["steps"]):
            step["name"] = f"step {i}"
            # Their sources would have to exist.
            if step["$type"] in {"upscale", "interpolate", "transcribe", "training"}:
                step |= {"$type": "textGen", "input": {"prompt": "a fox"}}
            wanted = step["input"]
            for name in NOT_HERE:
                wanted.pop(name, None)
            wanted |= {"width": 64, "height": 64, "quantity": 1}
            if "workflow" in wanted:
                wanted["workflow"] = GRAPH

    def check(answer: Any) -> None:
        seen[answer.status_code] += 1

    _fire(run, strategy, 150, affordable, check)
    assert seen[202] > 75, seen


def _fire(run: Run, strategy: Any, cases: int, change: Change = id, check: Change = id) -> None:
    @settings(
        max_examples=cases,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def shoot(case: Any) -> None:
        change(case)
        answer = case.call(session=run.session, timeout=ANSWER_S)
        run.statuses[answer.status_code] += 1
        check(answer)
        case.validate_response(answer, checks=CHECKS)

    shoot()


def test_it_was_enough_and_the_server_is_well(run: Run) -> None:
    """Last in the file: what happened in all of it."""
    assert run.statuses.total() >= LEAST, run.statuses
    assert {200, 202, 400, 404} <= set(run.statuses)
    assert run.live.log.read_text(errors="replace").partition("Traceback")[2] == ""
    with run.live.client(None) as client:
        assert client.get("/health").json()["status"] == "ok"
