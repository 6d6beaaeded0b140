"""Whatever of a cluster dies: an attempt ends once, and the slot comes back."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.processes import exists, vanished

from .conftest import Cluster, Driver, running

pytestmark = pytest.mark.slow

NODES = ("127.0.0.11", "127.0.0.12")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Its GCS keeps what it knows on the disk."""
    home = tmp_path_factory.mktemp("cluster")
    with running(home, RAY_gcs_storage="rocksdb", RAY_gcs_storage_path=str(home / "gcs")) as cluster:
        for host in NODES:
            cluster.add_node(host)
        yield cluster


def test_attempts_run_on_every_node(cluster: Cluster, driver: Callable[..., Driver]) -> None:
    fleet = driver()
    fleet.until_free(2)
    for n in range(2):
        fleet.run(f"job_{n}", "Slow", steps=40)
    pids = {fleet.pid(f"job_{n}") for n in range(2)}
    assert [len(pids & set(cluster.processes(host))) for host in NODES] == [1, 1]
    for n in range(2):
        fleet.hears(say="done", job_id=f"job_{n}")
    fleet.close()
    assert all(map(exists, pids)), "the next dispatcher finds the workers warm"


def test_an_actor_is_killed(cluster: Cluster, driver: Callable[..., Driver]) -> None:
    fleet = driver()
    fleet.until_free(2)
    fleet.run("job_a", "Slow", steps=10_000)
    worker = fleet.pid("job_a")
    (host,) = (host for host in NODES if worker in cluster.processes(host))
    cluster.signal(signal.SIGKILL, cluster.processes(host, "ray::SlotActor"))
    failed = fleet.hears(say="failed", job_id="job_a")
    assert (failed["reason"], failed["retryable"]) == ("worker_died", True)
    asyncio.run(vanished(worker))
    for n in range(2):
        fleet.run(f"job_{n}", "Slow", steps=10_000)
    assert len({fleet.pid(f"job_{n}") for n in range(2)}) == 2, "the actor came back, and both run at once"
    for n in range(2):
        fleet.tell({"cancel": [f"job_{n}", 1]})
        fleet.hears(say="failed", job_id=f"job_{n}", reason="canceled")
    assert fleet.ends("job_a") == [failed]
    fleet.close()


def test_a_dispatcher_is_killed(cluster: Cluster, driver: Callable[..., Driver]) -> None:
    """The next one has its actors at once. What still runs there is stopped, or killed when it does not stop."""
    first = driver(lease_s=60)
    first.until_free(2)
    first.run("job_a", "Slow", steps=10_000)
    first.run("job_b", "SayAndStop")
    listening, frozen = first.pid("job_a"), first.pid("job_b")
    first.kill()
    second = driver(lease_s=60)
    second.until_free(2)
    for n in range(2):
        second.run(f"job_{n}", "Slow", steps=20)
    assert listening in {second.pid(f"job_{n}") for n in range(2)}
    assert not exists(frozen)
    for n in range(2):
        second.hears(say="done", job_id=f"job_{n}")
    assert not {event["job_id"] for event in second.events if "job_id" in event} & {"job_a", "job_b"}
    second.close()


def test_a_silent_dispatcher_loses_its_claim(cluster: Cluster, driver: Callable[..., Driver]) -> None:
    """It is frozen for longer than its lease; thawed, it hears that its attempts are lost, and works again."""
    first = driver(lease_s=1)
    first.until_free(2)
    first.run("job_a", "SayAndStop")
    worker = first.pid("job_a")
    first.process.send_signal(signal.SIGSTOP)
    second = driver(lease_s=60)
    second.until_free(2)
    assert not exists(worker)
    second.run("job_b", "Echo")
    second.hears(say="done", job_id="job_b")
    second.close()
    first.process.send_signal(signal.SIGCONT)
    failed = first.hears(say="failed", job_id="job_a")
    assert failed["retryable"]
    first.until_free(2)
    first.run("job_c", "Echo")
    first.hears(say="done", job_id="job_c")
    assert first.ends("job_a") == [failed]
    first.close()


def test_two_dispatchers_share_a_cluster(cluster: Cluster, driver: Callable[..., Driver]) -> None:
    """Each actor has one dispatcher; what the first gives back the second takes."""
    first = driver(ray_slots=1)
    first.until_free(1)
    second = driver(ray_slots=2)
    second.until_free(1)
    first.run("job_a", "Slow", steps=20)
    second.run("job_b", "Slow", steps=20)
    assert first.pid("job_a") != second.pid("job_b")
    first.hears(say="done", job_id="job_a")
    second.hears(say="done", job_id="job_b")
    first.close()
    second.until_free(2)
    second.close()


