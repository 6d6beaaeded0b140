"""Runs that die and go on: nothing is sent twice unless that is safe or was asked for."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from arazzo_stub import DESCRIPTION, Got, Handler, Reply, Stub
from test_runner import Answers, FakeClock

from heddle.arazzo import run
from heddle.arazzo.budgets import Options
from heddle.arazzo.document import read_document
from heddle.arazzo.durable import UnderWay, Unsure, begin, go_on, start
from heddle.arazzo.events import Event, Result, RunEnded, Status, StepEnded, StepStarted
from heddle.arazzo.exchange import Client
from heddle.arazzo.facts import facts_of
from heddle.arazzo.files import FileValue
from heddle.arazzo.hosts import HostRefused
from heddle.arazzo.journal import Journal, JournalError, JournalFile, Record
from heddle.arazzo.leniency import Leniency
from heddle.arazzo.masking import Secrets
from heddle.arazzo.plan import make_plan
from heddle.arazzo.sources import Servers, load_linked
from heddle.arazzo.transfers import Upload
from heddle.errors import UsageError


class Killed(BaseException):
    """The process is gone."""


class Memory:
    """Records that outlive a run, which dies at the record with the number `dies_at`, before it is written or after."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.dies_at = -1
        self.written = True

    def read(self) -> list[Record]:
        return list(self.records)

    async def append(self, record: Record) -> None:
        dies = len(self.records) == self.dies_at
        if not dies or self.written:
            self.records.append(json.loads(json.dumps(record)))
        if dies:
            raise Killed


class Life:
    """One try to run a document to its end."""

    def __init__(self, events: list[Event], got: list[Got]) -> None:
        self.events = events
        self.got = got

    @property
    def result(self) -> Result:
        assert isinstance(self.events[-1], RunEnded)
        return self.events[-1].result

    @property
    def sent(self) -> list[str]:
        return [f"{got.method} {got.path.removeprefix('/base')}" for got in self.got]

    @property
    def started(self) -> list[str]:
        return [event.step for event in self.events if isinstance(event, StepStarted)]


def live(
    path: Path,
    store: Memory,
    handler: Handler,
    *,
    inputs: Mapping[str, Any] | None = None,
    resume: bool = False,
    under_way: UnderWay | None = None,
    options: Options | None = None,
    clock: FakeClock | None = None,
    server: str = "http://h",
) -> Life:
    """Begin or go on, until the end or until the process is killed."""
    document = read_document(path)
    linked = load_linked(document, Servers(default=server), {})
    plan = make_plan(document, "main", linked.descriptions, Leniency(), linked.others)
    values = plan.main.inputs.bind(inputs or {})
    secrets = Secrets(text for name, text in values.items() if plan.is_secret(name))
    transport, events = Answers(handler), []

    async def go() -> None:
        journal = Journal(store, store.read())
        facts = facts_of(plan, values, secrets)
        if resume:
            await go_on(journal, facts, under_way)
        else:
            await begin(journal, facts)
        async with Client(transport) as client:
            _, stream = start(
                plan, values, client,
                options=options or Options(), secrets=secrets, journal=journal, clock=clock or FakeClock(),
            )  # fmt: skip
            async for event in stream:
                events.append(event)

    with contextlib.suppress(Killed):
        asyncio.run(go())
    return Life(events, transport.got)


def die(path: Path, store: Memory, handler: Handler, at: int, *, written: bool = True, **more: Any) -> Life:
    store.dies_at, store.written = at, written
    life = live(path, store, handler, **more)
    store.dies_at = -1
    return life


def when(condition: str) -> list[dict[str, Any]]:
    return [{"condition": condition}]


