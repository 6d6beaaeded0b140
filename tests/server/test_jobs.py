"""Jobs on a real server: success, failure, retry, death, hang, memory, cancel, timeout, missing inputs; and Buzz."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from tests import serving as serving_module
from tests.fixtures.pixels import PIXEL
from tests.serving import WORKFLOWS as PATH
from tests.serving import Serving, ended

from heddle.db import Database
from heddle.db.sqlite import SQLite
from heddle.workflows import audit


def submit(client: httpx.Client, engine: str = "pixels", prompt: str = "x", **more: Any) -> dict[str, Any]:
    step = {"$type": "imageGen", "input": {"engine": engine, "prompt": prompt, "steps": 1, **more.pop("input", {})}}
    answer = client.post(PATH, json={"steps": [step | more]})
    assert answer.status_code == 202, answer.text
    return answer.json()


def available(serving: Serving) -> int:
    return serving_module.available(serving.home)


@pytest.fixture(autouse=True)
def books(serving: Serving) -> Any:
    """After each test the ledger must agree with the workflows."""
    yield
    db = Database(SQLite(serving.home / "heddle.db"))
    assert db.look(audit.check) == []
    db.close()


def test_pictures_by_quantity(client: httpx.Client, serving: Serving) -> None:
    before = available(serving)
    made = submit(client, input={"quantity": 3})
    assert made["cost"] == {"base": 9, "total": 9, "currency": "BUZZ"}
    jobs = ended(client, made["id"])["steps"][0]["jobs"]
    assert [len(job["result"]["blobs"]) for job in jobs] == [1, 1, 1]
    for job in jobs:
        answer = httpx.get(job["result"]["blobs"][0]["url"])
        assert (answer.status_code, answer.content) == (200, PIXEL)
    assert available(serving) == before - 9


def test_a_failure_is_refunded_and_says_why(client: httpx.Client, serving: Serving) -> None:
    before = available(serving)
    shown = ended(client, submit(client, prompt="fail")["id"])
    job = shown["steps"][0]["jobs"][0]
    assert (shown["status"], shown["reason"], job["status"]) == ("failed", "engine_failed", "failed")
    assert job["message"] == "this engine was told to fail"
    assert "result" not in job
    assert available(serving) == before


def test_a_retry_is_an_attempt_of_the_same_job(client: httpx.Client) -> None:
    made = submit(client, prompt="retry")
    shown = ended(client, made["id"])
    assert shown["status"] == "succeeded"
    assert [job["id"] for job in shown["steps"][0]["jobs"]] == [made["steps"][0]["jobs"][0]["id"]]
    assert shown["steps"][0]["jobs"][0]["attempt"] == 2


def test_an_engine_that_dies_fails_after_three_attempts(client: httpx.Client, serving: Serving) -> None:
    before = available(serving)
    shown = ended(client, submit(client, engine="killself")["id"])
    job = shown["steps"][0]["jobs"][0]
    assert (shown["status"], job["attempt"], job["reason"]) == ("failed", 3, "worker_died")
    assert "SIGKILL" in job["message"]
    assert available(serving) == before
    assert ended(client, submit(client)["id"])["status"] == "succeeded"


def test_an_engine_that_eats_memory_fails(client: httpx.Client) -> None:
    shown = ended(client, submit(client, engine="glutton")["id"])
    assert shown["status"] == "failed"
    assert shown["reason"] in {"out_of_memory", "worker_died"}
    assert ended(client, submit(client)["id"])["status"] == "succeeded"


def test_an_engine_that_hangs_times_out(client: httpx.Client) -> None:
    shown = ended(client, submit(client, engine="hang", timeout="00:00:01")["id"])
    assert (shown["status"], shown["reason"]) == ("failed", "timeout")


def test_cancel_stops_a_running_job_and_refunds(client: httpx.Client, serving: Serving) -> None:
    before = available(serving)
    made = submit(client, input={"steps": 150, "quantity": 4})
    ended(client, made["id"], "processing")
    answer = client.put(f"{PATH}/{made['id']}", json={"status": "canceled"})
    assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
    assert available(serving) >= before - 9
    assert client.put(f"{PATH}/{made['id']}", json={"status": "canceled"}).json()["status"] == "canceled"
    assert ended(client, submit(client)["id"])["status"] == "succeeded"


def test_cancel_frees_the_slot_of_an_engine_that_does_not_listen(client: httpx.Client) -> None:
    stuck = [submit(client, engine="hang")["id"] for _ in range(2)]
    for workflow_id in stuck:
        ended(client, workflow_id, "processing")
        client.put(f"{PATH}/{workflow_id}", json={"status": "canceled"})
    assert ended(client, submit(client)["id"])["status"] == "succeeded"


def test_a_promised_blob_that_never_comes_expires(client: httpx.Client, serving: Serving) -> None:
    before = available(serving)
    promised = client.get("/v2/consumer/blobs/upload-url", params={"mimeType": "image/png"}).json()
    made = submit(client, input={"images": [promised["blobId"]]})
    assert made["status"] == "preparing"
    shown = ended(client, made["id"])
    assert (shown["status"], shown["reason"]) == ("expired", "input_blob_missing")
    assert available(serving) == before


def test_a_promised_blob_that_comes_releases_its_step(client: httpx.Client) -> None:
    promised = client.get("/v2/consumer/blobs/upload-url", params={"mimeType": "image/png"}).json()
    made = submit(client, input={"images": [promised["blobId"]]})
    answer = httpx.put(promised["uploadUrl"], content=PIXEL, headers=promised["headers"])
    assert answer.status_code == 201, answer.text
    assert ended(client, made["id"])["status"] == "succeeded"


def test_steps_are_independent_and_all_must_succeed(client: httpx.Client, serving: Serving) -> None:
    before = available(serving)
    steps = [
        {"$type": "imageGen", "name": p, "input": {"engine": "pixels", "prompt": p, "steps": 1}} for p in ("a", "fail")
    ]
    made = client.post(PATH, json={"steps": steps}).json()
    shown = ended(client, made["id"])
    assert [s["status"] for s in shown["steps"]] == ["succeeded", "failed"]
    assert shown["status"] == "failed"
    assert shown["cost"] == {"base": 6, "total": 3, "currency": "BUZZ"}
    assert available(serving) == before - 3


def test_no_buzz_writes_nothing(client: httpx.Client, serving: Serving) -> None:
    step = {"$type": "imageGen", "input": {"engine": "pixels", "prompt": "x", "quantity": 10}}
    count = len(client.get(PATH, params={"take": 100}).json()["items"])
    balance = available(serving)
    drain(serving, balance - 3)
    try:
        answer = client.post(PATH, json={"steps": [step]})
        assert (answer.status_code, answer.json()["code"]) == (402, "insufficient_buzz")
        assert "30 Buzz" in answer.json()["message"]
        assert len(client.get(PATH, params={"take": 100}).json()["items"]) == count
    finally:
        drain(serving, 3 - balance)


def drain(serving: Serving, amount: int) -> None:
    """Take Buzz away (or give it back), entry and balance together, so that the books stay right."""
    db = Database(SQLite(serving.home / "heddle.db"))

    def verb(tx: Any, amounts: Any) -> list[None]:
        for n in amounts:
            tx.run("UPDATE balances SET available = available - ? WHERE account_id = 1", (n,))
            tx.run("UPDATE ledger_entries SET amount = amount - ? WHERE kind = 'grant' AND account_id = 1", (n,))
        return [None for _ in amounts]

    db.apply(verb, amount)
    db.close()


def test_an_idempotency_key_makes_one_workflow(client: httpx.Client) -> None:
    body = {"steps": [{"$type": "imageGen", "input": {"engine": "pixels", "prompt": "x", "steps": 1}}]}
    ids = {client.post(PATH, json=body, headers={"Idempotency-Key": "one"}).json()["id"] for _ in range(3)}
    assert len(ids) == 1
    # A copy of the submit that a proxy or a frozen replica held up may arrive after its workflow was deleted.
    assert client.delete(f"{PATH}/{ids.copy().pop()}").status_code == 204
    assert client.post(PATH, json=body, headers={"Idempotency-Key": "one"}).json()["id"] in ids


def test_logs_and_progress(client: httpx.Client) -> None:
    made = submit(client, prompt="a log line")
    ended(client, made["id"])
    items = client.get(f"{PATH}/{made['id']}/log").json()["items"]
    assert [item["lines"] for item in items] == [["drew 'a log line'"]]


def test_a_second_server_on_the_same_data_is_refused(serving: Serving, tmp_path: Path) -> None:
    other = Serving(serving.home)
    with pytest.raises(AssertionError, match="another Heddle server uses"):
        other.start()
    del tmp_path


def test_a_drain_hands_running_jobs_back(tmp_path: Path) -> None:
    server = Serving(tmp_path / "home", {"pixels": "pixels:Pixels"}, slots=1).start()
    with server.client() as client:
        ids = [submit(client, input={"steps": 100})["id"] for _ in range(6)]
        ended(client, ids[0], "processing")
    assert server.stop() == 0
    server.start()
    with server.client() as client:
        shown = [ended(client, workflow_id) for workflow_id in ids]
    server.stop()
    assert {w["status"] for w in shown} == {"succeeded"}