def test_the_gcs_dies_and_comes_back(cluster: Cluster, driver: Callable[..., Driver]) -> None:
    """What runs goes on; an attempt that ends badly meanwhile ends once, and afterwards everything works."""
    fleet = driver()
    fleet.until_free(2)
    fleet.run("job_a", "Slow", steps=200)
    fleet.pid("job_a")
    again = cluster.kill_gcs()
    fleet.run("job_b", "KillSelf")
    fleet.hears(say="failed", job_id="job_b", reason="worker_died")
    fleet.run("job_c", "Echo")
    fleet.hears(say="done", job_id="job_c")
    fleet.hears(say="done", job_id="job_a")
    again()
    fleet.until_free(2)
    fleet.close()
    later = driver()
    later.until_free(2)
    later.close()


def test_a_node_is_frozen_and_thawed(cluster: Cluster, driver: Callable[..., Driver]) -> None:
    """The attempt ends once, by the pings; what the thawed worker says is not heard. The node comes back as new."""
    fleet = driver()
    fleet.until_free(2)
    fleet.run("job_a", "Slow", steps=200)
    worker = fleet.pid("job_a")
    (host,) = (host for host in NODES if worker in cluster.processes(host))
    frozen = cluster.processes(host)
    cluster.signal(signal.SIGSTOP, frozen)
    failed = fleet.hears(say="failed", job_id="job_a")
    assert (failed["reason"], failed["retryable"]) == ("worker_hung", True)
    fleet.run("job_b", "Echo")
    fleet.hears(say="done", job_id="job_b")
    fleet.until_free(1)
    cluster.signal(signal.SIGCONT, frozen)
    fleet.run("job_c", "Slow", steps=100)
    fleet.hears(say="done", job_id="job_c")
    assert fleet.ends("job_a") == [failed]
    asyncio.run(vanished(worker, within_s=20))
    cluster.end(host)
    cluster.add_node(host)
    fleet.until_free(2)
    fleet.close()


def test_a_raylet_is_killed(cluster: Cluster, driver: Callable[..., Driver]) -> None:
    fleet = driver()
    fleet.until_free(2)
    fleet.run("job_a", "Slow", steps=10_000)
    worker = fleet.pid("job_a")
    (host,) = (host for host in NODES if worker in cluster.processes(host))
    cluster.signal(signal.SIGKILL, cluster.processes(host, "raylet"))
    failed = fleet.hears(say="failed", job_id="job_a")
    assert (failed["reason"], failed["retryable"]) == ("worker_died", True)
    fleet.run("job_b", "Echo")
    fleet.hears(say="done", job_id="job_b")
    fleet.until_free(1)
    assert fleet.ends("job_a") == [failed]
    asyncio.run(vanished(worker))
    cluster.end(host)
    cluster.add_node(host)
    fleet.until_free(2)
    fleet.close()


def test_a_node_is_drained(cluster: Cluster, driver: Callable[..., Driver]) -> None:
    """What runs there ends, what comes goes elsewhere, and the node leaves."""
    fleet = driver()
    fleet.until_free(2)
    fleet.run("job_a", "Slow", steps=100)
    worker = fleet.pid("job_a")
    (host,) = (host for host in NODES if worker in cluster.processes(host))
    assert cluster.command("drain", host) == "1 actors are gone\n"
    fleet.hears(say="done", job_id="job_a")
    fleet.until_free(1)
    fleet.run("job_b", "Echo")
    fleet.hears(say="done", job_id="job_b")
    asyncio.run(vanished(worker))
    cluster.end(host)
    cluster.add_node(host)
    fleet.until_free(2)
    fleet.close()


def test_the_gcs_dies_for_good(tmp_path: Path) -> None:
    """Without a store nobody could bring it back: the dispatcher's process ends, and its supervisor starts it anew."""
    with running(tmp_path) as cluster:
        cluster.add_node(NODES[0])
        fleet = cluster.driver(without_gcs_s=5)
        try:
            fleet.until_free(2)
            fleet.run("job_a", "Slow", steps=50)
            fleet.pid("job_a")
            cluster.kill_gcs()
            fleet.hears(say="done", job_id="job_a")
            assert fleet.process.wait(60) != 0
        finally:
            fleet.kill()