#: Everything that a run has to remember: outputs, a loop, retries, a nested Arazzo workflow with a call of its own.
STEPS: list[dict[str, Any]] = [
    {"stepId": "make", "operationId": "make", "outputs": {"id": "$response.body#/id"}},
    {
        "stepId": "poll",
        "operationId": "thing",
        "parameters": [{"name": "id", "in": "path", "value": "$steps.make.outputs.id"}],
        "outputs": {"status": "$response.body#/status"},
        "onSuccess": [
            {"name": "again", "type": "goto", "stepId": "poll", "criteria": when("$response.body#/status == 'busy'")}
        ],
    },
    {
        "stepId": "shaky",
        "operationId": "look",
        "onFailure": [{"name": "retry", "type": "retry", "retryAfter": 5, "retryLimit": 3}],
    },
    {"stepId": "inner", "workflowId": "part", "outputs": {"n": "$outputs.n"}},
]
PART = {
    "workflowId": "part",
    "steps": [{"stepId": "fetch", "operationId": "fetch", "outputs": {"n": "$response.body#/n"}}],
    "outputs": {"n": "$steps.fetch.outputs.n"},
}


def world() -> tuple[Handler, list[str]]:
    """A server: three polls, two failures; what it was asked is in the list."""
    seen: list[str] = []

    def answer(got: Got) -> Reply:
        name = got.path.removeprefix("/base/")
        seen.append(name)
        if name.startswith("things"):
            return Reply(200, {"status": "busy" if seen.count(name) < 3 else "done"})
        if name == "look":
            return Reply(503 if seen.count(name) < 3 else 200, {})
        return Reply(200, {"id": "t1", "n": 5})

    return answer, seen


@pytest.fixture
def path(write: Callable[..., Path]) -> Path:
    outputs = {"n": "$steps.inner.outputs.n", "status": "$steps.poll.outputs.status"}
    inputs = {"type": "object", "properties": {"apiKey": {"type": "string"}, "size": {"type": "integer", "default": 1}}}
    return write(STEPS, outputs=outputs, inputs=inputs, more_workflows=[PART])


def told(result: Result) -> Any:
    """All that a result says, but for times."""
    steps = [(one.step, one.runs, one.ok, one.code, dict(one.outputs)) for one in result.steps]
    return result.status, dict(result.outputs), steps, result.calls, result.ended_by and result.ended_by.step


@pytest.mark.parametrize("written", [True, False], ids=["after a record", "before a record"])
@pytest.mark.parametrize("at", range(19))
def test_a_run_that_dies_anywhere_ends_the_same(path: Path, at: int, written: bool) -> None:
    handler, seen = world()
    whole = live(path, Memory(), handler)
    store = Memory()
    handler, seen = world()
    dead = die(path, store, handler, at, written=written)
    made = seen.count("make")
    try:
        rest = live(path, store, handler, resume=True)
    except Unsure:
        assert (made, dead.sent) in ((0, []), (1, ["POST /make"]))
        rest = live(path, store, handler, resume=True, under_way=UnderWay.AGAIN)
    assert rest.result.status is Status.SUCCEEDED
    if rest.result.calls == 8:  # no answer was lost, so the server gave the same ones
        assert told(rest.result) == told(whole.result)
    # Whatever was answered and written down was not asked for again: at most the one request that was under way.
    assert len(seen) <= 8 + 1


def test_a_journal_of_a_whole_run_has_so_many_records(path: Path) -> None:
    """What the test above goes through."""
    store = Memory()
    live(path, store, world()[0])
    assert len(store.records) == 1 + 2 * 8 + 1


def test_a_run_that_is_over_tells_its_end_again(path: Path) -> None:
    store = Memory()
    handler, seen = world()
    first = live(path, store, handler)
    asked = len(seen)
    second = live(path, store, handler, resume=True)
    assert told(first.result) == told(second.result)
    assert (len(seen), second.started) == (asked, [])


