"""The engine: control flow, guards, pace, budgets. The clock is ours, so nothing waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from arazzo_stub import Got, Handler, Reply, Stub

from heddle.arazzo.budgets import Options
from heddle.arazzo.document import read_document
from heddle.arazzo.events import ActionTaken, Event, Result, RunEnded, RunStarted, Status, StepEnded, Waiting
from heddle.arazzo.exchange import Client
from heddle.arazzo.leniency import Leniency
from heddle.arazzo.plan import make_plan
from heddle.arazzo.runner import Run
from heddle.arazzo.sources import Servers, load_descriptions
from heddle.arazzo.tree import DocumentError


class FakeClock:
    """Time that only passes in sleeps."""

    def __init__(self) -> None:
        self.time = 0.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.time += seconds


class Answers(httpx.AsyncBaseTransport):
    """A transport that answers from a function, in this process."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.got: list[Got] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        got = Got(request.method, request.url.path, request.url.query.decode(), dict(request.headers), body, 0)
        self.got.append(got)
        reply = self.handler(got)
        if isinstance(reply.body, bytes):
            return httpx.Response(reply.status, content=reply.body, headers=dict(reply.headers))
        return httpx.Response(reply.status, json=reply.body, headers=dict(reply.headers))


class Outcome:
    """A run that is over."""

    def __init__(self, events: list[Event], transport: Answers, clock: FakeClock) -> None:
        self.events = events
        self.got = transport.got
        self.clock = clock
        assert isinstance(events[-1], RunEnded)
        self.result: Result = events[-1].result

    @property
    def paths(self) -> list[str]:
        return [got.path.removeprefix("/base") for got in self.got]


def go(
    path: Path,
    handler: Handler,
    *,
    inputs: Mapping[str, Any] | None = None,
    options: Options | None = None,
    leniency: Leniency | None = None,
) -> Outcome:
    document = read_document(path)
    plan = make_plan(
        document, "main", load_descriptions(document, Servers(default="http://h"), {}), leniency or Leniency()
    )
    transport, clock = Answers(handler), FakeClock()

    async def collect() -> list[Event]:
        async with Client(transport) as client:
            run = Run(plan, plan.main.inputs.bind(inputs or {}), client, options=options, clock=clock)
            return [event async for event in run.events()]

    return Outcome(asyncio.run(collect()), transport, clock)


def always(body: Any, status: int = 200, **headers: str) -> Handler:
    return lambda got: Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def in_turn(*replies: Reply) -> Handler:
    """One reply after the other; the last one stays."""
    waiting = list(replies)
    return lambda got: waiting.pop(0) if len(waiting) > 1 else waiting[0]


def when(condition: str) -> dict[str, Any]:
    return {"criteria": [{"context": "$response.body", "condition": condition, "type": "jsonpath"}]}


def look(name: str = "look", **fields: Any) -> dict[str, Any]:
    return {"stepId": name, "operationId": "look", **fields}


LOOP = [
    {"name": "again", "type": "goto", "stepId": "look", **when("$.status == 'busy'")},
    {"name": "go", "type": "goto", "stepId": "next", **when("$.status == 'done'")},
]


def test_steps_follow_one_another_and_events_tell_it(write: Callable[..., Path]) -> None:
    path = write(
        [look(outputs={"id": "$response.body#/id"}), {"stepId": "next", "operationId": "fetch"}],
        outputs={"id": "$steps.look.outputs.id"},
    )
    outcome = go(path, always({"id": 5}))
    assert outcome.paths == ["/look", "/fetch"]
    assert isinstance(outcome.events[0], RunStarted)
    assert [event.step for event in outcome.events if isinstance(event, StepEnded)] == ["look", "next"]
    result = outcome.result
    assert (result.status, result.exit_code, result.outputs) == (Status.SUCCEEDED, 0, {"id": 5})
    assert result.ended_by is not None
    assert (result.ended_by.step, result.ended_by.action) == ("next", None)


