"""Which engine a step gets that names none: the first that refuses nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.engines.mini.conftest import write_weights

from heddle import registry
from heddle.contract import base
from heddle.contract.orchestration import WorkflowRequest
from heddle.domain import Job, now
from heddle.errors import InvalidRequest
from heddle.settings import Settings
from heddle.steps import Facts
from heddle.workflows.planning import Look, Planner

LOOK = Look(find=lambda _: None, facts_of=lambda _: Facts())
SOURCE = {"images": ["blob_1"]}
Add = Callable[[str, str], None]


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("mini") / "mini.safetensors", quality="release")


@pytest.fixture(autouse=True)
def mini(released: Path) -> Iterator[None]:
    """It is asked before `sketch`, and takes less."""
    registry.set_options({"mini": {"weights": str(released)}})
    yield
    registry.set_options({})


@pytest.fixture
def add(monkeypatch: pytest.MonkeyPatch) -> Iterator[Add]:
    """Puts an engine behind all others."""
    tables = {seam: {**registry.targets(seam)} for seam in registry.SEAMS}
    monkeypatch.setattr(registry, "_BUILT_IN", tables)

    def one(name: str, target: str) -> None:
        tables["engines"][name] = target
        registry.targets.cache_clear()

    yield one
    monkeypatch.undo()
    registry.targets.cache_clear()


def plan(*, kind: str = "imageGen", settings: Settings | None = None, **given: Any) -> Job:
    """The one job of a step."""
    step = {"$type": kind, "input": {"prompt": "a cat", **given}}
    wanted = base.validate(WorkflowRequest, {"steps": [step]})
    [job] = Planner(settings or Settings()).plan(wanted, account_id=1, look=LOOK, at=now()).new.workflow.steps[0].jobs
    return job


def refused(**given: Any) -> dict[str, list[str]]:
    with pytest.raises(InvalidRequest) as refusal:
        plan(**given)
    return refusal.value.fields


@pytest.mark.parametrize("given", [{}, {"sampler": "Heun"}, {"width": 512, "height": 640}, {"clipSkip": 1}])
def test_the_first_engine_gets_what_it_takes(given: dict[str, Any]) -> None:
    job = plan(**given)
    assert (job.engine, job.payload["family"], job.payload["cfgScale"]) == ("mini", "mini", 2.0)


@pytest.mark.parametrize(
    "given",
    [
        {"sampler": "DPM++ SDE"}, {"clipSkip": 2}, {"width": 64}, {"height": 100, "width": 512},
        {**SOURCE, "sampler": "DDIM"},
    ],
)  # fmt: skip
def test_what_it_refuses_goes_to_the_next_one_as_if_that_were_the_first(given: dict[str, Any]) -> None:
    job = plan(**given)
    assert (job.engine, job.payload["family"], job.payload["cfgScale"]) == ("sketch", "sketch", 7.0)
    assert max(job.payload["width"], job.payload["height"]) == (1024 if "height" not in given else 512)
    assert {name: job.payload[name] for name in given} == given


@pytest.mark.parametrize(
    ("prompt", "engine"),
    [
        (",", "mini"), ("a red house under a yellow sun, watercolor", "mini"),
        ("Masterpiece, best quality, 2 cats!", "mini"),
        ("(cat:1.2) [house] <lora:x:1>", "mini"), ("a fox", "sketch"), ("a red house and a lighthouse", "sketch"),
        ("eine Katze", "sketch"), ("cat " * 41, "sketch"), ("красный дракон", "sketch"), ("a 龍 in a meadow", "sketch"),
        ("two cats and two birds", "mini"), ("four cats and four birds", "sketch"), ("five cats", "sketch"),
        ("a five pointed star", "mini"),
    ],
)  # fmt: skip
def test_what_it_has_no_words_for_is_left_to_the_next_one(prompt: str, engine: str) -> None:
    assert plan(prompt=prompt).engine == engine
    assert plan(prompt=prompt, engine="mini").engine == "mini"


@pytest.mark.parametrize("given", [SOURCE, {"width": 2048, "height": 128}])
def test_it_leaves_sources_and_long_strips_to_the_next_one(given: dict[str, Any]) -> None:
    assert plan(**given).engine == "sketch"
    assert plan(engine="mini", **given).engine == "mini"


@pytest.mark.parametrize("field", ["sampler", "clipSkip", "width"])
def test_an_engine_that_is_named_refuses_by_itself(field: str) -> None:
    given = {"sampler": "DPM++ SDE", "clipSkip": 2, "width": 64}
    assert list(refused(engine="mini", **{field: given[field]})) == [f"steps[0].input.{field}"]


def test_where_all_refuse_the_last_one_says_why() -> None:
    [said] = refused(**SOURCE, mask="blob_2", sampler="DDIM")["steps[0].input.mask"]
    assert said == "this engine cannot inpaint; it can create, edit, variant"


def test_what_is_wrong_for_every_engine_is_said_before_any_is_asked() -> None:
    assert list(refused(width=1, strength=0.5)) == ["steps[0].input.width"]
    assert refused(strength=0.5) == {"steps[0].input.strength": ["is for a source picture, and `images` has none"]}


def test_an_engine_that_was_added_takes_what_the_others_refuse(add: Add) -> None:
    add("inpainter", "tests.fixtures.inpainter:Inpainter")
    job = plan(**SOURCE, mask="blob_2")
    assert (job.engine, job.payload["family"]) == ("inpainter", "inpainter")
    assert plan(clipSkip=2).engine == "sketch"
    assert plan().engine == "mini"


@pytest.mark.parametrize("name", ["Elsewhere", "Loading", "Draft"])
def test_those_that_must_be_named_are_not_asked(add: Add, name: str) -> None:
    """What runs elsewhere, needs a model that nobody named, or is a preview."""
    add("inpainter", f"tests.fixtures.inpainter:{name}")
    assert "create, edit, variant" in refused(**SOURCE, mask="blob_2")["steps[0].input.mask"][0]


def test_a_stand_in_is_for_what_is_named() -> None:
    job = plan(settings=Settings(stand_in=True), sampler="DDIM")
    assert (job.engine, "standInFor" in job.payload) == ("sketch", False)
    job = plan(settings=Settings(stand_in=True), engine="flux1", sampler="DDIM")
    assert (job.engine, job.payload["standInFor"]) == ("sketch", "flux1")


@pytest.mark.parametrize(
    ("kind", "given", "engine"),
    [
        ("tts", {"text": "One red fox."}, "espeak"),
        ("music", {"musicDescription": "calm piano"}, "composer"),
        ("videoGen", {"prompt": "a boat"}, "sketch"),
    ],
)
def test_other_steps_get_the_first_of_theirs(kind: str, given: dict[str, Any], engine: str) -> None:
    step = {"$type": kind, "input": given}
    wanted = base.validate(WorkflowRequest, {"steps": [step]})
    planned = Planner(Settings()).plan(wanted, account_id=1, look=LOOK, at=now())
    assert planned.new.workflow.steps[0].jobs[0].engine == engine


@pytest.mark.parametrize(
    ("size", "buzz"),
    [((256, 256), 1), ((2048, 2048), 1), ((512, 256), 3), ((448, 256), 3), ((2048, 128), 31), ((128, 2048), 31)],
)
def test_mini_costs_as_much_as_it_paints_windows(size: tuple[int, int], buzz: int) -> None:
    given = {"engine": "mini", "width": size[0], "height": size[1]}
    assert plan(**given).cost == buzz
    assert plan(**given, steps=40).cost == 2 * buzz
