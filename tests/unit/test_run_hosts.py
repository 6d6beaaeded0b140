"""Which hosts a run on the server may call: the setting, names and addresses, and what leaves the process."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from ipaddress import ip_address

import httpx
import pytest
from tests.arazzo.arazzo_stub import Reply, Stub

from heddle.arazzo.hosts import HostRefused
from heddle.errors import InvalidRequest, UsageError
from heddle.runs import documents
from heddle.runs.documents import Sources
from heddle.runs.hosts import OURS, RunHosts, Sides, hosts_of

TOKEN = "run_a-token"


@pytest.mark.parametrize(
    ("text", "url", "may"),
    [
        ("", "https://api.example.org", False),
        ("api.example.org", "https://api.example.org/v1", True),
        ("api.example.org", "http://API.example.org.:8443/v1", True),
        ("api.example.org", "https://www.api.example.org", False),
        ("api.example.org", "https://example.org", False),
        ("api.example.org:8443", "https://api.example.org:8443", True),
        ("api.example.org:8443", "https://api.example.org", False),
        ("api.example.org:443", "https://api.example.org", True),
        ("api.example.org:443", "http://api.example.org", False),
        ("*.example.org", "https://a.b.example.org", True),
        ("*.example.org", "https://example.org", False),
        ("*.example.org", "https://badexample.org", False),
        ("a.org, b.org", "https://b.org", True),
        ("10.0.0.5", "http://10.0.0.5", True),
        ("10.0.0.5", "http://10.0.0.6", False),
        ("127.0.0.1:80", "http://127.0.0.1", True),
        ("127.0.0.1:80", "http://localhost", False),
        ("127.0.0.1", "http://127.1", False),
        ("[::1]:8080", "http://[::1]:8080", True),
        ("api.example.org", "http://api.example.org@evil.example", False),
        ("api.example.org", "http://evil.example\\@api.example.org", False),
        ("api.example.org", "http://evil.example#@api.example.org", False),
        ("api.example.org", "https://api.example.org?key=1", False),
        ("api.example.org", "https://me:secret@api.example.org", False),
        ("api.example.org", "ftp://api.example.org", False),
        ("api.example.org", "//api.example.org", False),
        ("api.example.org", "http://[api.example.org", False),
        ("api.example.org", "http://api.example.org:99999", False),
        ("api.example.org", "http://api.example.org/\x00", False),
        ("api.example.org", "", False),
    ],
)
def test_a_base_url_is_on_an_allowed_host(text: str, url: str, may: bool) -> None:
    assert (hosts_of(text).refused_base(url) is None) == may


@pytest.mark.parametrize("text", ["10.0.0.0/8", "a b", "https://example.org", "example.org:0", "a,*", "u@example.org"])
def test_a_setting_that_is_no_list_of_hosts_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"HEDDLE_RUN_HOSTS has '.*', which is not a host") as refused:
        hosts_of(text)
    assert "*.example.org" in refused.value.hint


@pytest.mark.parametrize(
    ("text", "host", "address", "problem"),
    [
        ("api.example.org", "api.example.org", "93.184.215.14", None),
        ("api.example.org", "api.example.org", "10.0.0.5", None),
        ("api.example.org", "api.example.org", "169.254.169.254", "link-local"),
        ("api.example.org", "api.example.org", "::ffff:169.254.169.254", "link-local"),
        ("*.example.org", "a.example.org", "93.184.215.14", None),
        ("*.example.org", "a.example.org", "10.0.0.5", "private"),
        ("*.example.org", "a.example.org", "127.0.0.1", "loopback"),
        ("*.example.org", "a.example.org", "::ffff:127.0.0.1", "loopback"),
        ("*.example.org, a.example.org", "a.example.org", "127.0.0.1", None),
        ("10.0.0.5", "evil.example", "10.0.0.5", "private"),
        ("10.0.0.5", "evil.example", "93.184.215.14", "not allowed"),
        ("169.254.1.1", "169.254.1.1", "169.254.1.1", None),
    ],
)
def test_where_a_name_may_lead(text: str, host: str, address: str, problem: str | None) -> None:
    assert hosts_of(text).problem(host, 443, ip_address(address)) == problem


# What leaves the process


@pytest.fixture
def stub() -> Iterator[Stub]:
    made = Stub(lambda got: Reply(body={"path": got.path}))
    yield made
    made.close()


class Home(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text=request.headers.get("authorization", "nobody"))


async def here(host: str, port: int) -> list[str]:
    """Every name is this machine."""
    return ["127.0.0.1"]


def sent(hosts: RunHosts, request: httpx.Request) -> httpx.Response:
    async def go() -> httpx.Response:
        async with Sides(Home(), hosts, TOKEN, here) as sides:
            response = await sides.handle_async_request(request)
            await response.aread()
            return response

    return asyncio.run(go())


def test_each_side_gets_its_own(stub: Stub) -> None:
    hosts = hosts_of(stub.url.removeprefix("http://"))
    ours = httpx.Request("GET", f"{OURS}/me", headers={"Authorization": f"Bearer {TOKEN}"})
    assert sent(hosts, ours).text == f"Bearer {TOKEN}"
    assert sent(hosts, httpx.Request("GET", f"{stub.url}/pets")).json() == {"path": "/pets"}
    assert [got.path for got in stub.got] == ["/pets"]


@pytest.mark.parametrize(
    "more",
    [
        {"headers": {"Authorization": f"Bearer {TOKEN}"}},
        {"headers": {"X-Key": f"a {TOKEN}"}},
        {"params": {"key": TOKEN}},
        {"json": {"deep": [{"key": TOKEN}]}},
        {"data": {"key": TOKEN}},
        {"files": {"key": ("a.txt", TOKEN)}},
    ],
    ids=["bearer", "header", "query", "json", "form", "file"],
)
def test_the_token_of_a_run_does_not_leave(stub: Stub, more: dict[str, dict[str, str]]) -> None:
    with pytest.raises(HostRefused, match="is for this server, and not for"):
        sent(hosts_of("127.0.0.1"), httpx.Request("POST", f"{stub.url}/", **more))  # type: ignore[arg-type]
    assert stub.got == []


def test_a_body_in_parts_arrives(stub: Stub) -> None:
    sent(hosts_of("127.0.0.1"), httpx.Request("POST", f"{stub.url}/", files={"key": ("a.txt", "text")}))
    assert b"text" in stub.got[0].body


def test_what_is_not_allowed_is_not_connected_to(stub: Stub) -> None:
    with pytest.raises(HostRefused, match="its operator allows none"):
        sent(hosts_of(""), httpx.Request("GET", stub.url))
    with pytest.raises(HostRefused, match=r"it allows: 127\.0\.0\.1:1$"):
        sent(hosts_of("127.0.0.1:1"), httpx.Request("GET", stub.url))
    with pytest.raises(HostRefused, match="has no address that a run on this server may call"):
        sent(hosts_of("*.example.org"), httpx.Request("GET", stub.url.replace("127.0.0.1", "a.example.org")))
    assert stub.got == []


@pytest.mark.parametrize("location", [f"{OURS}/me", "//this-heddle/me"])
def test_no_redirect_leads_into_this_server(stub: Stub, location: str) -> None:
    stub.handler = lambda got: Reply(302, headers={"Location": location})
    with pytest.raises(HostRefused, match="redirects into this server"):
        sent(hosts_of("127.0.0.1"), httpx.Request("GET", stub.url))


# Documents

DOCUMENT = """
arazzo: 1.0.1
info: {title: Both, version: "1"}
sourceDescriptions:
  - {name: api, url: civitai-site-api-openapi.yml, type: openapi}
  - {name: pets, url: pets.yml, type: openapi}