def test_a_loop_is_paced_and_grows_slower(write: Callable[..., Path]) -> None:
    path = write([look(onSuccess=LOOP), {"stepId": "next", "operationId": "fetch"}])
    outcome = go(path, in_turn(*[Reply(200, {"status": "busy"})] * 8, Reply(200, {"status": "done"})))
    assert outcome.clock.slept == [0.25, 0.375, 0.5625, 0.84375, 1.265625, 1.898438, 2.0, 2.0]
    assert outcome.paths == ["/look"] * 9 + ["/fetch"]


def test_retry_after_overrules_the_pace(write: Callable[..., Path]) -> None:
    path = write([look(onSuccess=LOOP), {"stepId": "next", "operationId": "fetch"}])
    busy = {"status": "busy"}
    dated = Reply(200, busy, {"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"})
    replies = [
        Reply(200, busy, {"Retry-After": "7"}),
        dated,
        Reply(200, busy, {"Retry-After": "soon"}),
        Reply(200, {"status": "done"}),
    ]
    outcome = go(path, in_turn(*replies))
    assert outcome.clock.slept == [7.0, 0.0, 0.25]
    assert next(event.reason for event in outcome.events if isinstance(event, Waiting)) == "the server asked for it"


def test_an_endless_loop_ends_with_the_budget_of_steps(write: Callable[..., Path]) -> None:
    path = write([look(onSuccess=[{"name": "again", "type": "goto", "stepId": "look"}])])
    outcome = go(path, always({}), options=Options(max_steps=25))
    assert (outcome.result.status, outcome.result.exit_code, len(outcome.got)) == (Status.EXHAUSTED, 1, 25)
    assert "25 steps without coming to an end; it was at 'look'" in outcome.result.reason


def test_an_endless_loop_ends_with_the_deadline(write: Callable[..., Path]) -> None:
    path = write([look(onSuccess=[{"name": "again", "type": "goto", "stepId": "look"}])])
    outcome = go(path, always({}), options=Options(deadline=10))
    assert outcome.result.status is Status.EXHAUSTED
    assert "did not end within 10 s" in outcome.result.reason
    assert outcome.clock.time <= 10


GATE = [
    look(
        "gate",
        onSuccess=[
            {"name": "allowed", "type": "goto", "stepId": "download", **when("$.canDownload == true")},
            {"name": "denied", "type": "end", **when("$.canDownload == false")},
        ],
    ),
    {"stepId": "download", "operationId": "fetch", "outputs": {"url": "$response.body#/url"}},
]
GATE_OUTPUTS = {"url": "$steps.download.outputs.url"}


def test_the_gate_lets_through_what_is_allowed(write: Callable[..., Path]) -> None:
    outcome = go(write(GATE, outputs=GATE_OUTPUTS), always({"canDownload": True, "url": "u"}))
    assert (outcome.result.exit_code, outcome.paths) == (0, ["/look", "/fetch"])


def test_the_gate_stops_what_is_denied(write: Callable[..., Path]) -> None:
    outcome = go(write(GATE, outputs=GATE_OUTPUTS), always({"canDownload": False}))
    assert (outcome.result.exit_code, outcome.paths, outcome.result.missing) == (2, ["/look"], ("url",))
    assert outcome.result.ended_by is not None
    assert outcome.result.ended_by.action == "denied"


@pytest.mark.parametrize("body", [{}, {"canDownload": None}, {"canDownload": "no"}, [], None, "text", b"\x00"])
def test_the_gate_never_lets_through_what_it_does_not_know(write: Callable[..., Path], body: Any) -> None:
    outcome = go(write(GATE, outputs=GATE_OUTPUTS), always(body))
    assert (outcome.result.status, outcome.paths) == (Status.UNDECIDED, ["/look"])
    outcome = go(write(GATE[::1], outputs=GATE_OUTPUTS), always({}), options=Options(fall_through=True))
    assert outcome.paths == ["/look", "/fetch"]
    assert any("none of the onSuccess actions" in warning.message for warning in outcome.result.warnings)


def test_a_lone_deny_guard_that_saw_nothing_stops(write: Callable[..., Path]) -> None:
    deny = look("gate", onSuccess=[{"name": "denied", "type": "end", **when("$.canDownload == false")}])
    path = write([deny, GATE[1]], outputs=GATE_OUTPUTS)
    assert go(path, always(None)).result.status is Status.UNDECIDED
    assert go(path, always({"canDownload": True, "url": "u"})).paths == ["/look", "/fetch"]


