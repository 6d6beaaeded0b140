"""Arazzo runs in the database: who has one, what fences off a second, and what a conductor does with them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from heddle import accounts, metrics
from heddle.api import runs
from heddle.arazzo.tree import Tree
from heddle.db import Database, Dialect, Tx
from heddle.errors import InvalidRequest, NotFound, TooManyRequests, Unavailable
from heddle.runs import documents, rows
from heddle.runs.conductor import Aside, Conductor, Pace, Passes
from heddle.runs.rows import ArazzoRun, LeaseLost

AT = datetime(2026, 1, 1, tzinfo=UTC)

DOCUMENT = """
arazzo: 1.0.1
info: {title: Look, version: "1"}
sourceDescriptions: [{name: api, url: x/civitai-orchestration-api-openapi.yml, type: openapi}]
workflows:
  - workflowId: main
    inputs: {type: object, properties: {token: {type: string}, password: {type: string}, n: {type: integer}}}
    parameters: [{name: Authorization, in: header, value: "Bearer {$inputs.token}"}]
    steps:
      - stepId: submit
        operationId: submitWorkflow
        requestBody: {contentType: application/json, payload: {steps: []}}
        outputs: {id: "$response.body#/id"}
      - stepId: poll
        operationId: getWorkflow
        parameters: [{name: workflowId, in: path, value: $steps.submit.outputs.id}]
        outputs: {status: "$response.body#/status"}
        onSuccess:
          - {name: again, type: goto, stepId: poll, criteria: [{condition: $steps.poll.outputs.status == 'busy'}]}
    outputs: {status: $steps.poll.outputs.status}
