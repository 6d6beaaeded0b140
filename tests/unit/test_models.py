"""Which model a step runs, and where its engine finds the weights: decided at submit, from the catalog."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from heddle import queue, registry
from heddle.catalog import builtin, entries, intake, places
from heddle.catalog.entries import NewEntry
from heddle.contract import base
from heddle.contract.orchestration import WorkflowRequest
from heddle.db import Database, Dialect, Tx
from heddle.domain import Job, now
from heddle.errors import InvalidRequest
from heddle.matching import SlotReport
from heddle.settings import Settings
from heddle.steps import Facts
from heddle.workflows.planning import Look, Planner


@pytest.fixture
def db(dialect: Dialect) -> Iterator[Database]:
    database = Database(dialect)
    yield database
    database.close()


@pytest.fixture
def weighty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """The engine in this process, with options."""
    tables = {seam: {**registry.targets(seam)} for seam in registry.SEAMS}
    del tables["engines"]["diffusers"]  # it answers for the same families, and looks into the files
    tables["engines"]["weighty"] = "tests.fixtures.weighty:Weighty"
    monkeypatch.setattr(registry, "_BUILT_IN", tables)
    registry.targets.cache_clear()
    yield lambda **options: registry.set_options({"weighty": options} if options else {})
    monkeypatch.undo()
    registry.set_options({})
    registry.targets.cache_clear()


def write(path: Path, content: bytes) -> Path:
    entry = {"dtype": "U8", "shape": [len(content)], "data_offsets": [0, len(content)]}
    header = json.dumps({"w": entry}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(header)) + header + content)
    return path


def add(db: Database, path: Path | None, kind: str = "Checkpoint", base_model: str = "SDXL 1.0", **more: Any) -> str:
    files = [] if path is None else intake.read(intake.choose(path))
    new = NewEntry(name="Fox", type=kind, base_model=base_model, creator="alice", files=files, **more)

    def verb(tx: Tx, items: Sequence[None]) -> list[str]:
        builtin.ensure(tx, now())
        return [entries.add(tx, new, now()).version.air for _ in items]

    return db.apply(verb, None)


def plan(db: Database, settings: Settings | None = None, **fields: Any) -> Job:
    """The one job of a picture of this engine."""

    def look(tx: Tx) -> Job:
        found = Look(
            find=lambda air: places.of_air(tx, air),
            facts_of=lambda _: Facts(),
            first=lambda ecosystems, types: places.first(tx, ecosystems, types),
            room=lambda engine: queue.room(tx, engine, now()),
        )
        wanted = base.validate(
            WorkflowRequest,
            {"steps": [{"$type": "imageGen", "input": {"engine": "weighty", "prompt": "a fox", **fields}}]},
        )
        draft = Planner(settings or Settings()).plan(wanted, account_id=1, look=found, at=now())
        [job] = draft.new.workflow.steps[0].jobs
        return job

    return db.look(look)


def slots_are(db: Database, dispatcher: str, ago_s: float, *slots: tuple[str, int | None]) -> None:
    """What a dispatcher said that long ago: of each slot an engine, and its memory."""
    reports = [
        SlotReport(name=f"{dispatcher}-{i}", engines=frozenset({engine}), memory_mb=memory)
        for i, (engine, memory) in enumerate(slots)
    ]
    census = queue.Census(dispatcher=dispatcher, slots=reports, at=now() - timedelta(seconds=ago_s))
    db.apply(queue.report_slots, census)


def refused(db: Database, **fields: Any) -> dict[str, list[str]]:
    with pytest.raises(InvalidRequest) as refusal:
        plan(db, **fields)
    return refusal.value.fields


def test_the_payload_says_where_the_weights_lie(db: Database, weighty: Callable[..., None], tmp_path: Path) -> None:
    model = add(db, write(tmp_path / "fox.safetensors", b"base"), trained_words=("fox",))
    job = plan(db, engine="sdxl", model=model)
    assert job.payload["model"] == model
    [(air, place)] = job.payload["weights"].items()
    assert air == model
    assert place == {
        "path": str(tmp_path / "fox.safetensors"),
        "folder": False,
        "format": "SafeTensor",
        "size": (tmp_path / "fox.safetensors").stat().st_size,
        "type": "Checkpoint",
        "baseModel": "SDXL 1.0",
        "words": ["fox"],
    }
    assert job.needs is not None
    assert job.needs.model == place["path"]


def test_a_folder_is_the_one_that_holds_the_index(db: Database, weighty: Callable[..., None], tmp_path: Path) -> None:
    root = tmp_path / "fox"
    write(root / "unet" / "model.safetensors", b"the larger part")
    write(root / "vae" / "model.safetensors", b"vae")
    (root / "model_index.json").write_text("{}")
    model = add(db, root)
    place = plan(db, engine="sdxl").payload["weights"][model]
    assert (place["path"], place["folder"]) == (str(root), True)
    assert place["size"] == sum(path.stat().st_size for path in root.rglob("*.safetensors"))


def test_networks_are_found_too(db: Database, weighty: Callable[..., None], tmp_path: Path) -> None:
    add(db, write(tmp_path / "base.safetensors", b"base"))
    lora = add(db, write(tmp_path / "lora.safetensors", b"lora"), "LORA")
    payload = plan(db, engine="sdxl", additionalNetworks=[{"air": lora}]).payload
    assert payload["weights"][lora]["path"] == str(tmp_path / "lora.safetensors")


def test_what_is_added_by_name_is_found_too(db: Database, weighty: Callable[..., None], tmp_path: Path) -> None:
    add(db, write(tmp_path / "base.safetensors", b"base"))
    vae = add(db, write(tmp_path / "vae.safetensors", b"vae"), "VAE")
    control = add(db, write(tmp_path / "control.safetensors", b"control"), "Controlnet")
    bare = vae.removeprefix("urn:air:")
    steered = {"model": control.removeprefix("urn:"), "image": "blob_source", "weight": 0.5}
    job = plan(db, engine="sdxl", vae=bare, controlNets=[steered])
    assert job.payload["vae"] == vae
    assert job.payload["controlNets"] == [
        {"model": control, "image": "blob_source", "weight": 0.5, "startStep": 0.0, "endStep": 1.0}
    ]
    assert {vae, control} < set(job.payload["weights"])
    at = "steps[0].input.vae"
    assert "this must be a vae" in refused(db, engine="sdxl", vae=control)[at][0]
    at = "steps[0].input.controlNets[0].model"
    assert "this must be a controlnet" in refused(db, engine="sdxl", controlNets=[steered | {"model": vae}])[at][0]
    late = steered | {"startStep": 0.5, "endStep": 0.5}
    assert "`startStep` is 0.5" in str(refused(db, engine="sdxl", controlNets=[late]))


def test_without_a_name_the_first_that_was_added_is_meant(
    db: Database, weighty: Callable[..., None], tmp_path: Path
) -> None:
    add(db, write(tmp_path / "lora.safetensors", b"lora"), "LORA")
    add(db, write(tmp_path / "sd1.safetensors", b"sd1"), base_model="SD 1.5")
    add(db, None)
    first = add(db, write(tmp_path / "first.safetensors", b"first"))
    second = add(db, write(tmp_path / "second.safetensors", b"second"))
    assert plan(db, engine="sdxl").payload["model"] == first
    weighty(model=second)
    assert plan(db, engine="sdxl").payload["model"] == second


def test_what_is_not_there_is_refused_at_submit(db: Database, weighty: Callable[..., None], tmp_path: Path) -> None:
    at = "steps[0].input.engine"
    why = refused(db, engine="sdxl")[at][0]
    assert "'sdxl' cannot run here" in why
    assert "weighty: the catalog has no model for 'sdxl'" in why
    bare = add(db, None)
    assert "without its weights" in refused(db, engine="sdxl", model=bare)["steps[0].input.model"][0]
    gone = "urn:air:sdxl:checkpoint:civitai:1@2"
    assert "is not in the catalog" in refused(db, engine="sdxl", model=gone)["steps[0].input.model"][0]
    weighty(model=gone)
    assert "engines.toml" in refused(db, engine="sdxl")[at][0]


def test_a_stand_in_draws_for_a_model_that_is_not_here(
    db: Database, weighty: Callable[..., None], tmp_path: Path
) -> None:
    gone = "urn:air:sdxl:checkpoint:civitai:1@2"
    for fields in ({}, {"model": gone}):
        job = plan(db, Settings(stand_in=True), engine="sdxl", **fields)
        assert (job.engine, job.payload["standInFor"]) == ("sketch", "sdxl")
    add(db, write(tmp_path / "base.safetensors", b"base"))
    assert plan(db, Settings(stand_in=True), engine="sdxl").engine == "weighty"


def test_an_engine_may_say_what_it_cannot_do(db: Database, weighty: Callable[..., None], tmp_path: Path) -> None:
    add(db, write(tmp_path / "base.safetensors", b"base"))
    assert plan(db, engine="sdxl", sampler="round").payload["sampler"] == "round"
    assert refused(db, engine="sdxl", sampler="square") == {"steps[0].input.sampler": ["'square' is not one of: round"]}


def test_other_engines_are_told_nothing_of_files(db: Database, weighty: Callable[..., None]) -> None:
    add(db, None)
    assert "weights" not in plan(db, engine="sketch", model="urn:air:sketch:checkpoint:heddle:1@1").payload


def test_a_model_that_fits_in_no_slot_is_refused_at_submit(
    db: Database, weighty: Callable[..., None], tmp_path: Path
) -> None:
    add(db, write(tmp_path / "base.safetensors", b"base"))
    assert plan(db, engine="sdxl").needs is not None  # nobody has said anything yet
    slots_are(db, "small", 0, ("weighty", 5), ("weighty", 9), ("sketch", None))
    [why] = refused(db, engine="sdxl")["steps[0].input.model"]
    assert "takes 10 MB" in why
    assert "has 9 MB" in why
    assert "`offload`" in why
    assert plan(db, engine="sketch").engine == "sketch"
    slots_are(db, "large", 0, ("weighty", 10))
    assert plan(db, engine="sdxl").needs is not None
    slots_are(db, "large", 0, ("sketch", None))
    assert "model" in str(refused(db, engine="sdxl"))
    slots_are(db, "uncounted", 0, ("weighty", None))
    assert plan(db, engine="sdxl").needs is not None


def test_a_model_of_which_parts_may_stay_away_is_planned_for_the_largest_slot(
    db: Database, weighty: Callable[..., None], tmp_path: Path
) -> None:
    def counted() -> int:
        needs = plan(db, engine="sdxl").needs
        assert needs is not None
        return needs.memory_mb

    add(db, write(tmp_path / "base.safetensors", b"base"))
    weighty(least=6)
    assert counted() == 10  # nobody has said anything yet
    slots_are(db, "mine", 0, ("weighty", 5))
    assert "takes 6 MB" in refused(db, engine="sdxl")["steps[0].input.model"][0]
    slots_are(db, "mine", 0, ("weighty", 5), ("weighty", 8))
    assert counted() == 8
    slots_are(db, "mine", 0, ("weighty", 8), ("weighty", 20))
    assert counted() == 10
    slots_are(db, "mine", 0, ("weighty", 8), ("weighty", None))
    assert counted() == 10


def test_an_engine_that_no_slot_runs_is_refused_at_submit(
    db: Database, weighty: Callable[..., None], tmp_path: Path
) -> None:
    add(db, write(tmp_path / "base.safetensors", b"base"))
    slots_are(db, "other", 0, ("sketch", None))
    assert plan(db, engine="sdxl").engine == "weighty"  # it runs where no device is
    weighty(device=True)
    assert refused(db, engine="sdxl") == {"steps[0].input.engine": ["no slot of this server's fleet runs 'weighty'"]}
    assert plan(db, engine="sketch").engine == "sketch"
    slots_are(db, "mine", 600, ("weighty", None))  # its machine is started anew
    assert plan(db, engine="sdxl").engine == "weighty"


def test_slots_of_long_ago_refuse_nothing(db: Database, weighty: Callable[..., None], tmp_path: Path) -> None:
    add(db, write(tmp_path / "base.safetensors", b"base"))
    weighty(device=True)
    slots_are(db, "gone", 60, ("sketch", None))
    assert plan(db, engine="sdxl").engine == "weighty"
    slots_are(db, "mine", 3600, ("weighty", None))
    slots_are(db, "other", 0, ("sketch", None))
    assert "no slot" in str(refused(db, engine="sdxl"))
