"""Metrics of a real server; what is counted in the tables, by which plans; and the pages and rules that name them."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.drafts import draft, slots
from tests.serving import Serving

from heddle import metrics
from heddle.api import census
from heddle.api.census import Census
from heddle.api.probes import probes_app
from heddle.chores import first_run
from heddle.db import Database
from heddle.db.migrate import migrate
from heddle.db.sqlite import SQLite
from heddle.domain import made_at, now
from heddle.settings import Settings
from heddle.workflows import advance, submit

ROOT = Path(__file__).parents[2]
OBSERVABILITY = ROOT / "deploy" / "observability"

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: str) -> Samples:
    return {
        (s.name, frozenset(s.labels.items())): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


# ── a real server ─────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    home = tmp_path_factory.mktemp("metrics") / "home"
    engines = {"pixels": "pixels:Pixels", "killself": "pixels:KillSelf"}
    server = Serving(home, engines, slots=1, callbacks_private="on", webhook_tries=2, retry_backoff_s=0, max_attempts=2)
    yield server.start()
    assert server.stop() == 0


@pytest.fixture(scope="module")
def closed() -> Iterator[str]:
    """An address at which nobody will ever answer."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/"


def run(client: httpx.Client, callback: str, **given: Any) -> str:
    step = {"$type": "imageGen", "input": {"prompt": "x", "engine": "pixels", **given}}
    body = {"steps": [step], "callbackUrl": callback, "callbackEvents": ["workflow:*"]}
    answer = client.post("/v2/consumer/workflows", json=body)
    assert answer.status_code == 202, answer.text
    workflow = answer.json()["id"]
    end = time.monotonic() + 60
    while (status := client.get(f"/v2/consumer/workflows/{workflow}").json()["status"]) not in ("succeeded", "failed"):
        assert time.monotonic() < end, status
        time.sleep(0.02)
    return status


def test_what_happens_is_counted(serving: Serving, closed: str) -> None:
    with serving.client() as client:
        assert [run(client, closed), run(client, closed, quantity=2)] == ["succeeded"] * 2
        assert run(client, closed, prompt="fail") == "failed"
        assert run(client, closed, engine="killself") == "failed"
        for n in range(30):
            client.request(("PROPFIND", "PURGE", "MKCOL")[n % 3], f"/nothing/{n}")
        end = time.monotonic() + 60
        while True:
            found = samples(client.get("/metrics").raise_for_status().text)
            # The last to show, because the tables are counted every few seconds only.
            if found.get(("heddle_webhook_events", frozenset({("state", "dead")})), 0) >= 4:
                break
            assert time.monotonic() < end
            time.sleep(0.1)
    assert value(found, "heddle_job_attempts_total", engine="pixels", outcome="succeeded") == 3
    assert value(found, "heddle_job_attempts_total", engine="pixels", outcome="failed") == 1
    assert value(found, "heddle_job_attempts_total", engine="killself", outcome="lost") == 2
    assert value(found, "heddle_job_wait_seconds_count", engine="pixels") == 4
    assert value(found, "heddle_job_run_seconds_count", engine="killself") == 2
    assert value(found, "heddle_webhook_deliveries_total", outcome="retried") >= 2
    assert value(found, "heddle_webhook_deliveries_total", outcome="dead") >= 4
    assert value(found, "heddle_database_up") == 1
    route = {"method": "POST", "route": "/v2/consumer/workflows", "status": "2xx"}
    assert value(found, "heddle_http_request_seconds_count", **route) == 4
    assert value(found, "heddle_http_request_seconds_count", method="OTHER", route="none", status="4xx") == 30
    assert value(found, "heddle_http_requests_in_flight") == 1
    assert value(found, "heddle_database_commit_items_sum") >= value(found, "heddle_database_commit_seconds_count") > 0
    assert value(found, "heddle_ledger_buzz", pocket="held") == 0
    assert value(found, "heddle_ledger_buzz", pocket="spent") > 0


