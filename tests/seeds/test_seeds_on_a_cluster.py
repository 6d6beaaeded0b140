"""The four seed documents against two API replicas and two dispatchers, of which one each dies in the middle."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.balancer import Balancer
from tests.cluster import Cluster
from tests.postgres import Postgres

from heddle import queue
from heddle.catalog import entries
from heddle.catalog.entries import NewEntry
from heddle.db import Database
from heddle.db.postgres import PostgreSQL
from heddle.domain import now
from heddle.workflows import audit

SEEDS = Path(__file__).parents[3] / "shared" / "seeds" / "arazzo"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SEEDS.is_dir(), reason="the seed documents are not beside this checkout"),
]

POLL = "civitai-image-generation-poll-workflow.yml"
IMG2IMG = "civitai-blob-upload-img2img-workflow.yml"
MODEL = "civitai-model-version-to-generation-workflow.yml"
PRESIGNED = "civitai-presigned-blob-generate-workflow.yml"

CALLBACK = ("-i", "callbackUrl=http://127.0.0.1:9999/hook", "-i", "mimeType=image/png")
COMMON = ("-i", "engine=slow", "-i", "prompt=a red fox in the snow")

#: Inputs beside the common ones, outputs, and the size of the picture.
DOCUMENTS: dict[str, tuple[list[str], set[str], tuple[int, int]]] = {
    POLL: (
        ["-i", "width=640", "-i", "height=384", "-i", "quantity=2"],
        {"workflowId", "status", "firstBlobUrl", "cost"},
        (640, 384),
    ),
    IMG2IMG: (["-i", "file=@{source}"], {"sourceBlobId", "workflowId", "outputBlobUrl"}, (640, 512)),
    MODEL: (["-i", "modelVersionId=500"], {"air", "workflowId", "outputBlobUrl", "cost"}, (1024, 1024)),
    PRESIGNED: (
        [*CALLBACK, "--upload", "requestUploadUrl.uploadUrl=@{source}"],
        {"blobId", "uploadUrl", "workflowId", "outputBlobUrl"},
        (640, 512),
    ),
}

_BEGINS = re.compile(r"attempt 1 of (job_\w+) begins")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    dsn = postgres.create()
    settings = {"slots": 1, "lookahead": 0, "lease_s": 2, "grace_s": 0}
    running = Cluster(folder, dsn, {"slow": "slow_sketch:Slow"}, **settings)
    try:
        running.start(api=2, dispatch=2, webhooks=1, chores=1)
        add_model(dsn)
        yield running
    finally:
        ended = running.close()
        postgres.drop(dsn)
    assert set(ended.values()) == {0}, ended


def add_model(dsn: str) -> None:
    """One that the engine takes."""
    new = NewEntry(name="Slow", type="Checkpoint", base_model="Slow", creator="tests", model_id=500, version_id=500)
    with closing(Database(PostgreSQL(dsn))) as db:
        db.apply(lambda tx, items: [entries.add(tx, item, now()) for item in items], new)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "source.png"
    Image.new("RGB", (640, 512), (30, 60, 180)).save(file)
    return file


def dispatcher_of_a_job(cluster: Cluster, before: set[str], run: subprocess.Popen[str]) -> str:
    """Which dispatcher's worker began a job that is not among those before."""
    while run.poll() is None:
        for name in ("dispatch-0", "dispatch-1"):
            if set(_BEGINS.findall(cluster[name].log.read_text())) - before:
                return name
        time.sleep(0.01)
    raise AssertionError(f"the run ended before a job began: {run.communicate()}")


def begun(cluster: Cluster) -> set[str]:
    return {job for n in range(2) for job in _BEGINS.findall(cluster[f"dispatch-{n}"].log.read_text())}


@contextmanager
def play(document: Path, url: str, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`heddle run --json` in a process of its own, which does not outlive the `with`."""
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "heddle",
            "run",
            "--json",
            str(document),
            "--server",
            url,
            "--save",
            str(folder),
            *arguments,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_CONFIG_HOME": str(folder / "config")},
    ) as run:
        try:
            yield run
        finally:
            run.kill()


def api_at(cluster: Cluster, port: int) -> str:
    return next(name for name in ("api-0", "api-1") if cluster[name].url.endswith(f":{port}"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda name: name.removesuffix("-workflow.yml"))
def test_a_document_ends_well_though_one_of_each_dies(
    cluster: Cluster, tmp_path: Path, source: Path, document: str
) -> None:
    arguments, outputs, size = DOCUMENTS[document]
    before = begun(cluster)
    with Balancer([int(cluster[name].url.rsplit(":", 1)[1]) for name in ("api-0", "api-1")]) as balancer:
        given = [*COMMON, *(one.format(source=source) for one in arguments)]
        with play(SEEDS / document, balancer.url, tmp_path, "-i", f"apiKey={cluster.token}", *given) as run:
            dispatcher = dispatcher_of_a_job(cluster, before, run)
            api = api_at(cluster, balancer.used)
            cluster[dispatcher].end(signal.SIGKILL)
            cluster[api].end(signal.SIGKILL)
            out, err = run.communicate(timeout=120)
    for name in (dispatcher, api):
        cluster[name].start()
    assert run.returncode == 0, out + err
    report: dict[str, Any] = json.loads(out)
    assert set(report["outputs"]) == outputs
    with Image.open(report["saved"][0]["path"]) as picture:
        assert picture.size == size
    with cluster.client(api) as client:
        shown = client.get(f"/v2/consumer/workflows/{report['outputs']['workflowId']}").json()
    jobs = shown["steps"][0]["jobs"]
    assert {job["status"] for job in jobs} == {"succeeded"}
    assert max(job["attempt"] for job in jobs) == 2
    assert [len(job["result"]["blobs"]) for job in jobs] == [1] * len(jobs)
    with closing(Database(PostgreSQL(cluster.dsn))) as db:
        assert db.look(audit.check) == []
        assert db.look(queue.depth) == 0