def test_only_what_is_new_is_told(path: Path) -> None:
    store = Memory()
    handler, _ = world()
    die(path, store, handler, 8)  # the third poll was answered
    rest = live(path, store, handler, resume=True)
    assert rest.started == ["shaky", "shaky", "shaky", "inner", "fetch"]
    assert rest.sent == ["GET /look"] * 3 + ["GET /fetch"]
    assert type(rest.events[0]).__name__ == "RunStarted"
    assert "make" not in [event.step for event in rest.events if isinstance(event, StepEnded)]


def shaky(got: Got) -> Reply:
    """A server that never gets over its weakness."""
    return Reply(503, {}) if got.path.endswith("look") else Reply(200, {"id": 1, "n": 1})


def test_time_and_retries_that_were_used_up_stay_used_up(path: Path) -> None:
    store, clock = Memory(), FakeClock()
    die(path, store, shaky, 9, clock=clock)  # the third `look` of four is under way
    assert clock.slept == [5, 5]
    again = FakeClock()
    rest = live(path, store, shaky, resume=True, clock=again)
    assert (rest.result.status, rest.sent, again.slept) == (Status.FAILED, ["GET /look"] * 2, [5])
    assert rest.result.seconds == 15


def test_the_deadline_counts_over_all_lives(path: Path) -> None:
    store = Memory()
    die(path, store, shaky, 9)
    rest = live(path, store, shaky, resume=True, options=Options(deadline=12))
    assert (rest.result.status, rest.sent) == (Status.EXHAUSTED, ["GET /look"])
    longer = live(path, store, shaky, resume=True, options=Options(deadline=100))
    assert (longer.result.status, longer.sent) == (Status.FAILED, ["GET /look"])


# A request that was under way


def test_what_was_under_way_is_not_sent_again_without_a_word(path: Path) -> None:
    store = Memory()
    handler, seen = world()
    die(path, store, handler, 2, written=False)  # answered, and nobody wrote it down
    for _ in range(2):
        with pytest.raises(Unsure, match=r"'make' \(POST http://h/base/make\) was under way") as refused:
            live(path, store, handler, resume=True)
    assert "--resume-step again" in refused.value.hint
    assert seen == ["make"]


def test_skip_goes_on_without_the_answer(path: Path) -> None:
    store = Memory()
    handler, seen = world()
    die(path, store, handler, 2, written=False)
    rest = live(path, store, handler, resume=True, under_way=UnderWay.SKIP)
    assert seen.count("make") == 1
    assert "the path parameter 'id' has no value" in rest.result.reason
    assert "left without its answer" in rest.result.warnings[0].message
    assert live(path, store, handler, resume=True).result.status is Status.FAILED
    assert seen.count("make") == 1


def test_a_guard_is_not_passed_by_skipping(write: Callable[..., Path]) -> None:
    only = {"name": "go", "type": "goto", "stepId": "next", "criteria": when("$statusCode == 200")}
    path = write(
        [
            {"stepId": "make", "operationId": "make", "onSuccess": [only]},
            {"stepId": "next", "operationId": "fetch"},
        ]
    )
    store = Memory()
    die(path, store, lambda got: Reply(200, {}), 2, written=False)
    rest = live(path, store, lambda got: Reply(200, {}), resume=True, under_way=UnderWay.SKIP)
    assert (rest.result.status, rest.sent) == (Status.UNDECIDED, [])


KEYED = {**DESCRIPTION, "paths": json.loads(json.dumps(DESCRIPTION["paths"]))}
KEYED["paths"]["/make"]["post"]["parameters"] = [
    {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}
]


def test_an_operation_that_takes_a_key_gets_one_and_is_sent_again_with_it(path: Path) -> None:
    (path.parent / "api.yaml").write_text(yaml.safe_dump(KEYED))
    store, keys = Memory(), []
    handler, _ = world()

    def noting(got: Got) -> Reply:
        if got.method == "POST":
            keys.append(got.headers["idempotency-key"])
        return handler(got)

    die(path, store, noting, 2, written=False)
    assert live(path, store, noting, resume=True).result.status is Status.SUCCEEDED
    assert len(keys) == 2
    assert len(set(keys)) == 1
    live(path, Memory(), noting)
    assert len(set(keys)) == 2


