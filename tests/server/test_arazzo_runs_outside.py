"""Arazzo runs on the server that call a host besides it, which the operator allows: what leaves, and kill -9."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.arazzo.arazzo_stub import Got, Reply, Stub
from tests.server.test_arazzo_runs import RUNS, begin, document, drawn, ended, query
from tests.serving import WORKFLOWS, Serving

PETS = {
    "openapi": "3.1.0",
    "info": {"title": "Pets", "version": "1"},
    "servers": [{"url": "http://127.0.0.1:1/not-this-one"}],
    "paths": {"/pet": {"get": {"operationId": "getPet", "responses": {"200": {"description": "A pet."}}}}},
}


@pytest.fixture
def pets() -> Iterator[Stub]:
    stub = Stub(lambda got: Reply(body={"name": "Rex"}))
    yield stub
    stub.close()


def host(stub: Stub) -> str:
    return stub.url.removeprefix("http://")


@pytest.fixture
def own(tmp_path: Path, pets: Stub) -> Iterator[Serving]:
    server = Serving(tmp_path / "home", run_hosts=host(pets)).start()
    yield server
    server.kill()


def mixed(steps: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    made = document(steps, **more)
    made["sourceDescriptions"].append({"name": "pets", "url": "pets.json", "type": "openapi"})
    return made


def sources(server: str, description: Any = PETS) -> dict[str, Any]:
    return {"pets": {"description": description, "server": server}}


PET = {
    "stepId": "pet",
    "operationId": "$sourceDescriptions.pets.getPet",
    "outputs": {"name": "$response.body#/name"},
}
LIST = query(operationId="$sourceDescriptions.api.queryWorkflows")
#: The parameters of `document` hold for all steps, so each of ours has the token for itself.
BEARER = [{"name": "Authorization", "in": "header", "value": "Bearer {$inputs.apiKey}"}]


def both(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    ours = [one if one is PET else {**one, "parameters": BEARER} for one in steps]
    inputs = {"type": "object", "properties": {"apiKey": {"type": "string"}}}
    return mixed(ours, parameters=[], inputs=inputs, **more)


def test_a_run_mixes_our_api_with_another(own: Serving, pets: Stub) -> None:
    with own.client() as client:
        given = both(LIST, PET, outputs={"name": "$steps.pet.outputs.name"})
        run = begin(client, given, sources=sources(f"{pets.url}/v1"))
        shown = ended(client, run["id"])
        assert (shown["status"], shown["outputs"]) == ("succeeded", {"name": "Rex"}), shown
        events = client.get(f"{RUNS}/{run['id']}/events").json()["items"]
    assert [one["request"] for one in events] == ["GET /v2/consumer/workflows", f"GET {pets.url}/v1/pet"]
    assert [one.path for one in pets.got] == ["/v1/pet"]
    assert "authorization" not in pets.got[0].headers


def test_the_token_does_not_leave_by_a_detour(own: Serving, pets: Stub) -> None:
    """A workflow that an action leads to gets the inputs of the same names."""
    leak = {**PET, "parameters": [{"name": "key", "in": "query", "value": "$inputs.apiKey"}]}
    given = both({**LIST, "onSuccess": [{"name": "on", "type": "goto", "workflowId": "other"}]})
    other = {"workflowId": "other", "inputs": given["workflows"][0]["inputs"], "steps": [leak]}
    given["workflows"].append(other)
    with own.client() as client:
        run = begin(client, given, workflow="main", sources=sources(pets.url))
        shown = ended(client, run["id"])
    assert shown["status"] == "failed"
    assert "the token of a run is for this server" in shown["reason"], shown
    assert pets.got == []


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (sources("http://127.0.0.1:1"), "sources.pets.server"),
        (sources("http://localhost"), "sources.pets.server"),
        (sources("http://169.254.169.254/latest"), "sources.pets.server"),
        (sources("file:///etc/passwd"), "sources.pets.server"),
        (sources("http://this-heddle"), "sources.pets.server"),
        (sources("http://x" * 2000), "sources.pets.server"),
        ({"pets": {"description": PETS}}, "sources.pets.server"),
        (sources("http://x", "\x00"), "sources.pets.description"),
        ({"cats": sources("http://127.0.0.1:1")["pets"]}, "sources.cats"),
        ({}, "document"),
    ],
    ids=["port", "name", "metadata", "file", "ours", "long", "none", "null byte", "unknown", "not given"],
)
def test_what_is_not_allowed_is_refused_at_once(own: Serving, pets: Stub, given: Any, field: str) -> None:
    with own.client() as client:
        body = {"document": both(PET), "sources": given}
        answer = client.post(RUNS, json=body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field]), answer.text
    assert pets.got == []


def test_a_redirect_leads_to_allowed_hosts_only(own: Serving, pets: Stub) -> None:
    other = Stub(lambda got: Reply(body={"name": "Tom"}))
    try:
        pets.handler = lambda got: Reply(302, headers={"Location": f"{other.url}/pet"})
        with own.client() as client:
            shown = ended(client, begin(client, both(PET), sources=sources(pets.url))["id"])
    finally:
        other.close()
    assert shown["status"] == "failed"
    assert f"{host(other)} is no host that a run on this server may call" in shown["reason"]
    assert (len(pets.got), other.got) == (1, [])


@pytest.mark.slow
def test_a_run_goes_on_after_kill_9(own: Serving, pets: Stub) -> None:
    """Killed while the other host makes it wait: what was paid for is not paid again."""

    def slow(got: Got) -> Reply:
        time.sleep(1 if len(pets.got) == 1 else 0)
        return Reply(body={"name": "Rex"})

    pets.handler = slow
    draw = {**drawn(1), "operationId": "$sourceDescriptions.api.submitWorkflow"}
    with own.client() as client:
        given = both(draw, PET, outputs={"name": "$steps.pet.outputs.name"})
        run = begin(client, given, sources=sources(pets.url))["id"]
        while not pets.got:
            time.sleep(0.005)
    own.kill()
    own.start()
    with own.client() as client:
        shown = ended(client, run)
        assert (shown["status"], shown["outputs"]) == ("succeeded", {"name": "Rex"}), shown
        assert len(client.get(WORKFLOWS).json()["items"]) == 1
    assert [one.path for one in pets.got] == ["/pet", "/pet"]
    assert all("authorization" not in one.headers for one in pets.got)


@pytest.mark.slow
def test_a_host_that_is_no_longer_allowed_ends_the_run(tmp_path: Path, own: Serving, pets: Stub) -> None:
    again = {"name": "again", "type": "goto", "stepId": "pet", "criteria": [{"condition": "true"}]}
    given = both(PET)
    given["workflows"][0]["steps"] = [{**PET, "onSuccess": [again]}]
    with own.client() as client:
        run = begin(client, given, sources=sources(pets.url))["id"]
        while not pets.got:
            time.sleep(0.005)
    own.kill()
    seen = len(pets.got)
    later = Serving(tmp_path / "home")
    later.token = own.token
    later.start()
    try:
        with later.client() as client:
            shown = ended(client, run)
    finally:
        later.kill()
    assert shown["status"] == "failed"
    assert "sources.pets.server" in shown["reason"]
    assert "HEDDLE_RUN_HOSTS" in shown["reason"]
    assert len(pets.got) <= seen + 1