def test_a_condition_without_an_answer_is_never_a_no(write: Callable[..., Path]) -> None:
    guard = {"name": "small", "type": "end", "criteria": [{"condition": "$response.body#/size < 5"}]}
    path = write([look(onSuccess=[guard]), {"stepId": "next", "operationId": "fetch"}])
    outcome = go(path, always({"size": "big"}))
    assert (outcome.result.status, outcome.paths) == (Status.UNDECIDED, ["/look"])
    assert "'big' < 5 has no answer" in outcome.result.reason


def test_a_loop_that_is_over_goes_on(write: Callable[..., Path]) -> None:
    path = write([look(onSuccess=LOOP[:1]), {"stepId": "next", "operationId": "fetch"}])
    outcome = go(path, always({"status": "done"}))
    assert (outcome.paths, outcome.result.warnings) == (["/look", "/fetch"], ())


def test_a_skip_that_does_not_apply_goes_on_with_a_warning(write: Callable[..., Path]) -> None:
    skip = {"name": "skip", "type": "goto", "stepId": "last", **when("$.cached == true")}
    path = write(
        [look(onSuccess=[skip]), {"stepId": "next", "operationId": "fetch"}, {"stepId": "last", "operationId": "fetch"}]
    )
    assert go(path, always({"cached": True})).paths == ["/look", "/fetch"]
    outcome = go(path, always({"cached": False}))
    assert outcome.paths == ["/look", "/fetch", "/fetch"]
    assert len(outcome.result.warnings) == 1


def test_a_failed_step_fails_the_run(write: Callable[..., Path]) -> None:
    path = write(
        [look(successCriteria=[{"condition": "$statusCode == 200"}]), {"stepId": "next", "operationId": "fetch"}]
    )
    outcome = go(path, always({"message": "no such thing"}, 404))
    assert (outcome.result.status, outcome.paths) == (Status.FAILED, ["/look"])
    assert outcome.result.reason == (
        "step 'look' failed: the criterion '$statusCode == 200' does not hold: the server answered 404: no such thing"
    )
    partly = [look(outputs={"n": "$response.body#/n"}), {"stepId": "next", "operationId": "fetch"}]
    path = write(partly, outputs={"n": "$steps.look.outputs.n", "m": "$steps.next.outputs.m"})
    result = go(path, in_turn(Reply(200, {"n": 1}), Reply(500, {}))).result
    assert (result.exit_code, result.outputs, result.missing) == (1, {"n": 1, "m": None}, ("m",))
    assert go(write([look()]), always({}, 500)).result.status is Status.FAILED
    assert go(write([look()]), always({}, 204)).result.status is Status.SUCCEEDED


def test_no_connection_is_a_failed_step(write: Callable[..., Path]) -> None:
    def refuse(got: Got) -> Reply:
        raise httpx.ConnectError("refused")

    outcome = go(write([look()]), refuse)
    assert outcome.result.reason == "step 'look' failed: no answer from http://h: refused"
    assert outcome.paths == ["/look"]


@pytest.mark.parametrize(("operation", "breaks", "ends"), [("look", 2, 0), ("look", 3, 1), ("make", 1, 1)])
def test_only_a_read_that_breaks_off_is_sent_again(
    write: Callable[..., Path], operation: str, breaks: int, ends: int
) -> None:
    left = iter(range(breaks))

    def break_off(got: Got) -> Reply:
        if next(left, None) is not None:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        return Reply(200, {})

    outcome = go(write([{"stepId": "one", "operationId": operation}]), break_off)
    assert outcome.result.exit_code == ends, outcome.result.reason
    assert len(outcome.paths) == min(breaks, 3) + (ends == 0)


RETRY = {"name": "again", "type": "retry", "retryAfter": 1.5, "retryLimit": 3}


def test_retry_waits_as_the_document_says(write: Callable[..., Path]) -> None:
    path = write([look(onFailure=[RETRY])])
    outcome = go(path, in_turn(Reply(500, {}), Reply(503, {}, {"Retry-After": "9"}), Reply(200, {})))
    assert (outcome.result.status, outcome.clock.slept) == (Status.SUCCEEDED, [1.5, 9.0])