def test_a_retry_without_an_answer_in_between_has_the_same_key(write: Callable[..., Path]) -> None:
    again = {"type": "retry", "retryAfter": 1, "retryLimit": 9}
    path = write(
        [
            {
                "stepId": "make",
                "operationId": "make",
                "requestBody": {"contentType": "application/json", "payload": {"n": 1}},
                "onFailure": [{"name": "again", **again}],
            }
        ]
    )
    (path.parent / "api.yaml").write_text(yaml.safe_dump(KEYED))
    store, keys = Memory(), []

    def noting(got: Got) -> Reply:
        keys.append(got.headers["idempotency-key"])
        if len(keys) in (1, 2, 5):
            raise httpx.ReadError("gone")
        return Reply(503 if len(keys) in (3, 4) else 200, {})

    die(path, store, noting, 3)  # at the second try
    assert live(path, store, noting, resume=True).result.status is Status.SUCCEEDED
    names = dict(zip(dict.fromkeys(keys), "abcdef", strict=False))
    assert "".join(names[key] for key in keys) == "aaabcc"


def test_another_request_has_another_key(write: Callable[..., Path]) -> None:
    body = {"contentType": "application/json", "payload": {"n": "$steps.look.outputs.n"}}
    back = {"name": "back", "type": "goto", "stepId": "look"}
    path = write(
        [
            {"stepId": "look", "operationId": "look", "outputs": {"n": "$response.body#/n"}},
            {"stepId": "make", "operationId": "make", "requestBody": body, "onFailure": [back]},
        ]
    )
    (path.parent / "api.yaml").write_text(yaml.safe_dump(KEYED))
    numbers, keys = iter([1, 1, 2, 3]), []

    def noting(got: Got) -> Reply:
        if got.method == "GET":
            return Reply(200, {"n": next(numbers)})
        keys.append(got.headers["idempotency-key"])
        if len(keys) < 4:
            raise httpx.ReadError("gone")
        return Reply(200, {})

    assert live(path, Memory(), noting).result.status is Status.SUCCEEDED
    assert (keys[0] == keys[1], len(set(keys))) == (True, 3)


def test_a_key_of_the_document_is_left_alone(write: Callable[..., Path]) -> None:
    own = [{"name": "Idempotency-Key", "in": "header", "value": "mine"}]
    path = write([{"stepId": "make", "operationId": "make", "parameters": own}])
    store, keys = Memory(), []

    def noting(got: Got) -> Reply:
        keys.append(got.headers["idempotency-key"])
        return Reply(200, {})

    die(path, store, noting, 2, written=False)
    live(path, store, noting, resume=True)
    assert keys == ["mine", "mine"]


# A run that failed


@pytest.mark.parametrize(("code", "asks"), [(409, False), (500, True)])
def test_a_failed_run_goes_on_at_the_step_that_failed(path: Path, code: int, asks: bool) -> None:
    store = Memory()
    refused = live(path, store, lambda got: Reply(code, {}))
    assert refused.result.status is Status.FAILED
    handler, seen = world()
    if asks:
        with pytest.raises(Unsure, match=r"'make' .* failed, although the server answered 500"):
            live(path, store, handler, resume=True)
    rest = live(path, store, handler, resume=True, under_way=UnderWay.AGAIN if asks else None)
    assert (rest.result.status, seen.count("make")) == (Status.SUCCEEDED, 1)


def test_a_step_before_the_one_that_failed_is_not_sent_again(write: Callable[..., Path]) -> None:
    """The second step sends nothing, so the run did not fail of the last request."""
    lost = [{"name": "id", "in": "path", "value": "$steps.make.outputs.id"}]
    path = write(
        [
            {"stepId": "make", "operationId": "make", "outputs": {"id": "$response.body#/id"}},
            {"stepId": "thing", "operationId": "thing", "parameters": lost},
        ]
    )
    store = Memory()
    assert live(path, store, lambda got: Reply(200, {})).result.status is Status.FAILED
    again = live(path, store, lambda got: Reply(200, {"id": 1}), resume=True)
    assert (again.result.status, again.sent) == (Status.FAILED, [])