"""


_FAR = "x-far: {type: object, properties: {token: {type: string, pattern: a}}}\n"


def at(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


@pytest.fixture
def account_id(db: Database) -> int:
    def create(tx: Tx, items: Sequence[str]) -> list[int]:
        return [accounts.create(tx, name, AT).id for name in items]

    return db.apply(create, "mira")


def new(account_id: int, name: str = "run_1", document: str = DOCUMENT, most_open: int = 100) -> rows.New:
    run = ArazzoRun(id=name, account_id=account_id, document=document, workflow=None, inputs={"n": 1}, created_at=AT)
    return rows.New(run=run, most_open=most_open)


def insert(db: Database, account_id: int, name: str = "run_1") -> ArazzoRun:
    return db.apply(rows.insert, new(account_id, name))


def claim(db: Database, owner: str, seconds: float = 0, most: int = 9) -> list[str]:
    wanted = rows.Claim(owner=owner, at=at(seconds), until=at(seconds + 10), most=most)
    return [run.id for run in db.apply(rows.claim, wanted)]


def entry(owner: str, number: int) -> rows.Entry:
    return rows.Entry(run_id="run_1", owner=owner, number=number, body={"n": number})


def test_a_run_has_one_owner_until_its_lease_ends(db: Database, account_id: int) -> None:
    insert(db, account_id)
    assert claim(db, "one") == ["run_1"]
    assert claim(db, "two", 9) == []
    assert db.apply(rows.renew, rows.Lease(run_id="run_1", owner="one", until=at(30))) is False
    assert claim(db, "two", 20) == []
    assert claim(db, "two", 30) == ["run_1"]
    with pytest.raises(LeaseLost):
        db.apply(rows.renew, rows.Lease(run_id="run_1", owner="one", until=at(60)))


def test_what_one_runs_already_is_not_claimed_again(db: Database, account_id: int) -> None:
    """Its lease has run out, since the process stood still for longer; nobody else has asked yet."""
    insert(db, account_id)
    assert claim(db, "one") == ["run_1"]
    again = rows.Claim(owner="new", at=at(60), until=at(70), most=9, held={"run_1": account_id})
    assert db.apply(rows.claim, again) == []
    assert db.apply(rows.renew, rows.Lease(run_id="run_1", owner="one", until=at(90))) is False


def test_no_two_owners_write_one_journal(db: Database, account_id: int) -> None:
    insert(db, account_id)
    claim(db, "one")
    db.apply(rows.append, entry("one", 0))
    with pytest.raises(LeaseLost):
        db.apply(rows.append, entry("one", 0))
    claim(db, "two", 10)
    with pytest.raises(LeaseLost):
        db.apply(rows.append, entry("one", 1))
    db.apply(rows.append, entry("two", 1))
    assert db.look(rows.records, "run_1") == [{"n": 0}, {"n": 1}]
    with pytest.raises(LeaseLost):
        db.apply(rows.end, rows.End(run_id="run_1", owner="one", status="failed", result={}, at=AT))


def test_a_run_that_is_over_is_nobodys(db: Database, account_id: int) -> None:
    insert(db, account_id)
    claim(db, "one")
    db.apply(rows.end, rows.End(run_id="run_1", owner="one", status="succeeded", result={"outputs": {}}, at=at(3)))
    assert claim(db, "two", 1000) == []
    with pytest.raises(LeaseLost):
        db.apply(rows.append, entry("one", 0))
    run = db.look(rows.get, "run_1", account_id)
    assert (run.status, run.result, run.started_at, run.ended_at) == ("succeeded", {"outputs": {}}, AT, at(3))


def test_a_run_that_kills_its_processes_is_given_up(db: Database, account_id: int) -> None:
    insert(db, account_id)
    for n in range(rows.MOST_CLAIMS):
        assert claim(db, f"owner {n}", 20 * n) == ["run_1"]
    assert claim(db, "last", 1000) == []
    assert db.look(rows.get, "run_1", account_id).status == "failed"


def test_a_run_that_gets_on_is_not_given_up(db: Database, account_id: int) -> None:
    insert(db, account_id)
    for n in range(2 * rows.MOST_CLAIMS):
        assert claim(db, f"owner {n}", 20 * n) == ["run_1"]
        db.apply(rows.append, rows.Entry(run_id="run_1", owner=f"owner {n}", number=n, body={"done": n}))


def test_a_request_that_is_sent_again_and_again_is_no_progress(db: Database, account_id: int) -> None:
    insert(db, account_id)
    for n in range(rows.MOST_CLAIMS):
        assert claim(db, f"owner {n}", 20 * n) == ["run_1"]
        db.apply(rows.append, rows.Entry(run_id="run_1", owner=f"owner {n}", number=n, body={"sent": 0}))
    assert claim(db, "last", 1000) == []


def test_what_may_be_written_is_written_once(db: Database, account_id: int) -> None:
    """After a commit of which the outcome was not told."""
    insert(db, account_id)
    claim(db, "one")
    db.apply(rows.append, entry("one", 0))
    db.apply(rows.append, replace(entry("one", 0), again=True))
    with pytest.raises(LeaseLost):
        db.apply(rows.append, replace(entry("one", 0), body={"n": "other"}, again=True))
    assert db.look(rows.records, "run_1") == [{"n": 0}]


def test_a_run_that_is_given_back_alive_counts_for_nothing(db: Database, account_id: int) -> None:
    insert(db, account_id)
    for n in range(2 * rows.MOST_CLAIMS):
        assert claim(db, f"owner {n}", n) == ["run_1"]
        db.apply(rows.renew, rows.Lease(run_id="run_1", owner=f"owner {n}", until=at(n + 0.5), back=True))


def test_a_beat_under_way_does_not_take_back_what_was_given(db: Database, account_id: int) -> None:
    insert(db, account_id)
    claim(db, "one")
    db.apply(rows.renew, rows.Lease(run_id="run_1", owner="one", until=at(1), back=True))
    with pytest.raises(LeaseLost):
        db.apply(rows.renew, rows.Lease(run_id="run_1", owner="one", until=at(60)))
    assert claim(db, "two", 1) == ["run_1"]


def test_a_cancel_ends_what_waits_and_is_told_to_who_runs(db: Database, account_id: int) -> None:
    insert(db, account_id, "run_1")
    insert(db, account_id, "run_2")
    claim(db, "one", most=1)
    wishes = [rows.Cancel(run_id=name, account_id=account_id, at=at(1)) for name in ("run_1", "run_2")]
    assert [db.apply(rows.cancel, wish).status for wish in wishes] == ["running", "canceled"]
    assert db.apply(rows.renew, rows.Lease(run_id="run_1", owner="one", until=at(30))) is True
    assert claim(db, "two", 5) == []
    with pytest.raises(NotFound):
        db.apply(rows.cancel, rows.Cancel(run_id="run_1", account_id=account_id + 1, at=AT))


def test_an_account_has_so_many_open_runs(db: Database, account_id: int) -> None:
    insert(db, account_id, "run_1")
    insert(db, account_id, "run_2")
    with pytest.raises(TooManyRequests, match="2 runs are open"):
        db.apply(rows.insert, new(account_id, "run_3", most_open=2))


def test_accounts_with_few_runs_come_first(db: Database, account_id: int) -> None:
    for n in range(6):
        insert(db, account_id, f"run_a{n}")
    assert claim(db, "one", most=2) == ["run_a0", "run_a1"]
    insert(db, 1, "run_b0")
    insert(db, 1, "run_b1")
    assert claim(db, "two", 1, most=3) == ["run_a2", "run_b0", "run_b1"]
    assert claim(db, "three", 2) == ["run_a3", "run_a4", "run_a5"]


def test_an_account_has_its_share_of_the_places(db: Database, account_id: int) -> None:
    for n in range(4):
        insert(db, account_id, f"run_a{n}")
    insert(db, 1, "run_b0")
    held = {"run_x": account_id}
    some = rows.Claim(owner="one", at=AT, until=at(10), most=9, share=3, held=held)
    assert [run.id for run in db.apply(rows.claim, some)] == ["run_a0", "run_a1", "run_b0"]
    full = rows.Claim(owner="two", at=AT, until=at(10), most=9, share=1, held=held)
    assert db.apply(rows.claim, full) == []


def test_sources_are_kept_with_a_run(db: Database, account_id: int) -> None:
    sources = {"pets": {"description": "openapi: 3.0.3 # é", "server": "https://pets.example"}}
    wanted = new(account_id)
    db.apply(rows.insert, replace(wanted, run=replace(wanted.run, sources=sources)))
    assert db.look(rows.get, "run_1", account_id).sources == sources


@dataclass
class Slow:
    """A transaction that takes its time after every change, so that two are under way together."""

    tx: Tx

    def run(self, sql: str, params: Sequence[Any] = ()) -> int:
        touched = self.tx.run(sql, params)
        time.sleep(0.02)
        return touched

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tx, name)


def test_verbs_take_runs_in_one_order(new_database: Callable[[], Database], db: Database, account_id: int) -> None:
    """Beats and records of the same runs, in opposite orders: none has to be tried again."""
    names = [f"run_{n}" for n in range(4)]
    for name in names:
        insert(db, account_id, name)
    claim(db, "one")
    leases = [rows.Lease(run_id=name, owner="one", until=at(30)) for name in reversed(names)]
    entries = [rows.Entry(run_id=name, owner="one", number=0, body={"done": 0}) for name in names]

    def beats(tx: Tx, _: Any) -> list[Any]:
        return [rows.renew(cast("Tx", Slow(tx)), leases)]

    def records(tx: Tx, _: Any) -> list[Any]:
        return [rows.append(cast("Tx", Slow(tx)), entries)]

    def retries() -> float | None:
        return metrics.REGISTRY.get_sample_value("heddle_database_commit_retries_total")

    before = retries()
    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(new_database().apply, verb, None) for verb in (beats, records)]
        assert [one.result(20) for one in found] == [[False] * 4, [None] * 4]
    assert retries() == before


def test_an_account_that_submits_twice_at_once_has_no_more_runs(
    new_database: Callable[[], Database], account_id: int
) -> None:
    def submit(n: int) -> Any:
        try:
            return new_database().apply(slow_insert, n)
        except TooManyRequests:
            return None

    def slow_insert(tx: Tx, items: Sequence[int]) -> list[Any]:
        done = rows.insert(tx, [new(account_id, f"run_{n}", most_open=1) for n in items])
        time.sleep(0.2)
        return done

    with ThreadPoolExecutor(3) as pool:
        made = [run for run in pool.map(submit, range(3)) if run is not None]
    assert len(made) == 1


def test_what_ended_long_ago_goes(db: Database, account_id: int) -> None:
    for name in ("run_1", "run_2"):
        insert(db, account_id, name)
    claim(db, "one", most=1)
    db.apply(rows.append, entry("one", 0))
    db.apply(rows.end, rows.End(run_id="run_1", owner="one", status="failed", result={}, at=at(5)))

    def prune(tx: Tx, items: Sequence[datetime]) -> list[Any]:
        return [rows.prune(tx, before, "", 10) for before in items]

    assert db.apply(prune, at(5)) == (0, None)
    assert db.apply(prune, at(6)) == (1, "run_1")
    assert [run.id for run in db.look(rows.page, account_id, 10, None)] == ["run_2"]


# Documents


def test_our_own_token_is_not_kept_and_other_secrets_are_refused() -> None:
    assert documents.kept(DOCUMENT, None, {"token": "mine", "n": 3}) == {"n": 3}
    with pytest.raises(InvalidRequest) as refused:
        documents.kept(DOCUMENT, None, {"password": "x"})
    assert list(refused.value.fields) == ["inputs.password"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text + "#" * 300_000, "the server takes 262144"),
        (lambda text: text.replace("{type: integer}", "{type: string, pattern: (a+)+$}"), "has a pattern"),
        (
            lambda text: text.replace("inputs: {type: object", "inputs: {patternProperties: {a: {}}, type: object"),
            "has a pattern",
        ),
        (
            lambda text: text.replace("inputs: {type", "inputs: {$ref: '#/x-far'} \n    x-was: {type") + _FAR,
            "has a pattern",
        ),
    ],
    ids=["length", "pattern", "names", "far away"],
)
def test_what_could_hold_up_the_server_is_refused(change: Callable[[str], str], said: str) -> None:
    assert change(DOCUMENT) != DOCUMENT
    with pytest.raises(InvalidRequest, match=said):
        documents.kept(change(DOCUMENT), None, {})


@pytest.mark.parametrize("more", [{"x-more": "\ud800"}, {"x-\udfff": 1}], ids=["value", "name"])
def test_half_a_character_is_refused(more: dict[str, Any]) -> None:
    text = json.dumps(Tree("document", DOCUMENT).value | more)
    with pytest.raises(InvalidRequest, match="half a character"):
        documents.kept(text, None, {})


# The conductor


@dataclass
class Api:
    """An API in the place of ours. It remembers keys as ours does."""

    made: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    looks: int = 0
    busy: int = 3
    gate: asyncio.Event | None = None
    word: str = "wf"

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v2/consumer/workflows", self.submit, methods=["POST"]),
                Route("/v2/consumer/workflows/{id}", self.get),
            ]
        )

    async def submit(self, request: Request) -> Response:
        self.asked.append(request.headers["authorization"])
        number = self.made.setdefault(request.headers["idempotency-key"], len(self.made))
        if self.gate is not None:
            await self.gate.wait()
        return JSONResponse({"id": f"{self.word}_{number}"}, 202)

    async def get(self, request: Request) -> Response:
        self.looks += 1
        status = "busy" if self.looks <= self.busy else "done"
        shown = {"id": request.path_params["id"], "status": status, "half": "a\ud800\U0001f98a"}
        return Response(json.dumps(shown), media_type="application/json")


QUICK = Pace(poll_s=0.02, beat_s=0.02, lease_s=30)


def conductor(db: Database, api: Api) -> Conductor:
    return Conductor(db, api.app(), Passes(), "http://127.0.0.1:1", pace=QUICK)


async def ended(db: Database, account_id: int, name: str = "run_1") -> ArazzoRun:
    async with asyncio.timeout(20):
        while (run := await db.read(rows.get, name, account_id)).ended_at is None:
            await asyncio.sleep(0.01)
    return run


@contextlib.asynccontextmanager
async def at_work(one: Conductor | Aside) -> AsyncGenerator[asyncio.Task[None]]:
    task = asyncio.create_task(one.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_a_run_comes_to_its_end(db: Database, account_id: int) -> None:
    async def go() -> None:
        api = Api()
        async with at_work(Aside(conductor(db, api))):
            await db.write(rows.insert, new(account_id))
            run = await ended(db, account_id)
        assert run.status == "succeeded"
        assert run.result is not None
        assert run.result["outputs"] == {"status": "done"}
        assert "Bearer run_" in api.asked[0]
        assert api.asked[0].partition(" ")[2] not in str(run.result)

    asyncio.run(go())


def test_another_takes_up_what_one_left_and_submits_once(db: Database, account_id: int) -> None:
    """The first is stopped while its submit is under way; the server has carried that out already."""

    async def go() -> None:
        api = Api(gate=asyncio.Event())
        await db.write(rows.insert, new(account_id))
        async with at_work(conductor(db, api)), asyncio.timeout(10):
            while not api.made:
                await asyncio.sleep(0.01)
        assert api.gate is not None
        api.gate.set()
        async with at_work(conductor(db, api)):
            run = await ended(db, account_id)
        assert (run.status, len(api.made), len(api.asked)) == ("succeeded", 1, 2)

    asyncio.run(go())


def test_two_at_work_share_and_never_do_the_same(db: Database, account_id: int) -> None:
    async def go() -> None:
        api = Api(busy=0)
        names = [f"run_{n:02}" for n in range(12)]
        async with at_work(conductor(db, api)), at_work(conductor(db, api)):
            for name in names:
                await db.write(rows.insert, new(account_id, name))
            runs = [await ended(db, account_id, name) for name in names]
        assert {run.status for run in runs} == {"succeeded"}
        assert len(api.made) == len(api.asked) == 12

    asyncio.run(go())


def test_a_conductor_that_stood_still_does_not_begin_its_run_again(db: Database, account_id: int) -> None:
    """Its beats stop while its leases run out, as when the machine slept."""

    async def go() -> None:
        api, clock = Api(gate=asyncio.Event()), [AT]
        pace = Pace(poll_s=0.02, beat_s=3600, lease_s=30)
        one = Conductor(db, api.app(), Passes(), "http://127.0.0.1:1", pace=pace, now=lambda: clock[0])
        await db.write(rows.insert, new(account_id))
        async with at_work(one), asyncio.timeout(10):
            while not api.made:
                await asyncio.sleep(0.01)
            clock[0] = at(3600)
            await asyncio.sleep(0.2)
            assert len(api.asked) == 1
            assert api.gate is not None
            api.gate.set()
            assert (await ended(db, account_id)).status == "succeeded"
        assert len(api.asked) == 1

    asyncio.run(go())


def test_a_journal_has_its_bound(db: Database, account_id: int) -> None:
    """Also when several conductors wrote it."""

    async def go() -> None:
        api = Api(busy=10**9)
        await db.write(rows.insert, new(account_id))
        async with at_work(conductor(db, api)), asyncio.timeout(10):
            while not api.looks:
                await asyncio.sleep(0.01)
        bound = db.look(rows.weight, "run_1") + 100
        one = Conductor(db, api.app(), Passes(), "http://127.0.0.1:1", pace=replace(QUICK, most_journal=bound))
        async with at_work(one):
            run = await ended(db, account_id)
        assert (run.status, "more bytes" in str(run.result)) == ("exhausted", True), run.result
        assert db.look(rows.weight, "run_1") <= bound

    asyncio.run(go())


def test_a_result_has_its_bound(db: Database, account_id: int) -> None:
    line = "    outputs: {" + ", ".join(f"n{n}: $steps.submit.outputs.id" for n in range(500)) + "}\n"
    document = DOCUMENT.replace("    outputs: {status: $steps.poll.outputs.status}\n", line)

    async def go() -> None:
        api = Api()
        api.word = "x" * 100_000
        await db.write(rows.insert, new(account_id, document=document))
        async with at_work(conductor(db, api)):
            run = await ended(db, account_id)
        assert (run.status, "more than 4194304 bytes" in str(run.result)) == ("failed", True)

    asyncio.run(go())


def test_half_a_character_in_an_answer_ends_no_list(db: Database, account_id: int) -> None:
    async def go() -> None:
        api = Api()
        await db.write(rows.insert, new(account_id, document=DOCUMENT.replace('body#/status"', 'body#/half"')))
        async with at_work(conductor(db, api)):
            run = await ended(db, account_id)
        assert run.result is not None
        assert run.result["outputs"] == {"status": "a\ufffd\U0001f98a"}

    asyncio.run(go())


def test_a_page_leaves_out_what_may_be_much(db: Database, account_id: int) -> None:
    insert(db, account_id)
    claim(db, "one")
    result = {"outputs": {"a": "b"}, "reason": "because" * 1000}
    db.apply(rows.end, rows.End(run_id="run_1", owner="one", status="failed", result=result, at=at(3)))
    (run,) = db.look(rows.page, account_id, 10, None)
    assert (run.document, run.inputs, run.result) == ("", {}, {"reason": ("because" * 1000)[:1000]})
    assert db.look(rows.get, "run_1", account_id).result == result


def test_a_document_that_computes_holds_up_neither_others_nor_the_end(db: Database, account_id: int) -> None:
    """A search that takes a second, which is all that it gets."""
    search = "        successCriteria: [{context: $response.body#/id, type: regex, condition: ^(a+)+$}]\n"
    document = DOCUMENT.replace("        outputs: {id", search + "        outputs: {id")

    async def go() -> None:
        api, gaps = Api(), [0.0]
        api.word = "a" * 40
        await db.write(rows.insert, new(account_id, document=document))
        one = Conductor(db, api.app(), Passes(), "http://127.0.0.1:1", pace=replace(QUICK, patience_s=0.05))
        async with at_work(one), asyncio.timeout(10):
            while not api.asked:
                await asyncio.sleep(0.01)
            for _ in range(40):
                since = time.monotonic()
                await asyncio.sleep(0.01)
                gaps.append(time.monotonic() - since)
            stopped = time.monotonic()
        assert max(gaps) < 0.6
        assert time.monotonic() - stopped < 0.6
        assert (await db.read(rows.get, "run_1", account_id)).ended_at is None

    asyncio.run(go())


class Shaky(Database):
    """A database that takes every third write only; of the others, every second was carried out all the same."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__(dialect)
        self.writes: Counter[Any] = Counter()

    async def write(self, verb: Any, item: Any) -> Any:
        self.writes[verb] += 1
        which = 0 if verb is rows.claim else self.writes[verb] % 3
        outcome = await super().write(verb, item) if which != 1 else None
        if which:
            raise Unavailable("the database went away")
        return outcome


