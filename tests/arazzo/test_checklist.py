"""The language, one document per item: `checklist/*.arazzo.yaml`, each with what it is given and what must come out.

`x-check` holds `inputs`, `auth` (credentials by security scheme), `answers` (by request; one after the other, the last
one stays) and `expect`. A request without an answer of its own is answered with what it was.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from heddle.arazzo.budgets import Options
from heddle.arazzo.document import Document, read_document
from heddle.arazzo.events import Event, Result, RunEnded, Waiting
from heddle.arazzo.exchange import Client
from heddle.arazzo.findings import Severity
from heddle.arazzo.leniency import Leniency
from heddle.arazzo.lint import lint
from heddle.arazzo.plan import make_plan
from heddle.arazzo.runner import Run
from heddle.arazzo.security import Keys
from heddle.arazzo.sources import Servers, load_linked
from heddle.arazzo.tree import read_tree
from heddle.errors import UsageError

FOLDER = Path(__file__).parent / "checklist"
DOCUMENTS = sorted(FOLDER.glob("*.arazzo.yaml"))
PAGE = Path(__file__).parents[2] / "docs" / "arazzo-language.md"
BASE = "/base"


class Api(httpx.AsyncBaseTransport):
    """Answers as the document says, else with the request itself."""

    def __init__(self, answers: dict[str, list[dict[str, Any]]]) -> None:
        self._answers = {name: list(listed) for name, listed in answers.items()}
        self.calls: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode().removeprefix(BASE)
        self.calls.append(f"{request.method} {path}")
        waiting = self._answers.get(f"{request.method} {path.partition('?')[0]}")
        if not waiting:
            return httpx.Response(200, json=_seen(request, await request.aread()))
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if answer.get("never"):
            await asyncio.Event().wait()
        status, headers = answer.get("status", 200), answer.get("headers", {})
        if "text" in answer:
            return httpx.Response(status, text=answer["text"], headers=headers)
        return httpx.Response(status, json=answer.get("body", {}), headers=headers)


def _seen(request: httpx.Request, body: bytes) -> dict[str, Any]:
    is_json = request.headers.get("content-type") == "application/json"
    return {
        "method": request.method,
        "path": request.url.path.removeprefix(BASE),
        "query": dict(parse_qsl(request.url.query.decode())),
        "headers": dict(request.headers),
        "body": json.loads(body) if is_json else body.decode(),
    }


class Clock:
    """Time that only passes in sleeps."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


def carried_out(document: Document, check: dict[str, Any], api: Api) -> tuple[Result, list[float]]:
    linked = load_linked(document, Servers(default="http://h"), {}, Keys(check.get("auth")))
    plan = make_plan(document, "main", linked.descriptions, Leniency(), linked.others)
    inputs = plan.main.inputs.bind(check.get("inputs", {}))

    async def collect() -> list[Event]:
        async with Client(api) as client:
            run = Run(plan, inputs, client, options=Options(max_steps=50), clock=Clock())
            return [event async for event in run.events()]

    events = asyncio.run(collect())
    assert isinstance(events[-1], RunEnded)
    return events[-1].result, [event.seconds for event in events if isinstance(event, Waiting)]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name.removesuffix(".arazzo.yaml"))
def test_item(path: Path) -> None:
    if path.name.startswith("xpath"):
        pytest.importorskip("elementpath", reason="XPath needs the library elementpath")
    check = json.loads(json.dumps(_check_of(path)))
    expected = check["expect"]
    assert set(expected) <= {"status", "outputs", "calls", "waits", "reason", "refused", "leniencies"}
    api = Api(check.get("answers", {}))
    if "refused" in expected:
        with pytest.raises(UsageError) as raised:
            carried_out(read_document(path), check, api)
        assert expected["refused"] in f"{raised.value.message}: {raised.value.hint}"
        assert api.calls == []
        return
    result, waits = carried_out(read_document(path), check, api)
    assert str(result.status) == expected.get("status", "succeeded"), result.reason
    assert expected.get("reason", "") in result.reason
    assert api.calls == expected.get("calls", api.calls)
    assert waits == expected.get("waits", waits)
    assert dict(result.outputs) == expected.get("outputs", dict(result.outputs))
    if "leniencies" in expected:
        assert [departure.name for departure in result.departures] == expected["leniencies"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name.removesuffix(".arazzo.yaml"))
def test_validate_agrees_with_the_runner(path: Path) -> None:
    """What is refused for the document's own sake is an error, and nothing that runs to an end is one."""
    if path.name.startswith("xpath"):
        pytest.importorskip("elementpath", reason="XPath needs the library elementpath")
    errors = [one for one in lint(path) if one.severity is Severity.ERROR]
    refused = "refused" in _check_of(path)["expect"] and not path.name.startswith(
        ("inputs-", "1.1-asyncapi", "security-")
    )
    assert bool(errors) == (refused or path.name.startswith("goto-endless")), errors


def test_the_page_shows_every_item() -> None:
    rows = [f"| {_item(path)} | `{path.name.removesuffix('.arazzo.yaml')}` |" for path in DOCUMENTS]
    shown = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and line.endswith("` |")]
    assert sorted(shown) == sorted(rows)


def _check_of(path: Path) -> Any:
    return read_tree(path).value["x-check"]


def _item(path: Path) -> str:
    title = read_tree(path).value["info"].get("title", "a required field that is missing is refused with its place")
    return str(title).replace("|", "\\|")
