"""Who gets the engine: asked for by name, or not at all, as its weights say of themselves; and a picture over HTTP."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from tests.engines.mini.conftest import write_weights
from tests.engines.mini.test_loras import tensors
from tests.serving import WORKFLOWS, Serving, ended

from heddle import queue, registry
from heddle.catalog import builtin, entries, intake, places
from heddle.catalog.entries import NewEntry
from heddle.cli.main import cli
from heddle.contract import base
from heddle.contract.orchestration import WorkflowRequest
from heddle.db import Database, Dialect, Tx
from heddle.domain import Job, now
from heddle.errors import InvalidRequest
from heddle.settings import Settings
from heddle.steps import Facts
from heddle.workflows.planning import Look, Planner

MINI = "urn:air:mini:checkpoint:heddle:5@5"
Plan = Callable[..., Job]


@pytest.fixture
def db(dialect: Dialect) -> Iterator[Database]:
    database = Database(dialect)
    yield database
    database.close()


@pytest.fixture(params=["release", "preview", "none"])
def quality(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Weights of each quality in turn, as this process has them."""
    registry.set_options({"mini": {"weights": str(write_weights(tmp_path / "w.safetensors", quality=request.param))}})
    yield request.param
    registry.set_options({})


@pytest.fixture
def plan(db: Database) -> Plan:
    """The one job of a step."""

    def one(**fields: Any) -> Job:
        def look(tx: Tx) -> Job:
            found = Look(
                find=lambda air: places.of_air(tx, air),
                facts_of=lambda _: Facts(),
                first=lambda ecosystems, types: places.first(tx, ecosystems, types),
                room=lambda engine: queue.room(tx, engine, now()),
            )
            step = {"$type": "imageGen", "input": {"prompt": "a cat", **fields}}
            wanted = base.validate(WorkflowRequest, {"steps": [step]})
            [job] = Planner(Settings()).plan(wanted, account_id=1, look=found, at=now()).new.workflow.steps[0].jobs
            return job

        return db.look(look)

    db.apply(_ensured, None)
    return one


def _ensured(tx: Tx, items: Sequence[None]) -> list[int]:
    return [builtin.ensure(tx, now()) for _ in items]


def refused(plan: Plan, **fields: Any) -> dict[str, list[str]]:
    with pytest.raises(InvalidRequest) as refusal:
        plan(**fields)
    return refusal.value.fields


def test_a_step_that_names_no_engine_gets_it_only_when_it_is_released(quality: str, plan: Plan) -> None:
    job = plan()
    assert job.engine == ("mini" if quality == "release" else "sketch")
    size, cfg = (512, 2.0) if quality == "release" else (1024, 7.0)
    assert (job.payload["width"], job.payload["cfgScale"]) == (size, cfg)
    assert plan(width=640, height=384, cfgScale=1, steps=7).payload["width"] == 640


def test_a_step_that_names_it_gets_it_or_is_told_why_not(quality: str, plan: Plan) -> None:
    if quality == "none":
        [said] = refused(plan, engine="mini")["steps[0].input.engine"]
        assert "'mini' cannot run here (mini: Its weights are not good enough to be offered" in said
        return
    for fields in ({"engine": "mini"}, {"model": MINI}, {"engine": "mini", "model": MINI}):
        job = plan(**fields)
        assert (job.engine, job.payload["family"], job.payload["width"], job.payload["steps"]) == (
            "mini",
            "mini",
            512,
            20,
        )


def test_without_a_file_of_weights_that_is_the_reason(plan: Plan, tmp_path: Path) -> None:
    path = write_weights(tmp_path / "w.safetensors")
    registry.set_options({"mini": {"weights": str(path)}})
    try:
        planner = Planner(Settings())
        path.unlink()
        missing = [engine.engine.missing() for engine in planner._engines if engine.name == "mini"]
    finally:
        registry.set_options({})
    assert missing == [["This version of Heddle has no weights for it."]]


def test_the_catalog_has_it_where_it_is_offered(quality: str, plan: Plan, db: Database) -> None:
    assert (MINI in {entry.version.air for entry in db.look(entries.every)}) == (quality != "none")


@pytest.mark.parametrize("command", ["engines", "doctor"])
def test_it_is_listed_as_what_it_is(quality: str, tmp_path: Path, command: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "engines.toml").write_text(f'[mini]\nweights = "{tmp_path / "w.safetensors"}"\n')
    said = CliRunner().invoke(cli, [command], env={"HEDDLE_HOME": str(home)}).output
    [line] = [line.strip() for line in said.splitlines() if " mini " in line]
    assert line.startswith("-- " if quality == "none" else "ok ")
    assert ("a preview: runs only where it is named" in line) == (quality == "preview")