def test_a_run_outlasts_moments_without_a_database(
    db: Database, dialect: Dialect, account_id: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def go() -> None:
        shaky, api = Shaky(dialect), Api()
        try:
            await db.write(rows.insert, new(account_id))
            async with at_work(conductor(shaky, api)):
                run = await ended(db, account_id)
        finally:
            shaky.close()
        assert (run.status, len(api.asked)) == ("succeeded", 1), run.result
        assert shaky.writes[rows.append] > rows.MOST_CLAIMS
        assert "the lease of run_1 was not renewed" in caplog.text

    asyncio.run(go())


def test_a_run_is_canceled_while_it_polls(db: Database, account_id: int) -> None:
    async def go() -> None:
        api = Api(busy=10**9)
        await db.write(rows.insert, new(account_id))
        async with at_work(conductor(db, api)), asyncio.timeout(20):
            while not api.looks:
                await asyncio.sleep(0.01)
            await db.write(rows.cancel, rows.Cancel(run_id="run_1", account_id=account_id, at=AT))
            run = await ended(db, account_id)
        assert (run.status, run.result) == ("canceled", {"reason": "the caller canceled it"})

    asyncio.run(go())


def test_a_bug_ends_one_run_and_not_the_conductor(
    db: Database, account_id: int, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Passes):
        def make(self, account: Any) -> str:
            raise RuntimeError("broken")

    async def go() -> None:
        one = Conductor(db, Api().app(), Broken(), "http://127.0.0.1:1", pace=QUICK)
        async with at_work(one) as task:
            await db.write(rows.insert, new(account_id))
            run = await ended(db, account_id)
            assert not task.done()
        assert (run.status, "its log says more" in str(run.result)) == ("failed", True)
        assert "met a bug" in caplog.text

    asyncio.run(go())


def test_a_document_that_no_longer_fits_ends_its_run(db: Database, account_id: int) -> None:
    async def go() -> None:
        await db.write(rows.insert, new(account_id, document="arazzo: 9"))
        async with at_work(conductor(db, Api())):
            run = await ended(db, account_id)
        assert run.status == "failed"
        assert "document" in str(run.result)

    asyncio.run(go())


# Events


def test_what_is_under_way_is_asked_for_again() -> None:
    sent = {"step": "a", "method": "GET", "url": "http://x/y", "at": 0.0}
    records = [{"sent": 0, **sent}, {"done": 0, "status": 200}, {"sent": 1, **sent}]
    under_way = runs._events(records)  # pyright: ignore[reportPrivateUsage]
    over = runs._events([*records, {"done": 1, "error": "it broke"}])  # pyright: ignore[reportPrivateUsage]
    asked = [(under_way, 0), (under_way[1:], 1), (over, 0), ([], 7)]
    assert [runs._next(items, after) for items, after in asked] == [1, 1, 2, 7]  # pyright: ignore[reportPrivateUsage]
