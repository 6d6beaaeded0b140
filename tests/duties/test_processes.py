"""`heddle api`, `dispatch`, `webhooks`, `chores` on one PostgreSQL: together they are one server, and one may go."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.cluster import Cluster, running
from tests.postgres import Postgres

from heddle import accounts, queue
from heddle.api.auth import KNOWN_S
from heddle.db import Database, Tx
from heddle.db.postgres import PostgreSQL
from heddle.domain import now
from heddle.workflows import audit

pytestmark = pytest.mark.slow

ALL = {"api": 2, "dispatch": 2, "webhooks": 1, "chores": 1}


@pytest.fixture
def dsn(postgres: Postgres) -> Iterator[str]:
    made = postgres.create()
    yield made
    postgres.drop(made)


def submit(client: httpx.Client, steps: int = 1, quantity: int = 1, **more: Any) -> dict[str, Any]:
    step = {"engine": "pixels", "prompt": "x", "steps": steps, "quantity": quantity}
    answer = client.post("/v2/consumer/workflows", json={"steps": [{"$type": "imageGen", "input": step}], **more})
    answer.raise_for_status()
    return answer.json()


def finished(client: httpx.Client, workflow_id: str, seconds: float = 60) -> dict[str, Any]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        shown = client.get(f"/v2/consumer/workflows/{workflow_id}").json()
        if shown["status"] in {"succeeded", "failed", "expired", "canceled"}:
            return shown
        time.sleep(0.05)
    raise AssertionError(f"{workflow_id} did not end: {shown}")


def check_books(dsn: str) -> None:
    with closing(Database(PostgreSQL(dsn))) as db:
        assert db.look(audit.check) == []
        assert db.look(queue.depth) == 0


def leases(dsn: str) -> int:
    with closing(Database(PostgreSQL(dsn))) as db:
        [row] = db.look(lambda tx: tx.all("SELECT COUNT(*) AS n FROM queued_jobs WHERE owner IS NOT NULL"))
        return row["n"]


def test_a_revoked_token_opens_for_a_second_at_most(tmp_path: Path, dsn: str) -> None:
    with running(tmp_path, dsn, {"api": 2}) as cluster, closing(Database(PostgreSQL(dsn))) as db:
        token_id, clear = db.apply(_new_token, 1)

        def statuses() -> list[int]:
            headers = {"Authorization": f"Bearer {clear}"}
            urls = [f"{cluster[f'api-{n}'].url}/v2/consumer/workflows" for n in range(2)]
            return [httpx.get(url, headers=headers, trust_env=False).status_code for url in urls]

        assert statuses() == [200, 200]
        db.apply(_revoke, token_id)
        time.sleep(KNOWN_S)
        assert statuses() == [401, 401]


def _new_token(tx: Tx, account_ids: Sequence[int]) -> list[tuple[str, str]]:
    return [accounts.create_token(tx, account_id, "brief", now()) for account_id in account_ids]


def _revoke(tx: Tx, token_ids: Sequence[str]) -> list[bool]:
    return [accounts.revoke_token(tx, token_id, now()) for token_id in token_ids]


def test_processes_are_one_server(tmp_path: Path, dsn: str) -> None:
    with running(tmp_path, dsn, ALL, slots=1) as cluster:
        with cluster.client("api-0") as first, cluster.client("api-1") as second:
            made = [submit(client, quantity=2)["id"] for client in (first, second) * 10]
            shown = [finished(client, wf) for client, wf in zip((second, first) * 10, made, strict=True)]
            assert {w["status"] for w in shown} == {"succeeded"}
            # A link that one signed is good at the other.
            url = httpx.URL(shown[0]["steps"][0]["jobs"][0]["result"]["blobs"][0]["url"])
            assert first.get(url.raw_path.decode()).content[:4] == b"\x89PNG"
        owners = {name for name in cluster.processes if "claimed" in cluster[name].log.read_text()}
        assert owners <= {"dispatch-0", "dispatch-1"}
    check_books(dsn)


@pytest.mark.parametrize("grace_s", [0, 20])
def test_a_dispatcher_that_is_stopped_leaves_no_lease(tmp_path: Path, dsn: str, grace_s: int) -> None:
    """With grace its jobs end; without, they are handed back at once and another dispatcher has them."""
    one = {"api": 1, "dispatch": 1}
    with running(tmp_path, dsn, one, slots=2, grace_s=grace_s, lease_s=3600) as cluster, cluster.client() as client:
        made = [submit(client, steps=40)["id"] for _ in range(6)]
        while leases(dsn) == 0:
            time.sleep(0.01)
        assert cluster["dispatch-0"].end(signal.SIGTERM) == 0
        assert leases(dsn) == 0
        cluster.start(dispatch=1)
        assert {finished(client, wf)["status"] for wf in made} == {"succeeded"}
    check_books(dsn)


def test_what_a_killed_dispatcher_held_comes_back(tmp_path: Path, dsn: str) -> None:
    one = {"api": 1, "dispatch": 2}
    with running(tmp_path, dsn, one, slots=1, lease_s=2) as cluster, cluster.client() as client:
        made = [submit(client, steps=30)["id"] for _ in range(8)]
        while leases(dsn) < 2:
            time.sleep(0.01)
        cluster["dispatch-0"].end(signal.SIGKILL)
        assert {finished(client, wf)["status"] for wf in made} == {"succeeded"}
        made = [submit(client, steps=30)["id"] for _ in range(4)]
        # A frozen one's leases run out too, and what it says when it thaws is not heard.
        cluster["dispatch-1"].tell(signal.SIGSTOP)
        cluster["dispatch-0"].start()
        assert {finished(client, wf)["status"] for wf in made} == {"succeeded"}
        cluster["dispatch-1"].tell(signal.SIGCONT)
    check_books(dsn)


def test_readiness_goes_before_the_listener_does(tmp_path: Path, dsn: str) -> None:
    with running(tmp_path, dsn, {"api": 1}, drain_s=3) as cluster, cluster.client() as client:
        assert client.get("/readyz").status_code == 200
        stopping = threading.Thread(target=cluster["api-0"].end)
        stopping.start()
        while (answer := client.get("/readyz")).status_code == 200:
            time.sleep(0.01)
        assert "about to stop" in answer.text
        assert client.get("/livez").status_code == 200
        assert submit(client)["status"] == "unassigned"
        stopping.join()


def test_readiness_tells_of_the_database(tmp_path: Path) -> None:
    server = Postgres(durable=True)
    try:
        server.start()
        with running(tmp_path, server.create(), {"api": 1}) as cluster, cluster.client() as client:
            assert client.get("/readyz").status_code == 200
            server.stop()
            assert client.get("/readyz").status_code == 503
            assert client.get("/livez").status_code == 200
            answer = client.post("/v2/consumer/workflows", json={"steps": []})
            assert answer.status_code == 503, answer.text
            server.start()
            assert client.get("/readyz").status_code == 200
    finally:
        server.close()


def test_other_processes_answer_probes(tmp_path: Path, dsn: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    cluster = Cluster(tmp_path, dsn, probe_port=port)
    cluster.start(webhooks=1)
    try:
        base = f"http://127.0.0.1:{port}"
        for path, status in (("/livez", 200), ("/readyz", 200), ("/metrics", 200), ("/v2/consumer/workflows", 404)):
            assert httpx.get(f"{base}{path}").status_code == status
    finally:
        assert set(cluster.close().values()) == {0}


@pytest.mark.parametrize("command", ["api", "dispatch", "webhooks", "chores"])
def test_one_duty_needs_a_database_that_is_shared(tmp_path: Path, command: str) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "heddle", command],
        env={"HEDDLE_HOME": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert said.returncode == 1
    assert "SQLite belongs to one" in said.stderr
    assert "heddle serve" in said.stderr
