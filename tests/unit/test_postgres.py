"""What only PostgreSQL does: several writers at once, wake-ups between processes, restarts, SQL in its own words."""

from __future__ import annotations

import asyncio
import random
import resource
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.drafts import draft, slots
from tests.postgres import Postgres

from heddle import accounts, blobs, ledger, metrics, outbox, queue
from heddle.accounts import Limits
from heddle.blobs import Promise, Stored
from heddle.chores import first_run, prune
from heddle.contract.orchestration import WorkflowUpdate
from heddle.db import Database, Tx, marks, rows
from heddle.db.migrate import migrate
from heddle.db.postgres import PostgreSQL
from heddle.domain import Priority, Status, Workflow, new_id, now
from heddle.errors import HeddleError, Unavailable, UsageError
from heddle.settings import Settings
from heddle.workflows import advance, amend, audit, submit
from heddle.workflows import rows as workflow_rows
from heddle.workflows.planning import Draft


@pytest.fixture
def new_dialect(postgres: Postgres) -> Iterator[Callable[[], PostgreSQL]]:
    """Instead of the one that gives each kind in turn."""
    made: list[str] = []

    def make() -> PostgreSQL:
        made.append(postgres.create("base"))
        return PostgreSQL(made[-1], writers=3)

    yield make
    for dsn in made:
        postgres.drop(dsn)


def ask(db: Database, sql: str, params: Sequence[Any] = ()) -> list[Any]:
    return db.look(lambda tx: [dict(row) for row in tx.all(sql, params)])  # type: ignore[call-overload]


def write(db: Database, change: Callable[[Tx], Any]) -> Any:
    return db.apply(lambda tx, items: [change(tx) for _ in items], None)


# ── our SQL in its words ──────────────────────────────────────────────────────


def test_lists_become_arrays(db: Database) -> None:
    write(
        db,
        lambda tx: tx.many(
            "INSERT INTO signing_keys (name, value) VALUES (?, ?)", [("a", "1"), ("b%s", "?"), ("c", "$1")]
        ),
    )
    names = ["a", "b%s", "nobody"]
    found = ask(db, f"SELECT name FROM signing_keys WHERE name IN ({marks(names)}) ORDER BY name", names)
    assert [row["name"] for row in found] == ["a", "b%s"]
    found = ask(db, f"SELECT name FROM signing_keys WHERE name NOT IN ({marks(names)}) AND value <> ?", [*names, "x"])
    assert [row["name"] for row in found] == ["c"]
    values, params = rows([("a", "1"), ("c", "1")])
    found = ask(
        db, f"SELECT name FROM signing_keys WHERE (name, value) IN (VALUES {values}) AND name > ?", [*params, "0"]
    )
    assert [row["name"] for row in found] == ["a"]


def test_many_rows_are_one_statement(db: Database) -> None:
    write(
        db,
        lambda tx: tx.many("INSERT INTO signing_keys (name, value) VALUES (?, 'x')", [(f"n{i}",) for i in range(50)]),
    )
    write(
        db,
        lambda tx: tx.many(
            "UPDATE signing_keys SET value = COALESCE(?, value) WHERE name = ?", [(None, "n1"), ("new", "n2")]
        ),
    )
    write(
        db, lambda tx: tx.many("DELETE FROM signing_keys WHERE name = ? AND value = ?", [("n3", "x"), ("n4", "other")])
    )
    again = "INSERT INTO signing_keys (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"
    write(db, lambda tx: tx.many(again, [("n1", "lost"), ("n99", "kept")]))
    found = {row["name"]: row["value"] for row in ask(db, "SELECT name, value FROM signing_keys")}
    assert (found["n1"], found["n2"], found["n4"], found["n99"]) == ("x", "new", "x", "kept")
    assert "n3" not in found
    assert len(found) == 50
    assert write(db, lambda tx: tx.many(again, [])) is None


