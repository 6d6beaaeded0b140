"""The engine `orchestrator` against a second, real Heddle server."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from tests.moving import Watcher
from tests.serving import WORKFLOWS, Serving, available, ended

from heddle import registry
from heddle.contract.orchestration import WorkflowRequest
from heddle.domain import Job, new_id, now
from heddle.engines import Made
from heddle.engines.orchestrator import Orchestrator
from heddle.errors import EngineFailed, InvalidRequest, JobCanceled, JobError, UsageError
from heddle.settings import Settings
from heddle.steps import Facts
from heddle.workflows.planning import Look, Planner

FAMILIES = ["slow", "pixels", "sdxl", "flux1"]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture(scope="module")
def port() -> int:
    """Where the first server is: the second one hands some families on to it."""
    return free_port()


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Serving]:
    home = tmp_path_factory.mktemp("there") / "home"
    home.mkdir()
    Path(home / "engines.toml").write_text(
        f'[orchestrator]\nurl = "http://127.0.0.1:{port}"\ntoken = "nobody"\nfamilies = ["sdxl"]\n'
    )
    engines = {"slow": "slow_sketch:Slow", "pixels": "pixels:Pixels", "killself": "pixels:KillSelf"}
    serving = Serving(home, engines, stand_in="on", slots=2, retry_backoff_s=0.05).start()
    yield serving
    assert serving.stop() == 0


@pytest.fixture
def client(there: Serving) -> Iterator[httpx.Client]:
    with there.client() as client:
        yield client


def options(there: Serving, **more: Any) -> dict[str, Any]:
    return {"url": there.url, "token": there.token, "families": FAMILIES, "silence_s": 30, **more}


def planned(there: Serving, kind: str, given: Mapping[str, Any]) -> list[Job]:
    """The jobs of a step that this server would hand on."""
    registry.configure({"orchestrator": options(there)})
    try:
        step = {"$type": kind, "input": {"engine": "orchestrator", **given}}
        request = WorkflowRequest.model_validate({"steps": [step]})
        look = Look(find=lambda _: None, facts_of=lambda _: Facts())
        made = Planner(Settings()).plan(request, account_id=1, look=look, at=now()).new.workflow
    finally:
        registry.configure({})
    assert {job.engine for job in made.steps[0].jobs} == {"orchestrator"}
    return list(made.steps[0].jobs)


def engine(there: Serving, **more: Any) -> Orchestrator:
    made = Orchestrator()
    made.configure(options(there, **more))
    return made


def another(watcher: Watcher | None = None) -> Watcher:
    """A context of a job that there was not before."""
    made = watcher or Watcher()
    made.job_id = new_id("job")
    return made


def run(there: Serving, kind: str, given: Mapping[str, Any], watcher: Watcher | None = None) -> list[Made]:
    (job,) = planned(there, kind, given)
    return list(engine(there).run(job.payload, another(watcher)))


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


# ── what comes out ──


def test_pictures_are_those_that_the_other_server_makes(there: Serving, client: httpx.Client) -> None:
    given = {"prompt": "a red fox", "width": 128, "height": 64, "seed": 5, "quantity": 2}
    jobs = planned(there, "imageGen", given)
    made = [next(iter(engine(there).run(job.payload, another()))) for job in jobs]
    direct = client.post(WORKFLOWS, json={"steps": [{"$type": "imageGen", "input": given}]}).json()["id"]
    blobs = [job["result"]["blobs"][0] for job in ended(client, direct)["steps"][0]["jobs"]]
    for one, blob in zip(made, blobs, strict=True):
        assert one.data == httpx.get(blob["url"]).content
        assert (one.mime, one.width, one.height, one.role) == (blob["mimeType"], 128, 64, "")
        assert one.metadata["seed"] == blob["seed"]
        assert one.metadata["ranBy"] == "sketch"
        assert one.metadata["engine"] == "orchestrator"


def test_notes_words_and_texts_come_along(there: Serving) -> None:
    piece = run(there, "music", {"musicDescription": "calm piano", "duration": 2, "seed": 1})
    assert [(one.mime.partition("/")[0], one.role) for one in piece] == [("audio", ""), ("audio", "midi")]
    assert piece[0].duration_ms is not None
    (speech, *_) = run(there, "tts", {"text": "One red fox."})
    assert speech.mime.startswith("audio/")
    assert "blob" not in speech.output
    assert "audioBlob" not in speech.output
    (text,) = run(there, "textGen", {"prompt": "a red fox in the snow", "seed": 1, "n": 2})
    assert text.data.decode() == text.output["text"]
    assert len(text.output["choices"]) == 2


def test_sources_go_along(there: Serving) -> None:
    source = np.zeros((32, 48, 3), dtype=np.uint8)
    source[:, 24:] = 200
    out = io.BytesIO()
    Image.fromarray(source).save(out, "PNG")
    blob = "blob_00000000000000000000000001"
    watcher = Watcher(**{blob: out.getvalue()})
    (made,) = run(there, "upscale", {"image": blob, "scaleFactor": 2}, watcher)
    assert (made.width, made.height) == (96, 64)
    assert pixels(made.data)[32, 90].min() > 180
    assert pixels(made.data)[32, 5].max() < 20


# ── attempts ──


class Dying(Watcher):
    """A worker that is killed as soon as the other server is at work: nothing is said to anybody."""

    def preview(self, draw: object) -> None: ...

    def progress(self, fraction: float, note: str = "") -> None:
        super().progress(fraction, note)
        if "processing" in note:
            raise SystemExit


def tagged(client: httpx.Client, watcher: Watcher) -> list[dict[str, Any]]:
    return client.get(WORKFLOWS, params={"tags": f"heddle-job:{watcher.job_id}"}).json()["items"]


def test_another_attempt_goes_on_with_what_the_first_one_paid_for(there: Serving, client: httpx.Client) -> None:
    (job,) = planned(there, "imageGen", {"engine": "slow", "prompt": "a boat", "width": 64, "height": 64})
    before = available(there.home)
    first = another(Dying())
    with pytest.raises(SystemExit):
        list(engine(there).run(job.payload, first))
    second = Watcher()
    second.job_id, second.attempt = first.job_id, 2
    (made,) = engine(there).run(job.payload, second)
    assert len(tagged(client, first)) == 1
    assert before - available(there.home) == 1
    assert made.metadata["workflow"] == tagged(client, first)[0]["id"]
    assert second.reported == sorted(second.reported)


def test_what_ended_badly_was_paid_back_and_is_asked_for_anew(there: Serving, client: httpx.Client) -> None:
    (job,) = planned(there, "imageGen", {"engine": "pixels", "prompt": "fail", "steps": 1})
    before = available(there.home)
    watcher = another()
    for attempt in (1, 2):
        watcher.attempt = attempt
        with pytest.raises(EngineFailed, match=r"ended it as failed \(engine_failed\): this engine was told to fail"):
            list(engine(there).run(job.payload, watcher))
    assert len(tagged(client, watcher)) == 2
    assert available(there.home) == before


def test_a_cancel_cancels_there(there: Serving, client: httpx.Client) -> None:
    class Impatient(Watcher):
        def preview(self, draw: object) -> None: ...

        def progress(self, fraction: float, note: str = "") -> None:
            if "processing" in note:
                raise JobCanceled("enough")

    watcher = another(Impatient())
    (job,) = planned(there, "imageGen", {"engine": "slow", "prompt": "a boat"})
    with pytest.raises(JobCanceled):
        list(engine(there).run(job.payload, watcher))
    (found,) = tagged(client, watcher)
    assert ended(client, found["id"])["status"] == "canceled"


# ── what goes wrong ──


def test_what_the_other_server_refuses(there: Serving) -> None:
    (job,) = planned(there, "imageGen", {"engine": "pixels", "prompt": "a", "width": 64})
    broken = {**job.payload, "asked": {**job.payload["asked"], "input": {"engine": "pixels", "width": 1}}}
    with pytest.raises(EngineFailed, match=r"the server answered 400: steps\[0\]\.input"):
        list(engine(there).run(broken, another()))


def test_reasons(there: Serving) -> None:
    (job,) = planned(there, "imageGen", {"prompt": "a"})
    with pytest.raises(JobError, match=r"answered 401: .*check token under \[orchestrator\]") as error:
        list(engine(there, token="hdl_wrong").run(job.payload, another()))
    assert not error.value.retryable
    with pytest.raises(JobError, match="cannot be reached") as error:
        list(engine(there, url=f"http://127.0.0.1:{free_port()}").run(job.payload, another()))
    assert (error.value.reason, error.value.retryable) == ("engine_unavailable", True)
    dead = {**job.payload, "asked": {**job.payload["asked"], "input": {"engine": "killself", "prompt": "a"}}}
    with pytest.raises(EngineFailed, match=r"ended it as failed \(worker_died\)"):
        list(engine(there).run(dead, another()))


@pytest.mark.slow
def test_large_results_are_refused(there: Serving) -> None:
    given = {"prompt": "rain", "duration": 10, "outputFormat": "wav"}
    (job,) = planned(there, "audioGen", given)
    with pytest.raises(EngineFailed, match="has more than 1048576 bytes"):
        list(engine(there, most_mb=1).run(job.payload, another()))


# ── by HTTP, from one server to the other ──


@pytest.fixture(scope="module")
def here(there: Serving, port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    home = tmp_path_factory.mktemp("here") / "home"
    home.mkdir()
    Path(home / "engines.toml").write_text(
        f'[orchestrator]\nurl = "{there.url}"\ntoken = "{there.token}"\n'
        f"families = {FAMILIES}\nprice_factor = 2.0\n".replace("'", '"')
    )
    serving = Serving(home, slots=1, retry_backoff_s=0.05).start(port)
    yield serving
    assert serving.stop() == 0


def submitted(client: httpx.Client, *steps: dict[str, Any]) -> httpx.Response:
    return client.post(WORKFLOWS, json={"steps": list(steps)})


@pytest.mark.slow
def test_a_family_that_is_not_here_is_run_there(here: Serving) -> None:
    model = "urn:air:flux1:checkpoint:civitai:618692@691639"  # in no catalog
    small = {"prompt": "a fox", "width": 64, "height": 64, "steps": 10, "seed": 3}
    flux = {"$type": "imageGen", "name": "first", "input": {"engine": "flux1", **small}}
    own = {"$type": "imageGen", "name": "own", "input": small}
    picture = {"$ref": "first", "path": "output.images[0].url"}
    after = {"$type": "upscale", "name": "after", "input": {"engine": "orchestrator", "image": picture}}
    with here.client() as client:
        shown = ended(client, submitted(client, flux, own, after).json()["id"])
        assert shown["status"] == "succeeded", shown
        assert [step["jobs"][0]["engine"] for step in shown["steps"]] == ["orchestrator", "sketch", "orchestrator"]
        made = shown["steps"][0]["jobs"][0]["result"]["blobs"][0]
        assert made["url"].startswith(here.url)
        assert made["metadata"]["standInFor"] == "flux1"
        assert shown["steps"][2]["output"]["blob"]["width"] == 128
        named = {**flux, "input": {**flux["input"], "model": model}}
        assert ended(client, submitted(client, named).json()["id"])["status"] == "succeeded"
        priced = ended(client, submitted(client, flux).json()["id"])["cost"]["total"]
    assert priced == 20  # 0.5 a step, doubled by cfgScale, and by the factor


@pytest.mark.slow
def test_two_servers_do_not_hand_on_to_each_other_for_ever(here: Serving) -> None:
    with here.client() as client:
        step = {"$type": "imageGen", "input": {"engine": "sdxl", "prompt": "a fox"}}
        shown = ended(client, submitted(client, step).json()["id"])
        assert shown["status"] == "failed"
        assert "came through 1 other servers already" in str(shown)
        twice = {"$type": "imageGen", "input": {"engine": "sdxl", "prompt": "a fox", "overflowHops": 1}}
        answer = submitted(client, twice)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["steps[0].input.engine"]


@pytest.mark.slow
def test_a_killed_worker_and_a_server_that_starts_again(here: Serving, there: Serving) -> None:
    """The first server dies while the second one works, and finds the work again when it is back."""
    step = {"$type": "imageGen", "input": {"engine": "slow", "prompt": "a castle", "width": 64, "height": 64}}
    port = int(here.url.rpartition(":")[2])
    with here.client() as client:
        workflow_id = submitted(client, step).json()["id"]
        ended(client, workflow_id, "processing")
        with there.client() as other:
            job_id = client.get(f"{WORKFLOWS}/{workflow_id}").json()["steps"][0]["jobs"][0]["id"]
            for _ in range(200):
                if other.get(WORKFLOWS, params={"tags": f"heddle-job:{job_id}"}).json()["items"]:
                    break
                time.sleep(0.02)
    here.kill()
    here.start(port)
    with here.client() as client, there.client() as other:
        assert ended(client, workflow_id)["status"] == "succeeded"
        assert len(other.get(WORKFLOWS, params={"tags": f"heddle-job:{job_id}"}).json()["items"]) == 1


# ── options ──


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"url": "heddle.example.org"}, r"\[orchestrator\] url is 'heddle.example.org'"),
        ({"token": "a b"}, "token holds a space"),
        ({"families": "flux1"}, "families"),
        ({"price_factor": -1}, "price_factor is -1"),
        ({"hops": 0}, "hops is 0"),
        ({"key": "x"}, "unknown field `key`"),
    ],
)
def test_options_that_are_wrong(table: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Orchestrator().configure(table)


def test_without_an_address_or_a_token_it_says_so() -> None:
    made = Orchestrator()
    assert "No server is set" in made.missing()[0]
    made.configure({"url": "http://127.0.0.1:1"})
    assert "No token is set" in made.missing()[0]


def test_nothing_is_handed_on_unless_it_is_listed(there: Serving) -> None:
    registry.configure({"orchestrator": options(there, families=[])})
    try:
        planner = Planner(Settings())
    finally:
        registry.configure({})
    step = {"$type": "imageGen", "input": {"engine": "flux1", "prompt": "a"}}
    request = WorkflowRequest.model_validate({"steps": [step]})
    look = Look(find=lambda _: None, facts_of=lambda _: Facts())
    with pytest.raises(InvalidRequest, match="cannot run here"):
        planner.plan(request, account_id=1, look=look, at=now())