workflows:
  - workflowId: main
    inputs: {type: object, properties: {token: {type: string}, other: {type: string}}}
    steps:
      - stepId: me
        operationId: $sourceDescriptions.api.getCurrentUser
        parameters: [{name: Authorization, in: header, value: "Bearer {$inputs.token}"}]
      - stepId: pet
        operationId: $sourceDescriptions.pets.getPet
        parameters: [{name: Authorization, in: header, value: "Bearer {$inputs.other}"}]
"""
PETS = "{openapi: 3.0.3, servers: [{url: 'https://theirs.example'}], paths: {/pet: {get: {operationId: getPet}}}}"
SERVER = "https://pets.example/v1"


def given(name: str = "pets", description: str = PETS, server: str = SERVER, hosts: str = "pets.example") -> Sources:
    return Sources({name: {"description": description, "server": server}}, hosts_of(hosts))


def test_a_given_source_is_on_the_server_that_was_given() -> None:
    one = documents.ready(DOCUMENT, None, {}, TOKEN, given())
    assert one.plan.servers() == (f"{OURS}/api/v1", SERVER)
    assert one.inputs["token"] == TOKEN
    assert "other" not in one.inputs


def test_a_token_for_another_host_is_a_secret_that_is_refused() -> None:
    assert documents.kept(DOCUMENT, None, {"token": "mine"}, given()) == {}
    with pytest.raises(InvalidRequest, match=r"inputs\.other: is a secret"):
        documents.kept(DOCUMENT, None, {"other": "theirs"}, given())
    with pytest.raises(
        InvalidRequest, match=r"inputs\.token: is a token for this server and for https://pets\.example"
    ):
        documents.kept(DOCUMENT.replace("$inputs.other", "$inputs.token"), None, {}, given())


@pytest.mark.parametrize(
    ("sources", "field", "said"),
    [
        (given(hosts=""), "sources.pets.server", "its operator allows none"),
        (given(server="https://evil.example"), "sources.pets.server", "it allows: pets.example"),
        (given(server="pets.example"), "sources.pets.server", "'pets.example': is not like https://"),
        (given(name="cats"), "sources.cats", "it has: api, pets"),
        (given(description="a: ["), "sources.pets.description", "sources.pets.description:2:1"),
        (given(description="{}"), "sources.pets.description", "no OpenAPI description"),
        (given(description="#" * 300_000), "sources", "have 300000 characters of descriptions"),
        (Sources(), "document", "the source 'pets' is no API of this server"),
    ],
    ids=["none allowed", "another host", "no URL", "unknown", "shape", "kind", "length", "not given"],
)
def test_a_source_that_cannot_be_is_refused(sources: Sources, field: str, said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        documents.kept(DOCUMENT, None, {}, sources)
    assert said in refused.value.fields[field][0]


def test_an_arazzo_document_cannot_be_given() -> None:
    with pytest.raises(InvalidRequest, match=r"sources\.pets: is an Arazzo document"):
        documents.kept(DOCUMENT.replace("pets.yml, type: openapi", "pets.yml, type: arazzo"), None, {}, given())


@pytest.mark.parametrize("operation", ["getPet", "$sourceDescriptions.pets.getPet"])
def test_many_steps_and_many_paths_take_no_minutes(operation: str) -> None:
    """A description is looked through once, not once for each step."""
    chain: dict[str, object] = {f"r{n}": {"$ref": f"#/chain/r{n + 1}"} for n in range(25)}
    paths: dict[str, object] = {f"/{n}": {"$ref": "#/chain/r0"} for n in range(5000)}
    paths["/pet"] = {"get": {"operationId": "getPet"}}
    pets = {"openapi": "3.0.3", "chain": {**chain, "r25": {"get": {}}}, "paths": paths}
    steps = [{"stepId": f"s{n}", "operationId": operation} for n in range(2000)]
    document = {
        "arazzo": "1.0.1",
        "info": {"title": "Many", "version": "1"},
        "sourceDescriptions": [{"name": "pets", "url": "pets.json", "type": "openapi"}],
        "workflows": [{"workflowId": "main", "steps": steps}],
    }
    began = time.monotonic()
    documents.kept(json.dumps(document), None, {}, given(description=json.dumps(pets)))
    assert time.monotonic() - began < 20
