"""A deployment's processes come up in any order, and its token is made by one that shows it."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from tests.cluster import Cluster, running
from tests.postgres import Postgres

from heddle import accounts, server
from heddle.errors import UsageError
from heddle.settings import Settings


@pytest.fixture
def dsn(postgres: Postgres) -> Iterator[str]:
    made = postgres.create()
    yield made
    postgres.drop(made)


@pytest.mark.slow
def test_the_api_may_be_the_last_to_come(tmp_path: Path, dsn: str) -> None:
    with running(tmp_path, dsn, {"dispatch": 1, "webhooks": 1, "chores": 1, "api": 2}) as cluster:
        assert cluster.token.startswith("hd_")
        with cluster.client("api-1") as client:
            assert client.get("/api/v1/me").status_code == 200


def test_a_process_without_api_makes_no_account(settings: Settings, dsn: str) -> None:
    """It would use up the moment in which an API may listen to the world without a token there: it makes one."""
    chosen = replace(settings, database=dsn, host="0.0.0.0")
    with closing(server.prepare(chosen, duties=frozenset({"chores"})).db) as db:
        assert db.look(accounts.every) == []
    first = server.prepare(chosen, duties=frozenset({"api"}))
    with closing(first.db) as db:
        assert first.first_token is not None
        # Somebody takes all tokens away: an API that the world can reach is refused, and the others go on.
        [token] = db.look(accounts.list_tokens)
        db.apply(lambda tx, ids: [accounts.revoke_token(tx, one, token.created_at) for one in ids], token.id)
    server.prepare(chosen, duties=frozenset({"dispatch"})).db.close()
    with pytest.raises(UsageError, match="without a single token"):
        server.prepare(chosen, duties=frozenset({"api"}))


@pytest.mark.slow
def test_only_an_api_drains(tmp_path: Path, dsn: str) -> None:
    """The setting is for all processes of a machine, and nobody sends requests to the others."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    cluster = Cluster(tmp_path, dsn, probe_port=port, drain_s=3600)
    cluster.start(chores=1)
    assert httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    stopping = threading.Thread(target=cluster["chores-0"].end, args=(signal.SIGTERM,))
    began = time.monotonic()
    stopping.start()
    stopping.join(60)
    assert not stopping.is_alive(), f"it still runs after {time.monotonic() - began:.0f} s"