def test_a_retry_without_tries_left_makes_room_for_the_next_action(write: Callable[..., Path]) -> None:
    give_up = {"name": "giveUp", "type": "goto", "stepId": "next"}
    path = write([look(onFailure=[RETRY, give_up]), {"stepId": "next", "operationId": "fetch"}])
    outcome = go(path, lambda got: Reply(500 if "look" in got.path else 200, {}))
    assert outcome.paths == ["/look"] * 4 + ["/fetch"]
    assert [event.action for event in outcome.events if isinstance(event, ActionTaken)] == ["again"] * 3 + ["giveUp"]


def test_one_retry_is_the_default_and_success_gives_them_back(write: Callable[..., Path]) -> None:
    path = write([look(onFailure=[{"name": "again", "type": "retry"}])])
    assert len(go(path, always({}, 500)).got) == 2
    back = {"name": "back", "type": "goto", "stepId": "look", **when("$.status == 'busy'")}
    path = write([look(onFailure=[{"name": "again", "type": "retry"}], onSuccess=[back])])
    bad, busy = Reply(500, {}), Reply(200, {"status": "busy"})
    outcome = go(path, in_turn(bad, busy, bad, busy, bad, Reply(200, {})))
    assert outcome.result.status is Status.SUCCEEDED


def test_a_retry_may_run_another_step_first(write: Callable[..., Path]) -> None:
    login = {"stepId": "login", "operationId": "fetch", "outputs": {"key": "$response.body#/key"}}
    fresh = {"name": "fresh", "type": "retry", "stepId": "login", "criteria": [{"condition": "$statusCode == 401"}]}
    step = look(parameters=[{"name": "X-Key", "in": "header", "value": "$steps.login.outputs.key"}], onFailure=[fresh])
    keys = iter(["old", "new"])

    def answer(got: Got) -> Reply:
        if "fetch" in got.path:
            return Reply(200, {"key": next(keys)})
        return Reply(200 if got.headers.get("x-key") == "new" else 401, {})

    outcome = go(write([login, step]), answer)
    assert (outcome.result.status, outcome.paths) == (Status.SUCCEEDED, ["/fetch", "/look", "/fetch", "/look"])


def test_retry_on_success_repeats_within_its_limit(write: Callable[..., Path]) -> None:
    again = {"name": "again", "type": "retry", "retryAfter": 2, "retryLimit": 2, **when("$.status == 'busy'")}
    path = write([look(onSuccess=[again]), {"stepId": "next", "operationId": "fetch"}])
    outcome = go(path, always({"status": "busy"}))
    assert (outcome.paths, outcome.clock.slept) == (["/look"] * 3 + ["/fetch"], [2.0, 2.0])


def test_actions_and_parameters_of_the_workflow_are_defaults(write: Callable[..., Path]) -> None:
    path = write(
        [
            look(
                parameters=[{"name": "x-a", "in": "header", "value": "own"}],
                onFailure=[{"name": "again", "type": "end"}],
            ),
            {"stepId": "next", "operationId": "fetch"},
        ],
        parameters=[
            {"reference": "$components.parameters.a"},
            {"reference": "$components.parameters.b", "value": "given"},
        ],
        failureActions=[{"name": "again", "type": "goto", "stepId": "next"}],
        components={"parameters": {n: {"name": f"X-{n.upper()}", "in": "header", "value": "default"} for n in "ab"}},
    )
    outcome = go(path, in_turn(Reply(200, {}), Reply(200, {})))
    assert [(got.headers["x-a"], got.headers["x-b"]) for got in outcome.got] == [("own", "given"), ("default", "given")]
    assert go(path, always({}, 500)).paths == ["/look"]


SUB = {
    "workflowId": "sub",
    "inputs": {"type": "object", "required": ["q"], "properties": {"q": {"type": "integer"}, "d": {"default": 4}}},
    "steps": [
        {
            "stepId": "inner",
            "operationId": "fetch",
            "parameters": [
                {"name": "q", "in": "query", "value": "$inputs.q"},
                {"name": "d", "in": "query", "value": "$inputs.d"},
            ],
            "outputs": {"n": "$response.body#/n"},
        }
    ],
    "outputs": {"n": "$steps.inner.outputs.n"},
}