def test_labels_hold_no_ids_and_no_paths(serving: Serving, closed: str) -> None:
    with serving.client() as client:
        run(client, closed)
        client.get("/v2/consumer/blobs/blob_01ARZ3NDEKTSV4RRFFQ69G5FAV")
        text = client.get("/metrics").text
    assert not re.search(r"\b(wf|job|blob|disp|evt)_[0-9A-Z]", text)
    routes = {dict(labels)["route"] for (_, labels) in samples(text) if "route" in dict(labels)}
    assert "/v2/consumer/blobs/{blobId}" in routes
    with serving.client() as client:
        templates = set(client.get("/openapi.json").json()["paths"])
    assert {r for r in routes if r.startswith(("/v2", "/api"))} <= templates


def test_probes_answer_without_a_token(serving: Serving) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        assert httpx.get(serving.url + path, trust_env=False).status_code == 200


# ── who may read them ─────────────────────────────────────────────────────────


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return Settings(home=str(tmp_path / "home"), callbacks_private=True)


@pytest.fixture
def base(home: Settings) -> Iterator[Database]:
    """SQLite: its plans are what the tests of plans look at."""
    home.folder.mkdir(parents=True)
    dialect = SQLite(home.folder / "heddle.db")
    migrate(dialect)
    with closing(Database(dialect)) as made:
        first_run.first_account(made, home, now())
        yield made