def test_a_server_that_was_not_there_is_asked_again(path: Path) -> None:
    def gone(got: Got) -> Reply:
        raise httpx.ConnectError("refused")

    store = Memory()
    assert live(path, store, gone).result.status is Status.FAILED
    assert live(path, store, world()[0], resume=True).result.status is Status.SUCCEEDED


def test_a_host_that_is_allowed_now_is_asked_now(path: Path) -> None:
    def refused(got: Got) -> Reply:
        raise HostRefused("a run may not call h (private); --allow-host h:80 allows it")

    store = Memory()
    assert "--allow-host" in live(path, store, refused).result.reason
    assert live(path, store, world()[0], resume=True).result.status is Status.SUCCEEDED


def test_an_upload_to_a_host_that_is_allowed_now_is_made_now(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write([{"stepId": "make", "operationId": "make", "outputs": {"url": "$response.body#/url"}}])
    options = Options(uploads=(Upload("make", "url", FileValue(tmp_path / "photo.png", "image/png")),))

    def inside(got: Got) -> Reply:
        if got.method == "PUT":
            raise HostRefused("a run may not call h (private); --allow-host h:80 allows it")
        return Reply(200, {"url": "http://h/put"})

    store = Memory()
    assert live(path, store, inside, options=options).result.status is Status.FAILED
    rest = live(path, store, lambda got: Reply(200, {}), options=options, resume=True)
    assert (rest.result.status, rest.sent) == (Status.SUCCEEDED, ["PUT /put"])


@pytest.mark.parametrize("url", ["http://h:99999/put", "http:///put"], ids=["port", "host"])
def test_what_is_no_url_never_left(write: Callable[..., Path], tmp_path: Path, url: str) -> None:
    path = write([{"stepId": "make", "operationId": "make", "outputs": {"url": "$response.body#/url"}}])
    options = Options(uploads=(Upload("make", "url", FileValue(tmp_path / "photo.png", "image/png")),))
    store = Memory()
    for resume in (False, True):
        life = live(path, store, lambda got: Reply(200, {"url": url}), options=options, resume=resume)
        assert (life.result.status, life.sent) == (Status.FAILED, [] if resume else ["POST /make"])


# Another run


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("retryLimit: 3", "retryLimit: 4"), "the step 'shaky' of the Arazzo workflow 'main'"),
        (lambda text: text.replace("operationId: fetch", "operationId: look"), "the step 'fetch' of the Arazzo"),
        (lambda text: text.replace("n: $steps.inner", "m: $steps.inner"), "the Arazzo workflow 'main' has changed"),
        (lambda text: "# a remark\n" + text, ""),
    ],
    ids=["a step", "an inner step", "outputs", "a remark"],
)
def test_a_changed_document_is_refused_with_what_changed(path: Path, change: Callable[[str], str], said: str) -> None:
    store = Memory()
    die(path, store, world()[0], 6)
    text = path.read_text()
    path.write_text(change(text))
    assert path.read_text() != text
    if said:
        with pytest.raises(UsageError, match="is that of another run: .*" + said):
            live(path, store, world()[0], resume=True)
    else:
        live(path, store, world()[0], resume=True)


def test_other_inputs_are_refused_and_secrets_may_be_others(path: Path) -> None:
    store = Memory()
    die(path, store, world()[0], 6, inputs={"size": 4, "apiKey": "first-secret"})
    assert "first-secret" not in json.dumps(store.records)
    with pytest.raises(UsageError, match="the input 'size' was 4 and is 5"):
        live(path, store, world()[0], resume=True, inputs={"size": 5, "apiKey": "first-secret"})
    with pytest.raises(UsageError, match="the input 'apiKey' was secret and is not given"):
        live(path, store, world()[0], resume=True, inputs={"size": 4})
    with pytest.raises(UsageError, match="the server of api was http://h/base and is http://other/base"):
        live(path, store, world()[0], resume=True, inputs={"size": 4, "apiKey": "x"}, server="http://other")
    live(path, store, world()[0], resume=True, inputs={"size": 4, "apiKey": "second-secret"})