def test_a_step_may_run_an_arazzo_workflow(write: Callable[..., Path]) -> None:
    step = {
        "stepId": "call",
        "workflowId": "sub",
        "parameters": [{"name": "q", "value": 3}],
        "outputs": {"n": "$outputs.n"},
    }
    path = write([step], outputs={"n": "$steps.call.outputs.n", "m": "$workflows.sub.outputs.n"}, more_workflows=[SUB])
    outcome = go(path, always({"n": 7}))
    assert outcome.result.outputs == {"n": 7, "m": 7}
    assert outcome.got[0].raw_query == "q=3&d=4"
    step["parameters"] = [{"name": "q", "value": "three"}]
    outcome = go(write([step], more_workflows=[SUB]), always({}))
    assert "the inputs do not fit: q: 'three' is not of type 'integer'" in outcome.result.reason


def test_goto_and_depends_on_reach_other_workflows(write: Callable[..., Path]) -> None:
    inputs = {"type": "object", "properties": {"q": {"type": "integer"}}}
    leave = {"name": "leave", "type": "goto", "workflowId": "sub"}
    outcome = go(
        write([look(onSuccess=[leave])], inputs=inputs, more_workflows=[SUB]), always({"n": 1}), inputs={"q": 9}
    )
    assert (outcome.paths, outcome.result.outputs) == (["/look", "/fetch"], {"n": 1})
    path = write(
        [look()], inputs=inputs, dependsOn=["sub"], outputs={"n": "$workflows.sub.outputs.n"}, more_workflows=[SUB]
    )
    outcome = go(path, always({"n": 2}), inputs={"q": 9})
    assert (outcome.paths, outcome.result.outputs) == (["/fetch", "/look"], {"n": 2})
    with pytest.raises(DocumentError, match="dependsOn goes in a circle: main → sub → main"):
        go(write([look()], dependsOn=["sub"], more_workflows=[{**SUB, "dependsOn": ["main"]}]), always({}))


def test_workflows_that_run_each_other_come_to_an_end(write: Callable[..., Path]) -> None:
    outcome = go(write([{"stepId": "self", "workflowId": "main"}]), always({}))
    assert outcome.result.status is Status.EXHAUSTED
    leave = {"name": "leave", "type": "goto", "workflowId": "main"}
    outcome = go(write([look(onSuccess=[leave])]), always({}), options=Options(max_steps=9))
    assert (outcome.result.status, len(outcome.got)) == (Status.EXHAUSTED, 9)


def test_an_output_that_does_not_resolve_is_a_warning_or_by_the_letter_a_failure(write: Callable[..., Path]) -> None:
    path = write([look(outputs={"x": "$response.body#/x"})], outputs={"x": "$steps.look.outputs.x"})
    result = go(path, always({"y": 1})).result
    assert (result.exit_code, result.outputs, result.missing) == (2, {"x": None}, ("x",))
    assert [warning.message for warning in result.warnings] == ["outputs of 'look' that did not resolve: x"]
    assert go(path, always({"x": None})).result.exit_code == 0
    strict = go(path, always({"y": 1}), leniency=Leniency(frozenset())).result
    assert (strict.status, strict.reason) == (
        Status.FAILED,
        "step 'look' failed: the output 'x' did not resolve: $response.body#/x",
    )


def test_a_missing_step_output_is_left_out_and_told(write: Callable[..., Path]) -> None:
    make = {
        "stepId": "make",
        "operationId": "make",
        "requestBody": {"contentType": "application/json", "payload": {"model": "$steps.look.outputs.air", "n": 1}},
    }
    outcome = go(write([look(outputs={"air": "$response.body#/air"}), make]), always({}))
    assert outcome.got[1].json == {"n": 1}
    assert "$steps.look.outputs.air did not resolve and was left out" in outcome.result.warnings[0].message