def test_values_keep_their_kind(db: Database) -> None:
    """A NUL cannot be kept, truth is a number, and a sum of whole numbers is one."""
    write(db, lambda tx: tx.run("INSERT INTO signing_keys (name, value) VALUES (?, ?)", ("nul", "a\0b")))
    assert ask(db, "SELECT value FROM signing_keys WHERE name = ?", ["nul"]) == [{"value": "a\ufffdb"}]
    [row] = ask(db, "SELECT SUM(amount) AS total, COUNT(*) AS n FROM ledger_entries")
    assert type(row["total"]) is int
    write(db, lambda tx: tx.many("UPDATE model_versions SET published_at = ? WHERE id = ?", [(2**60, 1), (None, 2)]))
    found = ask(db, "SELECT published_at FROM model_versions WHERE id IN (1, 2) ORDER BY id")
    assert [row["published_at"] for row in found] == [2**60, None]
    assert ask(db, "SELECT CAST(? AS INTEGER) AS yes", [True]) == [{"yes": 1}]


def test_lists_keep_their_values(db: Database) -> None:
    """Whatever a text holds, it comes back from an array as it was; nothing is no text."""
    odd = ["", " ", "NULL", "null", ",", "{}", "{", '"', "\\", '\\"', "\n", "\t", "ü", "🦊", "a\0b", "'; --", "$1"]
    insert = "INSERT INTO signing_keys (name, value) VALUES (?, ?)"
    write(db, lambda tx: tx.many(insert, [(f"k{i:02d}", text) for i, text in enumerate(odd)]))
    found = ask(db, "SELECT value FROM signing_keys WHERE name LIKE 'k%' ORDER BY name")
    kept = [text.replace("\0", "\ufffd") for text in odd]
    assert [row["value"] for row in found] == kept
    asked = [text for text in odd if text]
    sql = f"SELECT value FROM signing_keys WHERE value IN ({marks(asked)})"
    assert {row["value"] for row in ask(db, sql, asked)} == set(kept) - {""}


def test_ids_are_ordered_byte_by_byte(db: Database) -> None:
    names = ["wf_0a", "wf_0B", "wf_Z", "wf_a"]
    write(db, lambda tx: tx.many("INSERT INTO signing_keys (name, value) VALUES (?, '')", [(n,) for n in names]))
    assert [r["name"] for r in ask(db, "SELECT name FROM signing_keys ORDER BY name")] == sorted(names)


# ── several at once ───────────────────────────────────────────────────────────