@pytest.mark.parametrize("python", [False, True], ids=["command", "Python"])
def test_credentials_in_addresses_are_not_written_down_and_may_be_others(
    write: Callable[..., Path], play: Callable[..., Any], serve: Callable[[Handler], Stub], python: bool
) -> None:
    key = [{"name": "k", "in": "query", "value": "$inputs.apiKey"}]
    steps = [{"stepId": name, "operationId": name, "parameters": key} for name in ("look", "fetch")]
    flow = write(steps, inputs={"properties": {"apiKey": {}}})
    description = yaml.safe_load((flow.parent / "api.yaml").read_text())
    scheme = {"type": "apiKey", "in": "query", "name": "key"}
    description |= {"security": [{"qk": []}], "components": {"securitySchemes": {"qk": scheme}}}
    (flow.parent / "api.yaml").write_text(yaml.safe_dump(description))
    stub = serve(lambda got: Reply(409 if got.path.endswith("fetch") else 200, {}))

    def go(word: str, *, resume: bool) -> str:
        server, checkpoint = stub.url.replace("//", f"//ann:pass-{word}@"), Path("x.run")
        inputs, auth = {"apiKey": f"input-{word}"}, {"qk": f"auth-{word}"}
        if python:
            result = run(flow, inputs, servers=server, auth=auth, checkpoint=checkpoint, resume=resume)
            return f"{result.status}"
        args = ["--server", server, "--auth", f"qk=auth-{word}", "-i", f"apiKey=input-{word}", "--checkpoint", "x.run"]
        played = play(flow, *args, *(["--resume"] if resume else []))
        assert word not in played.stdout + played.stderr
        return "succeeded" if played.code == 0 else "failed"

    assert go("old.word", resume=False) == "failed"
    stub.handler = lambda got: Reply(200, {})
    assert go("new.word", resume=True) == "succeeded"
    assert [got.path for got in stub.got] == ["/base/look", "/base/fetch", "/base/fetch"]
    assert stub.got[-1].query == [("k", "input-new.word"), ("key", "auth-new.word")]
    text = Path("x.run").read_text()
    assert not [part for part in ("old", "new", "ann:") if part in text]


def test_a_run_does_not_begin_over_another(path: Path) -> None:
    store = Memory()
    die(path, store, world()[0], 6)
    with pytest.raises(UsageError, match="holds a run already"):
        live(path, store, world()[0])


# The file


def test_a_file_that_is_no_checkpoint_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "photo.png"
    before = file.read_bytes()
    with pytest.raises(JournalError, match="is not a checkpoint"), JournalFile(file) as opened:
        Journal(opened, opened.read())
    assert file.read_bytes() == before


def test_a_half_written_line_does_not_count(tmp_path: Path) -> None:
    file = tmp_path / "x.run"
    with JournalFile(file) as opened:
        asyncio.run(Journal(opened, opened.read()).begin("r", {}))
    whole = file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_bytes(whole + b'{"sent":0,"st')
    with JournalFile(file) as opened:
        journal = Journal(opened, opened.read())
        assert (journal.run, journal.exchanges) == ("r", [])
        asyncio.run(journal.ended("failed", failed=False))
    assert file.read_bytes() == whole + b'{"ended":"failed","failed":false}\n'