def test_redirects_keep_credentials_at_home(write: Callable[..., Path], serve: Callable[[Handler], Stub]) -> None:
    other = serve(always({"where": "other"}))

    def home_answer(got: Got) -> Reply:
        target = {"/look": "/moved", "/moved": f"{other.url}/away"}[got.path]
        return Reply(307, None, {"Location": target})

    home = serve(home_answer)
    secret = [{"name": name, "in": "header", "value": "s3cret"} for name in ("Authorization", "X-Api-Key")]
    document = read_document(write([look(parameters=secret, outputs={"w": "$response.body#/where"})]))
    plan = make_plan(document, None, load_descriptions(document, Servers(named={"api": home.url}), {}), Leniency())

    async def collect() -> list[Event]:
        async with Client() as client:
            return [event async for event in Run(plan, {}, client).events()]

    last = asyncio.run(collect())[-1]
    assert isinstance(last, RunEnded)
    assert last.result.steps[0].outputs == {"w": "other"}
    assert [got.headers.get("authorization") for got in home.got] == ["s3cret", "s3cret"]
    assert "authorization" not in other.got[0].headers
    assert "x-api-key" not in other.got[0].headers


def test_an_answer_that_is_too_large_fails_the_step(write: Callable[..., Path]) -> None:
    document = read_document(write([look()]))
    plan = make_plan(document, None, load_descriptions(document, Servers(default="http://h"), {}), Leniency())

    async def collect() -> list[Event]:
        async with Client(Answers(always(b"x" * 2000)), max_bytes=1000) as client:
            return [event async for event in Run(plan, {}, client).events()]

    last = asyncio.run(collect())[-1]
    assert isinstance(last, RunEnded)
    assert "larger than 1000 bytes" in last.result.reason


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"operationId": "lok"}, "no source has the operation 'lok'"),
        ({"operationId": "$sourceDescriptions.api.lok"}, "there is no operation"),
        ({"operationPath": "{$sourceDescriptions.api.url}#/paths/~1gone/get"}, "there is no operation at"),
        ({"operationId": "thing"}, "step 'one' gives no value for the path parameter 'id'"),
        ({"operationId": "look", "workflowId": "main"}, "exactly one of operationId"),
        (
            {"operationId": "look", "onSuccess": [{"name": "x", "type": "goto", "stepId": "gone"}]},
            "there is no step 'gone'",
        ),
        ({"operationId": "look", "onSuccess": [{"name": "x", "type": "jump"}]}, "'jump' is not end, goto or retry"),
        ({"operationId": "look", "onSuccess": [{"name": "x", "type": "goto"}]}, "needs a stepId or a workflowId"),
        (
            {"operationId": "look", "successCriteria": [{"condition": "$statusCode = 200"}]},
            "'=' was not expected at column 13",
        ),
        (
            {
                "operationId": "look",
                "successCriteria": [{"context": "$response.body", "condition": "//a", "type": "sql"}],
            },
            "'sql' is not a type of criterion",
        ),
        ({"operationId": "look", "outputs": {"x": "$steps.two.outputs.y"}}, "there is no step 'two'"),
        ({"operationId": "look", "outputs": {"a b": "$statusCode"}}, "the output name 'a b'"),
        (
            {"operationId": "look", "parameters": [{"name": "x", "in": "body", "value": 1}]},
            "'body' is not one of path, query",
        ),
        ({"operationId": "look", "parameters": [{"name": "x", "value": 1}]}, "needs `in`"),
        ({"operationId": "look", "parameters": [{"reference": "$components.parameters.x"}]}, "there is no"),
        ({"workflowId": "$sourceDescriptions.api.other"}, "there is no Arazzo document 'api'"),
    ],
)
def test_what_is_wrong_with_a_document_is_said_before_anything_is_sent(
    write: Callable[..., Path], step: dict[str, Any], said: str
) -> None:
    path = write([{"stepId": "one", **step}])
    with pytest.raises(DocumentError) as raised:
        go(path, always({}))
    assert said in raised.value.message
    assert raised.value.message.startswith(f"{path}:")


def test_operations_by_every_kind_of_name(write: Callable[..., Path]) -> None:
    names = ["look", "$sourceDescriptions.api.look"]
    steps = [{"stepId": f"s{index}", "operationId": name} for index, name in enumerate(names)]
    steps.append({"stepId": "s9", "operationPath": "{$sourceDescriptions.api.url}#/paths/~1look/get"})
    assert go(write(steps), always({})).paths == ["/look"] * 3