class Crowd:
    """As many processes on one database, each with writer threads of its own."""

    def __init__(self, databases: Sequence[Database]) -> None:
        self.databases = databases

    def together(self, *works: Callable[[Database], Any]) -> list[Any]:
        """Do works at the same moment, each on a database of its own; what they raise is raised."""
        barrier = threading.Barrier(len(works))
        outcomes: list[Any] = [None] * len(works)

        def do(n: int) -> None:
            barrier.wait(10)
            try:
                outcomes[n] = works[n](self.databases[n % len(self.databases)])
            except BaseException as error:  # noqa: BLE001 - told below
                outcomes[n] = error

        threads = [threading.Thread(target=do, args=(n,)) for n in range(len(works))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return outcomes


@pytest.fixture
def crowd(db: Database, new_database: Callable[[], Database]) -> Crowd:
    return Crowd([db, *(new_database() for _ in range(3))])


def submitted(db: Database, *jobs: int, cost: int = 1, sources: Sequence[str] = (), key: str | None = None) -> Workflow:
    made = db.apply(submit.submit, draft(now(), list(jobs), cost, list(sources), key))
    assert isinstance(made, Workflow)
    return made


def claimed(db: Database, owner: str, limit: int) -> list[advance.Attempt]:
    return db.apply(advance.claim, advance.Claim(owner=owner, slots=slots(limit), lease_s=30, at=now()))


def ended(attempt: advance.Attempt, failure: advance.Failure | None = None) -> advance.Ended:
    return advance.Ended(job_id=attempt.job_id, attempt=attempt.attempt, at=now(), started_at=now(), failure=failure)


def test_the_last_job_of_a_workflow_ends_it_whoever_runs_it(crowd: Crowd) -> None:
    for _ in range(20):
        made = submitted(crowd.databases[0], 4)
        attempts = claimed(crowd.databases[0], "me", 4)
        done = crowd.together(*(lambda db, a=a: db.apply(advance.finish, ended(a)) for a in attempts))
        assert done == [True] * 4
        [after] = crowd.databases[0].look(workflow_rows.get, [made.id])
        assert after.status is Status.SUCCEEDED
    assert crowd.databases[0].look(audit.check) == []
    assert crowd.databases[0].look(queue.depth) == 0


def test_claimers_pass_each_other(crowd: Crowd) -> None:
    for _ in range(10):
        submitted(crowd.databases[0], 4)
    taken = crowd.together(*(lambda db, n=n: claimed(db, f"d{n}", 10) for n in range(4)))
    ids = [attempt.job_id for attempts in taken for attempt in attempts]
    assert len(ids) == len(set(ids)) == 40


def test_an_account_cannot_spend_twice(crowd: Crowd) -> None:
    db = crowd.databases[0]
    has = db.look(ledger.balance, 1).available

    def spend(db: Database) -> object:
        return db.apply(submit.submit, draft(now(), [1], has // 3, [], None))

    outcomes = crowd.together(*[spend] * 12)
    assert sum(isinstance(o, Workflow) for o in outcomes) == 3
    assert all(isinstance(o, Workflow | HeddleError) for o in outcomes)
    assert db.look(audit.check) == []


def test_one_key_is_one_workflow(crowd: Crowd) -> None:
    for n in range(10):
        made = crowd.together(*[lambda db, n=n: submitted(db, 1, key=f"k{n}")] * 8)
        assert len({w.id for w in made}) == 1
    assert crowd.databases[0].look(audit.check) == []


def test_bytes_and_the_step_that_wants_them_find_each_other(crowd: Crowd) -> None:
    """Whichever of upload and submit comes first: no step waits for what is there."""
    db = crowd.databases[0]
    for _ in range(25):
        blob_id = new_id("blob")
        until = now() + timedelta(minutes=5)
        wanted = Promise(blob_id=blob_id, account_id=1, mime="image/png", size=None, upload_until=until)
        db.apply(lambda tx, items: blobs.promise(tx, items, now()), wanted)
        arrived = Stored(blob_id=blob_id, key=blobs.upload_key(blob_id), mime="image/png", size=3, sha256="ab")
        outcomes = crowd.together(
            lambda db, b=blob_id: submitted(db, 1, sources=[b]),
            lambda db, a=arrived: db.apply(advance.arrive, a),
            lambda db, b=blob_id: submitted(db, 1, sources=[b]),
        )
        assert not [o for o in outcomes if isinstance(o, BaseException)]
        found = db.look(workflow_rows.get, [outcomes[0].id, outcomes[2].id])
        assert {w.status for w in found} == {Status.UNASSIGNED}
    assert len(claimed(db, "me", 100)) == 50


def test_an_old_upload_stays_for_whom_it_was_just_asked_by(crowd: Crowd) -> None:
    first, second, *_ = crowd.databases
    item = Stored(blob_id=new_id("blob"), account_id=1, key="k", mime="image/png", size=1, sha256="x")
    first.apply(advance.arrive, item)
    asked, pruned = threading.Event(), threading.Event()

    def slow_submit(tx: Tx, drafts: Sequence[Draft]) -> list[Workflow | HeddleError]:
        made = submit.submit(tx, drafts)
        asked.set()
        assert pruned.wait(20)
        return made

    asking = threading.Thread(target=lambda: first.apply(slow_submit, draft(now(), [1], 1, [item.blob_id])))
    asking.start()
    assert asked.wait(20)
    prune.prune(second, now() + timedelta(days=3), timedelta(days=1))
    pruned.set()
    asking.join()
    assert item.blob_id in first.look(blobs.get, [item.blob_id])


def test_the_last_of_several_uploads_releases_the_step(crowd: Crowd) -> None:
    db = crowd.databases[0]
    for _ in range(15):
        ids = [new_id("blob") for _ in range(3)]
        for blob_id in ids:
            until = now() + timedelta(minutes=5)
            wanted = Promise(blob_id=blob_id, account_id=1, mime="image/png", size=None, upload_until=until)
            db.apply(lambda tx, items: blobs.promise(tx, items, now()), wanted)
        made = submitted(db, 1, sources=ids)
        come = [Stored(blob_id=b, key=blobs.upload_key(b), mime="image/png", size=3, sha256="ab") for b in ids]
        crowd.together(*(lambda db, s=s: db.apply(advance.arrive, s) for s in come))
        assert db.look(workflow_rows.get, [made.id])[0].status is Status.UNASSIGNED


def test_cancel_and_finish_have_one_winner(crowd: Crowd) -> None:
    db = crowd.databases[0]
    for _ in range(25):
        made = submitted(db, 2, cost=7)
        attempts = claimed(db, "me", 2)
        away = amend.Deletion(account_id=1, workflow_id=made.id, at=now())
        crowd.together(
            lambda db, a=attempts[0]: db.apply(advance.finish, ended(a)),
            lambda db, d=away: db.apply(amend.delete, d),
            lambda db, a=attempts[1]: db.apply(advance.finish, ended(a)),
            lambda db: db.apply(advance.lost, advance.Sweep(at=now() + timedelta(minutes=5))),
        )
        assert db.look(workflow_rows.get, [made.id])[0].status.terminal
        assert db.look(audit.check) == []
    assert db.look(queue.depth) == 0


def test_a_line_goes_on_whoever_appends_while_its_event_ends(crowd: Crowd) -> None:
    """An event that is appended while the one on offer is delivered is neither forgotten nor sent before its turn."""
    db, endpoint = crowd.databases[0], "https://example.org/hook"
    for n in range(25):
        event = outbox.Event(workflow_id=f"wf_{n}", account_id=1, endpoint=endpoint, body={})
        write(db, lambda tx, e=event: outbox.append(tx, [e], now()))
        [offer] = db.look(outbox.due, now(), 10)
        claim = outbox.Claim(ids=[offer.id], at=now(), until=now() + timedelta(seconds=30))
        [first] = db.apply(outbox.claim, claim)
        told = outbox.Outcome(claimed=first, state="delivered", at=now())
        crowd.together(
            lambda db, t=told: db.apply(outbox.settle, t),
            lambda db, e=event: write(db, lambda tx: outbox.append(tx, [e], now())),
        )
        [then] = db.look(outbox.due, now(), 10)
        assert then.id != first.id
        claim = outbox.Claim(ids=[then.id], at=now(), until=now() + timedelta(seconds=30))
        [second] = db.apply(outbox.claim, claim)
        assert second.seq == 1
        db.apply(outbox.settle, outbox.Outcome(claimed=second, state="delivered", at=now()))


def test_any_mix_at_once_keeps_the_books(crowd: Crowd) -> None:
    """Four processes submit, claim, start, finish, cancel and sweep as they like; then what is left is run."""
    chance = random.Random(7)

    def life(db: Database, seed: int) -> None:
        mine, chance = f"d{seed}", random.Random(seed)
        for _ in range(30):
            match chance.randrange(5):
                case 0 | 1:
                    submitted(db, chance.randint(1, 4), cost=chance.randint(0, 3))
                case 2:
                    for attempt in claimed(db, mine, 4):
                        db.apply(
                            advance.start, advance.Started(job_id=attempt.job_id, attempt=attempt.attempt, at=now())
                        )
                        bad = advance.Failure(reason="bad", message="bad", retryable=chance.random() < 0.5)
                        db.apply(advance.finish, ended(attempt, bad if chance.random() < 0.3 else None))
                case 3:
                    ids = [r["id"] for r in ask(db, "SELECT id FROM workflows WHERE deleted_at IS NULL LIMIT 20")]
                    if ids:
                        gone = amend.Deletion(account_id=1, workflow_id=chance.choice(ids), at=now())
                        try:
                            db.apply(amend.delete, gone)
                        except HeddleError as error:
                            assert "no workflow" in error.message  # noqa: PT017 - another was faster
                case _:
                    db.apply(advance.lost, advance.Sweep(at=now() + timedelta(seconds=chance.choice([0, 60]))))

    seeds = [chance.randrange(1000) for _ in range(4)]
    outcomes = crowd.together(*(lambda db, s=s: life(db, s) for s in seeds))
    assert [o for o in outcomes if o is not None] == []
    db = crowd.databases[0]
    db.apply(advance.lost, advance.Sweep(at=now() + timedelta(minutes=5)))
    later = now() + timedelta(hours=1)
    while attempts := db.apply(advance.claim, advance.Claim(owner="end", slots=slots(50), lease_s=30, at=later)):
        for attempt in attempts:
            db.apply(advance.finish, ended(attempt))
    assert db.look(queue.depth) == 0
    assert db.look(audit.check) == []
    assert ask(db, "SELECT id FROM workflows WHERE status NOT IN ('succeeded', 'failed', 'canceled')") == []


def test_whoever_takes_several_rows_waits_for_nobody_who_waits_for_him(crowd: Crowd) -> None:
    """Batches of everything, on accounts at their caps: no transaction meets another one, which would be tried again.

    A deadlock counts as soon as it is noticed, here after 200 ms.
    """
    db = crowd.databases[0]
    owners = [1, *(write(db, lambda tx, n=n: first_run.new_account(tx, n, now(), buzz=10**6).id) for n in "abcdef")]
    for account in owners:
        write(db, lambda tx, i=account: accounts.set_limits(tx, i, Limits(max_running=2 + i % 3)))
    before = _retries()
    outcomes = crowd.together(*(lambda db, s=s: _batches(db, s, owners) for s in range(4)))
    assert outcomes == [None] * 4
    assert _retries() == before
    assert db.look(audit.check) == []


def _batches(db: Database, seed: int, owners: Sequence[int]) -> None:
    chance = random.Random(seed)
    held: list[advance.Attempt] = []
    for _ in range(25):
        drafts = [_of(chance.choice(owners), chance.choice(list(Priority))) for _ in range(6)]
        assert all(isinstance(w, Workflow) for w in _all(db, submit.submit, drafts))
        claims = [advance.Claim(owner=f"d{seed}", slots=slots(3), lease_s=30, at=now()) for _ in range(2)]
        held += [attempt for attempts in _all(db, advance.claim, claims) for attempt in attempts]
        chance.shuffle(held)
        _all(db, advance.finish, [ended(attempt) for attempt in held[:5]])
        del held[:5]
        found = ask(db, "SELECT id, account_id FROM workflows WHERE status = 'unassigned' ORDER BY id LIMIT 8")
        chance.shuffle(found)
        update = WorkflowUpdate(status="canceled")
        _all(
            db,
            amend.amend,
            [
                amend.Amendment(account_id=row["account_id"], workflow_id=row["id"], at=now(), update=update)
                for row in found[:4]
            ],
        )


def _all(db: Database, verb: Callable[[Tx, Sequence[Any]], Sequence[Any]], items: Sequence[Any]) -> Sequence[Any]:
    """In one transaction."""
    return write(db, lambda tx: verb(tx, items)) if items else []


def _of(account_id: int, priority: Priority) -> Draft:
    one = draft(now(), [2], 1)
    steps = [replace(step, priority=priority) for step in one.new.workflow.steps]
    return replace(one, new=replace(one.new, workflow=replace(one.new.workflow, account_id=account_id, steps=steps)))


def _retries() -> float:
    found = metrics.REGISTRY.get_sample_value("heddle_database_commit_retries_total")
    assert found is not None
    return found


# ── processes and faults ──────────────────────────────────────────────────────


def test_a_commit_wakes_other_processes(db: Database, new_database: Callable[[], Database]) -> None:
    other = new_database()

    async def main() -> None:
        woken = asyncio.Event()
        other.listen("queue", woken.set)
        for _ in range(100):  # until the other one listens
            await db.write(submit.submit, draft(now(), [1]))
            try:
                async with asyncio.timeout(0.2):
                    await woken.wait()
                return
            except TimeoutError:
                continue
        raise AssertionError("never woken")

    asyncio.run(main())


def test_what_was_told_before_the_end_is_told(postgres: Postgres) -> None:
    dsn = postgres.create("base")
    with psycopg.connect(dsn, autocommit=True) as listening:
        listening.execute("LISTEN heddle")
        short = Database(PostgreSQL(dsn))
        write(short, lambda tx: tx.wake("outbox"))
        short.close()
        assert [note.payload for note in listening.notifies(timeout=5, stop_after=1)] == ["outbox"]


@pytest.fixture
def own_server() -> Iterator[Postgres]:
    """A server that a test may kill."""
    server = Postgres(durable=True)
    server.start()
    yield server
    server.close()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_a_restart_is_bridged(own_server: Postgres, how: signal.Signals, settings: Settings) -> None:
    dialect = PostgreSQL(own_server.create())
    migrate(dialect)
    db = Database(dialect)
    first_run.first_account(db, settings, now())

    async def main() -> None:
        db.listen("queue", lambda: None)
        await db.write(submit.submit, draft(now(), [1]))
        own_server.stop(how)
        with pytest.raises(Unavailable):
            await db.write(submit.submit, draft(now(), [1]))
        with pytest.raises(Unavailable):
            await db.read(queue.depth)
        assert db.trouble is not None
        await asyncio.to_thread(own_server.start)
        await db.write(submit.submit, draft(now(), [1]))
        assert await db.read(queue.depth) == 2
        assert db.trouble is None
        # A restart between two writes is not even noticed.
        await asyncio.to_thread(own_server.stop, how)
        await asyncio.to_thread(own_server.start)
        await db.write(submit.submit, draft(now(), [1]))
        assert await db.read(queue.depth) == 3

    asyncio.run(main())
    db.close()


def test_readiness_comes_back_where_nobody_else_writes(own_server: Postgres) -> None:
    dialect = PostgreSQL(own_server.create())
    migrate(dialect)
    db = Database(dialect)

    def set_read_only(state: str) -> None:
        own_server.sql(f"ALTER SYSTEM SET default_transaction_read_only = {state}")
        own_server.sql("SELECT pg_reload_conf()")

    async def main() -> None:
        own_server.stop()
        with pytest.raises(Unavailable):
            await db.write(submit.submit, draft(now(), [1]))
        with pytest.raises(Unavailable):
            await db.ready()
        await asyncio.to_thread(own_server.start)
        await db.ready()
        assert db.trouble is None
        # A server that answers and takes nothing is not ready.
        set_read_only("on")
        while db.trouble is None:
            with suppress(Unavailable):
                await db.write(_touch, None)
        with pytest.raises(Unavailable, match="read-only"):
            await db.ready()
        set_read_only("off")
        for _ in range(1000):
            with suppress(Unavailable):
                await db.ready()
                break
        assert db.trouble is None

    asyncio.run(main())
    db.close()


def _touch(tx: Tx, items: Sequence[None]) -> list[None]:
    tx.run("DELETE FROM signing_keys")
    return [None] * len(items)


def test_a_plan_of_before_a_migration_is_made_anew(db: Database) -> None:
    for _ in range(20):  # until the statement is prepared
        write(db, lambda tx: tx.all("SELECT * FROM signing_keys"))
    with psycopg.connect(_dsn(db), autocommit=True) as migrating:
        migrating.execute("ALTER TABLE signing_keys ADD COLUMN more TEXT")
    assert write(db, lambda tx: tx.all("SELECT * FROM signing_keys")) == []


def _dsn(db: Database) -> str:
    [row] = ask(db, "SELECT current_database() AS name, inet_server_port() AS port")
    return f"postgresql://heddle@127.0.0.1:{row['port']}/{row['name']}"


def test_who_always_meets_others_is_told_so_alone(db: Database) -> None:
    def verb(tx: Tx, items: Sequence[str]) -> list[str]:
        tx.many("INSERT INTO signing_keys (name, value) VALUES (?, '')", [(item,) for item in items])
        if "unlucky" in items:
            tx.run("DO $$ BEGIN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END $$")
        return list(items)

    async def main() -> list[object]:
        return await asyncio.gather(*(db.write(verb, n) for n in ("a", "unlucky", "b")), return_exceptions=True)

    a, unlucky, b = asyncio.run(main())
    assert (a, b) == ("a", "b")
    assert isinstance(unlucky, Unavailable)
    assert db.trouble is None


def test_wake_ups_reach_a_process_with_many_files(db: Database, new_database: Callable[[], Database]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2048:
        pytest.skip("this user may not open so many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(1100):
            stack.enter_context(Path("/dev/null").open())
        test_a_commit_wakes_other_processes(db, new_database)


def test_many_processes_may_start_at_once(own_server: Postgres, settings: Settings) -> None:
    dsn = own_server.create()
    ran: list[Any] = []
    tokens: list[Any] = []

    def begin() -> None:
        ran.append(migrate(PostgreSQL(dsn)))
        db = Database(PostgreSQL(dsn))
        tokens.append(first_run.first_account(db, settings, now()))
        db.close()

    threads = [threading.Thread(target=begin) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(bool, ran)) == [False] * 5 + [True]
    assert len([t for t in tokens if t]) == 1


def test_what_cannot_be_reached_is_said(own_server: Postgres) -> None:
    with pytest.raises(UsageError, match="cannot be reached"):
        PostgreSQL(own_server.dsn("nowhere")).check()
    with pytest.raises(UsageError, match="no connection string"):
        PostgreSQL("postgresql://host/db?nonsense=1").check()
    own_server.stop()
    with pytest.raises(UsageError, match="refused"):
        PostgreSQL(own_server.dsn("postgres")).check()