@pytest.mark.parametrize("line", ['{"heddle":"arazzo-run","version":99}', '{"heddle":"arazzo-run","x":', "[]"])
def test_a_damaged_file_is_told(tmp_path: Path, line: str) -> None:
    file = tmp_path / "x.run"
    file.write_text(line + "\n{}\n")
    with pytest.raises(JournalError), JournalFile(file) as opened:
        Journal(opened, opened.read())


def test_one_run_at_a_time(tmp_path: Path) -> None:
    file = tmp_path / "x.run"
    with JournalFile(file), pytest.raises(UsageError, match="another run is using"), JournalFile(file):
        pass


# The command


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--resume"], "--resume needs the checkpoint"),
        (["--checkpoint", "x.run", "--resume-step", "skip"], "--resume-step only says how to go on"),
        (["--checkpoint", "x.run", "--resume", "--server", "http://h"], "there is no checkpoint x.run"),
        (["--checkpoint", "x.run"], "a checkpoint needs a server that is still there"),
        (["--checkpoint", "no/x.run", "--server", "http://h"], "cannot be opened: No such file"),
    ],
    ids=["alone", "step", "nothing there", "no server", "no folder"],
)
def test_options_that_do_not_fit(path: Path, play: Callable[..., Any], args: list[str], said: str) -> None:
    played = play(path, "-w", "main", *args)
    assert played.code == 1
    assert said in played.stderr


def test_the_command_goes_on_without_being_told_its_inputs(
    path: Path, play: Callable[..., Any], serve: Callable[[Handler], Stub]
) -> None:
    stub = serve(lambda got: Reply(409 if got.path.endswith("fetch") else 200, {"id": 1}))
    args = ["-w", "main", "--server", stub.url, "--checkpoint", "x.run"]
    assert play(path, *args, "-i", "size=4", "-i", "apiKey=first-secret").code == 1
    stub.handler = lambda got: Reply(200, {"n": 1})
    asked = len(stub.got)
    played = play(path, *args, "--resume", "-i", "apiKey=second-secret")
    assert (played.code, len(stub.got) - asked) == (2, 1)  # the server gave no status
    assert "note: x.run knows 4 requests already" in played.stdout
    assert "secret" not in Path("x.run").read_text().replace('"$secret"', "")


def test_killed_at_random_moments_it_makes_everything_once(
    write: Callable[..., Path], serve: Callable[[Handler], Stub], tmp_path: Path
) -> None:
    """Real processes, kill -9, a server that takes keys: every thing is made once, whenever the run dies."""
    steps = [
        {
            "stepId": f"make{n}",
            "operationId": "make",
            "requestBody": {"payload": {"n": n}},
            "outputs": {"id": "$response.body#/id"},
        }
        for n in range(12)
    ]
    path = write(steps, outputs={f"id{n}": f"$steps.make{n}.outputs.id" for n in range(12)})
    (tmp_path / "api.yaml").write_text(yaml.safe_dump(KEYED))
    made: dict[str, int] = {}
    lock = threading.Lock()
    arrived = threading.Event()

    def make(got: Got) -> Reply:
        with lock:
            thing = made.setdefault(got.headers["idempotency-key"], len(made))
        arrived.set()
        time.sleep(0.02)
        return Reply(200, {"id": thing})

    stub = serve(make)
    chance = random.Random(7)
    command = [sys.executable, "-m", "heddle", "run", str(path), "--server", stub.url, "--checkpoint", "x.run"]
    deaths = 0
    for life in range(40):
        arrived.clear()
        more = ["--resume"] if life else []
        with subprocess.Popen(
            [*command, *more, "--json"], stdout=subprocess.PIPE, text=True, env={**os.environ}
        ) as child:
            arrived.wait(20)
            delay = chance.uniform(0, 0.08) if deaths < 6 else 60.0
            try:
                stdout, _ = child.communicate(timeout=delay)
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
                child.communicate()
                deaths += 1
                continue
        break
    assert deaths >= 3
    assert child.returncode == 0
    assert list(json.loads(stdout)["outputs"].values()) == list(range(12))
    assert len(made) == 12