@pytest.mark.parametrize(
    ("field", "given", "said"),
    [
        ("sampler", {"sampler": "DPM++ SDE"}, "Euler, Euler a, Heun, DPM++ 2M"),
        ("width", {"width": 2048, "height": 127}, ""), ("mask", {"images": ["b"], "mask": "b"}, "cannot inpaint"),
        ("clipSkip", {"clipSkip": 3}, "no layers of a text encoder"),
        ("additionalNetworks[0].air", {"additionalNetworks": [{"air": "urn:air:sketch:lora:heddle:2@2"}]}, "'sketch'"),
    ],
)  # fmt: skip
def test_what_it_cannot_do_is_refused_at_submit(
    weights_file: Path, plan: Plan, field: str, given: dict[str, Any], said: str
) -> None:
    registry.set_options({"mini": {"weights": str(weights_file)}})
    try:
        fields = refused(plan, engine="mini", **given)
    finally:
        registry.set_options({})
    [(at, [sentence])] = fields.items()
    assert at == f"steps[0].input.{'height' if field == 'width' else field}"
    assert said in sentence


def test_a_lora_of_the_catalog_comes_with_its_place(
    weights_file: Path, db: Database, plan: Plan, tmp_path: Path
) -> None:
    from safetensors.numpy import save_file  # noqa: PLC0415 - not needed elsewhere

    path = tmp_path / "style.safetensors"
    save_file(tensors(), path)
    files = intake.read(intake.choose(path))
    new = NewEntry(name="Style", type="LORA", base_model="Mini", creator="alice", files=files)

    def verb(tx: Tx, items: Sequence[None]) -> list[str]:
        return [entries.add(tx, new, now()).version.air for _ in items]

    air = db.apply(verb, None)
    registry.set_options({"mini": {"weights": str(weights_file)}})
    try:
        payload = plan(engine="mini", additionalNetworks=[{"air": air, "strength": 0.5}]).payload
    finally:
        registry.set_options({})
    assert air.startswith("urn:air:mini:lora:heddle:")
    assert payload["networks"] == [{"air": air, "strength": 0.5}]
    assert payload["weights"][air]["path"] == str(path)


# ── from HTTP to a blob ───────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, weights_file: Path) -> Iterator[Serving]:
    home = tmp_path_factory.mktemp("serving") / "home"
    home.mkdir()
    (home / "engines.toml").write_text(f'[mini]\nweights = "{weights_file}"\n')
    server = Serving(home, slots=1, preview_s=0.1).start()
    try:
        yield server
    finally:
        status = server.stop()
    assert status == 0


def painted(client: httpx.Client, **given: Any) -> tuple[dict[str, Any], np.ndarray]:
    step = {"$type": "imageGen", "input": {"engine": "mini", "prompt": "a fox", "seed": 5, "steps": 4, **given}}
    answer = client.post(WORKFLOWS, json={"steps": [step]})
    assert answer.status_code == 202, answer.text
    shown = ended(client, answer.json()["id"])
    assert shown["status"] == "succeeded", shown
    [blob] = shown["steps"][0]["output"]["images"]
    data = httpx.get(blob["url"], follow_redirects=True).content
    return blob, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(float)


def test_from_text_from_a_picture_and_with_a_lora(serving: Serving, tmp_path: Path) -> None:
    from safetensors.numpy import save_file  # noqa: PLC0415 - not needed elsewhere

    path = tmp_path / "style.safetensors"
    save_file(tensors(), path)
    command = [sys.executable, "-m", "heddle", "models", "add", str(path), "--type", "LORA", "--base-model", "Mini"]
    environment = {**os.environ, "HEDDLE_HOME": str(serving.home)}
    said = subprocess.run([*command, "--name", "style"], env=environment, check=True, capture_output=True, text=True)
    found = re.search(r"urn:air:mini:lora:\S+", said.stdout)
    assert found is not None, said.stdout
    with serving.client() as client:
        blob, plain = painted(client, width=320)
        assert plain.shape == (512, 320, 3)
        assert (blob["width"], blob["height"]) == (320, 512)
        again, same = painted(client, width=320, model=MINI)
        assert again["id"] != blob["id"]
        assert np.array_equal(plain, same)
        _, near = painted(client, prompt="a house", images=[blob["id"]], strength=0.2, seed=6)
        _, distant = painted(client, prompt="a house", images=[blob["id"]], strength=0.9, seed=6)
        assert near.shape == plain.shape
        assert 0 < np.abs(near - plain).mean() < np.abs(distant - plain).mean()
        _, styled = painted(client, width=320, additionalNetworks=[{"air": found[0], "strength": 1}])
        assert np.abs(styled - plain).mean() > 0.5
        answer = client.post(
            WORKFLOWS,
            json={"steps": [{"$type": "imageGen", "input": {"engine": "mini", "prompt": "a", "sampler": "x"}}]},
        )
        assert answer.status_code == 400
        assert "DPM++ 2M" in json.dumps(answer.json())