def ask(base: Database, settings: Settings, path: str = "/metrics", peer: str = "127.0.0.1", **headers: str) -> Any:
    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(probes_app(base, settings), client=(peer, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(get())


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_this_machine_may_read_them(base: Database, home: Settings, peer: str) -> None:
    assert ask(base, home, peer=peer).status_code == 200


@pytest.mark.parametrize("peer", ["192.0.2.7", "10.0.0.1", "2001:db8::1", "::ffff:192.0.2.7"])
def test_others_may_not(base: Database, home: Settings, peer: str) -> None:
    told = ask(base, home, peer=peer)
    assert (told.status_code, "HEDDLE_METRICS=open" in told.json()["message"]) == (403, True)
    assert ask(base, home, peer=peer, path="/livez").status_code == 200
    assert ask(base, replace(home, metrics="open"), peer=peer).status_code == 200


@pytest.mark.parametrize("header", ["forwarded", "x-forwarded-for", "x-real-ip"])
def test_a_proxy_on_this_machine_asks_for_the_world(base: Database, home: Settings, header: str) -> None:
    assert ask(base, home, **{header: "for=127.0.0.1"}).status_code == 403


def test_every_database_is_asked(db: Database, settings: Settings) -> None:
    assert ask(db, settings, path="/readyz").status_code == 200
    found = samples(ask(db, settings).text)
    assert value(found, "heddle_database_up") == 1
    assert value(found, "heddle_ledger_buzz", pocket="available") == settings.starting_buzz


def test_off_is_off(base: Database, home: Settings) -> None:
    assert ask(base, replace(home, metrics="off")).status_code == 404


def test_a_database_that_takes_nothing_is_said_and_the_rest_still_counted(base: Database, home: Settings) -> None:
    assert ask(base, home, path="/readyz").status_code == 200
    base.trouble = "the disk is full"
    assert ask(base, home, path="/livez").status_code == 200
    assert value(samples(ask(base, home).text), "heddle_database_up") == 0
    # Who asks whether it is ready makes it try, and it is.
    assert ask(base, home, path="/readyz").status_code == 200
    assert base.trouble is None


def test_a_database_that_does_not_answer_leaves_the_rest(base: Database, home: Settings) -> None:
    (home.folder / "heddle.db").rename(home.folder / "moved")
    (home.folder / "heddle.db").mkdir()
    with closing(Database(SQLite(home.folder / "heddle.db"))) as broken:
        told = ask(broken, home)
    assert told.status_code == 200
    assert value(samples(told.text), "heddle_database_up") == 0
    assert "heddle_queue_jobs{" not in told.text
    assert "heddle_http_request_seconds" in told.text


# ── the census ────────────────────────────────────────────────────────────────


def counted(database: Database, at: Any = None) -> Samples:
    taken = Census(database)
    taken._count = database.look(census.count, at or now())
    taken._means = {e: ms / n / 1000 for e, (n, ms) in taken._count.durations.items()}
    return samples(metrics.render([taken]).decode())


def test_the_queue_in_numbers(db: Database) -> None:
    at = now()
    workflow = db.apply(submit.submit, draft(at, [6]))
    assert ("heddle_queue_backlog_seconds", frozenset({("engine", "noop")})) not in counted(db, at)
    claim = advance.Claim(owner="me", slots=slots(3), lease_s=30, at=at)
    first, second, third = db.apply(advance.claim, claim)
    for attempt, seconds in ((first, 2), (second, 4)):
        ended = advance.Ended(
            job_id=attempt.job_id, attempt=1, at=at + timedelta(seconds=seconds), started_at=at, artifacts=()
        )
        assert db.apply(advance.finish, ended)
    failure = advance.Failure(reason="x", message="x", retryable=True)
    later = advance.Ended(job_id=third.job_id, attempt=1, at=at, started_at=at, failure=failure, backoff_s=50)
    assert db.apply(advance.finish, later)
    db.apply(advance.claim, replace(claim, slots=slots(1)))
    found = counted(db, at + timedelta(seconds=30))
    states = {s: value(found, "heddle_queue_jobs", engine="noop", state=s) for s in ("ready", "later", "claimed")}
    assert states == {"ready": 2, "later": 1, "claimed": 1}
    # Three wait, and the two that succeeded took three seconds on average.
    assert value(found, "heddle_queue_backlog_seconds", engine="noop") == 9.0
    oldest = min(made_at(job.id) for job in workflow.steps[0].jobs)
    age = (at + timedelta(seconds=30) - oldest).total_seconds()
    assert value(found, "heddle_queue_oldest_seconds", engine="noop") == pytest.approx(age, abs=0.1)
    assert value(found, "heddle_workflows", status="processing") == 1


def test_the_mean_is_known_though_the_backlog_is_longer_than_the_sample(
    base: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(census, "_SAMPLE", 5)
    at = now()
    base.apply(submit.submit, draft(at, [1]))
    (attempt,) = base.apply(advance.claim, advance.Claim(owner="me", slots=slots(1), lease_s=30, at=at))
    ended = advance.Ended(job_id=attempt.job_id, attempt=1, at=at + timedelta(seconds=7), started_at=at)
    base.apply(advance.finish, ended)
    base.apply(submit.submit, draft(at, [20]))
    assert value(counted(base), "heddle_queue_backlog_seconds", engine="noop") == 140.0


def test_how_late_webhooks_are(db: Database) -> None:
    at = now()
    assert value(counted(db, at), "heddle_webhook_lag_seconds") == 0
    db.apply(submit.submit, draft(at, [1]))
    found = counted(db, at + timedelta(seconds=42))
    assert value(found, "heddle_webhook_lag_seconds") == pytest.approx(42, abs=0.01)
    assert value(found, "heddle_webhook_events", state="due") == 1


def test_a_look_is_shared_by_those_who_ask_at_once(base: Database) -> None:
    looks = 0

    class Counting(Database):
        def look(self, *args: Any) -> Any:
            nonlocal looks
            looks += 1
            return base.look(*args)

    async def both() -> None:
        taken = Census(Counting(SQLite(Path("unused"))))
        await asyncio.gather(*(taken.take() for _ in range(10)))

    asyncio.run(both())
    assert looks == 1


class Recorder:
    """A transaction that keeps what was asked."""

    def __init__(self, tx: Any) -> None:
        self._tx = tx
        self.asked: list[tuple[str, Sequence[Any]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    def one(self, sql: str, params: Sequence[Any] = ()) -> Any:
        self.asked.append((sql, params))
        return self._tx.one(sql, params)

    def all(self, sql: str, params: Sequence[Any] = ()) -> Any:
        self.asked.append((sql, params))
        return self._tx.all(sql, params)


def test_no_look_reads_the_history(base: Database) -> None:
    base.apply(submit.submit, draft(now(), [2]))

    def plans(tx: Any) -> list[str]:
        recorder = Recorder(tx)
        census.count(recorder, now())
        assert len(recorder.asked) >= 6
        return [row["detail"] for sql, p in recorder.asked for row in tx.all(f"EXPLAIN QUERY PLAN {sql}", p)]

    steps = [
        step for step in base.look(plans) if re.search(r"\b(workflows|steps|jobs|events|blobs|ledger_entries)\b", step)
    ]
    # Of the events only those that were not delivered; of the jobs as many as the sample takes, by their ids.
    bounded = (
        "INDEX events_waiting",
        "INDEX events_dead",
        "INDEX workflows_open",
        "INDEX sqlite_autoindex_jobs_1",
    )
    assert len(steps) >= 5
    assert [step for step in steps if not any(name in step for name in bounded)] == []


# ── pages, rules and dashboards ───────────────────────────────────────────────

_ROW = re.compile(r"^\| `(heddle_\w+)` \| (\w+) \| ([^|]*)\| ([^|]+) \|$", re.MULTILINE)


@pytest.fixture
def known(base: Database) -> dict[str, tuple[str, frozenset[str], str]]:
    """Every metric: name -> (type, labels, help)."""
    taken = Census(base)
    base.apply(submit.submit, draft(now(), [1]))
    taken._count = base.look(census.count, now())
    taken._means = {"noop": 1.0}
    found = {
        f.name: (f.type, frozenset(label for s in f.samples for label in s.labels), f.documentation)
        for f in taken.collect()
    }
    for collector in metrics.REGISTRY._collector_to_names:
        if not hasattr(collector, "_labelnames"):
            continue
        (family,) = collector.collect()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = (family.type, frozenset(collector._labelnames), family.documentation)
    return found


def test_the_page_has_every_metric_as_it_is(known: dict[str, tuple[str, frozenset[str], str]]) -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    said = {
        name: (kind, frozenset(re.findall(r"`(\w+)`", labels)), words)
        for name, kind, labels, words in _ROW.findall(text)
    }
    assert said == known


def expressions() -> list[str]:
    rules = yaml.safe_load((OBSERVABILITY / "alerts.yml").read_text())
    alerts = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    board = json.loads((OBSERVABILITY / "dashboard.json").read_text())
    return alerts + [target["expr"] for panel in board["panels"] for target in panel["targets"]]


_SERIES = re.compile(r"\b(heddle_\w+)(?:\{([^}]*)\})?")
_GROUPED = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")

#: Not of ours: a histogram's bound, and what Prometheus adds.
_ADDED = {"le", "instance", "job"}


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_asks_for_what_there_is(
    expression: str, known: dict[str, tuple[str, frozenset[str], str]]
) -> None:
    assert expression.count("(") == expression.count(")")
    labels = set(_ADDED)
    for series, selector in _SERIES.findall(expression):
        name = re.sub(r"_(bucket|sum|count)$", "", series) if series not in known else series
        assert name in known, series
        kind, own, _ = known[name]
        assert (kind == "histogram") == (name != series), f"{series} is a {kind}"
        assert set(re.findall(r"(\w+)\s*[=!~]+", selector or "")) <= own | _ADDED
        labels |= own
    for group in _GROUPED.findall(expression):
        assert {label.strip() for label in group.split(",")} <= labels, expression


def test_values_that_rules_select_exist() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    values = {
        v for e in expressions() for _, selector in _SERIES.findall(e) for v in re.findall(r'"([^"]+)"', selector)
    }
    assert {v for v in values if f"`{v}`" not in text and not v.startswith("/v2/")} - {"POST"} == set()


def test_panels_have_places_of_their_own() -> None:
    panels = json.loads((OBSERVABILITY / "dashboard.json").read_text())["panels"]
    assert (
        len({(p["gridPos"]["x"], p["gridPos"]["y"]) for p in panels}) == len({p["id"] for p in panels}) == len(panels)
    )
