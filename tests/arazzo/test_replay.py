"""`heddle arazzo replay`: the same answers without a network, and what is different now."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from arazzo_pages import check as check_page
from arazzo_stub import TOKEN, Got, Handler, Reply, SeedApi, Stub
from tests.arazzo.test_checklist import DOCUMENTS, Api
from tests.arazzo.test_checklist import _check_of as check_of

from conftest import EXAMPLES, Played
from heddle.arazzo.budgets import Options
from heddle.arazzo.document import read_document
from heddle.arazzo.events import Event, Result, RunEnded
from heddle.arazzo.exchange import Client
from heddle.arazzo.leniency import Leniency
from heddle.arazzo.masking import Secrets
from heddle.arazzo.outline import drawn
from heddle.arazzo.plan import make_plan
from heddle.arazzo.recording import Recorder
from heddle.arazzo.replay import ReplayClock, Replayer
from heddle.arazzo.runner import Run
from heddle.arazzo.sources import Servers, load_linked
from heddle.arazzo.traces import Header, TraceWriter, read_trace
from heddle.arazzo.walk import walk_of
from heddle.cli.document_page import document_page

SECRET = "s3cret of nobody"
POLL = {"name": "again", "type": "retry", "retryAfter": 900, "retryLimit": 5}


def change(path: Path, change: Callable[[dict[str, Any]], object], name: str = "changed.yaml") -> Path:
    document = yaml.safe_load(path.read_text())
    change(document["workflows"][0])
    changed = path.with_name(name)
    changed.write_text(yaml.safe_dump(document, sort_keys=False))
    return changed


@pytest.mark.parametrize("name", ["text-to-image.yaml", "image-to-image.yaml", "presigned-upload.yaml"])
def test_examples_go_the_same_way_again(
    seed_api: SeedApi, play: Callable[..., Played], replay: Callable[..., Played], name: str
) -> None:
    more = {
        "image-to-image.yaml": ["-i", "file=@photo.png"],
        "presigned-upload.yaml": ["-i", "mimeType=image/png", "--upload", "promise.uploadUrl=@photo.png"],
    }
    args = ["--server", seed_api.url, "-i", f"apiKey={TOKEN}", "-i", "prompt=fog", *more.get(name, [])]
    first = play(EXAMPLES / name, *args, "--trace", "t.trace", "--save", "out", "--json")
    Path("photo.png").unlink()  # the trace has it
    asked = len(seed_api.stub.got)
    again = replay("t.trace", "--json")
    assert len(seed_api.stub.got) == asked
    assert (again.code, again.report["same"], again.report["differences"]) == (0, True, [])
    assert again.report["outputs"] == first.report["outputs"]
    assert again.report["calls"] == first.report["calls"]


@pytest.fixture
def polled(write: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Played]) -> Path:
    """A document whose answers would take hours, recorded in the time of none, with a secret in every place."""
    looks = iter([{"state": "busy"}, {"state": "busy"}, {"state": "done"}])

    def answer(got: Got) -> Reply:
        return Reply(200, next(looks) if got.path == "/base/look" else {"id": 7})

    key = "$inputs.apiKey"
    steps = [
        {
            "stepId": "make",
            "operationId": "make",
            "parameters": [{"name": "q", "in": "query", "value": key}],
            "requestBody": {"payload": {"n": "$inputs.n", "key": key}},
            "outputs": {"id": "$response.body#/id"},
        },
        {
            "stepId": "look",
            "operationId": "look",
            "parameters": [{"name": "Authorization", "in": "header", "value": "Bearer {$inputs.apiKey}"}],
            "successCriteria": [{"condition": "$response.body#/state == 'done'"}],
            "onFailure": [{**POLL, "retryAfter": 0.001}],
            "outputs": {"state": "$response.body#/state"},
        },
        {"stepId": "form", "operationId": "make", "requestBody": {"contentType": FORM, "payload": {"key": key}}},
    ]
    properties = {"apiKey": {"type": "string", "minLength": 9}, "n": {"type": "integer"}}
    path = write(steps, inputs={"type": "object", "properties": properties}, outputs={"id": "$steps.make.outputs.id"})
    played = play(path, "--server", serve(answer).url, "-i", f"apiKey={SECRET}", "-i", "n=5", "--trace", "t.trace")
    assert played.code == 0, played.stderr
    return path


FORM = "application/x-www-form-urlencoded"


def test_masked_secrets_compare(polled: Path, replay: Callable[..., Played]) -> None:
    assert "s3cret" not in Path("t.trace").read_text()
    played = replay("t.trace", "--strict")
    assert played.stdout.splitlines()[-1] == "the same as recorded"
    assert played.code == 0


def test_time_does_not_wait(polled: Path, replay: Callable[..., Played]) -> None:
    slow = change(polled, lambda flow: flow["steps"][1].update(onFailure=[POLL]))
    played = replay("t.trace", "--document", slow, "--json")
    assert played.report["seconds"] > 1800
    assert [one["kind"] for one in played.report["differences"]] == ["document"]


def test_another_body_and_another_header(polled: Path, replay: Callable[..., Played]) -> None:
    def changes(flow: dict[str, Any]) -> None:
        flow["steps"][0]["requestBody"]["payload"]["n"] = 6
        flow["steps"][1]["parameters"][0]["name"] = "X-Other"

    played = replay("t.trace", "--document", change(polled, changes), "--strict")
    said = [line for line in played.stdout.splitlines() if line.startswith("differs")]
    assert said[0] == "differs: the document has changed since the recording"
    assert said[1].endswith("another body: /n is 6, and was 5")
    assert said[2].startswith("differs: look: ")
    assert said[2].endswith('the header authorization is absent, and was "***"')
    assert SECRET not in played.stdout
    assert played.stdout.splitlines()[-1] == f"{len(said)} differences"
    assert played.code == 1


def test_more_and_fewer_requests(polled: Path, replay: Callable[..., Played]) -> None:
    def less(flow: dict[str, Any]) -> None:
        del flow["steps"][1]["successCriteria"]

    played = replay("t.trace", "--document", change(polled, less), "--json")
    kinds = [(one["kind"], one["step"]) for one in played.report["differences"]]
    assert kinds == [("document", ""), ("unsent", "look"), ("unsent", "look")]
    assert played.code == 0

    def more(flow: dict[str, Any]) -> None:
        flow["steps"].append({"stepId": "extra", "operationId": "fetch"})

    played = replay("t.trace", "--document", change(polled, more), "--json")
    kinds = [(one["kind"], one["step"]) for one in played.report["differences"]]
    assert kinds == [("document", ""), ("request", "extra"), ("end", "")]
    assert played.code == 1


def test_other_outputs(polled: Path, replay: Callable[..., Played]) -> None:
    changed = change(polled, lambda flow: flow.update(outputs={"id": "$steps.look.outputs.state"}))
    messages = [one["message"] for one in replay("t.trace", "--document", changed, "--json").report["differences"]]
    assert messages[1:] == ['the output id is "done", and was 7']


@pytest.mark.parametrize(
    "scheme",
    [
        {"type": "http", "scheme": "bearer"},
        {"type": "http", "scheme": "basic"},
        {"type": "apiKey", "in": "query", "name": "key"},
        {"type": "apiKey", "in": "header", "name": "X-Pass"},
        {"type": "apiKey", "in": "cookie", "name": "pass"},
    ],
    ids=["bearer", "basic", "query", "header", "cookie"],
)
def test_credentials_of_the_command_line(
    write: Callable[..., Path],
    serve: Callable[[Handler], Stub],
    play: Callable[..., Played],
    replay: Callable[..., Played],
    scheme: dict[str, Any],
) -> None:
    path = write([{"stepId": "look", "operationId": "look"}])
    description = yaml.safe_load(path.with_name("api.yaml").read_text())
    description |= {"components": {"securitySchemes": {"door": scheme}}, "security": [{"door": []}]}
    path.with_name("api.yaml").write_text(yaml.safe_dump(description))
    stub = serve(lambda got: Reply(200, {}))
    played = play(path, "--server", stub.url, "--auth", "door=me:open sesame/1", "--trace", "t.trace")
    assert played.code == 0
    assert "sesame" not in Path("t.trace").read_text()
    assert "bWU6b3Blbi" not in Path("t.trace").read_text()
    assert replay("t.trace").stdout.splitlines()[-1] == "the same as recorded"


def test_failures_are_replayed(
    write: Callable[..., Path], play: Callable[..., Played], replay: Callable[..., Played]
) -> None:
    path = write([{"stepId": "look", "operationId": "look"}])
    first = play(path, "--server", "http://127.0.0.1:9", "--trace", "t.trace")
    again = replay("t.trace")
    assert (first.code, again.code) == (1, 1)
    assert again.stdout.splitlines()[-1] == "the same as recorded"
    assert "no answer from http://127.0.0.1:9" in again.stdout


def test_a_timeout_is_replayed(
    write: Callable[..., Path],
    serve: Callable[[Handler], Stub],
    play: Callable[..., Played],
    replay: Callable[..., Played],
) -> None:
    over = threading.Event()
    path = write([{"stepId": "look", "operationId": "look", "timeout": 20}], arazzo="1.1.0")
    stub = serve(lambda got: Reply(200, {} if over.wait(30) else None))
    first = play(path, "--server", stub.url, "--trace", "t.trace", "--json")
    over.set()
    again = replay("t.trace", "--json")
    assert first.report["reason"] == again.report["reason"]
    assert again.report["same"]


def test_an_answer_that_is_known_in_part(
    write: Callable[..., Path],
    serve: Callable[[Handler], Stub],
    play: Callable[..., Played],
    replay: Callable[..., Played],
) -> None:
    path = write([{"stepId": "look", "operationId": "look"}])
    stub = serve(lambda got: Reply(200, "x" * 3000))
    play(path, "--server", stub.url, "--trace", "t.trace", "--trace-bodies", "1k")
    played = replay("t.trace")
    assert "known in part only (1024 of 3002 bytes)" in played.stdout
    assert "record with a larger --trace-bodies" in played.stdout
    assert played.stdout.splitlines()[-1] == "1 difference"


def test_files_that_are_not_in_the_trace(
    seed_api: SeedApi, play: Callable[..., Played], replay: Callable[..., Played]
) -> None:
    args = ["--server", seed_api.url, "-i", f"apiKey={TOKEN}", "-i", "prompt=fog", "-i", "file=@photo.png"]
    play(EXAMPLES / "image-to-image.yaml", *args, "--trace", "t.trace", "--trace-bodies", "20")
    assert "the same as recorded" not in replay("t.trace").stdout  # answers are cut as well
    Path("photo.png").write_bytes(b"another")
    played = replay("t.trace")
    assert played.code == 1
    assert "the file photo.png of the input 'file' is not in the trace, and not there as it was" in played.stderr


def test_a_document_that_is_gone(polled: Path, replay: Callable[..., Played]) -> None:
    polled.unlink()
    played = replay("t.trace")
    assert played.code == 1
    assert "is not there\nhint: name it with --document FILE" in played.stderr


def test_a_trace_of_an_interrupted_run(polled: Path, replay: Callable[..., Played]) -> None:
    lines = Path("t.trace").read_text().splitlines()
    at = next(at for at, line in enumerate(lines) if json.loads(line)["type"] == "exchange")
    Path("cut.trace").write_text("\n".join(lines[: at + 1]) + "\n")
    played = replay("cut.trace")
    assert played.code == 1
    assert "the recorded run was interrupted" in played.stdout


@pytest.mark.parametrize(
    "fields",
    [
        {"inputs": {"n": {"$file": 3}}},
        {"inputs": {"n": {"$file": {"path": "/etc/passwd"}}}},
        {"uploads": [{"step": 1}]},
    ],
    ids=["no object", "half", "upload"],
)
def test_a_header_that_means_harm(polled: Path, replay: Callable[..., Played], fields: dict[str, Any]) -> None:
    first, *rest = Path("t.trace").read_text().splitlines()
    Path("bad.trace").write_text("\n".join([json.dumps(json.loads(first) | fields), *rest]) + "\n")
    played = replay("bad.trace")
    assert played.code == 1
    assert "a file of the trace cannot be read" in played.stderr


ITEMS = [path for path in DOCUMENTS if "refused" not in check_of(path)["expect"]]


@pytest.mark.parametrize("path", ITEMS, ids=lambda path: path.name.removesuffix(".arazzo.yaml"))
def test_the_whole_language_goes_the_same_way_again(path: Path, tmp_path: Path) -> None:
    """Whatever a document can do: the trace is read as it was written, the replay is the same, the run can be drawn."""
    document, check = read_document(path), check_of(path)
    linked = load_linked(document, Servers(default="http://h"), {})

    async def run(transport: httpx.AsyncBaseTransport, *follow: Callable[[Event], object]) -> Result:
        plan = make_plan(document, "main", linked.descriptions, Leniency(), linked.others)
        async with Client(transport) as client:
            options, inputs = Options(max_steps=50), plan.main.inputs.bind(check.get("inputs", {}))
            async for event in Run(plan, inputs, client, options=options, clock=ReplayClock()).events():
                for one in follow:
                    one(event)
                if isinstance(event, RunEnded):
                    return event.result
        raise AssertionError

    header = Header(document=str(path), sha256="", workflow="main", inputs={})
    writer = TraceWriter(tmp_path / "t.trace", header)
    recorder = Recorder(Api(check.get("answers", {})), Secrets(), writer.exchange)
    first = asyncio.run(run(recorder, recorder.follow, lambda event: writer.event(event, recorder)))
    writer.close()

    trace = read_trace(tmp_path / "t.trace")
    assert trace.result is not None
    replayer = Replayer(trace.exchanges, ReplayClock(), Secrets())
    second = asyncio.run(run(replayer, replayer.follow))
    replayer.finish(trace.result, second, lambda value: value)
    assert [one.message for one in replayer.differences] == []
    assert (second.status, second.reason, second.calls) == (first.status, first.reason, first.calls)
    walk = walk_of(told.event for told in trace.events)
    assert sum(walk.runs.values()) == sum(step.runs for step in first.steps)
    assert sum(walk.moves.values()) <= sum(walk.runs.values())
    check_page(document_page(drawn(document, {}), document.workflows, trace, b""))


def test_half_a_character_is_told_as_json(
    write: Callable[..., Path],
    serve: Callable[[Handler], Stub],
    play: Callable[..., Played],
    replay: Callable[..., Played],
) -> None:
    steps = [{"stepId": "look", "operationId": "look", "outputs": {"text": "$response.body#/text"}}]
    path = write(steps, outputs={"text": "$steps.look.outputs.text"})
    stub = serve(lambda got: Reply(200, {"text": "\ud800"}))
    assert play(path, "--server", stub.url, "--trace", "t.trace").code == 0
    played = replay("t.trace", "--json")
    assert (played.code, played.report["outputs"]) == (0, {"text": "\ud800"})


def test_a_run_with_a_checkpoint(
    seed_api: SeedApi, play: Callable[..., Played], replay: Callable[..., Played], tmp_path: Path
) -> None:
    path = EXAMPLES / "text-to-image.yaml"
    args = ["--server", seed_api.url, "-i", f"apiKey={TOKEN}", "-i", "prompt=fog", "--checkpoint", "flow.run"]
    assert play(path, *args, "--trace", "t.trace").code == 0
    assert any("idempotency-key" in got.headers for got in seed_api.stub.got)
    played = replay("t.trace", "--strict")
    assert (played.code, played.stdout.splitlines()[-1]) == (0, "the same as recorded")
    assert play(path, *args, "--resume", "--trace", "rest.trace").code == 0
    refused = replay("rest.trace")
    assert (refused.code, "went on from a checkpoint" in refused.stderr) == (1, True)


def test_a_key_that_the_document_gave_no_more(
    write: Callable[..., Path],
    serve: Callable[[Handler], Stub],
    play: Callable[..., Played],
    replay: Callable[..., Played],
) -> None:
    own = [{"name": "Idempotency-Key", "in": "header", "value": "mine"}]
    path = write([{"stepId": "make", "operationId": "make", "parameters": own}])
    assert play(path, "--server", serve(lambda got: Reply(200, {})).url, "--trace", "t.trace").code == 0
    change(path, lambda workflow: workflow["steps"][0].pop("parameters"), path.name)
    played = replay("t.trace", "--strict")
    assert (played.code, 'the header idempotency-key is absent, and was "mine"' in played.stdout) == (1, True)
